//! The window under the schedules that loom explores: two slices, few cells, clocks that disagree.
//!
//! Readers are the spawned threads, and on purpose. loom 0.7 as published remembers one last access of an atomic, not
//! one of each thread: where a reader's load comes first and a writer then loads and exchanges the same word, the
//! writer's own load hides the race. With the writer first, each load meets the write before it, and the models say
//! the same under the published loom and under the patched one.

use core::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use seawall::{Instant, SlidingWindow, WindowConfig};

use crate::harness::{Preemptions, check, must_fail, with_fault};

/// Two slices of half a millisecond, two octaves.
type Window = SlidingWindow<2, 2>;

const SLICE: u64 = 500_000;
const SHORT: Duration = Duration::from_nanos(100);
const LONG: Duration = Duration::from_nanos(5_000);

fn window() -> Arc<Window> {
    Arc::new(Window::new(WindowConfig { window: Duration::from_millis(1) }).expect("a legal window"))
}

fn slice(number: u64) -> Instant {
    Instant::from_nanos(number * SLICE)
}

/// Two recorders, one on each side of a slice boundary, in a slot whose cells still hold an old turn.
fn two_recorders_at_a_boundary() {
    let window = window();
    window.record(SHORT, false, slice(0));
    window.record(SHORT, true, slice(1));
    let other = {
        let window = window.clone();
        thread::spawn(move || window.record(SHORT, false, slice(2)))
    };
    window.record(SHORT, true, slice(3));
    other.join().unwrap();
    let summary = window.summary(slice(3));
    assert_eq!((summary.count, summary.errors), (2, 1));
    assert_eq!((summary.total_count, summary.total_errors, window.total_late()), (4, 2, 0));
}

/// Two recorders that both open the same new slice.
fn two_recorders_open_a_slice() {
    let window = window();
    window.record(SHORT, false, slice(0));
    let other = {
        let window = window.clone();
        thread::spawn(move || window.record(LONG, false, slice(2)))
    };
    window.record(SHORT, false, slice(2));
    other.join().unwrap();
    let summary = window.summary(slice(2));
    assert_eq!((summary.count, summary.errors, summary.max), (2, 2, Some(LONG)));
    assert_eq!((summary.total_count, summary.total_errors), (3, 3));
}

/// Both in the same cell.
fn two_recorders_take_over_a_cell() {
    let window = window();
    window.record(SHORT, false, slice(0));
    let other = {
        let window = window.clone();
        thread::spawn(move || window.record(SHORT, true, slice(2)))
    };
    window.record(SHORT, true, slice(2));
    other.join().unwrap();
    let summary = window.summary(slice(2));
    assert_eq!((summary.count, summary.errors), (2, 0));
    assert_eq!((summary.total_count, summary.total_errors), (3, 1));
}

/// Two recorders on two sides of a boundary that guess the slice from what the other left.
fn two_recorders_that_guess() {
    let window = window();
    window.record(SHORT, true, slice(0));
    let other = {
        let window = window.clone();
        thread::spawn(move || window.record(SHORT, true, slice(0)))
    };
    window.record(SHORT, true, slice(1));
    other.join().unwrap();
    assert_eq!((window.summary(slice(0)).count, window.summary(slice(1)).count), (2, 3));
}

/// One recorder sleeps while the ring goes round, at any point of its call.
fn a_sleeper_through_a_whole_window() {
    let window = window();
    let sleeper = {
        let window = window.clone();
        thread::spawn(move || window.record(SHORT, true, slice(0)))
    };
    window.record(SHORT, true, slice(2));
    sleeper.join().unwrap();
    let count = window.summary(slice(2)).count;
    assert!(count == 1 || count == 2, "at most the sleeper's own sample is in a wrong slice: {count}");
    assert_eq!(window.total_count(), 2, "every sample is counted once");
    assert!(window.total_late() <= 1);
}

/// A reader while the clock that all read moves over a boundary.
fn a_reader_with_a_moving_clock() {
    let window = window();
    let clock = Arc::new(AtomicU64::new(0));
    window.record(SHORT, true, slice(0));
    let reader = {
        let (window, clock) = (window.clone(), clock.clone());
        thread::spawn(move || {
            let now = Instant::from_nanos(clock.load(Ordering::Relaxed));
            let summary = window.snapshot(now).summary();
            let seen = (summary.count, summary.errors);
            assert!(matches!(seen, (1, 0) | (2, 0) | (2, 1)), "samples and errors: {seen:?}");
            if now == slice(0) {
                assert_eq!(seen, (1, 0), "what is later than the reader's clock is not in its window");
            }
            assert_eq!(summary.max, Some(if summary.count == 2 { LONG } else { SHORT }), "samples: {}", summary.count);
        })
    };
    clock.store(SLICE, Ordering::Relaxed);
    window.record(LONG, false, slice(1));
    reader.join().unwrap();
    let summary = window.summary(slice(1));
    assert_eq!((summary.count, summary.errors, summary.total_count), (2, 1, 2));
}

/// A reader while a failure joins a success in one cell: never an error without its sample.
fn a_reader_beside_a_failure() {
    let window = window();
    window.record(SHORT, true, slice(1));
    let reader = {
        let window = window.clone();
        thread::spawn(move || {
            let snapshot = window.snapshot(slice(1));
            let seen = (snapshot.count(), snapshot.errors());
            assert!(matches!(seen, (1, 0) | (2, 0) | (2, 1)), "samples and errors: {seen:?}");
        })
    };
    window.record(SHORT, false, slice(1));
    reader.join().unwrap();
    assert_eq!(window.summary(slice(1)).errors, 1);
}

/// As many as three at once: two recorders of one slice and a reader.
fn two_recorders_and_a_reader() {
    let window = window();
    window.record(SHORT, true, slice(0));
    let recorder = {
        let window = window.clone();
        thread::spawn(move || window.record(SHORT, false, slice(2)))
    };
    let reader = {
        let window = window.clone();
        thread::spawn(move || {
            let (snapshot, total) = (window.snapshot(slice(2)), window.total_count());
            assert!(snapshot.count() <= 2 && snapshot.errors() <= 1 && snapshot.errors() <= snapshot.count());
            assert!(total <= 3, "no sample is counted twice");
        })
    };
    window.record(SHORT, true, slice(2));
    recorder.join().unwrap();
    reader.join().unwrap();
    let summary = window.summary(slice(2));
    assert_eq!((summary.count, summary.errors, summary.total_count, summary.total_errors), (2, 1, 3, 1));
}

/// A mark while another reads: all of the past, or none of it.
fn a_reader_across_a_mark() {
    let window = window();
    window.record(SHORT, true, slice(0));
    window.record(LONG, true, slice(1));
    let reader = {
        let window = window.clone();
        thread::spawn(move || {
            let count = window.snapshot(slice(1)).count();
            assert!(count == 2 || count == 0, "a mark is seen whole or not at all: {count}");
        })
    };
    window.mark(slice(1));
    reader.join().unwrap();
    assert_eq!(window.snapshot(slice(1)).count(), 0);
    assert_eq!(window.total_count(), 2);
}

/// A mark while another records: that sample is before the mark or after it, and no older one comes back.
fn a_recorder_across_a_mark() {
    let window = window();
    window.record(SHORT, true, slice(1));
    let marker = {
        let window = window.clone();
        thread::spawn(move || window.mark(slice(1)))
    };
    window.record(SHORT, false, slice(1));
    marker.join().unwrap();
    let summary = window.summary(slice(1));
    assert!(matches!((summary.count, summary.errors), (0, 0) | (1, 1)), "{summary:?}");
    assert_eq!((summary.total_count, summary.total_errors), (2, 1));
    window.record(SHORT, true, slice(1));
    let after = window.summary(slice(1));
    let expected = (summary.count + 1, summary.errors);
    assert_eq!((after.count, after.errors), expected, "what follows the mark counts, and nothing else");
}

#[test]
fn sliding_window_recorders_at_a_boundary_lose_nothing() {
    check("sliding_window, two recorders at a boundary", Preemptions::Unbounded, two_recorders_at_a_boundary);
    check("sliding_window, two recorders open a slice", Preemptions::Unbounded, two_recorders_open_a_slice);
    check("sliding_window, two recorders take over a cell", Preemptions::Unbounded, two_recorders_take_over_a_cell);
}

#[test]
fn sliding_window_a_guess_misplaces_nothing() {
    with_fault("timeline: a guess, as outside of models", || {
        check("sliding_window, two recorders that guess", Preemptions::Unbounded, two_recorders_that_guess);
    });
}

#[test]
fn sliding_window_a_sleeper_misplaces_its_own_sample_only() {
    check("sliding_window, a sleeper through a window", Preemptions::few(4), a_sleeper_through_a_whole_window);
}

#[test]
fn sliding_window_a_reader_sees_whole_samples() {
    check("sliding_window, a reader with a moving clock", Preemptions::Unbounded, a_reader_with_a_moving_clock);
    check("sliding_window, a reader beside a failure", Preemptions::Unbounded, a_reader_beside_a_failure);
    check("sliding_window, two recorders and a reader", Preemptions::at_most(2, 3), two_recorders_and_a_reader);
}

#[test]
fn sliding_window_a_mark_excludes_the_past_whole() {
    check("sliding_window, a reader across a mark", Preemptions::Unbounded, a_reader_across_a_mark);
    check("sliding_window, a recorder across a mark", Preemptions::Unbounded, a_recorder_across_a_mark);
}

#[test]
fn sliding_window_each_step_is_needed() {
    let faulty = |fault, model: fn()| must_fail("sliding_window", fault, Preemptions::AtMost(3), model);
    faulty("sliding_window: a counter is taken over without a comparison", two_recorders_take_over_a_cell);
    faulty("sliding_window: a counter is taken over without a comparison", two_recorders_and_a_reader);
    faulty("sliding_window: the totals grow in two steps", two_recorders_at_a_boundary);
    faulty("sliding_window: a counter is taken over without a comparison", a_sleeper_through_a_whole_window);
    faulty("sliding_window: an error looks for its slice anew", a_recorder_across_a_mark);
    faulty("sliding_window: an old count is dropped", two_recorders_take_over_a_cell);
    faulty("sliding_window: an octave is opened without a comparison", two_recorders_open_a_slice);
    faulty("sliding_window: a sample is added relaxed", a_reader_with_a_moving_clock);
    faulty("sliding_window: a sample is added relaxed", a_reader_beside_a_failure);
    faulty("sliding_window: a sample is read relaxed", a_reader_with_a_moving_clock);
    faulty("sliding_window: a sample is read relaxed", a_reader_beside_a_failure);
    faulty("sliding_window: errors are read last", a_reader_beside_a_failure);
    faulty("timeline: a guess is believed", two_recorders_that_guess);
    faulty("timeline: a mark is read relaxed", a_reader_across_a_mark);
    faulty("timeline: the mark is stored before the shift", a_reader_across_a_mark);
}
