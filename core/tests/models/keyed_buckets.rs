//! Takers, newcomers and removals in a table of buckets, under schedules and with readings of the clock that are old.
//!
//! Under loom a group has three places, not seven.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, Reason, WhenFull};

use crate::harness::{Preemptions, check, must_fail};

type Table = KeyedBuckets<1>;
const A: u64 = 1;
const B: u64 = 2;
/// Keys of no interest but that they hold a place.
const OTHERS: [u64; 2] = [10, 11];

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN.saturating_add(Duration::from_secs(seconds))
}

fn one_a_second(burst: u32) -> KeyedConfig {
    KeyedConfig::new(Rate::per_second(1), WhenFull::FailClosed).burst(burst)
}

fn table(burst: u32) -> Arc<Table> {
    Arc::new(Table::new(one_a_second(burst), 7, at(0)).expect("legal"))
}

fn taken(table: &Table, key: u64, now: Instant) -> u32 {
    u32::from(table.try_take(key, 1, now).is_ok())
}

/// Two newcomers of one key: one entry, one bucket.
fn newcomers() {
    let shared = table(1);
    let other = shared.clone();
    let newcomer = thread::spawn(move || taken(&other, A, at(0)));
    let sum = taken(&shared, A, at(0)) + newcomer.join().expect("no panic");
    assert_eq!(sum + taken(&shared, A, at(0)), 1, "a burst and nothing more");
    assert_eq!(shared.occupied(at(0)), 1, "what was withdrawn is free");
}

/// As `newcomers`, where there is enough for both.
fn newcomers_with_enough() {
    let shared = table(2);
    let other = shared.clone();
    let newcomer = thread::spawn(move || taken(&other, A, at(0)));
    let sum = taken(&shared, A, at(0)) + newcomer.join().expect("no panic");
    assert_eq!(sum, 2, "there are two");
    assert_eq!(taken(&shared, A, at(1)) + taken(&shared, A, at(1)), 1, "and one is earned");
}

/// A newcomer of the same key enters while this one is admitted and another key after it: what the head said of the
/// first is not lost when it says the second.
fn admitted_before_another() {
    let shared = table(1);
    let other = shared.clone();
    let newcomer = thread::spawn(move || taken(&other, A, at(0)));
    let sum = taken(&shared, A, at(0));
    let _ = taken(&shared, B, at(0));
    let sum = sum + newcomer.join().expect("no panic");
    assert_eq!(sum + taken(&shared, A, at(0)), 1, "a burst and nothing more");
}

/// Takers of a key that has its place, with readings that differ.
fn takers() {
    let shared = table(2);
    assert_eq!(taken(&shared, A, at(0)), 1);
    let other = shared.clone();
    let old = thread::spawn(move || taken(&other, A, at(0)) + taken(&other, A, at(0)));
    let new = taken(&shared, A, at(1)) + taken(&shared, A, at(1));
    let sum = old.join().expect("no panic") + new + taken(&shared, A, at(1));
    assert_eq!(sum, 2, "one left and one earned");
}

/// Takers, a clock that moves, and a place for which another key is waiting.
fn moving_clock() {
    let shared = table(1);
    for key in OTHERS {
        shared.try_take(key, 1, at(9)).expect("free");
    }
    assert_eq!(taken(&shared, A, at(0)), 1);
    let clock = Arc::new(AtomicU64::new(0));
    let (other, others_clock) = (shared.clone(), clock.clone());
    let taker = thread::spawn(move || taken(&other, A, at(others_clock.load(Ordering::Relaxed))));
    clock.store(1, Ordering::Relaxed);
    let b = taken(&shared, B, at(1));
    let a = taker.join().expect("no panic") + taken(&shared, A, at(1));
    assert_eq!(a + b, 1, "one place, and one earned");
}

/// One place, whose owner is full again, and a newcomer: it is the one's or the other's, and neither pays for the other.
fn removal() {
    let shared = table(1);
    for key in OTHERS {
        shared.try_take(key, 1, at(1)).expect("free");
    }
    assert_eq!(taken(&shared, A, at(0)), 1);
    let other = shared.clone();
    let newcomer = thread::spawn(move || other.try_take(B, 1, at(1)));
    let owner = shared.try_take(A, 1, at(1));
    let answers = [(A, owner), (B, newcomer.join().expect("no panic"))];
    assert_eq!(answers.iter().filter(|(_, answer)| answer.is_ok()).count(), 1, "{answers:?}");
    for (key, answer) in answers {
        let again = shared.try_take(key, 1, at(1)).expect_err("nothing is left").reason();
        match answer {
            Ok(()) => assert_eq!(again, Reason::NotYet),
            Err(refused) => assert_eq!((refused.reason(), again), (Reason::NoPlace, Reason::NoPlace)),
        }
    }
}

/// A key is removed while a call of it with an old reading looks for its entry: it does not find a bucket that was full.
fn removed_under_an_old_reading() {
    let shared = table(1);
    assert_eq!(taken(&shared, A, at(0)), 1);
    let other = shared.clone();
    let remover = thread::spawn(move || taken(&other, B, at(1)));
    let old = taken(&shared, A, at(0));
    assert_eq!(remover.join().expect("no panic"), 1, "there is place");
    assert!(old + taken(&shared, A, at(1)) <= 1, "one was earned");
}

/// Three threads, two of them of one key.
fn three() {
    let shared = table(1);
    let threads = [A, B].map(|key| {
        let other = shared.clone();
        thread::spawn(move || taken(&other, key, at(0)))
    });
    let a = taken(&shared, A, at(0));
    let [other_a, b] = threads.map(|thread| thread.join().expect("no panic"));
    assert_eq!((a + other_a + taken(&shared, A, at(0)), b + taken(&shared, B, at(0))), (1, 1));
}

/// The only free place, and two keys that want it: one gets it, and who is let through is counted.
fn full() {
    let config = KeyedConfig { when_full: WhenFull::FailOpen, ..one_a_second(1) };
    let shared = Arc::new(Table::new(config, 7, at(0)).expect("legal"));
    for key in OTHERS {
        shared.try_take(key, 1, at(0)).expect("free");
    }
    let other = shared.clone();
    let newcomer = thread::spawn(move || taken(&other, A, at(0)));
    let sum = taken(&shared, B, at(0)) + newcomer.join().expect("no panic");
    assert_eq!((sum, shared.let_through(), shared.occupied(at(0))), (2, 1, 3));
}

/// A burst grows, in a cell that a stopped reader has begun to read: it finds no burst that nobody earned.
fn change() {
    let shared = Arc::new(Table::new(KeyedConfig { rate: Rate::ZERO, ..one_a_second(1) }, 7, at(0)).expect("legal"));
    let other = shared.clone();
    let setter = thread::spawn(move || {
        for burst in [1, 8] {
            other.set_config(KeyedConfig { rate: Rate::ZERO, ..one_a_second(burst) }, at(0)).expect("one setter");
        }
    });
    let refused = shared.try_take(A, 4, at(0)).expect_err("there was never more than one");
    assert!([Reason::Never, Reason::NotYet].contains(&refused.reason()));
    setter.join().expect("no panic");
    assert_eq!(taken(&shared, A, at(0)) + taken(&shared, A, at(0)), 1);
}

#[test]
fn keyed_buckets_a_key_has_one_entry() {
    check("keyed_buckets newcomers", Preemptions::AtMost(4), newcomers);
    check("keyed_buckets newcomers with enough", Preemptions::AtMost(4), newcomers_with_enough);
}

#[test]
fn keyed_buckets_an_admission_outlives_the_next() {
    check("keyed_buckets admitted before another", Preemptions::AtMost(2), admitted_before_another);
}

#[test]
fn keyed_buckets_takers_never_pass_the_limit() {
    check("keyed_buckets takers", Preemptions::Unbounded, takers);
    check("keyed_buckets moving clock", Preemptions::AtMost(4), moving_clock);
}

#[test]
fn keyed_buckets_a_place_is_one_keys_at_a_time() {
    check("keyed_buckets removal", Preemptions::few(4), removal);
    check("keyed_buckets full", Preemptions::AtMost(4), full);
}

#[test]
fn keyed_buckets_an_old_reading_mints_nothing_after_a_removal() {
    check("keyed_buckets removed under an old reading", Preemptions::Unbounded, removed_under_an_old_reading);
}

#[test]
fn keyed_buckets_three_threads() {
    check("keyed_buckets three", Preemptions::AtMost(1), three);
}

#[test]
fn keyed_buckets_a_change_makes_no_token() {
    check("keyed_buckets change", Preemptions::AtMost(3), change);
}

#[test]
fn keyed_buckets_the_exchange_is_needed() {
    must_fail("keyed_buckets takers", "keyed buckets: the exchange is a store", Preemptions::AtMost(2), takers);
}

#[test]
fn keyed_buckets_admission_is_needed() {
    must_fail("keyed_buckets newcomers", "keyed buckets: a newcomer asks nobody", Preemptions::AtMost(3), newcomers);
    let fault = "keyed buckets: a newcomer counts before it is admitted";
    must_fail("keyed_buckets newcomers", fault, Preemptions::AtMost(3), newcomers);
    let fault = "keyed buckets: an admission is forgotten";
    must_fail("keyed_buckets admitted before another", fault, Preemptions::AtMost(3), admitted_before_another);
}

#[test]
fn keyed_buckets_generations_are_needed() {
    must_fail("keyed_buckets removal", "keyed buckets: a place keeps its generation", Preemptions::AtMost(3), removal);
}

#[test]
fn keyed_buckets_the_mark_of_a_removal_is_needed() {
    let model = removed_under_an_old_reading;
    let name = "keyed_buckets removed under an old reading";
    must_fail(name, "keyed buckets: a removal leaves no mark", Preemptions::AtMost(3), model);
    must_fail(name, "keyed buckets: a place is entered silently", Preemptions::AtMost(3), model);
}

#[test]
fn keyed_buckets_a_second_look_at_the_terms_is_needed() {
    must_fail("keyed_buckets change", "keyed buckets: terms need no second look", Preemptions::AtMost(3), change);
}
