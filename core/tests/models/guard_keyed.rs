//! The buckets by key of a guard under the schedules that loom explores: what a key has once is given once, and what
//! was not sent is its own again.

use core::time::Duration;

use loom::sync::Arc;
use loom::thread;

use seawall::{
    Guard, GuardConfig, Instant, KeyedBuckets, KeyedConfig, Outcome, Permit, Rate, Request, Verdict, WhenFull,
};

use crate::guard::{Small, at, config};
use crate::harness::{Preemptions, check, must_fail};

type Keyed = Guard<2, 1, KeyedBuckets<1>>;
const BOUND: Preemptions = Preemptions::AtMost(2);
const A: u64 = 1;
const B: u64 = 2;

/// A token a day for each key, so that nothing is earned.
fn guard(config: GuardConfig, each: u32) -> Arc<Keyed> {
    let each = KeyedConfig::new(Rate::per_day(1), WhenFull::FailClosed).burst(each);
    let users = KeyedBuckets::new(each, 7, at(0)).expect("legal");
    Arc::new(Small::new(config, 7, at(0)).expect("legal").with_keyed(users))
}

fn attempt(guard: &Keyed, key: u64, now: Instant) -> Option<Permit> {
    let mut call = guard.begin(Request { key, ..Request::DEFAULT }, now);
    Some(guard.try_attempt(&mut call, now).ok()?.permit)
}

fn beside<T: 'static>(guard: &Arc<Keyed>, work: impl FnOnce(&Keyed) -> T + 'static) -> thread::JoinHandle<T> {
    let guard = guard.clone();
    thread::spawn(move || work(&guard))
}

/// Two threads ask for the only token of a key, which has its place already: one is sent, and the other keeps nothing
/// that is shared.
fn one_token() {
    let guard = guard(config(2, 2), 2);
    assert!(guard.keyed().try_take(A, 1, at(0)).is_ok());
    let other = beside(&guard, |guard| attempt(guard, A, at(1)).is_some());
    let sent = u32::from(attempt(&guard, A, at(2)).is_some()) + u32::from(other.join().expect("no panic"));
    assert_eq!(sent, 1);
    assert_eq!(guard.keyed().available(A, at(2)), 0);
    assert_eq!((guard.limit().in_flight(at(2)), guard.bucket().available(at(2))), (1, 1));
}

/// Two threads ask for the only slot, for one key that has two tokens: one token is spent.
fn one_slot() {
    let guard = guard(config(1, 2), 3);
    assert!(guard.keyed().try_take(A, 1, at(0)).is_ok());
    let other = beside(&guard, |guard| attempt(guard, A, at(1)).is_some());
    assert_ne!(attempt(&guard, A, at(2)).is_some(), other.join().expect("no panic"), "there is one slot");
    assert_eq!((guard.keyed().available(A, at(2)), guard.bucket().available(at(2))), (1, 1));
}

/// Two threads ask for the only probe, each for a key of its own: the one that loses it has its token again.
fn one_probe() {
    let guard = guard(config(2, 2), 2);
    for key in [A, B] {
        assert!(guard.keyed().try_take(key, 1, at(0)).is_ok());
    }
    assert!(guard.breaker(0).trip(at(0), 0).is_some());
    let other = beside(&guard, |guard| attempt(guard, B, at(2)).is_some());
    let (mine, others) = (attempt(&guard, A, at(2)).is_some(), other.join().expect("no panic"));
    assert_ne!(mine, others, "there is one probe");
    assert_eq!([A, B].map(|key| guard.keyed().available(key, at(2))), [u32::from(others), u32::from(mine)]);
    assert_eq!((guard.limit().in_flight(at(2)), guard.bucket().available(at(2))), (1, 1));
}

/// As `one_probe`, for one key, that has two tokens and may have no place yet.
fn one_probe_of_one_key(is_new: bool) {
    let guard = guard(config(2, 2), if is_new { 2 } else { 3 });
    assert!(is_new || guard.keyed().try_take(A, 1, at(0)).is_ok());
    assert!(guard.breaker(0).trip(at(0), 0).is_some());
    let other = beside(&guard, |guard| attempt(guard, A, at(2)).is_some());
    let (mine, others) = (attempt(&guard, A, at(2)).is_some(), other.join().expect("no panic"));
    assert_ne!(mine, others, "there is one probe");
    assert_eq!(guard.keyed().available(A, at(2)), 1);
}

fn one_probe_of_a_known_key() {
    one_probe_of_one_key(false);
}

fn one_probe_of_a_new_key() {
    one_probe_of_one_key(true);
}

/// A report and a cancellation of one permit: the token of the key comes back with the slot, or not at all.
fn report_and_cancel() {
    let guard = guard(config(2, 2), 2);
    let mut call = guard.begin(Request { key: A, ..Request::DEFAULT }, at(1));
    let permit = guard.try_attempt(&mut call, at(1)).expect("two of everything").permit;
    assert!(guard.keyed().try_take(A, 1, at(1)).is_ok());
    let other = beside(&guard, move |guard| guard.finish(&mut call, permit, Outcome::Success, at(1)).verdict);
    let cancelled = guard.cancel(permit, at(2));
    assert_eq!(other.join().expect("no panic"), Verdict::Done);
    assert_eq!(guard.keyed().available(A, at(2)), u32::from(cancelled));
}

/// A clock that goes over while a thread asks: the shared bucket and those of the keys are on one clock afterwards.
fn rebase_beside_a_taker() {
    let guard = guard(config(2, 2), 2);
    assert!(guard.keyed().try_take(A, 1, at(100)).is_ok());
    let other = beside(&guard, |guard| attempt(guard, A, at(100)).is_some());
    assert_eq!(guard.rebase(at(100), at(0)), Ok(()));
    let sent = other.join().expect("no panic");
    assert_eq!(guard.keyed().available(A, at(0).saturating_add(Duration::from_secs(1))), 1 - u32::from(sent));
}

#[test]
fn guard_keyed_one_token_is_given_once_and_the_loser_leaves_no_trace() {
    check("guard keyed, one token", Preemptions::AtMost(3), one_token);
    check("guard keyed, one slot", Preemptions::AtMost(3), one_slot);
}

#[test]
fn guard_keyed_what_a_later_stage_refuses_is_the_keys_again() {
    check("guard keyed, one probe", BOUND, one_probe);
    check("guard keyed, one probe of one key", BOUND, one_probe_of_a_known_key);
    check("guard keyed, one probe of a new key", BOUND, one_probe_of_a_new_key);
}

#[test]
fn guard_keyed_one_permit_gives_back_once() {
    check("guard keyed, report and cancel", Preemptions::Unbounded, report_and_cancel);
}

#[test]
fn guard_keyed_both_buckets_go_over_to_another_clock() {
    check("guard keyed, rebase beside a taker", BOUND, rebase_beside_a_taker);
}

#[test]
fn guard_keyed_taking_and_giving_back_is_needed() {
    let fault = "guard: the bucket of a key is only looked at";
    must_fail("guard keyed, one token", fault, BOUND, one_token);
    let fault = "guard: the tokens of the key stay spent when the breaker refuses";
    must_fail("guard keyed, one probe", fault, BOUND, one_probe);
    must_fail("guard keyed, one probe of a new key", fault, BOUND, one_probe_of_a_new_key);
    let fault = "guard: the slot stays held when a later stage refuses";
    must_fail("guard keyed, one token", fault, BOUND, one_token);
    let fault = "guard: a void permit refunds";
    must_fail("guard keyed, report and cancel", fault, BOUND, report_and_cancel);
}
