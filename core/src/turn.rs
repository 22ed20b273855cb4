//! A word that says by itself which turn of a ring it counts for.
//!
//! ```text
//!  | turn : 32 | count : 32 |
//! ```
//! The first count of a new turn replaces the word: nothing is ever zeroed, and what nobody counted in lately reads as
//! nothing, because its turn is not the one asked for.

/// A word holds a count of at most this: the other half is room for those that have looked and not yet added.
pub(crate) const FULL: u32 = 1 << 31;

/// A word ahead by more turns than this was written by an absurd clock, not by a faster thread.
const FARTHEST_AHEAD: u32 = 1 << 16;

pub(crate) const fn pack(turn: u32, low: u32) -> u64 {
    (turn as u64) << 32 | low as u64
}

pub(crate) const fn turn_of(word: u64) -> u32 {
    (word >> 32) as u32
}

pub(crate) const fn low_of(word: u64) -> u32 {
    // Truncates to the low half on purpose.
    word as u32
}

/// Whether `word` was written in a turn that follows `turn` and can be believed.
pub(crate) const fn is_ahead(word: u64, turn: u32) -> bool {
    // A low half of 0 was never written: the turn beside it says nothing.
    let ahead = turn_of(word).wrapping_sub(turn);
    low_of(word) != 0 && ahead != 0 && ahead <= FARTHEST_AHEAD
}
