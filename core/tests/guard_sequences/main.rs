//! The guard against a sequential oracle: every sequence of calls, to the word and to the nanosecond.

#![allow(unreachable_pub, reason = "the modules of a test program")]

#[path = "../oracle/circuit_breaker.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod breaker_oracle;
#[path = "../oracle/retry_budget.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod budget_oracle;
#[path = "../oracle/concurrency_limit.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod limit_oracle;
#[path = "../oracle/guard.rs"]
mod oracle;
mod product;
#[path = "../oracle/retry_strategy.rs"]
#[allow(dead_code, reason = "the guard needs a part of it")]
mod retry_oracle;
mod sequences;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use oracle::{KEYS, Oracle, Outcome, STAGES};
use product::{made, replay, words};
use proptest::prelude::*;
use seawall::{
    BreakerConfig, BucketConfig, GuardConfig, Jitter, KeyedConfig, LimitConfig, Mode, Rate, Ratio, RetryBudgetConfig,
    RetryConfig, RetryTokens, TripRule, WarmUp, WhenFull,
};
use sequences::{modes, moves, sizes, steps, steps_with_modes, vectors};

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

/// Of each key: a token in four of the guard's.
fn each(burst: u32) -> KeyedConfig {
    let rate = Rate::new(1, Duration::from_nanos(4 * TOKEN_NS)).expect("a rate");
    KeyedConfig::new(rate, WhenFull::FailClosed).burst(burst)
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

/// What the oracle says of a step, as a line of the vectors; nothing where there is no such call or permit yet.
fn line(oracle: &mut Oracle, step: &Do, has_keys: bool, now: u64) -> Option<String> {
    // 0 is the newest that is of use, the rest any.
    let of = |index: usize, newest: Option<usize>, count: usize| match newest {
        Some(newest) if index == 0 => Some(newest),
        _ => (count > 0).then(|| count - 1 - index % count),
    };
    Some(match *step {
        Do::Begin { key, shard, cost, deadline } => {
            let deadline = deadline.map(|wait| now + wait);
            // Few keys where each has a bucket: so that they meet, and that no place is used for a second one.
            let often = [0, 0, 0, 0, 0, 1, 1, 2, 3, 4];
            let key = if has_keys { KEYS[often[(key % 10) as usize]] } else { key };
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
    /// The burst of each key; none: there are no buckets by key.
    keyed: Option<u32>,
    seed: u64,
}

const ONE: Size =
    Size { shards: 1, burst: 1, probes: 1, tokens: 1, failures: 2, weight: 1, streak: None, keyed: None, seed: 0 };

fn lines_of(size: Size, steps: &[(Moves, Do)]) -> Vec<String> {
    let Size { shards, burst, probes, tokens, failures, weight, streak, keyed, seed } = size;
    let mut oracle = Oracle::new(config(size), shards, tokens, keyed, seed);
    let (streak, keyed_burst) = (words(streak), words(keyed));
    let mut lines = vec![format!(
        "new shards={shards} burst={burst} probes={probes} tokens={tokens} failures={failures} timeout_weight={weight} \
         retry_streak={streak} keyed_burst={keyed_burst} seed={seed} -> ok"
    )];
    let mut clock = 0_u64;
    for (moves, step) in steps {
        clock += moves.ahead;
        let now = clock.saturating_sub(moves.behind);
        if let Some(line) = line(&mut oracle, step, keyed.is_some(), now) {
            lines.push(line);
            lines.push(format!("look now={now} -> {}", oracle.look(now)));
        }
    }
    lines
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

#[test]
fn the_vectors_of_the_oracle_replay() {
    let mut product = made(ONE);
    support::vectors::check("guard", &vectors(), |step| replay(&mut product, step));
}
