//! A moment and a small tag in one word: what a lease, an open interval or a ramp ends with.
//!
//! ```text
//! 63            52 51                                                              0
//! +---------------+----------------------------------------------------------------+
//! |    tag: 12    |  moment: 52, in ticks of 2^12 ns (4.096 us), rounded up        |
//! +---------------+----------------------------------------------------------------+
//! ```
//! Fifty-two bits of 4.096 us cover all of [`Instant`](crate::Instant), so the moment never wraps and no foreign
//! reading is ever subtracted from it without saturation. Rounding is up: what ends here never ends early, and at
//! most 4.096 us late. The tag tells apart what would be the same moment.
//!
//! # Limits
//! A moment in the last 4.096 us of the 584 years counts as the tick before the end, so nothing outlasts time.

use crate::sync::{AtomicU64, Ordering};
use crate::time::Instant;

/// Nanoseconds in a tick, as a power of two.
const SHIFT: u32 = 12;
const MOMENT_BITS: u32 = 52;
const MOMENT: u64 = (1 << MOMENT_BITS) - 1;
/// How many tags there are.
pub(crate) const TAGS: u32 = 1 << (64 - MOMENT_BITS);

/// A moment with a tag; all-zero is "no moment" with tag 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u64);

impl Stamp {
    /// The end of `length_ns` that begin at `now`, at least a tick after the origin; the tag counts modulo 2^12.
    pub(crate) const fn ending(tag: u32, now: Instant, length_ns: u64) -> Self {
        // The sum saturates; adding a tick less one saturates too, so the shift leaves at most 2^52 - 1.
        let end = now.as_nanos().saturating_add(length_ns).saturating_add((1 << SHIFT) - 1) >> SHIFT;
        Self::of(tag, if end == 0 { 1 } else { end })
    }

    const fn of(tag: u32, ticks: u64) -> Self {
        Self(((tag % TAGS) as u64) << MOMENT_BITS | ticks & MOMENT)
    }

    /// No moment, with a tag.
    pub(crate) const fn none(tag: u32) -> Self {
        Self::of(tag, 0)
    }

    pub(crate) const fn tag(self) -> u32 {
        (self.0 >> MOMENT_BITS) as u32
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 & MOMENT == 0
    }

    /// Whether the tag is that of `number`.
    pub(crate) const fn has_tag_of(self, number: u32) -> bool {
        self.tag() == number % TAGS
    }

    /// Nanoseconds from `now` to the moment; zero when it has come.
    pub(crate) const fn remaining_ns(self, now: Instant) -> u64 {
        // At most 2^52 - 1 ticks: the shift loses nothing.
        ((self.0 & MOMENT) << SHIFT).saturating_sub(now.as_nanos())
    }

    /// The same tag, as far ahead of `new_now` as it was of `old_now`; what had come has come, and nothing stays so.
    pub(crate) const fn rebased(self, old_now: Instant, new_now: Instant) -> Self {
        if self.is_none() { self } else { Self::ending(self.tag(), new_now, self.remaining_ns(old_now)) }
    }

    /// Rebases the stamp that stands in `word`. Lock-free: a lost exchange means that another thread moved it.
    pub(crate) fn rebase_in(word: &AtomicU64, old_now: Instant, new_now: Instant) {
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let rebased = Self(seen).rebased(old_now, new_now);
            match word.compare_exchange(seen, rebased.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now_seen) => seen = now_seen,
            }
        }
    }

    /// Whether the moment has come.
    pub(crate) const fn is_over(self, now: Instant) -> bool {
        self.remaining_ns(now) == 0
    }

    /// Whether the moment lies so far ahead that it cannot have been set by a clock that `now` comes from: more than
    /// twice `longest_ns`, the longest that may be set. Twice, because readings of several threads differ a little.
    pub(crate) const fn is_absurd(self, now: Instant, longest_ns: u64) -> bool {
        self.remaining_ns(now) > longest_ns.saturating_mul(2).saturating_add(1 << SHIFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_never_ends_early_nor_a_tick_late() {
        for now in [0, 1, 4095, 4096, 4097, 1 << 40, u64::MAX - 8192] {
            for length in [1, 4095, 4096, 4097, 8000] {
                let stamp = Stamp::ending(7, Instant::from_nanos(now), length);
                assert!(stamp.remaining_ns(Instant::from_nanos(now)) >= length.min(u64::MAX - 4095 - now));
                assert!(stamp.remaining_ns(Instant::from_nanos(now)) < length + 4096);
                assert_eq!(stamp.tag(), 7);
            }
        }
    }

    #[test]
    fn a_rebased_stamp_keeps_what_remains() {
        let (old, new) = (Instant::from_nanos(1 << 40), Instant::from_nanos(5));
        let stamp = Stamp::ending(9, old, 1_000_000).rebased(old, new);
        assert!((1_000_000..1_000_000 + 2 * 4096).contains(&stamp.remaining_ns(new)));
        assert_eq!(stamp.tag(), 9);
        assert_eq!(Stamp::none(9).rebased(old, new), Stamp::none(9));
    }

    #[test]
    fn nothing_outlasts_time() {
        let stamp = Stamp::ending(u32::MAX, Instant::MAX, u64::MAX);
        assert!(stamp.is_over(Instant::MAX));
        assert_eq!(stamp.tag(), TAGS - 1);
    }

    #[test]
    fn only_what_no_reading_of_the_clock_could_have_set_is_absurd() {
        let stamp = Stamp::ending(0, Instant::from_nanos(1 << 40), 1_000_000);
        assert!(!stamp.is_absurd(Instant::from_nanos(1 << 40), 1_000_000));
        assert!(!stamp.is_absurd(Instant::from_nanos((1 << 40) - 1_000_000), 1_000_000));
        assert!(stamp.is_absurd(Instant::from_nanos((1 << 40) - 1_010_000), 1_000_000));
        assert!(!stamp.is_absurd(Instant::ORIGIN, u64::MAX));
    }
}
