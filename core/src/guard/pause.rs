//! [`Pause`]: until when the server asked to be spared, for all calls of a guard.

use core::time::Duration;

use crate::random::up_to;
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, SECOND, nanos};

/// The longest wait that is taken from a server.
const LONGEST: u64 = 300 * SECOND;
/// The longest pause with its spread, twice: an end further ahead than that is the work of a clock that stepped.
const REACH: u64 = 2 * (LONGEST + LONGEST / 4);

/// The end of the pause in nanoseconds; 0 is "none". Relaxed: the word is the whole state.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Pause(AtomicU64);

impl Pause {
    const_constructor! {
        pub(super) fn none() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// The end, if it is still to come.
    pub(super) fn end(&self, now: Instant) -> Option<Instant> {
        let (end, now) = (self.0.load(Ordering::Relaxed), now.as_nanos());
        if end > now && end <= now.saturating_add(REACH) { Some(Instant::from_nanos(end)) } else { None }
    }

    /// Pauses for `wait` and up to a quarter more, so that clients that were told the same do not come back together.
    /// A pause under way is made longer, never shorter.
    pub(super) fn extend(&self, wait: Duration, now: Instant, random: u64) {
        let wait = nanos(wait).min(LONGEST);
        // At most LONGEST and a quarter: no overflow.
        let end = now.as_nanos().saturating_add(wait + up_to(random, wait / 4));
        let mut current = self.0.load(Ordering::Relaxed);
        // Lock-free: an exchange fails only because another thread moved the end.
        if fault("guard: the pause is stored, not raised") {
            self.0.store(end, Ordering::Relaxed);
            return;
        }
        while current < end || current > now.as_nanos().saturating_add(REACH) {
            match self.0.compare_exchange_weak(current, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => current = seen,
            }
        }
    }
}
