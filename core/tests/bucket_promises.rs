//! Promises of the token bucket that other limiters have broken, each by the fault that broke it.

use std::time::Duration;

use proptest::prelude::*;
use seawall::{BucketConfig, BucketConfigError, Clock, Fill, Instant, ManualClock, Rate, Reason, TokenBucket};

const SECOND: u64 = 1_000_000_000;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn bucket(config: BucketConfig) -> TokenBucket {
    TokenBucket::new(config, Instant::ORIGIN).expect("a legal bucket")
}

/// How many single tokens a greedy caller gets between two instants, asking each microsecond.
fn greedy(bucket: &TokenBucket, from: u64, to: u64) -> u64 {
    (from..to).step_by(1_000).map(|now| u64::from(bucket.try_take(1, at(now)).is_ok())).sum()
}

#[test]
fn takers_whose_readings_are_old_before_they_are_used_never_pass_the_limit() {
    const TAKERS: u64 = 3;
    const TURNS: u64 = 20_000;
    const STEP: Duration = Duration::from_micros(30);
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let bucket = bucket(BucketConfig::new(Rate::per_second(1_000)).burst(10));
    let granted: u64 = std::thread::scope(|scope| {
        let takers = [1, 2, 3].map(|sleeper| {
            let (clock, bucket) = (&clock, &bucket);
            scope.spawn(move || {
                // Each reading is used after up to 48 others were made: as by a thread that was put to sleep.
                let (mut readings, mut granted) = (vec![clock.now(); 16 * sleeper], 0);
                for turn in (0..readings.len()).cycle().take(TURNS as usize) {
                    clock.advance(STEP);
                    let old = std::mem::replace(&mut readings[turn], clock.now());
                    for now in [old, readings[turn]] {
                        granted += u64::from(bucket.try_take(1, now).is_ok());
                    }
                }
                granted
            })
        });
        takers.into_iter().map(|taker| taker.join().expect("no panic")).sum()
    });
    let earned = (TAKERS * TURNS * STEP.as_nanos() as u64) / 1_000_000;
    // Nothing is lost either: who asks last in each turn has the newest reading, or one that is as good.
    assert!((earned..=earned + 10).contains(&granted), "{granted} of {earned} and the burst of 10");
}

#[test]
fn a_rate_under_one_a_second_still_grants() {
    for (rate, period) in [
        (Rate::new(3, Duration::from_secs(10)).expect("legal"), 3_333_333_334),
        (Rate::per_minute(1), 60 * SECOND),
        (Rate::per_day(1), 86_400 * SECOND),
        (Rate::new(1, Duration::from_secs(365 * 86_400)).expect("legal"), 365 * 86_400 * SECOND),
    ] {
        let bucket = bucket(BucketConfig::new(rate));
        assert_eq!(bucket.burst(), 1, "{rate:?}");
        for turn in 0..20 {
            assert!(bucket.try_take(1, at(turn * period)).is_ok(), "{rate:?}, turn {turn}");
            let refused = bucket.try_take(1, at(turn * period)).expect_err("one at a time");
            let wait = refused.retry_after().expect("it is known");
            // To the unit of the bucket: a 2^16th of a token at worst.
            assert!(u128::from(period).abs_diff(wait.as_nanos()) <= u128::from(period) / 65_536 + 32, "{wait:?}");
        }
    }
}

#[test]
fn a_bucket_that_starts_with_one_token_sends_no_double_first_second() {
    let config = BucketConfig::new(Rate::per_second(100));
    assert!((100..=101).contains(&greedy(&bucket(config.fill(Fill::Tokens(1))), 0, SECOND)));
    assert!((99..=100).contains(&greedy(&bucket(config.fill(Fill::Tokens(0))), 0, SECOND)));
    // What `Fill::Full` says of itself: a burst, and a second's worth.
    assert!((199..=200).contains(&greedy(&bucket(config), 0, SECOND)));
}

#[test]
fn a_step_forward_of_the_clock_earns_a_burst_at_most() {
    let bucket = bucket(BucketConfig::new(Rate::per_second(10)).fill(Fill::Tokens(0)));
    assert_eq!(bucket.available(at(u64::MAX / 2)), 10);
    assert_eq!(greedy(&bucket, u64::MAX / 2, u64::MAX / 2 + 1_000_000), 10);
}

#[test]
fn a_rate_of_zero_earns_nothing_and_a_burst_of_zero_is_refused() {
    let still = bucket(BucketConfig::new(Rate::ZERO).burst(2));
    assert!(still.try_take(2, at(0)).is_ok());
    let refused = still.try_take(1, Instant::MAX).unwrap_err();
    assert_eq!((refused.reason(), refused.retry_after()), (Reason::NotYet, None));
    let error = TokenBucket::new(BucketConfig::new(Rate::per_second(5)).burst(0), at(0)).err();
    assert_eq!(error, Some(BucketConfigError::ZeroBurst));
}

#[test]
fn taking_nothing_always_succeeds_and_more_than_the_burst_never_does() {
    let bucket = bucket(BucketConfig::new(Rate::per_second(5)));
    for now in [0, 1, SECOND, u64::MAX] {
        assert_eq!(bucket.try_take(6, at(now)).unwrap_err().reason(), Reason::Never);
        assert_eq!(bucket.try_take(u32::MAX, at(now)).unwrap_err().retry_after(), None);
    }
    assert!(bucket.try_take(5, at(u64::MAX)).is_ok());
    assert!(bucket.try_take(0, at(u64::MAX)).is_ok());
    assert_eq!(bucket.available(at(u64::MAX)), 0);
}

#[test]
fn a_peek_takes_nothing() {
    let bucket = bucket(BucketConfig::new(Rate::per_second(5)));
    for _ in 0..1_000 {
        assert!(bucket.peek(5, at(0)).is_ok());
        assert!(bucket.peek(6, at(0)).is_err());
    }
    assert!(bucket.try_take(5, at(0)).is_ok());
    assert!(bucket.peek(1, at(0)).is_err());
}

#[test]
fn the_largest_burst_and_a_period_of_centuries_neither_wrap_nor_panic() {
    const CENTURY: u64 = 100 * 365 * 86_400 * SECOND;
    let bucket = bucket(BucketConfig::new(Rate::new(1, Duration::from_nanos(CENTURY)).expect("legal")).burst(u32::MAX));
    assert!(bucket.try_take(u32::MAX, at(0)).is_ok());
    for now in [0, SECOND, CENTURY / 2] {
        let wait = bucket.try_take(1, at(now)).unwrap_err().retry_after().expect("under the end of time");
        assert!(wait.as_nanos().abs_diff(u128::from(CENTURY - now)) < u128::from(CENTURY / 1_000), "{wait:?} at {now}");
    }
    let refused = bucket.try_take(u32::MAX, at(SECOND)).unwrap_err();
    // More than the end of time away, and still no never.
    assert_eq!((refused.reason(), refused.retry_after()), (Reason::NotYet, None));
    assert!(bucket.try_take(1, at(CENTURY + CENTURY / 1_000)).is_ok());
}

proptest! {
    #[test]
    fn a_hint_is_above_zero_and_who_waits_for_it_is_not_refused_again(
        count in 1..100_000_u64, period in 1..4_000_000_000_u64, burst in 1..1_000_u32,
        calls in proptest::collection::vec((0..2_000_000_000_u64, 1..1_000_u32), 1..60),
    ) {
        let rate = Rate::new(count, Duration::from_nanos(period)).expect("a period over zero");
        prop_assume!(TokenBucket::new(BucketConfig::new(rate), Instant::ORIGIN).is_ok());
        let bucket = bucket(BucketConfig::new(rate).burst(burst));
        let mut now = at(0);
        for (wait, n) in calls {
            now = now.saturating_add(Duration::from_nanos(wait));
            let n = 1 + n % burst;
            if let Err(refused) = bucket.try_take(n, now) {
                let hint = refused.retry_after().expect("the rate is over zero and n within the burst");
                prop_assert!(hint > Duration::ZERO);
                now = now.saturating_add(hint);
                prop_assert_eq!(bucket.try_take(n, now), Ok(()), "after {:?}", hint);
            }
        }
    }
}
