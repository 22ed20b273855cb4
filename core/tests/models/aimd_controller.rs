//! The controller under the schedules that loom explores, with clocks that disagree.

use core::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use seawall::{AimdConfig, AimdController, Instant, Rate, RateChange, RateChangeReason, Ratio, WindowSummary};

use crate::harness::{Preemptions, check, must_fail};

const BAD: Option<Ratio> = Some(Ratio::ONE);
const GOOD: Option<Ratio> = Some(Ratio::ZERO);

fn controller() -> Arc<AimdController> {
    let config = AimdConfig { initial_rate: Rate::per_second(64), ..AimdConfig::DEFAULT };
    Arc::new(AimdController::new(config).expect("a legal config"))
}

fn second(n: u64) -> Instant {
    Instant::from_nanos(n * 1_000_000_000)
}

fn told(changes: &[Option<RateChange>]) -> Vec<RateChange> {
    changes.iter().flatten().copied().collect()
}

fn two_failures_in_one_interval() {
    let controller = controller();
    let other = {
        let controller = controller.clone();
        thread::spawn(move || controller.update(BAD, None, second(7)))
    };
    // The readings differ, as those of two threads do.
    let mine = controller.update(BAD, None, second(8));
    let told = told(&[mine, other.join().unwrap()]);
    assert_eq!(told.len(), 1, "one event is one cut, told once");
    assert_eq!(controller.current_rate(), Rate::per_second(32));
}

fn three_failures_in_one_interval() {
    let controller = controller();
    let others = [7, 8].map(|now| {
        let controller = controller.clone();
        thread::spawn(move || controller.update(BAD, None, second(now)))
    });
    let mine = controller.update(BAD, None, second(7));
    let [a, b] = others.map(|other| other.join().unwrap());
    assert_eq!(told(&[mine, a, b]).len(), 1, "one event is one cut, told once");
    assert_eq!(controller.current_rate(), Rate::per_second(32));
}

fn a_cut_against_a_growth() {
    let controller = controller();
    let other = {
        let controller = controller.clone();
        thread::spawn(move || controller.update(GOOD, None, second(7)))
    };
    let mine = controller.update(BAD, None, second(7));
    let told = told(&[mine, other.join().unwrap()]);
    assert_eq!(told.len(), 1, "an interval has one change");
    let (from, to) = (told[0].from, told[0].to);
    assert_eq!((from, to), (Rate::per_second(64), controller.current_rate()));
    let cut = told[0].reason == RateChangeReason::Errors;
    assert_eq!(to, Rate::per_second(if cut { 32 } else { 65 }));
}

/// A clock that all read moves on by an interval between two cuts.
fn a_clock_that_moves_on_by_an_interval() {
    let controller = controller();
    let clock = Arc::new(AtomicU64::new(30));
    let other = {
        let (controller, clock) = (controller.clone(), clock.clone());
        thread::spawn(move || controller.update(BAD, None, second(clock.load(Ordering::Relaxed))))
    };
    let mine = controller.update(BAD, None, second(30));
    clock.store(60, Ordering::Relaxed);
    let again = controller.update(BAD, None, second(60));
    let cuts = told(&[mine, again, other.join().unwrap()]).len();
    assert!(cuts == 1 || cuts == 2, "at most one in each interval: {cuts}");
    assert_eq!(controller.current_rate(), Rate::per_second(64 >> cuts), "each cut that was told is in the rate");
}

fn a_cut_against_a_rate_set_by_hand() {
    let controller = controller();
    let other = {
        let controller = controller.clone();
        thread::spawn(move || controller.set_rate(Rate::per_second(40)))
    };
    let told = controller.update(BAD, None, second(7)).expect("nobody else judges");
    assert_eq!(other.join().unwrap(), Rate::per_second(40));
    let (from, to, now) = (told.from, told.to, controller.current_rate());
    if from == Rate::per_second(64) {
        assert_eq!((to, now), (Rate::per_second(32), Rate::per_second(40)), "cut, then set");
    } else {
        assert_eq!((from, to, now), (Rate::per_second(40), Rate::per_second(20), to), "set, then cut");
    }
}

/// Two observers of the same failures, and a third reading after them.
fn two_observers_of_the_same_samples() {
    let controller = controller();
    let seen = |total, errors| WindowSummary {
        count: total,
        errors,
        observed: Duration::from_secs(1),
        mean: None,
        max: None,
        p50: None,
        p95: None,
        p99: None,
        total_count: total,
        total_errors: errors,
    };
    assert_eq!(controller.observe(&seen(0, 0), second(0)), None);
    let other = {
        let controller = controller.clone();
        thread::spawn(move || controller.observe(&seen(100, 100), second(1)))
    };
    let mine = controller.observe(&seen(100, 100), second(2));
    let told = told(&[mine, other.join().unwrap()]);
    assert_eq!((told.len(), controller.current_rate()), (1, Rate::per_second(32)));
    // An interval later the same samples are no new evidence.
    assert_eq!(controller.observe(&seen(100, 100), second(60)), None);
}

#[test]
fn aimd_controller_one_event_is_one_cut() {
    check("aimd_controller, two failures", Preemptions::Unbounded, two_failures_in_one_interval);
    check("aimd_controller, three failures", Preemptions::AtMost(3), three_failures_in_one_interval);
    check("aimd_controller, two observers", Preemptions::Unbounded, two_observers_of_the_same_samples);
}

#[test]
fn aimd_controller_changes_are_exact_and_told_once() {
    check("aimd_controller, a cut against a growth", Preemptions::Unbounded, a_cut_against_a_growth);
    check("aimd_controller, a moving clock", Preemptions::Unbounded, a_clock_that_moves_on_by_an_interval);
    check("aimd_controller, a cut against set_rate", Preemptions::Unbounded, a_cut_against_a_rate_set_by_hand);
}

#[test]
fn aimd_controller_each_step_is_needed() {
    let faulty = |fault, model: fn()| must_fail("aimd_controller", fault, Preemptions::Unbounded, model);
    faulty("aimd_controller: an interval is claimed without a comparison", two_failures_in_one_interval);
    faulty("aimd_controller: an interval is claimed without a comparison", three_failures_in_one_interval);
    faulty("aimd_controller: an interval is claimed without a comparison", a_cut_against_a_growth);
    faulty("aimd_controller: an interval is claimed without a comparison", two_observers_of_the_same_samples);
    faulty("aimd_controller: the rate is changed without a comparison", a_cut_against_a_rate_set_by_hand);
    faulty("aimd_controller: the rate is changed without a comparison", a_clock_that_moves_on_by_an_interval);
}
