//! The shards of a guard under the schedules that loom explores: what is done to one changes no other.

use loom::sync::Arc;

use seawall::{Guard, Instant, Outcome, Request, State};

use crate::guard::{at, config};
use crate::harness::{Preemptions, check, must_fail};

type Two = Guard<2, 2>;
const BOUND: Preemptions = Preemptions::AtMost(2);

fn send(guard: &Two, shard: u32, outcome: Outcome, now: Instant) -> Option<State> {
    let mut call = guard.begin(Request { shard, ..Request::DEFAULT }, now);
    let admission = guard.try_attempt(&mut call, now).expect("there are two of everything, and a probe for each");
    let finished = guard.finish(&mut call, admission.permit, outcome, now);
    assert!(finished.transition.is_none_or(|told| told.shard == shard));
    finished.transition.map(|told| told.to)
}

/// Two threads probe a shard each: each gets the probe of its own, and each verdict is its own.
fn a_probe_each() {
    let guard = Arc::new(Two::new(config(2, 8), 7, at(0)).expect("legal"));
    (0..2).for_each(|shard| assert!(guard.breaker(shard).trip(at(0), 0).is_some()));
    let other = {
        let guard = guard.clone();
        loom::thread::spawn(move || send(&guard, 1, Outcome::Failure, at(2)))
    };
    assert_eq!(send(&guard, 0, Outcome::Success, at(2)), Some(State::Closed));
    assert_eq!(other.join().expect("no panic"), Some(State::Open));
    assert_eq!((guard.breaker(0).state(at(2)), guard.breaker(1).state(at(2))), (State::Closed, State::Open));
}

#[test]
fn guard_shards_do_not_disturb_each_other() {
    check("guard shards, a probe each", BOUND, a_probe_each);
}

#[test]
fn guard_shards_a_breaker_each_is_needed() {
    must_fail("guard shards, a probe each", "guard: all shards have one breaker", BOUND, a_probe_each);
}
