//! [`Found`]: tokens that a look at a bucket found, to be taken by one exchange.
//!
//! # Invariant
//! No word of the state comes back with another meaning. So if it still stands when the exchange is made, all that was
//! worked out from it holds, however long ago that was; else the take begins anew.

use crate::refused::{Refused, Stage};
use crate::sync::Ordering;
use crate::time::Instant;
use crate::token_bucket::look::Look;
use crate::token_bucket::{TokenBucket, slot_of};

/// What to make of the state, as long as it is the one that was seen.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    state: u64,
    /// 0, which no state is, where the take has to look for itself.
    after: u64,
}

impl TokenBucket {
    /// As [`peek`](Self::peek), for a caller that goes on to take what is found: loads only, and nothing shows yet that
    /// what was read belongs together. A refusal is proved.
    #[inline]
    pub(crate) fn look(&self, n: u32, now: Instant) -> Result<Found, Refused> {
        let state = self.state.load(Ordering::Acquire);
        match self.slots[slot_of(state)].look(state, n, now.as_nanos()) {
            Look::Fits(after) => Ok(Found { state, after }),
            Look::Missing(nanos) if self.is_still(state) => Err(Refused::missing_ns(Stage::TokenBucket, nanos)),
            _ => self.peek_slowly(n, now.as_nanos()).map(|()| Found { state, after: 0 }),
        }
    }

    /// Takes the `n` tokens that were found, or as many that are there by now.
    #[inline]
    pub(crate) fn take_found(&self, found: Found, n: u32, now: Instant) -> Result<(), Refused> {
        if found.after != 0 && self.take(found.state, found.after).is_ok() {
            return Ok(());
        }
        self.try_take_slowly(n, now.as_nanos())
    }
}
