//! [`GuardState`]: what a guard has beside the mechanisms that it is made of.

use core::fmt;

use crate::circuit_breaker::TripRule;
use crate::guard::config::Schedule;
use crate::guard::modes::Modes;
use crate::guard::pause::Pause;
use crate::guard::{GuardConfig, GuardConfigError};
use crate::random::SharedRandom;
use crate::retry_strategy::RetryStrategy;
use crate::sync::{AtomicU64, const_constructor};
use crate::time::{Instant, nanos};
use crate::token_bucket::Fill;
use crate::warm_up::WarmUp;

/// What a guard has beside the mechanisms that it is made of: modes, pause, retry strategy, its random numbers. With a token
/// bucket, a retry budget, breakers, a limit and, if wanted, buckets by key it is a guard:
/// [`GuardView::new`](crate::GuardView::new).
///
/// Of use where the sizes are known only at run time; else there is [`Guard`](crate::Guard), which holds all of it.
///
/// ```
/// use core::time::Duration;
/// use seawall::{CircuitBreaker, ConcurrencyLimit, GuardConfig, GuardState, GuardView, Instant, Rate, RetryBudget};
/// let (seed, now) = (7, Instant::ORIGIN);
/// let config = GuardConfig::for_shards(Rate::per_second(20), Duration::from_secs(1), 3);
/// let state = GuardState::new(config, seed, now)?;
/// let (bucket, budget) = (config.token_bucket(seed, now)?, RetryBudget::new(config.budget, now)?);
/// let breakers = (0..3).map(|_| CircuitBreaker::new(config.breaker)).collect::<Result<Vec<_>, _>>()?;
/// let limit = ConcurrencyLimit::<64>::new(config.limit)?;
/// assert!(GuardView::new(&state, &bucket, &budget, &breakers, &limit, None).is_some());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[repr(C)]
pub struct GuardState {
    pub(super) modes: Modes,
    pub(super) pause: Pause,
    pub(super) random: SharedRandom,
    pub(super) retry: RetryStrategy,
    pub(super) timeout_ns: u64,
    pub(super) timeout_weight: u32,
    /// Whether there is a bound on the failures in a row.
    pub(super) has_streak: bool,
    pub(super) retry_streak: u32,
    /// When the bucket's own warm-up ends.
    pub(super) warm_until: AtomicU64,
    pub(super) ramp: Schedule,
    pub(super) warm_up: Schedule,
    /// The tokens at the start.
    pub(super) fill: u32,
    /// Whether a success may open the breaker, which then draws a number.
    pub(super) opens_when_slow: bool,
}

impl GuardState {
    const_constructor! {
        /// The state of a guard that begins at `now`: [`Guard::new`](crate::Guard::new) says what `seed` and `now` are for.
        ///
        /// # Errors
        /// [`GuardConfigError`] names the part and the field that is out of its range. The mechanisms beside it have
        /// constructors of their own, and are refused there.
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{GuardConfig, GuardConfigError, GuardState, Instant, Rate};
        /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
        /// let config = GuardConfig { call_timeout: Duration::ZERO, ..config };
        /// let error = GuardState::new(config, 7, Instant::ORIGIN).unwrap_err();
        /// assert_eq!(error, GuardConfigError::ZeroTimeout);
        /// ```
        pub fn new(config: GuardConfig, seed: u64, now: Instant) -> Result<Self, GuardConfigError> {
            if config.call_timeout.is_zero() {
                return Err(GuardConfigError::ZeroTimeout);
            }
            if config.timeout_weight == 0 {
                return Err(GuardConfigError::ZeroTimeoutWeight);
            }
            if config.ramp.duration.as_nanos() > WarmUp::LONGEST.as_nanos() {
                return Err(GuardConfigError::RampTooLong);
            }
            Ok(Self {
                modes: Modes::new(config.modes, seed),
                pause: Pause::none(),
                random: SharedRandom::from_seed(seed),
                retry: match RetryStrategy::new(config.retry) {
                    Ok(retry) => retry,
                    Err(error) => return Err(GuardConfigError::Retry(error)),
                },
                timeout_ns: nanos(config.call_timeout),
                timeout_weight: config.timeout_weight,
                has_streak: config.retry_streak.is_some(),
                retry_streak: match config.retry_streak {
                    Some(streak) => streak,
                    None => 0,
                },
                warm_until: AtomicU64::new(now.saturating_add(config.bucket.warm_up.duration).as_nanos()),
                ramp: Schedule::of(config.ramp),
                warm_up: Schedule::of(config.bucket.warm_up),
                fill: match config.bucket.fill {
                    Fill::Full => u32::MAX,
                    Fill::Tokens(tokens) => tokens,
                },
                opens_when_slow: matches!(config.breaker.rule, TripRule::SlowShare { .. }),
            })
        }
    }
}

impl fmt::Debug for GuardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardState").field("pause", &self.pause).finish_non_exhaustive()
    }
}
