//! The counters of a recorder: each over its lifetime, and over the last slices of time.

use crate::recorder::counts::{COUNTERS, Counts};
use crate::sync::{AtomicU64, Ordering, atomic_array, const_constructor, fault, ordering};
use crate::time::Instant;
use crate::timeline::Timeline;
use crate::turn::{FULL, is_ahead, low_of, pack, turn_of};
use crate::writers::Writers;

/// `SLICES` is a power of two: the window beside the counters is of the same size, and checks it.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Counters<const SLICES: usize> {
    timeline: Timeline,
    totals: [AtomicU64; COUNTERS],
    recent: [[AtomicU64; COUNTERS]; SLICES],
}

/// Where the events of one instant are counted.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    totals: &'a [AtomicU64; COUNTERS],
    recent: Option<&'a [AtomicU64; COUNTERS]>,
    turn: u32,
}

impl<const SLICES: usize> Counters<SLICES> {
    const_constructor! {
        pub(super) fn new(slice_ns: u64) -> Self {
            Self {
                timeline: Timeline::new(slice_ns),
                totals: atomic_array!(AtomicU64::new(0), COUNTERS),
                recent: atomic_array!(atomic_array!(AtomicU64::new(0), COUNTERS), SLICES),
            }
        }
    }

    #[inline(always)]
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows { timeline: &self.timeline, totals: &self.totals, recent: &self.recent }
    }
}

/// The counters of a recorder of any size. There are as many rows as slices, a power of two.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) totals: &'a [AtomicU64; COUNTERS],
    pub(super) recent: &'a [[AtomicU64; COUNTERS]],
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn slot(self, tick: u64) -> (Option<&'a [AtomicU64; COUNTERS]>, u32) {
        let slices = self.recent.len();
        let index = (tick as usize) & slices.wrapping_sub(1);
        // The turn is taken modulo 2^32 on purpose. Without a row there is none, and the shift is that of the last bit.
        (self.recent.get(index), (tick >> (slices.trailing_zeros() & 63)) as u32)
    }

    #[inline(always)]
    pub(super) fn at(self, now: Instant) -> Place<'a> {
        let (recent, turn) = self.slot(match self.timeline.guess(now) {
            Some(tick) => tick,
            None => tick(self.timeline, now, self.recent.len()),
        });
        Place { totals: self.totals, recent, turn }
    }

    /// Adds what was counted in the window at `now` to `counts`, and gives the time in nanoseconds that it stands for.
    pub(super) fn add_recent(self, counts: &mut Counts, now: Instant) -> u64 {
        let span = self.timeline.span(now, self.recent.len());
        for tick in span.ticks() {
            let (Some(words), turn) = self.slot(tick) else { continue };
            for (count, word) in counts.words.iter_mut().zip(words) {
                // Acquire: who sees it here sees it in the total too.
                let word = word.load(Ordering::Acquire);
                if turn_of(word) == turn {
                    *count = count.saturating_add(u64::from(low_of(word)));
                }
            }
        }
        self.timeline.observed_ns(span)
    }

    /// Adds the total of one counter to `counts`.
    pub(super) fn add_total(self, counter: usize, counts: &mut Counts) {
        let acquire = ordering(Ordering::Acquire, "recorder: a total is read relaxed", Ordering::Relaxed);
        if let (Some(count), Some(total)) = (counts.words.get_mut(counter), self.totals.get(counter)) {
            *count = count.saturating_add(total.load(acquire));
        }
    }

    pub(super) fn rebase(self, old_now: Instant, new_now: Instant) {
        self.timeline.rebase(old_now, new_now, self.recent.len());
    }
}

#[cold]
#[inline(never)]
fn tick(timeline: &Timeline, now: Instant, slices: usize) -> u64 {
    timeline.tick(now, slices)
}

impl Place<'_> {
    /// Counts one event: in the total first, so that no window holds more than its total.
    #[inline]
    pub(super) fn count<W: Writers>(self, counter: usize) {
        if fault("recorder: a window is counted before its total")
            && let Some(word) = self.recent.and_then(|words| words.get(counter))
        {
            self.count_recent::<W>(word);
        }
        let release = ordering(Ordering::Release, "recorder: a total is added relaxed", Ordering::Relaxed);
        if let Some(total) = self.totals.get(counter) {
            if fault("recorder: a total grows in two steps") {
                total.store(total.load(Ordering::Relaxed) + 1, release);
            } else {
                W::add(total, 1, release);
            }
        }
        if let Some(word) = self.recent.and_then(|words| words.get(counter))
            && !fault("recorder: a window is counted before its total")
        {
            self.count_recent::<W>(word);
        }
    }

    #[inline]
    fn count_recent<W: Writers>(self, word: &AtomicU64) {
        let seen = word.load(Ordering::Relaxed);
        let after = if turn_of(seen) == self.turn {
            seen
        } else if is_ahead(seen, self.turn) {
            // Its slice is over: it counts in the total only.
            return;
        } else if fault("recorder: an old count is replaced without a comparison") {
            word.store(pack(self.turn, 1), Ordering::Release);
            return;
        } else {
            match W::replace(word, seen, pack(self.turn, 1), Ordering::Release, Ordering::Relaxed) {
                Ok(()) => return,
                Err(after) => after,
            }
        };
        // Else a second writer came between, for another turn: this event is in the total only. No second try, so that
        // every count is a bounded number of steps.
        if turn_of(after) == self.turn && low_of(after) < FULL {
            // No carry into the turn: at most FULL, and a writer for each byte of memory adds no 2^31 more.
            W::increment(word, after, Ordering::Release);
        }
    }
}
