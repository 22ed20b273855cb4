//! The guard against a sequential oracle: every sequence of calls, to the word and to the nanosecond.

#![allow(unreachable_pub, reason = "the modules of a test program")]

#[path = "oracle/circuit_breaker.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod breaker_oracle;
#[path = "oracle/retry_budget.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod budget_oracle;
#[path = "oracle/concurrency_limit.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod limit_oracle;
#[path = "oracle/guard.rs"]
mod oracle;
#[path = "oracle/retry_strategy.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod retry_oracle;
mod support;

use std::time::Duration;

use oracle::{Oracle, Outcome, STAGES};
use proptest::prelude::*;
use seawall::{
    BreakerConfig, BucketConfig, Call, Fill, GiveUpReason, Guard, GuardConfig, Instant, Jitter, LimitConfig, Mode,
    Permit, Rate, Ratio, Reason, Refused, Request, RetryBudgetConfig, RetryConfig, RetryTokens, Stage, Transition,
    TripRule, Verdict, WarmUp,
};

/// A token's time, about a millisecond.
const TOKEN_NS: u64 = 1 << 20;

/// Small numbers that differ. All but the budget's lifetime is powers of two nanoseconds.
fn config(Size { burst, probes, failures, weight, streak, .. }: Size) -> GuardConfig {
    let power = |bits: u32| Duration::from_nanos(1 << bits);
    GuardConfig {
        bucket: BucketConfig::new(Rate::new(1, power(20)).expect("a rate")).burst(burst),
        breaker: BreakerConfig {
            rule: TripRule::Consecutive(failures),
            open_for: power(22),
            open_jitter: Ratio::ZERO,
            open_growth_percent: 150,
            open_cap: power(23),
            probes,
            probe_lease: power(24),
            close_share: Ratio::ONE,
            ramp: Duration::ZERO,
        },
        limit: LimitConfig {
            start: 2,
            floor: 1,
            ceiling: 4,
            slow_after: power(21),
            timeout: power(22),
            lease: power(24),
            ..LimitConfig::DEFAULT
        },
        retry: RetryConfig {
            max_attempts: 3,
            total_deadline: Some(power(27)),
            base_delay: power(19),
            factor_percent: 200,
            max_delay: power(24),
            jitter: Jitter::None,
            retry_after_cap: power(25),
        },
        budget: RetryBudgetConfig {
            share: Ratio::from_ppm(400_000).expect("a ratio"),
            cap: RetryTokens::whole(4),
            initial: RetryTokens::whole(3),
            floor: RetryTokens::ONE,
            lifetime: Duration::from_millis(100),
        },
        call_timeout: power(22),
        timeout_weight: weight,
        retry_streak: streak,
        ramp: WarmUp::NONE,
        modes: seawall::GuardModes::ENFORCE,
    }
}

/// One line of a sequence; indices count modulo what there is.
#[derive(Clone, Debug)]
enum Do {
    Begin { key: u64, shard: u32, cost: u32, deadline: Option<u64> },
    Attempt { call: usize },
    Finish { permit: usize, outcome: Outcome },
    Cancel { permit: usize },
    Abandon { call: usize },
    SetMode { stage: usize, mode: Mode },
}

/// The product behind the oracle's words.
struct Product<const SHARDS: usize> {
    guard: Guard<4, SHARDS>,
    calls: Vec<Call>,
    permits: Vec<Permit>,
}

fn words(value: Option<impl ToString>) -> String {
    value.map_or("none".into(), |value| value.to_string())
}

fn to(transition: Option<Transition>) -> String {
    let shard = words(transition.map(|transition| transition.shard));
    let to = words(transition.map(|transition| transition.to.name().replace('-', "_")));
    format!("{to} shard={shard}")
}

fn stage(refused: Option<Refused>) -> String {
    words(refused.map(|refused| refused.stage().name().replace(' ', "_")))
}

fn given_up(reason: GiveUpReason) -> &'static str {
    match reason {
        GiveUpReason::AttemptsExhausted => "attempts_exhausted",
        GiveUpReason::DeadlineExceeded => "deadline_exceeded",
        GiveUpReason::RetryAfterTooLong => "retry_after_too_long",
        GiveUpReason::BudgetSpent => "budget_spent",
        GiveUpReason::PermitVoid => "permit_void",
        GiveUpReason::ServiceFailing => "service_failing",
        other => panic!("{other}"),
    }
}

fn refused(refused: Refused) -> String {
    let reason = match refused.reason() {
        Reason::NotYet => "not_yet",
        Reason::Never => "never",
        _ => "clock_stepped",
    };
    let wait = words(refused.retry_after().map(|wait| wait.as_nanos()));
    format!("refused stage={} reason={reason} retry_after_ns={wait}", refused.stage().name().replace(' ', "_"))
}

impl<const SHARDS: usize> Product<SHARDS> {
    fn new(config: GuardConfig, tokens: u32, seed: u64) -> Self {
        let config = GuardConfig { bucket: config.bucket.fill(Fill::Tokens(tokens)), ..config };
        Self { guard: Guard::new(config, seed, Instant::ORIGIN).expect("legal"), calls: vec![], permits: vec![] }
    }

    fn begin(&mut self, key: u64, shard: u32, cost: u32, deadline: Option<u64>, now: Instant) -> String {
        let deadline = deadline.map(Instant::from_nanos);
        self.calls.push(self.guard.begin(Request { key, shard, cost, deadline }, now));
        "ok".into()
    }

    fn set_mode(&self, stage: usize, mode: Mode) -> String {
        let stage =
            [Stage::Pause, Stage::CircuitBreaker, Stage::ConcurrencyLimit, Stage::TokenBucket, Stage::RetryBudget]
                [stage];
        self.guard.set_mode(stage, mode).expect("it has one");
        assert_eq!(self.guard.mode(stage), mode);
        "ok".into()
    }

    fn attempt(&mut self, call: usize, now: Instant) -> String {
        match self.guard.try_attempt(&mut self.calls[call], now) {
            Ok(admission) => {
                self.permits.push(admission.permit);
                let shadow = stage(admission.shadow_refusal);
                format!("ok permit={} to={} shadow={shadow}", self.permits.len() - 1, to(admission.transition))
            }
            Err(error) => refused(error),
        }
    }

    fn finish(&mut self, call: usize, permit: usize, outcome: Outcome, now: Instant) -> String {
        let outcome = match outcome {
            Outcome::Success => seawall::Outcome::Success,
            Outcome::Failure => seawall::Outcome::Failure,
            Outcome::Throttled(wait) => seawall::Outcome::Throttled(wait.map(Duration::from_nanos)),
            Outcome::Ignored => seawall::Outcome::Ignored,
        };
        let finished = self.guard.finish(&mut self.calls[call], self.permits[permit], outcome, now);
        let verdict = match finished.verdict {
            Verdict::Done => "done".into(),
            Verdict::RetryAt(at) => format!("retry_at={}", at.as_nanos()),
            Verdict::GiveUp(reason) => format!("give_up={}", given_up(reason)),
        };
        let limit = words(finished.limit_change.map(|change| change.to));
        let shadow = stage(finished.shadow_refusal);
        let ended = words(finished.shadow_give_up.map(given_up));
        format!("{verdict} to={} limit={limit} shadow={shadow} shadow_give_up={ended}", to(finished.transition))
    }

    fn cancel(&mut self, permit: usize, now: Instant) -> String {
        format!("ok good={}", u32::from(self.guard.cancel(self.permits[permit], now)))
    }

    fn abandon(&mut self, call: usize, now: Instant) -> String {
        self.guard.abandon(&mut self.calls[call], now);
        "ok".into()
    }

    fn look(&self, now: Instant) -> String {
        let guard = &self.guard;
        // Any number names a shard: these are 3, 4 and 5.
        let state = |shard: usize| guard.breaker((SHARDS + shard) as u32).state(now).name().replace('-', "_");
        let states = (0..SHARDS).map(state).collect::<Vec<_>>().join(",");
        format!(
            "tokens={} in_flight={} limit={} states={states} budget={} paused_until={}",
            guard.bucket().available(now),
            guard.limit().in_flight(now),
            guard.limit().limit(),
            guard.budget().balance(now).as_millionths(),
            words(guard.paused_until(now).map(Instant::as_nanos))
        )
    }
}

/// What the oracle says of a step, as a line of the vectors; nothing where there is no such call or permit yet.
fn line(oracle: &mut Oracle, step: &Do, now: u64) -> Option<String> {
    // 0 is the newest that is of use, the rest any.
    let of = |index: usize, newest: Option<usize>, count: usize| match newest {
        Some(newest) if index == 0 => Some(newest),
        _ => (count > 0).then(|| count - 1 - index % count),
    };
    Some(match *step {
        Do::Begin { key, shard, cost, deadline } => {
            let deadline = deadline.map(|wait| now + wait);
            let told = oracle.begin(key, shard, cost, deadline, now);
            format!("begin key={key} shard={shard} cost={cost} deadline={} now={now} -> {told}", words(deadline))
        }
        Do::Attempt { call } => {
            let call = of(call, oracle.newest_call(), oracle.calls())?;
            format!("try_attempt call={call} now={now} -> {}", oracle.attempt(call, now))
        }
        Do::Finish { permit, outcome } => {
            let permit = of(permit, oracle.newest_permit(), oracle.permits())?;
            let (name, wait) = match outcome {
                Outcome::Success => ("success", None),
                Outcome::Failure => ("failure", None),
                Outcome::Throttled(wait) => ("throttled", wait),
                Outcome::Ignored => ("ignored", None),
            };
            let (call, wait) = (oracle.call_of(permit), words(wait));
            let told = oracle.finish(permit, outcome, now);
            format!("finish call={call} permit={permit} outcome={name} retry_after_ns={wait} now={now} -> {told}")
        }
        Do::Cancel { permit } => {
            let permit = of(permit, oracle.newest_permit(), oracle.permits())?;
            format!("cancel permit={permit} now={now} -> {}", oracle.cancel(permit, now))
        }
        Do::Abandon { call } => {
            let call = of(call, oracle.newest_call(), oracle.calls())?;
            format!("abandon call={call} now={now} -> {}", oracle.abandon(call, now))
        }
        Do::SetMode { stage, mode } => {
            let (name, share) = match mode {
                Mode::Enforce => ("enforce", None),
                Mode::Shadow => ("shadow", None),
                Mode::Canary(share) => ("canary", Some(share.as_ppm())),
                Mode::Off => ("off", None),
            };
            let share = words(share);
            let told = oracle.set_mode(stage, mode);
            format!("set_mode stage={} mode={name} share_ppm={share} now={now} -> {told}", STAGES[stage])
        }
    })
}

/// A product of any number of shards.
trait Replays {
    /// What the product says of a line.
    fn replay(&mut self, step: &support::vectors::Step) -> String;
}

impl<const SHARDS: usize> Replays for Product<SHARDS> {
    fn replay(&mut self, step: &support::vectors::Step) -> String {
        let now = Instant::from_nanos(step.number("now"));
        let index = |name| step.number(name) as usize;
        match step.operation {
            "begin" => self.begin(
                step.number("key"),
                step.number("shard") as u32,
                step.number("cost") as u32,
                step.optional("deadline"),
                now,
            ),
            "try_attempt" => self.attempt(index("call"), now),
            "finish" => {
                let outcome = match step.word("outcome") {
                    "success" => Outcome::Success,
                    "failure" => Outcome::Failure,
                    "throttled" => Outcome::Throttled(step.optional("retry_after_ns")),
                    _ => Outcome::Ignored,
                };
                self.finish(index("call"), index("permit"), outcome, now)
            }
            "cancel" => self.cancel(index("permit"), now),
            "abandon" => self.abandon(index("call"), now),
            "set_mode" => {
                let stage = STAGES.iter().position(|stage| *stage == step.word("stage")).expect("a stage");
                let mode = match step.word("mode") {
                    "enforce" => Mode::Enforce,
                    "shadow" => Mode::Shadow,
                    "off" => Mode::Off,
                    _ => Mode::Canary(Ratio::from_ppm(step.number("share_ppm") as u32).expect("a ratio")),
                };
                self.set_mode(stage, mode)
            }
            _ => self.look(now),
        }
    }
}

fn made(size: Size) -> Box<dyn Replays> {
    match size.shards {
        1 => Box::new(Product::<1>::new(config(size), size.tokens, size.seed)),
        _ => Box::new(Product::<3>::new(config(size), size.tokens, size.seed)),
    }
}

/// What the product says of a line, or a new product.
fn replay(product: &mut Box<dyn Replays>, step: &support::vectors::Step) -> String {
    if step.operation != "new" {
        return product.replay(step);
    }
    let number = |name| step.number(name) as u32;
    *product = made(Size {
        shards: number("shards") as usize,
        burst: number("burst"),
        probes: number("probes"),
        tokens: number("tokens"),
        failures: number("failures"),
        weight: number("timeout_weight"),
        streak: step.optional("retry_streak").map(|streak| streak as u32),
        seed: step.number("seed"),
    });
    "ok".into()
}

/// By how much the clock moves before a step, and by how much the step's reading is behind it.
#[derive(Clone, Debug)]
struct Moves {
    ahead: u64,
    behind: u64,
}

/// What differs between the guards of the sequences.
#[derive(Clone, Copy, Debug)]
struct Size {
    shards: usize,
    burst: u32,
    probes: u32,
    tokens: u32,
    /// In a row, that open the breaker.
    failures: u32,
    weight: u32,
    streak: Option<u32>,
    seed: u64,
}

const ONE: Size = Size { shards: 1, burst: 1, probes: 1, tokens: 1, failures: 2, weight: 1, streak: None, seed: 0 };

fn sizes() -> impl Strategy<Value = Size> {
    let judging = (1..5_u32, 1..4_u32, prop::sample::select(vec![None, Some(0), Some(1), Some(2), Some(2), Some(3)]));
    (prop::sample::select(vec![1, 1, 3]), 1..4_u32, 1..3_u32, 0..4_u32, judging, any::<u64>()).prop_map(
        |(shards, burst, probes, tokens, (failures, weight, streak), seed)| Size {
            shards,
            burst,
            probes,
            tokens,
            failures,
            weight,
            streak,
            seed,
        },
    )
}

fn lines_of(size: Size, steps: &[(Moves, Do)]) -> Vec<String> {
    let Size { shards, burst, probes, tokens, failures, weight, streak, seed } = size;
    let mut oracle = Oracle::new(config(size), shards, tokens, seed);
    let streak = words(streak);
    let mut lines = vec![format!(
        "new shards={shards} burst={burst} probes={probes} tokens={tokens} failures={failures} timeout_weight={weight} \
         retry_streak={streak} seed={seed} -> ok"
    )];
    let mut clock = 0_u64;
    for (moves, step) in steps {
        clock += moves.ahead;
        let now = clock.saturating_sub(moves.behind);
        if let Some(line) = line(&mut oracle, step, now) {
            lines.push(line);
            lines.push(format!("look now={now} -> {}", oracle.look(now)));
        }
    }
    lines
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Throttled(None)),
        2 => prop::sample::select(vec![0, 1, TOKEN_NS, 3 * TOKEN_NS, 9 * TOKEN_NS, 1 << 27]).prop_map(|wait| Outcome::Throttled(Some(wait))),
        1 => Just(Outcome::Ignored),
    ]
}

fn steps() -> impl Strategy<Value = Do> {
    let near = || prop_oneof![3 => Just(0_usize), 1 => 0..6_usize];
    prop_oneof![
        4 => (any::<u64>(), prop_oneof![3 => Just(0), 1 => 0..7_u32], prop::sample::select(vec![0, 1, 1, 1, 1, 2, 9]), prop::option::weighted(0.2, 0..8 * TOKEN_NS))
            .prop_map(|(key, shard, cost, deadline)| Do::Begin { key, shard, cost, deadline }),
        8 => near().prop_map(|call| Do::Attempt { call }),
        6 => (near(), outcomes()).prop_map(|(permit, outcome)| Do::Finish { permit, outcome }),
        1 => near().prop_map(|permit| Do::Cancel { permit }),
        1 => near().prop_map(|call| Do::Abandon { call }),
    ]
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        1 => Just(Mode::Enforce),
        2 => Just(Mode::Shadow),
        2 => (1..1_000_000_u32).prop_map(|ppm| Mode::Canary(Ratio::from_ppm(ppm).expect("a ratio"))),
        1 => Just(Mode::Off),
    ]
}

/// Steps among which the modes change.
fn steps_with_modes() -> impl Strategy<Value = Do> {
    prop_oneof![
        1 => (0..STAGES.len(), modes()).prop_map(|(stage, mode)| Do::SetMode { stage, mode }),
        12 => steps(),
    ]
}

fn moves() -> impl Strategy<Value = Moves> {
    let ahead = prop_oneof![
        4 => Just(0),
        // To the nanosecond a time-out.
        1 => Just(1 << 22),
        4 => 0..TOKEN_NS,
        4 => 0..8 * TOKEN_NS,
        1 => 0..64 * TOKEN_NS,
    ];
    let behind = prop_oneof![12 => Just(0), 2 => 0..2 * TOKEN_NS, 1 => Just(3_000_000_000)];
    (ahead, behind, prop::bool::weighted(0.01))
        .prop_map(|(ahead, behind, far)| Moves { ahead: if far { 4_000_000_000 } else { ahead }, behind })
}

proptest! {
    #[test]
    fn every_sequence_of_calls_decides_as_the_oracle_does(
        size in sizes(),
        steps in prop::collection::vec((moves(), steps()), 1..120),
    ) {
        let mut product = made(ONE);
        for line in lines_of(size, &steps) {
            let step = support::vectors::Step::parse(&line);
            prop_assert_eq!(replay(&mut product, &step), step.expected, "{}", line);
        }
    }

    #[test]
    fn every_sequence_of_calls_in_any_modes_decides_as_the_oracle_does(
        size in sizes(),
        modes in prop::collection::vec((moves(), (0..STAGES.len(), modes())), 1..8),
        steps in prop::collection::vec((moves(), steps_with_modes()), 1..120),
    ) {
        let mut product = made(ONE);
        let modes = modes.into_iter().map(|(moves, (stage, mode))| (moves, Do::SetMode { stage, mode }));
        let steps: Vec<_> = modes.chain(steps).collect();
        for line in lines_of(size, &steps) {
            let step = support::vectors::Step::parse(&line);
            prop_assert_eq!(replay(&mut product, &step), step.expected, "{}", line);
        }
    }
}

/// Sequences by numbers of no use but to differ (Knuth's constants).
fn vectors() -> Vec<String> {
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut lines = vec![];
    let judging = |weight, failures| Size { weight, failures, streak: Some(2), ..ONE };
    for (size, has_modes) in [
        (ONE, false),
        (Size { burst: 2, tokens: 2, ..ONE }, false),
        (Size { burst: 3, probes: 2, ..ONE }, false),
        (Size { burst: 3, probes: 2, tokens: 3, ..judging(2, 4) }, false),
        (ONE, true),
        (Size { burst: 2, probes: 2, tokens: 2, ..judging(2, 3) }, true),
        (Size { shards: 3, ..ONE }, true),
        (Size { shards: 3, burst: 3, tokens: 3, ..judging(3, 4) }, true),
    ] {
        let mut steps = vec![];
        for _ in 0..120 {
            let ahead = [0, 1, TOKEN_NS / 3, TOKEN_NS, 5 * TOKEN_NS][below(5) as usize];
            let moves = Moves { ahead, behind: if below(9) == 0 { TOKEN_NS } else { 0 } };
            let near = if below(4) == 0 { below(6) as usize } else { 0 };
            if has_modes && below(8) == 0 {
                let share = Ratio::from_ppm(below(1_000_000) as u32).expect("a ratio");
                let mode = [Mode::Enforce, Mode::Shadow, Mode::Canary(share), Mode::Off][below(4) as usize];
                steps.push((moves, Do::SetMode { stage: below(5) as usize, mode }));
                continue;
            }
            let step = match below(20) {
                0..5 => Do::Begin {
                    key: if has_modes { below(1 << 31) } else { 0 },
                    shard: if has_modes { below(5) as u32 } else { 0 },
                    cost: [1, 1, 1, 3, 0][below(5) as usize],
                    deadline: (below(5) == 0).then_some(6 * TOKEN_NS),
                },
                5..12 => Do::Attempt { call: near },
                12..18 => {
                    let wait = [None, Some(2 * TOKEN_NS), Some(1 << 27)][below(3) as usize];
                    let outcome = [
                        Outcome::Success,
                        Outcome::Success,
                        Outcome::Success,
                        Outcome::Failure,
                        Outcome::Failure,
                        Outcome::Failure,
                        Outcome::Throttled(wait),
                        Outcome::Ignored,
                    ][below(8) as usize];
                    Do::Finish { permit: near, outcome }
                }
                18 => Do::Cancel { permit: near },
                _ => Do::Abandon { call: near },
            };
            steps.push((moves, step));
        }
        lines.extend(lines_of(Size { seed: below(1 << 31), ..size }, &steps));
    }
    lines
}

#[test]
fn the_vectors_of_the_oracle_replay() {
    let mut product = made(ONE);
    support::vectors::check("guard", &vectors(), |step| replay(&mut product, step));
}
