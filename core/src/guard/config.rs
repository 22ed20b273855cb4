//! [`GuardConfig`]: the parts of a guard, and the defaults for what a user knows.

use core::fmt;
use core::time::Duration;

use crate::circuit_breaker::{BreakerConfig, BreakerConfigError, TripRule};
use crate::concurrency_limit::{LimitConfig, LimitConfigError};
use crate::guard::modes::GuardModes;
use crate::random::{Random, up_to};
use crate::rate::Rate;
use crate::ratio::Ratio;
use crate::retry_budget::{RetryBudgetConfig, RetryBudgetError};
use crate::retry_strategy::{RetryConfig, RetryConfigError};
use crate::sync::const_constructor;
use crate::time::{Instant, SECOND, nanos};
use crate::token_bucket::{BucketConfig, BucketConfigError, Fill, TokenBucket};
use crate::warm_up::{Curve, WarmUp};

/// What a [`Guard`](crate::Guard) is made of. Start from [`for_service`](Self::for_service).
///
/// ```
/// use core::time::Duration;
/// use seawall::{BucketConfig, GuardConfig, Rate};
/// // A service that allows 50 a second and not one more.
/// let quota = BucketConfig::new(Rate::per_second(50)).burst(5);
/// let config =
///     GuardConfig { bucket: quota, ..GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1)) };
/// assert_eq!(config.limit.start, 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardConfig {
    /// How fast attempts are sent.
    pub bucket: BucketConfig,
    /// When the service counts as down.
    pub breaker: BreakerConfig,
    /// How many attempts are in flight.
    pub limit: LimitConfig,
    /// When a failed call is sent again.
    pub retry: RetryConfig,
    /// What share of the traffic may be retries.
    pub budget: RetryBudgetConfig,
    /// How long an attempt may take: a failure that took as long was a time-out, and its retry costs the budget more.
    /// Over 0.
    pub call_timeout: Duration,
    /// How many failures in a row the breaker counts for a first attempt that timed out; at least 1. A time-out has held
    /// a slot for the whole time, and its work goes on in the server: it says more than an error that came at once. A
    /// share of failures counts calls, and does not weigh them. Where the limit has learnt that some calls time out while
    /// all is well, each counts as one.
    pub timeout_weight: u32,
    /// A retry is promised only while the breaker of its shard is closed, and fewer than so many failures of first
    /// attempts stand in a row, its own among them. 0: never. `None`: whatever the breaker counts.
    ///
    /// A failure between successes is worth a retry; several in a row say that the service is failing, and the retry
    /// would fail too. Three, as two already refuse good retries where every tenth call fails by chance. What a time-out
    /// weighs more than an error does not count against its own retry.
    pub retry_streak: Option<u32>,
    /// How the rate climbs after a pause that the server asked for and after the breaker has closed again; at most
    /// [`WarmUp::LONGEST`]. In both cases the tokens restart at one, whatever the ramp is. It gives way to the bucket's
    /// own warm-up where that lasts longer.
    pub ramp: WarmUp,
    /// Which stages refuse, and which only say that they would.
    pub modes: GuardModes,
}

/// A [`WarmUp`] as plain data.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Schedule {
    from: Rate,
    duration_ns: u64,
    curve: Curve,
}

impl Schedule {
    pub(super) const fn of(warm_up: WarmUp) -> Self {
        Self { from: warm_up.from, duration_ns: nanos(warm_up.duration), curve: warm_up.curve }
    }

    pub(super) const fn warm_up(self) -> WarmUp {
        WarmUp { curve: self.curve, from: self.from, duration: self.duration() }
    }

    pub(super) const fn duration(self) -> Duration {
        Duration::from_nanos(self.duration_ns)
    }
}

const MILLION: u128 = 1_000_000;

impl GuardConfig {
    /// For a process that sends up to `expected` calls and gives each attempt `call_timeout` (`T`).
    ///
    /// With `n = expected x T`, the calls that are lost before the first of them is noticed:
    ///
    /// | part | value |
    /// | --- | --- |
    /// | bucket | a backstop: 16 x `expected`; burst `n`, from 4 to 1000; begins with one token |
    /// | limit | starts at `n / 5`, from 1 to 64; slow after `T / 4`, or 2.25 times what is usual; leases of `5 T` |
    /// | breaker | `n / 2` failures in a row, 2 to 4; open for one interval of `expected`, `T / 10` to `10 T`, ± 30 %; one probe |
    /// | time-outs | a first attempt that timed out weighs two failures in a row |
    /// | retries | only while fewer than three failures stand in a row; at most 3, full jitter from `T / 10`, doubling up to `10 T` |
    /// | budget | [`RetryBudgetConfig::from_rate`] |
    /// | ramp | none: after a pause or an open interval the one token and the limit are the ramp |
    /// | modes | every stage enforced |
    ///
    /// `expected` is a mean. A bucket at the mean refuses a fifth of the random arrivals of a service that is well, and
    /// the unused share of one process to another; so the bucket only stops what runs wild, and the limit, which sees
    /// how the service answers, is what flattens a herd. Where a quota must not be passed, set `bucket` to it.
    ///
    /// For a service of several parts that fail one by one there is [`for_shards`](Self::for_shards).
    ///
    /// The values are those with which the scenarios of `storm lab` were run, from 0.3 to 20 calls a second and process.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{GuardConfig, Rate, TripRule};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// assert_eq!((config.limit.start, config.breaker.rule), (4, TripRule::Consecutive(4)));
    /// assert_eq!(config.breaker.open_for, Duration::from_millis(100));
    /// ```
    #[must_use]
    pub const fn for_service(expected: Rate, call_timeout: Duration) -> Self {
        Self::for_shards(expected, call_timeout, 1)
    }

    /// As [`for_service`](Self::for_service), for a service of so many parts, which each get their share of the expected
    /// calls: the breaker of a part judges by that share. 0 counts as 1.
    ///
    /// Told the rate of all parts together, a breaker would open for so short that most calls to a dead part would be
    /// probes: in the lab 0.95 attempts a call with four parts, of which one is dead, instead of 0.88.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, TripRule};
    /// let config = GuardConfig::for_shards(Rate::per_second(20), Duration::from_secs(1), 4);
    /// assert_eq!((config.limit.start, config.breaker.rule), (4, TripRule::Consecutive(3)));
    /// assert_eq!(config.breaker.open_for, Duration::from_millis(200));
    /// let guard = Guard::<64, 4>::new(config, 7, Instant::ORIGIN)?;
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn for_shards(expected: Rate, call_timeout: Duration, shards: u32) -> Self {
        let shards = if shards == 0 { 1 } else { shards as u128 };
        let timeout_ns = nanos(call_timeout);
        // Millionths. The product of two u64 fits; where the next step saturates, all that follows is at its most.
        let lost =
            (expected.count() as u128 * timeout_ns as u128).saturating_mul(MILLION) / expected.period_ns() as u128;
        let (fifth, lost_of_one) = (lost / (5 * MILLION), lost / shards);
        let interval_ns = match expected.count() {
            0 => u64::MAX as u128,
            // Under 2^64 x 2^32.
            count => expected.period_ns() as u128 * shards / count as u128,
        };
        let open_ns = clamp(interval_ns, timeout_ns as u128 / 10, timeout_ns as u128 * 10, u64::MAX);
        let lease = Duration::from_nanos(timeout_ns.saturating_mul(5));
        Self {
            bucket: BucketConfig::new(backstop(expected))
                .burst(clamp(lost / MILLION, LEAST_BURST as u128, BURST as u128, BURST as u64) as u32)
                .fill(Fill::Tokens(1)),
            breaker: BreakerConfig {
                // It may have saturated before.
                rule: TripRule::Consecutive(clamp(lost_of_one.saturating_add(MILLION) / (2 * MILLION), 2, 4, 4) as u32),
                open_for: Duration::from_nanos(open_ns),
                open_growth_percent: 100,
                // The interval and the whole of its jitter.
                open_cap: Duration::from_nanos(open_ns.saturating_add(open_ns / 10 * 3)),
                probes: 1,
                probe_lease: lease,
                close_share: Ratio::ONE,
                ramp: Duration::ZERO,
                ..BreakerConfig::DEFAULT
            },
            limit: LimitConfig {
                start: clamp(fifth, 1, 64, 64) as u32,
                slow_after: Duration::from_nanos(timeout_ns / 4),
                timeout: Duration::from_nanos(timeout_ns),
                lease,
                ..LimitConfig::DEFAULT
            },
            retry: RetryConfig {
                max_attempts: 4,
                base_delay: Duration::from_nanos(timeout_ns / 10),
                max_delay: Duration::from_nanos(timeout_ns.saturating_mul(10)),
                ..RetryConfig::DEFAULT
            },
            budget: RetryBudgetConfig::from_rate(expected, call_timeout),
            call_timeout,
            timeout_weight: 2,
            retry_streak: Some(3),
            ramp: WarmUp::NONE,
            modes: GuardModes::ENFORCE,
        }
    }

    const_constructor! {
        /// The token bucket of a guard that begins at `now`, for who makes one of [parts](crate::GuardView::new). It begins to
        /// earn up to one interval of its rate later, at most half a second, as the seed says: guards that begin together
        /// do not earn their tokens together.
        ///
        /// # Errors
        /// [`GuardConfigError::Bucket`].
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{GuardConfig, Instant, Rate};
        /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
        /// assert_eq!(config.token_bucket(7, Instant::ORIGIN)?.available(Instant::ORIGIN), 1);
        /// # Ok::<(), seawall::GuardConfigError>(())
        /// ```
        pub fn token_bucket(&self, seed: u64, now: Instant) -> Result<TokenBucket, GuardConfigError> {
            match TokenBucket::new(self.bucket, out_of_phase(now, self.bucket.rate, seed)) {
                Ok(bucket) => Ok(bucket),
                Err(error) => Err(GuardConfigError::Bucket(error)),
            }
        }
    }
}

/// The number of the seed's streams that draws the phase: not that of the backoffs.
const PHASE: u64 = 0x9A5E_0F7E_57A2_7E42;

/// The latest that a bucket begins: it takes a clock for stepped that is a second behind its beginning, and threads read
/// the clock a little before they ask.
const LATEST: u64 = SECOND / 2;

/// When the bucket of a guard that begins at `now` begins to earn: up to one interval of its rate later. Guards that begin
/// together would else earn each token in the same nanosecond, for as long as the bucket binds. Never earlier than
/// without: nothing is granted by it.
const fn out_of_phase(now: Instant, rate: Rate, seed: u64) -> Instant {
    if rate.is_zero() {
        return now;
    }
    // The count is not zero.
    let interval = rate.period_ns() / rate.count();
    let most = if interval < LATEST { interval } else { LATEST };
    now.saturating_add(Duration::from_nanos(up_to(Random::from_seed(seed ^ PHASE).next_u64(), most)))
}

/// How often the expected rate the bucket of [`GuardConfig::for_service`] lets pass.
const HEADROOM: u64 = 16;

/// The expected rate with its headroom, or one a nanosecond where that is less.
const fn backstop(expected: Rate) -> Rate {
    match Rate::new(expected.count().saturating_mul(HEADROOM), Duration::from_nanos(expected.period_ns())) {
        Ok(rate) if rate.count() <= rate.period_ns() => rate,
        _ => TokenBucket::FASTEST,
    }
}

/// The smallest burst of [`GuardConfig::for_service`]: random arrivals come in twos and threes.
const LEAST_BURST: u32 = 4;
/// The largest burst of [`GuardConfig::for_service`].
const BURST: u32 = 1_000;

/// `value` from `least` to `most`, and never over `top`.
const fn clamp(value: u128, least: u128, most: u128, top: u64) -> u64 {
    let value = if value < least {
        least
    } else if value > most {
        most
    } else {
        value
    };
    // Lossless: what is over `top` became `top`.
    if value > top as u128 { top } else { value as u64 }
}

/// Why a [`GuardConfig`] was not accepted: the part, and what is wrong with it.
///
/// ```
/// use seawall::GuardConfigError;
/// assert_eq!(GuardConfigError::ZeroTimeout.to_string(), "the time-out of a call is 0: allowed are 1 ns and more");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardConfigError {
    /// The time-out of a call was 0.
    ZeroTimeout,
    /// The weight of a time-out was 0.
    ZeroTimeoutWeight,
    /// The ramp was longer than [`WarmUp::LONGEST`].
    RampTooLong,
    /// The token bucket.
    Bucket(BucketConfigError),
    /// The circuit breaker.
    Breaker(BreakerConfigError),
    /// The concurrency limit.
    Limit(LimitConfigError),
    /// The retry strategy.
    Retry(RetryConfigError),
    /// The retry budget.
    Budget(RetryBudgetError),
}

impl GuardConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::GuardConfigError;
    /// assert!(GuardConfigError::ZeroTimeout.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ZeroTimeout => "the time-out of a call is 0: allowed are 1 ns and more",
            Self::ZeroTimeoutWeight => "the weight of a time-out is 0: allowed are 1 and more",
            Self::RampTooLong => "the ramp of a guard is over a year: allowed are 0 to 31,536,000 seconds",
            Self::Bucket(error) => error.message(),
            Self::Breaker(error) => error.message(),
            Self::Limit(error) => error.message(),
            Self::Retry(error) => error.message(),
            Self::Budget(error) => error.message(),
        }
    }
}

impl fmt::Display for GuardConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for GuardConfigError {}
