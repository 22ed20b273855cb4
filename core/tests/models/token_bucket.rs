//! Takers, bookings, refunds and changes, under schedules and with readings of the clock that are old.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket};

use crate::harness::{Preemptions, check, must_fail};

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN.saturating_add(Duration::from_secs(seconds))
}

fn bucket(config: BucketConfig) -> Arc<TokenBucket> {
    Arc::new(TokenBucket::new(config, at(0)).expect("legal"))
}

fn one_a_second(burst: u32) -> BucketConfig {
    BucketConfig::new(Rate::per_second(1)).burst(burst)
}

fn taken(bucket: &TokenBucket, n: u32, now: Instant) -> u32 {
    if bucket.try_take(n, now).is_ok() { n } else { 0 }
}

/// Two takers, one of them with an old reading: the burst and what the newer reading earned, never more.
fn takers() {
    let shared = bucket(one_a_second(2));
    let other = shared.clone();
    let old = thread::spawn(move || taken(&other, 1, at(0)) + taken(&other, 1, at(0)));
    let new = taken(&shared, 1, at(1)) + shared.take_up_to(1, at(1)) + taken(&shared, 1, at(1));
    let sum = old.join().expect("no panic") + new;
    assert!((2..=3).contains(&sum), "{sum} of 2 and 1 earned");
}

/// Two takers and a clock that moves while they read it.
fn moving_clock() {
    let shared = bucket(one_a_second(1));
    let clock = Arc::new(AtomicU64::new(0));
    let (other, others_clock) = (shared.clone(), clock.clone());
    let taker =
        thread::spawn(move || (0..2).map(|_| taken(&other, 1, at(others_clock.load(Ordering::Relaxed)))).sum::<u32>());
    let mut sum = 0;
    for second in 1..=2 {
        clock.store(second, Ordering::Relaxed);
        sum += taken(&shared, 1, at(clock.load(Ordering::Relaxed)));
    }
    let sum = sum + taker.join().expect("no panic");
    assert!((1..=3).contains(&sum), "{sum} of a burst of 1 and 2 earned");
}

/// A taker while the rate is set to itself with an old reading: no token appears.
fn change_of_nothing() {
    let shared = bucket(one_a_second(2));
    let other = shared.clone();
    let setter = thread::spawn(move || {
        let _ = other.set_rate(Rate::per_second(1), at(0));
    });
    let sum = taken(&shared, 2, at(10)) + taken(&shared, 1, at(10));
    setter.join().expect("no panic");
    let sum = sum + taken(&shared, 1, at(10));
    assert_eq!(sum, 2, "a burst and nothing more");
}

/// A taker is stopped while its slot is used anew for units of another size. Its two tokens are there all along.
fn reuse() {
    let config = BucketConfig::new(Rate::new(1, Duration::from_secs(10)).expect("legal")).burst(1 << 20);
    let shared = bucket(config.fill(Fill::Tokens(2)));
    let other = shared.clone();
    let setter = thread::spawn(move || {
        for _ in 0..2 {
            other.set_burst(2, at(0)).expect("one setter");
        }
    });
    assert_eq!(taken(&shared, 2, at(0)), 2, "the tokens are there all along");
    setter.join().expect("no panic");
    assert_eq!(taken(&shared, 1, at(0)), 0, "and they were the only ones");
}

/// A taker of two tokens is stopped while its slot is used anew for one that is as large as four of them were.
fn reuse_for_larger_units() {
    let shared = bucket(BucketConfig::new(Rate::ZERO).burst(4));
    let other = shared.clone();
    let setter = thread::spawn(move || {
        for _ in 0..2 {
            other.set_burst(1, at(0)).expect("one setter");
        }
    });
    let _ = taken(&shared, 2, at(0));
    setter.join().expect("no panic");
    assert_eq!(taken(&shared, 1, at(0)), 1, "two were taken of four, or none of one");
}

/// As `reuse`, after the position had gone down again by a refund: the taker's state must not come back either.
fn refund_then_reuse() {
    // Two configurations of burst 1 at rate 0 begin so far above what the refund goes back to.
    const BACK: u32 = (1 << 27) + 2;
    let shared = bucket(BucketConfig::new(Rate::ZERO).burst(1 << 28));
    assert!(shared.try_take(BACK, at(0)).is_ok());
    let other = shared.clone();
    let changer = thread::spawn(move || {
        assert!(other.refund(BACK, at(0)));
        for _ in 0..2 {
            other.set_burst(1, at(0)).expect("one setter");
        }
    });
    let _ = taken(&shared, 2, at(0));
    changer.join().expect("no panic");
    assert_eq!(taken(&shared, 1, at(0)), 1, "two were taken of many, or none of one");
}

/// Two setters, and one who reads what they write.
fn setters() {
    let (fast, slow) = (Rate::per_second(2), Rate::new(3, Duration::from_secs(60)).expect("legal"));
    let shared = bucket(one_a_second(1));
    let setters = [fast, slow].map(|rate| {
        let other = shared.clone();
        thread::spawn(move || other.set_rate(rate, at(0)).expect("two setters"))
    });
    let seen = shared.rate();
    assert!([fast, slow, Rate::per_second(1)].contains(&seen), "{seen:?} was never set");
    for setter in setters {
        setter.join().expect("no panic");
    }
    assert_eq!(taken(&shared, 1, at(0)) + taken(&shared, 1, at(0)), 1);
}

/// As many setters as are allowed at once: none is turned away.
fn most_setters() {
    let shared = bucket(one_a_second(1));
    let setters = [2, 3].map(|rate| {
        let other = shared.clone();
        thread::spawn(move || other.set_rate(Rate::per_second(rate), at(0)).expect("three setters"))
    });
    shared.set_burst(1, at(0)).expect("three setters");
    for setter in setters {
        setter.join().expect("no panic");
    }
    assert_eq!(taken(&shared, 1, at(0)) + taken(&shared, 1, at(0)), 1);
}

/// Bookings of two threads, one of them taken back: no two that stand share an instant.
fn bookings() {
    let shared = bucket(one_a_second(3).fill(Fill::Tokens(0)));
    let other = shared.clone();
    let booker = thread::spawn(move || {
        let first = other.reserve(1, Duration::MAX, at(0)).expect("a burst may be owed");
        let instant = first.ready_at();
        if other.cancel(first, at(0)) { None } else { Some(instant) }
    });
    let mut standing = [(); 2].map(|()| shared.reserve(1, Duration::MAX, at(0)).expect("as much").ready_at()).to_vec();
    standing.extend(booker.join().expect("no panic"));
    standing.sort_unstable();
    assert!(standing[0] >= at(1), "{standing:?}");
    for pair in standing.windows(2) {
        assert!(pair[1] >= pair[0].saturating_add(Duration::from_secs(1)), "{standing:?}");
    }
}

#[test]
fn token_bucket_takers_never_pass_the_limit() {
    check("token_bucket_takers_never_pass_the_limit", Preemptions::Unbounded, takers);
}

#[test]
fn token_bucket_takers_under_a_moving_clock() {
    check("token_bucket_takers_under_a_moving_clock", Preemptions::Unbounded, moving_clock);
}

#[test]
fn token_bucket_a_change_neither_makes_nor_forgives() {
    check("token_bucket_a_change_neither_makes_nor_forgives", Preemptions::Unbounded, change_of_nothing);
}

#[test]
fn token_bucket_slots_are_reused_under_a_stalled_taker() {
    check("token_bucket_slots_are_reused_under_a_stalled_taker", Preemptions::AtMost(3), reuse);
}

#[test]
fn token_bucket_a_state_never_comes_back_with_other_units() {
    check("token_bucket_a_state_never_comes_back_with_other_units", Preemptions::AtMost(3), reuse_for_larger_units);
}

#[test]
fn token_bucket_a_state_never_comes_back_after_a_refund() {
    check("token_bucket_a_state_never_comes_back_after_a_refund", Preemptions::AtMost(2), refund_then_reuse);
}

#[test]
fn token_bucket_setters_do_not_mix() {
    check("token_bucket_setters_do_not_mix", Preemptions::at_most(1, 2), setters);
}

#[test]
fn token_bucket_three_setters_at_once() {
    check("token_bucket_three_setters_at_once", Preemptions::AtMost(1), most_setters);
}

#[test]
fn token_bucket_bookings_that_stand_keep_the_rate() {
    check("token_bucket_bookings_that_stand_keep_the_rate", Preemptions::Unbounded, bookings);
}

#[test]
fn token_bucket_the_exchange_is_needed() {
    must_fail("takers", "token bucket: the exchange is a store", Preemptions::AtMost(2), takers);
    must_fail("moving_clock", "token bucket: the exchange is a store", Preemptions::AtMost(2), moving_clock);
}

#[test]
fn token_bucket_what_is_owed_is_carried_over() {
    must_fail("change_of_nothing", "token bucket: a change forgives", Preemptions::AtMost(2), change_of_nothing);
}

#[test]
fn token_bucket_positions_go_on_from_one_configuration_to_the_next() {
    let anew = "token bucket: positions start anew";
    must_fail("reuse_for_larger_units", anew, Preemptions::AtMost(1), reuse_for_larger_units);
    must_fail("refund_then_reuse", "token bucket: a refund leaves no peak", Preemptions::AtMost(1), refund_then_reuse);
}

#[test]
fn token_bucket_a_refusal_needs_its_second_look() {
    must_fail("reuse", "token bucket: a refusal needs no second look", Preemptions::AtMost(1), reuse);
}

#[test]
fn token_bucket_a_slot_has_one_writer() {
    must_fail("setters", "token bucket: a slot may have two writers", Preemptions::AtMost(2), setters);
    must_fail("setters", "token bucket: a claim needs no second look", Preemptions::AtMost(2), setters);
}

#[test]
fn token_bucket_only_the_newest_booking_is_cancelled() {
    must_fail("bookings", "token bucket: what is owed may be given back", Preemptions::AtMost(3), bookings);
}
