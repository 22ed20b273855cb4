//! Time as a value: [`Instant`], and how durations become nanoseconds.
//!
//! No mechanism reads a clock. Every call that needs time takes `now: Instant`, so that one clock
//! read serves several mechanisms, tests move time by hand, and an interrupt handler needs no
//! operating system. A reading older than what a mechanism has seen means "no time has passed".

use core::time::Duration;

/// A point in time: nanoseconds from an origin that the caller chose and keeps.
///
/// Every value is legal, `0` and `u64::MAX` included. Instants of different origins must not be
/// mixed in one object. Arithmetic saturates; nothing wraps or panics.
///
/// The range is 584 years. On most systems a monotonic clock stands still while the machine is
/// suspended: a pause then counts as no time, so nothing is earned and no lease lapses in it.
///
/// ```
/// use core::time::Duration;
/// use seawall::Instant;
///
/// let start = Instant::from_nanos(0);
/// let later = start.saturating_add(Duration::from_secs(2));
/// assert_eq!(later.saturating_duration_since(start), Duration::from_secs(2));
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The earliest instant, `0` nanoseconds.
    pub const ORIGIN: Self = Self(0);
    /// The last instant that can be named, 584 years after the origin.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    ///
    /// ```
    /// assert_eq!(seawall::Instant::from_nanos(7).as_nanos(), 7);
    /// ```
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    ///
    /// ```
    /// assert_eq!(seawall::Instant::ORIGIN.as_nanos(), 0);
    /// ```
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// `self + duration`, or [`Instant::MAX`] where that cannot be named.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::Instant;
    /// assert_eq!(Instant::MAX.saturating_add(Duration::from_nanos(1)), Instant::MAX);
    /// ```
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// `self - duration`, or [`Instant::ORIGIN`] where that lies before it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::Instant;
    /// assert_eq!(Instant::ORIGIN.saturating_sub(Duration::from_nanos(1)), Instant::ORIGIN);
    /// ```
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// The time from `earlier` to `self`; zero where `earlier` is the later one.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::Instant;
    /// let (a, b) = (Instant::from_nanos(5), Instant::from_nanos(8));
    /// assert_eq!(b.saturating_duration_since(a), Duration::from_nanos(3));
    /// ```
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// `duration` in nanoseconds; 584 years and more count as `u64::MAX`.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    // The cast is lossless: the other branch took all that does not fit.
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;
