//! [`BreakerConfig`], what is wrong with one, and the same as atomics that change while others call.

use core::fmt;
use core::time::Duration;

use crate::circuit_breaker::word::MOST_PROBES;
use crate::random::{Random, up_to};
use crate::ratio::Ratio;
use crate::sync::{AtomicU64, Ordering, const_constructor};
use crate::time::{Instant, nanos};
use crate::transition::Cause;

/// The longest window of a share rule, in calls.
const MOST_WINDOW: u32 = 32;

/// On what evidence a closed breaker opens. Only a bad call opens it, never a good one.
///
/// ```
/// use seawall::{BreakerConfig, CircuitBreaker, Ratio, TripRule};
/// let rule = TripRule::FailureShare { share: Ratio::HALF, window: 20, minimum: 5 };
/// assert!(CircuitBreaker::new(BreakerConfig { rule, ..BreakerConfig::DEFAULT }).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TripRule {
    /// So many failures in a row, at least 1; a success starts the count anew. Nothing is written while all is well.
    Consecutive(u32),
    /// A share of failures among the last calls. Nothing is written while all of a full window succeeded.
    FailureShare {
        /// Opens when at least this share failed; over 0.
        share: Ratio,
        /// How many of the last calls are judged, 1 to 32. A longer window is the work of a sliding window, whose
        /// owner calls [`trip`](crate::CircuitBreaker::trip).
        window: u32,
        /// How many calls must have ended before there is a verdict, 1 to `window`. A client with few calls needs a
        /// small one: at 0.3 calls a second, twenty are more than a minute.
        minimum: u32,
    },
    /// A share of slow calls among the last calls. A failure counts as slow, however fast it came: else a service
    /// that fails at once would look quick.
    SlowShare {
        /// Opens when at least this share was slow; over 0.
        share: Ratio,
        /// A call that took longer than this is slow; over 0.
        slower_than: Duration,
        /// How many of the last calls are judged, 1 to 32.
        window: u32,
        /// How many calls must have ended before there is a verdict, 1 to `window`.
        minimum: u32,
    },
}

/// How a [`CircuitBreaker`](crate::CircuitBreaker) judges. Start from [`DEFAULT`](Self::DEFAULT). Durations of 584 years
/// and more count as 584 years.
///
/// ```
/// use core::time::Duration;
/// use seawall::{BreakerConfig, CircuitBreaker, TripRule};
///
/// let config = BreakerConfig { rule: TripRule::Consecutive(5), probes: 1, ..BreakerConfig::DEFAULT };
/// assert!(CircuitBreaker::new(config).is_ok());
/// let error = CircuitBreaker::new(BreakerConfig { probes: 0, ..config }).unwrap_err();
/// assert_eq!(error.to_string(), "the number of probes of a circuit breaker is out of range: allowed are 1 to 8");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// On what evidence it opens.
    pub rule: TripRule,
    /// How long it stays open: the class of the call's own time-out, over 0. A long interval refuses good calls long
    /// after the service is well again.
    pub open_for: Duration,
    /// How far the open interval is drawn up or down, as a share of it, under 1: so that a fleet that tripped
    /// together does not come back together. The cap holds after the draw.
    pub open_jitter: Ratio,
    /// By how many per cent of itself the interval grows at each failed half-open verdict in a row, at least 100
    /// (which is no growth). At most fifteen steps.
    pub open_growth_percent: u32,
    /// The longest open interval, jitter included; at least `open_for`.
    pub open_cap: Duration,
    /// How many probes judge the service when the interval is over, 1 to 8. No more than so many are ever out.
    pub probes: u32,
    /// How long a probe may stay out before another may take its place, over 0. Longer than the call's time-out, or
    /// probes are replaced before they can report.
    pub probe_lease: Duration,
    /// The share of the probes that must succeed, over 0; rounded up to whole probes.
    pub close_share: Ratio,
    /// How long after the re-close the share of calls that pass rises, from an eighth to all of them; 0 is at once.
    pub ramp: Duration,
}

impl BreakerConfig {
    /// Ten failures in a row; open 1 s ± 30 %, growing by half to at most 5 s; three probes on a lease of 5 s, two of
    /// which must succeed; a ramp of 1 s.
    ///
    /// One second is the class of a time-out of a healthy call; in the storm simulations intervals of a second or less
    /// kept 95 % of a flapping service's good phases where 5 s kept a third. Two of three probes, so that one unlucky
    /// probe neither closes nor opens. The lease is well above any sane time-out: it is there for probes that are
    /// lost.
    pub const DEFAULT: Self = Self {
        rule: TripRule::Consecutive(10),
        open_for: Duration::from_secs(1),
        open_jitter: Ratio::ppm(300_000),
        open_growth_percent: 150,
        open_cap: Duration::from_secs(5),
        probes: 3,
        probe_lease: Duration::from_secs(5),
        close_share: Ratio::ppm(600_000),
        ramp: Duration::from_secs(1),
    };

    const fn validate(&self) -> Result<(), BreakerConfigError> {
        match self.rule {
            TripRule::Consecutive(0) => return Err(BreakerConfigError::Consecutive),
            TripRule::Consecutive(_) => {}
            TripRule::FailureShare { share, window, minimum } | TripRule::SlowShare { share, window, minimum, .. } => {
                if share.as_ppm() == 0 {
                    return Err(BreakerConfigError::Share);
                }
                if window == 0 || window > MOST_WINDOW {
                    return Err(BreakerConfigError::Window);
                }
                if minimum == 0 || minimum > window {
                    return Err(BreakerConfigError::Minimum);
                }
            }
        }
        if let TripRule::SlowShare { slower_than, .. } = self.rule
            && slower_than.is_zero()
        {
            return Err(BreakerConfigError::SlowerThan);
        }
        if self.open_for.is_zero() {
            return Err(BreakerConfigError::OpenFor);
        }
        if self.open_jitter.as_ppm() == Ratio::ONE.as_ppm() {
            return Err(BreakerConfigError::OpenJitter);
        }
        if self.open_growth_percent < 100 {
            return Err(BreakerConfigError::OpenGrowth);
        }
        if self.open_cap.as_nanos() < self.open_for.as_nanos() {
            return Err(BreakerConfigError::OpenCap);
        }
        if self.probes == 0 || self.probes > MOST_PROBES {
            return Err(BreakerConfigError::Probes);
        }
        if self.probe_lease.is_zero() {
            return Err(BreakerConfigError::ProbeLease);
        }
        if self.close_share.as_ppm() == 0 {
            return Err(BreakerConfigError::CloseShare);
        }
        Ok(())
    }
}

/// Why a [`BreakerConfig`] was not accepted.
///
/// ```
/// use seawall::{BreakerConfig, BreakerConfigError, CircuitBreaker, TripRule};
/// let config = BreakerConfig { rule: TripRule::Consecutive(0), ..BreakerConfig::DEFAULT };
/// assert_eq!(CircuitBreaker::new(config).err(), Some(BreakerConfigError::Consecutive));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerConfigError {
    /// The number of consecutive failures was 0.
    Consecutive,
    /// The share of a rule was 0.
    Share,
    /// The window of a rule was not 1 to 32 calls.
    Window,
    /// The minimum of a rule was not 1 to the window.
    Minimum,
    /// The bound of a slow call was 0.
    SlowerThan,
    /// The open interval was 0.
    OpenFor,
    /// The jitter of the open interval was 1.
    OpenJitter,
    /// The growth of the open interval was under 100 %.
    OpenGrowth,
    /// The cap of the open interval was under the interval.
    OpenCap,
    /// The number of probes was not 1 to 8.
    Probes,
    /// The lease of a probe was 0.
    ProbeLease,
    /// The share of probes that must succeed was 0.
    CloseShare,
}

impl BreakerConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::BreakerConfigError;
    /// assert!(BreakerConfigError::Probes.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Consecutive => "a circuit breaker would open after 0 consecutive failures: allowed are 1 and more",
            Self::Share => "the share at which a circuit breaker opens is 0: allowed is more than 0, up to 1",
            Self::Window => "the window of a circuit breaker is out of range: allowed are 1 to 32 calls",
            Self::Minimum => "the minimum of calls of a circuit breaker is out of range: allowed are 1 to its window",
            Self::SlowerThan => "the bound of a slow call is 0: allowed are 1 ns and more",
            Self::OpenFor => "the open interval of a circuit breaker is 0: allowed are 1 ns and more",
            Self::OpenJitter => "the jitter of the open interval is 1: allowed are 0 to less than 1",
            Self::OpenGrowth => "the growth of the open interval is under 100 per cent: allowed are 100 and more",
            Self::OpenCap => "the cap of the open interval is shorter than the interval: allowed is as long and longer",
            Self::Probes => "the number of probes of a circuit breaker is out of range: allowed are 1 to 8",
            Self::ProbeLease => "the lease of a probe is 0: allowed are 1 ns and more",
            Self::CloseShare => "the share of probes that must succeed is 0: allowed is more than 0, up to 1",
        }
    }
}

impl fmt::Display for BreakerConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for BreakerConfigError {}

/// The rule as it is read on the hot path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Consecutive { threshold: u64 },
    Share { share_ppm: u64, window: u32, minimum: u32, slow: bool },
}

/// The configuration in atomics, one word for what must be read together.
///
/// ```text
/// rule     [kind: 2][0: 30][threshold: 32]   or   [kind: 2][0: 30][minimum: 6][window: 6][share: 20]
/// verdict  [0: 24][growth: 32][close at: 4][probes: 4]
/// ```
/// A call that overlaps with `set` may see some words old and some new; each pair of old and new words is a sound
/// configuration, so all loads and stores are relaxed.
#[repr(C)]
pub(super) struct Settings {
    rule: AtomicU64,
    slower_than_ns: AtomicU64,
    verdict: AtomicU64,
    open_ns: AtomicU64,
    jitter_ppm: AtomicU64,
    cap_ns: AtomicU64,
    lease_ns: AtomicU64,
    ramp_ns: AtomicU64,
}

const KIND_SHIFT: u32 = 62;
const SIX: u64 = 63;
const TWENTY: u64 = (1 << 20) - 1;

const fn rule_word(rule: TripRule) -> u64 {
    match rule {
        TripRule::Consecutive(threshold) => threshold as u64,
        TripRule::FailureShare { share, window, minimum } => share_word(1, share, window, minimum),
        TripRule::SlowShare { share, window, minimum, .. } => share_word(2, share, window, minimum),
    }
}

const fn share_word(kind: u64, share: Ratio, window: u32, minimum: u32) -> u64 {
    // Validated: minimum and window at most 32, a share at most 1,000,000 < 2^20.
    kind << KIND_SHIFT | (minimum as u64) << 26 | (window as u64) << 20 | share.as_ppm() as u64
}

const fn slower_than_ns(rule: TripRule) -> u64 {
    match rule {
        TripRule::SlowShare { slower_than, .. } => nanos(slower_than),
        _ => u64::MAX,
    }
}

const fn verdict_word(config: &BreakerConfig) -> u64 {
    // At most 8 x 1,000,000; rounded up, so at least 1 and at most the probes.
    let close_at = (config.probes * config.close_share.as_ppm()).div_ceil(Ratio::ONE.as_ppm());
    (config.open_growth_percent as u64) << 8 | (close_at as u64) << 4 | config.probes as u64
}

impl Settings {
    const_constructor! {
        pub(super) fn new(config: BreakerConfig) -> Result<Self, BreakerConfigError> {
            match config.validate() {
                Err(error) => Err(error),
                Ok(()) => Ok(Self {
                    rule: AtomicU64::new(rule_word(config.rule)),
                    slower_than_ns: AtomicU64::new(slower_than_ns(config.rule)),
                    verdict: AtomicU64::new(verdict_word(&config)),
                    open_ns: AtomicU64::new(nanos(config.open_for)),
                    jitter_ppm: AtomicU64::new(config.open_jitter.as_ppm() as u64),
                    cap_ns: AtomicU64::new(nanos(config.open_cap)),
                    lease_ns: AtomicU64::new(nanos(config.probe_lease)),
                    ramp_ns: AtomicU64::new(nanos(config.ramp)),
                }),
            }
        }
    }

    pub(super) fn set(&self, config: BreakerConfig) -> Result<(), BreakerConfigError> {
        config.validate()?;
        self.slower_than_ns.store(slower_than_ns(config.rule), Ordering::Relaxed);
        self.rule.store(rule_word(config.rule), Ordering::Relaxed);
        self.verdict.store(verdict_word(&config), Ordering::Relaxed);
        self.open_ns.store(nanos(config.open_for), Ordering::Relaxed);
        self.jitter_ppm.store(u64::from(config.open_jitter.as_ppm()), Ordering::Relaxed);
        self.cap_ns.store(nanos(config.open_cap), Ordering::Relaxed);
        self.lease_ns.store(nanos(config.probe_lease), Ordering::Relaxed);
        self.ramp_ns.store(nanos(config.ramp), Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    pub(super) fn rule(&self) -> Rule {
        let word = self.rule.load(Ordering::Relaxed);
        match word >> KIND_SHIFT {
            0 => Rule::Consecutive { threshold: word },
            kind => Rule::Share {
                share_ppm: word & TWENTY,
                window: (word >> 20 & SIX) as u32,
                minimum: (word >> 26 & SIX) as u32,
                slow: kind == 2,
            },
        }
    }

    /// Always false by a rule that does not ask for it.
    #[inline]
    pub(super) fn is_slow(&self, latency_ns: u64) -> bool {
        latency_ns > self.slower_than_ns.load(Ordering::Relaxed)
    }

    /// How many probes there are, and how many of them must succeed.
    pub(super) fn probes(&self) -> (u32, u32) {
        let word = self.verdict.load(Ordering::Relaxed);
        ((word & 15) as u32, (word >> 4 & 15) as u32)
    }

    pub(super) fn lease_ns(&self) -> u64 {
        self.lease_ns.load(Ordering::Relaxed)
    }

    pub(super) fn ramp_ns(&self) -> u64 {
        self.ramp_ns.load(Ordering::Relaxed)
    }

    pub(super) fn cap_ns(&self) -> u64 {
        self.cap_ns.load(Ordering::Relaxed)
    }

    /// The shortest open interval after `failed` failed verdicts in a row, and the one that `random` draws.
    pub(super) fn interval_ns(&self, failed: u32, random: u64) -> (u64, u64) {
        let cap = self.cap_ns();
        let growth = self.verdict.load(Ordering::Relaxed) >> 8;
        let mut base = self.open_ns.load(Ordering::Relaxed).min(cap);
        for _ in 0..failed {
            // At most (2^64 - 1) x 2^32 / 100 before the cap: fits 128 bits.
            let grown = u128::from(base) * u128::from(growth) / 100;
            base = if grown >= u128::from(cap) { cap } else { grown as u64 };
        }
        // A share under 1 of the base: the difference does not go below zero, the sum saturates into the cap.
        let spread = (u128::from(base) * u128::from(self.jitter_ppm.load(Ordering::Relaxed)) / 1_000_000) as u64;
        let (low, high) = (base.saturating_sub(spread), base.saturating_add(spread).min(cap));
        (low, low.saturating_add(up_to(random, high.saturating_sub(low))))
    }

    /// Whether a call passes at `now`, when the ramp has `remaining_ns` to go: an eighth of the calls at its start, all
    /// of them at its end, a straight line between.
    pub(super) fn passes_ramp(&self, remaining_ns: u64, now: Instant, generation: u32) -> bool {
        let elapsed = (self.ramp_ns().max(remaining_ns) >> 12) - (remaining_ns >> 12);
        let ramp = elapsed + (remaining_ns >> 12) + 1;
        // The reading of the clock is the dice: `peek` and the attempt that follows it get the same answer, and
        // nothing is written. Ticks are at most 2^52, so eight times as many fit.
        let dice = Random::from_seed(now.as_nanos() ^ u64::from(generation) << 36).next_u64();
        up_to(dice, 8 * ramp - 1) < ramp + 7 * elapsed
    }
}

impl Rule {
    pub(super) const fn cause(self) -> Cause {
        match self {
            Self::Consecutive { .. } => Cause::ConsecutiveFailures,
            Self::Share { slow: false, .. } => Cause::FailureShare,
            Self::Share { slow: true, .. } => Cause::SlowShare,
        }
    }
}
