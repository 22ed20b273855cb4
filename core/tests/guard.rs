//! The guard by its behaviour: each stage refuses by its own name, nothing is taken by halves, no storm goes through.

#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use std::sync::Barrier;
use std::time::Duration;

use seawall::{
    Call, Fill, GiveUpReason, Guard, GuardConfig, GuardConfigError, Instant, LimitConfig, Outcome, Permit, Rate,
    Reason, Request, RetryConfig, RetryTokens, Stage, State, Verdict, WarmUp,
};
use support::guards::{self, T, guard, ms, send};

/// Where a time-out is a failure like others: what more it says is in guard_retries.rs.
fn roomy() -> GuardConfig {
    GuardConfig { timeout_weight: 1, ..guards::roomy() }
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
        guard.breaker(0).state(now),
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
    open.breaker(0).trip(now, 0);
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
    guard.breaker(0).trip(ms(0), 0);
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
    assert_eq!((call.attempts(), guard.breaker(0).state(ms(4))), (4, State::Closed));
    let (mut second, permit) = send(&guard, ms(4));
    let told = guard.finish(&mut second, permit, Outcome::Failure, ms(4)).transition;
    assert_eq!(told.map(|transition| transition.to), Some(State::Open));
}

#[test]
fn a_retry_that_is_a_probe_is_heard() {
    let guard = guard(roomy());
    let (mut call, verdict) = attempt(&guard, Outcome::Failure, ms(0));
    assert!(matches!(verdict, Verdict::RetryAt(_)));
    guard.breaker(0).trip(ms(0), 0);
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
    assert_eq!(guard.breaker(0).state(ms(1)), State::Closed);
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

/// A minute's pause or so over a bucket that was filled, and its end.
fn after_a_pause(ramp: WarmUp) -> (Guard, Instant) {
    let guard = guard(GuardConfig { ramp, ..roomy() });
    let _ = attempt(&guard, Outcome::Throttled(Some(60 * T)), ms(0));
    let end = guard.paused_until(ms(0)).expect("a pause");
    assert_eq!(guard.bucket().available(end), 8);
    (guard, end)
}

fn sent(guard: &Guard, now: Instant) -> u32 {
    let ignored = |_: &u32| {
        let mut call = guard.begin(Request::DEFAULT, now);
        let admission = guard.try_attempt(&mut call, now).ok()?;
        Some(guard.finish(&mut call, admission.permit, Outcome::Ignored, now))
    };
    (0..20).map_while(|n| ignored(&n)).count() as u32
}

#[test]
fn after_a_pause_the_tokens_restart_at_one() {
    let (guard, end) = after_a_pause(WarmUp::NONE);
    assert_eq!(sent(&guard, end), 1);
    assert_eq!(sent(&guard, end.saturating_add(T)), 8, "a burst of eight, and ten were earned");
}

#[test]
fn who_was_idle_after_a_pause_has_earned_since_its_end() {
    let (guard, end) = after_a_pause(WarmUp::NONE);
    assert_eq!(sent(&guard, end.saturating_add(Duration::from_millis(300))), 4);
    let (guard, end) = after_a_pause(WarmUp::NONE);
    assert_eq!(sent(&guard, end.saturating_add(Duration::from_secs(31_536_000))), 8);
}

#[test]
fn after_a_pause_the_rate_climbs_by_the_ramp() {
    let ramp = WarmUp::linear(Rate::ZERO, Duration::from_secs(4));
    let (guard, end) = after_a_pause(ramp);
    let at = |millis| end.saturating_add(Duration::from_millis(millis));
    assert_eq!(sent(&guard, end), 1);
    // The integral of 10/s x t/4 s: 1.25 in the first second, 5 in two, 11.25 in three.
    assert_eq!((sent(&guard, at(1_000)), sent(&guard, at(2_000)), sent(&guard, at(3_000))), (1, 4, 6));
    let (guard, end) = after_a_pause(ramp);
    assert_eq!(sent(&guard, end.saturating_add(4 * T)), 8, "a ramp that is over is none");
}

#[test]
fn a_ramp_does_not_cut_the_first_warm_up_short() {
    let bucket = roomy().bucket.warm_up(WarmUp::step(Rate::ZERO, Duration::from_secs(300)));
    let guard = guard(GuardConfig { bucket, ramp: WarmUp::linear(Rate::ZERO, 2 * T), ..roomy() });
    let _ = attempt(&guard, Outcome::Throttled(Some(T)), ms(0));
    assert_eq!(sent(&guard, ms(2_000)), 1);
    assert_eq!(sent(&guard, ms(299_000)), 0);
    assert!(sent(&guard, ms(300_500)) > 0);
}

#[test]
fn after_an_open_interval_the_tokens_restart_at_one() {
    let guard = guard(roomy());
    guard.breaker(0).trip(ms(0), 0);
    let (mut call, permit) = send(&guard, ms(3_000));
    let told = guard.finish(&mut call, permit, Outcome::Success, ms(3_050)).transition;
    assert_eq!(told.map(|told| told.to), Some(State::Closed));
    assert_eq!(sent(&guard, ms(3_050)), 1);
    assert_eq!(sent(&guard, ms(3_250)), 2);
}

#[test]
fn a_restart_is_settled_once_and_a_refusal_before_it_writes_nothing() {
    let (guard, end) = after_a_pause(WarmUp::NONE);
    // Two tokens are more than there will be: this one settles, and is told the truth.
    let mut call = guard.begin(Request { cost: 2, ..Request::DEFAULT }, end);
    let refused = guard.try_attempt(&mut call, end).unwrap_err();
    // A token takes 100 ms; the bucket counts in units, so that it may come some nanoseconds early.
    let wait = refused.retry_after().unwrap();
    assert!(refused.stage() == Stage::TokenBucket && wait.as_micros().abs_diff(100_000) <= 1, "{refused}");
    assert_eq!(guard.bucket().available(end), 1);
    assert!(guard.try_attempt(&mut call, end.saturating_add(Duration::from_millis(100))).is_ok());
    // A Retry-After of 0 asks for no pause, and so for no restart.
    let full = self::guard(roomy());
    let _ = attempt(&full, Outcome::Throttled(Some(Duration::ZERO)), ms(0));
    assert_eq!(sent(&full, ms(0)), 7);
}

#[test]
fn a_stepped_clock_is_told_and_a_rebase_or_a_reset_heals_it() {
    let (hour, year) = (ms(3_600_000), ms(31_536_000_000));
    for heal in
        [|guard: &Guard| guard.rebase(ms(31_536_000_000), ms(0)), |guard: &Guard| guard.reset(ms(0)).map(|_| ())]
    {
        // One absurd reading takes all tokens.
        let stepped = guard(roomy());
        assert_eq!(sent(&stepped, year), 8);
        assert_eq!(refusal(&stepped, Request::DEFAULT, hour), (Stage::TokenBucket, Reason::ClockStepped));
        heal(&stepped).unwrap();
        assert!(sent(&stepped, ms(200)) > 0);

        // Or all slots.
        let stepped = guard(roomy());
        let held: Vec<_> = (0..4).map(|_| send(&stepped, year)).collect();
        assert_eq!(refusal(&stepped, Request::DEFAULT, hour), (Stage::ConcurrencyLimit, Reason::ClockStepped));
        heal(&stepped).unwrap();
        assert!(sent(&stepped, ms(6_000)) > 0, "at the latest when the leases have lapsed");
        for (mut call, permit) in held {
            // Void: nothing is freed that another holds.
            assert_eq!(
                stepped.finish(&mut call, permit, Outcome::Failure, ms(6_000)).verdict,
                Verdict::GiveUp(GiveUpReason::PermitVoid)
            );
        }
    }
}

#[test]
fn a_rebase_keeps_what_is_left_of_pause_interval_and_lease() {
    let far = ms(1_000_000_000);
    let tokens = RetryTokens::whole(5);
    let budget = seawall::RetryBudgetConfig { initial: tokens, floor: RetryTokens::ZERO, ..roomy().budget };
    let guard = Guard::<64>::new(GuardConfig { budget, ..roomy() }, 7, far).unwrap();
    let _held = send(&guard, far);
    let _ = attempt(&guard, Outcome::Throttled(Some(2 * T)), far);
    guard.breaker(0).trip(far, u64::MAX / 2);
    let left = guard.paused_until(far).unwrap().saturating_duration_since(far);
    guard.rebase(far, ms(5)).unwrap();
    let now_left = guard.paused_until(ms(5)).unwrap().saturating_duration_since(ms(5));
    assert!(now_left >= left && now_left <= left + Duration::from_nanos(2), "{now_left:?} for {left:?}");
    assert_eq!((guard.limit().in_flight(ms(5)), guard.limit().in_flight(ms(5_100))), (1, 0));
    assert_eq!((guard.breaker(0).state(ms(800)), guard.breaker(0).state(ms(1_400))), (State::Open, State::HalfOpen));
    // The first token after the start is up to an interval later, by the seed.
    assert_eq!((guard.bucket().available(ms(5)), guard.bucket().available(ms(206))), (6, 7));
    assert!(guard.budget().balance(ms(5)) > guard.budget().balance(ms(5_000)), "it decays on the new clock");
}

#[test]
fn a_reset_is_as_a_new_guard() {
    let bucket = roomy().bucket.fill(Fill::Tokens(3));
    let guard = guard(GuardConfig { bucket, ..roomy() });
    let before = state(&guard, ms(0));
    let _held = send(&guard, ms(0));
    let _ = attempt(&guard, Outcome::Failure, ms(0));
    let _ = attempt(&guard, Outcome::Throttled(Some(2 * T)), ms(0));
    guard.breaker(0).force_open(ms(0));
    assert_ne!(state(&guard, ms(0)), before);
    let [told] = guard.reset(ms(70)).unwrap();
    assert_eq!(told.map(|told| (told.from, told.to)), Some((State::Open, State::Closed)));
    assert_eq!(state(&guard, ms(70)), before);
}

#[test]
fn a_ramp_of_over_a_year_is_refused_with_what_is_allowed() {
    let ramp = WarmUp::linear(Rate::ZERO, WarmUp::LONGEST + Duration::from_nanos(1));
    let error = Guard::<64>::new(GuardConfig { ramp, ..roomy() }, 7, ms(0)).unwrap_err();
    assert_eq!(error.to_string(), "the ramp of a guard is over a year: allowed are 0 to 31,536,000 seconds");
}

/// 64 threads ask at once; the permits of those that were admitted.
fn storm(guard: &Guard, now: Instant) -> Vec<(Call, Permit)> {
    let start = Barrier::new(64);
    std::thread::scope(|scope| {
        let ask = || {
            start.wait();
            let mut call = guard.begin(Request::DEFAULT, now);
            guard.try_attempt(&mut call, now).ok().map(|admission| (call, admission.permit))
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn threads_that_lose_a_race_give_back_all_they_took() {
    let rare = |burst| seawall::BucketConfig::new(Rate::per_day(1)).burst(burst);
    let wide = LimitConfig { start: 64, ..roomy().limit };
    // Tokens, slots or the one probe are what there is too few of.
    for (burst, start, is_open, expected) in
        [(1, 64, false, 1), (64, 3, false, 3), (64, 64, true, 1), (1, 64, true, 1), (5, 64, false, 5)]
    {
        for _ in 0..20 {
            let limit = LimitConfig { start, ..wide };
            let guard = guard(GuardConfig { bucket: rare(burst), limit, ..roomy() });
            if is_open {
                guard.breaker(0).trip(ms(0), 0);
            }
            let admitted = storm(&guard, ms(3_000));
            assert_eq!(admitted.len(), expected);
            assert_eq!(guard.limit().in_flight(ms(3_000)), expected as u32);
            assert_eq!(guard.bucket().available(ms(3_000)), burst - expected as u32);
            for (mut call, permit) in admitted {
                let _ = guard.finish(&mut call, permit, Outcome::Ignored, ms(3_000));
                assert!(!guard.cancel(permit, ms(3_000)));
            }
            assert_eq!(guard.limit().in_flight(ms(3_000)), 0);
            assert_eq!(guard.bucket().available(ms(3_000)), burst - expected as u32);
        }
    }
}
