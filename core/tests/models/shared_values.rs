//! The clock and the random stream that threads share.

use core::time::Duration;

use loom::sync::Arc;
use loom::thread;
use seawall::{Clock, Instant, ManualClock, Random, SharedRandom};

use crate::harness::{Preemptions, check, must_fail};

fn three_threads_move_a_clock() {
    let clock = Arc::new(ManualClock::starting_at(Instant::ORIGIN));
    let move_by = |nanos: u64| {
        let clock = clock.clone();
        move || {
            let before = clock.now();
            clock.advance(Duration::from_nanos(nanos));
            assert!(clock.now() >= before.saturating_add(Duration::from_nanos(nanos)), "the clock ran back");
        }
    };
    let others = [thread::spawn(move_by(10)), thread::spawn(move_by(100))];
    move_by(1)();
    others.into_iter().for_each(|other| other.join().unwrap());
    assert_eq!(clock.now(), Instant::from_nanos(111));
}

#[test]
fn a_clock_that_threads_move_loses_no_nanosecond() {
    check("a_clock_that_threads_move_loses_no_nanosecond", Preemptions::AtMost(3), three_threads_move_a_clock);
}

#[test]
fn the_exchange_in_advance_is_needed() {
    must_fail(
        "the_exchange_in_advance_is_needed",
        "manual clock: advance stores what it computed",
        Preemptions::Unbounded,
        three_threads_move_a_clock,
    );
}

fn three_threads_draw() {
    let stream = Arc::new(SharedRandom::from_seed(7));
    let others = [0, 1].map(|_| {
        let stream = stream.clone();
        thread::spawn(move || stream.next_u64())
    });
    let mut drawn = vec![stream.next_u64()];
    drawn.extend(others.map(|other| other.join().unwrap()));
    drawn.sort_unstable();
    let mut alone = Random::from_seed(7);
    let mut expected = [0, 1, 2].map(|_| alone.next_u64());
    expected.sort_unstable();
    assert_eq!(drawn, expected);
}

#[test]
fn threads_that_share_a_stream_draw_each_number_of_it_once() {
    check("threads_that_share_a_stream_draw_each_number_of_it_once", Preemptions::Unbounded, three_threads_draw);
}

#[test]
fn the_one_step_of_a_draw_is_needed() {
    let fault = "shared random: a draw is two steps";
    must_fail("the_one_step_of_a_draw_is_needed", fault, Preemptions::Unbounded, three_threads_draw);
}
