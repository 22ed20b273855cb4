//! The ring itself, over storage that somebody else owns: what does not depend on its size.

use crate::divisor::Divisor;
use crate::histogram::{OCTAVES, Scale, decode, encode};
use crate::sync::{AtomicU64, Ordering, const_constructor, fault, ordering};
use crate::time::Instant;
use crate::turn::{FULL, is_ahead, low_of, pack, turn_of};

/// `Shared::first` before the first sample.
const NEVER: u64 = u64::MAX;

/// What is common to all slices.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Shared {
    slice: Divisor,
    /// Added to `now / slice`, wrapping: grows by a turn of the ring at each mark.
    shift: AtomicU64,
    /// The earliest instant of a sample, or the latest mark.
    first: AtomicU64,
    /// The instant of the last mark; 0 for none.
    marked: AtomicU64,
    lifetime: Lifetime,
}

/// What has left the ring. Written once for each reused cell: off the lines that every recorder reads.
#[derive(Debug)]
#[repr(C, align(64))]
struct Lifetime {
    count: AtomicU64,
    errors: AtomicU64,
    late: AtomicU64,
}

impl Shared {
    const_constructor! {
        pub(super) fn new(slice_ns: u64) -> Self {
            Self {
                slice: Divisor::new(slice_ns),
                shift: AtomicU64::new(0),
                first: AtomicU64::new(NEVER),
                marked: AtomicU64::new(0),
                lifetime: Lifetime {
                    count: AtomicU64::new(0),
                    errors: AtomicU64::new(0),
                    late: AtomicU64::new(0),
                },
            }
        }
    }

    pub(super) const fn slice_ns(&self) -> u64 {
        self.slice.get()
    }
}

/// The head of a slice: read by every sample, written by few.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slice {
    octaves: AtomicU64,
    longest: AtomicU64,
}

impl Slice {
    const_constructor! {
        pub(super) fn new() -> Self {
            Self { octaves: AtomicU64::new(0), longest: AtomicU64::new(0) }
        }
    }
}

/// What [`Ring::read`] found, but for the histogram.
pub(super) struct Read {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) observed_ns: u64,
    pub(super) longest_ns: u64,
}

/// A view of a window of any size. `slices` and `errors` are of one length, a power of two; `cells` holds as many
/// histograms of `scale`, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Ring<'a> {
    pub(super) scale: Scale,
    pub(super) shared: &'a Shared,
    pub(super) slices: &'a [Slice],
    pub(super) errors: &'a [AtomicU64],
    pub(super) cells: &'a [AtomicU64],
}

/// One slot of the ring.
#[derive(Clone, Copy)]
struct Slot<'a> {
    octaves: &'a AtomicU64,
    longest: &'a AtomicU64,
    errors: &'a AtomicU64,
    cells: &'a [AtomicU64],
}

impl<'a> Ring<'a> {
    /// The slot that serves `tick`, and the turn in which it does. Always there: the checks are for the compiler, which
    /// then needs no panic.
    #[inline]
    fn slot(self, tick: u64) -> Option<(Slot<'a>, u32)> {
        // A power of two, and at least 1: an empty ring has no slot to get.
        let slices = self.slices.len();
        let index = (tick as usize) & slices.wrapping_sub(1);
        let Slice { octaves, longest } = self.slices.get(index)?;
        let first = index * self.scale.cells();
        let cells = self.cells.get(first..first + self.scale.cells())?;
        let slot = Slot { octaves, longest, errors: self.errors.get(index)?, cells };
        // The turn is taken modulo 2^32 on purpose.
        Some((slot, (tick >> slices.trailing_zeros()) as u32))
    }

    #[inline]
    pub(super) fn record(self, latency_ns: u64, ok: bool, now: Instant) {
        let Shared { slice, shift, first, .. } = self.shared;
        let now = now.as_nanos();
        let not_never = now.min(NEVER - 1);
        if not_never < first.load(Ordering::Relaxed) {
            first.fetch_min(not_never, Ordering::Relaxed);
        }
        let cell = self.scale.cell_of(latency_ns);
        let tick = slice.divide(now).wrapping_add(shift.load(Ordering::Relaxed));
        let Some((slot, turn)) = self.slot(tick) else { return };
        let Some(word) = slot.cells.get(cell) else { return };

        let counted = slot.open_octave(turn, self.scale.octave_of(cell)) && {
            slot.raise_longest(turn, encode(latency_ns));
            slot.add(word, turn, &self.shared.lifetime.count)
        };
        if !counted {
            self.shared.lifetime.late.fetch_add(1, Ordering::Relaxed);
            self.shared.lifetime.count.fetch_add(1, Ordering::Relaxed);
        }
        let (slot, turn) = if fault("sliding_window: an error looks for its slice anew") {
            self.slot(slice.divide(now).wrapping_add(shift.load(Ordering::Relaxed))).unwrap_or((slot, turn))
        } else {
            (slot, turn)
        };
        if !ok {
            let counted = counted && slot.add(slot.errors, turn, &self.shared.lifetime.errors);
            if !counted {
                self.shared.lifetime.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Calls `visit` with the slot and turn of each slice of the window at `now`, and gives the time that they cover.
    fn each_slice(self, now: Instant, mut visit: impl FnMut(Slot<'a>, u32)) -> u64 {
        let Shared { slice, shift, first, marked, .. } = self.shared;
        // Acquire: who sees the mark sees the shift that excludes what came before.
        let acquire = ordering(Ordering::Acquire, "sliding_window: a mark is read relaxed", Ordering::Relaxed);
        let marked = marked.load(acquire);
        let shift = shift.load(Ordering::Relaxed);
        let now = now.as_nanos();
        let last = slice.divide(now);
        // Ticks before the origin of time are not asked for, and none before the mark.
        let oldest = last.saturating_sub(self.slices.len() as u64 - 1).max(slice.divide(marked));
        for tick in oldest..=last {
            if let Some((slot, turn)) = self.slot(tick.wrapping_add(shift)) {
                visit(slot, turn);
            }
        }
        // The product is at most `now`, or at most `marked`: a quotient times its divisor.
        let begin = (oldest * slice.get()).max(marked).max(match first.load(Ordering::Relaxed) {
            NEVER => 0,
            first => first,
        });
        now.saturating_sub(begin).max(slice.get())
    }

    /// Adds the histogram at `now` to `counts`, which has a place for each cell of the scale.
    pub(super) fn read(self, now: Instant, counts: &mut [u64]) -> Read {
        let mut read = Read { count: 0, errors: 0, observed_ns: 0, longest_ns: 0 };
        read.observed_ns = self.each_slice(now, |slot, turn| {
            let (count, errors) = slot.read(self.scale, turn, |cell, samples| {
                if let Some(count) = counts.get_mut(cell) {
                    // At most 1024 slices of under 2^32.
                    *count += samples;
                }
            });
            read.count += count;
            read.errors += errors;
            // After the cells: it is then at least the longest that they hold.
            let longest = slot.longest.load(Ordering::Relaxed);
            if count != 0 && turn_of(longest) == turn {
                read.longest_ns = read.longest_ns.max(decode(low_of(longest)));
            }
        });
        read
    }

    /// Samples and errors at `now`.
    pub(super) fn count(self, now: Instant) -> (u64, u64) {
        let mut total = (0, 0);
        self.each_slice(now, |slot, turn| {
            let (count, errors) = slot.read(self.scale, turn, |_, _| ());
            total = (total.0 + count, total.1 + errors);
        });
        total
    }

    pub(super) fn rebase(self, old_now: Instant, new_now: Instant) {
        let Shared { slice, shift, first, marked, .. } = self.shared;
        // The tick of the new instant is then one turn of the ring after that of the old. Wrapping: the sum counts.
        let by = slice.divide(old_now.as_nanos()).wrapping_sub(slice.divide(new_now.as_nanos()));
        let by = by.wrapping_add(self.slices.len() as u64);
        let new_now = new_now.as_nanos();
        if fault("sliding_window: the mark is stored before the shift") {
            marked.store(new_now, Ordering::Relaxed);
        }
        shift.fetch_add(by, Ordering::Relaxed);
        first.store(new_now.min(NEVER - 1), Ordering::Relaxed);
        // Release: who sees the mark sees the shift.
        marked.store(new_now, Ordering::Release);
    }

    pub(super) fn total_count(self) -> u64 {
        // Acquire: what is included here is no longer in the cells that are read below.
        let left = self.shared.lifetime.count.load(Ordering::Acquire);
        self.cells.iter().fold(left, |sum, word| sum.saturating_add(u64::from(low_of(word.load(Ordering::Relaxed)))))
    }

    pub(super) fn total_errors(self) -> u64 {
        let left = self.shared.lifetime.errors.load(Ordering::Acquire);
        self.errors.iter().fold(left, |sum, word| sum.saturating_add(u64::from(low_of(word.load(Ordering::Relaxed)))))
    }

    pub(super) fn total_late(self) -> u64 {
        self.shared.lifetime.late.load(Ordering::Relaxed)
    }
}

impl Slot<'_> {
    /// Sets the octave's bit for `turn`; `false` if the slot serves a later turn.
    #[inline]
    fn open_octave(self, turn: u32, octave: u32) -> bool {
        let word = self.octaves;
        // Under 32: the scale has no more groups.
        let bit = 1_u32 << octave;
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let next = if turn_of(seen) == turn && low_of(seen) != 0 {
                if low_of(seen) & bit != 0 {
                    return true;
                }
                seen | u64::from(bit)
            } else if is_ahead(seen, turn) {
                return false;
            } else {
                pack(turn, bit)
            };
            if fault("sliding_window: an octave is opened without a comparison") {
                word.store(next, Ordering::Relaxed);
                return true;
            }
            // Lock-free: lost only to another recorder that opened an octave. At most 32 bits and a new turn to lose to.
            match word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// Keeps the longest latency of the slice; writes only when it grows.
    #[inline]
    fn raise_longest(self, turn: u32, code: u32) {
        let word = self.longest;
        let mut seen = word.load(Ordering::Relaxed);
        while if turn_of(seen) == turn { low_of(seen) < code } else { !self.is_later(seen, turn) } {
            // Lock-free: lost only to another recorder that raised it.
            match word.compare_exchange_weak(seen, pack(turn, code), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Adds one to a counter of the slice; `false` if it serves a later turn or is full. The count of an earlier turn
    /// goes into `lifetime`.
    #[inline]
    fn add(self, word: &AtomicU64, turn: u32, lifetime: &AtomicU64) -> bool {
        let release = ordering(Ordering::Release, "sliding_window: a sample is added relaxed", Ordering::Relaxed);
        // Acquire: a later turn in this word means that the octave word has it too.
        let mut seen = word.load(Ordering::Acquire);
        loop {
            if turn_of(seen) == turn {
                if low_of(seen) >= FULL {
                    return false;
                }
                // No carry into the turn: at most FULL, and a recorder for each byte of memory adds no 2^31 more.
                word.fetch_add(1, release);
                return true;
            }
            if self.is_later(seen, turn) {
                return false;
            }
            if fault("sliding_window: a counter is taken over without a comparison") {
                word.store(pack(turn, 1), release);
                lifetime.fetch_add(u64::from(low_of(seen)), Ordering::Release);
                return true;
            }
            // Lock-free: lost only to another recorder that added a sample.
            match word.compare_exchange_weak(seen, pack(turn, 1), release, Ordering::Acquire) {
                Ok(_) => {
                    if low_of(seen) != 0 && !fault("sliding_window: an old count is dropped") {
                        if fault("sliding_window: the totals grow in two steps") {
                            let total = lifetime.load(Ordering::Relaxed);
                            lifetime.store(total + u64::from(low_of(seen)), Ordering::Release);
                            return true;
                        }
                        // Release: whose load of the totals includes this count sees the counter without it.
                        lifetime.fetch_add(u64::from(low_of(seen)), Ordering::Release);
                    }
                    return true;
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Whether `word` belongs to a later turn than `turn`. The octave word decides, as every turn opens it first: a word
    /// ahead of it is the rest of an absurd reading.
    #[inline]
    fn is_later(self, word: u64, turn: u32) -> bool {
        is_ahead(word, turn) && turn_of(self.octaves.load(Ordering::Relaxed)) != turn
    }

    /// Samples and errors of one slice, if it serves `turn`; each cell in use goes to `visit`.
    fn read(self, scale: Scale, turn: u32, mut visit: impl FnMut(usize, u64)) -> (u64, u64) {
        let acquire = ordering(Ordering::Acquire, "sliding_window: a sample is read relaxed", Ordering::Relaxed);
        let errors = if fault("sliding_window: errors are read last") { 0 } else { self.errors.load(acquire) };
        let octaves = self.octaves.load(Ordering::Relaxed);
        if turn_of(octaves) != turn {
            return (0, 0);
        }
        let mut count = 0;
        let mut bits = low_of(octaves);
        while bits != 0 {
            let cells = scale.cells_of(bits.trailing_zeros());
            for (cell, word) in cells.clone().zip(self.cells.get(cells).unwrap_or_default()) {
                let word = word.load(acquire);
                if turn_of(word) == turn && low_of(word) != 0 {
                    visit(cell, u64::from(low_of(word)));
                    // At most 1024 slices of 1024 cells of under 2^32.
                    count += u64::from(low_of(word));
                }
            }
            // Not 0: the loop's condition.
            bits &= bits - 1;
        }
        let errors =
            if fault("sliding_window: errors are read last") { self.errors.load(Ordering::Acquire) } else { errors };
        let errors = if turn_of(errors) == turn { u64::from(low_of(errors)) } else { 0 };
        // More errors than samples: the samples have just been taken over by a later turn.
        (count, errors.min(count))
    }
}

const _: () = assert!(OCTAVES == u32::BITS as usize, "a word has a bit for each octave");
