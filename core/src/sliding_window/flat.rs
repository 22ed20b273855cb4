//! A ring in words of which nobody knows how many there are until the program runs.
//!
//! ```text
//!  8 words             what has left the ring: a line of its own
//!  2 words a slice     octaves, longest
//!  1 word a slice      errors
//!  cells a slice       samples
//! ```
//! They are what a sized window has, in its order; see `ring.rs` for what they mean.

use super::config::WindowConfigError;
use super::ring::Ring;
use crate::histogram::Scale;
use crate::sync::AtomicU64;
use crate::timeline::Timeline;

/// The words of a cache line.
pub(crate) const LINE: usize = 8;
pub(super) const MOST_CELLS: usize = 1024;
const MOST_SLICES: usize = 1024;

/// How many slices a ring has and how many cells each of them; none of either: it is not made yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Sizes {
    slices: u32,
    cells: u32,
}

impl Sizes {
    pub(crate) const NONE: Self = Self { slices: 0, cells: 0 };

    pub(crate) const fn new(slices: usize, cells: usize) -> Result<Self, WindowConfigError> {
        if !slices.is_power_of_two() || slices < 2 || slices > MOST_SLICES {
            return Err(WindowConfigError::Slices);
        }
        // The models explore a scale of few octaves: each word costs them time.
        let is_least = cells >= 32 || cfg!(seawall_loom);
        if !cells.is_power_of_two() || !is_least || cells > MOST_CELLS {
            return Err(WindowConfigError::Cells);
        }
        Ok(Self { slices: slices as u32, cells: cells as u32 })
    }

    #[inline(always)]
    pub(crate) const fn slices(self) -> usize {
        self.slices as usize
    }

    #[inline(always)]
    pub(crate) const fn cells(self) -> usize {
        self.cells as usize
    }

    pub(crate) const fn scale(self) -> Scale {
        Scale::new(self.cells())
    }

    /// The words of a ring: at most 2^20 + 3080.
    #[inline(always)]
    pub(crate) const fn words(self) -> usize {
        LINE + 3 * self.slices() + self.slices() * self.cells()
    }

    /// The ring at the beginning of `words`; `None` if it is not made yet, or they are too few.
    #[inline(always)]
    pub(crate) fn ring<'a>(self, timeline: &'a Timeline, words: &'a [AtomicU64]) -> Option<Ring<'a>> {
        let (line, words) = words.split_first_chunk::<LINE>()?;
        let (slices, words) = words.split_at_checked(2 * self.slices())?;
        let (errors, words) = words.split_at_checked(self.slices())?;
        let cells = words.get(..self.slices() * self.cells())?;
        let ring = Ring {
            scale: self.scale(),
            timeline,
            lifetime: line.first_chunk()?,
            slices: slices.as_chunks().0,
            errors,
            cells,
        };
        (self.slices != 0).then_some(ring)
    }
}

/// `words`, and as many more as fill the last line of a cache that they begin.
pub(crate) const fn whole_lines(words: usize) -> usize {
    words.next_multiple_of(LINE)
}

/// Makes all of them 0 again.
pub(crate) fn clear(words: &mut [AtomicU64]) {
    words.fill_with(|| AtomicU64::new(0));
}
