//! What the token bucket promises, against an exact oracle and with real threads.

use core::time::Duration;

use proptest::prelude::*;
use seawall::{BucketConfig, BucketConfigError, ChangeError, Fill, Instant, Rate, Reason, TokenBucket, WarmUp};

const SECOND: u64 = 1_000_000_000;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Exact: tokens as a fraction over `scale`, one nanosecond after another in closed form, in 128-bit integers.
///
/// Rates are given as a count per second, so that a nanosecond earns `count` of 10^-9 tokens: no rounding at all.
struct Oracle {
    count: i128,
    burst: i128,
    /// In 10^-9 tokens.
    tokens: i128,
    last: u64,
}

impl Oracle {
    const TOKEN: i128 = SECOND as i128;

    fn settle(&mut self, now: u64) {
        if now > self.last {
            self.tokens = (self.tokens + i128::from(now - self.last) * self.count).min(self.burst * Self::TOKEN);
            self.last = now;
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Take(u32),
    Rate(u64),
    Burst(u32),
    Refund,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop_oneof![0..2_000_u64, 0..SECOND, 0..1_000 * SECOND].prop_map(Step::Wait),
        6 => (1..6_u32).prop_map(Step::Take),
        1 => prop_oneof![0..5_u64, 0..1_000_u64, 0..1_000_000_u64].prop_map(Step::Rate),
        1 => (1..50_u32).prop_map(Step::Burst),
        1 => Just(Step::Refund),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_decision_is_the_oracles_to_a_unit(start in 0..u64::MAX / 4, rate in 0..1_000_u64, steps in steps()) {
        let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(rate)).burst(10), at(start)).expect("legal");
        let mut oracle =
            Oracle { count: rate.into(), burst: 10, tokens: 10 * Oracle::TOKEN, last: start };
        let (mut now, mut unit) = (start, 0);
        // Each take may round the phase by under a unit, which is at most a token / 2^16 for these rates and bursts;
        // what was given early is never given again, so the slack does not add up: the coarsest unit met is all there is.
        for step in steps {
            match step {
                Step::Wait(by) => now += by,
                Step::Rate(count) => {
                    oracle.settle(now);
                    oracle.count = count.into();
                    bucket.set_rate(Rate::per_second(count), at(now)).expect("legal");
                }
                Step::Burst(burst) => {
                    oracle.settle(now);
                    oracle.burst = burst.into();
                    oracle.tokens = oracle.tokens.min(oracle.burst * Oracle::TOKEN);
                    bucket.set_burst(burst, at(now)).expect("legal");
                }
                Step::Refund => {
                    // Of a token that was just taken: nothing has happened.
                    if bucket.try_take(1, at(now)).is_ok() {
                        prop_assert!(bucket.refund(1, at(now)));
                    }
                }
                Step::Take(n) => {
                    oracle.settle(now);
                    let missing = i128::from(n) * Oracle::TOKEN - oracle.tokens;
                    unit = unit.max(slack(oracle.count as u64));
                    match bucket.try_take(n, at(now)) {
                        Ok(()) => {
                            prop_assert!(missing <= unit, "{missing} missing of {n} at {now}");
                            oracle.tokens -= i128::from(n) * Oracle::TOKEN;
                        }
                        Err(refused) => {
                            prop_assert!(missing > -unit, "{} to spare at {now}: {refused}", -missing);
                            if i128::from(n) > oracle.burst {
                                prop_assert_eq!(refused.reason(), Reason::Never);
                            } else if let Some(wait) = refused.retry_after() {
                                let wait = i128::try_from(wait.as_nanos()).expect("fits");
                                prop_assert!((missing - wait * oracle.count).abs() <= unit + oracle.count);
                            } else {
                                prop_assert_eq!(oracle.count, 0);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_time_number_rate_or_burst_panics(
        start: u64, rate: u64, period in 1..u64::MAX, burst: u32,
        calls in proptest::collection::vec((any::<u64>(), any::<u32>(), any::<u64>()), 1..20),
    ) {
        let rate = Rate::new(rate, Duration::from_nanos(period)).expect("a period over zero");
        if let Ok(bucket) = TokenBucket::new(BucketConfig::new(rate).burst(burst), at(start)) {
            for (now, n, count) in calls {
                let _ = bucket.try_take(n, at(now));
                let _ = bucket.refund(n, at(now));
                let _ = bucket.set_burst(n, at(now));
                let _ = bucket.set_rate(Rate::per_second(count), at(now));
                let _ = bucket.start_warm_up(WarmUp::exponential(Rate::per_day(n.into()), Duration::from_nanos(count)), at(now));
                prop_assert!(bucket.available(at(now)) <= bucket.burst());
            }
        }
    }
}

/// A few units of the coarsest scale that the test meets, in 10^-9 tokens: 16 to 32 ns of refill, or 2^-20 tokens.
fn slack(count: u64) -> i128 {
    i128::from(count) * 128 + 200_000
}

#[test]
fn polling_fast_accrues_the_same_as_polling_slow() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)).fill(Fill::Tokens(0)), at(0)).expect("legal");
    let mut granted = 0;
    let mut now = 0;
    while now < 3_600 * SECOND {
        now += 10_000;
        granted += u32::from(bucket.try_take(1, at(now)).is_ok());
    }
    assert!((59..=61).contains(&granted), "{granted} of 60");
}

#[test]
fn a_new_rate_never_reprices_the_past() {
    let config = BucketConfig::new(Rate::per_second(1)).burst(100_000).fill(Fill::Tokens(0));
    let bucket = TokenBucket::new(config, at(0)).expect("legal");
    bucket.set_rate(Rate::per_second(500), at(10 * SECOND)).expect("legal");
    assert_eq!(bucket.available(at(10 * SECOND)), 10);
    bucket.set_rate(Rate::per_second(1), at(11 * SECOND)).expect("legal");
    assert_eq!(bucket.available(at(11 * SECOND)), 510);
}

#[test]
fn the_rate_is_right_to_a_billionth_over_a_year_though_it_is_set_each_second() {
    let burst = 4_000_000_000;
    let config = BucketConfig::new(Rate::per_second(7)).burst(burst).fill(Fill::Tokens(0));
    let bucket = TokenBucket::new(config, at(5)).expect("legal");
    let seconds = 1_000_000;
    for second in 1..=seconds {
        let rate =
            if second % 2 == 0 { Rate::per_second(7) } else { Rate::new(21, Duration::from_secs(3)).expect("legal") };
        bucket.set_rate(rate, at(5 + second * SECOND)).expect("legal");
    }
    assert_eq!(u64::from(bucket.available(at(5 + seconds * SECOND + 1))), 7 * seconds);
    let year = 365 * 86_400;
    assert!(u64::from(bucket.available(at(5 + year * SECOND))).abs_diff(7 * year) <= 1);
}

#[test]
fn an_older_now_mints_nothing_and_a_clock_that_stepped_back_is_told() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(10)), at(0)).expect("legal");
    assert!(bucket.try_take(10, at(3_600 * SECOND)).is_ok());
    assert_eq!(bucket.try_take(1, at(0)).unwrap_err().reason(), Reason::ClockStepped);
    assert_eq!(bucket.try_take(1, at(3_600 * SECOND)).unwrap_err().reason(), Reason::NotYet);
    assert!(bucket.try_take(1, at(3_600 * SECOND + SECOND / 10)).is_ok());
}

#[test]
fn absurd_settings_are_typed_errors_and_change_nothing() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(10)), at(0)).expect("legal");
    assert_eq!(bucket.set_burst(0, at(0)), Err(ChangeError::Config(BucketConfigError::ZeroBurst)));
    assert_eq!(
        bucket.set_rate(Rate::per_second(SECOND + 1), at(0)),
        Err(ChangeError::Config(BucketConfigError::RateTooFast))
    );
    assert_eq!((bucket.rate(), bucket.burst()), (Rate::per_second(10), 10));
    for _ in 0..10 {
        assert!(bucket.set_rate(Rate::per_second(10), at(0)).is_ok(), "a failed change keeps no slot");
    }
}

#[test]
fn a_warm_up_earns_by_its_integral_and_survives_a_change_of_rate() {
    let config = BucketConfig::new(Rate::per_second(10)).burst(10_000).fill(Fill::Tokens(0)).warm_up(WarmUp::GUIDE);
    let bucket = TokenBucket::new(config, at(0)).expect("legal");
    assert_eq!(bucket.available(at(60 * SECOND)), 60);
    assert_eq!(bucket.available(at(70 * SECOND)), 160);
    bucket.set_rate(Rate::per_second(20), at(30 * SECOND)).expect("legal");
    assert_eq!(bucket.available(at(60 * SECOND)), 60);
    assert_eq!(bucket.available(at(70 * SECOND)), 260);
    let refused = bucket.try_take(100, at(30 * SECOND)).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(32)));
}

#[test]
fn threads_that_take_and_change_never_pass_the_limit() {
    let start = std::time::Instant::now();
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(10_000)).burst(100), at(0)).expect("legal");
    let granted: u64 = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut granted = 0;
                    while start.elapsed() < Duration::from_millis(300) {
                        let now = at(u64::try_from(start.elapsed().as_nanos()).expect("short"));
                        granted += u64::from(bucket.try_take(1, now).is_ok());
                    }
                    granted
                })
            })
            .collect();
        scope.spawn(|| {
            while start.elapsed() < Duration::from_millis(300) {
                let now = at(u64::try_from(start.elapsed().as_nanos()).expect("short"));
                // To itself: settling must neither make nor lose a token.
                let _ = bucket.set_rate(Rate::per_second(10_000), now);
            }
        });
        takers.into_iter().map(|taker| taker.join().expect("no panic")).sum()
    });
    let end = start.elapsed().as_secs_f64();
    let limit = 101.0 + 10_000.0 * end;
    assert!(granted as f64 <= limit, "{granted} of {limit}");
    assert!(granted > 100, "something was earned: {granted}");
}
