//! Recorders under the schedules that loom explores: writers and a reader, two slices.

use core::time::Duration;

use loom::sync::Arc;
use loom::thread;
use seawall::{Guard, GuardConfig, Instant, OneWriter, Rate, Recorder, Refused, Stage, WindowConfig};

use crate::harness::{Preemptions, check, must_fail};

/// Two slices of half a millisecond.
type Small = Recorder<2, 2>;

const SLICE: u64 = 500_000;

fn recorder() -> Arc<Small> {
    Arc::new(Small::new(WindowConfig { window: Duration::from_millis(1) }).expect("a legal window"))
}

fn slice(number: u64) -> Instant {
    Instant::from_nanos(number * SLICE)
}

const REFUSED: Refused = Refused::never(Stage::Deadline);

/// A call that begins, is refused and ends, beside one who reads the totals.
fn a_reader_beside_a_writer() {
    let recorder = recorder();
    let reader = {
        let recorder = recorder.clone();
        thread::spawn(move || {
            let recent = recorder.recent(slice(0));
            let total = recorder.totals();
            assert!(total.abandoned() <= total.refused() && total.refused() <= total.begun(), "{total:?}");
            assert!(recent.begun() <= total.begun() && recent.abandoned() <= total.abandoned(), "{recent:?}");
        })
    };
    let mut call = recorder.begun(slice(0));
    recorder.attempted(&mut call, &Err(REFUSED), slice(0));
    recorder.abandoned(call, slice(0));
    reader.join().unwrap();
    let (recent, total) = (recorder.recent(slice(0)), recorder.totals());
    assert_eq!(recent, total);
    assert_eq!((total.begun(), total.refused(), total.abandoned()), (1, 1, 1));
}

/// A call that begins with one worker and ends with another, beside one who reads both.
fn a_reader_beside_a_call_that_moves() {
    let recorders = [recorder(), recorder()];
    let reader = {
        let recorders = recorders.clone();
        thread::spawn(move || {
            let config = GuardConfig::for_service(Rate::per_second(1), Duration::from_secs(1));
            let limit = seawall::LimitConfig { start: 1, ceiling: 1, ..config.limit };
            let guard = Guard::<1>::new(GuardConfig { limit, ..config }, 7, slice(0)).expect("legal");
            let total = guard.snapshot(recorders.iter().map(|recorder| &**recorder), slice(0)).total;
            assert!(total.abandoned() <= total.begun(), "{total:?}");
        })
    };
    let call = recorders[0].begun(slice(0));
    recorders[1].abandoned(call, slice(0));
    reader.join().unwrap();
}

/// Two writers of one recorder, both the first of a turn in a word that holds an old one.
fn two_writers_of_one_recorder() {
    let recorder = recorder();
    let old = recorder.begun(slice(0));
    let other = {
        let recorder = recorder.clone();
        thread::spawn(move || drop(recorder.begun(slice(2))))
    };
    drop(recorder.begun(slice(2)));
    other.join().unwrap();
    assert_eq!((recorder.recent(slice(2)).begun(), recorder.totals().begun()), (2, 3));
    drop(old);
}

/// A writer sleeps while the ring goes round, at any point of its call.
fn a_sleeper_through_a_whole_window() {
    let recorder = recorder();
    let sleeper = {
        let recorder = recorder.clone();
        thread::spawn(move || drop(recorder.begun(slice(0))))
    };
    drop(recorder.begun(slice(2)));
    sleeper.join().unwrap();
    // Its own event may be in the wrong slice, or keep the other's first one out of the window.
    assert!(recorder.recent(slice(2)).begun() <= 2);
    assert_eq!(recorder.totals().begun(), 2);
    drop(recorder.begun(slice(2)));
    let recent = recorder.recent(slice(2)).begun();
    assert!(recent == 1 || recent == 2 || recent == 3, "what follows counts: {recent}");
}

/// As beside any writer, beside an owner that goes over to a new slice of a slot that holds an old one.
fn a_reader_beside_an_owner() {
    let config = WindowConfig { window: Duration::from_millis(1) };
    let recorder = Arc::new(Recorder::<2, 2, OneWriter>::for_owner(config).expect("a legal window"));
    let mut owner = recorder.own().expect("nobody else owns it");
    drop(owner.begun(slice(0)));
    let reader = {
        let recorder = recorder.clone();
        thread::spawn(move || {
            let recent = recorder.recent(slice(2));
            let total = recorder.totals();
            assert!(total.abandoned() <= total.refused() && total.refused() < total.begun(), "{total:?}");
            assert!(recent.begun() < total.begun() && recent.abandoned() <= total.abandoned(), "{recent:?}");
        })
    };
    let mut call = owner.begun(slice(2));
    owner.attempted(&mut call, &Err(REFUSED), slice(2));
    owner.abandoned(call, slice(2));
    reader.join().unwrap();
    let (recent, total) = (recorder.recent(slice(2)), recorder.totals());
    assert_eq!((recent.begun(), recent.refused(), recent.abandoned()), (1, 1, 1));
    assert_eq!((total.begun(), total.refused(), total.abandoned()), (2, 1, 1));
}

/// A call that begins with one owner and ends with the next of the same recorder, in another thread.
fn an_owner_after_another() {
    let config = WindowConfig { window: Duration::from_millis(1) };
    let recorder = Arc::new(Recorder::<2, 2, OneWriter>::for_owner(config).expect("a legal window"));
    let counted = |recorder: &Recorder<2, 2, OneWriter>| match recorder.own() {
        Some(mut owner) => {
            drop(owner.begun(slice(0)));
            1
        }
        None => 0,
    };
    let other = {
        let recorder = recorder.clone();
        thread::spawn(move || counted(&recorder))
    };
    let mine = counted(&recorder);
    let all = mine + other.join().unwrap();
    assert_eq!((recorder.totals().begun(), recorder.recent(slice(0)).begun()), (all, all));
}

#[test]
fn recorder_an_owner_counts_as_many_do_and_hands_over_whole() {
    check("recorder, a reader beside an owner", Preemptions::Unbounded, a_reader_beside_an_owner);
    check("recorder, an owner after another", Preemptions::Unbounded, an_owner_after_another);
}

#[test]
fn recorder_a_reader_finds_no_end_without_its_beginning() {
    check("recorder, a reader beside a writer", Preemptions::Unbounded, a_reader_beside_a_writer);
    check("recorder, a reader beside a call that moves", Preemptions::AtMost(3), a_reader_beside_a_call_that_moves);
}

#[test]
fn recorder_two_writers_lose_nothing_and_a_sleeper_misplaces_one_event_at_most() {
    check("recorder, two writers of one", Preemptions::Unbounded, two_writers_of_one_recorder);
    check("recorder, a sleeper through a window", Preemptions::Unbounded, a_sleeper_through_a_whole_window);
}

#[test]
fn recorder_each_step_is_needed() {
    let faulty = |fault, model: fn()| must_fail("recorder", fault, Preemptions::AtMost(3), model);
    faulty("recorder: a total is added relaxed", a_reader_beside_a_writer);
    faulty("recorder: a total is read relaxed", a_reader_beside_a_writer);
    faulty("recorder: totals are read from the beginning", a_reader_beside_a_writer);
    faulty("recorder: totals are read from the beginning", a_reader_beside_a_call_that_moves);
    faulty("recorder: a window is counted before its total", a_reader_beside_a_writer);
    faulty("recorder: a total is added relaxed", a_reader_beside_an_owner);
    faulty("recorder: a total is read relaxed", a_reader_beside_an_owner);
    faulty("recorder: totals are read from the beginning", a_reader_beside_an_owner);
    faulty("recorder: a window is counted before its total", a_reader_beside_an_owner);
    faulty("shard: a claim is freed unseen", an_owner_after_another);
    faulty("recorder: a total grows in two steps", two_writers_of_one_recorder);
    faulty("recorder: an old count is replaced without a comparison", two_writers_of_one_recorder);
}
