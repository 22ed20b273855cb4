//! [`ShardedWindow`]: a sliding window of which each worker has a part of its own.
//!
//! Two cores that record into one window pass its cache lines to and fro, and that costs ten times what the counting does.
//! Here each core writes its own shard, and whoever asks reads all shards as one window. They lie on one time line, so
//! that there is one mark, one rebase and one time observed for all of them.
//!
//! # The invariant
//! That of [`SlidingWindow`], over all shards: every sample is counted exactly once, in its slice of its shard, or in the
//! totals. A mark excludes the past of all shards or, for a reader that came before it, of none.
//!
//! # Who writes a shard
//! A type says so, so that the two ways never meet in one shard (see `writers.rs`):
//!
//! | | records by | costs |
//! | --- | --- | --- |
//! | `ShardedWindow<8>` | [`record`](ShardedWindow::record), anybody into any shard | one `fetch_add`, on lines of the shard |
//! | `ShardedWindow<8, 16, 512, OneWriter>` | [`OwnedWindow::record`], one owner a shard | a load and a store |
//!
//! # The words
//! ```text
//!  timeline          64 bytes, read by all: see timeline.rs
//!  shard[0]          the words of a sliding window, and its claim; from a cache line of its own on
//!  shard[1] ...
//! ```
//!
//! # Orderings
//! Those of the sliding window. The stores of an owner are `Release` where the steps of many are, and one writer's stores
//! are in the order of its program for whoever acquires one of them: a reader that sees a sample sees its octave and the
//! longest latency, an error is never seen without its sample, a count that has moved to the totals is not seen in its
//! cell. From one owner to the next, the claim hands over (`Release`, `Acquire`).
//!
//! # Limits
//! * Those of the sliding window, for each shard: 2^31 samples a cell and slice, and so on.
//! * A sample that is late in its shard might have had a place in another: then it counts in the totals all the same.
//! * A reader goes through all shards: what it costs grows with them.
//! * An owner that is lost (forgotten, or its process killed) keeps its shard: its samples can be read, nobody adds to it.

mod view;
mod view_owned;

use core::marker::PhantomData;
use core::time::Duration;

pub use self::view::ShardedWindowView;
pub use self::view_owned::OwnedWindowView;
use crate::ratio::Ratio;
use crate::shard::{Claimed, claim};
use crate::sliding_window::{WindowConfig, WindowConfigError, WindowSnapshot, WindowSummary, Words};
use crate::sync::{AtomicU64, atomic_array, const_constructor};
use crate::time::{Instant, nanos};
use crate::timeline::Timeline;
use crate::writers::{ManyWriters, OneWriter, Writers};

/// A [`SlidingWindow`](crate::SlidingWindow) of `SHARDS` shards, so that workers record without taking cache lines from
/// one another, and everybody reads them as one.
///
/// `SLICES` and `CELLS` are those of each shard; a shard takes as many bytes as a window. With as many shards as cores,
/// recording scales with cores. `W` says who records: [`ManyWriters`] or [`OneWriter`].
///
/// # Concurrency
/// Recording by [`ManyWriters`] is lock-free, all else is wait-free. Anybody reads at any time.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, Ratio, ShardedWindow, WindowConfig};
///
/// static WINDOW: ShardedWindow<2, 8, 64> = match ShardedWindow::new(WindowConfig::DEFAULT) {
///     Ok(window) => window,
///     Err(_) => panic!("refused at compile time"),
/// };
/// std::thread::scope(|scope| {
///     for worker in 0..2 {
///         scope.spawn(move || WINDOW.record(worker, Duration::from_millis(20), worker == 0, Instant::ORIGIN));
///     }
/// });
/// assert_eq!(WINDOW.summary(Instant::ORIGIN).count, 2);
/// assert_eq!(WINDOW.error_rate(Instant::ORIGIN), Some(Ratio::HALF));
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct ShardedWindow<
    const SHARDS: usize,
    const SLICES: usize = 16,
    const CELLS: usize = 512,
    W: Writers = ManyWriters,
> {
    timeline: Timeline,
    shards: [Shard<SLICES, CELLS>; SHARDS],
    writers: PhantomData<W>,
}

/// Aligned to a cache line, as its words are.
#[derive(Debug)]
#[repr(C)]
struct Shard<const SLICES: usize, const CELLS: usize> {
    words: Words<SLICES, CELLS>,
    claim: AtomicU64,
}

impl<const SLICES: usize, const CELLS: usize> Shard<SLICES, CELLS> {
    const_constructor! {
        fn new() -> Self {
            Self { words: Words::new(), claim: AtomicU64::new(0) }
        }
    }
}

impl<const SHARDS: usize, const SLICES: usize, const CELLS: usize> ShardedWindow<SHARDS, SLICES, CELLS> {
    const_constructor! {
        /// An empty window, into which anybody records.
        ///
        /// # Errors
        /// As [`SlidingWindow::new`](crate::SlidingWindow::new).
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{ShardedWindow, WindowConfig, WindowConfigError};
        /// assert!(ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT).is_ok());
        /// let error = ShardedWindow::<2, 8, 64>::new(WindowConfig { window: Duration::ZERO }).unwrap_err();
        /// assert_eq!(error, WindowConfigError::TooShort);
        /// ```
        pub fn new(config: WindowConfig) -> Result<Self, WindowConfigError> {
            Self::empty(config)
        }
    }

    /// Counts one finished call in `shard`, taken modulo `SHARDS`: as
    /// [`SlidingWindow::record`](crate::SlidingWindow::record). Any shard is right; one's own is fast.
    ///
    /// # Concurrency
    /// Lock-free: one read-modify-write for a success, two for a failure, of lines that only this shard's recorders write.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(0, Duration::from_millis(20), true, Instant::ORIGIN);
    /// window.record(3, Duration::from_millis(30), true, Instant::ORIGIN); // shard 1
    /// assert_eq!(window.total_count(), 2);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[inline]
    pub fn record(&self, shard: u32, latency: Duration, ok: bool, now: Instant) {
        if let Some(shard) = self.shards.get(shard as usize % SHARDS) {
            shard.words.record::<ManyWriters>(&self.timeline, nanos(latency), ok, now);
        }
    }

    /// [`record`](Self::record) in the shard of the calling thread: that of its [`thread_shard`](crate::thread_shard).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<4, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| window.record_here(Duration::from_millis(20), true, Instant::ORIGIN));
    ///     }
    /// });
    /// assert_eq!(window.total_count(), 4);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[cfg(all(feature = "std", not(seawall_loom)))]
    #[inline]
    pub fn record_here(&self, latency: Duration, ok: bool, now: Instant) {
        self.record(crate::shard::thread_shard(), latency, ok, now);
    }
}

impl<const SHARDS: usize, const SLICES: usize, const CELLS: usize> ShardedWindow<SHARDS, SLICES, CELLS, OneWriter> {
    const_constructor! {
        /// An empty window, into which the [owners](Self::own) of its shards record.
        ///
        /// # Errors
        /// As [`SlidingWindow::new`](crate::SlidingWindow::new).
        ///
        /// ```
        /// use seawall::{OneWriter, ShardedWindow, WindowConfig};
        /// static WINDOW: ShardedWindow<2, 8, 64, OneWriter> = match ShardedWindow::for_owners(WindowConfig::DEFAULT) {
        ///     Ok(window) => window,
        ///     Err(_) => panic!("refused at compile time"),
        /// };
        /// assert!(WINDOW.own(1).is_some());
        /// ```
        pub fn for_owners(config: WindowConfig) -> Result<Self, WindowConfigError> {
            Self::empty(config)
        }
    }

    /// Makes the caller the only recorder of `shard` until it drops what it gets. `None` while there is one, and for a
    /// shard of `SHARDS` and up.
    ///
    /// # Concurrency
    /// Wait-free. The next owner goes on where the one before stopped.
    ///
    /// ```
    /// use seawall::{OneWriter, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64, OneWriter>::for_owners(WindowConfig::DEFAULT)?;
    /// let owner = window.own(0);
    /// assert!(owner.is_some() && window.own(0).is_none() && window.own(1).is_some() && window.own(2).is_none());
    /// drop(owner);
    /// assert!(window.own(0).is_some());
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn own(&self, shard: u32) -> Option<OwnedWindow<'_, SLICES, CELLS>> {
        let Shard { words, claim: word } = self.shards.get(shard as usize)?;
        claim(word).map(|claimed| OwnedWindow { words, timeline: &self.timeline, _claimed: claimed })
    }
}

impl<const SHARDS: usize, const SLICES: usize, const CELLS: usize, W: Writers> ShardedWindow<SHARDS, SLICES, CELLS, W> {
    const_constructor! {
        fn empty(config: WindowConfig) -> Result<Self, WindowConfigError> {
            const { assert!(SHARDS > 0, "a window has a shard at least") };
            match config.slice_ns(SLICES as u64) {
                Ok(slice_ns) => Ok(Self {
                    timeline: Timeline::new(slice_ns),
                    shards: atomic_array!(Shard::new(), SHARDS),
                    writers: PhantomData,
                }),
                Err(error) => Err(error),
            }
        }
    }

    fn words(&self) -> impl Iterator<Item = &Words<SLICES, CELLS>> {
        self.shards.iter().map(|shard| &shard.words)
    }

    fn sum(&self, of: impl Fn(&Words<SLICES, CELLS>) -> u64) -> u64 {
        self.words().fold(0, |sum, words| sum.saturating_add(of(words)))
    }

    fn add_to(&self, snapshot: &mut WindowSnapshot<CELLS>, now: Instant) {
        snapshot.add(&self.timeline, self.words(), now);
    }

    /// All that the shards hold at `now`, as [`SlidingWindow::snapshot`](crate::SlidingWindow::snapshot).
    ///
    /// # Complexity
    /// For each shard, a word for each slice and the cells of the octaves in use.
    ///
    /// # Concurrency
    /// Wait-free, loads only. The shards are read one after the other; a mark is seen in all of them or in none.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 128>::new(WindowConfig::DEFAULT)?;
    /// for worker in 1..=2 {
    ///     window.record(worker, Duration::from_millis(worker.into()), true, Instant::ORIGIN);
    /// }
    /// let snapshot = window.snapshot(Instant::ORIGIN);
    /// assert_eq!((snapshot.count(), snapshot.max()), (2, Some(Duration::from_millis(2))));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> WindowSnapshot<CELLS> {
        let mut snapshot = WindowSnapshot::empty();
        self.add_to(&mut snapshot, now);
        snapshot
    }

    /// The usual figures at `now`, with the lifetime totals: as
    /// [`SlidingWindow::summary`](crate::SlidingWindow::summary).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(1, Duration::from_millis(20), false, Instant::ORIGIN);
    /// let summary = window.summary(Instant::ORIGIN);
    /// assert_eq!((summary.count, summary.errors, summary.total_count), (1, 1, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn summary(&self, now: Instant) -> WindowSummary {
        // The totals first: a recorder in between makes the window newer, not the totals.
        let (total_count, total_errors) = (self.total_count(), self.total_errors());
        let mut snapshot = WindowSnapshot::empty();
        self.add_to(&mut snapshot, now);
        WindowSummary { total_count, total_errors, ..snapshot.summary() }
    }

    /// The latency at quantile `q` at `now`, over all shards: as
    /// [`SlidingWindow::quantile`](crate::SlidingWindow::quantile). For several of one moment, ask a
    /// [`snapshot`](Self::snapshot).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 512>::new(WindowConfig::DEFAULT)?;
    /// for millis in 1..=100 {
    ///     window.record(millis, Duration::from_millis(millis.into()), true, Instant::ORIGIN);
    /// }
    /// let median = window.quantile(Ratio::HALF, Instant::ORIGIN).expect("there are samples");
    /// assert!(median.abs_diff(Duration::from_millis(50)) <= Duration::from_micros(1_563));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: Ratio, now: Instant) -> Option<Duration> {
        let mut snapshot = WindowSnapshot::empty();
        self.add_to(&mut snapshot, now);
        snapshot.quantile(q)
    }

    /// The share of failed calls at `now`, over all shards. `None` if there were none: no evidence is not health.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Ratio, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(window.error_rate(Instant::ORIGIN), None);
    /// window.record(0, Duration::ZERO, false, Instant::ORIGIN);
    /// window.record(1, Duration::ZERO, true, Instant::ORIGIN);
    /// assert_eq!(window.error_rate(Instant::ORIGIN), Some(Ratio::HALF));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn error_rate(&self, now: Instant) -> Option<Ratio> {
        let span = self.timeline.span(now, SLICES);
        let (mut count, mut errors) = (0_u64, 0_u64);
        for words in self.words() {
            let more = words.count(&self.timeline, span);
            (count, errors) = (count.saturating_add(more.0), errors.saturating_add(more.1));
        }
        if count == 0 { None } else { Some(Ratio::of(errors, count)) }
    }

    /// Forgets what came before `now` in all shards: as [`SlidingWindow::mark`](crate::SlidingWindow::mark).
    ///
    /// # Concurrency
    /// Wait-free, whoever owns the shards: it writes nothing of theirs. A recorder at work meanwhile counts as before the
    /// mark or as after it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(1, Duration::from_millis(9), false, Instant::ORIGIN);
    /// window.mark(Instant::ORIGIN);
    /// assert_eq!((window.error_rate(Instant::ORIGIN), window.total_count()), (None, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn mark(&self, now: Instant) {
        self.rebase(now, now);
    }

    /// Starts anew on another clock, in all shards: as [`SlidingWindow::rebase`](crate::SlidingWindow::rebase).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// let old_now = Instant::from_nanos(1 << 50);
    /// window.record(0, Duration::from_millis(9), true, old_now);
    /// window.rebase(old_now, Instant::ORIGIN);
    /// window.record(1, Duration::from_millis(9), true, Instant::ORIGIN);
    /// assert_eq!(window.summary(Instant::ORIGIN).count, 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        self.timeline.rebase(old_now, new_now, SLICES);
    }

    /// All samples ever recorded; as exact as [`SlidingWindow::total_count`](crate::SlidingWindow::total_count).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(0, Duration::from_millis(9), true, Instant::ORIGIN);
    /// window.record(1, Duration::from_millis(9), true, Instant::MAX);
    /// assert_eq!((window.total_count(), window.total_errors(), window.total_late()), (2, 0, 0));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn total_count(&self) -> u64 {
        self.sum(|words| words.ring(&self.timeline).total_count())
    }

    /// All failed samples ever recorded.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// window.record(1, Duration::from_millis(9), false, Instant::ORIGIN);
    /// assert_eq!(window.total_errors(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn total_errors(&self) -> u64 {
        self.sum(|words| words.ring(&self.timeline).total_errors())
    }

    /// How many samples came too late for their slice: see
    /// [`SlidingWindow::total_late`](crate::SlidingWindow::total_late).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig { window: Duration::from_secs(8) })?;
    /// window.record(0, Duration::from_millis(9), true, Instant::from_nanos(8_000_000_000));
    /// window.record(0, Duration::from_millis(9), true, Instant::ORIGIN);
    /// assert_eq!(window.total_late(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn total_late(&self) -> u64 {
        self.sum(|words| words.ring(&self.timeline).total_late())
    }

    /// The width of the window: see [`SlidingWindow::window`](crate::SlidingWindow::window).
    ///
    /// ```
    /// use seawall::{ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!((window.window(), window.slice()), (WindowConfig::DEFAULT.window, WindowConfig::DEFAULT.window / 8));
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
    /// use seawall::{ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64>::new(WindowConfig { window: Duration::from_secs(8) })?;
    /// assert_eq!(window.slice(), Duration::from_secs(1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn slice(&self) -> Duration {
        Duration::from_nanos(self.timeline.slice_ns())
    }
}

/// The owner of a shard, until it is dropped: made by [`ShardedWindow::own`].
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, OneWriter, OwnedWindow, ShardedWindow, WindowConfig};
/// let window = ShardedWindow::<2, 8, 64, OneWriter>::for_owners(WindowConfig::DEFAULT)?;
/// std::thread::scope(|scope| {
///     for worker in 0..2 {
///         let mut mine: OwnedWindow<'_, 8, 64> = window.own(worker).expect("a shard for each worker");
///         scope.spawn(move || mine.record(Duration::from_millis(20), true, Instant::ORIGIN));
///     }
/// });
/// assert_eq!(window.summary(Instant::ORIGIN).count, 2);
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Debug)]
pub struct OwnedWindow<'a, const SLICES: usize = 16, const CELLS: usize = 512> {
    words: &'a Words<SLICES, CELLS>,
    timeline: &'a Timeline,
    _claimed: Claimed<'a>,
}

impl<const SLICES: usize, const CELLS: usize> OwnedWindow<'_, SLICES, CELLS> {
    /// Counts one finished call: as [`SlidingWindow::record`](crate::SlidingWindow::record).
    ///
    /// # Concurrency
    /// Wait-free: loads and stores of lines that nobody else writes, and no read-modify-write but for the earliest sample
    /// of all. Readers see each sample once, whole or not yet.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, OneWriter, ShardedWindow, WindowConfig};
    /// let window = ShardedWindow::<2, 8, 64, OneWriter>::for_owners(WindowConfig::DEFAULT)?;
    /// let mut mine = window.own(0).expect("nobody else owns it");
    /// mine.record(Duration::from_millis(20), true, Instant::ORIGIN);
    /// assert_eq!(window.total_count(), 1); // while it is owned
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[inline]
    pub fn record(&mut self, latency: Duration, ok: bool, now: Instant) {
        self.words.record::<OneWriter>(self.timeline, nanos(latency), ok, now);
    }
}
