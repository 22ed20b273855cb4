//! What a table of buckets is told: [`KeyedConfig`], and why it may say no.

use core::fmt;

use crate::rate::Rate;
use crate::token_bucket::BucketConfig;

/// What becomes of a new key while none of its places is free.
///
/// ```
/// use seawall::{KeyedConfig, Rate, WhenFull};
/// assert_eq!(KeyedConfig::new(Rate::per_second(1), WhenFull::FailOpen).when_full, WhenFull::FailOpen);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It passes, without a limit, and is counted: [`KeyedBucketsView::let_through`](crate::KeyedBucketsView::let_through). For
    /// a limit that keeps shares fair, beside one that holds the total.
    FailOpen,
    /// It is refused with [`Reason::NoPlace`](crate::Reason::NoPlace). For a limit that must never be passed: who makes
    /// up keys can then keep newcomers out.
    FailClosed,
}

/// Rate and burst of each key, and what happens when the table is full.
///
/// ```
/// use seawall::{KeyedConfig, Rate, WhenFull};
///
/// const CONFIG: KeyedConfig = KeyedConfig::new(Rate::per_second(10), WhenFull::FailClosed).burst(5);
/// assert_eq!(CONFIG.burst, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedConfig {
    /// What each key earns, at most [`KeyedBucketsView::FASTEST`](crate::KeyedBucketsView::FASTEST). At zero a key has its burst
    /// once, and its place is never free again.
    pub rate: Rate,
    /// The most tokens that a key holds, and that one call may take: 1 to `u32::MAX`. A key begins with all of it.
    pub burst: u32,
    /// What becomes of a new key while none of its places is free.
    pub when_full: WhenFull,
}

impl KeyedConfig {
    /// `rate`, with a burst of one second of it (at least 1).
    ///
    /// ```
    /// use seawall::{KeyedConfig, Rate, WhenFull};
    /// assert_eq!(KeyedConfig::new(Rate::per_second(10), WhenFull::FailOpen).burst, 10);
    /// assert_eq!(KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen).burst, 1);
    /// ```
    #[must_use]
    pub const fn new(rate: Rate, when_full: WhenFull) -> Self {
        // The one home of this default.
        Self { rate, burst: BucketConfig::new(rate).burst, when_full }
    }

    /// With this burst.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }
}

/// Why a table of buckets cannot be as it was asked to be.
///
/// ```
/// use seawall::{Instant, KeyedBuckets, KeyedConfig, KeyedConfigError, Rate, WhenFull};
/// let config = KeyedConfig::new(Rate::per_second(1), WhenFull::FailOpen).burst(0);
/// let error = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN).unwrap_err();
/// assert_eq!(error, KeyedConfigError::ZeroBurst);
/// assert_eq!(error.to_string(), "the burst of a key is 0: allowed are 1 to 4,294,967,295 tokens");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyedConfigError {
    /// The burst was zero, so that nothing could ever pass.
    ZeroBurst,
    /// The rate was over [`KeyedBucketsView::FASTEST`](crate::KeyedBucketsView::FASTEST).
    RateTooFast,
    /// A [`KeyedBucketsView`](crate::KeyedBucketsView) had no group, or over 2,396,744.
    Groups,
}

impl KeyedConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::KeyedConfigError;
    /// assert!(KeyedConfigError::ZeroBurst.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ZeroBurst => "the burst of a key is 0: allowed are 1 to 4,294,967,295 tokens",
            Self::Groups => "the groups of a table of buckets are out of range: allowed are 1 to 2,396,744",
            Self::RateTooFast => "the rate of a key is over one a microsecond: allowed are 0 to 1,000,000 a second",
        }
    }
}

impl fmt::Display for KeyedConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for KeyedConfigError {}

/// Why a running table was not changed; it is as it was before.
///
/// ```
/// use seawall::{Instant, KeyedBuckets, KeyedChangeError, KeyedConfig, Rate, WhenFull};
/// let config = KeyedConfig::new(Rate::per_second(1), WhenFull::FailOpen);
/// let table = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
/// // A first rate of one a second leaves room for 15,258 a second.
/// let error = table.set_rate(Rate::per_second(16_000), Instant::ORIGIN).unwrap_err();
/// assert_eq!(error, KeyedChangeError::RateTooFarUp);
/// # Ok::<(), seawall::KeyedConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyedChangeError {
    /// What was asked for is not allowed.
    Config(KeyedConfigError),
    /// The rate was over one unit a nanosecond; units were chosen by the first rate.
    RateTooFarUp,
    /// Three changes are under way already, those of stopped threads included. Try again when one has ended.
    Contended,
    /// The range of positions is spent, or `now` lies so far ahead that it would be.
    RangeSpent,
}

impl fmt::Display for KeyedChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config(error) => return error.fmt(f),
            Self::RateTooFarUp => {
                "the rate of a key is too far over the first one: allowed are 15,258 a second, and a thousand times \
                 the first rate where that is more"
            }
            Self::Contended => "three changes of this table are under way: at most three run at once",
            Self::RangeSpent => "the range of this table is spent (2^51 units): make a new one",
        })
    }
}

impl core::error::Error for KeyedChangeError {}

impl From<KeyedConfigError> for KeyedChangeError {
    fn from(error: KeyedConfigError) -> Self {
        Self::Config(error)
    }
}
