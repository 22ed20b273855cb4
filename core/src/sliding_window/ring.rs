//! The ring itself, over storage that somebody else owns: what does not depend on its size.

use core::hint::black_box;

use crate::histogram::{OCTAVES, Scale, decode, encode};
use crate::shard::CacheLine;
use crate::sync::{AtomicU64, Ordering, atomic_array, const_constructor, fault, ordering};
use crate::time::Instant;
use crate::timeline::{Span, Timeline};
use crate::turn::{FULL, is_ahead, low_of, pack, turn_of};
use crate::writers::Writers;

/// What has left the ring: samples, errors, and late ones. Written once for each reused cell: off the lines that every
/// recorder reads.
pub(super) type Lifetime = [AtomicU64; 3];

/// The head of a slice, read by every sample and written by few: its octaves, and its longest latency.
pub(super) type Slice = [AtomicU64; 2];

/// The words of a ring, without its timeline.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Words<const SLICES: usize, const CELLS: usize> {
    lifetime: CacheLine<Lifetime>,
    slices: [Slice; SLICES],
    errors: [AtomicU64; SLICES],
    cells: [[AtomicU64; CELLS]; SLICES],
}

impl<const SLICES: usize, const CELLS: usize> Words<SLICES, CELLS> {
    pub(crate) const SCALE: Scale = {
        assert!(SLICES.is_power_of_two() && SLICES >= 2 && SLICES <= 1024, "SLICES is a power of two from 2 to 1024");
        assert!(CELLS.is_power_of_two() && CELLS <= 1024, "CELLS is a power of two from 32 to 1024");
        // The models explore a scale of few octaves: each word costs them time.
        assert!(CELLS >= 32 || cfg!(seawall_loom), "CELLS is a power of two from 32 to 1024");
        Scale::new(CELLS)
    };

    const_constructor! {
        pub(crate) fn new() -> Self {
            Self {
                lifetime: CacheLine(atomic_array!(AtomicU64::new(0), 3)),
                slices: atomic_array!(atomic_array!(AtomicU64::new(0), 2), SLICES),
                errors: atomic_array!(AtomicU64::new(0), SLICES),
                cells: atomic_array!(atomic_array!(AtomicU64::new(0), CELLS), SLICES),
            }
        }
    }

    /// The ring that these words are, on `timeline`.
    #[inline(always)]
    pub(crate) fn ring<'a>(&'a self, timeline: &'a Timeline) -> Ring<'a> {
        Ring {
            scale: Self::SCALE,
            timeline,
            lifetime: &self.lifetime,
            slices: &self.slices,
            errors: &self.errors,
            cells: self.cells.as_flattened(),
        }
    }

    /// Counts a sample: see [`record`].
    #[inline(always)]
    pub(crate) fn record<W: Writers>(&self, timeline: &Timeline, latency_ns: u64, ok: bool, now: Instant) {
        record::<W, _>(OnTimeline { words: self, timeline }, latency_ns, ok, now);
    }

    /// Adds the histogram of `span` to `counts`.
    pub(crate) fn read(&self, timeline: &Timeline, span: Span, counts: &mut [u64; CELLS]) -> Read {
        self.ring(timeline).read(span, counts)
    }

    /// Samples and errors in `span`.
    pub(crate) fn count(&self, timeline: &Timeline, span: Span) -> (u64, u64) {
        self.ring(timeline).count(span)
    }
}

/// Where a ring comes from: two pointers where its size is that of a type, as the call that follows takes them.
pub(crate) trait Source<'a>: Copy {
    fn ring(self) -> Ring<'a>;
}

#[derive(Clone, Copy)]
struct OnTimeline<'a, const SLICES: usize, const CELLS: usize> {
    words: &'a Words<SLICES, CELLS>,
    timeline: &'a Timeline,
}

impl<'a, const SLICES: usize, const CELLS: usize> Source<'a> for OnTimeline<'a, SLICES, CELLS> {
    #[inline(always)]
    fn ring(self) -> Ring<'a> {
        self.words.ring(self.timeline)
    }
}

impl<'a> Source<'a> for Ring<'a> {
    #[inline(always)]
    fn ring(self) -> Ring<'a> {
        self
    }
}

/// Counts a sample. Inlined, for what happens to nearly every one: it is in the slice of the one before, whose octave
/// is open and has seen a longer one. All else is a call, made before anything has happened.
#[inline(always)]
pub(crate) fn record<'a, W: Writers, S: Source<'a>>(source: S, latency_ns: u64, ok: bool, now: Instant) {
    let ring = source.ring();
    let cell = ring.scale.cell_of(latency_ns);
    if let Some(tick) = ring.timeline.guess(now)
        && let Some((slot, turn)) = ring.slot(tick)
        && slot.is_open(turn, ring.scale.octave_of(cell), latency_ns)
        && slot.cells.get(cell).is_some_and(|word| add_open::<W>(word, turn))
    {
        if !ok && (fault("sliding_window: an error looks for its slice anew") || !add_open::<W>(slot.errors, turn)) {
            record_error::<W, S>(source, tick, now);
        }
    } else {
        record_with_care::<W, S>(source, latency_ns, ok, now);
    }
}

/// The sample may be the first of its slice, octave or cell, or the longest, or late.
#[cold]
#[inline(never)]
fn record_with_care<'a, W: Writers, S: Source<'a>>(source: S, latency_ns: u64, ok: bool, now: Instant) {
    let ring = source.ring();
    let tick = ring.timeline.tick(now, ring.slices.len());
    let counted = ring.add_sample::<W>(tick, latency_ns);
    if !ok {
        ring.add_error::<W>(ring.tick_of_error(tick, now), counted);
    }
}

/// The failure of a sample that was counted may be the first of its slice.
#[cold]
#[inline(never)]
fn record_error<'a, W: Writers, S: Source<'a>>(source: S, tick: u64, now: Instant) {
    let ring = source.ring();
    ring.add_error::<W>(ring.tick_of_error(tick, now), true);
}

/// What [`Ring::read`] found, but for the histogram.
pub(crate) struct Read {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) longest_ns: u64,
    /// A bit for each octave with samples.
    pub(super) octaves: u32,
}

/// A view of a window of any size. `slices` and `errors` are of one length, a power of two; `cells` holds as many
/// histograms of `scale`, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Ring<'a> {
    pub(super) scale: Scale,
    pub(super) timeline: &'a Timeline,
    pub(super) lifetime: &'a Lifetime,
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
    #[inline(always)]
    fn slot(self, tick: u64) -> Option<(Slot<'a>, u32)> {
        // A power of two, and at least 1: an empty ring has no slot to get.
        let slices = self.slices.len();
        let index = (tick as usize) & slices.wrapping_sub(1);
        let [octaves, longest] = self.slices.get(index)?;
        let first = index * self.scale.cells();
        let cells = self.cells.get(first..first + self.scale.cells())?;
        let slot = Slot { octaves, longest, errors: self.errors.get(index)?, cells };
        // The turn is taken modulo 2^32 on purpose.
        Some((slot, (tick >> slices.trailing_zeros()) as u32))
    }

    /// Adds a sample to its cell; where it came too late, or there is no room, to the totals, and says `false`.
    fn add_sample<W: Writers>(self, tick: u64, latency_ns: u64) -> bool {
        let [count, _, late] = self.lifetime;
        let cell = self.scale.cell_of(latency_ns);
        let counted = self.slot(tick).is_some_and(|(slot, turn)| {
            slot.open_octave::<W>(turn, self.scale.octave_of(cell)) && {
                slot.raise_longest::<W>(turn, encode(latency_ns));
                slot.cells.get(cell).is_some_and(|word| slot.add::<W>(word, turn, count))
            }
        });
        if !counted {
            W::add(late, 1, Ordering::Relaxed);
            W::add(count, 1, Ordering::Relaxed);
        }
        counted
    }

    /// Adds the failure of a sample where that was `counted`; else to the totals.
    fn add_error<W: Writers>(self, tick: u64, counted: bool) {
        let [_, errors, _] = self.lifetime;
        let added = counted && self.slot(tick).is_some_and(|(slot, turn)| slot.add::<W>(slot.errors, turn, errors));
        if !added {
            W::add(errors, 1, Ordering::Relaxed);
        }
    }

    /// That of its sample, whatever became of the time line meanwhile.
    fn tick_of_error(self, tick: u64, now: Instant) -> u64 {
        let anew = fault("sliding_window: an error looks for its slice anew");
        if anew { self.timeline.tick(now, self.slices.len()) } else { tick }
    }

    /// Adds the histogram of `span` to `counts`.
    #[inline(always)]
    pub(super) fn read(self, span: Span, counts: &mut [u64]) -> Read {
        let (end, steps) = (end_of_low(), self.scale.steps());
        self.read_octaves(span, |octave, words, turn, count| {
            let sums = counts.chunks_exact_mut(steps).nth(octave).unwrap_or_default();
            for (sum, word) in sums.iter_mut().zip(words) {
                let samples = read_word(word, turn, end);
                // At most 1024 slices of 1024 cells of under 2^32.
                *sum += samples;
                *count += samples;
            }
        })
    }

    /// Samples and errors in `span`.
    #[inline(always)]
    pub(crate) fn count(self, span: Span) -> (u64, u64) {
        let end = end_of_low();
        let read = self.read_octaves(span, |_, words, turn, count| {
            for word in words {
                // At most 1024 slices of 1024 cells of under 2^32.
                *count += read_word(word, turn, end);
            }
        });
        (read.count, read.errors)
    }

    /// Has each open octave of `span`, of the turn of its slice, added to the count of the slice. Inlined: of octaves of a
    /// known size the loops are short.
    #[inline(always)]
    fn read_octaves(self, span: Span, mut add: impl FnMut(usize, &[AtomicU64], u32, &mut u64)) -> Read {
        let mut read = Read { count: 0, errors: 0, longest_ns: 0, octaves: 0 };
        let steps = self.scale.steps();
        for tick in span.ticks() {
            let Some((slot, turn)) = self.slot(tick) else { continue };
            let (errors, octaves) = slot.begin_read(turn);
            let mut count = 0;
            for (octave, words) in slot.cells.chunks_exact(steps).enumerate() {
                if octaves >> octave & 1 != 0 {
                    add(octave, words, turn, &mut count);
                }
            }
            read.count += count;
            read.errors += slot.end_read(turn, errors, count);
            read.octaves |= octaves;
            // After the cells: it is then at least the longest that they hold.
            let longest = slot.longest.load(Ordering::Relaxed);
            if count != 0 && turn_of(longest) == turn {
                read.longest_ns = read.longest_ns.max(decode(low_of(longest)));
            }
        }
        read
    }

    pub(crate) fn total_count(self) -> u64 {
        // Acquire: what is included here is no longer in the cells that are read below.
        let [count, _, _] = self.lifetime;
        let left = count.load(Ordering::Acquire);
        left.saturating_add(held(self.cells))
    }

    pub(crate) fn total_errors(self) -> u64 {
        let [_, errors, _] = self.lifetime;
        let left = errors.load(Ordering::Acquire);
        left.saturating_add(held(self.errors))
    }

    pub(crate) fn total_late(self) -> u64 {
        let [_, _, late] = self.lifetime;
        late.load(Ordering::Relaxed)
    }
}

/// What the words hold, of whatever turn.
fn held(words: &[AtomicU64]) -> u64 {
    // At most 2^20 words of under 2^32.
    words.iter().map(|word| u64::from(low_of(word.load(Ordering::Relaxed)))).sum()
}

/// The places of the bits of `bits`, from the lowest on.
pub(super) fn bits_of(mut bits: u32) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let bit = bits.trailing_zeros();
        // Clears the lowest bit; of 0 there is none, and nothing is given.
        bits &= bits.wrapping_sub(1);
        (bit < u32::BITS).then_some(bit)
    })
}

/// Adds one to a counter that is of this turn already and has room; else `false`, and nothing has happened.
#[inline(always)]
fn add_open<W: Writers>(word: &AtomicU64, turn: u32) -> bool {
    let release = ordering(Ordering::Release, "sliding_window: a sample is added relaxed", Ordering::Relaxed);
    // Acquire: a later turn in this word means that the octave word has it too.
    let seen = word.load(Ordering::Acquire);
    let has_room = seen.wrapping_sub(pack(turn, 0)) < u64::from(FULL);
    if has_room {
        // No carry into the turn: at most FULL, and a recorder for each byte of memory adds no 2^31 more.
        W::increment(word, seen, release);
    }
    has_room
}

/// 2^32, where the compiler does not see it: it would else take two steps for each comparison with it, of the few that
/// reading a word takes.
#[inline(always)]
fn end_of_low() -> u64 {
    black_box(1 << 32)
}

/// The samples in `word`, if it is of `turn`. `end` is [`end_of_low`].
#[inline(always)]
fn read_word(word: &AtomicU64, turn: u32, end: u64) -> u64 {
    let acquire = ordering(Ordering::Acquire, "sliding_window: a sample is read relaxed", Ordering::Relaxed);
    // Of this turn the difference is the low half; of any other it is more.
    let samples = word.load(acquire).wrapping_sub(pack(turn, 0));
    if samples < end { samples } else { 0 }
}

impl Slot<'_> {
    /// Whether the slot serves `turn`, has the octave open, and has seen a latency as long as this one. A false `no` does
    /// no harm: then it is asked again, with more care.
    #[inline(always)]
    fn is_open(self, turn: u32, octave: u32, latency_ns: u64) -> bool {
        // Of this turn each difference is the low half; of any other it has more bits.
        let low = u64::from(u32::MAX);
        let octaves = self.octaves.load(Ordering::Relaxed).wrapping_sub(pack(turn, 0));
        if octaves > low || octaves >> octave & 1 == 0 {
            return false;
        }
        // A latency is at least its code: for most there is nothing to encode.
        let longest = self.longest.load(Ordering::Relaxed).wrapping_sub(pack(turn, 0));
        longest <= low && (latency_ns <= longest || u64::from(encode(latency_ns)) <= longest)
    }

    /// Sets the octave's bit for `turn`; `false` if the slot serves a later turn.
    fn open_octave<W: Writers>(self, turn: u32, octave: u32) -> bool {
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
            match W::replace(word, seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(()) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// Keeps the longest latency of the slice; writes only when it grows.
    fn raise_longest<W: Writers>(self, turn: u32, code: u32) {
        let word = self.longest;
        let mut seen = word.load(Ordering::Relaxed);
        while if turn_of(seen) == turn { low_of(seen) < code } else { !self.is_later(seen, turn) } {
            // Lock-free: lost only to another recorder that raised it.
            match W::replace(word, seen, pack(turn, code), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Adds one to a counter of the slice; `false` if it serves a later turn or is full. The count of an earlier turn
    /// goes into `lifetime`.
    fn add<W: Writers>(self, word: &AtomicU64, turn: u32, lifetime: &AtomicU64) -> bool {
        let release = ordering(Ordering::Release, "sliding_window: a sample is added relaxed", Ordering::Relaxed);
        let mut seen = word.load(Ordering::Acquire);
        loop {
            if turn_of(seen) == turn {
                let has_room = low_of(seen) < FULL;
                if has_room {
                    // No carry, as above.
                    W::increment(word, seen, release);
                }
                return has_room;
            }
            if self.is_later(seen, turn) {
                return false;
            }
            if fault("sliding_window: a counter is taken over without a comparison") {
                word.store(pack(turn, 1), release);
                lifetime.fetch_add(u64::from(low_of(seen)), Ordering::Release);
                return true;
            }
            let early = fault("sliding_window: an old count is in the totals before it has left its cell");
            if early {
                W::add(lifetime, u64::from(low_of(seen)), Ordering::Release);
            }
            // Lock-free: lost only to another recorder that added a sample.
            match W::replace(word, seen, pack(turn, 1), release, Ordering::Acquire) {
                Ok(()) => {
                    let old = u64::from(low_of(seen));
                    if old != 0 && !early && !fault("sliding_window: an old count is dropped") {
                        if fault("sliding_window: the totals grow in two steps") {
                            let total = lifetime.load(Ordering::Relaxed);
                            lifetime.store(total + old, Ordering::Release);
                            return true;
                        }
                        // Release: whose load of the totals includes this count sees the counter without it.
                        W::add(lifetime, old, Ordering::Release);
                    }
                    return true;
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Whether `word` belongs to a later turn than `turn`. The octave word decides, as every turn opens it first: a word
    /// ahead of it is the rest of an absurd reading.
    fn is_later(self, word: u64, turn: u32) -> bool {
        is_ahead(word, turn) && turn_of(self.octaves.load(Ordering::Relaxed)) != turn
    }

    /// Before the cells of `turn` are read: the word of the errors, and a bit for each octave to read.
    fn begin_read(self, turn: u32) -> (u64, u32) {
        let acquire = ordering(Ordering::Acquire, "sliding_window: a sample is read relaxed", Ordering::Relaxed);
        let errors = self.errors.load(acquire);
        let octaves = self.octaves.load(Ordering::Relaxed);
        (errors, if turn_of(octaves) == turn { low_of(octaves) } else { 0 })
    }

    /// After the cells: how many of `count` samples failed.
    fn end_read(self, turn: u32, errors: u64, count: u64) -> u64 {
        let last = fault("sliding_window: errors are read last");
        let errors = if last { self.errors.load(Ordering::Acquire) } else { errors };
        let errors = if turn_of(errors) == turn { u64::from(low_of(errors)) } else { 0 };
        // More errors than samples: the samples have just been taken over by a later turn.
        errors.min(count)
    }
}

const _: () = assert!(OCTAVES == u32::BITS as usize, "a word has a bit for each octave");
