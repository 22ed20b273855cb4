//! [`Rate`]: a count per period, exact.

use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

use crate::time::{SECOND, nanos};

/// How many per how long, as an exact fraction: 3 per second is not 0.333 s each.
///
/// A rate of zero is legal and means "nothing is ever earned". Two rates are equal when the
/// fractions are, whatever way they were written.
///
/// ```
/// use core::time::Duration;
/// use seawall::Rate;
///
/// assert_eq!(Rate::per_second(1), Rate::per_minute(60));
/// assert_eq!(Rate::new(3, Duration::from_millis(500))?, Rate::per_second(6));
/// assert!(Rate::new(3, Duration::ZERO).is_err());
/// # Ok::<(), seawall::RateError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Rate {
    count: u64,
    // Not zero for the compiler too, which then needs no panic where it divides.
    period_ns: NonZeroU64,
}

/// Why a [`Rate`] was not accepted.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Rate, RateError};
/// assert_eq!(Rate::new(1, Duration::ZERO), Err(RateError::ZeroPeriod));
/// assert_eq!(Rate::new(1, Duration::MAX), Err(RateError::PeriodTooLong));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateError {
    /// The period was zero; it must be at least a nanosecond.
    ZeroPeriod,
    /// The period was longer than 584 years, the range of an [`Instant`](crate::Instant).
    PeriodTooLong,
}

impl RateError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::RateError;
    /// assert!(RateError::ZeroPeriod.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ZeroPeriod => "the period of a rate is zero: allowed are 1 ns to 584 years",
            Self::PeriodTooLong => "the period of a rate is over 584 years: allowed are 1 ns to 584 years",
        }
    }
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for RateError {}

impl Rate {
    /// Nothing, ever.
    pub const ZERO: Self = Self::per_second(0);

    /// `count` per `period`.
    ///
    /// # Errors
    /// [`RateError`] if `period` is zero or longer than 584 years.
    ///
    /// ```
    /// use core::time::Duration;
    /// let rate = seawall::Rate::new(5, Duration::from_secs(2))?;
    /// assert_eq!((rate.count(), rate.period()), (5, Duration::from_secs(2)));
    /// # Ok::<(), seawall::RateError>(())
    /// ```
    pub const fn new(count: u64, period: Duration) -> Result<Self, RateError> {
        if period.as_nanos() > u64::MAX as u128 {
            return Err(RateError::PeriodTooLong);
        }
        match NonZeroU64::new(nanos(period)) {
            Some(period_ns) => Ok(Self { count, period_ns }),
            None => Err(RateError::ZeroPeriod),
        }
    }

    /// `count` per second.
    ///
    /// ```
    /// assert_eq!(seawall::Rate::per_second(10).count(), 10);
    /// ```
    #[must_use]
    pub const fn per_second(count: u64) -> Self {
        Self::per_seconds(count, 1)
    }

    /// `count` per minute.
    ///
    /// ```
    /// use seawall::Rate;
    /// assert_eq!(Rate::per_minute(120), Rate::per_second(2));
    /// ```
    #[must_use]
    pub const fn per_minute(count: u64) -> Self {
        Self::per_seconds(count, 60)
    }

    /// `count` per hour.
    ///
    /// ```
    /// use seawall::Rate;
    /// assert_eq!(Rate::per_hour(120), Rate::per_minute(2));
    /// ```
    #[must_use]
    pub const fn per_hour(count: u64) -> Self {
        Self::per_seconds(count, 3_600)
    }

    /// `count` per day of 24 hours.
    ///
    /// ```
    /// use seawall::Rate;
    /// assert_eq!(Rate::per_day(24), Rate::per_hour(1));
    /// ```
    #[must_use]
    pub const fn per_day(count: u64) -> Self {
        Self::per_seconds(count, 86_400)
    }

    const fn per_seconds(count: u64, seconds: u64) -> Self {
        // Given 1 to 86,400 here, so the other arm is never taken.
        match NonZeroU64::new(seconds * SECOND) {
            Some(period_ns) => Self { count, period_ns },
            None => Self { count: 0, period_ns: NonZeroU64::MIN },
        }
    }

    /// How many per [`period`](Self::period).
    ///
    /// ```
    /// assert_eq!(seawall::Rate::per_minute(3).count(), 3);
    /// ```
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// The period, at least a nanosecond.
    ///
    /// ```
    /// assert_eq!(seawall::Rate::per_second(3).period().as_secs(), 1);
    /// ```
    #[must_use]
    pub const fn period(self) -> Duration {
        Duration::from_nanos(self.period_ns.get())
    }

    /// Whether nothing is ever earned.
    ///
    /// ```
    /// assert!(seawall::Rate::ZERO.is_zero());
    /// ```
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.count == 0
    }

    /// The period in nanoseconds.
    pub(crate) const fn period_ns(self) -> u64 {
        self.period_ns.get()
    }

    /// How many `duration` earns, rounded down; saturates at `u64::MAX`.
    ///
    /// ```
    /// use core::time::Duration;
    /// assert_eq!(seawall::Rate::per_minute(90).count_in(Duration::from_secs(1)), 1);
    /// ```
    #[must_use]
    pub const fn count_in(self, duration: Duration) -> u64 {
        // At most (2^64 - 1)^2: fits 128 bits.
        let count = self.count as u128 * nanos(duration) as u128 / self.period_ns.get() as u128;
        if count > u64::MAX as u128 { u64::MAX } else { count as u64 }
    }

    const fn compare(self, other: Self) -> core::cmp::Ordering {
        // a/b against c/d as a*d against c*b, each at most (2^64 - 1)^2.
        let (left, right) =
            (self.count as u128 * other.period_ns() as u128, other.count as u128 * self.period_ns() as u128);
        if left < right {
            core::cmp::Ordering::Less
        } else if left > right {
            core::cmp::Ordering::Greater
        } else {
            core::cmp::Ordering::Equal
        }
    }
}

impl PartialEq for Rate {
    fn eq(&self, other: &Self) -> bool {
        self.compare(*other).is_eq()
    }
}

impl Eq for Rate {}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.compare(*other)
    }
}
