//! [`LimitPermit`] and [`LimitChange`]: what an admitted call carries, and what it may do to the limit.

use core::fmt;

use crate::stamp::Stamp;
use crate::time::Instant;

/// One call in flight. A plain value: copy it, keep it anywhere. Lost, it frees its slot when the lease lapses.
///
/// ```
/// use seawall::{ConcurrencyLimit, Instant, LimitConfig, Outcome};
/// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
/// let permit = limit.try_attempt(Instant::ORIGIN).unwrap();
/// limit.finish(permit, Outcome::Success, Instant::from_nanos(20_000_000));
/// // A second report of the same permit does nothing.
/// assert_eq!(limit.finish(permit, Outcome::Throttled(None), Instant::from_nanos(20_000_000)), None);
/// # Ok::<(), seawall::LimitConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "report the result with `finish`, or give the permit back with `cancel`"]
#[repr(C)]
pub struct LimitPermit {
    pub(super) started: Instant,
    /// What stands in the slot as long as the permit is good.
    pub(super) stamp: u64,
    pub(super) slot: u32,
    pub(super) cuts: u16,
    pub(super) is_full: bool,
    pub(super) is_half_used: bool,
}

impl LimitPermit {
    /// When the call was admitted.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// assert_eq!(limit.try_attempt(Instant::from_nanos(7)).unwrap().started(), Instant::from_nanos(7));
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[must_use]
    pub const fn started(self) -> Instant {
        self.started
    }

    /// How many permits its slot has given, modulo 2^12.
    #[inline]
    pub(super) const fn turn(self) -> u32 {
        Stamp(self.stamp).tag()
    }

    /// The permit as three words, for a face that keeps it in storage of its own.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig, LimitPermit};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let permit = limit.try_attempt(Instant::from_nanos(7)).unwrap();
    /// assert_eq!(LimitPermit::from_words(permit.to_words()), permit);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[must_use]
    pub const fn to_words(self) -> [u64; 3] {
        let flags = (self.is_full as u64) << 48 | (self.is_half_used as u64) << 49;
        [self.started.as_nanos(), self.stamp, flags | (self.cuts as u64) << 32 | self.slot as u64]
    }

    /// The permit that [`to_words`](Self::to_words) took apart. Any words are safe: what was never a permit is void.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig, LimitPermit};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let _held = limit.try_attempt(Instant::ORIGIN).unwrap();
    /// limit.cancel(LimitPermit::from_words([0; 3]), Instant::ORIGIN);
    /// assert_eq!(limit.in_flight(Instant::ORIGIN), 1);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    pub const fn from_words(words: [u64; 3]) -> Self {
        Self {
            started: Instant::from_nanos(words[0]),
            stamp: words[1],
            slot: words[2] as u32,
            cuts: (words[2] >> 32) as u16,
            is_full: words[2] >> 48 & 1 == 1,
            is_half_used: words[2] >> 49 & 1 == 1,
        }
    }
}

/// Why a limit changed.
///
/// ```
/// assert_eq!(seawall::LimitReason::Slow.name(), "slow");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum LimitReason {
    /// Good replies while at least half of it was used.
    Growth = 1,
    /// A reply that was slow.
    Slow = 2,
    /// A call that timed out.
    Timeout = 3,
    /// The service asked to be spared.
    Throttled = 4,
    /// The caller set it, or set bounds that it lay beyond.
    Set = 5,
    /// Failures that came at once, in a row, while the limit stayed full: the service refuses what it gets too much of.
    Refused = 6,
}

impl LimitReason {
    /// The reason in a word, as in metrics and logs.
    ///
    /// ```
    /// assert_eq!(seawall::LimitReason::Timeout.name(), "time-out");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Growth => "growth",
            Self::Slow => "slow",
            Self::Timeout => "time-out",
            Self::Throttled => "throttled",
            Self::Set => "set",
            Self::Refused => "refused",
        }
    }
}

/// The limit changed by a whole call or more. The call that changed it gets this, and no other does.
///
/// ```
/// use seawall::{LimitChange, LimitReason};
/// let change = LimitChange { from: 10, to: 8, reason: LimitReason::Slow };
/// assert_eq!(change.to_string(), "limit 10 to 8: slow");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct LimitChange {
    /// Calls in flight that were allowed.
    pub from: u32,
    /// Calls in flight that are allowed.
    pub to: u32,
    /// Why.
    pub reason: LimitReason,
}

impl fmt::Display for LimitChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {} to {}: {}", self.from, self.to, self.reason.name())
    }
}
