//! What a recorder promises: counts that are exact, windows that forget by the slice, and no end without its beginning.
#![allow(unreachable_pub, reason = "modules of a test program are reached from here only")]

#[path = "oracle/recorder.rs"]
mod oracle;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use core::time::Duration;

use oracle::Oracle;
use proptest::prelude::*;
use seawall::{
    Admission, BreakerConfig, CallRecord, Cause, CircuitBreaker, Counts, Finished, GiveUpReason, Guard, GuardConfig,
    Instant, Outcome, OutcomeCounts, Permit, Rate, Reason, Recorder, Refused, Request, RetryConfig, SlidingWindow,
    Stage, State, Transition, Verdict, WindowConfig,
};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;
const WINDOW: WindowConfig = WindowConfig { window: Duration::from_secs(8) };
const SLICE: u64 = SECOND;

type Small = Recorder<8, 32>;

const STAGES: [Stage; 7] = [
    Stage::Deadline,
    Stage::Pause,
    Stage::CircuitBreaker,
    Stage::ConcurrencyLimit,
    Stage::TokenBucket,
    Stage::RetryBudget,
    Stage::KeyedBucket,
];
const REASONS: [Reason; 4] = [Reason::NotYet, Reason::Never, Reason::ClockStepped, Reason::NoPlace];
const GIVE_UPS: [GiveUpReason; 7] = [
    GiveUpReason::Permanent,
    GiveUpReason::AttemptsExhausted,
    GiveUpReason::DeadlineExceeded,
    GiveUpReason::RetryAfterTooLong,
    GiveUpReason::BudgetSpent,
    GiveUpReason::PermitVoid,
    GiveUpReason::ServiceFailing,
];
const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Failure, Outcome::Throttled(None), Outcome::Ignored];

/// An admission that a stage in shadow would have refused, if there is one.
fn shadowed(admission: Admission, stage: Option<Stage>) -> Admission {
    Admission { shadow_refusal: stage.map(|stage| Refused::not_yet(stage, None)), ..admission }
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn recorder() -> Small {
    Recorder::new(WINDOW).expect("eight seconds are legal")
}

/// A guard that admits whatever is asked of it here.
fn wide() -> Guard<64> {
    let config = GuardConfig::for_service(Rate::per_second(1_000_000), Duration::from_secs(1));
    Guard::new(
        GuardConfig {
            bucket: config.bucket.burst(1_000_000).fill(seawall::Fill::Full),
            retry: RetryConfig { max_attempts: 2, ..config.retry },
            ..config
        },
        7,
        Instant::ORIGIN,
    )
    .expect("legal")
}

/// A permit of a guard that is only there to give it.
fn admission(now: u64) -> (Guard<64>, seawall::Call, seawall::Admission) {
    let guard = wide();
    let mut call = guard.begin(Request::DEFAULT, at(now));
    let admission = guard.try_attempt(&mut call, at(now)).expect("admitted");
    (guard, call, admission)
}

/// As if a guard had said so.
fn said(verdict: Verdict) -> Finished {
    let (guard, mut call, admission) = admission(0);
    Finished { verdict, ..guard.finish(&mut call, admission.permit, Outcome::Ignored, at(0)) }
}

/// As if a breaker had gone from one state to another.
fn changed(from: State, to: State, cause: Cause) -> Transition {
    let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT).expect("legal");
    Transition { from, to, cause, ..breaker.force_open(at(0)).expect("it was closed") }
}

fn refused(stage: Stage, reason: Reason) -> Refused {
    match reason {
        Reason::Never => Refused::never(stage),
        Reason::ClockStepped => Refused::clock_stepped(stage),
        _ => Refused::not_yet(stage, None),
    }
}

/// Every counter that is not zero, by the name that the oracle gives it.
fn named(counts: &Counts) -> BTreeMap<String, u64> {
    let mut all = vec![
        ("begun".into(), counts.begun()),
        ("admitted".into(), counts.admitted()),
        ("retry".into(), counts.retries()),
        ("cancelled".into(), counts.cancelled()),
        ("delivered".into(), counts.delivered()),
        ("ignored".into(), counts.ignored()),
        ("abandoned".into(), counts.abandoned()),
    ];
    for stage in STAGES {
        for reason in REASONS {
            all.push((format!("refused {stage:?} {reason:?}"), counts.refused_for(stage, reason)));
        }
        all.extend(rows(&format!("shadow {stage:?}"), counts.would_refuse(stage)));
    }
    all.extend(rows("ended", counts.outcomes()));
    all.extend(GIVE_UPS.map(|reason| (format!("given up {reason:?}"), counts.given_up_for(reason))));
    all.into_iter().filter(|(_, count)| *count != 0).collect()
}

fn rows(name: &str, row: OutcomeCounts) -> [(String, u64); 4] {
    [("Success", row.success), ("Failure", row.failure), ("Throttled", row.throttled), ("Ignored", row.ignored)]
        .map(|(outcome, count)| (format!("{name} {outcome}"), count))
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "Success",
        Outcome::Failure => "Failure",
        Outcome::Throttled(_) => "Throttled",
        _ => "Ignored",
    }
}

fn owned(counts: BTreeMap<&str, u64>) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(name, count)| (name.to_string(), count)).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Begin,
    Refuse(usize, usize),
    Admit(Option<usize>),
    Cancel,
    Finish(usize, u8),
    Abandon,
    Forward(u64),
    Rebase(u64),
    /// To a clock that is a little behind or ahead of this one.
    RebaseNear(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Begin),
        4 => (0..6_usize, 0..3_usize).prop_map(|(stage, reason)| Step::Refuse(stage, reason)),
        8 => proptest::option::of(0..6_usize).prop_map(Step::Admit),
        1 => Just(Step::Cancel),
        8 => (0..4_usize, any::<u8>()).prop_map(|(outcome, verdict)| Step::Finish(outcome, verdict)),
        2 => Just(Step::Abandon),
        6 => (0..2 * SLICE).prop_map(Step::Forward),
        1 => (0..20 * SLICE).prop_map(Step::Forward),
        1 => Just(Step::Forward(365 * 86_400 * SECOND)),
        1 => any::<u64>().prop_map(Step::Rebase),
        2 => (0..10 * SLICE).prop_map(Step::RebaseNear),
    ];
    prop::collection::vec(step, 1..120)
}

fn verdict(outcome: Outcome, number: u8) -> Verdict {
    match (outcome, number % 8) {
        (Outcome::Success | Outcome::Ignored, _) => Verdict::Done,
        (_, 6 | 7) => Verdict::RetryAt(Instant::MAX),
        (_, reason) => Verdict::GiveUp(GIVE_UPS[usize::from(reason)]),
    }
}

proptest! {
    #[test]
    fn every_sequence_of_events_is_counted_as_a_list_of_them_says(steps in steps(), start in 0..u64::MAX / 2) {
        let recorder = recorder();
        let mut oracle = Oracle::new(SLICE, 8);
        let mut now = start;
        let (_guard, _call, admission) = admission(0);
        // The record, and what the oracle must know of it: an attempt under way and its shadow, tried, over.
        let mut record: Option<CallRecord> = None;
        let (mut sent, mut tried, mut over) = (None::<Option<usize>>, false, false);
        for step in steps {
            match step {
                Step::Forward(by) => now = now.saturating_add(by),
                Step::Rebase(_) | Step::RebaseNear(_) => {
                    let to = match step {
                        Step::RebaseNear(by) => now.saturating_add(by).saturating_sub(5 * SLICE),
                        Step::Rebase(to) => to,
                        _ => now,
                    };
                    recorder.rebase(at(now), at(to));
                    oracle.rebase();
                    now = to;
                }
                Step::Begin => {
                    record = Some(recorder.begun(at(now)));
                    oracle.note(now, "begun");
                    (sent, tried, over) = (None, false, false);
                }
                Step::Refuse(stage, reason) => if let Some(record) = &mut record {
                    let (stage, reason) = (STAGES[stage], REASONS[reason]);
                    recorder.attempted(record, &Err(refused(stage, reason)), at(now));
                    oracle.note(now, format!("refused {stage:?} {reason:?}"));
                },
                Step::Admit(shadow) => if let Some(record) = &mut record {
                    recorder.attempted(record, &Ok(shadowed(admission, shadow.map(|stage| STAGES[stage]))), at(now));
                    oracle.note(now, "admitted");
                    if tried {
                        oracle.note(now, "retry");
                    }
                    sent = Some(shadow);
                },
                Step::Cancel => if let Some(record) = &mut record {
                    recorder.cancelled(record, at(now));
                    if sent.take().is_some() {
                        oracle.note(now, "cancelled");
                    }
                },
                Step::Finish(outcome, number) => if let Some(record) = &mut record {
                    let outcome = OUTCOMES[outcome];
                    let verdict = verdict(outcome, number);
                    recorder.finished(record, outcome, &said(verdict), at(now));
                    let Some(shadow) = sent.take() else { continue };
                    tried = true;
                    oracle.note(now, format!("ended {}", outcome_name(outcome)));
                    if let Some(stage) = shadow {
                        oracle.note(now, format!("shadow {:?} {}", STAGES[stage], outcome_name(outcome)));
                    }
                    let end = match verdict {
                        Verdict::Done if outcome == Outcome::Success => "delivered".into(),
                        Verdict::Done => "ignored".into(),
                        Verdict::GiveUp(reason) => format!("given up {reason:?}"),
                        Verdict::RetryAt(_) => continue,
                    };
                    if !over {
                        oracle.note(now, end);
                        over = true;
                    }
                },
                Step::Abandon => if let Some(record) = record.take() {
                    recorder.abandoned(record, at(now));
                    if !over {
                        oracle.note(now, "abandoned");
                    }
                },
            }
            prop_assert_eq!(named(&recorder.totals()), owned(oracle.total()));
            prop_assert_eq!(named(&recorder.recent(at(now))), owned(oracle.recent(now)));
        }
    }
}

/// One call through a guard, recorded.
fn one_call(guard: &Guard<64>, recorder: &Small, outcome: Outcome, began: u64, took: u64) -> Verdict {
    let (mut call, mut record) = (guard.begin(Request::DEFAULT, at(began)), recorder.begun(at(began)));
    let answer = guard.try_attempt(&mut call, at(began));
    recorder.attempted(&mut record, &answer, at(began));
    let permit: Permit = answer.expect("admitted").permit;
    let finished = guard.finish(&mut call, permit, outcome, at(began + took));
    recorder.finished(&mut record, outcome, &finished, at(began + took));
    finished.verdict
}

#[test]
fn counts_of_many_threads_are_exact_each_with_its_recorder_or_all_with_one() {
    const CALLS: u64 = 2_000;
    let own: Vec<Small> = (0..4).map(|_| recorder()).collect();
    let common = recorder();
    let guard = wide();
    thread::scope(|scope| {
        for (worker, own) in own.iter().enumerate() {
            let common = &common;
            scope.spawn(move || {
                let (_guard, _call, admission) = admission(0);
                let done = said(Verdict::Done);
                for number in 0..CALLS {
                    // Over the boundaries of slices, and in and out of step with the others.
                    let now = number * SLICE / 300 + worker as u64;
                    for recorder in [own, common] {
                        let mut record = recorder.begun(at(now));
                        let refused = Refused::not_yet(STAGES[worker], None);
                        recorder.attempted(&mut record, &Err(refused), at(now));
                        recorder.attempted(&mut record, &Ok(shadowed(admission, Some(STAGES[worker]))), at(now));
                        recorder.finished(&mut record, Outcome::Success, &done, at(now));
                    }
                }
            });
        }
    });
    let snapshot = guard.snapshot(&own, at(0));
    for totals in [snapshot.total, common.totals()] {
        assert_eq!((totals.begun(), totals.admitted(), totals.delivered()), (4 * CALLS, 4 * CALLS, 4 * CALLS));
        for (worker, stage) in STAGES.iter().enumerate() {
            let expected = if worker < 4 { CALLS } else { 0 };
            assert_eq!((totals.refused_by(*stage), totals.would_refuse(*stage).success), (expected, expected));
        }
        assert_eq!(totals.would_pass(), OutcomeCounts::default());
    }
    // 2,000 calls over 6.7 s: nothing has left a window of 8 s.
    let recent = guard.snapshot(&own, at(CALLS * SLICE / 300)).recent;
    assert_eq!((recent.begun(), recent.delivered()), (4 * CALLS, 4 * CALLS));
}

#[test]
fn a_reader_beside_writers_finds_no_end_without_its_beginning() {
    let recorders: Vec<Small> = (0..2).map(|_| recorder()).collect();
    let guard = wide();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for (worker, own) in recorders.iter().enumerate() {
            let other = &recorders[1 - worker];
            let over = &over;
            scope.spawn(move || {
                let (_guard, _call, admission) = admission(0);
                let done = said(Verdict::Done);
                for number in 0..20_000 {
                    let now = at(number * SLICE / 1_000);
                    // Begun by one, ended by the other.
                    let mut record = own.begun(now);
                    other.attempted(&mut record, &Ok(shadowed(admission, Some(Stage::Pause))), now);
                    own.finished(&mut record, Outcome::Success, &done, now);
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        while !over.load(Ordering::Relaxed) {
            let snapshot = guard.snapshot(&recorders, at(20 * SLICE));
            let (total, recent) = (snapshot.total, snapshot.recent);
            let ended = total.outcomes().all();
            assert!(total.delivered() <= ended && ended <= total.admitted() && total.admitted() <= total.begun());
            assert!(total.would_refuse(Stage::Pause).all() <= ended);
            assert!(recent.begun() <= total.begun() && recent.delivered() <= total.delivered());
            assert!(snapshot.deliveries.count <= total.begun());
        }
    });
    assert_eq!(guard.snapshot(&recorders, at(0)).total.delivered(), 40_000);
}

#[test]
fn a_window_forgets_by_the_slice_and_the_totals_forget_nothing() {
    let (guard, recorder) = (wide(), recorder());
    let _ = one_call(&guard, &recorder, Outcome::Success, 0, SLICE / 2);
    let _ = one_call(&guard, &recorder, Outcome::Success, 3 * SLICE, SLICE / 2);
    let seen = |now: u64| {
        let snapshot = guard.snapshot([&recorder], at(now));
        assert_eq!((snapshot.total.delivered(), snapshot.deliveries.total_count), (2, 2));
        assert_eq!(snapshot.recent.delivered(), snapshot.deliveries.count);
        (snapshot.recent.delivered(), snapshot.attempts.count)
    };
    assert_eq!(seen(8 * SLICE - 1), (2, 2));
    assert_eq!(seen(8 * SLICE), (1, 1));
    assert_eq!(seen(11 * SLICE - 1), (1, 1));
    assert_eq!(seen(11 * SLICE), (0, 0));
    assert_eq!(seen(u64::MAX), (0, 0));
}

#[test]
fn a_rebase_empties_the_windows_and_keeps_the_totals() {
    let (guard, recorder) = (wide(), recorder());
    let _ = one_call(&guard, &recorder, Outcome::Success, 100 * SLICE, SLICE / 2);
    for new_now in [101 * SLICE, 0, 100 * SLICE] {
        recorder.rebase(at(101 * SLICE), at(new_now));
        let snapshot = guard.snapshot([&recorder], at(new_now));
        assert_eq!((snapshot.recent.begun(), snapshot.attempts.count, snapshot.deliveries.count), (0, 0, 0));
        assert_eq!((snapshot.total.begun(), snapshot.total.delivered()), (1, 1));
    }
    let _ = one_call(&guard, &recorder, Outcome::Success, 101 * SLICE, 0);
    assert_eq!(recorder.recent(at(101 * SLICE)).delivered(), 1);
    recorder.rebase(at(101 * SLICE), at(101 * SLICE));
    assert_eq!(recorder.recent(at(100 * SLICE)).delivered(), 0, "nor has one who reads from before it");
    recorder.rebase(at(101 * SLICE), at(101 * SLICE + SLICE / 2));
    recorder.abandoned(recorder.begun(at(99 * SLICE)), at(99 * SLICE));
    let observed = guard.snapshot([&recorder], at(103 * SLICE)).observed;
    assert_eq!(observed, Duration::from_nanos(SLICE + SLICE / 2), "what came too late does not make the time longer");
}

#[test]
fn the_time_observed_is_that_since_the_first_event_of_any_worker_and_a_window_at_most() {
    let guard = wide();
    let recorders = [recorder(), recorder()];
    recorders[0].abandoned(recorders[0].begun(at(2 * SLICE)), at(2 * SLICE));
    recorders[1].abandoned(recorders[1].begun(at(4 * SLICE)), at(4 * SLICE));
    let observed = |now| guard.snapshot(&recorders, at(now)).observed;
    assert_eq!(observed(4 * SLICE), Duration::from_nanos(2 * SLICE));
    assert_eq!(observed(2 * SLICE), Duration::from_nanos(SLICE), "at least a slice");
    assert_eq!(observed(100 * SLICE + SLICE / 2), Duration::from_nanos(7 * SLICE + SLICE / 2));
}

#[test]
fn lifetime_figures_agree_with_the_totals() {
    let (guard, recorder) = (wide(), recorder());
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Throttled(None), Outcome::Ignored] {
        let _ = one_call(&guard, &recorder, outcome, 0, 0);
    }
    let snapshot = guard.snapshot([&recorder], at(100 * SLICE));
    assert_eq!((snapshot.attempts.count, snapshot.attempts.total_count, snapshot.attempts.total_errors), (0, 3, 2));
    assert_eq!((snapshot.deliveries.count, snapshot.deliveries.total_count), (0, 1));
    assert_eq!(snapshot.delivered_share(), Some(seawall::Ratio::of(1, 4)));
}

#[test]
fn a_late_event_is_in_the_totals_and_in_no_window() {
    let recorder = recorder();
    recorder.abandoned(recorder.begun(at(20 * SLICE)), at(20 * SLICE));
    let late = recorder.begun(at(4 * SLICE));
    assert_eq!((recorder.recent(at(20 * SLICE)).begun(), recorder.recent(at(4 * SLICE)).begun()), (1, 0));
    assert_eq!(recorder.totals().begun(), 2);
    drop(late);
}

#[test]
fn merged_quantiles_are_those_of_all_samples_within_the_stated_error() {
    let guard = wide();
    let recorders: Vec<Recorder<8, 512>> = (0..3).map(|_| Recorder::new(WINDOW).expect("legal")).collect();
    let (_guard, _call, admission) = admission(0);
    // Each worker has another part of the distribution: no worker alone knows the quantiles of all.
    for millis in 1..=300_u64 {
        let recorder = &recorders[(millis / 100 % 3) as usize];
        let mut record = recorder.begun(at(0));
        recorder.attempted(&mut record, &Ok(admission), at(millis * MILLISECOND));
        recorder.finished(&mut record, Outcome::Success, &said(Verdict::Done), at(2 * millis * MILLISECOND));
    }
    let snapshot = guard.snapshot(&recorders, at(SECOND));
    let error = SlidingWindow::<8, 512>::relative_error();
    let within = |said: Option<Duration>, millis: u64| {
        let right = millis * MILLISECOND;
        let off = said.expect("there are samples").abs_diff(Duration::from_nanos(right));
        assert!(off <= Duration::from_nanos(error.share_of(right)), "{said:?} is not {millis} ms");
    };
    within(snapshot.attempts.p50, 150);
    within(snapshot.attempts.p95, 285);
    within(snapshot.attempts.p99, 297);
    // From the beginning of the call: twice as long.
    within(snapshot.deliveries.p50, 300);
    within(snapshot.deliveries.p99, 594);
    assert_eq!((snapshot.attempts.count, snapshot.attempts.errors), (300, 0));
}

#[test]
fn the_confusion_matrix_tells_what_each_stage_would_have_cost_and_spared() {
    let recorder = recorder();
    let (_guard, _call, admission) = admission(0);
    let attempt = |shadow, outcome| {
        let mut record = recorder.begun(at(0));
        recorder.attempted(&mut record, &Ok(shadowed(admission, shadow)), at(0));
        recorder.finished(&mut record, outcome, &said(Verdict::Done), at(0));
    };
    for _ in 0..3 {
        attempt(Some(Stage::TokenBucket), Outcome::Success);
        attempt(Some(Stage::CircuitBreaker), Outcome::Failure);
    }
    attempt(Some(Stage::TokenBucket), Outcome::Failure);
    attempt(Some(Stage::TokenBucket), Outcome::Ignored);
    attempt(Some(Stage::CircuitBreaker), Outcome::Throttled(Some(Duration::from_secs(1))));
    attempt(None, Outcome::Success);
    attempt(None, Outcome::Failure);
    let counts = recorder.totals();
    let row = |success, failure, throttled, ignored| OutcomeCounts { success, failure, throttled, ignored };
    assert_eq!(counts.would_refuse(Stage::TokenBucket), row(3, 1, 0, 1));
    assert_eq!(counts.would_refuse(Stage::CircuitBreaker), row(0, 3, 1, 0));
    assert_eq!(counts.would_refuse(Stage::ConcurrencyLimit), row(0, 0, 0, 0));
    assert_eq!(counts.would_pass(), row(1, 1, 0, 0));
    assert_eq!(counts.outcomes(), row(4, 5, 1, 1));
}

#[test]
fn what_is_reported_twice_counts_once() {
    let (guard, mut call, admission) = admission(0);
    let recorder = recorder();
    let mut record = recorder.begun(at(0));
    recorder.attempted(&mut record, &Ok(admission), at(0));
    for _ in 0..2 {
        let finished = guard.finish(&mut call, admission.permit, Outcome::Success, at(5));
        recorder.finished(&mut record, Outcome::Success, &finished, at(5));
        recorder.cancelled(&mut record, at(5));
    }
    recorder.abandoned(record, at(5));
    let totals = recorder.totals();
    assert_eq!((totals.outcomes().all(), totals.delivered(), totals.cancelled(), totals.abandoned()), (1, 1, 0, 0));
}

#[test]
fn retries_and_the_time_over_all_attempts_are_told() {
    let (guard, recorder) = (wide(), recorder());
    let (mut call, mut record) = (guard.begin(Request::DEFAULT, at(0)), recorder.begun(at(0)));
    let mut now = at(0);
    for outcome in [Outcome::Failure, Outcome::Success] {
        let answer = guard.try_attempt(&mut call, now);
        recorder.attempted(&mut record, &answer, now);
        now = now.saturating_add(Duration::from_millis(40));
        let finished = guard.finish(&mut call, answer.expect("admitted").permit, outcome, now);
        recorder.finished(&mut record, outcome, &finished, now);
        if let Verdict::RetryAt(at) = finished.verdict {
            now = at;
        }
    }
    let snapshot = guard.snapshot([&recorder], now);
    assert_eq!((snapshot.total.begun(), snapshot.total.admitted(), snapshot.total.retries()), (1, 2, 1));
    assert_eq!(snapshot.attempts.max, Some(Duration::from_millis(40)));
    assert_eq!(snapshot.deliveries.max, Some(now.saturating_duration_since(at(0))));
    assert_eq!(snapshot.attempts.error_rate(), Some(seawall::Ratio::HALF));
}

#[test]
fn an_ignored_attempt_is_counted_and_measured_by_nothing() {
    let (guard, recorder) = (wide(), recorder());
    assert_eq!(one_call(&guard, &recorder, Outcome::Ignored, 0, SECOND), Verdict::Done);
    let snapshot = guard.snapshot([&recorder], at(SECOND));
    assert_eq!((snapshot.total.ignored(), snapshot.total.delivered()), (1, 0));
    assert_eq!((snapshot.attempts.count, snapshot.attempts.error_rate(), snapshot.deliveries.count), (0, None, 0));
}

#[test]
fn the_last_transition_is_told_whichever_worker_heard_of_it_and_only_while_it_holds() {
    let guard = wide();
    let recorders = [recorder(), recorder()];
    recorders[0].changed(changed(State::Closed, State::Open, Cause::ConsecutiveFailures), at(2 * SECOND));
    recorders[1].changed(changed(State::Closed, State::Open, Cause::Forced), at(SECOND));
    let snapshot = |now| guard.snapshot(&recorders, at(now));
    assert_eq!(snapshot(3 * SECOND).breaker_cause, None, "the breaker is closed: what was heard does not hold");
    let _ = guard.breaker(0).force_open(at(2 * SECOND));
    let open = snapshot(3 * SECOND);
    assert_eq!((open.breaker, open.breaker_cause), (State::Open, Some(Cause::ConsecutiveFailures)));
    let since = open.breaker_for.expect("it was heard");
    assert!(since.abs_diff(Duration::from_secs(1)) <= Duration::from_millis(2), "{since:?}");
    recorders[0].rebase(at(3 * SECOND), at(0));
    assert_eq!(snapshot(3 * SECOND).breaker_cause, Some(Cause::Forced));
    assert_eq!(snapshot(0).breaker_for, Some(Duration::ZERO), "an older reading: no time has passed");
}

#[test]
fn every_cause_of_a_transition_survives_its_word() {
    let causes = [
        Cause::ConsecutiveFailures,
        Cause::FailureShare,
        Cause::SlowShare,
        Cause::Tripped,
        Cause::IntervalOver,
        Cause::ProbesSucceeded,
        Cause::ProbesFailed,
        Cause::Forced,
        Cause::Reset,
        Cause::ClockStepped,
    ];
    let guard = wide();
    let _ = guard.breaker(0).force_open(at(0));
    for now in [0, u64::MAX] {
        for cause in causes {
            let recorder = recorder();
            recorder.changed(changed(State::HalfOpen, State::Open, cause), at(now));
            assert_eq!(guard.snapshot([&recorder], at(now)).breaker_cause, Some(cause));
        }
    }
}

#[test]
fn a_recorder_that_cannot_be_is_refused_and_one_that_can_is_a_static() {
    static RECORDER: Recorder<4, 32> = match Recorder::new(WindowConfig::DEFAULT) {
        Ok(recorder) => recorder,
        Err(_) => panic!("the default is legal"),
    };
    assert_eq!(RECORDER.totals().begun(), 0);
    assert!(Recorder::<4, 32>::new(WindowConfig { window: Duration::ZERO }).is_err());
    assert!(Recorder::<4, 32>::new(WindowConfig { window: Duration::MAX }).is_err());
}

#[test]
fn recorders_are_as_large_as_their_documentation_says() {
    let kib = |bytes: usize| bytes as f64 / 1024.0;
    let sizes = [size_of::<Recorder>(), size_of::<Recorder<8, 128>>(), size_of::<Recorder<4, 32>>()];
    for (bytes, said) in sizes.into_iter().zip([71.0, 22.0, 5.5]) {
        assert!((kib(bytes) - said).abs() <= said * 0.03, "{bytes} bytes are not {said} KiB");
    }
}
