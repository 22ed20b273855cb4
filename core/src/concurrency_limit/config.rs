//! [`LimitConfig`], what is wrong with one, and the same as atomics that change while others call.

use core::fmt;
use core::time::Duration;

use crate::concurrency_limit::control::WHOLE;
use crate::ratio::Ratio;
use crate::sync::{AtomicU64, Ordering, const_constructor};
use crate::time::nanos;

/// The most slots: their number fits 16 bits.
pub(super) const MOST_SLOTS: usize = u16::MAX as usize;

/// How a [`ConcurrencyLimit`](crate::ConcurrencyLimit) adapts. Start from [`DEFAULT`](Self::DEFAULT). Limits are numbers
/// of calls; durations of 584 years and more count as 584 years.
///
/// ```
/// use core::time::Duration;
/// use seawall::{ConcurrencyLimit, LimitConfig};
///
/// let config = LimitConfig { start: 4, ceiling: 32, ..LimitConfig::DEFAULT };
/// assert!(ConcurrencyLimit::<32>::new(config).is_ok());
/// let error = ConcurrencyLimit::<16>::new(config).unwrap_err();
/// assert_eq!(error.to_string(), "the ceiling of a concurrency limit is over its slots: allowed are 1 to the slots");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitConfig {
    /// The first limit, from `floor` to `ceiling`.
    pub start: u32,
    /// The limit never falls below this; at least 1.
    pub floor: u32,
    /// The limit never rises above this; at most the number of slots.
    pub ceiling: u32,
    /// A reply that took no longer than this is never a sign of congestion; over 0. A quarter of the call's time-out
    /// serves well.
    pub slow_after: Duration,
    /// From which share of the usual latency on a reply is a sign of congestion, if that is over `slow_after`: 100 to
    /// 10,000 percent. It is at most nine tenths of `timeout`. 0: nothing is learnt, `slow_after` is the bound.
    ///
    /// The usual latency is learnt from the successes, quick or slow, of calls that began while less than half of the
    /// limit was in use, or while it stood at its floor; none counts for more than `timeout`. So a service that usually
    /// takes nearly half of the time-out is not taken for one that is overloaded.
    pub tolerance_percent: u32,
    /// The limit holds the traffic back once so many reports in a row have met it full; at most 60. Only then do slow
    /// replies cut it; after twice as many, failures in a row that come at once do as well. And where this is not 0, a
    /// quarter of the limit and one more must be slow, or time out, in a row. 0: the first slow reply or time-out that
    /// meets it full cuts it, quick failures never do, and after a throttle it grows as ever.
    pub saturated_after: u32,
    /// A failure that took at least this long was a time-out; at least `slow_after`.
    pub timeout: Duration,
    /// What a slow or a throttled reply leaves of the limit; under 1.
    pub slow_factor: Ratio,
    /// What a time-out leaves of the limit; under 1.
    pub timeout_factor: Ratio,
    /// How long a permit that is never given back holds its slot; at least `timeout`. A call that takes longer than
    /// this is no longer counted.
    pub lease: Duration,
}

impl LimitConfig {
    /// From 2, between 1 and 64; slow after 250 ms, or after 225 % of the usual latency where that is longer (x 0.8),
    /// timed out after 1 s (x 0.5); saturated after four reports; leases of 5 s.
    ///
    /// The values are those with which one configuration met the storm scenarios of `storm lab`. There, four reports and
    /// not one gave live users beside a restart herd 99 % instead of 97 %, and a service that takes 0.4 of the time-out
    /// its calls back: without the two, half of them are refused while all is well.
    pub const DEFAULT: Self = Self {
        start: 2,
        floor: 1,
        ceiling: 64,
        slow_after: Duration::from_millis(250),
        tolerance_percent: 225,
        saturated_after: 4,
        timeout: Duration::from_secs(1),
        slow_factor: Ratio::ppm(800_000),
        timeout_factor: Ratio::ppm(500_000),
        lease: Duration::from_secs(5),
    };

    const fn validate(&self, slots: usize) -> Result<(), LimitConfigError> {
        if slots == 0 || slots > MOST_SLOTS {
            return Err(LimitConfigError::Slots);
        }
        if self.floor == 0 {
            return Err(LimitConfigError::Floor);
        }
        if self.ceiling == 0 || self.ceiling as usize > slots {
            return Err(LimitConfigError::Ceiling);
        }
        if self.floor > self.start || self.start > self.ceiling {
            return Err(LimitConfigError::Start);
        }
        if self.slow_after.is_zero() {
            return Err(LimitConfigError::SlowAfter);
        }
        if self.timeout.as_nanos() < self.slow_after.as_nanos() {
            return Err(LimitConfigError::Timeout);
        }
        if self.slow_factor.as_ppm() == Ratio::ONE.as_ppm() || self.timeout_factor.as_ppm() == Ratio::ONE.as_ppm() {
            return Err(LimitConfigError::Factor);
        }
        if self.tolerance_percent != 0 && (self.tolerance_percent < 100 || self.tolerance_percent > 10_000) {
            return Err(LimitConfigError::Tolerance);
        }
        if self.saturated_after > 60 {
            return Err(LimitConfigError::Saturation);
        }
        if self.lease.as_nanos() < self.timeout.as_nanos() {
            return Err(LimitConfigError::Lease);
        }
        Ok(())
    }
}

/// Why a [`LimitConfig`] was not accepted.
///
/// ```
/// use seawall::{ConcurrencyLimit, LimitConfig, LimitConfigError};
/// let error = ConcurrencyLimit::<64>::new(LimitConfig { floor: 0, ..LimitConfig::DEFAULT }).err();
/// assert_eq!(error, Some(LimitConfigError::Floor));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitConfigError {
    /// The floor was 0.
    Floor,
    /// The ceiling was 0, or over the number of slots.
    Ceiling,
    /// The start was not from the floor to the ceiling.
    Start,
    /// The bound of a slow reply was 0.
    SlowAfter,
    /// The time-out was under the bound of a slow reply.
    Timeout,
    /// A factor was 1, so that a cut would cut nothing.
    Factor,
    /// The lease was under the time-out.
    Lease,
    /// The tolerance was neither 0 nor from 100 to 10,000 percent.
    Tolerance,
    /// The number of reports after which the limit is saturated was over 60.
    Saturation,
    /// A [`ConcurrencyLimitView`](crate::ConcurrencyLimitView) had no slot, or over 65,535.
    Slots,
}

impl LimitConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::LimitConfigError;
    /// assert!(LimitConfigError::Floor.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Floor => "the floor of a concurrency limit is 0: allowed are 1 and more",
            Self::Ceiling => "the ceiling of a concurrency limit is over its slots: allowed are 1 to the slots",
            Self::Start => "the start of a concurrency limit is out of range: allowed are its floor to its ceiling",
            Self::SlowAfter => "the bound of a slow reply is 0: allowed are 1 ns and more",
            Self::Timeout => "the time-out is under the bound of a slow reply: allowed are that bound and more",
            Self::Factor => "a factor of decrease is 1: allowed are 0 to less than 1",
            Self::Tolerance => {
                "the tolerance of a concurrency limit is out of range: allowed are 0 and 100 to 10,000 percent"
            }
            Self::Saturation => "a concurrency limit is saturated too late: allowed are 0 to 60 reports",
            Self::Slots => "the slots of a concurrency limit are out of range: allowed are 1 to 65,535",
            Self::Lease => "the lease of a permit is under the time-out: allowed are the time-out and more",
        }
    }
}

impl fmt::Display for LimitConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for LimitConfigError {}

/// The configuration in atomics. A call that overlaps with `set` may see some words old and some new; each mixture is
/// sound, so all loads and stores are relaxed.
///
/// ```text
/// bounds   [tolerance: 16][saturated after: 16][ceiling: 16][floor: 16]
/// factors  [time-out: 32][slow: 32]
/// ```
#[repr(C)]
pub(super) struct Settings {
    bounds: AtomicU64,
    factors: AtomicU64,
    slow_after_ns: AtomicU64,
    timeout_ns: AtomicU64,
    lease_ns: AtomicU64,
}

const fn bounds(config: &LimitConfig) -> u64 {
    // Validated: all at most 65,535.
    (config.tolerance_percent as u64) << 48
        | (config.saturated_after as u64) << 32
        | (config.ceiling as u64) << 16
        | config.floor as u64
}

const fn factors(config: &LimitConfig) -> u64 {
    (config.timeout_factor.as_ppm() as u64) << 32 | config.slow_factor.as_ppm() as u64
}

impl Settings {
    const_constructor! {
        pub(super) fn new(config: &LimitConfig, slots: usize) -> Result<Self, LimitConfigError> {
            match config.validate(slots) {
                Err(error) => Err(error),
                Ok(()) => Ok(Self {
                    bounds: AtomicU64::new(bounds(config)),
                    factors: AtomicU64::new(factors(config)),
                    slow_after_ns: AtomicU64::new(nanos(config.slow_after)),
                    timeout_ns: AtomicU64::new(nanos(config.timeout)),
                    lease_ns: AtomicU64::new(nanos(config.lease)),
                }),
            }
        }
    }

    pub(super) fn set(&self, config: &LimitConfig, slots: usize) -> Result<(), LimitConfigError> {
        config.validate(slots)?;
        self.bounds.store(bounds(config), Ordering::Relaxed);
        self.factors.store(factors(config), Ordering::Relaxed);
        self.slow_after_ns.store(nanos(config.slow_after), Ordering::Relaxed);
        self.timeout_ns.store(nanos(config.timeout), Ordering::Relaxed);
        self.lease_ns.store(nanos(config.lease), Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    pub(super) fn terms(&self) -> Terms {
        Terms(self.bounds.load(Ordering::Relaxed))
    }

    pub(super) fn slow_factor_ppm(&self) -> u64 {
        self.factors.load(Ordering::Relaxed) & 0xFFFF_FFFF
    }

    pub(super) fn timeout_factor_ppm(&self) -> u64 {
        self.factors.load(Ordering::Relaxed) >> 32
    }

    #[inline]
    pub(super) fn slow_after_ns(&self) -> u64 {
        self.slow_after_ns.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn timeout_ns(&self) -> u64 {
        self.timeout_ns.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn lease_ns(&self) -> u64 {
        self.lease_ns.load(Ordering::Relaxed)
    }
}

/// Between what the limit moves, what saturates it and what is tolerated: the word `bounds`, read once.
#[derive(Clone, Copy)]
pub(super) struct Terms(u64);

impl Terms {
    /// The floor in the fixed point of the limit.
    #[inline]
    pub(super) const fn least(self) -> u64 {
        (self.0 & 0xFFFF) * WHOLE
    }

    /// The ceiling in the fixed point of the limit; of two configurations at once, at least the floor.
    #[inline]
    pub(super) const fn most(self) -> u64 {
        let ceiling = (self.0 >> 16 & 0xFFFF) * WHOLE;
        if ceiling < self.least() { self.least() } else { ceiling }
    }

    #[inline]
    pub(super) const fn saturated_after(self) -> u64 {
        self.0 >> 32 & 0xFFFF
    }

    #[inline]
    pub(super) const fn tolerance_percent(self) -> u64 {
        self.0 >> 48
    }
}
