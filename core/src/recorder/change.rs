//! [`Change`]: the last transition of the breaker that a recorder was told of, in one word.
//!
//! ```text
//!  63                             20 19      12 11       4 3    2 1    0
//! +---------------------------------+----------+----------+------+------+
//! | instant, in steps of 2^20 ns    | shard    | cause    | from | to   |   0: none
//! +---------------------------------+----------+----------+------+------+
//! ```
//! The instant comes first: the largest word is the latest change, so that one maximum keeps it, whoever writes.

use crate::time::Instant;
use crate::transition::{Cause, State, Transition};

/// The last transition that a recorder was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) at: Instant,
    pub(crate) to: State,
    pub(crate) cause: Cause,
    /// 255 stands for that shard and all after it.
    pub(crate) shard: u32,
}

const CHANGE_BITS: u32 = 20;

impl Change {
    pub(super) fn word(transition: Transition, now: Instant) -> u64 {
        // A cause is 1 to 255, and a state 0 to 2: the lowest 12 bits.
        let shard = u64::from(transition.shard.min(255));
        let what = shard << 12 | (transition.cause as u64) << 4 | (transition.from as u64) << 2 | transition.to as u64;
        now.as_nanos() >> CHANGE_BITS << CHANGE_BITS | what
    }

    pub(super) fn of(word: u64) -> Option<Self> {
        // Truncates to the 8 bits of the cause on purpose.
        let place = usize::from((word >> 4) as u8);
        Some(Self {
            at: Instant::from_nanos(word >> CHANGE_BITS << CHANGE_BITS),
            to: match word & 3 {
                0 => State::Closed,
                1 => State::Open,
                _ => State::HalfOpen,
            },
            shard: (word >> 12) as u32 & 0xFF,
            // There is no cause 0: the word 0 is no change.
            cause: *Cause::ALL.get(place.wrapping_sub(1))?,
        })
    }
}
