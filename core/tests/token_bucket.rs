//! What the token bucket promises, one promise a test. `token_bucket_oracle.rs` compares all of it with an oracle.

use core::time::Duration;

use proptest::prelude::*;
use seawall::{
    BucketConfig, BucketConfigError, ChangeError, Fill, Instant, Rate, Reason, Reservation, TokenBucket, WarmUp,
};

const SECOND: u64 = 1_000_000_000;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

proptest! {
    #[test]
    fn no_window_admits_more_than_a_burst_and_what_the_rate_emits(
        per_second in 1..2_000_u64, burst in 1..50_u32,
        steps in proptest::collection::vec((0..100 * SECOND / 1_000, 1..10_u32, 0..12_u32), 1..150),
    ) {
        let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(per_second)).burst(burst), at(0)).expect("legal");
        let (mut now, mut sent) = (0, Vec::new());
        for (wait, n, how) in steps {
            now += wait;
            match how {
                0..=5 => sent.extend(bucket.try_take(n, at(now)).is_ok().then_some((now, n))),
                6 | 7 => sent.push((now, bucket.take_up_to(n, at(now)))),
                8 => bucket.set_rate(Rate::per_second(per_second), at(now.saturating_sub(wait))).expect("legal"),
                9 => assert!(bucket.try_take(1, at(now)).is_err() || bucket.refund(1, at(now))),
                _ => {
                    if let Ok(booked) = bucket.reserve(n, Duration::from_nanos(wait * 3), at(now)) {
                        let instant = booked.ready_at().as_nanos();
                        if how == 10 || !bucket.cancel(booked, at(now)) {
                            sent.push((instant, n));
                        }
                    }
                }
            }
        }
        sent.sort_unstable();
        for (first, (from, _)) in sent.iter().enumerate() {
            let mut sum = 0;
            for (to, n) in &sent[first..] {
                sum += u128::from(*n);
                let emitted = u128::from(to - from) * u128::from(per_second) / u128::from(SECOND);
                prop_assert!(sum <= u128::from(burst) + emitted + 1, "{sum} from {from} to {to}, {emitted} emitted");
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
                let _ = bucket.drain_to(n / 2, at(now));
                if let Ok(booked) = bucket.reserve(n, Duration::from_nanos(count), at(now)) {
                    let _ = bucket.cancel(booked, at(count));
                }
                let _ = bucket.take_up_to(n, at(now));
                let _ = bucket.rebase(at(now), at(count));
                let _ = bucket.set_burst(n, at(now));
                let _ = bucket.set_rate(Rate::per_second(count), at(now));
                let _ = bucket.start_warm_up(WarmUp::exponential(Rate::per_day(n.into()), Duration::from_nanos(count)), at(now));
                prop_assert!(bucket.available(at(now)) <= bucket.burst());
            }
        }
    }
}

#[test]
fn polling_fast_accrues_the_same_as_polling_slow() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)).fill(Fill::Tokens(0)), at(0)).expect("legal");
    // An hour; an emulator, which is what runs this with another byte order, would take as long.
    let minutes = if cfg!(target_endian = "big") { 1 } else { 60 };
    let mut granted = 0;
    let mut now = 0;
    while now < minutes * 60 * SECOND {
        now += 10_000;
        granted += u64::from(bucket.try_take(1, at(now)).is_ok());
    }
    assert!(granted.abs_diff(minutes) <= 1, "{granted} of {minutes}");
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
fn what_is_booked_is_earned_before_anything_else() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(1)).burst(3), at(0)).expect("legal");
    assert!(bucket.try_take(3, at(0)).is_ok());
    let booked = [1, 2].map(|_| bucket.reserve(1, Duration::MAX, at(0)).expect("a burst may be owed"));
    assert_eq!([1, 2].map(|second| at(second * SECOND)), booked.each_ref().map(Reservation::ready_at));
    let refused = bucket.try_take(1, at(2 * SECOND)).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    // Two are owed: one more may be, and then no more.
    assert!(bucket.reserve(2, Duration::MAX, at(0)).is_err());
    assert!(bucket.reserve(1, Duration::MAX, at(0)).is_ok());
    let refused = bucket.reserve(1, Duration::MAX, at(0)).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)), "when one of the three is earned");
}

#[test]
fn a_booking_that_would_take_too_long_says_when_to_ask_again() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)).fill(Fill::Tokens(0)), at(0)).expect("legal");
    let refused = bucket.reserve(1, Duration::from_secs(10), at(0)).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(50)));
    assert!(bucket.reserve(1, Duration::from_secs(10), at(50 * SECOND)).is_ok());
    let still = TokenBucket::new(BucketConfig::new(Rate::ZERO).fill(Fill::Tokens(0)), at(0)).expect("legal");
    assert_eq!(still.reserve(1, Duration::MAX, at(0)).unwrap_err().retry_after(), None);
}

#[test]
fn an_older_booking_is_not_taken_back_under_a_newer_one() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(1)).burst(3), at(0)).expect("legal");
    assert!(bucket.try_take(3, at(0)).is_ok());
    let [older, newer] = [1, 2].map(|_| bucket.reserve(1, Duration::MAX, at(0)).expect("a burst may be owed"));
    assert!(!bucket.cancel(older, at(0)), "the newer one's instant rests on it");
    assert!(bucket.cancel(newer, at(0)));
    assert_eq!(bucket.reserve(1, Duration::MAX, at(0)).map(|booked| booked.ready_at()), Ok(at(2 * SECOND)));
}

#[test]
fn a_new_rate_counts_at_once_though_a_booking_stands() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), at(0)).expect("legal");
    assert!(bucket.try_take(1, at(0)).is_ok());
    let booked = bucket.reserve(1, Duration::MAX, at(0)).expect("a burst may be owed");
    assert_eq!(booked.ready_at(), at(60 * SECOND));
    bucket.set_rate(Rate::per_second(10), at(0)).expect("one setter");
    // What is owed is paid at the new rate, and the next token follows it.
    assert!(bucket.try_take(1, at(SECOND / 10)).is_err());
    assert!(bucket.try_take(1, at(2 * SECOND / 10)).is_ok());
}

#[test]
fn the_newest_booking_is_undone_across_changes() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)).burst(2), at(0)).expect("legal");
    assert!(bucket.try_take(2, at(0)).is_ok());
    let [older, newer] = [1, 2].map(|_| bucket.reserve(1, Duration::MAX, at(0)).expect("a burst may be owed"));
    for rate in [7, 10] {
        bucket.set_rate(Rate::per_second(rate), at(0)).expect("one setter");
    }
    assert!(!bucket.cancel(older, at(0)));
    assert!(bucket.cancel(newer, at(0)));
    let booked = bucket.reserve(1, Duration::MAX, at(0)).expect("a burst may be owed");
    assert!(booked.ready_at().as_nanos().abs_diff(2 * SECOND / 10) <= 32, "one is owed, and a unit");
    bucket.set_rate(Rate::per_second(1), at(0)).expect("one setter");
    assert!(bucket.take_up_to(9, at(SECOND)) == 0 && bucket.try_take(0, at(SECOND)).is_ok());
    assert!(bucket.cancel(booked, at(SECOND)));
}

#[test]
fn a_burst_that_shrinks_forgives_nothing_that_is_owed() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(1)).burst(1_000_000), at(0)).expect("legal");
    assert_eq!(bucket.drain_to(0, at(0)), 1_000_000);
    assert!(bucket.reserve(1_000_000, Duration::MAX, at(0)).is_ok());
    bucket.set_rate(Rate::ZERO, at(0)).expect("one setter");
    bucket.set_burst(1, at(0)).expect("one setter");
    bucket.set_rate(Rate::per_second(1), at(0)).expect("one setter");
    let refused = bucket.try_take(1, at(0)).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1_000_001)));
}

#[test]
fn a_rebase_keeps_what_is_on_hand_and_what_is_left_of_a_warm_up() {
    let config = BucketConfig::new(Rate::per_second(10)).burst(1_000).fill(Fill::Tokens(3)).warm_up(WarmUp::GUIDE);
    for new_now in [0, 7, 5_000 * SECOND, u64::MAX / 2] {
        let bucket = TokenBucket::new(config, at(1_000 * SECOND)).expect("legal");
        bucket.rebase(at(1_030 * SECOND), at(new_now)).expect("one setter");
        assert_eq!(bucket.available(at(new_now)), 33);
        assert_eq!(bucket.available(at(new_now + 30 * SECOND)), 63);
        assert_eq!(bucket.available(at(new_now + 31 * SECOND)), 73);
    }
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
