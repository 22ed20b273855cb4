//! The guard by its behaviour: each stage refuses by its own name, nothing is taken by halves, no storm goes through.

use std::time::Duration;

use seawall::{
    BreakerConfig, Call, GiveUpReason, Guard, GuardConfig, GuardConfigError, Instant, LimitConfig, Outcome, Permit,
    Rate, Reason, Request, RetryConfig, RetryTokens, Stage, State, TripRule, Verdict,
};

const T: Duration = Duration::from_secs(1);

fn ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

/// Ten a second with a burst of eight, all of it there; four in flight; a breaker that opens at two.
fn roomy() -> GuardConfig {
    let base = GuardConfig::for_service(Rate::per_second(10), T);
    GuardConfig {
        bucket: base.bucket.burst(8).fill(seawall::Fill::Full),
        breaker: BreakerConfig { rule: TripRule::Consecutive(2), open_for: T, open_cap: 2 * T, ..base.breaker },
        limit: LimitConfig { start: 4, ..base.limit },
        ..base
    }
}

fn guard(config: GuardConfig) -> Guard {
    Guard::new(config, 7, Instant::ORIGIN).unwrap()
}

fn send(guard: &Guard, now: Instant) -> (Call, Permit) {
    let mut call = guard.begin(Request::DEFAULT, now);
    let permit = guard.try_attempt(&mut call, now).expect("the guard admits").permit;
    (call, permit)
}

/// A first attempt that ends at once.
fn attempt(guard: &Guard, outcome: Outcome, now: Instant) -> (Call, Verdict) {
    let (mut call, permit) = send(guard, now);
    let verdict = guard.finish(&mut call, permit, outcome, now).verdict;
    (call, verdict)
}

fn refusal(guard: &Guard, request: Request, now: Instant) -> (Stage, Reason) {
    let mut call = guard.begin(request, now);
    let refused = guard.try_attempt(&mut call, now).expect_err("the guard refuses");
    (refused.stage(), refused.reason())
}

/// All that an attempt could have changed.
fn state(guard: &Guard, now: Instant) -> (u32, u32, State, RetryTokens, Option<Instant>) {
    (
        guard.bucket().available(now),
        guard.limit().in_flight(now),
        guard.breaker().state(now),
        guard.budget().balance(now),
        guard.paused_until(now),
    )
}

#[test]
fn each_stage_refuses_by_its_own_name_and_changes_nothing() {
    let now = ms(0);
    let late = guard(roomy());
    let paused = guard(roomy());
    let _ = attempt(&paused, Outcome::Throttled(Some(T)), now);
    let open = guard(roomy());
    open.breaker().trip(now, 0);
    let full = guard(GuardConfig { limit: LimitConfig { start: 1, ..roomy().limit }, ..roomy() });
    let _held = send(&full, now);
    let empty = guard(GuardConfig { bucket: roomy().bucket.fill(seawall::Fill::Tokens(0)), ..roomy() });
    let past = Request { deadline: Some(now), ..Request::DEFAULT };
    let huge = Request { cost: 9, ..Request::DEFAULT };
    for (guard, request, expected) in [
        (&late, past, (Stage::Deadline, Reason::Never)),
        (&paused, Request::DEFAULT, (Stage::Pause, Reason::NotYet)),
        (&open, Request::DEFAULT, (Stage::CircuitBreaker, Reason::NotYet)),
        (&full, Request::DEFAULT, (Stage::ConcurrencyLimit, Reason::NotYet)),
        (&empty, Request::DEFAULT, (Stage::TokenBucket, Reason::NotYet)),
        (&late, huge, (Stage::TokenBucket, Reason::Never)),
    ] {
        let before = state(guard, now);
        assert_eq!(refusal(guard, request, now), expected);
        assert_eq!(state(guard, now), before, "{expected:?}");
    }
}

#[test]
fn a_call_that_is_over_or_early_is_not_sent_again() {
    let guard = guard(roomy());
    let (mut call, permit) = send(&guard, ms(0));
    assert_eq!(guard.finish(&mut call, permit, Outcome::Success, ms(1)).verdict, Verdict::Done);
    let refused = guard.try_attempt(&mut call, ms(2)).unwrap_err();
    assert_eq!((refused.stage(), refused.reason()), (Stage::RetryBudget, Reason::Never));

    let (mut call, verdict) = attempt(&guard, Outcome::Failure, ms(10));
    let Verdict::RetryAt(at) = verdict else { panic!("{verdict:?}") };
    let early = at.saturating_sub(Duration::from_nanos(1));
    let refused = guard.try_attempt(&mut call, early).unwrap_err();
    assert_eq!((refused.stage(), refused.retry_after()), (Stage::RetryBudget, Some(Duration::from_nanos(1))));
    assert!(guard.try_attempt(&mut call, at).is_ok());
}

#[test]
fn what_was_never_sent_is_given_back() {
    let guard = guard(roomy());
    let before = state(&guard, ms(0));
    let (call, permit) = send(&guard, ms(0));
    assert_eq!((guard.bucket().available(ms(0)), guard.limit().in_flight(ms(0))), (7, 1));
    assert!(guard.cancel(permit, ms(0)));
    assert_eq!(state(&guard, ms(0)), before);
    assert_eq!(call.attempts(), 0);

    // A probe's place, too.
    guard.breaker().trip(ms(0), 0);
    let (mut call, permit) = send(&guard, ms(3_000));
    assert_eq!(refusal(&guard, Request::DEFAULT, ms(3_000)).0, Stage::CircuitBreaker);
    assert!(guard.cancel(permit, ms(3_000)));
    assert!(guard.try_attempt(&mut call, ms(3_000)).is_ok());
}

#[test]
fn of_finish_and_cancel_of_one_permit_the_first_acts_and_no_other() {
    let guard = guard(roomy());
    let (_, permit) = send(&guard, ms(0));
    let (mut held, held_permit) = send(&guard, ms(0));
    assert!(guard.cancel(permit, ms(0)));
    let before = state(&guard, ms(0));
    assert_eq!((before.0, before.1), (7, 1));
    assert!(!guard.cancel(permit, ms(0)));
    assert_eq!(state(&guard, ms(0)), before, "the token of another is not refunded");

    // A copy does not know of the report; the permit does.
    let mut copy = held;
    let first = guard.finish(&mut held, held_permit, Outcome::Failure, ms(1));
    let before = state(&guard, ms(1));
    assert!(!guard.cancel(held_permit, ms(1)));
    let second = guard.finish(&mut copy, held_permit, Outcome::Failure, ms(1));
    assert_eq!((copy.attempts(), second.verdict), (1, Verdict::GiveUp(GiveUpReason::PermitVoid)));
    assert_ne!(first.verdict, second.verdict);
    assert_eq!(guard.finish(&mut held, held_permit, Outcome::Success, ms(1)).verdict, first.verdict);
    assert_eq!(state(&guard, ms(1)), before);
    assert_eq!(guard.try_attempt(&mut copy, ms(500)).unwrap_err().reason(), Reason::Never);
}

#[test]
fn a_permit_whose_slot_went_to_another_reports_nothing() {
    let config = roomy();
    let guard = guard(GuardConfig { limit: LimitConfig { start: 1, ..config.limit }, ..config });
    let (mut late, permit) = send(&guard, ms(0));
    let (mut call, other) = send(&guard, ms(6_000)); // the lease of 5 s has lapsed
    let before = state(&guard, ms(6_000));
    let finished = guard.finish(&mut late, permit, Outcome::Failure, ms(6_000));
    assert_eq!(finished.verdict, Verdict::GiveUp(GiveUpReason::PermitVoid));
    assert!(!guard.cancel(permit, ms(6_000)));
    assert_eq!(state(&guard, ms(6_000)), before);
    assert_eq!(guard.finish(&mut call, other, Outcome::Success, ms(6_001)).verdict, Verdict::Done);
}

#[test]
fn an_abandoned_retry_is_refunded_once() {
    let guard = guard(roomy());
    let before = guard.budget().balance(ms(0));
    let (mut call, verdict) = attempt(&guard, Outcome::Failure, ms(0));
    assert!(matches!(verdict, Verdict::RetryAt(_)));
    assert!(guard.budget().balance(ms(0)) < before);
    guard.abandon(&mut call, ms(0));
    guard.abandon(&mut call, ms(0));
    assert_eq!(guard.budget().balance(ms(0)), before);
}

#[test]
fn the_breaker_hears_of_first_attempts_only() {
    let config = roomy();
    let guard = guard(GuardConfig {
        retry: RetryConfig { max_attempts: 4, base_delay: Duration::ZERO, ..config.retry },
        budget: seawall::RetryBudgetConfig {
            initial: RetryTokens::whole(10),
            cap: RetryTokens::whole(10),
            ..config.budget
        },
        ..config
    });
    let (mut call, _) = attempt(&guard, Outcome::Failure, ms(0));
    for retry in 1..=3 {
        let permit = guard.try_attempt(&mut call, ms(retry)).unwrap().permit;
        let finished = guard.finish(&mut call, permit, Outcome::Failure, ms(retry));
        assert_eq!(finished.transition, None);
    }
    assert_eq!((call.attempts(), guard.breaker().state(ms(4))), (4, State::Closed));
    let (mut second, permit) = send(&guard, ms(4));
    let told = guard.finish(&mut second, permit, Outcome::Failure, ms(4)).transition;
    assert_eq!(told.map(|transition| transition.to), Some(State::Open));
}

#[test]
fn a_retry_that_is_a_probe_is_heard() {
    let guard = guard(roomy());
    let (mut call, verdict) = attempt(&guard, Outcome::Failure, ms(0));
    assert!(matches!(verdict, Verdict::RetryAt(_)));
    guard.breaker().trip(ms(0), 0);
    let admission = guard.try_attempt(&mut call, ms(3_000)).unwrap();
    assert_eq!(admission.transition.map(|transition| transition.to), Some(State::HalfOpen));
    let finished = guard.finish(&mut call, admission.permit, Outcome::Success, ms(3_010));
    assert_eq!(finished.transition.map(|transition| transition.to), Some(State::Closed));
}

#[test]
fn only_a_first_try_that_succeeds_earns() {
    let guard = guard(roomy());
    let (mut call, _) = attempt(&guard, Outcome::Failure, ms(0));
    let paid = guard.budget().balance(ms(0));
    let permit = guard.try_attempt(&mut call, ms(200)).unwrap().permit;
    let _ = guard.finish(&mut call, permit, Outcome::Success, ms(200));
    assert_eq!(guard.budget().balance(ms(200)), paid);
    let _ = attempt(&guard, Outcome::Success, ms(200));
    assert!(guard.budget().balance(ms(200)) > paid);
}

#[test]
fn a_second_report_of_one_attempt_changes_nothing() {
    let guard = guard(roomy());
    let (mut call, permit) = send(&guard, ms(0));
    let first = guard.finish(&mut call, permit, Outcome::Failure, ms(1));
    let before = state(&guard, ms(1));
    let second = guard.finish(&mut call, permit, Outcome::Failure, ms(1));
    assert_eq!((second.verdict, second.transition), (first.verdict, None));
    assert_eq!(state(&guard, ms(1)), before);
    assert_eq!(guard.breaker().state(ms(1)), State::Closed);
}

#[test]
fn one_retry_after_pauses_every_call() {
    let guard = guard(roomy());
    let (mut waiting, _) = attempt(&guard, Outcome::Failure, ms(0));
    let (_, verdict) = attempt(&guard, Outcome::Success, ms(1));
    assert_eq!(verdict, Verdict::Done);
    let (_, verdict) = attempt(&guard, Outcome::Throttled(Some(2 * T)), ms(2));
    let end = guard.paused_until(ms(2)).unwrap();
    assert!(end >= ms(2_002) && end <= ms(2_502), "{end:?}");
    // The budget of this guard is one token: the throttled call itself cannot pay.
    assert_eq!(verdict, Verdict::GiveUp(GiveUpReason::BudgetSpent));
    for at in [3, 1_000, 2_001] {
        assert_eq!(refusal(&guard, Request::DEFAULT, ms(at)).0, Stage::Pause);
        assert_eq!(guard.try_attempt(&mut waiting, ms(at).max(ms(200))).unwrap_err().stage(), Stage::Pause);
    }
    // A shorter one does not end it early, and it is over when it is over.
    assert!(guard.try_attempt(&mut waiting, end).is_ok());
}

#[test]
fn a_pause_is_bounded_and_a_clock_that_stepped_back_ends_it() {
    let guard = guard(roomy());
    let far = Instant::from_nanos(u64::MAX / 2);
    let _ = attempt(&guard, Outcome::Throttled(Some(Duration::MAX)), far);
    let end = guard.paused_until(far).unwrap();
    assert!(end <= far.saturating_add(Duration::from_secs(375)));
    assert_eq!(guard.paused_until(ms(0)), None);
}

#[test]
fn nothing_is_promised_at_or_after_the_deadline() {
    let guard = guard(roomy());
    let request = Request { deadline: Some(ms(500)), ..Request::DEFAULT };
    let mut call = guard.begin(request, ms(0));
    let permit = guard.try_attempt(&mut call, ms(0)).unwrap().permit;
    let before = guard.budget().balance(ms(0));
    let finished = guard.finish(&mut call, permit, Outcome::Throttled(Some(T)), ms(10));
    assert_eq!(finished.verdict, Verdict::GiveUp(GiveUpReason::DeadlineExceeded));
    assert_eq!(guard.budget().balance(ms(10)), before);
}

#[test]
fn a_dead_service_is_sent_no_more_than_first_calls_and_the_budget() {
    // Ten seconds of ten calls a second against a service that is down: 100 calls are asked for.
    let guard = guard(GuardConfig::for_service(Rate::per_second(10), T));
    let (mut firsts, mut retries) = (0, 0);
    let mut waiting: Vec<(Instant, Call)> = Vec::new();
    for at in (0..10_000).step_by(10) {
        let now = ms(at);
        let fresh = (at % 100 == 0).then(|| (now, guard.begin(Request::DEFAULT, now)));
        for (due, mut call) in std::mem::take(&mut waiting).into_iter().chain(fresh) {
            if due > now {
                waiting.push((due, call));
                continue;
            }
            match guard.try_attempt(&mut call, now) {
                Ok(admission) => {
                    if call.attempts() == 0 {
                        firsts += 1
                    } else {
                        retries += 1
                    }
                    if let Verdict::RetryAt(at) =
                        guard.finish(&mut call, admission.permit, Outcome::Failure, now).verdict
                    {
                        waiting.push((at, call));
                    }
                }
                // A first try that is refused is lost; a retry asks again.
                Err(_) if call.attempts() == 0 => {}
                Err(_) => waiting.push((now, call)),
            }
        }
    }
    // Nothing succeeds, so nothing is earned: the initial token is the only retry.
    assert_eq!(retries, 1);
    assert!((10..=100).contains(&firsts), "{firsts} first attempts");
}

#[test]
fn the_retry_of_a_time_out_costs_double() {
    let config = roomy();
    let guard = guard(GuardConfig {
        budget: seawall::RetryBudgetConfig {
            initial: RetryTokens::whole(2),
            floor: RetryTokens::whole(2),
            cap: RetryTokens::whole(10),
            ..config.budget
        },
        ..config
    });
    let (mut call, permit) = send(&guard, ms(0));
    let _ = guard.finish(&mut call, permit, Outcome::Failure, ms(1_000));
    assert_eq!(guard.budget().balance(ms(1_000)), RetryTokens::ZERO);
}

#[test]
fn a_default_guard_is_small_and_takes_any_rate() {
    assert!(size_of::<Guard>() <= 2_048, "{} bytes", size_of::<Guard>());
    for rate in [Rate::ZERO, Rate::per_day(1), Rate::per_minute(18), Rate::per_second(100), Rate::per_second(1 << 29)] {
        for timeout in
            [Duration::from_nanos(50), Duration::from_millis(1), T, Duration::from_secs(86_400), Duration::MAX]
        {
            let made = Guard::<64>::new(GuardConfig::for_service(rate, timeout), 0, Instant::MAX);
            assert!(made.is_ok(), "{rate:?} {timeout:?} {:?}", made.err());
        }
    }
    let wrong = GuardConfig { call_timeout: Duration::ZERO, ..roomy() };
    assert_eq!(Guard::<64>::new(wrong, 0, ms(0)).unwrap_err(), GuardConfigError::ZeroTimeout);
    assert!(matches!(Guard::<8>::new(roomy(), 0, ms(0)), Err(GuardConfigError::Limit(_))));
}

#[test]
fn a_guard_can_be_a_static() {
    static GUARD: Guard = match Guard::new(GuardConfig::for_service(Rate::per_second(20), T), 7, Instant::ORIGIN) {
        Ok(guard) => guard,
        Err(_) => panic!("refused at compile time"),
    };
    let _ = send(&GUARD, ms(0));
}
