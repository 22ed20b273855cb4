//! The line in front of a guard under the schedules that loom explores: blocking waiters, whose sleep never ends by
//! itself. A wake-up that is lost is a deadlock, which loom reports. No clock moves: only reports wake.

use core::time::Duration;

// Not loom's: a deadlock unwinds, and one of loom's must not be dropped then.
use std::sync::Arc;

use loom::thread;

use seawall::{Call, Guard, GuardQueue, ManualClock, Outcome, Permit, Request};

use crate::guard::{at, config};
use crate::harness::{Preemptions, check, must_fail};

type Queue = GuardQueue<std::boxed::Box<Guard<1>>, ManualClock>;

const HOUR: Duration = Duration::from_secs(3_600);

fn queue() -> Arc<Queue> {
    let guard = Guard::new(config(1, 8), 7, at(0)).expect("legal");
    Arc::new(GuardQueue::new(std::boxed::Box::new(guard), ManualClock::starting_at(at(0))))
}

fn take(queue: &Queue, max_wait: Duration) -> Option<(Call, Permit)> {
    let mut call = queue.begin(Request::DEFAULT);
    let admission = queue.attempt(&mut call, max_wait).ok()?;
    Some((call, admission.permit))
}

fn serve(queue: &Queue) {
    let (mut call, permit) = take(queue, HOUR).expect("the slot is freed in the end");
    let _ = queue.finish(&mut call, permit, Outcome::Success);
}

fn spawn(queue: &Arc<Queue>, work: impl FnOnce(&Queue) + 'static) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || work(&queue))
}

fn is_idle(queue: &Queue) {
    assert_eq!((queue.waiting(), queue.guard().limit().in_flight(at(0))), (0, 0));
}

/// The slot is freed at any moment of another's way from its refusal to its sleep.
fn a_slot_is_freed() {
    let queue = queue();
    let (mut call, permit) = take(&queue, Duration::ZERO).expect("free");
    let waiter = spawn(&queue, serve);
    let _ = queue.finish(&mut call, permit, Outcome::Success);
    waiter.join().expect("served");
    is_idle(&queue);
}

#[test]
fn guard_queue_a_freed_slot_is_never_slept_through() {
    check("guard_queue/a slot is freed", Preemptions::Unbounded, a_slot_is_freed);
}

#[test]
fn guard_queue_each_step_against_a_lost_wake_up_is_needed() {
    for fault in [
        "waiting line: a head sleeps without a last look at the news",
        "waiting line: news wakes nobody",
        "waiting line: news brings nothing with it",
        "waiting line: the news is read without looking",
        "guard queue: the news is heard after the look",
    ] {
        must_fail("guard_queue/a slot is freed", fault, Preemptions::Unbounded, a_slot_is_freed);
    }
}

/// Two wait, and one report ends the wait of both: the breaker refuses them, and who is told passes the turn on.
fn a_turn_is_passed_on() {
    let queue = queue();
    let (mut call, permit) = take(&queue, Duration::ZERO).expect("free");
    let waiters = [(); 2].map(|()| spawn(&queue, |queue| assert!(take(queue, HOUR).is_none())));
    queue.guard().breaker(0).force_open(at(0));
    let _ = queue.finish(&mut call, permit, Outcome::Success);
    for waiter in waiters {
        waiter.join().expect("refused");
    }
    is_idle(&queue);
}

const BOUND: Preemptions = Preemptions::AtMost(2);

#[test]
fn guard_queue_a_turn_is_passed_on_to_the_last() {
    check("guard_queue/a turn is passed on", BOUND, a_turn_is_passed_on);
}

#[test]
fn guard_queue_passing_the_turn_on_is_needed() {
    let fault = "waiting line: the turn is not passed on";
    must_fail("guard_queue/a turn is passed on", fault, BOUND, a_turn_is_passed_on);
}
