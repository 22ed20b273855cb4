//! The modes of a guard's stages by their behaviour: who is refused, who is only told of, and what a shadow touches.

#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use std::time::Duration;

use seawall::{
    Admission, Call, GiveUpReason, Guard, GuardConfig, GuardModes, Instant, Mode, ModeError, Outcome, Random, Ratio,
    Reason, Request, RetryBudgetConfig, RetryTokens, Stage, State, Verdict,
};
use support::guards::{T, ms, roomy};

const STAGES: [Stage; 5] =
    [Stage::Pause, Stage::CircuitBreaker, Stage::ConcurrencyLimit, Stage::TokenBucket, Stage::RetryBudget];

fn config(modes: GuardModes) -> GuardConfig {
    GuardConfig { modes, ..roomy() }
}

fn guard(modes: GuardModes) -> Guard {
    Guard::new(config(modes), 7, Instant::ORIGIN).unwrap()
}

/// All enforced but `stage`.
fn only(stage: Stage, mode: Mode) -> Guard {
    let guard = guard(GuardModes::ENFORCE);
    guard.set_mode(stage, mode).unwrap();
    guard
}

fn send(guard: &Guard, key: u64, now: Instant) -> (Call, Admission) {
    let mut call = guard.begin(Request { key, ..Request::DEFAULT }, now);
    let admission = guard.try_attempt(&mut call, now).expect("the guard admits");
    (call, admission)
}

fn sent_with(guard: &Guard, outcome: Outcome, now: Instant) -> seawall::Finished {
    let (mut call, admission) = send(guard, 0, now);
    guard.finish(&mut call, admission.permit, outcome, now)
}

/// All that an attempt could have changed.
fn state(guard: &Guard, now: Instant) -> (u32, u32, u32, State, RetryTokens, Option<Instant>) {
    (
        guard.bucket().available(now),
        guard.limit().in_flight(now),
        guard.limit().limit(),
        guard.breaker(0).state(now),
        guard.budget().balance(now),
        guard.paused_until(now),
    )
}

/// Brings the guard to where `stage` refuses a first attempt.
fn exhaust(guard: &Guard, stage: Stage, now: Instant) {
    match stage {
        Stage::Pause => {
            let _ = sent_with(guard, Outcome::Throttled(Some(T)), now);
        }
        Stage::CircuitBreaker => assert!(guard.breaker(0).trip(now, 0).is_some()),
        Stage::ConcurrencyLimit => {
            while guard.limit().peek(now).is_ok() {
                let _lost = send(guard, 0, now);
            }
        }
        _ => assert!(guard.bucket().try_take(8, now).is_ok()),
    }
}

#[test]
fn a_stage_in_shadow_refuses_nobody_and_says_whom_it_would_refuse() {
    for stage in [Stage::Pause, Stage::CircuitBreaker, Stage::ConcurrencyLimit, Stage::TokenBucket] {
        for modes in [GuardModes::ENFORCE, GuardModes::all(Mode::Shadow)] {
            let guard = guard(modes);
            guard.set_mode(stage, Mode::Shadow).unwrap();
            exhaust(&guard, stage, ms(0));
            let (mut call, admission) = send(&guard, 0, ms(0));
            assert_eq!(admission.shadow_refusal.map(|refused| refused.stage()), Some(stage));
            let finished = guard.finish(&mut call, admission.permit, Outcome::Success, ms(1));
            assert_eq!(finished.shadow_refusal, admission.shadow_refusal, "beside what became of it");
            guard.set_mode(stage, Mode::Enforce).unwrap();
            let mut call = guard.begin(Request::DEFAULT, ms(1));
            assert_eq!(guard.try_attempt(&mut call, ms(1)).map(|_| ()).unwrap_err().stage(), stage);
        }
    }
}

#[test]
fn a_stage_that_is_off_is_neither_asked_nor_changed() {
    for (stage, outcome) in STAGES.iter().flat_map(|stage| {
        [Outcome::Failure, Outcome::Throttled(Some(3 * T)), Outcome::Success].map(|outcome| (*stage, outcome))
    }) {
        let guard = guard(GuardModes::ENFORCE);
        if stage != Stage::RetryBudget {
            exhaust(&guard, stage, ms(0));
        }
        guard.set_mode(stage, Mode::Off).unwrap();
        let before = state(&guard, ms(0));
        let (mut call, admission) = send(&guard, 0, ms(0));
        assert_eq!(admission.shadow_refusal, None);
        let finished = guard.finish(&mut call, admission.permit, outcome, ms(0));
        assert_eq!((finished.shadow_refusal, finished.shadow_give_up), (None, None));
        let after = state(&guard, ms(0));
        match stage {
            Stage::Pause => assert_eq!(before.5, after.5),
            Stage::CircuitBreaker => assert_eq!(before.3, after.3),
            Stage::ConcurrencyLimit => assert_eq!((before.1, before.2), (after.1, after.2)),
            Stage::TokenBucket => assert_eq!(before.0, after.0),
            _ => assert_eq!(before.4, after.4),
        }
    }
}

#[test]
fn an_attempt_that_one_shadow_would_refuse_takes_from_no_shadow_and_reports_to_none() {
    let shadow = guard(GuardModes::all(Mode::Shadow));
    exhaust(&shadow, Stage::TokenBucket, ms(0));
    let before = state(&shadow, ms(0));
    for outcome in [Outcome::Failure, Outcome::Throttled(Some(T)), Outcome::Failure, Outcome::Success] {
        let (mut call, admission) = send(&shadow, 0, ms(0));
        assert_eq!(admission.shadow_refusal.unwrap().stage(), Stage::TokenBucket);
        assert_eq!(state(&shadow, ms(0)), before, "nothing is taken");
        let _ = shadow.finish(&mut call, admission.permit, outcome, ms(0));
        assert_eq!(state(&shadow, ms(0)), before, "nobody hears of it");
    }
}

#[test]
fn a_breaker_that_is_enforced_hears_of_what_a_shadow_would_refuse() {
    let guard = only(Stage::TokenBucket, Mode::Shadow);
    exhaust(&guard, Stage::TokenBucket, ms(0));
    assert_eq!(sent_with(&guard, Outcome::Failure, ms(0)).transition, None);
    let finished = sent_with(&guard, Outcome::Failure, ms(0));
    assert_eq!(finished.shadow_refusal.unwrap().stage(), Stage::TokenBucket);
    assert_eq!(finished.transition.unwrap().to, State::Open);
    let mut call = guard.begin(Request::DEFAULT, ms(0));
    assert_eq!(guard.try_attempt(&mut call, ms(0)).unwrap_err().stage(), Stage::CircuitBreaker);
}

#[test]
fn what_is_enforced_takes_and_gives_back_whatever_a_shadow_would_say() {
    let guard = only(Stage::CircuitBreaker, Mode::Shadow);
    guard.breaker(0).trip(ms(0), 0);
    let (_, admission) = send(&guard, 0, ms(0));
    assert_eq!((guard.bucket().available(ms(0)), guard.limit().in_flight(ms(0))), (7, 1));
    assert!(guard.cancel(admission.permit, ms(0)) && !guard.cancel(admission.permit, ms(0)));
    assert_eq!((guard.bucket().available(ms(0)), guard.limit().in_flight(ms(0))), (8, 0));
}

/// A sequence of first attempts on two guards: what the one refuses, the other says that it would have refused, with the
/// same state, if those who are refused do not ask again and the service does not mind them.
#[test]
fn a_shadow_says_of_the_same_traffic_what_the_enforced_guard_does() {
    let [enforced, shadow] = [Mode::Enforce, Mode::Shadow].map(|mode| guard(GuardModes::all(mode)));
    let (mut random, mut now, mut refused) = (Random::from_seed(3), Instant::ORIGIN, 0);
    let mut out: Vec<(Call, Admission, Call, Admission)> = vec![];
    for _ in 0..20_000 {
        let drawn = random.next_u64();
        now = now.saturating_add(Duration::from_micros(drawn >> 8 & 0x1_FFFF));
        if drawn & 1 == 0 {
            let mut call = enforced.begin(Request::DEFAULT, now);
            let (mut other, admission) = send(&shadow, 0, now);
            match enforced.try_attempt(&mut call, now) {
                Ok(first) => {
                    assert_eq!(admission.shadow_refusal, None);
                    assert_eq!(admission.transition, first.transition);
                    out.push((call, first, other, admission));
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(admission.shadow_refusal, Some(error));
                    let _ = shadow.finish(&mut other, admission.permit, Outcome::Success, now);
                }
            }
        } else if !out.is_empty() {
            let (mut call, first, mut other, second) = out.swap_remove((drawn >> 32) as usize % out.len());
            let outcome = match drawn >> 1 & 15 {
                0..8 => Outcome::Success,
                8..14 => Outcome::Failure,
                14 => Outcome::Throttled(Some(Duration::from_millis(drawn >> 40 & 511))),
                _ => Outcome::Ignored,
            };
            let told = enforced.finish(&mut call, first.permit, outcome, now);
            let said = shadow.finish(&mut other, second.permit, outcome, now);
            assert_eq!((told.transition, told.limit_change), (said.transition, said.limit_change));
            match told.verdict {
                Verdict::GiveUp(reason) if said.shadow_give_up.is_some() => {
                    assert_eq!(said.shadow_give_up, Some(reason));
                }
                // The shadow guard's pause keeps no retry waiting.
                Verdict::RetryAt(_) => assert!(matches!(said.verdict, Verdict::RetryAt(_))),
                verdict => assert_eq!(said.verdict, verdict),
            }
        }
        assert_eq!(state(&enforced, now), state(&shadow, now));
    }
    assert!(refused > 1_000, "{refused} of them refused");
}

#[test]
fn a_canary_refuses_its_share_of_the_keys_and_is_in_shadow_for_the_others() {
    let guard = only(Stage::TokenBucket, Mode::Canary(Ratio::percent(20).unwrap()));
    exhaust(&guard, Stage::TokenBucket, ms(0));
    guard.set_mode(Stage::ConcurrencyLimit, Mode::Off).unwrap();
    let refuses = |key| {
        let mut call = guard.begin(Request { key, ..Request::DEFAULT }, ms(0));
        match guard.try_attempt(&mut call, ms(0)) {
            Ok(admission) => {
                assert_eq!(admission.shadow_refusal.unwrap().stage(), Stage::TokenBucket, "the others are in shadow");
                false
            }
            Err(refused) => refused.stage() == Stage::TokenBucket,
        }
    };
    let few: Vec<_> = (0..10_000).filter(|key| refuses(*key)).collect();
    assert!(few.len().abs_diff(2_000) < 200, "{} of 10000", few.len());
    assert!(few.iter().all(|key| refuses(*key)), "sticky by key");
    guard.set_mode(Stage::TokenBucket, Mode::Canary(Ratio::HALF)).unwrap();
    assert!(few.iter().all(|key| refuses(*key)), "who is in a canary stays in a larger one");
}

#[test]
fn one_key_is_in_the_canary_of_every_stage_or_of_none() {
    let guard = guard(GuardModes::all(Mode::Canary(Ratio::HALF)));
    exhaust(&guard, Stage::CircuitBreaker, ms(0));
    let by_breaker = refused_keys(&guard);
    guard.reset(ms(0)).unwrap();
    exhaust(&guard, Stage::TokenBucket, ms(0));
    assert_eq!(refused_keys(&guard), by_breaker);
}

fn refused_keys(guard: &Guard) -> Vec<u64> {
    let is_refused = |key: &u64| {
        let mut call = guard.begin(Request { key: *key, ..Request::DEFAULT }, ms(0));
        guard.try_attempt(&mut call, ms(0)).is_err()
    };
    (0..1_000).filter(is_refused).collect()
}

#[test]
fn a_call_is_treated_alike_in_all_its_attempts_and_a_switch_counts_for_later_calls() {
    let guard = guard(GuardModes::ENFORCE);
    let mut begun = guard.begin(Request::DEFAULT, ms(0));
    for stage in STAGES {
        guard.set_mode(stage, Mode::Off).unwrap();
        assert_eq!(guard.mode(stage), Mode::Off);
    }
    let permit = guard.try_attempt(&mut begun, ms(0)).unwrap().permit;
    assert_eq!((guard.bucket().available(ms(0)), guard.limit().in_flight(ms(0))), (7, 1));
    let Verdict::RetryAt(at) = guard.finish(&mut begun, permit, Outcome::Failure, ms(0)).verdict else { panic!() };
    assert_eq!(guard.budget().balance(ms(0)), RetryTokens::ZERO, "the retry is paid for");
    exhaust(&guard, Stage::CircuitBreaker, at);
    let (_, later) = send(&guard, 0, at);
    assert_eq!(later.shadow_refusal, None);
    assert_eq!(guard.try_attempt(&mut begun, at).unwrap_err().stage(), Stage::CircuitBreaker);
}

#[test]
fn a_budget_in_shadow_promises_the_retry_and_says_what_would_have_ended_the_call() {
    let shadow = guard(GuardModes::all(Mode::Shadow));
    shadow.set_mode(Stage::RetryBudget, Mode::Shadow).unwrap();
    let _ = sent_with(&shadow, Outcome::Failure, ms(0)); // takes the one token
    shadow.breaker(0).reset(ms(0));
    let (mut call, admission) = send(&shadow, 0, ms(0));
    let finished = shadow.finish(&mut call, admission.permit, Outcome::Failure, ms(0));
    let Verdict::RetryAt(at) = finished.verdict else { panic!("{finished:?}") };
    assert_eq!(finished.shadow_give_up, Some(GiveUpReason::BudgetSpent));
    // The retry would not have been: no shadow hears of it.
    let before = state(&shadow, at);
    let retry = shadow.try_attempt(&mut call, at).unwrap();
    assert_eq!(retry.shadow_refusal.unwrap().stage(), Stage::RetryBudget);
    let _ = shadow.finish(&mut call, retry.permit, Outcome::Failure, at);
    assert_eq!(state(&shadow, at), before);
    // Nothing was paid, so nothing comes back.
    shadow.abandon(&mut call, at);
    assert_eq!(state(&shadow, at), before);
}

#[test]
fn a_budget_that_is_off_lets_every_attempt_of_the_strategy_pass() {
    let guard = only(Stage::RetryBudget, Mode::Off);
    guard.set_mode(Stage::CircuitBreaker, Mode::Off).unwrap();
    let (mut call, admission) = send(&guard, 0, ms(0));
    let mut finished = guard.finish(&mut call, admission.permit, Outcome::Failure, ms(0));
    while let Verdict::RetryAt(at) = finished.verdict {
        let at = at.saturating_add(T);
        let permit = guard.try_attempt(&mut call, at).unwrap().permit;
        finished = guard.finish(&mut call, permit, Outcome::Failure, at);
    }
    assert_eq!((call.attempts(), finished.verdict), (4, Verdict::GiveUp(GiveUpReason::AttemptsExhausted)));
}

#[test]
fn without_a_limit_that_is_enforced_the_calls_own_count_tells_one_report_from_a_second() {
    for mode in [Mode::Off, Mode::Shadow] {
        let guard = only(Stage::ConcurrencyLimit, mode);
        if mode == Mode::Shadow {
            exhaust(&guard, Stage::ConcurrencyLimit, ms(0));
        }
        let (mut call, admission) = send(&guard, 0, ms(0));
        let first = guard.finish(&mut call, admission.permit, Outcome::Failure, ms(1));
        let before = state(&guard, ms(1));
        let second = guard.finish(&mut call, admission.permit, Outcome::Failure, ms(1));
        assert_eq!((second.verdict, second.transition, call.attempts()), (first.verdict, None, 1));
        assert_eq!(state(&guard, ms(1)), before);
        // Without a slot nobody knows whether the tokens have come back already: they stay spent.
        let (_, admission) = send(&guard, 0, ms(1));
        let spent = guard.bucket().available(ms(1));
        assert!(!guard.cancel(admission.permit, ms(1)));
        assert_eq!(guard.bucket().available(ms(1)), spent);
        // Its place as a probe comes back all the same.
        let _ = guard.breaker(0).reset(ms(1));
        guard.breaker(0).trip(ms(1), 0);
        let (_, probe) = send(&guard, 0, ms(4_000));
        assert!(guard.breaker(0).peek(ms(4_000)).is_err());
        guard.cancel(probe.permit, ms(4_000));
        assert!(guard.breaker(0).peek(ms(4_000)).is_ok());
    }
}

#[test]
fn a_slot_in_shadow_that_went_to_another_silences_no_report() {
    let guard = only(Stage::ConcurrencyLimit, Mode::Shadow);
    guard.limit().set_limit(1);
    let (mut late, admission) = send(&guard, 0, ms(0));
    let (mut other, second) = send(&guard, 0, ms(6_000)); // the lease of 5 s has lapsed
    assert_eq!((admission.shadow_refusal, second.shadow_refusal), (None, None));
    let finished = guard.finish(&mut late, admission.permit, Outcome::Failure, ms(6_000));
    assert_ne!(finished.verdict, Verdict::GiveUp(GiveUpReason::PermitVoid));
    assert_eq!(guard.limit().in_flight(ms(6_000)), 1, "the other's slot is its own");
    let _ = guard.finish(&mut other, second.permit, Outcome::Failure, ms(6_000));
    assert_eq!(guard.breaker(0).state(ms(6_000)), State::Open, "both were heard");
}

#[test]
fn a_pause_in_shadow_delays_no_retry() {
    let budget = RetryBudgetConfig { initial: RetryTokens::ONE, ..config(GuardModes::ENFORCE).budget };
    let guard = Guard::<64>::new(GuardConfig { budget, ..config(GuardModes::ENFORCE) }, 7, ms(0)).unwrap();
    guard.set_mode(Stage::Pause, Mode::Shadow).unwrap();
    let (mut waiting, admission) = send(&guard, 0, ms(0));
    let _ = sent_with(&guard, Outcome::Throttled(Some(60 * T)), ms(0));
    let _ = guard.breaker(0).reset(ms(0));
    guard.budget().refund(seawall::RetryCost::Error, ms(0));
    let verdict = guard.finish(&mut waiting, admission.permit, Outcome::Failure, ms(0)).verdict;
    let Verdict::RetryAt(at) = verdict else { panic!("{verdict:?}") };
    assert!(at < ms(1_000));
}

#[test]
fn a_pause_or_a_close_restarts_the_tokens_only_of_a_bucket_that_is_no_stricter() {
    let two = |source: Stage, of_source: Mode, of_bucket: Mode| {
        let guard = only(source, of_source);
        guard.set_mode(Stage::TokenBucket, of_bucket).unwrap();
        if source == Stage::Pause {
            let _ = sent_with(&guard, Outcome::Throttled(Some(T)), ms(0));
        } else {
            guard.breaker(0).trip(ms(0), 0);
            let _ = sent_with(&guard, Outcome::Success, ms(3_000));
            assert_eq!(guard.breaker(0).state(ms(3_000)), State::Closed);
        }
        // Two seconds later all eight are there, or, a moment after the restart, what was earned since.
        guard.set_mode(Stage::TokenBucket, Mode::Enforce).unwrap();
        let at = guard.paused_until(ms(0)).unwrap_or(ms(3_000));
        let mut call = guard.begin(Request { cost: 3, ..Request::DEFAULT }, at);
        guard.try_attempt(&mut call, at).is_err()
    };
    for source in [Stage::Pause, Stage::CircuitBreaker] {
        assert!(two(source, Mode::Enforce, Mode::Enforce), "{source:?}");
        assert!(two(source, Mode::Enforce, Mode::Shadow), "{source:?}");
        assert!(two(source, Mode::Shadow, Mode::Shadow), "{source:?}");
        assert!(!two(source, Mode::Shadow, Mode::Enforce), "a shadow touches nothing that is enforced: {source:?}");
        assert!(!two(source, Mode::Canary(Ratio::percent(99).unwrap()), Mode::Enforce), "{source:?}");
        assert!(!two(source, Mode::Enforce, Mode::Off), "{source:?}");
    }
}

#[test]
fn the_deadline_has_no_mode_and_always_holds() {
    let guard = guard(GuardModes::all(Mode::Off));
    let error = guard.set_mode(Stage::Deadline, Mode::Off).unwrap_err();
    assert_eq!((error, guard.mode(Stage::Deadline)), (ModeError { stage: Stage::Deadline }, Mode::Enforce));
    let mut late = guard.begin(Request { deadline: Some(ms(1)), ..Request::DEFAULT }, ms(0));
    let refused = guard.try_attempt(&mut late, ms(1)).unwrap_err();
    assert_eq!((refused.stage(), refused.reason()), (Stage::Deadline, Reason::Never));
}
