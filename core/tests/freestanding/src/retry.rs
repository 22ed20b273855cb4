//! Retry strategy, budget, classification and the loop around them.

use core::convert::Infallible;
use core::time::Duration;

use seawall::{
    AttemptFailure, ErrorClass, Instant, Jitter, ManualClock, Random, Rate, Ratio, RetryBudget, RetryBudgetConfig,
    RetryConfig, RetryCost, RetryDecision, RetryStrategy, RetryTokens, retry_after_seconds,
};

use crate::optional;

static BUDGET: RetryBudget = match RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN) {
    Ok(budget) => budget,
    Err(_) => panic!("the default is legal, or this does not compile"),
};
static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);

fn strategy(a: u64, b: u64) -> RetryStrategy {
    let jitters = [Jitter::None, Jitter::Additive, Jitter::Equal, Jitter::Full, Jitter::Decorrelated];
    let config = RetryConfig {
        max_attempts: a as u32,
        total_deadline: optional(b >> 32),
        base_delay: Duration::from_nanos(b),
        factor_percent: (a >> 32) as u32,
        max_delay: Duration::from_nanos(a),
        jitter: jitters.get((b & 7) as usize).copied().unwrap_or_default(),
        retry_after_cap: Duration::from_secs(b),
    };
    RetryStrategy::new(config).unwrap_or_default()
}

fn class(number: u64) -> ErrorClass {
    ErrorClass::of_http(number as u16, optional(number >> 16)).unwrap_or(ErrorClass::Retryable)
}

crate::proofs! {
    fn proof_retry_next_delay(a, b, c) {
        strategy(a, b).next_delay(a as u32, optional(b), c).as_nanos() as u64
    }
    fn proof_retry_decide(a, b, c) {
        let failure = AttemptFailure {
            attempt: c as u32,
            elapsed: Duration::new(a, b as u32 % 1_000_000_000),
            previous_delay: optional(b),
            class: class(c),
            retry_after: optional(a >> 7),
        };
        match strategy(a, b).decide(failure, c) {
            RetryDecision::RetryAfter(delay) => delay.as_nanos() as u64,
            RetryDecision::GiveUp(reason) => reason.name().len() as u64,
        }
    }
    fn proof_retry_after_seconds(a, _b, _c) {
        retry_after_seconds(&a.to_be_bytes()).map_or(0, |wait| wait.as_secs())
    }
    fn proof_retry_execute(a, b, c) {
        let mut retry = strategy(a, b)
            .executor(&CLOCK, Random::from_seed(c), |delay| CLOCK.advance(delay))
            .with_budget(&BUDGET);
        let sent = retry.execute(|attempt| Err::<Infallible, _>(u64::from(attempt) ^ c), |error| class(*error));
        match sent {
            Ok(never) => match never {},
            Err(error) => error.error + u64::from(error.attempts),
        }
    }
    fn proof_budget_new(a, b, c) {
        let config = RetryBudgetConfig::from_rate(
            Rate::new(a, Duration::from_nanos(b)).unwrap_or(Rate::ZERO),
            Duration::from_nanos(c),
        );
        let config = RetryBudgetConfig { floor: RetryTokens::from_millionths(b as u32), ..config };
        RetryBudget::new(config, Instant::from_nanos(c))
            .map_or(0, |budget| budget.balance(Instant::from_nanos(a)).as_millionths().into())
    }
    fn proof_budget_deposit(a, _b, _c) { BUDGET.deposit(Instant::from_nanos(a)); 0 }
    fn proof_budget_withdraw(a, b, _c) {
        let cost = if b < 4 { RetryCost::Timeout } else { RetryCost::Tokens(RetryTokens::whole(b as u32)) };
        BUDGET.try_withdraw(cost, Instant::from_nanos(a)).is_ok().into()
    }
    fn proof_budget_refund(a, b, _c) {
        BUDGET.refund(RetryCost::Tokens(RetryTokens::from_millionths(b as u32)), Instant::from_nanos(a));
        0
    }
    fn proof_budget_balance(a, _b, _c) { BUDGET.balance(Instant::from_nanos(a)).as_millionths().into() }
    fn proof_budget_settings(a, b, _c) {
        BUDGET.set_share(Ratio::of(a, b));
        BUDGET.set_cap(RetryTokens::from_millionths(b as u32)).is_ok().into()
    }
    fn proof_budget_rebase(a, b, _c) { BUDGET.rebase(Instant::from_nanos(a), Instant::from_nanos(b)); 0 }
}
