//! The words of a place, and a group of places: [`State`], [`Owner`], [`Head`], [`Group`].

use crate::sync::{AtomicU64, atomic_array, const_constructor};

/// Places in a group. With its two own words a group is 128 bytes.
#[cfg(not(seawall_loom))]
pub(super) const WAYS: usize = 7;
#[cfg(seawall_loom)]
pub(super) const WAYS: usize = 3;

const GENERATION_BITS: u32 = 12;
const GENERATIONS: u64 = (1 << GENERATION_BITS) - 1;
const SHIFT: u32 = 64 - GENERATION_BITS;
const TENTATIVE: u64 = 1 << (SHIFT - 1);
/// The last position, 2^51 - 1.
pub(super) const LAST_POSITION: u64 = TENTATIVE - 1;
const IDENTITY: u64 = (1 << SHIFT) - 1;
const INDEX_BITS: u32 = 24;
/// The most groups: a head names each of their places, and none.
pub(super) const MOST_GROUPS: usize = ((1 << INDEX_BITS) - 2) / 7;

/// `[generation: 12][tentative: 1][position: 51]`. All zero: free, and never used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State(pub(super) u64);

impl State {
    pub(super) const fn generation(self) -> u64 {
        self.0 >> SHIFT
    }

    pub(super) const fn is_tentative(self) -> bool {
        self.0 & TENTATIVE != 0
    }

    pub(super) const fn position(self) -> u64 {
        self.0 & LAST_POSITION
    }

    /// The next generation, at `position`, up to the last; tentative or free.
    pub(super) const fn begun(self, position: u64, is_tentative: bool) -> Self {
        let generation = (self.generation() + 1) & GENERATIONS;
        Self(generation << SHIFT | if is_tentative { TENTATIVE } else { 0 } | position)
    }

    /// The same generation for good, at `position`, up to the last.
    pub(super) const fn settled(self, position: u64) -> Self {
        Self(self.generation() << SHIFT | position)
    }
}

/// `[generation: 12][identity: 52]`: whose the place is, if the generation is that of the state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(pub(super) u64);

impl Owner {
    pub(super) const fn identity(self) -> u64 {
        self.0 & IDENTITY
    }

    pub(super) const fn of(identity: u64, generation: u64) -> Self {
        Self(generation << SHIFT | identity)
    }
}

/// `[turn: 28][generation: 12][place + 1: 24]`: the newcomer that this home admitted last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Head(pub(super) u64);

impl Head {
    pub(super) const fn names(self, index: usize, generation: u64) -> bool {
        // `index` is under 2^24 - 1.
        self.0 & ((1 << (INDEX_BITS + GENERATION_BITS)) - 1) == generation << INDEX_BITS | (index as u64 + 1)
    }

    /// The place that is named, and its generation.
    pub(super) const fn named(self) -> Option<(usize, u64)> {
        let index = self.0 & ((1 << INDEX_BITS) - 1);
        if index == 0 { None } else { Some((index as usize - 1, self.0 >> INDEX_BITS & GENERATIONS)) }
    }

    /// The next turn, naming this place. The turn wraps at 2^28.
    pub(super) const fn next(self, index: usize, generation: u64) -> Self {
        let turn = (self.0 >> (INDEX_BITS + GENERATION_BITS)) + 1;
        Self(turn << (INDEX_BITS + GENERATION_BITS) | generation << INDEX_BITS | (index as u64 + 1))
    }
}

/// The lowest 52 bits of a hash, and never 0, which is what an unused place holds.
pub(super) const fn identity(hash: u64) -> u64 {
    if hash & IDENTITY == 0 { 1 } else { hash & IDENTITY }
}

/// Places that share two cache lines; the home of some keys, and the second choice of others.
///
/// A look for a key reads the first line, and of the second only the state of its own place.
#[repr(C, align(128))]
pub struct Group {
    /// Admits newcomers whose home this is, one after the other.
    pub(super) head: AtomicU64,
    pub(super) owners: [AtomicU64; WAYS],
    /// At least the level at which any entry was removed from here.
    pub(super) removed: AtomicU64,
    pub(super) states: [AtomicU64; WAYS],
}

impl Group {
    const_constructor! {
        pub(super) fn new() -> Self {
            Self {
                head: AtomicU64::new(0),
                owners: atomic_array!(AtomicU64::new(0), WAYS),
                removed: AtomicU64::new(0),
                states: atomic_array!(AtomicU64::new(0), WAYS),
            }
        }
    }
}

#[cfg(not(seawall_loom))]
const _: () = assert!(size_of::<Group>() == 128);
