//! When a guard promises a retry: while the service is well, paid for before the backoff, and where a breaker says so.

#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use seawall::{
    BreakerConfig, Call, Fill, GiveUpReason, Guard, GuardConfig, GuardConfigError, Instant, LimitConfig, Mode, Outcome,
    Permit, Random, Rate, Request, RetryBudgetConfig, RetryCost, RetryTokens, Stage, State, TripRule, Verdict,
};
use support::guards::{T, guard, ms, send};

const FAILING: Verdict = Verdict::GiveUp(GiveUpReason::ServiceFailing);

/// Four failures in a row open, two are the end of retries; tokens and budget for many.
fn config() -> GuardConfig {
    let base = GuardConfig::for_service(Rate::per_second(20), T);
    let ten = RetryTokens::whole(10);
    GuardConfig {
        bucket: base.bucket.burst(100).fill(Fill::Full),
        budget: RetryBudgetConfig { cap: ten, initial: ten, floor: ten, ..base.budget },
        retry_streak: Some(2),
        ..base
    }
}

/// A first attempt that ends after `latency`.
fn after(guard: &Guard, outcome: Outcome, latency: Duration) -> Verdict {
    let (mut call, permit) = send(guard, ms(0));
    guard.finish(&mut call, permit, outcome, ms(0).saturating_add(latency)).verdict
}

fn promises(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::RetryAt(_))
}

#[test]
fn the_second_failure_in_a_row_is_not_sent_again_until_a_call_has_succeeded() {
    let guard = guard(config());
    let fails = |outcome| after(&guard, outcome, Duration::ZERO);
    assert!(promises(fails(Outcome::Failure)));
    assert_eq!(fails(Outcome::Failure), FAILING);
    assert_eq!(fails(Outcome::Throttled(None)), FAILING);
    assert_eq!(fails(Outcome::Success), Verdict::Done);
    assert!(promises(fails(Outcome::Throttled(None))));
    assert_eq!(guard.breaker(0).state(ms(0)), State::Closed);
}

#[test]
fn a_retry_is_promised_only_while_the_breaker_of_its_shard_is_closed() {
    let guard = Guard::<64, 2>::new(config(), 7, ms(0)).unwrap();
    let fails = |shard| {
        let mut call = guard.begin(Request { shard, ..Request::DEFAULT }, ms(0));
        let permit = guard.try_attempt(&mut call, ms(0)).unwrap().permit;
        guard.breaker(1).trip(ms(0), 0);
        let verdict = guard.finish(&mut call, permit, Outcome::Failure, ms(0)).verdict;
        guard.breaker(1).reset(ms(0));
        verdict
    };
    assert_eq!(fails(1), FAILING);
    assert!(promises(fails(0)));
    // What is given up for that is not paid for.
    let balance = guard.budget().balance(ms(0));
    assert_eq!(fails(1), FAILING);
    assert_eq!(guard.budget().balance(ms(0)), balance);
}

#[test]
fn a_time_out_weighs_two_failures_for_the_breaker_and_not_against_its_own_retry() {
    let guard = guard(config());
    assert!(promises(after(&guard, Outcome::Failure, T)), "one time-out between successes is repaired");
    assert_eq!(after(&guard, Outcome::Failure, Duration::ZERO), FAILING, "two stand, and one more");
    assert_eq!(guard.breaker(0).state(ms(0)), State::Closed);
    assert_eq!(after(&guard, Outcome::Failure, Duration::ZERO), FAILING);
    assert_eq!(guard.breaker(0).state(ms(0)), State::Open, "two, one and one are four");

    // A nanosecond less is none.
    let guard = self::guard(config());
    let _ = [(); 3].map(|()| after(&guard, Outcome::Failure, T - Duration::from_nanos(1)));
    assert_eq!(guard.breaker(0).state(ms(0)), State::Closed);
    let guard = self::guard(config());
    let _ = [(); 2].map(|()| after(&guard, Outcome::Failure, T));
    assert_eq!(guard.breaker(0).state(ms(1_000)), State::Open);
}

#[test]
fn the_bound_of_the_streak_is_the_callers() {
    let bounded = |retry_streak| guard(GuardConfig { retry_streak, ..config() });
    let fails = |guard: &Guard| after(guard, Outcome::Failure, Duration::ZERO);
    assert_eq!(fails(&bounded(Some(0))), FAILING, "0 is never");
    assert_eq!(fails(&bounded(Some(1))), FAILING);
    let three = bounded(Some(3));
    assert_eq!([(); 3].map(|()| promises(fails(&three))), [true, true, false]);
    let none = bounded(None);
    assert_eq!([(); 4].map(|()| promises(fails(&none))), [true; 4]);
    assert_eq!(none.breaker(0).state(ms(0)), State::Open);
}

#[test]
fn a_share_rule_has_a_streak_too_and_weighs_every_call_alike() {
    let rule = TripRule::FailureShare { share: seawall::Ratio::HALF, window: 20, minimum: 20 };
    let guard = guard(GuardConfig { breaker: BreakerConfig { rule, ..config().breaker }, ..config() });
    let fails = |latency| after(&guard, Outcome::Failure, latency);
    assert!(promises(fails(Duration::ZERO)));
    assert_eq!(fails(Duration::ZERO), FAILING);
    assert_eq!(after(&guard, Outcome::Success, Duration::ZERO), Verdict::Done);
    assert!(promises(fails(T)));
}

#[test]
fn a_retry_that_waits_in_its_backoff_is_paid_for() {
    let guard = guard(config());
    let before = guard.budget().balance(ms(0));
    let verdict = after(&guard, Outcome::Failure, Duration::ZERO);
    let Verdict::RetryAt(at) = verdict else { panic!("{verdict:?}") };
    assert!(at > ms(0));
    assert_eq!(before.as_millionths() - guard.budget().balance(ms(0)).as_millionths(), 1_000_000);
    // Nine more such waits, and the next is not promised, though no retry has been sent.
    let verdicts = [(); 10].map(|()| {
        guard.breaker(0).reset(ms(0));
        after(&guard, Outcome::Failure, Duration::ZERO)
    });
    assert!(verdicts[..9].iter().all(|verdict| promises(*verdict)));
    assert_eq!(verdicts[9], Verdict::GiveUp(GiveUpReason::BudgetSpent));
}

#[test]
fn a_breaker_in_shadow_gives_no_call_up_and_says_that_it_would() {
    let guard = guard(config());
    guard.set_mode(Stage::CircuitBreaker, Mode::Shadow).unwrap();
    assert!(promises(after(&guard, Outcome::Failure, Duration::ZERO)));
    let (mut call, permit) = send(&guard, ms(0));
    let finished = guard.finish(&mut call, permit, Outcome::Failure, ms(0));
    let Verdict::RetryAt(at) = finished.verdict else { panic!("{finished:?}") };
    assert_eq!(finished.shadow_give_up, Some(GiveUpReason::ServiceFailing));
    // The budget is enforced, and is paid.
    assert_eq!(guard.budget().balance(ms(0)), RetryTokens::whole(8));
    let retry = guard.try_attempt(&mut call, at).unwrap();
    assert_eq!(retry.shadow_refusal.unwrap().stage(), Stage::CircuitBreaker);
    guard.set_mode(Stage::CircuitBreaker, Mode::Off).unwrap();
    assert!((0..8).all(|_| promises(after(&guard, Outcome::Failure, Duration::ZERO))));
}

#[test]
fn a_time_out_that_weighs_nothing_is_refused_with_what_is_allowed() {
    let error = Guard::<64>::new(GuardConfig { timeout_weight: 0, ..config() }, 7, ms(0)).unwrap_err();
    assert_eq!(error, GuardConfigError::ZeroTimeoutWeight);
    assert_eq!(error.to_string(), "the weight of a time-out is 0: allowed are 1 and more");
}

/// An attempt under way, and whether its answer is good.
type Answer = (Permit, bool);

/// Ten clients of ten calls a second (expected: up to fifteen), that wait 0.3 s for a token or a slot, before a service that is down for `phase` and up for `phase`, by turns, for two
/// minutes: attempts for each call that arrived in a down phase, and the share of calls of an up phase that were
/// answered. Down, it answers with an error after 5 ms; up, after 50 ms in the mean.
fn flapping(phase: Duration, retry_streak: Option<u32>) -> (f64, f64) {
    let second = 1_000_000_000_u64;
    let phase_ns = phase.as_nanos() as u64;
    let is_down = |at: u64| at / phase_ns % 2 == 1;
    let (mut attempts, mut arrived, mut good, mut asked) = (0_u32, 0_u32, 0_u32, 0_u32);
    for client in 0..10 {
        let mut random = Random::from_seed(client);
        let mut exponential = |mean_ns: u64| {
            let drawn = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            (-(1.0 - drawn).ln() * mean_ns as f64) as u64
        };
        let expected = GuardConfig::for_service(Rate::per_second(15), T);
        let guard = guard(GuardConfig { retry_streak, ..expected });
        // What happens when; the number tells events of one instant apart.
        let mut events: BTreeMap<(u64, u64), (Call, u64, Option<Answer>)> = BTreeMap::new();
        let (mut at, mut number) = (exponential(second / 10), 0);
        while at < 120 * second {
            events.insert((at, number), (guard.begin(Request::DEFAULT, Instant::from_nanos(at)), at, None));
            (at, number) = (at + exponential(second / 10), number + 1);
            let arrives_down = is_down(at);
            arrived += u32::from(arrives_down);
            asked += u32::from(!arrives_down);
        }
        while let Some(((at, _), (mut call, came, sent))) = events.pop_first() {
            let now = Instant::from_nanos(at);
            number += 1;
            match sent {
                None => match guard.try_attempt(&mut call, now) {
                    Ok(admission) => {
                        attempts += u32::from(is_down(at));
                        let latency = if is_down(at) { second / 200 } else { exponential(second / 20) };
                        let answer = (admission.permit, !is_down(at));
                        events.insert((at + latency, number), (call, came, Some(answer)));
                    }
                    Err(refused) => {
                        let waits = matches!(refused.stage(), Stage::TokenBucket | Stage::ConcurrencyLimit);
                        if waits && at < came + second * 3 / 10 {
                            let wait = refused.retry_after().map_or(second / 100, |wait| wait.as_nanos() as u64);
                            events.insert((at + wait, number), (call, came, None));
                        } else {
                            guard.abandon(&mut call, now);
                        }
                    }
                },
                Some((permit, is_good)) => {
                    let outcome = if is_good { Outcome::Success } else { Outcome::Failure };
                    match guard.finish(&mut call, permit, outcome, now).verdict {
                        Verdict::RetryAt(again) => {
                            events.insert((again.as_nanos(), number), (call, came, None));
                        }
                        _ => good += u32::from(is_good && !is_down(came)),
                    }
                }
            }
        }
    }
    (f64::from(attempts) / f64::from(arrived), f64::from(good) / f64::from(asked))
}

#[test]
fn a_service_that_flaps_is_sent_less_by_the_streak_rule_and_no_good_phase_is_lost() {
    for seconds in [2, 10] {
        let phase = Duration::from_secs(seconds);
        let (with, without) = (flapping(phase, Some(2)), flapping(phase, None));
        println!("{seconds} s down and up: attempts a call down {:.3}, answered up {:.3}", with.0, with.1);
        println!("   without the rule: attempts a call down {:.3}, answered up {:.3}", without.0, without.1);
        assert!(with.0 < without.0, "{} {}", with.0, without.0);
        assert!(with.1 > without.1 - 0.005, "{} {}", with.1, without.1);
        assert!(with.0 < 0.7 && with.1 > 0.95, "{with:?}");
    }
}

#[test]
fn the_price_of_a_retry_goes_by_how_it_failed() {
    let guard = guard(config());
    let before = guard.budget().balance(ms(0)).as_millionths();
    assert!(promises(after(&guard, Outcome::Failure, T)));
    let paid = before - guard.budget().balance(ms(1_000)).as_millionths();
    assert_eq!(paid, RetryCost::Timeout.tokens().as_millionths());
}

#[test]
fn a_retry_that_was_sent_stays_paid_for_though_it_was_reported_too_late() {
    let limit = LimitConfig { start: 1, ceiling: 1, ..config().limit };
    let budget = RetryBudgetConfig { floor: RetryTokens::ZERO, ..config().budget };
    let guard = guard(GuardConfig { limit, budget, ..config() });
    let (mut call, permit) = send(&guard, ms(0));
    let finished = guard.finish(&mut call, permit, Outcome::Failure, ms(0));
    assert!(matches!(finished.verdict, Verdict::RetryAt(_)));
    let paid = guard.budget().balance(ms(1_000));
    let late = guard.try_attempt(&mut call, ms(1_000)).unwrap().permit;
    // Its lease of 5 s has lapsed, and another has its slot.
    let _other = send(&guard, ms(7_000));
    let finished = guard.finish(&mut call, late, Outcome::Failure, ms(7_000));
    assert_eq!(finished.verdict, Verdict::GiveUp(GiveUpReason::PermitVoid));
    let before = guard.budget().balance(ms(7_000));
    guard.abandon(&mut call, ms(7_000));
    assert_eq!((guard.budget().balance(ms(7_000)), before <= paid), (before, true));
}
