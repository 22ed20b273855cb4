//! [`BreakerPermit`] and [`BreakerAdmission`]: what an admitted call carries.

use crate::time::Instant;
use crate::transition::Transition;

/// Leave to send one call, with what is needed to report its result. A plain value: copy it, keep it anywhere.
///
/// A permit that is dropped holds at most a probe's place, and only until the lease lapses.
///
/// ```
/// use seawall::{BreakerConfig, CircuitBreaker, Instant, Outcome};
/// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
/// let permit = breaker.try_attempt(Instant::ORIGIN).unwrap().permit;
/// let answered = Instant::from_nanos(20_000_000);
/// assert_eq!(breaker.finish(permit, Outcome::Success, answered, 7), None);
/// # Ok::<(), seawall::BreakerConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "report the result with `finish`, or give the permit back with `cancel`"]
#[repr(C)]
pub struct BreakerPermit {
    pub(super) started: Instant,
    pub(super) generation: u32,
    /// `NO_NUMBER` for a call that is no probe.
    pub(super) number: u32,
}

pub(super) const NO_NUMBER: u32 = u32::MAX;

impl BreakerPermit {
    /// When the call was admitted.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// assert_eq!(breaker.try_attempt(Instant::from_nanos(7)).unwrap().permit.started(), Instant::from_nanos(7));
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[must_use]
    pub const fn started(self) -> Instant {
        self.started
    }

    /// Whether the call is a probe of a half-open breaker.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// assert!(!breaker.try_attempt(Instant::ORIGIN).unwrap().permit.is_probe());
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.number != NO_NUMBER
    }

    /// The generation that admitted the call.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// assert_eq!(breaker.try_attempt(Instant::ORIGIN).unwrap().permit.generation(), 0);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation
    }

    /// The permit as two words, for a face that keeps it in storage of its own.
    ///
    /// ```
    /// use seawall::{BreakerConfig, BreakerPermit, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// let permit = breaker.try_attempt(Instant::from_nanos(7)).unwrap().permit;
    /// assert_eq!(BreakerPermit::from_words(permit.to_words()), permit);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[must_use]
    pub const fn to_words(self) -> [u64; 2] {
        [self.started.as_nanos(), (self.number as u64) << 32 | self.generation as u64]
    }

    /// The permit that [`to_words`](Self::to_words) took apart. Any two words are safe: what was never a permit is
    /// reported like one that is void, or like a call of the generation that it names.
    ///
    /// ```
    /// use seawall::{BreakerConfig, BreakerPermit, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// let permit = breaker.try_attempt(Instant::ORIGIN).unwrap().permit;
    /// assert_eq!(BreakerPermit::from_words(permit.to_words()), permit);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self { started: Instant::from_nanos(words[0]), generation: words[1] as u32, number: (words[1] >> 32) as u32 }
    }
}

/// A call was admitted.
///
/// ```
/// use seawall::{BreakerConfig, CircuitBreaker, Instant};
/// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
/// let admission = breaker.try_attempt(Instant::ORIGIN).unwrap();
/// assert!(!admission.permit.is_probe() && admission.transition.is_none());
/// # Ok::<(), seawall::BreakerConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "report the result with `finish`, or give the permit back with `cancel`"]
pub struct BreakerAdmission {
    /// What to report the result with.
    pub permit: BreakerPermit,
    /// The transition to half-open, if this call made it.
    pub transition: Option<Transition>,
}
