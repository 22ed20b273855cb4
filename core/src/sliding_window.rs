//! [`SlidingWindow`]: what happened lately, counted and measured by many threads at once.
//!
//! The window is a ring of `SLICES` slices of time. A slice has a histogram of `CELLS` latency cells,
//! a word that says which octaves of it are in use, its longest latency, and its errors. There is no
//! rotation: every word carries the turn of the ring that it belongs to, and the first sample of a new
//! turn replaces the word in the same step that counts it. Nothing is ever zeroed, nobody is elected to
//! do it, and after any idle time all that is old is out at once, because its turn is not the one asked
//! for.
//!
//! # The invariant
//! Every sample is counted exactly once: in a cell of its own slice, or, once that cell was taken by a
//! later turn (or the sample came too late for its slice), in the lifetime totals.
//!
//! # The words
//! ```text
//!  cells[slot][cell]      | turn : 32 | samples : 32 |     one fetch_add a sample
//!  slices[slot].octaves   | turn : 32 | a bit for each octave with samples : 32 |
//!  slices[slot].longest   | turn : 32 | code of the longest latency : 32 |
//!  errors[slot]           | turn : 32 | errors : 32 |       one fetch_add a failed sample
//! ```
//! Which slot serves an instant, and in which turn, is worked out in `timeline.rs`; [`mark`](SlidingWindow::mark) moves the
//! time line by one turn of the ring, so that every earlier sample is a whole window old at once.
//!
//! # The boundary rules
//! 1. The slice is the unit of forgetting. At `now` the window covers the slice of `now` so far and the
//!    `SLICES - 1` whole slices before it.
//! 2. A sample with an older `now` counts in its own slice. If that slot already serves a later turn, the
//!    sample is late: it counts in the totals ([`total_count`](SlidingWindow::total_count),
//!    [`total_late`](SlidingWindow::total_late)) and not in the window.
//! 3. A recorder that sleeps between its look at a word and its `fetch_add`, while the ring goes all the way
//!    round, adds that one sample to the slice that took the place of its own. Nothing else is ever
//!    misplaced, and nothing is lost.
//!
//! # Orderings
//! * Adding to a cell is `Release`, reading one is `Acquire`: who sees a sample sees the octave bit and the
//!   longest latency that its recorder wrote before (so no quantile exceeds the longest), and a recorder that
//!   meets a later turn in a cell meets it in the octave word too.
//! * Adding an error is `Release`, after its sample; a reader loads errors (`Acquire`) before the cells: it
//!   never sees more errors than samples.
//! * Taking a cell over moves its old count into the totals, `Release`; a reader loads the totals (`Acquire`)
//!   before the cells: it never counts a sample twice.
//! * A mark: see `timeline.rs`.
//!
//! All else is `Relaxed`: each word is complete by itself.
//!
//! # Limits
//! * A slice holds up to 2^31 samples a cell and 2^31 errors; more count in the totals only.
//! * A window of 4.3 s or more never sees a turn twice in the 584 years of an [`Instant`]. In a shorter one a
//!   slice that nobody touched for exactly 2^32 windows (136 years for 1 s, 49 days for 1 ms) reappears for
//!   that one window.
//! * One absurd reading from the future, recorded, keeps later samples out of one slot (a slice in each turn)
//!   until that future is here; [`rebase`](SlidingWindow::rebase) heals at once. A reading over 65,536 windows
//!   ahead is not believed: the next sample takes the slot back, and what the slot held for that very turn may
//!   count again. In turn a sample over 65,536 windows old takes its slot from the present.
//! * Time that stands still fills one slice; idle for a year empties all.
//!
//! Source: the ring of stamped slices is Sentinel's LeapArray, which loses samples at each reset; carrying
//! the stamp in the counted word is what closes that gap. The histogram: see `histogram.rs`.

mod config;
mod flat;
mod page;
mod ring;
mod snapshot;
mod view;

use core::time::Duration;

pub use self::config::{WindowConfig, WindowConfigError};
pub(crate) use self::flat::{Sizes, clear, whole_lines};
pub(crate) use self::page::Sheet;
pub(crate) use self::ring::{Ring, Words, record};
pub use self::snapshot::{WindowSnapshot, WindowSummary};
pub use self::view::SlidingWindowView;
use crate::ratio::Ratio;
use crate::sync::const_constructor;
use crate::time::{Instant, nanos};
use crate::timeline::Timeline;
use crate::writers::{ManyWriters, Writers};

/// Counts, error rate, throughput and latency quantiles of the last stretch of time, recorded by any number of
/// threads without a lock, an allocation or a pause.
///
/// `SLICES` (a power of two, 2 to 1024) says in how many steps the window forgets; `CELLS` (a power of two, 32 to
/// 1024) how fine latencies are told apart: 512 cells are right to 3.125 % from 4 µs to 2.4 hours, 64 cells to
/// 25 %; the table is at [`relative_error`](Self::relative_error). Other sizes do not compile.
///
/// | | bytes | relative error |
/// | --- | --- | --- |
/// | `SlidingWindow` = `SlidingWindow<16, 512>` | 65 KiB | 3.125 % |
/// | `SlidingWindow<16, 128>` | 17 KiB | 12.5 % |
/// | `SlidingWindow<8, 64>` | 4.4 KiB | 25 % |
/// | `SlidingWindow<4, 32>` | 1.3 KiB | 50 % |
///
/// A success costs one atomic read-modify-write, a failure two. For more than a few million samples a second give
/// each thread a shard of a [`ShardedWindow`](crate::ShardedWindow).
///
/// # Concurrency
/// Every method may be called from any thread, signal or interrupt handler at any time. Reading and marking are
/// wait-free; recording is lock-free: it repeats a step only after another recorder has completed one. While
/// recorders run, a snapshot has no single instant: it holds all that was recorded before it began, and some of what
/// is recorded meanwhile. At rest it is exact.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, Ratio, SlidingWindow, WindowConfig};
///
/// static WINDOW: SlidingWindow = match SlidingWindow::new(WindowConfig { window: Duration::from_secs(10) }) {
///     Ok(window) => window,
///     Err(_) => panic!("a window of 10 s is legal"),
/// };
///
/// for second in 1..=5 {
///     let now = Instant::from_nanos(second * 1_000_000_000);
///     WINDOW.record(Duration::from_millis(20), true, now);
///     WINDOW.record(Duration::from_millis(300), second != 3, now);
/// }
/// let now = Instant::from_nanos(5_000_000_000);
/// assert_eq!(WINDOW.error_rate(now), Some(Ratio::percent(10)?));
///
/// let summary = WINDOW.summary(now);
/// assert_eq!((summary.count, summary.errors), (10, 1));
/// assert_eq!(summary.max, Some(Duration::from_nanos(300_000_003))); // right to 15 ns a second
/// let p95 = summary.p95.expect("there are samples");
/// assert!(p95.abs_diff(Duration::from_millis(300)) < Duration::from_millis(10));
/// # Ok::<(), seawall::RatioError>(())
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct SlidingWindow<const SLICES: usize = 16, const CELLS: usize = 512> {
    timeline: Timeline,
    words: Words<SLICES, CELLS>,
}

impl<const SLICES: usize, const CELLS: usize> SlidingWindow<SLICES, CELLS> {
    const_constructor! {
        /// An empty window.
        ///
        /// A slice is the `SLICES`th part of `config.window`, rounded up to a nanosecond.
        ///
        /// # Errors
        /// [`WindowConfigError`] if the window is shorter than a millisecond or longer than 365 days.
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{SlidingWindow, WindowConfig};
        /// static WINDOW: SlidingWindow<8, 64> = match SlidingWindow::new(WindowConfig::DEFAULT) {
        ///     Ok(window) => window,
        ///     Err(_) => panic!("refused at compile time"),
        /// };
        /// assert_eq!(WINDOW.slice(), Duration::from_millis(3_750));
        /// ```
        pub fn new(config: WindowConfig) -> Result<Self, WindowConfigError> {
            match config.slice_ns(SLICES as u64) {
                Ok(slice_ns) => Ok(Self { timeline: Timeline::new(slice_ns), words: Words::new() }),
                Err(error) => Err(error),
            }
        }
    }

    #[inline(always)]
    fn ring(&self) -> Ring<'_> {
        self.words.ring(&self.timeline)
    }

    /// Counts one finished call: how long it took, and whether it went well.
    ///
    /// Latencies over 2.4 hours count in the last cell. An older `now` counts in its own slice, or, where that slice
    /// has been reused, as late.
    ///
    /// # Concurrency
    /// Lock-free: one read-modify-write for a success, two for a failure; a few more for the first sample of a slice.
    /// A recorder that is stopped for ever inside this call holds up nobody; at most its own sample, and the lifetime
    /// count of one reused cell, are missing then.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// let (sent, answered) = (Instant::ORIGIN, Instant::from_nanos(20_000_000));
    /// window.record(answered.saturating_duration_since(sent), true, answered);
    /// assert_eq!(window.summary(answered).count, 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[inline]
    pub fn record(&self, latency: Duration, ok: bool, now: Instant) {
        self.record_as::<ManyWriters>(latency, ok, now);
    }

    /// [`record`](Self::record), for those that `W` says.
    #[inline(always)]
    pub(crate) fn record_as<W: Writers>(&self, latency: Duration, ok: bool, now: Instant) {
        self.words.record::<W>(&self.timeline, nanos(latency), ok, now);
    }

    /// All that the window holds at `now`, as a plain value: for quantiles, for several questions about one moment,
    /// and to merge the windows of several threads.
    ///
    /// # Complexity
    /// Reads a word for each slice, and the cells of the octaves in use. The value has `CELLS` words, on the stack.
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, SlidingWindow, WindowConfig};
    ///
    /// let mut windows = Vec::new();
    /// for worker in 1..=2 {
    ///     let window = SlidingWindow::<8, 128>::new(WindowConfig::DEFAULT)?;
    ///     window.record(Duration::from_millis(worker), true, Instant::ORIGIN);
    ///     windows.push(window);
    /// }
    /// let mut all = windows[0].snapshot(Instant::ORIGIN);
    /// all.merge(&windows[1].snapshot(Instant::ORIGIN));
    /// assert_eq!(all.count(), 2);
    /// assert_eq!(all.quantile(Ratio::ONE), Some(Duration::from_millis(2)));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> WindowSnapshot<CELLS> {
        let mut snapshot = WindowSnapshot::empty();
        self.add_to(&mut snapshot, now);
        snapshot
    }

    /// Merges what the window holds at `now` into `snapshot`.
    pub(crate) fn add_to(&self, snapshot: &mut WindowSnapshot<CELLS>, now: Instant) {
        snapshot.add(&self.timeline, [&self.words], now);
    }

    /// The usual figures at `now`, with the lifetime totals.
    ///
    /// # Complexity
    /// As [`snapshot`](Self::snapshot), and one load for each cell for the totals.
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 128>::new(WindowConfig::DEFAULT)?;
    /// let summary = window.summary(Instant::ORIGIN);
    /// assert_eq!((summary.count, summary.p95, summary.error_rate()), (0, None, None));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn summary(&self, now: Instant) -> WindowSummary {
        let ring = self.ring();
        // The totals first: a recorder in between makes the window newer, not the totals.
        let (total_count, total_errors) = (ring.total_count(), ring.total_errors());
        let mut snapshot = WindowSnapshot::empty();
        self.add_to(&mut snapshot, now);
        WindowSummary { total_count, total_errors, ..snapshot.summary() }
    }

    /// The latency at quantile `q` at `now`, by nearest rank: of `n` samples in order, the one at the place `q * n`,
    /// rounded up, and the first for `q` = 0. `None` if the window is empty.
    ///
    /// Off by at most [`relative_error`](Self::relative_error), from 4 µs up; below, by at most half of the smallest
    /// cell. The quantile 1 is the longest latency, as in [`WindowSummary::max`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 512>::new(WindowConfig::DEFAULT)?;
    /// for millis in 1..=100 {
    ///     window.record(Duration::from_millis(millis), true, Instant::ORIGIN);
    /// }
    /// let median = window.quantile(Ratio::HALF, Instant::ORIGIN).expect("there are samples");
    /// assert!(median.abs_diff(Duration::from_millis(50)) <= Duration::from_micros(1_563));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: Ratio, now: Instant) -> Option<Duration> {
        // In place: a snapshot that is given back is copied, and that takes as long as a tenth of this.
        let mut snapshot = WindowSnapshot::empty();
        self.add_to(&mut snapshot, now);
        snapshot.quantile(q)
    }

    /// The share of failed calls at `now`. `None` if the window is empty: no evidence is not health.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<2, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(window.error_rate(Instant::ORIGIN), None);
    /// window.record(Duration::ZERO, false, Instant::ORIGIN);
    /// assert_eq!(window.error_rate(Instant::ORIGIN), Some(Ratio::ONE));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn error_rate(&self, now: Instant) -> Option<Ratio> {
        let (count, errors) = self.words.count(&self.timeline, self.timeline.span(now, SLICES));
        if count == 0 { None } else { Some(Ratio::of(errors, count)) }
    }

    /// Forgets what came before `now`, exactly: as after a breaker has closed again, when the failures that opened it
    /// say nothing any more. The lifetime totals stay.
    ///
    /// A sample recorded after the mark with a reading before the mark's slice is not counted in the window. Readers
    /// with a reading before the mark's slice see an empty window. If several marks race, the window starts at one
    /// of their instants.
    ///
    /// # Concurrency
    /// Wait-free. A recorder at work meanwhile counts as before the mark or as after it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(9), false, Instant::ORIGIN);
    /// window.mark(Instant::ORIGIN);
    /// window.record(Duration::from_millis(1), true, Instant::ORIGIN);
    /// let summary = window.summary(Instant::ORIGIN);
    /// assert_eq!((summary.count, summary.errors), (1, 0));
    /// assert_eq!((summary.total_count, summary.total_errors), (2, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn mark(&self, now: Instant) {
        self.rebase(now, now);
    }

    /// Starts anew on another clock, or on one that stepped: the present, `old_now` so far, is `new_now` from here on.
    ///
    /// As a [`mark`](Self::mark) at that moment: the window is empty, the lifetime totals stay. `old_now` is the latest
    /// reading of the old clock; if it is given too early, that much of the new time falls into slices that are
    /// taken.
    ///
    /// # Concurrency
    /// Wait-free. Samples that are recorded meanwhile may be late.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// let old_now = Instant::from_nanos(3_600_000_000_000);
    /// window.record(Duration::from_millis(9), true, old_now);
    /// window.rebase(old_now, Instant::ORIGIN);
    /// window.record(Duration::from_millis(9), true, Instant::ORIGIN);
    /// assert_eq!(window.summary(Instant::ORIGIN).count, 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        self.timeline.rebase(old_now, new_now, SLICES);
    }

    /// All samples ever recorded.
    ///
    /// # Complexity
    /// One load for each cell.
    ///
    /// # Concurrency
    /// Wait-free. Never more than was recorded; exact at rest. While a recorder takes over a cell of an earlier turn,
    /// that cell's old count may be missing for a moment.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(9), true, Instant::ORIGIN);
    /// window.record(Duration::from_millis(9), true, Instant::MAX);
    /// assert_eq!((window.total_count(), window.total_errors()), (2, 0));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn total_count(&self) -> u64 {
        self.ring().total_count()
    }

    /// All failed samples ever recorded; as exact as [`total_count`](Self::total_count).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(Duration::from_millis(9), false, Instant::ORIGIN);
    /// assert_eq!((window.error_rate(Instant::MAX), window.total_errors()), (None, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn total_errors(&self) -> u64 {
        self.ring().total_errors()
    }

    /// How many samples came too late for their slice (or found it full) and count in the totals only. A number that
    /// keeps growing says that a clock stepped: see [`rebase`](Self::rebase).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig { window: Duration::from_secs(8) })?;
    /// window.record(Duration::from_millis(9), true, Instant::from_nanos(8_000_000_000));
    /// window.record(Duration::from_millis(9), true, Instant::ORIGIN);
    /// assert_eq!((window.total_count(), window.total_late()), (2, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn total_late(&self) -> u64 {
        self.ring().total_late()
    }

    /// The width of the window: as configured, rounded up to a whole number of slices of whole nanoseconds.
    ///
    /// ```
    /// use seawall::{SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(window.window(), WindowConfig::DEFAULT.window);
    /// assert_eq!(window.slice() * 8, window.window());
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn window(&self) -> Duration {
        // Under 366 days: the config was checked.
        Duration::from_nanos(self.timeline.slice_ns() * SLICES as u64)
    }

    /// The width of a slice: how much the window forgets at a time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{SlidingWindow, WindowConfig};
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig { window: Duration::from_secs(8) })?;
    /// assert_eq!(window.slice(), Duration::from_secs(1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn slice(&self) -> Duration {
        Duration::from_nanos(self.timeline.slice_ns())
    }

    /// The largest relative error of a quantile or mean, for latencies of 4.096 µs to 2.4 hours.
    ///
    /// | `CELLS` | 1024 | 512 | 256 | 128 | 64 | 32 |
    /// | --- | --- | --- | --- | --- | --- | --- |
    /// | relative error | 1.5625 % | 3.125 % | 6.25 % | 12.5 % | 25 % | 50 % |
    /// | error below 4.096 µs | 64 ns | 128 ns | 256 ns | 512 ns | 1.024 µs | 2.048 µs |
    ///
    /// ```
    /// use seawall::{Ratio, SlidingWindow};
    /// assert_eq!(SlidingWindow::<16, 512>::relative_error(), Ratio::from_ppm(31_250)?);
    /// # Ok::<(), seawall::RatioError>(())
    /// ```
    #[must_use]
    pub const fn relative_error() -> Ratio {
        Words::<SLICES, CELLS>::SCALE.relative_error()
    }
}
