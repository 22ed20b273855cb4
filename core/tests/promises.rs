//! Promises that several mechanisms keep together, or that all of them keep in the same way.

use core::time::Duration;
use std::cell::RefCell;

use seawall::{
    AimdConfig, AimdController, BreakerConfig, BreakerConfigError, BucketConfig, BucketConfigError, CircuitBreaker,
    ConcurrencyLimit, ErrorClass, GiveUpReason, Guard, GuardConfig, Instant, Jitter, LimitConfig, LimitConfigError,
    ManualClock, Outcome, Random, Rate, Ratio, Request, RetryBudget, RetryBudgetConfig, RetryConfig, RetryConfigError,
    RetryCost, RetryDecision, RetryStrategy, RetryTokens, SlidingWindow, Stage, TokenBucket, TripRule, Verdict, WarmUp,
    WindowConfig, WindowConfigError,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_zero_is_zero_or_an_error_and_never_the_default() {
    let start = Instant::ORIGIN;
    let later = start.saturating_add(100 * SECOND);

    // An error, where zero can mean nothing.
    let burst = TokenBucket::new(BucketConfig::new(Rate::per_second(5)).burst(0), start).err();
    assert_eq!(burst, Some(BucketConfigError::ZeroBurst));
    let breaker = |config| CircuitBreaker::new(config).err();
    let default = BreakerConfig::DEFAULT;
    for (config, error) in [
        (BreakerConfig { rule: TripRule::Consecutive(0), ..default }, BreakerConfigError::Consecutive),
        (BreakerConfig { open_for: Duration::ZERO, ..default }, BreakerConfigError::OpenFor),
        (BreakerConfig { probes: 0, ..default }, BreakerConfigError::Probes),
        (BreakerConfig { probe_lease: Duration::ZERO, ..default }, BreakerConfigError::ProbeLease),
        (BreakerConfig { close_share: Ratio::ZERO, ..default }, BreakerConfigError::CloseShare),
    ] {
        assert_eq!(breaker(config), Some(error));
    }
    let limit = |config| ConcurrencyLimit::<64>::new(config).err();
    assert_eq!(limit(LimitConfig { floor: 0, ..LimitConfig::DEFAULT }), Some(LimitConfigError::Floor));
    assert_eq!(limit(LimitConfig { start: 0, ..LimitConfig::DEFAULT }), Some(LimitConfigError::Start));
    assert_eq!(limit(LimitConfig { ceiling: 0, ..LimitConfig::DEFAULT }), Some(LimitConfigError::Ceiling));
    let window = SlidingWindow::<2, 32>::new(WindowConfig { window: Duration::ZERO }).err();
    assert_eq!(window, Some(WindowConfigError::TooShort));
    for config in [
        AimdConfig { min_rate: Rate::ZERO, ..AimdConfig::DEFAULT },
        AimdConfig { initial_rate: Rate::ZERO, ..AimdConfig::DEFAULT },
        AimdConfig { step: Rate::ZERO, ..AimdConfig::DEFAULT },
        AimdConfig { interval: Duration::ZERO, ..AimdConfig::DEFAULT },
        AimdConfig { minimum_samples: 0, ..AimdConfig::DEFAULT },
    ] {
        assert!(AimdController::new(config).is_err(), "{config:?}");
    }
    let none = RetryStrategy::new(RetryConfig { max_attempts: 0, ..RetryConfig::DEFAULT });
    assert_eq!(none.err(), Some(RetryConfigError::ZeroAttempts));

    // Zero itself, where it means something.
    let still = TokenBucket::new(BucketConfig::new(Rate::ZERO), start).unwrap();
    assert!(still.try_take(1, start).is_ok() && still.try_take(1, later).is_err(), "a rate of zero earns nothing");
    assert!(WarmUp::linear(Rate::ZERO, Duration::ZERO).is_none());
    let steady = CircuitBreaker::new(BreakerConfig {
        open_jitter: Ratio::ZERO,
        ramp: Duration::ZERO,
        ..BreakerConfig { open_growth_percent: 100, ..default }
    })
    .unwrap();
    steady.trip(start, u64::MAX).unwrap();
    assert_eq!(steady.try_attempt(start).unwrap_err().retry_after().map(|wait| wait.as_millis()), Some(1_000));
    let whole = LimitConfig { slow_factor: Ratio::ZERO, timeout_factor: Ratio::ZERO, start: 9, ..LimitConfig::DEFAULT };
    let whole = ConcurrencyLimit::<64>::new(whole).unwrap();
    let permits = [(); 9].map(|()| whole.try_attempt(start).unwrap());
    assert_eq!(whole.finish(permits[0], Outcome::Throttled(None), start).map(|change| change.to), Some(1));
    let cut = AimdController::new(AimdConfig { factor: Ratio::ZERO, ..AimdConfig::DEFAULT }).unwrap();
    assert_eq!(cut.update(Some(Ratio::ONE), None, start).map(|change| change.to), Some(AimdConfig::DEFAULT.min_rate));
    let strict = AimdConfig { error_threshold: Ratio::ZERO, ..AimdConfig::DEFAULT };
    let strict = AimdController::new(strict).unwrap();
    assert!(strict.update(Some(Ratio::from_ppm(1).unwrap()), None, start).is_some_and(|told| told.to < told.from));
    let at_once = RetryConfig { base_delay: Duration::ZERO, jitter: Jitter::None, ..RetryConfig::DEFAULT };
    let failure = seawall::AttemptFailure::new(1, ErrorClass::Retryable);
    let decision = RetryStrategy::new(at_once).unwrap().decide(failure, 7);
    assert_eq!(decision, RetryDecision::RetryAfter(Duration::ZERO));
    let empty = RetryBudgetConfig {
        cap: RetryTokens::ZERO,
        initial: RetryTokens::ZERO,
        floor: RetryTokens::ZERO,
        share: Ratio::ZERO,
        ..RetryBudgetConfig::DEFAULT
    };
    let empty = RetryBudget::new(empty, start).unwrap();
    empty.deposit(start);
    assert!(empty.try_withdraw(RetryCost::Error, later).is_err());
}

#[test]
fn a_retry_passes_the_gates_of_a_first_attempt_and_holds_no_slot_while_it_waits() {
    let base = GuardConfig::for_service(Rate::per_second(10), SECOND);
    let config = GuardConfig { bucket: BucketConfig::new(Rate::per_second(10)).burst(2), ..base };
    let start = Instant::ORIGIN;
    // A first attempt that failed, and when its retry may go.
    let waiting = |guard: &Guard| {
        let mut call = guard.begin(Request::DEFAULT, start);
        let permit = guard.try_attempt(&mut call, start).unwrap().permit;
        assert_eq!(guard.limit().in_flight(start), 1);
        let Verdict::RetryAt(at) = guard.finish(&mut call, permit, Outcome::Failure, start).verdict else {
            panic!("the budget pays for one retry");
        };
        assert_eq!(guard.limit().in_flight(start), 0, "who waits holds no slot");
        (call, at)
    };

    let empty = Guard::new(config, 7, start).unwrap();
    let (mut call, at) = waiting(&empty);
    while empty.bucket().try_take(1, at).is_ok() {}
    assert_eq!(empty.try_attempt(&mut call, at).unwrap_err().stage(), Stage::TokenBucket);

    let open = Guard::new(config, 7, start).unwrap();
    let (mut call, at) = waiting(&open);
    open.breaker(0).trip(at, 7).unwrap();
    assert_eq!(open.try_attempt(&mut call, at).unwrap_err().stage(), Stage::CircuitBreaker);
}

#[test]
fn nested_retries_together_stay_under_one_budget() {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let config = RetryBudgetConfig {
        cap: RetryTokens::whole(10),
        initial: RetryTokens::whole(10),
        floor: RetryTokens::whole(10),
        ..RetryBudgetConfig::DEFAULT
    };
    let budget = RetryBudget::new(config, Instant::ORIGIN).unwrap();
    let eight = RetryStrategy::new(RetryConfig { max_attempts: 8, ..RetryConfig::DEFAULT }).unwrap();
    let retry =
        |seed| eight.executor(&clock, Random::from_seed(seed), |delay| clock.advance(delay)).with_budget(&budget);
    let sent = RefCell::new(0);
    for message in 0..100 {
        let inner = || {
            retry(message + 1_000).execute(
                |_| {
                    *sent.borrow_mut() += 1;
                    Err::<(), _>("down")
                },
                |_| ErrorClass::Retryable,
            )
        };
        let outer = retry(message).execute(|_| inner(), |_| ErrorClass::Retryable);
        assert!(outer.unwrap_err().attempts <= 8);
    }
    // Each message once, and the budget's ten: not sixty-four a message.
    assert_eq!(*sent.borrow(), 110);
}

#[test]
fn a_delay_is_drawn_anew_for_each_attempt_and_each_client() {
    // The bound on the delay is the same at every attempt: only the draws differ.
    let flat = RetryConfig {
        max_attempts: 200,
        base_delay: SECOND,
        max_delay: SECOND,
        factor_percent: 100,
        total_deadline: None,
        ..RetryConfig::DEFAULT
    };
    for jitter in [Jitter::Full, Jitter::Equal] {
        let strategy = RetryStrategy::new(RetryConfig { jitter, ..flat }).unwrap();
        let waits = |seed| {
            let (clock, waits) = (ManualClock::starting_at(Instant::ORIGIN), RefCell::new(Vec::new()));
            let mut retry = strategy.executor(&clock, Random::from_seed(seed), |wait| waits.borrow_mut().push(wait));
            let error = retry.execute(|_| Err::<(), _>("down"), |_| ErrorClass::Retryable).unwrap_err();
            assert_eq!(error.reason, GiveUpReason::AttemptsExhausted);
            waits.into_inner()
        };
        let mut all = [waits(1), waits(2)].concat();
        assert!(all.iter().all(|wait| *wait <= SECOND));
        all.sort_unstable();
        all.dedup();
        assert!(all.len() > 390, "{jitter:?}: {} of 398 delays differ", all.len());
    }
}

#[test]
fn a_controllers_rate_never_leaves_floor_and_ceiling() {
    let (floor, ceiling) = (Rate::new(1, Duration::from_secs(5)).unwrap(), Rate::per_second(7));
    let config = AimdConfig {
        initial_rate: Rate::per_second(2),
        min_rate: floor,
        max_rate: ceiling,
        step: Rate::per_second(3),
        interval: SECOND,
        ..AimdConfig::DEFAULT
    };
    let controller = AimdController::new(config).unwrap();
    let (mut chance, mut met) = (Random::from_seed(3), (false, false));
    for second in 0..10_000 {
        let now = Instant::ORIGIN.saturating_add(Duration::from_secs(second));
        // Long stretches of both, so that each bound is met and pushed at.
        let errors = if chance.next_u64() % 8 < 1 + second / 20 % 2 * 6 { Ratio::ONE } else { Ratio::ZERO };
        if chance.next_u64().is_multiple_of(50) {
            controller.set_rate(Rate::per_second(chance.next_u64() >> (chance.next_u64() % 64)));
        }
        let _ = controller.update(Some(errors), None, now);
        let rate = controller.current_rate();
        assert!(floor <= rate && rate <= ceiling, "{rate:?} in second {second}");
        met = (met.0 || rate == floor, met.1 || rate == ceiling);
    }
    assert_eq!(met, (true, true), "both bounds were met");
}
