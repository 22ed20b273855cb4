//! What an owned recorder promises: all that a shared one does, by one writer at a time.

use core::time::Duration;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;
use seawall::{
    Admission, CallRecord, Finished, GiveUpReason, Guard, GuardConfig, Instant, OneWriter, Outcome, Rate, Recorder,
    RecorderView, Refused, Request, Stage, Verdict, WindowConfig, WindowConfigError,
};

const SECOND: u64 = 1_000_000_000;
const WINDOW: WindowConfig = WindowConfig { window: Duration::from_secs(8) };

/// The words of a recorder of run-time sizes that has these.
const WORDS: usize = RecorderView::words_for(8, 32).unwrap();
/// A record of which nothing is known: its mark alone.
const EMPTY: [u64; CallRecord::WORDS] = [0x4EC0 << 48, 0, 0];

type Shared = Recorder<8, 32>;
type Owned = Recorder<8, 32, OneWriter>;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn owned() -> Owned {
    Owned::for_owner(WINDOW).expect("eight seconds are legal")
}

fn guard() -> Guard<64> {
    let config = GuardConfig::for_service(Rate::per_second(1_000), Duration::from_secs(1));
    Guard::new(config, 7, Instant::ORIGIN).expect("legal")
}

/// As if a guard had admitted, and had said so at the end.
fn said() -> (Admission, Finished) {
    let guard = guard();
    let mut call = guard.begin(Request::DEFAULT, at(0));
    let admission = guard.try_attempt(&mut call, at(0)).expect("admitted");
    (admission, guard.finish(&mut call, admission.permit, Outcome::Ignored, at(0)))
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Refused(u8),
    Cancelled,
    Ended(u8, u8, u64),
    Abandoned,
    Changed,
    Forward(u64),
    Back(u64),
    Rebase(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..5_u8).prop_map(Step::Refused),
        1 => Just(Step::Cancelled),
        6 => (0..4_u8, 0..4_u8, 0..2 * SECOND).prop_map(|(outcome, verdict, took)| Step::Ended(outcome, verdict, took)),
        2 => Just(Step::Abandoned),
        1 => Just(Step::Changed),
        6 => (0..2 * SECOND).prop_map(Step::Forward),
        1 => (0..40 * SECOND).prop_map(Step::Forward),
        1 => (0..12 * SECOND).prop_map(Step::Back),
        1 => (0..100 * SECOND).prop_map(Step::Rebase),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_owned_recorder_counts_and_measures_what_a_shared_one_does(steps in steps()) {
        let (guard, shared, owned) = (guard(), Shared::new(WINDOW).expect("legal"), owned());
        let (admission, finished) = said();
        let mut owner = owned.own().expect("nobody else owns it");
        // The same two, of sizes that are known when the program runs.
        let (mut storage, mut other_storage) = (RecorderView::storage::<WORDS>(), RecorderView::storage::<WORDS>());
        let [shared_view, owned_view]: [&mut RecorderView; 2] = [&mut storage, &mut other_storage];
        shared_view.renew(WINDOW, 8, 32).expect("legal");
        owned_view.renew_for_owner(WINDOW, 8, 32).expect("legal");
        let mut view_owner = owned_view.own().expect("made for owners").expect("nobody else owns it");
        let mut now = 50 * SECOND;
        for step in steps {
            let by_anybody = shared_view.begun(at(now)).expect("anybody may");
            let mut records = [shared.begun(at(now)), owner.begun(at(now)), by_anybody, view_owner.begun(at(now))];
            let [one, other, third, fourth] = &mut records;
            match step {
                Step::Refused(stage) => {
                    let stages = [Stage::Pause, Stage::CircuitBreaker, Stage::TokenBucket, Stage::RetryBudget];
                    let answer = Err(match stages.get(usize::from(stage)) {
                        Some(stage) => Refused::not_yet(*stage, None),
                        None => Refused::never(Stage::Deadline),
                    });
                    shared.attempted(one, &answer, at(now));
                    owner.attempted(other, &answer, at(now));
                    shared_view.attempted(third, &answer, at(now)).expect("anybody may");
                    view_owner.attempted(fourth, &answer, at(now));
                }
                Step::Cancelled => {
                    shared.attempted(one, &Ok(admission), at(now));
                    owner.attempted(other, &Ok(admission), at(now));
                    shared_view.attempted(third, &Ok(admission), at(now)).expect("anybody may");
                    view_owner.attempted(fourth, &Ok(admission), at(now));
                    shared.cancelled(one, at(now));
                    owner.cancelled(other, at(now));
                    shared_view.cancelled(third, at(now)).expect("anybody may");
                    view_owner.cancelled(fourth, at(now));
                }
                Step::Ended(outcome, verdict, took) => {
                    let outcome =
                        [Outcome::Success, Outcome::Failure, Outcome::Throttled(None), Outcome::Ignored][usize::from(outcome)];
                    let verdict = match verdict {
                        0 => Verdict::RetryAt(at(now)),
                        1 => Verdict::GiveUp(GiveUpReason::BudgetSpent),
                        _ => Verdict::Done,
                    };
                    let finished = Finished { verdict, ..finished };
                    // Twice, where the first attempt may be retried.
                    for _ in 0..2 {
                        shared.attempted(one, &Ok(admission), at(now));
                        owner.attempted(other, &Ok(admission), at(now));
                        shared_view.attempted(third, &Ok(admission), at(now)).expect("anybody may");
                        view_owner.attempted(fourth, &Ok(admission), at(now));
                        // As a face keeps them between two calls.
                        for record in [&mut *third, &mut *fourth] {
                            let kept = core::mem::replace(record, CallRecord::from_words(EMPTY).unwrap());
                            *record = CallRecord::from_words(kept.into_words()).expect("words that were given");
                        }
                        let end = at(now + took);
                        shared.finished(one, outcome, &finished, end);
                        owner.finished(other, outcome, &finished, end);
                        shared_view.finished(third, outcome, &finished, end).expect("anybody may");
                        view_owner.finished(fourth, outcome, &finished, end);
                    }
                }
                Step::Abandoned => {
                    let [one, other, third, fourth] = records;
                    shared.abandoned(one, at(now));
                    owner.abandoned(other, at(now));
                    shared_view.abandoned(third, at(now)).expect("anybody may");
                    view_owner.abandoned(fourth, at(now));
                }
                Step::Changed => {
                    let transition = guard.breaker(0).trip(at(now), 1).or_else(|| guard.breaker(0).reset(at(now)));
                    if let Some(transition) = transition {
                        shared.changed(transition, at(now));
                        owner.changed(transition, at(now));
                        shared_view.changed(transition, at(now));
                        view_owner.changed(transition, at(now));
                    }
                }
                Step::Forward(by) => now += by,
                Step::Back(by) => now = now.saturating_sub(by),
                Step::Rebase(to) => {
                    shared.rebase(at(now), at(to));
                    owned.rebase(at(now), at(to));
                    shared_view.rebase(at(now), at(to));
                    owned_view.rebase(at(now), at(to));
                    now = to;
                }
            }
            prop_assert_eq!(shared.totals(), owned.totals());
            prop_assert_eq!(shared.recent(at(now)), owned.recent(at(now)));
            prop_assert_eq!(guard.snapshot([&shared], at(now)), guard.snapshot([&owned], at(now)));
            for view in [&*shared_view, &*owned_view] {
                prop_assert_eq!((view.totals(), view.recent(at(now))), (owned.totals(), owned.recent(at(now))));
                prop_assert_eq!(guard.snapshot([view], at(now)), guard.snapshot([&owned], at(now)));
            }
        }
    }
}

#[test]
fn owners_count_exactly_and_a_reader_beside_them_finds_no_end_without_its_beginning() {
    const CALLS: u64 = 20_000;
    let recorders = [owned(), owned()];
    let guard = guard();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = recorders
            .iter()
            .map(|recorder| {
                let mut mine = recorder.own().expect("one a worker");
                scope.spawn(move || {
                    let (admission, finished) = said();
                    let done = Finished { verdict: Verdict::Done, ..finished };
                    for number in 0..CALLS {
                        let now = at(number * SECOND / 1_000);
                        let mut record = mine.begun(now);
                        mine.attempted(&mut record, &Err(Refused::never(Stage::Deadline)), now);
                        mine.attempted(&mut record, &Ok(admission), now);
                        mine.finished(&mut record, Outcome::Success, &done, now);
                    }
                })
            })
            .collect();
        let (recorders, guard, over) = (&recorders, &guard, &over);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let snapshot = guard.snapshot(recorders, at(20 * SECOND));
                let (total, recent) = (snapshot.total, snapshot.recent);
                assert!(total.delivered() <= total.outcomes().success && total.outcomes().success <= total.admitted());
                assert!(total.admitted() <= total.refused() && total.refused() <= total.begun());
                assert!(recent.begun() <= total.begun() && recent.delivered() <= total.delivered());
                assert!(snapshot.deliveries.count <= total.begun());
            }
        });
        for worker in workers {
            worker.join().expect("no assertion of a worker failed");
        }
        over.store(true, Ordering::Relaxed);
    });
    let total = guard.snapshot(&recorders, at(20 * SECOND)).total;
    assert_eq!((total.begun(), total.refused(), total.delivered()), (2 * CALLS, 2 * CALLS, 2 * CALLS));
}

#[test]
fn a_recorder_has_one_owner_at_a_time_and_the_next_goes_on_where_it_stopped() {
    let recorder = owned();
    for turn in 1..=3 {
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut mine = recorder.own().expect("the one before is gone");
                assert!(recorder.own().is_none());
                let call = mine.begun(at(0));
                mine.abandoned(call, at(0));
            });
        });
        assert_eq!((recorder.totals().begun(), recorder.recent(at(0)).abandoned()), (turn, turn));
    }
    core::mem::forget(recorder.own().expect("free"));
    assert!(recorder.own().is_none(), "who forgets a recorder keeps it");
}

#[test]
fn an_owned_recorder_that_cannot_be_is_refused_and_it_is_as_large_as_a_shared_one() {
    let refused = Owned::for_owner(WindowConfig { window: Duration::ZERO }).unwrap_err();
    assert_eq!(refused, WindowConfigError::TooShort);
    assert_eq!(size_of::<Owned>(), size_of::<Shared>());
}
