//! The policies that are put together from the core's mechanisms one by one, to show what each of them does.

use std::time::Duration;

use seawall::{
    AimdConfig, AimdController, AttemptFailure, BreakerConfig, BucketConfig, CircuitBreaker, ConcurrencyLimit,
    ErrorClass, Instant, LimitConfig, Outcome, Random, Ratio, RetryBudget, RetryBudgetConfig, RetryConfig, RetryCost,
    RetryDecision, RetryStrategy, RetryTokens, SlidingWindow, TokenBucket, TripRule, WarmUp, WindowConfig,
};

use super::{Call, Kind, Permit, Policy, Refusal, Told, Verdict};

pub(super) struct Composed {
    retry: RetryStrategy,
    random: Random,
    budget: Option<RetryBudget>,
    breaker: Option<CircuitBreaker>,
    limit: Option<Box<ConcurrencyLimit<64>>>,
    rate: Option<Box<Paced>>,
}

/// A bucket whose rate is found out.
struct Paced {
    bucket: TokenBucket,
    window: SlidingWindow<16, 128>,
    controller: AimdController,
    /// How long a call may wait for a token.
    wait: Option<Duration>,
}

impl Composed {
    pub(super) fn new(kind: Kind, told: Told, now: Instant) -> anyhow::Result<Self> {
        let timeout = told.timeout;
        let backoff = RetryConfig {
            max_attempts: told.attempts,
            base_delay: timeout / 10,
            max_delay: timeout * 10,
            ..RetryConfig::DEFAULT
        };
        let mut policy = Self {
            retry: RetryStrategy::new(match kind {
                Kind::None => RetryConfig { max_attempts: 1, ..backoff },
                Kind::Immediate => RetryConfig { base_delay: Duration::ZERO, ..backoff },
                Kind::Guide => RetryConfig::GUIDE,
                _ => backoff,
            })?,
            random: Random::from_seed(told.seed),
            budget: None,
            breaker: None,
            limit: None,
            rate: None,
        };
        match kind {
            Kind::Budget => policy.budget = Some(budget(now)?),
            Kind::InFlight => {
                policy.budget = Some(budget(now)?);
                policy.limit = Some(Box::new(in_flight(told)?));
            }
            Kind::Breaker => policy.breaker = Some(CircuitBreaker::new(half_of_thirty_two())?),
            Kind::Rate => policy.rate = Some(Box::new(Paced::on_errors(told, now)?)),
            Kind::Guide => {
                policy.breaker = Some(CircuitBreaker::new(guides_breaker())?);
                policy.rate = Some(Box::new(Paced::as_in_the_guide(told, now)?));
            }
            Kind::None | Kind::Immediate | Kind::Backoff | Kind::Reference | Kind::Default => {}
        }
        Ok(policy)
    }
}

/// One retry for ten successes, ten at once, and full at the start. Nothing decays: all of it is floor.
fn budget(now: Instant) -> anyhow::Result<RetryBudget> {
    let ten = RetryTokens::whole(10);
    let config = RetryBudgetConfig { cap: ten, initial: ten, floor: ten, ..RetryBudgetConfig::DEFAULT };
    Ok(RetryBudget::new(config, now)?)
}

fn in_flight(told: Told) -> anyhow::Result<ConcurrencyLimit<64>> {
    let nine_tenths = Ratio::percent(90)?;
    Ok(ConcurrencyLimit::new(LimitConfig {
        start: 10,
        slow_after: told.timeout / 2,
        timeout: told.timeout,
        slow_factor: nine_tenths,
        timeout_factor: nine_tenths,
        lease: told.timeout * 5,
        // Each sign is taken at once, and nothing is learnt.
        tolerance_percent: 0,
        saturated_after: 0,
        ..LimitConfig::DEFAULT
    })?)
}

/// Half of the last 32 attempts, as a usual library has it; retries are judged too.
fn half_of_thirty_two() -> BreakerConfig {
    BreakerConfig {
        rule: TripRule::FailureShare { share: Ratio::HALF, window: 32, minimum: 20 },
        open_for: Duration::from_secs(5),
        open_jitter: Ratio::of(1, 5),
        open_growth_percent: 200,
        open_cap: Duration::from_secs(30),
        probes: 5,
        close_share: Ratio::HALF,
        ramp: Duration::ZERO,
        ..BreakerConfig::DEFAULT
    }
}

fn guides_breaker() -> BreakerConfig {
    BreakerConfig {
        rule: TripRule::Consecutive(10),
        open_for: Duration::from_secs(30),
        open_jitter: Ratio::ZERO,
        open_growth_percent: 100,
        open_cap: Duration::from_secs(30),
        probes: 3,
        ramp: Duration::ZERO,
        ..BreakerConfig::DEFAULT
    }
}

impl Paced {
    /// Up to twice the rate that was told, and ten at once: a cut, and not the bucket, is what sheds.
    fn on_errors(told: Told, now: Instant) -> anyhow::Result<Self> {
        let most = told.rate_times(2.0)?;
        Ok(Self {
            bucket: TokenBucket::new(BucketConfig::new(most).burst(10), now)?,
            window: SlidingWindow::new(WindowConfig { window: Duration::from_secs(4) })?,
            controller: AimdController::new(AimdConfig {
                initial_rate: most,
                min_rate: told.rate_times(0.02)?,
                max_rate: most,
                step: told.rate_times(0.05)?,
                factor: Ratio::percent(70)?,
                error_threshold: Ratio::percent(10)?,
                latency_threshold: told.timeout,
                interval: Duration::from_secs(1),
                error_baseline_max: Ratio::ZERO,
                ..AimdConfig::DEFAULT
            })?,
            wait: None,
        })
    }

    /// The guide's numbers in their proportions: 5 a second is what it expects. A restarted client warms up at a fifth.
    fn as_in_the_guide(told: Told, now: Instant) -> anyhow::Result<Self> {
        let (rate, fifth) = (told.rate_times(1.0)?, told.rate_times(0.2)?);
        let warm_up = if told.is_cold { WarmUp::step(fifth, Duration::from_secs(60)) } else { WarmUp::NONE };
        Ok(Self {
            bucket: TokenBucket::new(BucketConfig::new(rate).warm_up(warm_up), now)?,
            window: SlidingWindow::new(WindowConfig::DEFAULT)?,
            controller: AimdController::new(AimdConfig {
                initial_rate: rate,
                min_rate: fifth,
                max_rate: told.rate_times(20.0)?,
                step: fifth,
                error_baseline_max: Ratio::ZERO,
                latency_baseline_max: Duration::ZERO,
                ..AimdConfig::DEFAULT
            })?,
            wait: Some(told.timeout),
        })
    }

    fn observe(&mut self, latency: Duration, is_good: bool, now: Instant) {
        self.window.record(latency, is_good, now);
        if now < self.controller.due_at() {
            return;
        }
        if let Some(change) = self.controller.observe(&self.window.summary(now), now) {
            // Where too many changes are under way the old rate stands until the next.
            let _ = self.bucket.set_rate(change.to, now);
        }
    }
}

impl Policy for Composed {
    fn begin(&mut self, _: u32, now: Instant) -> Call {
        Call::new(now)
    }

    fn try_attempt(&mut self, call: &mut Call, now: Instant) -> Result<Permit, Refusal> {
        let refusal = |wait, refused: seawall::Refused| Refusal { wait, retry_after: refused.retry_after() };
        let mut permit = Permit::plain(now);
        if let Some(breaker) = &self.breaker {
            breaker.peek(now).map_err(|refused| refusal(None, refused))?;
        }
        if let Some(limit) = &self.limit {
            permit.limit = Some(limit.try_attempt(now).map_err(|refused| refusal(None, refused))?);
        }
        if let Some(rate) = &self.rate {
            let wait = rate.wait.filter(|_| call.ended == 0);
            rate.bucket.try_take(1, now).map_err(|refused| refusal(wait, refused))?;
        }
        if let Some(breaker) = &self.breaker {
            permit.breaker = Some(breaker.try_attempt(now).map_err(|refused| refusal(None, refused))?.permit);
        }
        Ok(permit)
    }

    fn finish(&mut self, call: &mut Call, permit: Permit, is_good: bool, now: Instant) -> Verdict {
        let outcome = if is_good { Outcome::Success } else { Outcome::Failure };
        let latency = now.saturating_duration_since(permit.started);
        if let (Some(limit), Some(permit)) = (&self.limit, permit.limit) {
            limit.finish(permit, outcome, now);
        }
        if let (Some(breaker), Some(permit)) = (&self.breaker, permit.breaker) {
            breaker.finish(permit, outcome, now, self.random.next_u64());
        }
        if let Some(rate) = &mut self.rate {
            rate.observe(latency, is_good, now);
        }
        call.ended += 1;
        if is_good {
            if let Some(budget) = &self.budget
                && call.ended == 1
            {
                budget.deposit(now);
            }
            return Verdict::Done;
        }
        let failure = AttemptFailure {
            elapsed: now.saturating_duration_since(call.began),
            previous_delay: call.previous_delay,
            ..AttemptFailure::new(call.ended, ErrorClass::Retryable)
        };
        let RetryDecision::RetryAfter(delay) = self.retry.decide(failure, self.random.next_u64()) else {
            return Verdict::GiveUp;
        };
        if let Some(budget) = &self.budget
            && budget.try_withdraw(RetryCost::Error, now).is_err()
        {
            return Verdict::GiveUp;
        }
        call.previous_delay = Some(delay);
        Verdict::RetryAt(now.saturating_add(delay))
    }

    fn abandon(&mut self, _: &mut Call, _: Instant) {}
}
