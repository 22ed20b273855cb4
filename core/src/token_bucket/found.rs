//! [`Found`]: tokens that a look at a bucket found, to be taken by one exchange.
//!
//! # Invariant
//! No word of the state comes back with another meaning. So if it still stands when the exchange is made, all that was
//! worked out from it holds, however long ago that was; else the take begins anew.

use crate::refused::Refused;
use crate::sync::Ordering;
use crate::time::Instant;
use crate::token_bucket::{TokenBucket, position_of, slot_of};

/// What to make of the state, as long as it is the one that was seen.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    state: u64,
    position: u64,
}

impl TokenBucket {
    /// As [`peek`](Self::peek), for a caller that goes on to take what is found: loads only, and nothing shows yet that
    /// what was read belongs together. A refusal is proved.
    pub(crate) fn look(&self, n: u32, now: Instant) -> Result<Found, Refused> {
        let now = now.as_nanos();
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let growth = self.slots[slot_of(state)].growth();
            let level = self.level(&growth, state, now);
            // Nothing asked is nothing to be found.
            if let Some(position) = Self::after(&growth, position_of(state), n, level).or((n == 0).then_some(0)) {
                return Ok(Found { state, position });
            }
            let settings = self.slots[slot_of(state)].read();
            let seen = self.state.load(Ordering::Acquire);
            if seen == state {
                return Err(Self::why_not(&settings, position_of(state), n, now));
            }
            // Another thread made progress: lock-free.
            state = seen;
        }
    }

    /// Takes the `n` tokens that were found, or as many that are there by now.
    pub(crate) fn take_found(&self, found: Found, n: u32, now: Instant) -> Result<(), Refused> {
        if n == 0 || self.take(found.state, found.position).is_ok() { Ok(()) } else { self.try_take(n, now) }
    }
}
