//! A moment and a small tag in one word: what a lease, an open interval or a ramp ends with.
//!
//! ```text
//! 63                                                              12 11            0
//! +----------------------------------------------------------------+---------------+
//! |  moment: 52, in ticks of 2^12 ns (4.096 us), rounded up        |    tag: 12    |
//! +----------------------------------------------------------------+---------------+
//! ```
//! Fifty-two bits of 4.096 us cover all of [`Instant`](crate::Instant), so the moment never wraps and no foreign
//! reading is ever subtracted from it without saturation. Rounding is up: what ends here never ends early, and at
//! most 4.096 us late. The tag tells apart what would be the same moment.
//!
//! The moment stands in the high bits, so the word without its tag is the moment in nanoseconds, and whether it has come
//! is one comparison of the whole word with a [`Bar`] that depends on `now` alone.
//!
//! # Limits
//! A moment in the last 4.096 us of the 584 years counts as the tick before the end, so nothing outlasts time.

use crate::sync::{AtomicU64, Ordering};
use crate::time::Instant;

/// Bits of the tag, and nanoseconds in a tick as a power of two.
const TAG_BITS: u32 = 12;
const TICK: u64 = 1 << TAG_BITS;
const TAG: u64 = TICK - 1;
/// How many tags there are.
#[cfg(test)]
const TAGS: u32 = 1 << TAG_BITS;

/// A moment with a tag; all-zero is "no moment" with tag 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u64);

/// What a stamp's word must be above if its moment is yet to come.
#[derive(Clone, Copy)]
pub(crate) struct Bar(u64);

impl Bar {
    /// The greatest word whose moment has come at `now`: a moment is a multiple of a tick, so it is not after `now` if
    /// and only if its word, with any tag, is not above the last nanosecond of `now`'s tick.
    #[inline]
    pub(crate) const fn at(now: Instant) -> Self {
        Self(now.as_nanos() | TAG)
    }

    /// Whether the moment of `stamp` is yet to come.
    #[inline]
    pub(crate) const fn is_below(self, stamp: Stamp) -> bool {
        stamp.0 > self.0
    }
}

impl Stamp {
    /// The end of `length_ns` that begin at `now`, at least a tick after the origin; the tag counts modulo 2^12.
    #[inline]
    pub(crate) const fn ending(tag: u32, now: Instant, length_ns: u64) -> Self {
        // The sum saturates; adding a tick less one saturates too, so what is left is at most the last whole tick.
        let end = now.as_nanos().saturating_add(length_ns).saturating_add(TICK - 1) & !TAG;
        Self(if end == 0 { TICK } else { end } | tag as u64 & TAG)
    }

    /// No moment, with a tag.
    #[inline]
    pub(crate) const fn none(tag: u32) -> Self {
        Self(tag as u64 & TAG)
    }

    #[inline]
    pub(crate) const fn tag(self) -> u32 {
        (self.0 & TAG) as u32
    }

    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.0 <= TAG
    }

    /// Whether the tag is that of `number`.
    #[inline]
    pub(crate) const fn has_tag_of(self, number: u32) -> bool {
        (self.0 ^ number as u64) & TAG == 0
    }

    /// Nanoseconds from `now` to the moment; zero when it has come.
    #[inline]
    pub(crate) const fn remaining_ns(self, now: Instant) -> u64 {
        (self.0 & !TAG).saturating_sub(now.as_nanos())
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
    #[inline]
    pub(crate) const fn is_over(self, now: Instant) -> bool {
        !Bar::at(now).is_below(self)
    }

    /// Whether the moment lies so far ahead that it cannot have been set by a clock that `now` comes from: more than
    /// twice `longest_ns`, the longest that may be set. Twice, because readings of several threads differ a little.
    #[inline]
    pub(crate) const fn is_absurd(self, now: Instant, longest_ns: u64) -> bool {
        self.remaining_ns(now) > longest_ns.saturating_mul(2).saturating_add(TICK)
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
    fn one_comparison_says_whether_the_moment_has_come_whatever_the_tag() {
        for now in [0, 1, 4095, 4096, 4097, 8191, 8192, 1 << 40, u64::MAX - 4096, u64::MAX - 4095, u64::MAX] {
            let now = Instant::from_nanos(now);
            for moment in [0, 4096, 8192, 1 << 40, (1 << 40) + 4096, u64::MAX - 8191, u64::MAX - 4095] {
                for tag in [0, 1, TAGS - 1] {
                    let stamp = Stamp(moment | u64::from(tag));
                    assert_eq!(Bar::at(now).is_below(stamp), moment > now.as_nanos(), "{moment} at {now:?}");
                    assert_eq!(stamp.is_over(now), stamp.remaining_ns(now) == 0);
                }
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
