//! [`ShardedWindowView`]: a sharded window whose shards, slices and cells are known when the program runs.

use core::fmt;
use core::mem::offset_of;
use core::time::Duration;

use crate::layout::bytes_with_tail;
use crate::ratio::Ratio;
use crate::sliding_window::{
    Ring, Sheet, Sizes, WindowConfig, WindowConfigError, WindowSummary, clear, record, whole_lines,
};
use crate::sync::{AtomicU64, atomic_array, const_constructor};
use crate::time::{Instant, nanos};
use crate::timeline::Timeline;
use crate::writers::{ManyWriters, Writing, WrongWriter};

/// A [`ShardedWindow`](crate::ShardedWindow) whose shards, slices and cells are known when the program runs. What it counts,
/// and what it answers, is what the sized one does, and so is the code.
///
/// Who writes it is said when it is made: anybody into any shard ([`renew`](Self::renew)), or one owner a shard
/// ([`renew_for_owners`](Self::renew_for_owners)). The other way is refused then, so that the two never meet.
///
/// # Storage
/// [`size_for`](Self::size_for) bytes at a multiple of [`ALIGNMENT`](Self::ALIGNMENT), all zero, are a view: one that
/// refuses every writer and reads as empty until it is made. A face that is given such storage makes the pointer as
/// `core::ptr::slice_from_raw_parts_mut(storage, words) as *mut ShardedWindowView`, where `words` is
/// [`words_for`](Self::words_for). The state is a `repr(C)` of words without a pointer: it may be mapped, moved while nobody
/// calls, and shared by processes.
///
/// `S` is only there for storage; elsewhere leave it away.
///
/// # Concurrency
/// That of the sized one.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, ShardedWindowView, WindowConfig};
/// let mut storage = ShardedWindowView::storage::<{ ShardedWindowView::words_for(2, 8, 64).unwrap() }>();
/// let window: &mut ShardedWindowView = &mut storage;
/// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
/// let window = &*window;
/// std::thread::scope(|scope| {
///     for worker in 0..2 {
///         scope.spawn(move || window.record(worker, Duration::from_millis(20), true, Instant::ORIGIN));
///     }
/// });
/// assert_eq!(window.summary(Instant::ORIGIN).count, 2);
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[repr(C)]
pub struct ShardedWindowView<S: ?Sized = [AtomicU64]> {
    timeline: Timeline,
    head: Head,
    /// A ring and its claim a shard, each from a line of its own on.
    words: S,
}

/// On a line of its own, so that the words begin on one.
#[repr(C, align(64))]
struct Head {
    sizes: Sizes,
    writing: Writing,
    shards: u64,
}

const MOST_SHARDS: usize = 65_536;

/// The words of a shard: its ring, its claim, and what fills the line.
#[inline(always)]
const fn stride(sizes: Sizes) -> usize {
    whole_lines(sizes.words() + 1)
}

const fn words_of(shards: usize, sizes: Sizes) -> Result<usize, WindowConfigError> {
    if shards == 0 || shards > MOST_SHARDS {
        return Err(WindowConfigError::Shards);
    }
    match stride(sizes).checked_mul(shards) {
        Some(words) => Ok(words),
        // Only where an address has 32 bits.
        None => Err(WindowConfigError::Storage),
    }
}

impl ShardedWindowView {
    /// What the address of its storage is a multiple of, in bytes.
    pub const ALIGNMENT: usize = align_of::<ShardedWindowView<[AtomicU64; 0]>>();

    /// The words of a window of so many shards, slices and cells; `None` where there is none: shards are 1 to 65,536,
    /// slices a power of two from 2 to 1024, cells one from 32 to 1024.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// assert!(ShardedWindowView::words_for(8, 16, 512).is_some());
    /// assert_eq!(ShardedWindowView::words_for(0, 16, 512), None);
    /// ```
    #[must_use]
    pub const fn words_for(shards: usize, slices: usize, cells: usize) -> Option<usize> {
        let Ok(sizes) = Sizes::new(slices, cells) else { return None };
        match words_of(shards, sizes) {
            Ok(words) => Some(words),
            Err(_) => None,
        }
    }

    /// The bytes of a window of so many shards, slices and cells: see [`words_for`](Self::words_for).
    ///
    /// ```
    /// use seawall::{ShardedWindow, ShardedWindowView};
    /// assert_eq!(ShardedWindowView::size_for(8, 16, 512), Some(size_of::<ShardedWindow<8>>() + 64));
    /// ```
    #[must_use]
    pub const fn size_for(shards: usize, slices: usize, cells: usize) -> Option<usize> {
        match Self::words_for(shards, slices, cells) {
            Some(words) => Self::size_of_words(words),
            None => None,
        }
    }

    /// The bytes of one with so many words; `None` where no object is so large.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// assert_eq!(ShardedWindowView::size_of_words(8), Some(192));
    /// assert_eq!(ShardedWindowView::size_of_words(usize::MAX), None);
    /// ```
    #[must_use]
    pub const fn size_of_words(words: usize) -> Option<usize> {
        let offset = offset_of!(ShardedWindowView<[AtomicU64; 0]>, words);
        bytes_with_tail(offset, size_of::<AtomicU64>(), words, Self::ALIGNMENT)
    }

    const_constructor! {
        /// Storage of so many words, all zero.
        ///
        /// ```
        /// use seawall::{Instant, ShardedWindowView, WrongWriter};
        /// let storage = ShardedWindowView::storage::<2000>();
        /// let window: &ShardedWindowView = &storage;
        /// // It is not made yet.
        /// assert_eq!(window.record(0, core::time::Duration::ZERO, true, Instant::ORIGIN), Err(WrongWriter));
        /// assert_eq!((window.shards(), window.total_count()), (0, 0));
        /// ```
        #[must_use]
        pub fn storage<const WORDS: usize>() -> ShardedWindowView<[AtomicU64; WORDS]> {
            ShardedWindowView {
                timeline: Timeline::unmade(),
                head: Head { sizes: Sizes::NONE, writing: Writing::NOBODY, shards: 0 },
                words: atomic_array!(AtomicU64::new(0), WORDS),
            }
        }
    }

    /// Makes it anew, for anybody to record into, as [`ShardedWindow::new`](crate::ShardedWindow::new) would with so many
    /// shards, slices and cells: what was there before is gone.
    ///
    /// # Errors
    /// [`WindowConfigError`] names what is out of its range, [`WindowConfigError::Storage`] where it has too few words. It
    /// is then as it was.
    ///
    /// ```
    /// use seawall::{ShardedWindowView, WindowConfig, WindowConfigError};
    /// let mut storage = ShardedWindowView::storage::<2000>();
    /// let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// assert_eq!(window.renew(WindowConfig::DEFAULT, 0, 8, 64), Err(WindowConfigError::Shards));
    /// assert_eq!(window.renew(WindowConfig::DEFAULT, 8, 8, 64), Err(WindowConfigError::Storage));
    /// assert_eq!((window.shards(), window.slices(), window.cells()), (2, 8, 64));
    /// # Ok::<(), WindowConfigError>(())
    /// ```
    pub fn renew(
        &mut self,
        config: WindowConfig,
        shards: usize,
        slices: usize,
        cells: usize,
    ) -> Result<(), WindowConfigError> {
        self.renew_as(Writing::ANYBODY, config, shards, Sizes::new(slices, cells)?)
    }

    /// Makes it anew for the [owners](Self::own) of its shards, as
    /// [`ShardedWindow::for_owners`](crate::ShardedWindow::for_owners) would: what was there before is gone.
    ///
    /// # Errors
    /// As [`renew`](Self::renew).
    ///
    /// ```
    /// use seawall::{ShardedWindowView, WindowConfig};
    /// let mut storage = ShardedWindowView::storage::<2000>();
    /// let window: &mut ShardedWindowView = &mut storage;
    /// window.renew_for_owners(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// assert!(window.own(1)?.is_some());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn renew_for_owners(
        &mut self,
        config: WindowConfig,
        shards: usize,
        slices: usize,
        cells: usize,
    ) -> Result<(), WindowConfigError> {
        self.renew_as(Writing::OWNERS, config, shards, Sizes::new(slices, cells)?)
    }

    fn renew_as(
        &mut self,
        writing: Writing,
        config: WindowConfig,
        shards: usize,
        sizes: Sizes,
    ) -> Result<(), WindowConfigError> {
        let slice_ns = config.slice_ns(sizes.slices() as u64)?;
        if words_of(shards, sizes)? > self.words.len() {
            return Err(WindowConfigError::Storage);
        }
        (self.timeline, self.head) = (Timeline::new(slice_ns), Head { sizes, writing, shards: shards as u64 });
        clear(&mut self.words);
        Ok(())
    }

    /// The words of a shard; `None` where there is no such shard.
    #[inline(always)]
    fn shard(&self, shard: usize) -> Option<&[AtomicU64]> {
        let stride = stride(self.head.sizes);
        // At most 2^16 shards of 2^21 words; where an address has 32 bits, as many as were given.
        let first = shard.checked_mul(stride)?;
        self.words.get(first..first.checked_add(stride)?)
    }

    #[inline(always)]
    pub(super) fn ring(&self, shard: usize) -> Option<Ring<'_>> {
        self.head.sizes.ring(&self.timeline, self.shard(shard)?)
    }

    /// Who may write it.
    #[inline(always)]
    pub(super) fn writing(&self) -> Writing {
        self.head.writing
    }

    pub(super) fn claim_word(&self, shard: usize) -> Option<&AtomicU64> {
        if shard >= self.shards() {
            return None;
        }
        self.shard(shard)?.get(self.head.sizes.words())
    }

    fn rings(&self) -> impl Iterator<Item = Ring<'_>> {
        (0..self.shards()).filter_map(|shard| self.ring(shard))
    }

    fn sum<'a>(&'a self, of: impl Fn(Ring<'a>) -> u64) -> u64 {
        self.rings().fold(0, |sum, ring| sum.saturating_add(of(ring)))
    }

    fn sheet(&self, now: Instant) -> Sheet {
        let mut sheet = Sheet::empty();
        sheet.add(&self.timeline, self.head.sizes, self.rings(), now);
        sheet
    }

    /// Counts one finished call in `shard`, taken modulo the number of shards: see
    /// [`ShardedWindow::record`](crate::ShardedWindow::record).
    ///
    /// # Errors
    /// [`WrongWriter`]: its shards have owners, or it is not made yet. Nothing was counted.
    ///
    /// # Concurrency
    /// As there: lock-free.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, ShardedWindowView, WindowConfig, WrongWriter};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// window.record(3, Duration::from_millis(20), true, Instant::ORIGIN)?; // shard 1
    /// window.renew_for_owners(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// assert_eq!(window.record(3, Duration::from_millis(20), true, Instant::ORIGIN), Err(WrongWriter));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn record(&self, shard: u32, latency: Duration, ok: bool, now: Instant) -> Result<(), WrongWriter> {
        self.writing().check_anybody()?;
        // At most 65,536 of them: nothing is truncated.
        let shard = shard.checked_rem(self.head.shards as u32).ok_or(WrongWriter)?;
        if let Some(ring) = self.ring(shard as usize) {
            record::<ManyWriters, _>(ring, nanos(latency), ok, now);
        }
        Ok(())
    }

    /// [`record`](Self::record) in the shard of the calling thread: that of its [`thread_shard`](crate::thread_shard).
    ///
    /// # Errors
    /// As [`record`](Self::record).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// window.record_here(Duration::from_millis(20), true, Instant::ORIGIN)?;
    /// assert_eq!(window.total_count(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[cfg(all(feature = "std", not(seawall_loom)))]
    #[inline]
    pub fn record_here(&self, latency: Duration, ok: bool, now: Instant) -> Result<(), WrongWriter> {
        self.record(crate::shard::thread_shard(), latency, ok, now)
    }

    /// The usual figures at `now` of all shards, with the lifetime totals: see
    /// [`ShardedWindow::summary`](crate::ShardedWindow::summary).
    ///
    /// # Complexity
    /// As there, with 8 KiB of stack whatever its size.
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// window.record(1, Duration::from_millis(20), false, Instant::ORIGIN)?;
    /// let summary = window.summary(Instant::ORIGIN);
    /// assert_eq!((summary.count, summary.errors, summary.total_count), (1, 1, 1));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn summary(&self, now: Instant) -> WindowSummary {
        // The totals first: a recorder in between makes the window newer, not the totals.
        let (total_count, total_errors) = (self.total_count(), self.total_errors());
        WindowSummary { total_count, total_errors, ..self.sheet(now).summary() }
    }

    /// The latency at quantile `q` at `now`, over all shards: see
    /// [`ShardedWindow::quantile`](crate::ShardedWindow::quantile).
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, Ratio, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// assert_eq!(window.quantile(Ratio::HALF, Instant::ORIGIN), None);
    /// window.record(1, Duration::from_millis(20), true, Instant::ORIGIN)?;
    /// assert_eq!(window.quantile(Ratio::HALF, Instant::ORIGIN), Some(Duration::from_millis(20)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: Ratio, now: Instant) -> Option<Duration> {
        self.sheet(now).quantile(q)
    }

    /// The share of failed calls at `now`, over all shards; `None` if there were none.
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, Ratio, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// window.record(0, Duration::ZERO, false, Instant::ORIGIN)?;
    /// window.record(1, Duration::ZERO, true, Instant::ORIGIN)?;
    /// assert_eq!(window.error_rate(Instant::ORIGIN), Some(Ratio::HALF));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn error_rate(&self, now: Instant) -> Option<Ratio> {
        let span = self.timeline.span(now, self.slices());
        let (mut count, mut errors) = (0_u64, 0_u64);
        for ring in self.rings() {
            let more = ring.count(span);
            (count, errors) = (count.saturating_add(more.0), errors.saturating_add(more.1));
        }
        if count == 0 { None } else { Some(Ratio::of(errors, count)) }
    }

    /// Forgets what came before `now` in all shards: see [`ShardedWindow::mark`](crate::ShardedWindow::mark).
    ///
    /// # Concurrency
    /// Wait-free, whoever owns the shards.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// window.record(1, Duration::from_millis(9), false, Instant::ORIGIN)?;
    /// window.mark(Instant::ORIGIN);
    /// assert_eq!((window.error_rate(Instant::ORIGIN), window.total_count()), (None, 1));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn mark(&self, now: Instant) {
        self.rebase(now, now);
    }

    /// Starts anew on another clock, in all shards: see [`ShardedWindow::rebase`](crate::ShardedWindow::rebase).
    ///
    /// # Concurrency
    /// Wait-free, whoever owns the shards.
    ///
    /// ```
    /// # use seawall::{Instant, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// window.rebase(Instant::from_nanos(1 << 60), Instant::ORIGIN);
    /// assert_eq!(window.error_rate(Instant::ORIGIN), None);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        self.timeline.rebase(old_now, new_now, self.slices());
    }

    /// Samples since the window was made, in all shards.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// let window: &ShardedWindowView = &ShardedWindowView::storage::<2000>();
    /// assert_eq!(window.total_count(), 0);
    /// ```
    #[must_use]
    pub fn total_count(&self) -> u64 {
        self.sum(Ring::total_count)
    }

    /// Failed samples since the window was made, in all shards.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// let window: &ShardedWindowView = &ShardedWindowView::storage::<2000>();
    /// assert_eq!(window.total_errors(), 0);
    /// ```
    #[must_use]
    pub fn total_errors(&self) -> u64 {
        self.sum(Ring::total_errors)
    }

    /// Samples that came too late for their slice, or found no room, in all shards.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// let window: &ShardedWindowView = &ShardedWindowView::storage::<2000>();
    /// assert_eq!(window.total_late(), 0);
    /// ```
    #[must_use]
    pub fn total_late(&self) -> u64 {
        self.sum(Ring::total_late)
    }

    /// How far it looks back: its slices, of which each was rounded up to a nanosecond. Zero until it is made.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// assert_eq!(window.window(), Duration::from_secs(30));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn window(&self) -> Duration {
        // Under 366 days: the config was checked.
        Duration::from_nanos(self.timeline.slice_ns().saturating_mul(self.slices() as u64))
    }

    /// The width of a slice: how exactly it forgets. Zero until it is made.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// assert_eq!(window.slice(), Duration::from_millis(3_750));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn slice(&self) -> Duration {
        Duration::from_nanos(self.timeline.slice_ns())
    }

    /// How many shards it has; 0 until it is made.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// let window: &ShardedWindowView = &ShardedWindowView::storage::<2000>();
    /// assert_eq!(window.shards(), 0);
    /// ```
    #[must_use]
    pub const fn shards(&self) -> usize {
        self.head.shards as usize
    }

    /// How many slices a shard has; 0 until it is made.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// let window: &ShardedWindowView = &ShardedWindowView::storage::<2000>();
    /// assert_eq!(window.slices(), 0);
    /// ```
    #[must_use]
    pub const fn slices(&self) -> usize {
        self.head.sizes.slices()
    }

    /// How many latency cells a slice has; 0 until it is made.
    ///
    /// ```
    /// use seawall::ShardedWindowView;
    /// let window: &ShardedWindowView = &ShardedWindowView::storage::<2000>();
    /// assert_eq!(window.cells(), 0);
    /// ```
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.head.sizes.cells()
    }

    /// By how much a quantile may be off: see [`SlidingWindow::relative_error`](crate::SlidingWindow::relative_error).
    ///
    /// ```
    /// # use seawall::{Ratio, ShardedWindowView, WindowConfig};
    /// # let mut storage = ShardedWindowView::storage::<2000>();
    /// # let window: &mut ShardedWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 2, 8, 64)?;
    /// assert_eq!(window.relative_error(), Ratio::percent(25).expect("under one"));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn relative_error(&self) -> Ratio {
        self.head.sizes.scale().relative_error()
    }
}

impl fmt::Debug for ShardedWindowView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardedWindow").field("total_count", &self.total_count()).finish_non_exhaustive()
    }
}
