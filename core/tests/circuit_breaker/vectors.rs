//! The vectors: what the oracle says to a few lives of breakers, and what the product does.

use super::*;
use crate::sequences::{Operation, outcome, told};
use crate::support::vectors::{Step, check, outcome_word};

/// Numbers for the vectors' sequences, of no use but to differ (Knuth's constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn operation(&mut self, now: &mut u64) -> Operation {
        *now += [0, 1, 1_000_000, 400_000_000, 1_300_000_000][self.below(5) as usize];
        let (now, random) = (*now, self.below(1 << 31) << 33);
        match self.below(22) {
            0..9 => Operation::Attempt { now },
            9..18 => Operation::Finish { permit: self.below(4) as usize, outcome: self.below(8) as u8, now, random },
            18 => Operation::Cancel { permit: self.below(4) as usize },
            // Forced states end soon.
            _ => match self.below(8) {
                0..3 => Operation::Trip { now, random },
                3 => Operation::ForceOpen,
                4 => Operation::ForceClose,
                _ => Operation::Reset,
            },
        }
    }
}

fn new_line(config: &BreakerConfig) -> String {
    let rule = match config.rule {
        TripRule::Consecutive(threshold) => format!("rule=consecutive threshold={threshold}"),
        TripRule::FailureShare { share, window, minimum } => {
            format!("rule=failure_share share_ppm={} window={window} minimum={minimum}", share.as_ppm())
        }
        TripRule::SlowShare { share, slower_than, window, minimum } => format!(
            "rule=slow_share share_ppm={} slower_than_ns={} window={window} minimum={minimum}",
            share.as_ppm(),
            slower_than.as_nanos()
        ),
        _ => unreachable!(),
    };
    format!(
        "new {rule} open_for_ns={} open_jitter_ppm={} open_growth_percent={} open_cap_ns={} probes={} \
         probe_lease_ns={} close_share_ppm={} -> ok",
        config.open_for.as_nanos(),
        config.open_jitter.as_ppm(),
        config.open_growth_percent,
        config.open_cap.as_nanos(),
        config.probes,
        config.probe_lease.as_nanos(),
        config.close_share.as_ppm()
    )
}

fn config_of(step: &Step) -> BreakerConfig {
    let number = |name| step.number(name);
    let duration = |name| Duration::from_nanos(step.number(name));
    let ratio = |name| Ratio::from_ppm(step.number(name) as u32).unwrap();
    let share = || (ratio("share_ppm"), number("window") as u32, number("minimum") as u32);
    let rule = match step.word("rule") {
        "consecutive" => TripRule::Consecutive(number("threshold") as u32),
        "failure_share" => {
            let (share, window, minimum) = share();
            TripRule::FailureShare { share, window, minimum }
        }
        _ => {
            let (share, window, minimum) = share();
            TripRule::SlowShare { share, slower_than: duration("slower_than_ns"), window, minimum }
        }
    };
    BreakerConfig {
        rule,
        open_for: duration("open_for_ns"),
        open_jitter: ratio("open_jitter_ppm"),
        open_growth_percent: number("open_growth_percent") as u32,
        open_cap: duration("open_cap_ns"),
        probes: number("probes") as u32,
        probe_lease: duration("probe_lease_ns"),
        close_share: ratio("close_share_ppm"),
        ramp: Duration::ZERO,
    }
}

/// `permits` is how many were admitted before.
fn words_of(permits: usize, is_attempt: bool, answer: &Answer) -> String {
    let told = match answer.told {
        Some((from, to, cause)) => {
            format!(" from={from} to={to} cause={}", cause.replace(' ', "_")).replace("half-open", "half_open")
        }
        None => String::new(),
    };
    match answer.admitted {
        Ok(()) if is_attempt => format!("ok permit={permits}{told}"),
        Ok(()) => format!("ok{told}"),
        Err(Some(wait)) => format!("refused retry_after_ns={wait}"),
        Err(None) => "refused retry_after_ns=none".into(),
    }
}

/// What the oracle says to a few lives of breakers, in the words of the file.
fn oracle_lines() -> Vec<String> {
    let slow = Duration::from_millis(300);
    let rules = [
        TripRule::Consecutive(2),
        TripRule::FailureShare { share: percent(50), window: 8, minimum: 3 },
        TripRule::SlowShare { share: percent(60), slower_than: slow, window: 5, minimum: 2 },
    ];
    let mut lines = Vec::new();
    for (seed, rule) in (0..12).zip(rules.into_iter().cycle()) {
        let probes = [1, 3, 8][seed as usize / 4];
        let config = BreakerConfig { rule, probes, ramp: Duration::ZERO, ..BreakerConfig::DEFAULT };
        let (mut oracle, mut dice, mut now, mut permits) = (Oracle::new(config), Dice(seed), 0, 0);
        lines.push(new_line(&config));
        for _ in 0..60 {
            let operation = dice.operation(&mut now);
            let back = |permit: usize| usize::checked_sub(permits, 1 + permit);
            let (line, is_attempt, answer) = match operation {
                Operation::Attempt { now } => {
                    let (admitted, told) = oracle.attempt(now);
                    let answer = Answer { admitted: admitted.map(|_| ()), told };
                    (format!("try_attempt now={now}"), true, answer)
                }
                Operation::Finish { permit, outcome: number, now, random } => {
                    let Some(permit) = back(permit) else { continue };
                    let outcome = outcome(number);
                    let verdict = (outcome != Outcome::Ignored).then(|| outcome.is_bad());
                    let name = outcome_word(outcome);
                    let told = oracle.finish(permit, verdict, now, random);
                    let line = format!("finish permit={permit} outcome={name} now={now} random={random}");
                    (line, false, Answer::told(told))
                }
                Operation::Cancel { permit } => {
                    let Some(permit) = back(permit) else { continue };
                    oracle.finish(permit, None, now, 0);
                    (format!("cancel permit={permit} now={now}"), false, Answer::default())
                }
                Operation::Trip { now, random } => {
                    (format!("trip now={now} random={random}"), false, Answer::told(oracle.trip(now, random)))
                }
                Operation::ForceOpen => (format!("force_open now={now}"), false, Answer::told(oracle.force(true))),
                Operation::ForceClose => (format!("force_close now={now}"), false, Answer::told(oracle.force(false))),
                Operation::Reset => (format!("reset now={now}"), false, Answer::told(oracle.reset())),
            };
            lines.push(format!("{line} -> {}", words_of(permits, is_attempt, &answer)));
            permits += usize::from(is_attempt && answer.admitted.is_ok());
        }
    }
    lines
}

#[test]
fn the_vectors_of_the_oracle_replay() {
    let mut product = breaker(PLAIN);
    let mut permits: Vec<BreakerPermit> = Vec::new();
    check("circuit_breaker", &oracle_lines(), |step| {
        if step.operation == "new" {
            (product, permits) = (breaker(config_of(step)), Vec::new());
            return "ok".into();
        }
        let now = at(step.number("now"));
        let mut admitted = Ok(());
        let transition = match step.operation {
            "try_attempt" => match product.try_attempt(now) {
                Ok(admission) => {
                    permits.push(admission.permit);
                    admission.transition
                }
                Err(refused) => {
                    admitted = Err(refused.retry_after().map(|wait| wait.as_nanos() as u64));
                    None
                }
            },
            "finish" => {
                let permit = permits[step.number("permit") as usize];
                product.finish(permit, step.outcome("outcome"), now, step.number("random"))
            }
            "cancel" => {
                product.cancel(permits[step.number("permit") as usize], now);
                None
            }
            "trip" => product.trip(now, step.number("random")),
            "force_open" => product.force_open(now),
            "force_close" => product.force_close(now),
            _ => product.reset(now),
        };
        let is_attempt = step.operation == "try_attempt";
        let before = permits.len() - usize::from(is_attempt && admitted.is_ok());
        words_of(before, is_attempt, &Answer { admitted, told: told(transition) })
    });
}
