//! Calls and permits as words: what C code may make of them is never a panic, and never more than a guard would give.

use proptest::prelude::*;
use seawall::{
    Call, CircuitBreaker, ConcurrencyLimit, GuardConfig, GuardState, GuardView, Instant, KeyedBuckets, KeyedConfig,
    Outcome, Permit, Rate, Request, RetryBudget, TokenBucket, WhenFull,
};
use std::time::Duration;

const CALL: u64 = 0xCA11 << 48;
const PERMIT: u64 = 0x9E44 << 48;

/// Numbers at the edges of what fits, and any.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(1),
        0..16_u64,
        any::<u64>(),
        any::<u32>().prop_map(u64::from),
        any::<u32>().prop_map(|high| u64::from(high) << 32),
        (0..64_u32).prop_map(|bit| 1 << bit),
    ]
}

/// Words that may name something: the head has the mark, and few bits beside it.
fn words(mark: u64, flags: u64) -> impl Strategy<Value = [u64; 9]> {
    let who = prop_oneof![Just(0), (0..9_u64, 0..6_u64).prop_map(|(stage, reason)| stage << 8 | reason)];
    let head = (who, any::<u64>().prop_map(move |bits| bits & flags)).prop_map(move |(who, bits)| mark | who | bits);
    (prop_oneof![9 => head, 1 => any::<u64>()], [word(), word(), word(), word(), word(), word(), word(), word()])
        .prop_map(|(head, [a, b, c, d, e, f, g, h])| [head, a, b, c, d, e, f, g, h])
}

fn config() -> GuardConfig {
    GuardConfig::for_shards(Rate::per_second(20), Duration::from_secs(1), 3)
}

struct Parts {
    state: GuardState,
    bucket: TokenBucket,
    budget: RetryBudget,
    breakers: Vec<CircuitBreaker>,
    limit: ConcurrencyLimit<8>,
    keyed: KeyedBuckets<2>,
}

impl Parts {
    fn new(seed: u64) -> Self {
        let config = GuardConfig { limit: seawall::LimitConfig { ceiling: 8, ..config().limit }, ..config() };
        let each = KeyedConfig::new(Rate::per_second(2), WhenFull::FailOpen);
        Self {
            state: GuardState::new(config, seed, Instant::ORIGIN).unwrap(),
            bucket: config.token_bucket(seed, Instant::ORIGIN).unwrap(),
            budget: RetryBudget::new(config.budget, Instant::ORIGIN).unwrap(),
            breakers: (0..3).map(|_| CircuitBreaker::new(config.breaker).unwrap()).collect(),
            limit: ConcurrencyLimit::new(config.limit).unwrap(),
            keyed: KeyedBuckets::new(each, seed, Instant::ORIGIN).unwrap(),
        }
    }

    fn guard(&self) -> GuardView<'_> {
        let Self { state, bucket, budget, breakers, limit, keyed } = self;
        GuardView::new(state, bucket, budget, breakers, limit, Some(keyed)).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_words_are_a_call_that_has_words_again_or_none(words in words(CALL, 0xFF << 32 | 0x1F << 16)) {
        if let Some(call) = Call::from_words(words) {
            prop_assert_eq!(Call::from_words(call.to_words()), Some(call));
        }
    }

    #[test]
    fn any_words_are_a_permit_that_has_words_again_or_none(words in words(PERMIT, 3 << 16)) {
        if let Some(permit) = Permit::from_words(words) {
            prop_assert_eq!(Permit::from_words(permit.to_words()), Some(permit));
        }
    }

    #[test]
    fn no_words_make_a_guard_panic_or_hold_more_than_it_gave(
        call in words(CALL, 0xFF << 32 | 0x1F << 16),
        permit in words(PERMIT, 3 << 16),
        outcome in prop_oneof![
            Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Ignored),
            word().prop_map(|wait| Outcome::Throttled(Some(Duration::from_nanos(wait)))),
        ],
        now in word(),
    ) {
        let (parts, now) = (Parts::new(7), Instant::from_nanos(now));
        let guard = parts.guard();
        let mut call = Call::from_words(call).unwrap_or_else(|| guard.begin(Request::DEFAULT, now));
        let _ = guard.peek(&call, now);
        let admitted = guard.try_attempt(&mut call, now);
        if let Some(permit) = Permit::from_words(permit) {
            let _ = guard.finish(&mut call, permit, outcome, now);
            guard.cancel(permit, now);
        }
        if let Ok(admission) = admitted {
            let _ = guard.finish(&mut call, admission.permit, outcome, now);
        }
        guard.abandon(&mut call, now);
        prop_assert!(guard.limit().in_flight(now) <= guard.limit().limit());
        prop_assert!(guard.bucket().available(now) <= guard.bucket().burst());
    }
}

#[test]
fn to_ask_changes_nothing_of_a_call() {
    let parts = Parts::new(7);
    let mut call = parts.guard().begin(Request::DEFAULT, Instant::ORIGIN);
    let before = call;
    let admitted = (0..20).filter(|_| parts.guard().try_attempt(&mut call, Instant::ORIGIN).is_ok()).count();
    assert!((1..20).contains(&admitted));
    assert_eq!(call, before);
}

#[test]
fn a_call_is_not_taken_for_a_permit_nor_a_permit_for_a_call() {
    let parts = Parts::new(7);
    let mut call = parts.guard().begin(Request::DEFAULT, Instant::ORIGIN);
    let permit = parts.guard().try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    assert_eq!(Permit::from_words(call.to_words()), None);
    assert_eq!(Call::from_words(permit.to_words()), None);
}

#[test]
fn words_that_are_zero_or_have_one_bit_that_stands_for_nothing_are_refused() {
    let parts = Parts::new(7);
    let mut call = parts.guard().begin(Request::DEFAULT, Instant::ORIGIN);
    let permit = parts.guard().try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    for bit in [21, 31, 36 + 2, 40, 47, 48, 63] {
        let mut words = call.to_words();
        words[0] ^= 1 << bit;
        assert_eq!(Call::from_words(words), None, "bit {bit}");
    }
    for bit in [18, 31, 32, 47, 48, 63] {
        let mut words = permit.to_words();
        words[0] ^= 1 << bit;
        assert_eq!(Permit::from_words(words), None, "bit {bit}");
    }
    let mut words = call.to_words();
    words[5] |= 1 << 63;
    assert_eq!(Call::from_words(words), None, "no stage has this mode");
    assert_eq!((Call::from_words([0; 9]), Permit::from_words([0; 9])), (None, None));
}

#[test]
fn a_permit_of_another_guard_changes_nothing() {
    let (one, other) = (Parts::new(1), Parts::new(2));
    let now = Instant::ORIGIN;
    let mut call = one.guard().begin(Request::DEFAULT, now);
    let words = one.guard().try_attempt(&mut call, now).unwrap().permit.to_words();
    let before = other.guard().bucket().available(now);
    assert!(!other.guard().cancel(Permit::from_words(words).unwrap(), now));
    assert_eq!((other.guard().bucket().available(now), other.guard().limit().in_flight(now)), (before, 0));
    assert!(one.guard().cancel(Permit::from_words(words).unwrap(), now));
}
