//! The counters of a recorder: each over its lifetime, and over the last slices of time.

use crate::divisor::Divisor;
use crate::recorder::counts::{COUNTERS, Counts};
use crate::sync::{AtomicU64, Ordering, atomic_array, const_constructor, fault, ordering};
use crate::time::Instant;
use crate::turn::{FULL, is_ahead, low_of, pack, turn_of};

/// `first` before the first event.
const NEVER: u64 = u64::MAX;

/// `SLICES` is a power of two: the window beside the counters is of the same size, and checks it.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Counters<const SLICES: usize> {
    slice: Divisor,
    /// Added to `now / slice`, wrapping: grows by a turn of the ring at each rebase.
    shift: AtomicU64,
    /// The earliest instant of an event, or the last rebase.
    first: AtomicU64,
    /// The instant of the last rebase; 0 for none.
    marked: AtomicU64,
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
                slice: Divisor::new(slice_ns),
                shift: AtomicU64::new(0),
                first: AtomicU64::new(NEVER),
                marked: AtomicU64::new(0),
                totals: atomic_array!(AtomicU64::new(0), COUNTERS),
                recent: atomic_array!(atomic_array!(AtomicU64::new(0), COUNTERS), SLICES),
            }
        }
    }

    #[inline]
    fn slot(&self, tick: u64) -> (Option<&[AtomicU64; COUNTERS]>, u32) {
        let index = (tick as usize) & SLICES.wrapping_sub(1);
        // The turn is taken modulo 2^32 on purpose.
        (self.recent.get(index), (tick >> SLICES.trailing_zeros()) as u32)
    }

    #[inline]
    pub(super) fn at(&self, now: Instant) -> Place<'_> {
        let now = now.as_nanos();
        let not_never = now.min(NEVER - 1);
        if not_never < self.first.load(Ordering::Relaxed) {
            self.first.fetch_min(not_never, Ordering::Relaxed);
        }
        let (recent, turn) = self.slot(self.slice.divide(now).wrapping_add(self.shift.load(Ordering::Relaxed)));
        Place { totals: &self.totals, recent, turn }
    }

    /// Adds what was counted in the window at `now` to `counts`, and gives the time in nanoseconds that it stands for.
    pub(super) fn add_recent(&self, counts: &mut Counts, now: Instant) -> u64 {
        // Acquire: who sees the mark sees the shift that excludes what came before.
        let marked = self.marked.load(Ordering::Acquire);
        let shift = self.shift.load(Ordering::Relaxed);
        let now = now.as_nanos();
        let last = self.slice.divide(now);
        let oldest = last.saturating_sub(SLICES as u64 - 1).max(self.slice.divide(marked));
        for tick in oldest..=last {
            let (Some(words), turn) = self.slot(tick.wrapping_add(shift)) else { continue };
            for (count, word) in counts.words.iter_mut().zip(words) {
                // Acquire: who sees it here sees it in the total too.
                let word = word.load(Ordering::Acquire);
                if turn_of(word) == turn {
                    *count = count.saturating_add(u64::from(low_of(word)));
                }
            }
        }
        // The product is at most `now`, or at most `marked`: a quotient times its divisor.
        let begin = (oldest * self.slice.get()).max(marked).max(match self.first.load(Ordering::Relaxed) {
            NEVER => 0,
            first => first,
        });
        now.saturating_sub(begin).max(self.slice.get())
    }

    /// Adds one lifetime count to `counts`.
    pub(super) fn add_total(&self, counter: usize, counts: &mut Counts) {
        let acquire = ordering(Ordering::Acquire, "recorder: a total is read relaxed", Ordering::Relaxed);
        if let (Some(count), Some(total)) = (counts.words.get_mut(counter), self.totals.get(counter)) {
            *count = count.saturating_add(total.load(acquire));
        }
    }

    /// As the window's own rebase: what came before is out of the window at once, and the totals stay.
    pub(super) fn rebase(&self, old_now: Instant, new_now: Instant) {
        // The tick of the new instant is then one turn of the ring after that of the old. Wrapping: the sum counts.
        let by = self.slice.divide(old_now.as_nanos()).wrapping_sub(self.slice.divide(new_now.as_nanos()));
        self.shift.fetch_add(by.wrapping_add(SLICES as u64), Ordering::Relaxed);
        self.first.store(new_now.as_nanos().min(NEVER - 1), Ordering::Relaxed);
        // Release: who sees the mark sees the shift.
        self.marked.store(new_now.as_nanos(), Ordering::Release);
    }
}

impl Place<'_> {
    /// Counts one event: in the total first, so that no window holds more than its total.
    #[inline]
    pub(super) fn count(self, counter: usize) {
        if fault("recorder: a window is counted before its total")
            && let Some(word) = self.recent.and_then(|words| words.get(counter))
        {
            self.count_recent(word);
        }
        let release = ordering(Ordering::Release, "recorder: a total is added relaxed", Ordering::Relaxed);
        if let Some(total) = self.totals.get(counter) {
            if fault("recorder: a total grows in two steps") {
                total.store(total.load(Ordering::Relaxed) + 1, release);
            } else {
                total.fetch_add(1, release);
            }
        }
        if let Some(word) = self.recent.and_then(|words| words.get(counter))
            && !fault("recorder: a window is counted before its total")
        {
            self.count_recent(word);
        }
    }

    #[inline]
    fn count_recent(self, word: &AtomicU64) {
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
            match word.compare_exchange(seen, pack(self.turn, 1), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(after) => after,
            }
        };
        // Else a second writer came between, for another turn: this event is in the total only. No second try, so that
        // every count is a bounded number of steps.
        if turn_of(after) == self.turn && low_of(after) < FULL {
            // No carry into the turn: at most FULL, and a writer for each byte of memory adds no 2^31 more.
            word.fetch_add(1, Ordering::Release);
        }
    }
}
