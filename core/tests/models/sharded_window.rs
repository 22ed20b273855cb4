//! Sharded windows under the schedules that loom explores: owners and readers, two slices, clocks that disagree.
//!
//! The steps of many writers in one shard are those of a sliding window: see sliding_window.rs. Here are the steps of an
//! owner, and what holds over all shards. As there, readers are the spawned threads.

use core::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use seawall::{Instant, OneWriter, OwnedWindow, ShardedWindow, WindowConfig};

use crate::harness::{Preemptions, check, must_fail};

/// Two slices of half a millisecond, two octaves.
type Window<const SHARDS: usize> = ShardedWindow<SHARDS, 2, 2, OneWriter>;
type Owner<'a> = OwnedWindow<'a, 2, 2>;

const SLICE: u64 = 500_000;
const SHORT: Duration = Duration::from_nanos(100);
const LONG: Duration = Duration::from_nanos(5_000);

fn window<const SHARDS: usize>() -> Arc<Window<SHARDS>> {
    Arc::new(Window::for_owners(WindowConfig { window: Duration::from_millis(1) }).expect("a legal window"))
}

fn own<const SHARDS: usize>(window: &Window<SHARDS>, shard: u32) -> Owner<'_> {
    window.own(shard).expect("nobody else owns it")
}

fn slice(number: u64) -> Instant {
    Instant::from_nanos(number * SLICE)
}

/// A reader while the clock that all read moves over a boundary, and the owner takes over a slot of an old turn.
fn a_reader_beside_an_owner_with_a_moving_clock() {
    let window = window::<1>();
    let clock = Arc::new(AtomicU64::new(SLICE));
    let mut owner = own(&window, 0);
    owner.record(LONG, false, slice(0));
    owner.record(SHORT, true, slice(1));
    let reader = {
        let (window, clock) = (window.clone(), clock.clone());
        thread::spawn(move || {
            let now = Instant::from_nanos(clock.load(Ordering::Relaxed));
            let summary = window.snapshot(now).summary();
            let seen = (summary.count, summary.errors);
            if now == slice(1) {
                // The slot of the old slice may be taken over before it is read, in part or all.
                assert!(matches!(seen, (2, 1) | (1, 0)), "samples and errors: {seen:?}");
            } else {
                assert!(matches!(seen, (1, 0) | (2, 0) | (2, 1)), "samples and errors: {seen:?}");
                assert_eq!(summary.max, Some(if summary.count == 2 { LONG } else { SHORT }), "{seen:?}");
            }
        })
    };
    clock.store(2 * SLICE, Ordering::Relaxed);
    owner.record(LONG, false, slice(2));
    reader.join().unwrap();
    let summary = window.summary(slice(2));
    assert_eq!((summary.count, summary.errors, summary.max), (2, 1, Some(LONG)));
    assert_eq!((summary.total_count, summary.total_errors, window.total_late()), (3, 2, 0));
}

/// A reader of the totals while the owner moves an old count into them: no sample twice.
fn a_reader_of_totals_beside_an_owner() {
    let window = window::<1>();
    let mut owner = own(&window, 0);
    owner.record(SHORT, false, slice(0));
    owner.record(SHORT, false, slice(0));
    let reader = {
        let window = window.clone();
        thread::spawn(move || {
            let (count, errors) = (window.total_count(), window.total_errors());
            assert!(count <= 3 && errors <= 3, "counted twice: {count} samples, {errors} errors");
        })
    };
    owner.record(SHORT, false, slice(2));
    reader.join().unwrap();
    assert_eq!((window.total_count(), window.total_errors()), (3, 3));
}

/// A failure joins a success in one cell: never an error without its sample.
fn a_reader_beside_a_failure() {
    let window = window::<1>();
    let mut owner = own(&window, 0);
    owner.record(SHORT, true, slice(1));
    let reader = {
        let window = window.clone();
        thread::spawn(move || {
            let snapshot = window.snapshot(slice(1));
            let seen = (snapshot.count(), snapshot.errors());
            assert!(matches!(seen, (1, 0) | (2, 0) | (2, 1)), "samples and errors: {seen:?}");
        })
    };
    owner.record(SHORT, false, slice(1));
    reader.join().unwrap();
    assert_eq!(window.snapshot(slice(1)).errors(), 1);
}

/// Two owners, each of its shard, on both sides of a boundary. They meet in one word: the earliest instant of all.
fn two_owners() {
    let window = window::<2>();
    let other = {
        let window = window.clone();
        thread::spawn(move || own(&window, 1).record(LONG, false, slice(2)))
    };
    own(&window, 0).record(SHORT, true, slice(3));
    other.join().unwrap();
    let later = Instant::from_nanos(4 * SLICE - 1);
    let summary = window.summary(later);
    assert_eq!((summary.count, summary.errors, summary.max), (2, 1, Some(LONG)));
    assert_eq!(summary.observed, Duration::from_nanos(2 * SLICE - 1), "since the earlier of the two");
    assert_eq!((summary.total_count, summary.total_errors), (2, 1));
}

/// A mark while an owner records: that sample is before the mark or after it, and no older one comes back.
fn an_owner_across_a_mark() {
    let window = window::<1>();
    let mut owner = own(&window, 0);
    owner.record(SHORT, true, slice(1));
    let marker = {
        let window = window.clone();
        thread::spawn(move || window.mark(slice(1)))
    };
    owner.record(SHORT, false, slice(1));
    marker.join().unwrap();
    let summary = window.summary(slice(1));
    assert!(matches!((summary.count, summary.errors), (0, 0) | (1, 1)), "{summary:?}");
    assert_eq!((summary.total_count, summary.total_errors), (2, 1));
    owner.record(SHORT, true, slice(1));
    let after = window.summary(slice(1));
    assert_eq!((after.count, after.errors), (summary.count + 1, summary.errors), "what follows the mark counts");
}

/// A mark while another reads two shards: all of the past, or none of it.
fn a_reader_of_shards_across_a_mark() {
    let window = window::<2>();
    own(&window, 0).record(SHORT, true, slice(0));
    own(&window, 1).record(LONG, true, slice(1));
    let reader = {
        let window = window.clone();
        thread::spawn(move || {
            let count = window.snapshot(slice(1)).count();
            assert!(count == 2 || count == 0, "a mark is seen in all shards or in none: {count}");
        })
    };
    window.mark(slice(1));
    reader.join().unwrap();
    assert_eq!((window.snapshot(slice(1)).count(), window.total_count()), (0, 2));
}

/// Two threads that both want the shard: each counts what it could count, and nothing is lost between them.
fn an_owner_after_another() {
    let window = window::<1>();
    let other = {
        let window = window.clone();
        thread::spawn(move || match window.own(0) {
            Some(mut owner) => {
                owner.record(SHORT, true, slice(1));
                1
            }
            None => 0,
        })
    };
    let mut recorded = 0;
    if let Some(mut owner) = window.own(0) {
        owner.record(SHORT, true, slice(1));
        recorded += 1;
    }
    recorded += other.join().unwrap();
    assert!(recorded >= 1, "at least one of them owned it");
    assert_eq!((window.snapshot(slice(1)).count(), window.total_count()), (recorded, recorded));
}

/// Two that come at the same time, and one of them again: who comes in vain changes nothing.
fn one_who_comes_in_vain() {
    let (window, holders) = (window::<1>(), Arc::new(AtomicU64::new(0)));
    let hold = |window: &Window<1>, holders: &AtomicU64| {
        if let Some(owner) = window.own(0) {
            assert_eq!(holders.fetch_add(1, Ordering::Relaxed), 0, "a shard has one owner at a time");
            holders.fetch_sub(1, Ordering::Relaxed);
            drop(owner);
        }
    };
    let other = {
        let (window, holders) = (window.clone(), holders.clone());
        thread::spawn(move || hold(&window, &holders))
    };
    hold(&window, &holders);
    hold(&window, &holders);
    other.join().unwrap();
    assert!(window.own(0).is_some(), "all have left it");
}

#[test]
fn sharded_window_a_reader_beside_an_owner_sees_whole_samples_and_none_twice() {
    let name = "sharded_window, a reader beside an owner with a moving clock";
    check(name, Preemptions::Unbounded, a_reader_beside_an_owner_with_a_moving_clock);
    check("sharded_window, a reader beside a failure", Preemptions::Unbounded, a_reader_beside_a_failure);
    check("sharded_window, a reader of totals", Preemptions::Unbounded, a_reader_of_totals_beside_an_owner);
}

#[test]
fn sharded_window_owners_lose_nothing_and_hand_over_whole() {
    check("sharded_window, two owners", Preemptions::Unbounded, two_owners);
    check("sharded_window, an owner after another", Preemptions::Unbounded, an_owner_after_another);
    check("sharded_window, one who comes in vain", Preemptions::Unbounded, one_who_comes_in_vain);
}

#[test]
fn sharded_window_a_mark_excludes_the_past_of_all_shards_whole() {
    check("sharded_window, an owner across a mark", Preemptions::Unbounded, an_owner_across_a_mark);
    check("sharded_window, a reader across a mark", Preemptions::Unbounded, a_reader_of_shards_across_a_mark);
}

#[test]
fn sharded_window_each_step_is_needed() {
    let faulty = |fault, model: fn()| must_fail("sharded_window", fault, Preemptions::AtMost(3), model);
    faulty("sliding_window: a sample is added relaxed", a_reader_beside_an_owner_with_a_moving_clock);
    faulty("sliding_window: a sample is added relaxed", a_reader_beside_a_failure);
    faulty("sliding_window: a sample is read relaxed", a_reader_beside_a_failure);
    faulty("sliding_window: errors are read last", a_reader_beside_a_failure);
    faulty(
        "sliding_window: an old count is in the totals before it has left its cell",
        a_reader_of_totals_beside_an_owner,
    );
    faulty("sliding_window: an old count is dropped", a_reader_of_totals_beside_an_owner);
    faulty("sliding_window: an error looks for its slice anew", an_owner_across_a_mark);
    faulty("sharded_window: each shard reads the time line anew", a_reader_of_shards_across_a_mark);
    faulty("timeline: a mark is read relaxed", a_reader_of_shards_across_a_mark);
    faulty("timeline: the mark is stored before the shift", a_reader_of_shards_across_a_mark);
    faulty("shard: a claim may have two owners", an_owner_after_another);
    faulty("shard: a claim may have two owners", one_who_comes_in_vain);
    faulty("shard: a claim in vain frees the shard", one_who_comes_in_vain);
    faulty("shard: a claim is freed unseen", an_owner_after_another);
}
