//! The token bucket against an exact oracle: any sequence to a unit, and the vectors to the last nanosecond.

#[path = "oracle/token_bucket.rs"]
#[allow(unreachable_pub, reason = "a test program exports nothing")]
mod oracle;
#[allow(unreachable_pub, reason = "a test program exports nothing")]
mod support;

use core::time::Duration;
use std::collections::HashMap;

use oracle::{No, Oracle, TOKEN};
use proptest::prelude::*;
use seawall::{BucketConfig, Fill, Instant, Rate, Reason, Refused, Reservation, TokenBucket, WarmUp};

const SECOND: u64 = 1_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn rate(per_minute: u64) -> Rate {
    Rate::new(per_minute, MINUTE).expect("a minute is a period")
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Take(u32),
    TakeUpTo(u32),
    Reserve(u32, u64),
    Cancel,
    Refund,
    DrainTo(u32),
    Rate(u64),
    Burst(u32),
    Slow(u64, u64),
    Rebase(u64),
    Reset(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop_oneof![0..2_000_u64, 0..SECOND, 0..1_000 * SECOND].prop_map(Step::Wait),
        6 => (1..12_u32).prop_map(Step::Take),
        2 => (0..60_u32).prop_map(Step::TakeUpTo),
        2 => (1..12_u32, prop_oneof![Just(u64::MAX), 0..SECOND]).prop_map(|(n, most)| Step::Reserve(n, most)),
        1 => Just(Step::Cancel),
        1 => Just(Step::Refund),
        1 => (0..5_u32).prop_map(Step::DrainTo),
        1 => prop_oneof![0..5_u64, 0..60_000_u64, 0..60_000_000_u64].prop_map(Step::Rate),
        1 => (1..50_u32).prop_map(Step::Burst),
        1 => (1..60_u64, 0..100 * SECOND).prop_map(|(from, duration)| Step::Slow(from, duration)),
        1 => (0..u64::MAX / 4).prop_map(Step::Rebase),
        1 => (0..60_u32).prop_map(Step::Reset),
    ];
    proptest::collection::vec(step, 1..200)
}

/// A few units of the coarsest scale that a rate leads to, in parts of a token: 128 ns of refill, or 2^-20 tokens.
fn slack(per_minute: i128) -> i128 {
    per_minute * 128 + TOKEN / (1 << 18)
}

proptest! {
    /// Each decision may be early or late by a few units: what was given early is never given again, so the slack does
    /// not add up, and the coarsest unit met is all there is. The oracle follows the bucket where both would be right.
    #[test]
    fn every_decision_is_the_oracles_to_a_unit(start in 0..u64::MAX / 4, per_minute in 0..60_000_u64, steps in steps()) {
        let bucket = TokenBucket::new(BucketConfig::new(rate(per_minute)).burst(10), at(start)).expect("legal");
        let mut oracle = Oracle::new(per_minute.into(), 10, 10, start);
        let mut booked: Option<(Reservation, u64)> = None;
        let (mut now, mut slackest) = (start, 0);
        for step in steps {
            slackest = slackest.max(slack(oracle.per_minute));
            match step {
                Step::Wait(by) => now += by,
                Step::Take(n) => {
                    let missing = i128::from(n) * TOKEN - oracle.balance(now);
                    let peeked = bucket.peek(n, at(now));
                    let taken = bucket.try_take(n, at(now));
                    prop_assert_eq!(peeked, taken);
                    match taken {
                        Ok(()) => {
                            prop_assert!(missing <= slackest, "{missing} missing of {n} at {now}");
                            oracle.force_take(n, now);
                        }
                        Err(refused) => {
                            prop_assert!(missing > -slackest, "{} to spare at {now}: {refused}", -missing);
                            prop_assert!(is_close(refused, oracle.refusal(i128::from(n) * TOKEN, now), &oracle, slackest));
                        }
                    }
                }
                Step::TakeUpTo(n) => {
                    let balance = oracle.balance(now);
                    let taken = bucket.take_up_to(n, at(now));
                    let parts = i128::from(taken) * TOKEN;
                    prop_assert!(parts <= (balance + slackest).max(0), "{taken} of {balance} at {now}");
                    prop_assert!(taken == n || parts + TOKEN > balance - slackest, "only {taken} of {balance}");
                    if taken > 0 {
                        oracle.force_take(taken, now);
                    }
                }
                Step::Reserve(n, max_wait) => {
                    let mut tried = oracle.clone();
                    match (bucket.reserve(n, Duration::from_nanos(max_wait), at(now)), tried.reserve(n, max_wait, now)) {
                        (Ok(ours), Ok((number, wait))) => {
                            let off = i128::from(ours.wait(at(now)).as_nanos() as u64) - i128::from(wait);
                            prop_assert!(off.abs() * oracle.slowest() <= slackest + oracle.fastest(), "{off} ns off");
                            oracle = tried;
                            booked = Some((ours, number));
                        }
                        (Err(refused), Err(no)) => {
                            prop_assert!(is_close(refused, no, &oracle, slackest), "{refused} for {no:?}");
                        }
                        (Ok(ours), Err(No::NotYet(Some(early)))) => {
                            prop_assert!(i128::from(early) * oracle.slowest() <= slackest + oracle.fastest());
                            oracle.force_take(n, now);
                            let number = oracle.note_booking(n);
                            booked = Some((ours, number));
                        }
                        (Err(refused), Ok(_)) => {
                            let late = refused.retry_after().map_or(u64::MAX, |wait| wait.as_nanos() as u64);
                            let to_spare = oracle.balance(now) - i128::from(n) * TOKEN;
                            // At rate zero the unit that a cancelled booking left is never earned again.
                            let a_unit_is_missing = oracle.per_minute == 0 && to_spare <= slackest;
                            prop_assert!(
                                a_unit_is_missing
                                    || i128::from(late) * oracle.slowest() <= slackest + oracle.fastest()
                            );
                        }
                        (ours, theirs) => prop_assert!(false, "{ours:?} for {theirs:?}"),
                    }
                }
                Step::Cancel => {
                    if let Some((ours, number)) = booked.take() {
                        let owes = oracle.balance(now);
                        let undone = bucket.cancel(ours, at(now));
                        let right = oracle.cancel(number, now, undone);
                        prop_assert!(undone == right || owes.abs() <= slackest, "{undone} for {right}");
                    }
                }
                Step::Refund => {
                    // Of a token that was just taken.
                    if bucket.try_take(1, at(now)).is_ok() {
                        oracle.force_take(1, now);
                        oracle.force_back(1);
                        prop_assert!(bucket.refund(1, at(now)));
                    }
                }
                Step::DrainTo(keep) => {
                    let balance = oracle.balance(now);
                    let drained = i128::from(bucket.drain_to(keep, at(now))) * TOKEN;
                    let beyond = balance - i128::from(keep) * TOKEN;
                    prop_assert!(drained <= beyond.max(0) + slackest && drained + TOKEN > beyond - slackest);
                    oracle.drain_to(keep, now);
                }
                Step::Rate(per_minute) => {
                    oracle.set_rate(per_minute.into(), now);
                    bucket.set_rate(rate(per_minute), at(now)).expect("legal");
                }
                Step::Burst(burst) => {
                    oracle.set_burst(burst, now);
                    bucket.set_burst(burst, at(now)).expect("legal");
                }
                Step::Slow(per_minute, duration) => {
                    oracle.start_slow(per_minute.into(), duration, now);
                    let warm_up = WarmUp::step(rate(per_minute), Duration::from_nanos(duration));
                    bucket.start_warm_up(warm_up, at(now)).expect("legal");
                }
                Step::Rebase(to) => {
                    oracle.rebase(now, to);
                    bucket.rebase(at(now), at(to)).expect("legal");
                    now = to;
                }
                Step::Reset(tokens) => {
                    oracle.reset(tokens, now);
                    bucket.reset(Fill::Tokens(tokens), WarmUp::NONE, at(now)).expect("legal");
                }
            }
        }
    }
}

/// Whether the bucket's refusal is the oracle's, up to the slack.
fn is_close(refused: Refused, no: No, oracle: &Oracle, slack: i128) -> bool {
    let ours = refused.retry_after().map(|wait| wait.as_nanos() as i128);
    match no {
        No::Never => refused.reason() == Reason::Never,
        No::ClockStepped => refused.reason() == Reason::ClockStepped,
        No::NotYet(None) => ours.is_none(),
        // At rate zero the unit that a cancelled booking left is never earned again.
        No::NotYet(Some(0)) if oracle.per_minute == 0 => ours.is_none(),
        No::NotYet(Some(wait)) => {
            ours.is_some_and(|ours| (ours - i128::from(wait)).abs() * oracle.slowest() <= slack + 2 * oracle.fastest())
        }
    }
}

/// Every rate of whole tokens a minute earns whole 2048ths of a token, or more finely so, in a multiple of this: the
/// vectors hold for a bucket to the last nanosecond, whatever it rounds elsewhere.
const GRID: u64 = 60 * SECOND / 2048;

/// A sequence of numbers that looks random: Knuth's linear congruence (TAOCP vol. 2, 3.3.4).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn words(no: No) -> String {
    match no {
        No::Never => "refused reason=never retry_after_ns=none".into(),
        No::ClockStepped => "refused reason=clock_stepped retry_after_ns=none".into(),
        No::NotYet(None) => "refused reason=not_yet retry_after_ns=none".into(),
        No::NotYet(Some(wait)) => format!("refused reason=not_yet retry_after_ns={wait}"),
    }
}

fn vector_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for (number, (per_minute, burst, tokens)) in
        [(1, 1, 1), (60, 60, 60), (600, 10, 0), (60_000, 1_000, 1), (300, 5, 5), (0, 3, 3)].into_iter().enumerate()
    {
        let mut numbers = Numbers(number as u64);
        let mut now = numbers.below(1_000) * GRID;
        let mut oracle = Oracle::new(per_minute, burst, tokens, now);
        lines.push(format!(
            "new rate_count={per_minute} period_ns=60000000000 burst={burst} fill={tokens} now={now} -> ok"
        ));
        let mut booked = Vec::new();
        let mut taken = 0;
        for _ in 0..120 {
            let pace = 60 * SECOND / GRID / (oracle.per_minute.max(1) as u64).min(60);
            now += numbers.below(2 * pace) * GRID;
            // Every tenth reading is an old one.
            let read = if numbers.below(10) == 0 { now.saturating_sub(numbers.below(3 * pace) * GRID) } else { now };
            let burst = (oracle.burst / TOKEN) as u64;
            let line = match numbers.below(20) {
                0..=6 => {
                    let n = 1 + numbers.below(burst + burst / 8 + 1) as u32;
                    let decision = oracle.try_take(n, read);
                    taken = if decision.is_ok() { n } else { 0 };
                    format!("try_take n={n} now={read} -> {}", decision.map_or_else(words, |()| "ok".into()))
                }
                7 | 8 => {
                    let n = numbers.below(burst + 2) as u32;
                    format!("take_up_to n={n} now={read} -> taken={}", oracle.take_up_to(n, read))
                }
                9..=11 => {
                    let n = 1 + numbers.below(burst) as u32;
                    let max_wait = numbers.below(4) * pace * GRID;
                    let decision = oracle.reserve(n, max_wait, read);
                    let answer = decision.map_or_else(words, |(number, wait)| {
                        booked.push(number);
                        format!("booked number={number} ready_at_ns={}", read + wait)
                    });
                    format!("reserve n={n} max_wait_ns={max_wait} now={read} -> {answer}")
                }
                12 | 13 if !booked.is_empty() => {
                    // The newest one, mostly.
                    let number =
                        if numbers.below(3) == 0 { booked.remove(0) } else { booked.pop().expect("there is one") };
                    let undone = oracle.clone().cancel(number, read, false);
                    oracle.cancel(number, read, undone);
                    format!("cancel number={number} now={read} -> done={undone}")
                }
                14 if taken > 0 => {
                    let n = core::mem::take(&mut taken);
                    format!("refund n={n} now={read} -> done={}", oracle.refund(n, read))
                }
                15 => {
                    let keep = numbers.below(3) as u32;
                    format!("drain_to keep={keep} now={read} -> drained={}", oracle.drain_to(keep, read))
                }
                16 => {
                    let per_minute = [0, 1, 30, 60, 300, 600, 6_000, 60_000][numbers.below(8) as usize];
                    oracle.set_rate(per_minute, read);
                    format!("set_rate rate_count={per_minute} period_ns=60000000000 now={read} -> ok")
                }
                17 => {
                    let burst = 1 + numbers.below(100) as u32;
                    oracle.set_burst(burst, read);
                    format!("set_burst burst={burst} now={read} -> ok")
                }
                18 => match numbers.below(3) {
                    0 => {
                        let (from, duration) = (1 + numbers.below(60), numbers.below(10) * pace * GRID);
                        oracle.start_slow(from.into(), duration, read);
                        format!(
                            "start_warm_up curve=step rate_count={from} period_ns=60000000000 duration_ns={duration} now={read} -> ok"
                        )
                    }
                    1 => {
                        let to = numbers.below(100_000) * GRID;
                        let line = format!("rebase old_now={now} new_now={to} -> ok");
                        oracle.rebase(now, to);
                        now = to;
                        line
                    }
                    _ => {
                        let tokens = numbers.below(burst + 1) as u32;
                        oracle.reset(tokens, read);
                        format!("reset fill={tokens} now={read} -> ok")
                    }
                },
                _ => format!("available now={read} -> tokens={}", oracle.balance(read).max(0) / TOKEN),
            };
            if ["set_", "start_", "rebase", "reset"].iter().any(|change| line.starts_with(change)) {
                // What is undone across a change is so up to a unit, and the vectors are exact.
                booked.clear();
            }
            lines.push(line);
        }
    }
    lines
}

fn answer(refused: Refused) -> String {
    let reason = match refused.reason() {
        Reason::NotYet => "not_yet",
        Reason::Never => "never",
        Reason::ClockStepped => "clock_stepped",
        other => panic!("no word for {other:?}"),
    };
    let wait = refused.retry_after().map_or_else(|| "none".into(), |wait| wait.as_nanos().to_string());
    format!("refused reason={reason} retry_after_ns={wait}")
}

#[test]
fn the_vectors_replay() {
    let mut bucket = TokenBucket::new(BucketConfig::new(Rate::ZERO), at(0)).expect("legal");
    let mut booked = HashMap::new();
    support::vectors::check("token_bucket", &vector_lines(), |step| {
        let now = || at(step.number("now"));
        let n = || step.number("n") as u32;
        let rate =
            || Rate::new(step.number("rate_count"), Duration::from_nanos(step.number("period_ns"))).expect("legal");
        let changed = match step.operation {
            "new" => {
                let config = BucketConfig::new(rate()).burst(step.number("burst") as u32);
                bucket = TokenBucket::new(config.fill(Fill::Tokens(step.number("fill") as u32)), now()).expect("legal");
                booked.clear();
                Ok(())
            }
            "try_take" => return bucket.try_take(n(), now()).map_or_else(answer, |()| "ok".into()),
            "take_up_to" => return format!("taken={}", bucket.take_up_to(n(), now())),
            "reserve" => {
                let max_wait = Duration::from_nanos(step.number("max_wait_ns"));
                return bucket.reserve(n(), max_wait, now()).map_or_else(answer, |reservation| {
                    let (number, ready_at) = (booked.len() as u64 + 1, reservation.ready_at().as_nanos());
                    booked.insert(number, Some(reservation));
                    format!("booked number={number} ready_at_ns={ready_at}")
                });
            }
            "cancel" => {
                let reservation = booked.get_mut(&step.number("number")).and_then(Option::take).expect("booked before");
                return format!("done={}", bucket.cancel(reservation, now()));
            }
            "refund" => return format!("done={}", bucket.refund(n(), now())),
            "drain_to" => return format!("drained={}", bucket.drain_to(step.number("keep") as u32, now())),
            "available" => return format!("tokens={}", bucket.available(now())),
            "set_rate" => bucket.set_rate(rate(), now()),
            "set_burst" => bucket.set_burst(step.number("burst") as u32, now()),
            "start_warm_up" => {
                assert_eq!(step.word("curve"), "step");
                bucket.start_warm_up(WarmUp::step(rate(), Duration::from_nanos(step.number("duration_ns"))), now())
            }
            "rebase" => bucket.rebase(at(step.number("old_now")), at(step.number("new_now"))),
            "reset" => bucket.reset(Fill::Tokens(step.number("fill") as u32), WarmUp::NONE, now()),
            other => panic!("no operation {other}"),
        };
        changed.expect("legal, and one setter");
        "ok".into()
    });
}
