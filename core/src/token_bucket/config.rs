//! What a bucket is told: [`BucketConfig`], and why it may say no.

use core::fmt;
use core::time::Duration;

use crate::rate::Rate;
use crate::warm_up::WarmUp;

/// How many tokens a bucket holds at its start.
///
/// ```
/// use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket};
/// let config = BucketConfig::new(Rate::per_second(10)).fill(Fill::Tokens(1));
/// assert_eq!(TokenBucket::new(config, Instant::ORIGIN)?.available(Instant::ORIGIN), 1);
/// # Ok::<(), seawall::BucketConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// As many as fit: the first second may then send a burst and a second's worth.
    #[default]
    Full,
    /// So many, at most the burst.
    Tokens(u32),
}

impl Fill {
    pub(crate) const fn tokens(self, burst: u32) -> u32 {
        match self {
            Self::Tokens(tokens) if tokens < burst => tokens,
            _ => burst,
        }
    }
}

/// Rate, burst, first fill and warm-up of a [`TokenBucket`](crate::TokenBucket).
///
/// ```
/// use seawall::{BucketConfig, Fill, Rate, WarmUp};
///
/// const CONFIG: BucketConfig =
///     BucketConfig::new(Rate::per_second(10)).burst(5).fill(Fill::Tokens(1)).warm_up(WarmUp::GUIDE);
/// assert_eq!(CONFIG.burst, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketConfig {
    /// What is earned, at most [`TokenBucket::FASTEST`](crate::TokenBucket::FASTEST). Zero earns nothing.
    pub rate: Rate,
    /// The most tokens that the bucket holds, and that one call may take: 1 to `u32::MAX`.
    pub burst: u32,
    /// The tokens at the start.
    pub fill: Fill,
    /// How the rate climbs after the start.
    pub warm_up: WarmUp,
}

impl BucketConfig {
    /// `rate`, a burst of one second of it (at least 1), full at the start, no warm-up.
    ///
    /// ```
    /// use seawall::{BucketConfig, Rate};
    /// assert_eq!(BucketConfig::new(Rate::per_second(10)).burst, 10);
    /// assert_eq!(BucketConfig::new(Rate::per_minute(1)).burst, 1);
    /// ```
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        let second = rate.count_in(Duration::from_secs(1));
        let burst = if second == 0 {
            1
        } else if second > u32::MAX as u64 {
            u32::MAX
        } else {
            second as u32
        };
        Self { rate, burst, fill: Fill::Full, warm_up: WarmUp::NONE }
    }

    /// With this burst.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// With this fill at the start.
    #[must_use]
    pub const fn fill(mut self, fill: Fill) -> Self {
        self.fill = fill;
        self
    }

    /// With this warm-up.
    #[must_use]
    pub const fn warm_up(mut self, warm_up: WarmUp) -> Self {
        self.warm_up = warm_up;
        self
    }
}

/// Why a bucket cannot be as it was asked to be.
///
/// ```
/// use seawall::{BucketConfig, BucketConfigError, Instant, Rate, TokenBucket};
/// let error = TokenBucket::new(BucketConfig::new(Rate::per_second(1)).burst(0), Instant::ORIGIN).unwrap_err();
/// assert_eq!(error, BucketConfigError::ZeroBurst);
/// assert_eq!(error.to_string(), "the burst of a bucket is 0: allowed are 1 to 4,294,967,295 tokens");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BucketConfigError {
    /// The burst was zero, so that nothing could ever pass.
    ZeroBurst,
    /// The rate was over [`TokenBucket::FASTEST`](crate::TokenBucket::FASTEST).
    RateTooFast,
    /// The warm-up was longer than [`WarmUp::LONGEST`].
    WarmUpTooLong,
    /// The batch of a [`LeasedBucket`](crate::LeasedBucket) was zero.
    ZeroBatch,
    /// The batch of a [`LeasedBucket`](crate::LeasedBucket) was over 65,536.
    BatchTooLarge,
    /// The burst of a [`LeasedBucket`](crate::LeasedBucket) was not over what may lie in its shards.
    BurstUnderLeases,
    /// A [`LeasedBucketView`](crate::LeasedBucketView) had no shard, or over 32,768.
    Shards,
}

impl BucketConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::BucketConfigError;
    /// assert!(BucketConfigError::ZeroBatch.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ZeroBurst => "the burst of a bucket is 0: allowed are 1 to 4,294,967,295 tokens",
            Self::RateTooFast => {
                "the rate of a bucket is over one a nanosecond: allowed are 0 to 1,000,000,000 a second"
            }
            Self::WarmUpTooLong => "the warm-up of a bucket is over a year: allowed are 0 to 31,536,000 seconds",
            Self::ZeroBatch => "the batch of a leased bucket is 0: allowed are 1 to 65,536 tokens",
            Self::BatchTooLarge => "the batch of a leased bucket is over 65,536: allowed are 1 to 65,536 tokens",
            Self::Shards => "the shards of a leased bucket are out of range: allowed are 1 to 32,768",
            Self::BurstUnderLeases => {
                "the burst of a leased bucket is not over what may lie in its shards: allowed are \
                 shards x (batch - 1) + 1 tokens and more"
            }
        }
    }
}

impl fmt::Display for BucketConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for BucketConfigError {}

/// Why a running bucket was not changed; it is as it was before.
///
/// ```
/// use seawall::{BucketConfig, BucketConfigError, ChangeError, Instant, Rate, TokenBucket};
/// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(1)), Instant::ORIGIN)?;
/// let error = bucket.set_burst(0, Instant::ORIGIN).unwrap_err();
/// assert_eq!(error, ChangeError::Config(BucketConfigError::ZeroBurst));
/// # Ok::<(), BucketConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// What was asked for is not allowed.
    Config(BucketConfigError),
    /// [`TokenBucket::SETTERS`](crate::TokenBucket::SETTERS) changes are under way already, those of stopped threads
    /// included. Try again when one has ended.
    Contended,
    /// The range of positions is spent; see the limits of [`TokenBucket`](crate::TokenBucket).
    RangeSpent,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Contended => f.write_str("three changes of this bucket are under way: at most three run at once"),
            Self::RangeSpent => f.write_str("the range of this bucket is spent (2^62 units): make a new one"),
        }
    }
}

impl core::error::Error for ChangeError {}

impl From<BucketConfigError> for ChangeError {
    fn from(error: BucketConfigError) -> Self {
        Self::Config(error)
    }
}
