//! What the slices of a window held, and what that says: the same for histograms of every size.

use core::time::Duration;

use super::flat::{MOST_CELLS, Sizes};
use super::ring::{Read, Ring, bits_of};
use super::snapshot::WindowSummary;
use crate::histogram::Scale;
use crate::ratio::Ratio;
use crate::sync::fault;
use crate::time::Instant;
use crate::timeline::{Span, Timeline};

const P95: Ratio = Ratio::ppm(950_000);
const P99: Ratio = Ratio::ppm(990_000);

/// All but the histogram.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Found {
    pub(super) errors: u64,
    pub(super) count: u64,
    observed_ns: u64,
    longest_ns: u64,
    /// A bit for each octave with samples: the counts of all others are 0, and nobody looks at them.
    octaves: u64,
}

impl Found {
    pub(super) const NOTHING: Self = Self { errors: 0, count: 0, observed_ns: 0, longest_ns: 0, octaves: 0 };

    #[inline(always)]
    pub(super) fn add(&mut self, read: Read) {
        let Read { count, errors, longest_ns, octaves } = read;
        self.octaves |= u64::from(octaves);
        self.errors = self.errors.saturating_add(errors);
        self.count = self.count.saturating_add(count);
        self.longest_ns = self.longest_ns.max(longest_ns);
    }

    /// The longest of what its parts stand for.
    #[inline(always)]
    pub(super) fn observe(&mut self, nanos: u64) {
        self.observed_ns = self.observed_ns.max(nanos);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.errors = self.errors.saturating_add(other.errors);
        self.count = self.count.saturating_add(other.count);
        self.observed_ns = self.observed_ns.max(other.observed_ns);
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.octaves |= other.octaves;
    }

    pub(super) const fn observed(&self) -> Duration {
        Duration::from_nanos(self.observed_ns)
    }

    pub(super) const fn max(&self) -> Option<Duration> {
        if self.count == 0 { None } else { Some(Duration::from_nanos(self.longest_ns)) }
    }

    /// The totals are those of this page, as it knows no others.
    #[inline(always)]
    pub(super) fn summary(
        &self,
        mean: Option<Duration>,
        quantile: impl Fn(Ratio) -> Option<Duration>,
    ) -> WindowSummary {
        WindowSummary {
            count: self.count,
            errors: self.errors,
            observed: self.observed(),
            mean,
            max: self.max(),
            p50: quantile(Ratio::HALF),
            p95: quantile(P95),
            p99: quantile(P99),
            total_count: self.count,
            total_errors: self.errors,
        }
    }
}

/// A histogram of any size.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) scale: Scale,
    pub(super) found: &'a Found,
    /// A count for each cell of the scale.
    pub(super) counts: &'a [u64],
}

impl Page<'_> {
    /// Each cell of the octaves with samples, from short to long, and how many it has.
    #[inline(always)]
    pub(super) fn used_cells(self) -> impl Iterator<Item = (usize, u64)> {
        // Truncates nothing: there are as many octaves as `Read` has bits.
        bits_of(self.found.octaves as u32).flat_map(move |octave| {
            let cells = self.scale.cells_of(octave);
            cells.clone().zip(self.counts.get(cells).unwrap_or_default().iter().copied())
        })
    }

    #[inline(always)]
    pub(super) fn quantile(self, q: Ratio) -> Option<Duration> {
        let Found { count, longest_ns, .. } = *self.found;
        if count == 0 {
            return None;
        }
        // At most `count`, as the ratio is at most 1.
        let rank = (u128::from(count) * u128::from(q.as_ppm())).div_ceil(1_000_000).max(1) as u64;
        if rank == count {
            return self.found.max();
        }
        let mut below = 0;
        for (cell, samples) in self.used_cells() {
            // At most `count`, which is their sum; merged counts may have been saturated.
            below = samples.saturating_add(below);
            if below >= rank {
                // The last cell has no middle: it holds all that is too long for the scale.
                let nanos = if self.scale.is_last(cell) { longest_ns } else { self.scale.middle_of(cell) };
                return Some(Duration::from_nanos(nanos.min(longest_ns)));
            }
        }
        self.found.max()
    }

    #[inline(always)]
    pub(super) fn mean(self) -> Option<Duration> {
        let Found { count, longest_ns, .. } = *self.found;
        if count == 0 {
            return None;
        }
        // At most 2^64 samples of 2^43 ns.
        let sum: u128 = self.used_cells().map(|(cell, n)| u128::from(self.scale.middle_of(cell)) * u128::from(n)).sum();
        // A mean is at most the largest middle.
        Some(Duration::from_nanos(((sum / u128::from(count)) as u64).min(longest_ns)))
    }
}

/// As many counts as the largest histogram has cells, for one of any size: that of the first ring that it reads.
pub(crate) struct Sheet {
    cells: usize,
    found: Found,
    counts: [u64; MOST_CELLS],
}

impl Sheet {
    pub(crate) const fn empty() -> Self {
        Self { cells: 0, found: Found::NOTHING, counts: [0; MOST_CELLS] }
    }

    fn page(&self) -> Page<'_> {
        let counts = self.counts.get(..self.cells).unwrap_or_default();
        Page { scale: Scale::new(self.cells), found: &self.found, counts }
    }

    /// Merges what rings on one time line hold at `now`, which is read once, so that a mark is seen in all of them or in
    /// none. All of them have one size.
    pub(crate) fn add<'a>(
        &mut self,
        timeline: &Timeline,
        sizes: Sizes,
        rings: impl Iterator<Item = Ring<'a>>,
        now: Instant,
    ) {
        if self.cells == 0 {
            self.cells = sizes.cells().min(MOST_CELLS);
        }
        if self.cells != sizes.cells() {
            let mut other = Self::empty();
            other.add(timeline, sizes, rings, now);
            return self.merge(&other);
        }
        let span = timeline.span(now, sizes.slices());
        let counts = self.counts.get_mut(..self.cells).unwrap_or_default();
        for ring in rings {
            let anew = fault("sharded_window: each shard reads the time line anew");
            let span = if anew { timeline.span(now, sizes.slices()) } else { span };
            self.found.add(read(ring, span, counts));
        }
        self.found.observe(timeline.observed_ns(span));
    }

    /// Merges a histogram of another size: what a cell has goes to the one that its middle falls into.
    #[cold]
    fn merge(&mut self, other: &Self) {
        let (mine, theirs) = (Scale::new(self.cells), other.page());
        for (cell, samples) in theirs.used_cells() {
            let place = if theirs.scale.is_last(cell) { u64::MAX } else { theirs.scale.middle_of(cell) };
            if let Some(count) = self.counts.get_mut(mine.cell_of(place)) {
                *count = count.saturating_add(samples);
            }
        }
        // An octave is the same stretch of time whatever its cells.
        self.found.merge(&other.found);
    }

    pub(crate) fn quantile(&self, q: Ratio) -> Option<Duration> {
        self.page().quantile(q)
    }

    pub(crate) fn summary(&self) -> WindowSummary {
        self.found.summary(self.page().mean(), |q| self.quantile(q))
    }
}

/// Once, for rings of all sizes.
#[inline(never)]
fn read(ring: Ring<'_>, span: Span, counts: &mut [u64]) -> Read {
    ring.read(span, counts)
}
