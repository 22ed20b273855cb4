//! What `RetryStrategy` promises.

#![allow(unreachable_pub, reason = "the modules of a test program")]

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use seawall::{
    AttemptFailure, ErrorClass, GiveUpReason, Jitter, Outcome, Random, RetryConfig, RetryConfigError, RetryDecision,
    RetryStrategy, retry_after_seconds,
};

#[path = "oracle/retry_strategy.rs"]
mod oracle;
mod support;

use oracle::{Failed, Oracle};

const JITTERS: [(&str, Jitter); 5] = [
    ("none", Jitter::None),
    ("additive", Jitter::Additive),
    ("equal", Jitter::Equal),
    ("full", Jitter::Full),
    ("decorrelated", Jitter::Decorrelated),
];

fn jitter_named(name: &str) -> Jitter {
    JITTERS.iter().find(|(n, _)| *n == name).expect("a known jitter").1
}

fn class_named(name: &str) -> ErrorClass {
    match name {
        "retryable" => ErrorClass::Retryable,
        "throttled" => ErrorClass::Throttled,
        "permanent" => ErrorClass::Permanent,
        other => panic!("no class {other}"),
    }
}

fn strategy_of(oracle: &Oracle) -> RetryStrategy {
    RetryStrategy::new(RetryConfig {
        max_attempts: oracle.max_attempts,
        total_deadline: oracle.deadline.map(Duration::from_nanos),
        base_delay: Duration::from_nanos(oracle.base),
        factor_percent: oracle.factor_percent,
        max_delay: Duration::from_nanos(oracle.max_delay),
        jitter: jitter_named(oracle.jitter),
        retry_after_cap: Duration::from_nanos(oracle.retry_after_cap),
    })
    .expect("the oracle's configurations are legal")
}

fn failure_of(failed: &Failed) -> AttemptFailure {
    AttemptFailure {
        elapsed: Duration::from_nanos(failed.elapsed),
        previous_delay: failed.previous.map(Duration::from_nanos),
        retry_after: failed.retry_after.map(Duration::from_nanos),
        ..AttemptFailure::new(failed.attempt, class_named(failed.class))
    }
}

fn in_words(decision: RetryDecision) -> Result<u128, &'static str> {
    match decision {
        RetryDecision::RetryAfter(delay) => Ok(delay.as_nanos()),
        RetryDecision::GiveUp(reason) => Err(match reason {
            GiveUpReason::Permanent => "permanent",
            GiveUpReason::AttemptsExhausted => "attempts_exhausted",
            GiveUpReason::DeadlineExceeded => "deadline_exceeded",
            GiveUpReason::RetryAfterTooLong => "retry_after_too_long",
            other => panic!("a strategy alone does not say {other}"),
        }),
    }
}

fn with(jitter: Jitter) -> RetryStrategy {
    RetryStrategy::new(RetryConfig { jitter, ..RetryConfig::GUIDE }).unwrap()
}

/// Nanoseconds from a few to many, with both ends.
fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..10_000_000_000_u64, 2 => any::<u64>(), 1 => Just(0), 1 => Just(u64::MAX)]
}

prop_compose! {
    /// Factors whose powers are whole numbers: the product has to be exact to the nanosecond.
    fn oracles()(
        max_attempts in prop_oneof![1..12_u32, Just(u32::MAX)],
        deadline in proptest::option::of(nanos().prop_map(|n| n.max(1))),
        delays in (nanos(), nanos()),
        factor_percent in prop_oneof![Just(100), Just(200), Just(300), Just(1_000)],
        jitter in 0..JITTERS.len(),
        retry_after_cap in nanos(),
    ) -> Oracle {
        // A deadline of 2^64 - 1 ns is told from none by nobody.
        let deadline = deadline.filter(|d| *d < u64::MAX);
        let (base, max_delay) = (delays.0.min(delays.1), delays.0.max(delays.1));
        Oracle { max_attempts, deadline, base, factor_percent, max_delay, jitter: JITTERS[jitter].0, retry_after_cap }
    }
}

prop_compose! {
    fn failures()(
        attempt in prop_oneof![4 => 0..12_u32, 1 => any::<u32>()],
        elapsed in nanos(),
        previous in proptest::option::of(nanos()),
        class in prop_oneof![4 => Just("retryable"), 4 => Just("throttled"), 1 => Just("permanent")],
        retry_after in proptest::option::of(nanos()),
        random in prop_oneof![4 => any::<u64>(), 1 => Just(0), 1 => Just(u64::MAX)],
    ) -> Failed {
        Failed { attempt, elapsed, previous, class, retry_after, random }
    }
}

proptest! {
    #[test]
    fn every_decision_is_the_one_of_the_oracle(oracle in oracles(), failed in failures()) {
        // The sum of a pause and its spread saturates at 584 years; the oracle's does not.
        let expected = oracle.decide(failed).map(|delay| delay.min(u64::MAX.into()));
        prop_assert_eq!(in_words(strategy_of(&oracle).decide(failure_of(&failed), failed.random)), expected);
    }

    #[test]
    fn the_exponential_term_is_right_to_a_part_in_ten_to_the_fifteenth(
        base in 1..1_000_000_000_000_u64, factor_percent in prop_oneof![1 => 101..110_u32, 9 => 110..1_000_u32],
        attempt in prop_oneof![1 => 1..600_u32, 1 => 1..60_u32],
    ) {
        let oracle = Oracle {
            max_attempts: 2, deadline: None, base, factor_percent, max_delay: u64::MAX, jitter: "none",
            retry_after_cap: 0,
        };
        let exact = oracle.term(attempt);
        let got = strategy_of(&oracle).next_delay(attempt, None, 0).as_nanos();
        prop_assert!(got.abs_diff(exact) <= exact / 1_000_000_000_000_000 + 1, "{got} instead of {exact}");
    }

    #[test]
    fn no_delay_of_our_own_is_ever_above_the_cap(oracle in oracles(), failed in failures()) {
        let strategy = strategy_of(&oracle);
        let previous = failed.previous.map(Duration::from_nanos);
        let delay = strategy.next_delay(failed.attempt, previous, failed.random);
        prop_assert!(delay <= Duration::from_nanos(oracle.max_delay));
    }

    #[test]
    fn a_retry_is_never_earlier_than_the_server_said_nor_at_the_deadline(oracle in oracles(), failed in failures()) {
        if let RetryDecision::RetryAfter(delay) = strategy_of(&oracle).decide(failure_of(&failed), failed.random) {
            prop_assert!(failed.retry_after.is_none_or(|wait| delay >= Duration::from_nanos(wait)));
            let starts = Duration::from_nanos(failed.elapsed) + delay;
            prop_assert!(oracle.deadline.is_none_or(|deadline| starts < Duration::from_nanos(deadline)));
        }
    }
}

#[test]
fn clients_at_the_cap_do_not_come_back_together() {
    let cap = Duration::from_secs(300);
    let mut random = Random::from_seed(1);
    for (name, jitter) in JITTERS.into_iter().skip(1) {
        let strategy = with(jitter);
        let delays: Vec<Duration> = (0..1_000).map(|_| strategy.next_delay(50, Some(cap), random.next_u64())).collect();
        assert!(delays.iter().all(|delay| *delay <= cap), "{name}");
        let distinct: HashSet<&Duration> = delays.iter().collect();
        assert_eq!(distinct.len(), 1_000, "{name}: two of a thousand wait equally long");
        // The guide's 1 s of spread at 300 s: in no tenth of the spread more than a fifth of the clients.
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(*most - *least > Duration::from_millis(900), "{name}");
        let tenth = (*most - *least) / 10;
        for i in 0..10 {
            let (from, to) = (*least + tenth * i, *least + tenth * (i + 1));
            let inside = delays.iter().filter(|d| (from..to).contains(*d)).count();
            assert!(inside < 200, "{name}: {inside} of 1000 between {from:?} and {to:?}");
        }
    }
}

#[test]
fn a_chain_of_decorrelated_delays_stays_inside_base_and_cap_and_does_not_stick_to_the_cap() {
    let strategy = with(Jitter::Decorrelated);
    let mut random = Random::from_seed(2);
    let mut previous = None;
    let mut at_cap = 0;
    for attempt in 1..10_000 {
        let delay = strategy.next_delay(attempt, previous, random.next_u64());
        assert!(delay >= Duration::from_secs(1) && delay <= Duration::from_secs(300));
        assert!(delay <= 3 * previous.unwrap_or(Duration::from_secs(1)));
        at_cap += u32::from(delay == Duration::from_secs(300));
        previous = Some(delay);
    }
    assert!(at_cap < 10, "{at_cap} of 10,000 exactly at the cap");
}

#[test]
fn decorrelated_jitter_looks_at_the_previous_delay_and_not_at_the_attempt() {
    let strategy = with(Jitter::Decorrelated);
    let after = |attempt, seconds| strategy.next_delay(attempt, Some(Duration::from_secs(seconds)), u64::MAX);
    assert_eq!(after(1, 10), Duration::from_secs(30));
    assert_eq!(after(7, 10), Duration::from_secs(30));
    assert_eq!(after(1, 20), Duration::from_secs(60));
    assert_eq!(strategy.next_delay(1, None, u64::MAX), Duration::from_secs(3));
}

#[test]
fn a_fleet_that_was_sent_away_together_does_not_come_back_together() {
    let pause = Duration::from_secs(40);
    let mut random = Random::from_seed(3);
    for (name, jitter) in JITTERS.into_iter().skip(1) {
        let strategy = with(jitter);
        let failure = AttemptFailure { retry_after: Some(pause), ..AttemptFailure::new(1, ErrorClass::Throttled) };
        let delays: HashSet<Duration> = (0..1_000)
            .map(|_| match strategy.decide(failure, random.next_u64()) {
                RetryDecision::RetryAfter(delay) => delay,
                RetryDecision::GiveUp(reason) => panic!("{reason}"),
            })
            .collect();
        assert_eq!(delays.len(), 1_000, "{name}");
        assert!(delays.iter().all(|delay| *delay >= pause && *delay <= pause + pause / 4), "{name}");
        let latest = delays.iter().max().unwrap();
        assert!(*latest > pause + Duration::from_secs(9), "{name}: all are back by {latest:?}");
    }
}

#[test]
fn a_deadline_narrows_the_spread_after_a_pause_before_it_gives_up() {
    let config = RetryConfig { total_deadline: Some(Duration::from_secs(41)), ..RetryConfig::GUIDE };
    let strategy = RetryStrategy::new(config).unwrap();
    let pause =
        |seconds| AttemptFailure { retry_after: Some(seconds), ..AttemptFailure::new(1, ErrorClass::Throttled) };
    let latest = strategy.decide(pause(Duration::from_secs(40)), u64::MAX);
    assert_eq!(latest, RetryDecision::RetryAfter(Duration::from_secs(41) - Duration::from_nanos(1)));
    let too_long = strategy.decide(pause(Duration::from_secs(41)), 0);
    assert_eq!(too_long, RetryDecision::GiveUp(GiveUpReason::DeadlineExceeded));
}

#[test]
fn a_pause_of_five_minutes_is_honoured_and_a_longer_one_is_given_up() {
    let pause = |wait| AttemptFailure { retry_after: Some(wait), ..AttemptFailure::new(1, ErrorClass::Throttled) };
    let five = Duration::from_secs(300);
    assert!(matches!(RetryStrategy::DEFAULT.decide(pause(five), 0), RetryDecision::RetryAfter(_)));
    for wait in [five + Duration::from_nanos(1), Duration::MAX] {
        let decision = RetryStrategy::DEFAULT.decide(pause(wait), 0);
        assert_eq!(decision, RetryDecision::GiveUp(GiveUpReason::RetryAfterTooLong));
    }
}

#[test]
fn a_call_is_sent_exactly_max_attempts_times() {
    for attempts in [1, 2, 8] {
        let strategy = RetryStrategy::new(RetryConfig { max_attempts: attempts, ..RetryConfig::DEFAULT }).unwrap();
        let mut sent = 1;
        while let RetryDecision::RetryAfter(_) = strategy.decide(AttemptFailure::new(sent, ErrorClass::Retryable), 0) {
            sent += 1;
        }
        assert_eq!(sent, attempts);
    }
}

#[test]
fn a_permanent_error_is_not_sent_again_whatever_the_server_says() {
    let failure = AttemptFailure { retry_after: Some(Duration::ZERO), ..AttemptFailure::new(1, ErrorClass::Permanent) };
    assert_eq!(RetryStrategy::GUIDE.decide(failure, 0), RetryDecision::GiveUp(GiveUpReason::Permanent));
}

#[test]
fn a_wrong_configuration_is_an_error_that_says_what_is_allowed() {
    let wrong = [
        (RetryConfig { max_attempts: 0, ..RetryConfig::DEFAULT }, RetryConfigError::ZeroAttempts, "max_attempts"),
        (
            RetryConfig { total_deadline: Some(Duration::ZERO), ..RetryConfig::DEFAULT },
            RetryConfigError::ZeroDeadline,
            "total_deadline",
        ),
        (
            RetryConfig { factor_percent: 99, ..RetryConfig::DEFAULT },
            RetryConfigError::FactorUnderOne,
            "factor_percent",
        ),
        (
            RetryConfig { base_delay: Duration::from_secs(21), ..RetryConfig::DEFAULT },
            RetryConfigError::BaseOverMax,
            "base_delay",
        ),
    ];
    for (config, error, field) in wrong {
        assert_eq!(RetryStrategy::new(config), Err(error));
        let text = error.to_string();
        assert!(text.starts_with(field) && text.contains("allowed are"), "{text}");
    }
}

#[test]
fn zero_delays_mean_at_once() {
    let at_once = RetryConfig { base_delay: Duration::ZERO, max_delay: Duration::ZERO, ..RetryConfig::DEFAULT };
    for (_, jitter) in JITTERS {
        let strategy = RetryStrategy::new(RetryConfig { jitter, ..at_once }).unwrap();
        assert_eq!(strategy.next_delay(u32::MAX, Some(Duration::MAX), u64::MAX), Duration::ZERO);
    }
}

#[test]
fn statuses_are_classified_as_the_table_says() {
    for status in 0..=u16::MAX {
        let expected = match status {
            100..=399 => None,
            408 | 425 => Some(ErrorClass::Retryable),
            429 => Some(ErrorClass::Throttled),
            500 | 502 | 503 | 504 | 507 | 509 | 512..=599 => Some(ErrorClass::Retryable),
            _ => Some(ErrorClass::Permanent),
        };
        assert_eq!(ErrorClass::of_http_status(status), expected, "{status}");
        let told = ErrorClass::of_http(status, Some(Duration::ZERO));
        assert_eq!(told, if status == 503 { Some(ErrorClass::Throttled) } else { expected }, "{status}");
    }
}

#[test]
fn a_permanent_error_counts_as_a_success_of_the_service() {
    let wait = Some(Duration::from_secs(1));
    assert_eq!(ErrorClass::Permanent.outcome(wait), Outcome::Success);
    assert_eq!(ErrorClass::Retryable.outcome(wait), Outcome::Failure);
    assert_eq!(ErrorClass::Throttled.outcome(wait), Outcome::Throttled(wait));
}

#[test]
fn a_retry_after_out_of_range_is_long_and_one_out_of_form_is_none() {
    assert_eq!(retry_after_seconds(b"99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
    assert_eq!(retry_after_seconds(b"\t 007 "), Some(Duration::from_secs(7)));
    for wrong in ["", " ", "1.5", "+1", "1 2", "1s", "\u{0661}", "-0"] {
        assert_eq!(retry_after_seconds(wrong.as_bytes()), None, "{wrong:?}");
    }
}

/// Every jitter at the first attempts, at the cap and at the ends of the range; every rule of `decide`.
fn vector_lines() -> Vec<String> {
    fn or_none(value: Option<u64>) -> String {
        value.map_or("none".into(), |v| v.to_string())
    }
    let mut lines = Vec::new();
    let guide = Oracle {
        max_attempts: 8,
        deadline: None,
        base: 1_000_000_000,
        factor_percent: 200,
        max_delay: 300_000_000_000,
        jitter: "none",
        retry_after_cap: 300_000_000_000,
    };
    let fast = Oracle {
        max_attempts: u32::MAX,
        deadline: Some(10_000_000_000),
        base: 50_000_000,
        factor_percent: 150,
        max_delay: 2_000_000_000,
        retry_after_cap: 5_000_000_000,
        ..guide
    };
    let extreme = Oracle {
        deadline: None,
        base: u64::MAX - 1,
        factor_percent: u32::MAX,
        max_delay: u64::MAX - 1,
        retry_after_cap: u64::MAX - 1,
        ..fast
    };
    for shape in [guide, fast, extreme] {
        for (jitter, _) in JITTERS {
            let oracle = Oracle { jitter, ..shape };
            lines.push(format!(
                "new max_attempts={} deadline_ns={} base_ns={} factor_percent={} max_delay_ns={} jitter={jitter} \
                 retry_after_cap_ns={} -> ok",
                oracle.max_attempts,
                or_none(oracle.deadline),
                oracle.base,
                oracle.factor_percent,
                oracle.max_delay,
                oracle.retry_after_cap
            ));
            let randoms = [0, 1 << 63, 0x0123_4567_89AB_CDEF, u64::MAX];
            for attempt in [0, 1, 2, 3, 7, 9, 40, u32::MAX] {
                for (previous, random) in
                    [None, Some(700_000_000), Some(oracle.max_delay), None].into_iter().zip(randoms)
                {
                    let delay = oracle.next_delay(attempt, previous, random);
                    let previous = or_none(previous);
                    lines.push(format!(
                        "next_delay attempt={attempt} previous_ns={previous} random={random} -> delay_ns={delay}"
                    ));
                }
            }
            for (attempt, class) in [(1, "retryable"), (3, "throttled"), (2, "permanent"), (8, "retryable")] {
                for retry_after in [None, Some(0), Some(2_000_000_000), Some(300_000_000_001)] {
                    for elapsed in [0, 8_000_000_000, 9_999_999_999, u64::MAX] {
                        let random = randoms[lines.len() % randoms.len()];
                        let failed = Failed { attempt, elapsed, previous: None, class, retry_after, random };
                        let decision = match oracle.decide(failed) {
                            Ok(delay) => format!("retry delay_ns={}", delay.min(u64::MAX.into())),
                            Err(reason) => format!("give_up reason={reason}"),
                        };
                        let retry_after = or_none(retry_after);
                        lines.push(format!(
                            "decide attempt={attempt} elapsed_ns={elapsed} previous_ns=none class={class} \
                             retry_after_ns={retry_after} random={random} -> {decision}"
                        ));
                    }
                }
            }
        }
    }
    lines
}

#[test]
fn the_vectors_replay() {
    let mut strategy = RetryStrategy::DEFAULT;
    support::vectors::check("retry_strategy", &vector_lines(), |step| {
        let duration = |name| step.optional(name).map(Duration::from_nanos);
        let u32_of = |name| u32::try_from(step.number(name)).expect("a u32");
        match step.operation {
            "new" => {
                strategy = RetryStrategy::new(RetryConfig {
                    max_attempts: u32_of("max_attempts"),
                    total_deadline: duration("deadline_ns"),
                    base_delay: duration("base_ns").unwrap(),
                    factor_percent: u32_of("factor_percent"),
                    max_delay: duration("max_delay_ns").unwrap(),
                    jitter: jitter_named(step.word("jitter")),
                    retry_after_cap: duration("retry_after_cap_ns").unwrap(),
                })
                .unwrap();
                "ok".into()
            }
            "next_delay" => {
                let delay = strategy.next_delay(u32_of("attempt"), duration("previous_ns"), step.number("random"));
                format!("delay_ns={}", delay.as_nanos())
            }
            "decide" => {
                let failure = AttemptFailure {
                    elapsed: duration("elapsed_ns").unwrap(),
                    previous_delay: duration("previous_ns"),
                    retry_after: duration("retry_after_ns"),
                    ..AttemptFailure::new(u32_of("attempt"), class_named(step.word("class")))
                };
                match in_words(strategy.decide(failure, step.number("random"))) {
                    Ok(delay) => format!("retry delay_ns={delay}"),
                    Err(reason) => format!("give_up reason={reason}"),
                }
            }
            other => panic!("no operation {other}"),
        }
    });
}
