//! The concurrency limit under the schedules that loom explores: never more than the limit, and nothing lost.

use core::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use seawall::{ConcurrencyLimit, Instant, LimitConfig, LimitPermit, Outcome, Reason};

use crate::harness::{Preemptions, check, must_fail};

const SECOND: u64 = 1_000_000_000;
type Limit = ConcurrencyLimit<3>;

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * SECOND)
}

fn limit(start: u32) -> Arc<Limit> {
    let lease = Duration::from_secs(5);
    Arc::new(Limit::new(LimitConfig { start, ceiling: 3, lease, ..LimitConfig::DEFAULT }).unwrap())
}

/// How many hold a permit. Not an atomic of the model: it orders nothing.
struct Held(AtomicUsize, u32);

impl Held {
    fn hold(&self, limit: &Limit, now: Instant) {
        if let Ok(permit) = limit.try_attempt(now) {
            assert!(self.0.fetch_add(1, SeqCst) < self.1 as usize, "more than the limit is in flight");
            thread::yield_now();
            self.0.fetch_sub(1, SeqCst);
            limit.finish(permit, Outcome::Ignored, now);
        }
    }
}

/// Two threads with clocks that differ, one slot: what the one did in flight happens before what the other does.
fn exclusion() {
    let (limit, cell) = (limit(1), Arc::new(UnsafeCell::new(0)));
    let work = |now: Instant| {
        let (limit, cell) = (limit.clone(), cell.clone());
        move || {
            if let Ok(permit) = limit.try_attempt(now) {
                // SAFETY: one permit is out at a time; the model checks just this.
                cell.with_mut(|number| unsafe { *number += 1 });
                limit.finish(permit, Outcome::Ignored, now);
            }
        }
    };
    let other = thread::spawn(work(at(1)));
    work(at(2))();
    other.join().unwrap();
    assert_eq!(limit.in_flight(at(0)), 0);
}

/// A slot that is freed between two looks of one refusal is no clock that stepped.
fn freed_between_two_looks() {
    let limit = limit(1);
    let permit = limit.try_attempt(at(1)).unwrap();
    let other = {
        let limit = limit.clone();
        thread::spawn(move || limit.peek(at(1)))
    };
    limit.finish(permit, Outcome::Ignored, at(1));
    let answer = other.join().unwrap();
    assert!(answer.err().is_none_or(|refused| refused.reason() == Reason::NotYet), "{answer:?}");
}

/// Three threads that take and give back under a limit of two.
fn three_under_two() {
    let (limit, held) = (limit(2), Arc::new(Held(AtomicUsize::new(0), 2)));
    let threads = [1, 3].map(|second| {
        let (limit, held) = (limit.clone(), held.clone());
        thread::spawn(move || held.hold(&limit, at(second)))
    });
    held.hold(&limit, at(2));
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(limit.in_flight(at(0)), 0);
}

/// The limit is cut to one while three are out. They give back lowest first, and two threads ask: as long as one above
/// the new limit is held, nobody is admitted.
fn draining_cut() {
    let limit = limit(3);
    let [low, middle, high] = [0; 3].map(|_| limit.try_attempt(at(0)).unwrap());
    limit.set_limit(1);
    let threads = [low, middle].map(|permit: LimitPermit| {
        let limit = limit.clone();
        thread::spawn(move || {
            limit.cancel(permit, at(1));
            limit.try_attempt(at(1)).is_ok()
        })
    });
    for thread in threads {
        assert!(!thread.join().unwrap(), "admitted while as many as the limit are in flight");
    }
    limit.cancel(high, at(1));
    assert!(limit.try_attempt(at(1)).is_ok());
}

/// A lease lapses while its holder reports, on a clock that moves: the slot goes to one or to nobody, never to two.
fn late_report() {
    let limit = limit(1);
    let clock = Arc::new(AtomicU64::new(0));
    let lost = limit.try_attempt(at(0)).unwrap();
    let reporter = {
        let (limit, clock) = (limit.clone(), clock.clone());
        thread::spawn(move || {
            clock.store(6, Ordering::Relaxed);
            limit.finish(lost, Outcome::Ignored, at(6))
        })
    };
    let second = limit.try_attempt(at(clock.load(Ordering::Relaxed)));
    assert_eq!(reporter.join().unwrap(), None);
    assert_eq!(limit.in_flight(at(4)), u32::from(second.is_ok()));
}

/// Two slow replies of one round trip, and a growing one beside them: one cut.
fn racing_cuts() {
    let limit = limit(3);
    let permits = [0; 2].map(|_| limit.try_attempt(at(0)).unwrap());
    let full = limit.try_attempt(at(0)).unwrap();
    let threads = permits.map(|permit| {
        let limit = limit.clone();
        // The third permit is held throughout, and one of the two is still held or counts itself.
        thread::spawn(move || limit.finish(permit, Outcome::Throttled(None), at(0)))
    });
    let changes = threads.into_iter().filter_map(|thread| thread.join().unwrap()).count();
    limit.cancel(full, at(0));
    // 3 x 0.8 = 2.4, and not 1.92; nothing at all if the other had gone before either looked.
    assert!(changes <= 1);
    assert!(limit.limit() >= 2);
}

/// Four full reports in a row saturate; two have been made. One that is slow and full races one that finds room, and
/// then one that is slow and full comes: it has at most one before it, whatever the race did.
fn broken_row() {
    let config = LimitConfig { start: 3, ceiling: 3, saturated_after: 4, tolerance_percent: 0, ..LimitConfig::DEFAULT };
    let limit = Arc::new(Limit::new(config).unwrap());
    for _ in 0..2 {
        let permits = [0; 3].map(|_| limit.try_attempt(at(0)).unwrap());
        let [first, second, third] = permits;
        assert_eq!(limit.finish(first, Outcome::Success, at(1)), None);
        limit.cancel(second, at(1));
        limit.cancel(third, at(1));
    }
    let full = [0; 3].map(|_| limit.try_attempt(at(0)).unwrap());
    let [first, second, third] = full;
    let reporter = {
        let limit = limit.clone();
        thread::spawn(move || limit.finish(first, Outcome::Success, at(1)))
    };
    // Two slots are free before it reports: it finds room.
    limit.cancel(second, at(1));
    assert_eq!(limit.finish(third, Outcome::Success, at(1)), None);
    assert_eq!(reporter.join().unwrap(), None);
    let last = [0; 3].map(|_| limit.try_attempt(at(2)).unwrap());
    assert_eq!(limit.finish(last[0], Outcome::Success, at(3)), None, "a row went on across a report that found room");
}

#[test]
fn concurrency_limit_rows_end() {
    check("concurrency_limit broken row", Preemptions::Unbounded, broken_row);
}

#[test]
fn concurrency_limit_counting_by_exchange_is_needed() {
    let fault = "concurrency_limit: a report is stored, not exchanged";
    must_fail("concurrency_limit broken row", fault, Preemptions::Unbounded, broken_row);
}

#[test]
fn concurrency_limit_is_strict() {
    check("concurrency_limit exclusion", Preemptions::Unbounded, exclusion);
    check("concurrency_limit three under two", Preemptions::at_most(2, 3), three_under_two);
}

/// The limit grows and is cut while others take: nobody who goes by the lower limit finds more than it allows in flight.
fn taken_while_it_moves() {
    let limit = limit(1);
    let mover = {
        let limit = limit.clone();
        thread::spawn(move || {
            limit.set_limit(2);
            limit.set_limit(1);
        })
    };
    let taker = {
        let limit = limit.clone();
        thread::spawn(move || limit.try_attempt(at(1)).is_ok())
    };
    let taken = usize::from(limit.try_attempt(at(1)).is_ok());
    let taken = taken + usize::from(taker.join().unwrap());
    mover.join().unwrap();
    assert!((1..=2).contains(&taken));
    assert_eq!(limit.in_flight(at(1)) as usize, taken);
    assert!(limit.try_attempt(at(1)).is_err());
}

#[test]
fn concurrency_limit_is_strict_while_it_moves() {
    check("concurrency_limit taken while it moves", Preemptions::Unbounded, taken_while_it_moves);
}

#[test]
fn concurrency_limit_is_strict_while_a_cut_drains() {
    check("concurrency_limit draining cut", Preemptions::Unbounded, draining_cut);
}

#[test]
fn concurrency_limit_refuses_by_its_own_name() {
    check("concurrency_limit freed between two looks", Preemptions::Unbounded, freed_between_two_looks);
}

#[test]
fn concurrency_limit_something_held_is_needed_for_a_step() {
    let fault = "concurrency_limit: nothing held is a clock that stepped";
    must_fail("concurrency_limit freed between two looks", fault, Preemptions::Unbounded, freed_between_two_looks);
}

#[test]
fn concurrency_limit_late_report_frees_nothing() {
    check("concurrency_limit late report", Preemptions::Unbounded, late_report);
}

#[test]
fn concurrency_limit_cuts_once_a_round_trip() {
    check("concurrency_limit racing cuts", Preemptions::Unbounded, racing_cuts);
}

#[test]
fn concurrency_limit_exchange_is_needed() {
    let fault = "concurrency_limit: a slot is stored, not exchanged";
    must_fail("concurrency_limit exclusion", fault, Preemptions::Unbounded, exclusion);
    must_fail("concurrency_limit three under two", fault, Preemptions::AtMost(3), three_under_two);
}

#[test]
fn concurrency_limit_acquire_is_needed() {
    let fault = "concurrency_limit: a slot is taken without looking back";
    must_fail("concurrency_limit exclusion", fault, Preemptions::Unbounded, exclusion);
}

#[test]
fn concurrency_limit_counting_above_the_limit_is_needed() {
    let fault = "concurrency_limit: permits over the limit are not counted";
    must_fail("concurrency_limit draining cut", fault, Preemptions::Unbounded, draining_cut);
    let fault = "concurrency_limit: after a cut any free slot will do";
    must_fail("concurrency_limit draining cut", fault, Preemptions::Unbounded, draining_cut);
}

#[test]
fn concurrency_limit_identity_is_needed() {
    let fault = "concurrency_limit: a void permit frees a slot";
    must_fail("concurrency_limit late report", fault, Preemptions::Unbounded, late_report);
}

#[test]
fn concurrency_limit_cut_count_is_needed() {
    let fault = "concurrency_limit: every slow call cuts";
    must_fail("concurrency_limit racing cuts", fault, Preemptions::Unbounded, racing_cuts);
}
