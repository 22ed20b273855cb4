//! What a window held at one moment, as plain values.

use core::time::Duration;

use super::page::{Found, Page};
use super::ring::Words;
use crate::histogram::Scale;
use crate::rate::Rate;
use crate::ratio::Ratio;
use crate::sync::fault;
use crate::time::Instant;
use crate::timeline::Timeline;

/// What a [`SlidingWindow`](crate::SlidingWindow) held at one moment: a histogram, counts, and the time observed.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, Ratio, SlidingWindow, WindowConfig};
/// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
/// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
/// let snapshot = window.snapshot(Instant::ORIGIN);
/// // Several questions about one moment, whatever is recorded meanwhile.
/// window.record(Duration::from_secs(9), false, Instant::ORIGIN);
/// assert_eq!((snapshot.count(), snapshot.max()), (1, Some(Duration::from_millis(20))));
/// assert_eq!(snapshot.quantile(Ratio::ONE), snapshot.max());
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[repr(C)]
pub struct WindowSnapshot<const CELLS: usize> {
    found: Found,
    counts: [u64; CELLS],
}

impl<const CELLS: usize> WindowSnapshot<CELLS> {
    const SCALE: Scale = Scale::new(CELLS);

    #[inline(always)]
    fn page(&self) -> Page<'_> {
        Page { scale: Self::SCALE, found: &self.found, counts: &self.counts }
    }

    /// Without a sample: where a merge begins.
    pub(crate) const fn empty() -> Self {
        Self { found: Found::NOTHING, counts: [0; CELLS] }
    }

    /// Merges what rings on one time line hold at `now`: as [`merge`](Self::merge), without a second page of counts. The
    /// time line is read once, so that a mark is seen in all of them or in none.
    #[inline]
    pub(crate) fn add<'a, const SLICES: usize>(
        &mut self,
        timeline: &Timeline,
        rings: impl IntoIterator<Item = &'a Words<SLICES, CELLS>>,
        now: Instant,
    ) {
        let span = timeline.span(now, SLICES);
        for ring in rings {
            let anew = fault("sharded_window: each shard reads the time line anew");
            let span = if anew { timeline.span(now, SLICES) } else { span };
            self.found.add(ring.read(timeline, span, &mut self.counts));
        }
        self.found.observe(timeline.observed_ns(span));
    }

    /// How many samples.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
    /// assert_eq!(window.snapshot(Instant::ORIGIN).count(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.found.count
    }

    /// How many of them failed; never more than [`count`](Self::count).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// assert_eq!(window.snapshot(Instant::ORIGIN).errors(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.found.errors
    }

    /// How much time the samples stand for: from the beginning of the oldest slice in the window, or from the first
    /// sample ever or the last mark if that is later, to the moment of the snapshot; at least one slice.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
    /// let later = Instant::ORIGIN.saturating_add(Duration::from_secs(12));
    /// assert_eq!(window.snapshot(later).observed(), Duration::from_secs(12));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn observed(&self) -> Duration {
        self.found.observed()
    }

    /// The latency at quantile `q`, by nearest rank: see [`SlidingWindow::quantile`](crate::SlidingWindow::quantile).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// for millis in 1..=100 {
    ///     window.record(Duration::from_millis(millis), true, Instant::ORIGIN);
    /// }
    /// let snapshot = window.snapshot(Instant::ORIGIN);
    /// let p90 = snapshot.quantile(Ratio::percent(90).expect("under one")).expect("there are samples");
    /// assert!(p90.abs_diff(Duration::from_millis(90)) <= Duration::from_micros(2_813)); // 3.125 %
    /// assert_eq!(snapshot.quantile(Ratio::ONE), snapshot.max());
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: Ratio) -> Option<Duration> {
        self.page().quantile(q)
    }

    /// The mean latency, as right as a quantile; what is longer than the scale counts as the last cell. `None` if
    /// empty.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(window.snapshot(Instant::ORIGIN).mean(), None);
    /// window.record(Duration::from_millis(10), true, Instant::ORIGIN);
    /// window.record(Duration::from_millis(30), true, Instant::ORIGIN);
    /// let mean = window.snapshot(Instant::ORIGIN).mean().expect("there are samples");
    /// assert!(mean.abs_diff(Duration::from_millis(20)) <= Duration::from_micros(625)); // 3.125 %
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        self.page().mean()
    }

    /// The longest latency: exact up to 134 ms, then high by at most 2^-26 of itself (15 ns a second). `None` if empty.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(30), true, Instant::ORIGIN);
    /// window.record(Duration::from_millis(10), true, Instant::ORIGIN);
    /// assert_eq!(window.snapshot(Instant::ORIGIN).max(), Some(Duration::from_millis(30)));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn max(&self) -> Option<Duration> {
        self.found.max()
    }

    /// Adds what another window saw in the same time, such as that of another thread.
    ///
    /// The time observed is the longer one of the two. Counts saturate.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// let mut both = window.snapshot(Instant::ORIGIN);
    /// both.merge(&window.snapshot(Instant::ORIGIN));
    /// assert_eq!((both.count(), both.errors()), (2, 2));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.found.merge(&other.found);
        for (cell, theirs) in other.page().used_cells() {
            if let Some(mine) = self.counts.get_mut(cell) {
                *mine = mine.saturating_add(theirs);
            }
        }
    }

    /// The usual figures. The totals are those of this snapshot, as it knows no others.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// let summary = window.snapshot(Instant::ORIGIN).summary();
    /// assert_eq!((summary.count, summary.errors, summary.total_count), (1, 1, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn summary(&self) -> WindowSummary {
        self.found.summary(self.mean(), |q| self.quantile(q))
    }
}

/// The usual figures of a [`SlidingWindow`](crate::SlidingWindow).
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, SlidingWindow, WindowConfig};
/// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
/// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
/// let summary = window.summary(Instant::ORIGIN);
/// assert_eq!((summary.count, summary.max), (1, Some(Duration::from_millis(20))));
/// assert_eq!((summary.p50, summary.p99), (summary.max, summary.max));
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSummary {
    /// How many calls finished in the window.
    pub count: u64,
    /// How many of them failed.
    pub errors: u64,
    /// How much time they stand for: less than the window at first, and at least one slice.
    pub observed: Duration,
    /// The mean latency; `None` if the window is empty, as for all latencies here.
    pub mean: Option<Duration>,
    /// The longest latency.
    pub max: Option<Duration>,
    /// The median latency.
    pub p50: Option<Duration>,
    /// The latency that 95 % of calls kept to.
    pub p95: Option<Duration>,
    /// The latency that 99 % of calls kept to.
    pub p99: Option<Duration>,
    /// Calls since the window was made.
    pub total_count: u64,
    /// Failed calls since the window was made.
    pub total_errors: u64,
}

impl WindowSummary {
    /// The share of failed calls; `None` if there were none at all.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(window.summary(Instant::ORIGIN).error_rate(), None);
    /// window.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// assert_eq!(window.summary(Instant::ORIGIN).error_rate(), Some(Ratio::ONE));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn error_rate(&self) -> Option<Ratio> {
        if self.count == 0 { None } else { Some(Ratio::of(self.errors, self.count)) }
    }

    /// Finished calls per time really observed: a window of 30 s that is a second old divides by a second, and one
    /// that is a millisecond old by a whole slice.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Rate, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig { window: Duration::from_secs(8) })?;
    /// for _ in 0..5 {
    ///     window.record(Duration::from_millis(1), true, Instant::ORIGIN);
    /// }
    /// let later = |millis| Instant::ORIGIN.saturating_add(Duration::from_millis(millis));
    /// assert_eq!(window.summary(later(1)).throughput(), Rate::per_second(5));
    /// assert_eq!(window.summary(later(5_000)).throughput(), Rate::per_second(1));
    /// assert_eq!(window.summary(later(9_000)).throughput(), Rate::ZERO);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn throughput(&self) -> Rate {
        let observed = self.observed.max(Duration::from_nanos(1));
        // Refused only for periods over 584 years, which no window has.
        Rate::new(self.count, observed).unwrap_or(Rate::ZERO)
    }
}
