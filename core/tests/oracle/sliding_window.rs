//! What a sliding window must say, from a plain list of samples: no ring, no words, no bit tricks.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    tick: i128,
    pub latency: u64,
    pub ok: bool,
}

/// A window of `slices` slices of `width` nanoseconds.
#[derive(Debug)]
pub struct Window {
    slices: i128,
    width: i128,
    shift: i128,
    marked: i128,
    first: Option<i128>,
    serving: BTreeMap<i128, i128>,
    kept: Vec<Sample>,
    pub total: u64,
    pub total_errors: u64,
    pub late: u64,
}

/// What the list says at one moment; latencies in order.
#[derive(Debug)]
pub struct Seen {
    pub latencies: Vec<u64>,
    pub errors: u64,
    pub observed: u64,
}

impl Window {
    pub fn new(window: u64, slices: u64) -> Self {
        let width = i128::from(window / slices + u64::from(!window.is_multiple_of(slices)));
        Self {
            slices: slices.into(),
            width,
            shift: 0,
            marked: 0,
            first: None,
            serving: BTreeMap::new(),
            kept: Vec::new(),
            total: 0,
            total_errors: 0,
            late: 0,
        }
    }

    pub fn width(&self) -> u64 {
        self.width as u64
    }

    pub fn record(&mut self, latency: u64, ok: bool, now: u64) {
        let now = i128::from(now);
        self.first = Some(self.first.map_or(now, |first| first.min(now)));
        self.total += 1;
        self.total_errors += u64::from(!ok);
        let tick = now / self.width + self.shift;
        let (slot, turn) = (tick.rem_euclid(self.slices), tick.div_euclid(self.slices));
        if let Some(&serving) = self.serving.get(&slot) {
            let ahead = (serving - turn).rem_euclid(1 << 32);
            if (1..=65_536).contains(&ahead) {
                self.late += 1;
                return;
            }
            if ahead != 0 {
                let slices = self.slices;
                self.kept.retain(|sample| sample.tick.rem_euclid(slices) != slot);
            }
        }
        self.serving.insert(slot, turn);
        self.kept.push(Sample { tick, latency, ok });
    }

    /// Whether a sample at `now` is so much older than its slot that the slot is taken back from an absurd future. What
    /// the slot then holds of its own past is not promised: nothing to compare.
    pub fn takes_back(&self, now: u64) -> bool {
        let tick = i128::from(now) / self.width + self.shift;
        let (slot, turn) = (tick.rem_euclid(self.slices), tick.div_euclid(self.slices));
        self.serving.get(&slot).is_some_and(|serving| serving - turn > 65_536)
    }

    pub fn rebase(&mut self, old_now: u64, new_now: u64) {
        let (old, new) = (i128::from(old_now), i128::from(new_now));
        self.shift += old / self.width - new / self.width + self.slices;
        self.marked = new;
        self.first = Some(new);
    }

    pub fn seen(&self, now: u64) -> Seen {
        let now = i128::from(now);
        let newest = now / self.width;
        let oldest = (newest - self.slices + 1).max(0).max(self.marked / self.width);
        let live = || self.kept.iter().filter(|s| (oldest + self.shift..=newest + self.shift).contains(&s.tick));
        let mut latencies: Vec<u64> = live().map(|s| s.latency).collect();
        latencies.sort_unstable();
        let begin = (oldest * self.width).max(self.marked).max(self.first.unwrap_or(0).min(now));
        Seen {
            latencies,
            errors: live().filter(|s| !s.ok).count() as u64,
            observed: (now - begin).max(self.width) as u64,
        }
    }
}

impl Seen {
    /// Nearest rank.
    pub fn quantile(&self, ppm: u64) -> Option<u64> {
        let n = self.latencies.len() as u64;
        let rank = (n * ppm).div_ceil(1_000_000).max(1);
        (n > 0).then(|| self.latencies[rank as usize - 1])
    }

    pub fn mean(&self) -> Option<u128> {
        let sum: u128 = self.latencies.iter().map(|l| u128::from(*l)).sum();
        (!self.latencies.is_empty()).then(|| sum / self.latencies.len() as u128)
    }
}

/// The cells of a histogram, as a table of edges.
pub struct Cells {
    edges: Vec<u64>,
}

impl Cells {
    pub fn new(cells: usize) -> Self {
        let steps = cells as u64 / 32;
        let mut edges = vec![0];
        let mut octave_ends = 4_096;
        let mut width = 4_096 / steps;
        for octave in 0..32 {
            for _ in 0..steps {
                edges.push(edges.last().unwrap() + width);
            }
            assert_eq!(*edges.last().unwrap(), octave_ends);
            octave_ends *= 2;
            width *= if octave == 0 { 1 } else { 2 };
        }
        Self { edges }
    }

    fn middle(&self, latency: u64) -> u64 {
        let above = self.edges.iter().position(|edge| latency < *edge).unwrap_or(self.edges.len() - 1);
        (self.edges[above - 1] + self.edges[above]) / 2
    }

    fn is_last(&self, latency: u64) -> bool {
        latency >= self.edges[self.edges.len() - 2]
    }

    /// What a window of such cells answers for the quantile.
    pub fn quantile(&self, seen: &Seen, ppm: u64) -> Option<u64> {
        let exact = seen.quantile(ppm)?;
        let longest = rounded_up(*seen.latencies.last()?);
        let n = seen.latencies.len() as u64;
        let is_longest = (n * ppm).div_ceil(1_000_000).max(1) == n;
        Some(if is_longest || self.is_last(exact) { longest } else { self.middle(exact).min(longest) })
    }

    /// What it answers for the mean.
    pub fn mean(&self, seen: &Seen) -> Option<u64> {
        let longest = rounded_up(*seen.latencies.last()?);
        let sum: u128 = seen.latencies.iter().map(|l| u128::from(self.middle(*l))).sum();
        Some(((sum / seen.latencies.len() as u128) as u64).min(longest))
    }
}

/// The longest latency as a window keeps it: 27 leading bits, the rest rounded up.
pub fn rounded_up(latency: u64) -> u64 {
    let mut unit: u128 = 1;
    while u128::from(latency) / unit >= 1 << 27 {
        unit *= 2;
    }
    (u128::from(latency) / unit * unit + unit - 1) as u64
}
