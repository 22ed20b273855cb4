//! The control word: the limit, its highest, and how often it was cut.

/// The control word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Control(pub(super) u64);

/// A whole call in the fixed point of the limit.
pub(super) const WHOLE: u64 = 1 << 16;

impl Control {
    #[inline]
    pub(super) const fn new(cuts: u16, peak: u32, fixed: u64) -> Self {
        // The peak is at most the slots, 65,535; the fixed point at most that many wholes, under 2^32.
        Self((cuts as u64) << 48 | (peak as u64) << 32 | fixed)
    }

    /// At its start, which is its highest, and never cut.
    pub(super) const fn starting(limit: u32) -> Self {
        Self::new(0, limit, limit as u64 * WHOLE)
    }

    #[inline]
    pub(super) const fn cuts(self) -> u16 {
        (self.0 >> 48) as u16
    }

    #[inline]
    pub(super) const fn peak(self) -> u32 {
        (self.0 >> 32) as u32 & 0xFFFF
    }

    #[inline]
    pub(super) const fn fixed(self) -> u64 {
        self.0 & 0xFFFF_FFFF
    }

    #[inline]
    pub(super) const fn limit(self) -> u32 {
        (self.fixed() / WHOLE) as u32
    }

    /// Whether the limit stands at its highest.
    #[inline]
    pub(super) const fn is_highest(self) -> bool {
        self.limit() == self.peak()
    }

    /// With another limit; a fall is a cut.
    #[inline]
    pub(super) const fn with(self, fixed: u64) -> Self {
        let cuts = if fixed < self.fixed() { self.cuts().wrapping_add(1) } else { self.cuts() };
        let limit = (fixed / WHOLE) as u32;
        Self::new(cuts, if limit > self.peak() { limit } else { self.peak() }, fixed)
    }
}
