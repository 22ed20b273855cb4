//! [`Timeline`]: which slice of a ring an instant belongs to, and which slices a window is made of.
//!
//! Windows and the counters of recorders forget by the slice, and start anew at a mark. What says so is here, in one
//! cache line that recorders read and nearly nobody writes.
//!
//! # The words
//! ```text
//!  slice    its width, prepared for division                          never changes
//!  shift    added to now / slice, wrapping                            grows by a turn of the ring at each mark
//!  first    the earliest instant of a sample, or the last mark        u64::MAX: none
//!  marked   the instant of the last mark                              0: none
//!  latest   now / slice as it was when that was last worked out       a guess: see below
//!
//!  tick = now / slice + shift        slot = tick mod slices        turn = tick / slices mod 2^32
//! ```
//!
//! # The guess
//! Nearly every reading is in the slice of the one before. So a recorder takes `latest` for the quotient and lets a
//! multiplication say whether it is (`0 <= now - latest * slice < slice`), while the words of the slot are on their way:
//! the address of a counter does not wait for a division. A wrong guess costs that division and no more: it is never
//! believed, whoever stored it and however old it is. Only a reading after it replaces it, or one so long before that it
//! stood in no common window, so that a clock that lags by a slice does not write this line at every sample.
//!
//! # Orderings
//! * `mark` moves `shift` and then stores the instant, `Release`; a reader loads the instant (`Acquire`) and then `shift`:
//!   who sees the mark sees nothing from before it.
//! * All else is `Relaxed`: each word is complete by itself.

use crate::divisor::Divisor;
use crate::sync::{AtomicU64, Ordering, const_constructor, fault, ordering};
use crate::time::Instant;

/// `first` before the first sample.
const NEVER: u64 = u64::MAX;

/// A guess for instants from here on (292 years) is not kept, so that no difference of a reading and a guess wraps.
const FARTHEST_GUESS: u64 = 1 << 63;

const MODELS_KNOW: bool = cfg!(seawall_loom);

#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Timeline {
    slice: Divisor,
    shift: AtomicU64,
    first: AtomicU64,
    marked: AtomicU64,
    latest: AtomicU64,
}

/// The slices of a window at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    oldest: u64,
    newest: u64,
    shift: u64,
    marked: u64,
    now: u64,
}

impl Span {
    /// The ticks of the slices.
    pub(crate) fn ticks(self) -> impl Iterator<Item = u64> {
        (self.oldest..=self.newest).map(move |tick| tick.wrapping_add(self.shift))
    }
}

impl Timeline {
    const_constructor! {
        /// Of slices of `slice_ns` nanoseconds each.
        pub(crate) fn new(slice_ns: u64) -> Self {
            Self {
                slice: Divisor::new(slice_ns),
                shift: AtomicU64::new(0),
                first: AtomicU64::new(NEVER),
                marked: AtomicU64::new(0),
                latest: AtomicU64::new(0),
            }
        }
    }

    const_constructor! {
        /// All zero: that of a window that is not made yet. Nothing breaks it, and nobody asks it.
        pub(crate) fn unmade() -> Self {
            Self {
                slice: Divisor::NONE,
                shift: AtomicU64::new(0),
                first: AtomicU64::new(0),
                marked: AtomicU64::new(0),
                latest: AtomicU64::new(0),
            }
        }
    }

    #[inline]
    pub(crate) const fn slice_ns(&self) -> u64 {
        self.slice.get()
    }

    /// The tick of a sample at `now`, if it is in the slice of the one before and not the earliest of all. `None` says
    /// nothing; [`tick`](Self::tick) then does.
    #[inline(always)]
    pub(crate) fn guess(&self, now: Instant) -> Option<u64> {
        let now = now.as_nanos();
        let (slice, latest) = (self.slice.get(), self.latest(now));
        // A quotient times its divisor: at most the instant it came from, which is under 2^63. So a reading before it
        // wraps to a difference over 2^63, and a slice is at most half a year.
        let is_right = now.wrapping_sub(latest.wrapping_mul(slice)) < slice || fault("timeline: a guess is believed");
        (is_right && now >= self.first.load(Ordering::Relaxed))
            .then(|| latest.wrapping_add(self.shift.load(Ordering::Relaxed)))
    }

    /// The quotient to be guessed for `now`. The models look at guesses in a model of their own, and elsewhere know the
    /// quotient: one more word that all recorders write costs a model a hundred times the schedules.
    #[inline(always)]
    fn latest(&self, now: u64) -> u64 {
        if MODELS_KNOW && !fault("timeline: a guess, as outside of models") && !fault("timeline: a guess is believed") {
            self.slice.divide(now)
        } else {
            self.latest.load(Ordering::Relaxed)
        }
    }

    /// The tick of a sample at `now` in a ring of `slices`; from `now` on, time counts as observed.
    pub(crate) fn tick(&self, now: Instant, slices: usize) -> u64 {
        let now = now.as_nanos();
        let not_never = now.min(NEVER - 1);
        if not_never < self.first.load(Ordering::Relaxed) {
            self.first.fetch_min(not_never, Ordering::Relaxed);
        }
        let (tick, latest) = (self.slice.divide(now), self.latest(now));
        let is_of_use = tick > latest || latest - tick > slices as u64;
        if is_of_use && now < FARTHEST_GUESS {
            self.latest.store(tick, Ordering::Relaxed);
        }
        tick.wrapping_add(self.shift.load(Ordering::Relaxed))
    }

    /// The slices of a window of `slices` at `now`.
    pub(crate) fn span(&self, now: Instant, slices: usize) -> Span {
        // Acquire: who sees the mark sees the shift that excludes what came before.
        let acquire = ordering(Ordering::Acquire, "timeline: a mark is read relaxed", Ordering::Relaxed);
        let marked = self.marked.load(acquire);
        let shift = self.shift.load(Ordering::Relaxed);
        let now = now.as_nanos();
        let newest = self.slice.divide(now);
        // Ticks before the origin of time are not asked for, and none before the mark.
        let oldest = newest.saturating_sub((slices as u64).saturating_sub(1)).max(self.slice.divide(marked));
        Span { oldest, newest, shift, marked, now }
    }

    /// How much time the samples of `span` stand for, in nanoseconds: at least a slice. To be asked after they were read.
    pub(crate) fn observed_ns(&self, span: Span) -> u64 {
        // The product is at most `now`, or at most `marked`: a quotient times its divisor.
        let begin = (span.oldest * self.slice.get()).max(span.marked).max(match self.first.load(Ordering::Relaxed) {
            NEVER => 0,
            first => first,
        });
        span.now.saturating_sub(begin).max(self.slice.get())
    }

    /// Starts anew: the present, `old_now` so far, is `new_now` from here on, and a turn of `slices` later.
    pub(crate) fn rebase(&self, old_now: Instant, new_now: Instant, slices: usize) {
        // The tick of the new instant is then one turn of the ring after that of the old. Wrapping: the sum counts.
        let by = self.slice.divide(old_now.as_nanos()).wrapping_sub(self.slice.divide(new_now.as_nanos()));
        let new_now = new_now.as_nanos();
        if fault("timeline: the mark is stored before the shift") {
            self.marked.store(new_now, Ordering::Relaxed);
        }
        self.shift.fetch_add(by.wrapping_add(slices as u64), Ordering::Relaxed);
        self.first.store(new_now.min(NEVER - 1), Ordering::Relaxed);
        // Release: who sees the mark sees the shift.
        self.marked.store(new_now, Ordering::Release);
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_one_line() {
        assert_eq!((size_of::<Timeline>(), align_of::<Timeline>()), (64, 64));
    }

    #[test]
    fn a_guess_changes_no_tick_whatever_time_does() {
        const YEAR: u64 = 365 * 86_400_000_000_000;
        let mut state = 7_u64;
        for slice in [1, 2, 500_000, 1_875_000_000, YEAR / 2, YEAR / 2 + 1] {
            let timeline = Timeline::new(slice);
            let mut now = 0_u64;
            for step in 0..20_000_u64 {
                // Any walk will do: mostly within a slice, now and then to an end of time or anywhere.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                now = match step % 13 {
                    0 => u64::MAX - (state >> 60),
                    1 => state >> 60,
                    2 => state,
                    3 => now.saturating_sub(slice),
                    4 => (1 << 63) - (state >> 60),
                    5 => now / slice * slice,
                    _ => now.saturating_add(state % (slice / 4 + 1)),
                };
                let at = Instant::from_nanos(now);
                let tick = timeline.guess(at).unwrap_or_else(|| timeline.tick(at, 16));
                assert_eq!(tick, now / slice, "{now} / {slice}");
            }
        }
    }
}
