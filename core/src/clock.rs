//! Clocks live at the edge: [`Clock`], a [`ManualClock`] for tests, [`MonotonicClock`] with feature `std`.

use core::time::Duration;

use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, nanos};

/// A source of `now`.
///
/// ```
/// use seawall::{Clock, Instant};
///
/// /// Ticks of a timer of one megahertz that somebody else reads.
/// struct Ticks(u32);
///
/// impl Clock for Ticks {
///     fn now(&self) -> Instant {
///         Instant::from_nanos(u64::from(self.0) * 1_000)
///     }
/// }
/// assert_eq!(Ticks(5).now(), Instant::from_nanos(5_000));
/// ```
pub trait Clock {
    /// The present instant. Readings of one clock share one origin.
    fn now(&self) -> Instant;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Instant {
        (**self).now()
    }
}

/// A clock that a test moves by hand.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Clock, Instant, ManualClock};
///
/// static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
/// CLOCK.advance(Duration::from_secs(1));
/// assert_eq!(CLOCK.now(), Instant::from_nanos(1_000_000_000));
/// ```
#[derive(Debug)]
#[repr(transparent)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    const_constructor! {
        /// A clock that stands at `start`.
        ///
        /// ```
        /// use seawall::{Clock, Instant, ManualClock};
        /// assert_eq!(ManualClock::starting_at(Instant::MAX).now(), Instant::MAX);
        /// ```
        #[must_use]
        pub fn starting_at(start: Instant) -> Self {
            Self(AtomicU64::new(start.as_nanos()))
        }
    }

    /// Moves the clock forward; at [`Instant::MAX`] it stops.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Clock, Instant, ManualClock};
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// clock.advance(Duration::from_nanos(7));
    /// assert_eq!(clock.now(), Instant::from_nanos(7));
    /// clock.advance(Duration::MAX);
    /// assert_eq!(clock.now(), Instant::MAX);
    /// ```
    pub fn advance(&self, by: Duration) {
        let by = nanos(by);
        let mut current = self.0.load(Ordering::Relaxed);
        if fault("manual clock: advance stores what it computed") {
            return self.0.store(current.saturating_add(by), Ordering::Relaxed);
        }
        // Lock-free: a lost exchange means that another caller moved the clock.
        while let Err(seen) =
            self.0.compare_exchange_weak(current, current.saturating_add(by), Ordering::Relaxed, Ordering::Relaxed)
        {
            current = seen;
        }
    }

    /// Puts the clock at `instant`, backwards too.
    ///
    /// ```
    /// use seawall::{Clock, Instant, ManualClock};
    /// let clock = ManualClock::starting_at(Instant::from_nanos(7));
    /// clock.set(Instant::ORIGIN);
    /// assert_eq!(clock.now(), Instant::ORIGIN);
    /// ```
    pub fn set(&self, instant: Instant) {
        self.0.store(instant.as_nanos(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The operating system's monotonic clock, counted from the construction of this object.
///
/// It never runs backwards and ignores changes of the wall clock. On Linux it stands still while
/// the machine is suspended.
///
/// ```
/// use seawall::{Clock, MonotonicClock};
///
/// let clock = MonotonicClock::new();
/// assert!(clock.now() <= clock.now());
/// ```
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock(std::time::Instant);

#[cfg(feature = "std")]
impl MonotonicClock {
    /// A clock whose origin is now.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Clock, Instant, MonotonicClock};
    /// let clock = MonotonicClock::new();
    /// assert!(clock.now().saturating_duration_since(Instant::ORIGIN) < Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(std::time::Instant::now())
    }
}

#[cfg(feature = "std")]
impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "std")]
impl Clock for MonotonicClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(nanos(self.0.elapsed()))
    }
}

/// A seed from the operating system's entropy, different in every call, process and child after `fork`.
///
/// ```
/// assert_ne!(seawall::entropy(), seawall::entropy());
/// ```
#[cfg(feature = "std")]
#[must_use]
pub fn entropy() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // `RandomState` draws its keys from the operating system once a thread and counts on from there, so a forked
    // child would repeat its parent: the process id and the time tell them apart.
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_u128(std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos()));
    hasher.finish()
}
