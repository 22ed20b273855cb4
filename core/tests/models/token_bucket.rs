//! Takers, refunds and changes of the rate, under schedules and with readings of the clock that are old.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use seawall::{BucketConfig, Instant, Rate, TokenBucket};

use crate::harness::{Preemptions, check, must_fail};

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN.saturating_add(Duration::from_secs(seconds))
}

fn bucket(burst: u32) -> Arc<TokenBucket> {
    Arc::new(TokenBucket::new(BucketConfig::new(Rate::per_second(1)).burst(burst), at(0)).expect("legal"))
}

fn taken(bucket: &TokenBucket, n: u32, now: Instant) -> u32 {
    if bucket.try_take(n, now).is_ok() { n } else { 0 }
}

/// Two takers, one of them with an old reading: the burst and what the newer reading earned, never more.
fn takers() {
    let shared = bucket(2);
    let other = shared.clone();
    let old = thread::spawn(move || taken(&other, 1, at(0)) + taken(&other, 1, at(0)));
    let new = taken(&shared, 1, at(1)) + taken(&shared, 1, at(1)) + taken(&shared, 1, at(1));
    let sum = old.join().expect("no panic") + new;
    assert!((2..=3).contains(&sum), "{sum} of 2 and 1 earned");
}

/// A taker while the rate is set to itself with an old reading: no token appears.
fn change_of_nothing() {
    let shared = bucket(2);
    let other = shared.clone();
    let setter = thread::spawn(move || {
        let _ = other.set_rate(Rate::per_second(1), at(0));
    });
    let sum = taken(&shared, 2, at(10)) + taken(&shared, 1, at(10));
    setter.join().expect("no panic");
    let sum = sum + taken(&shared, 1, at(10));
    assert_eq!(sum, 2, "a burst and nothing more");
}

/// A taker while the rate rises and falls again, so that its first slot is used anew.
fn reuse() {
    let shared = bucket(1);
    let other = shared.clone();
    let taker = thread::spawn(move || taken(&other, 1, at(1)));
    for rate in [5, 1] {
        shared.set_rate(Rate::per_second(rate), at(0)).expect("one setter");
    }
    let sum = taker.join().expect("no panic") + taken(&shared, 1, at(0));
    assert_eq!(sum, 1, "a burst and nothing more");
}

/// Two setters and the token of the one who takes afterwards.
fn setters() {
    let shared = bucket(1);
    let other = shared.clone();
    let setter = thread::spawn(move || other.set_rate(Rate::per_second(3), at(0)).expect("two setters"));
    shared.set_rate(Rate::per_second(2), at(0)).expect("two setters");
    setter.join().expect("no panic");
    assert!([2, 3].map(Rate::per_second).contains(&shared.rate()), "{:?}", shared.rate());
    assert_eq!(taken(&shared, 1, at(0)) + taken(&shared, 1, at(0)), 1);
}

#[test]
fn token_bucket_takers_never_pass_the_limit() {
    check("token_bucket_takers_never_pass_the_limit", Preemptions::AtMost(3), takers);
}

#[test]
fn token_bucket_a_change_neither_makes_nor_forgives() {
    check("token_bucket_a_change_neither_makes_nor_forgives", Preemptions::AtMost(2), change_of_nothing);
}

#[test]
fn token_bucket_slots_are_reused_under_a_stalled_taker() {
    check("token_bucket_slots_are_reused_under_a_stalled_taker", Preemptions::AtMost(1), reuse);
}

#[test]
fn token_bucket_setters_do_not_mix() {
    check("token_bucket_setters_do_not_mix", Preemptions::AtMost(2), setters);
}

#[test]
fn token_bucket_the_exchange_is_needed() {
    must_fail("takers", "token bucket: the exchange is a store", Preemptions::AtMost(3), takers);
}

#[test]
fn token_bucket_settling_at_what_was_granted_is_needed() {
    must_fail("change_of_nothing", "token bucket: a stale change forgives", Preemptions::AtMost(2), change_of_nothing);
}
