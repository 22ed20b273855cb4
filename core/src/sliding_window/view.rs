//! [`SlidingWindowView`]: a sliding window whose slices and cells are known when the program runs.

use core::fmt;
use core::mem::offset_of;
use core::time::Duration;

use super::config::{WindowConfig, WindowConfigError};
use super::flat::{Sizes, clear};
use super::page::Sheet;
use super::ring::{Ring, record};
use super::snapshot::WindowSummary;
use crate::layout::bytes_with_tail;
use crate::ratio::Ratio;
use crate::sync::{AtomicU64, atomic_array, const_constructor};
use crate::time::{Instant, nanos};
use crate::timeline::Timeline;
use crate::writers::ManyWriters;

/// A [`SlidingWindow`](crate::SlidingWindow) whose slices and cells are known when the program runs. What it counts, and
/// what it answers, is what the sized one of as many slices and cells does; the words are the same, and so is the code.
///
/// # Storage
/// [`size_for`](Self::size_for) bytes at a multiple of [`ALIGNMENT`](Self::ALIGNMENT), all zero, are a view: one that
/// records nothing and reads as empty until [`renew`](Self::renew) makes it a window. A face that is given such storage
/// makes the pointer as `core::ptr::slice_from_raw_parts_mut(storage, words) as *mut SlidingWindowView`, where `words` is
/// [`words_for`](Self::words_for). Rust has such storage from [`storage`](Self::storage). The state is a `repr(C)` of words
/// without a pointer: it may be mapped, moved while nobody calls, and shared by processes.
///
/// `S` is only there for storage; elsewhere leave it away.
///
/// # Concurrency
/// That of the sized one.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, SlidingWindowView, WindowConfig};
/// let mut storage = SlidingWindowView::storage::<{ SlidingWindowView::words_for(16, 128).unwrap() }>();
/// let window: &mut SlidingWindowView = &mut storage;
///
/// let (slices, cells) = (16, 128); // as a file of settings says
/// window.renew(WindowConfig::DEFAULT, slices, cells)?;
/// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
/// assert_eq!(window.summary(Instant::ORIGIN).max, Some(Duration::from_millis(20)));
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[repr(C)]
pub struct SlidingWindowView<S: ?Sized = [AtomicU64]> {
    timeline: Timeline,
    head: Head,
    words: S,
}

/// On a line of its own, so that the words begin on one.
#[repr(C, align(64))]
struct Head {
    sizes: Sizes,
}

impl SlidingWindowView {
    /// What the address of its storage is a multiple of, in bytes.
    pub const ALIGNMENT: usize = align_of::<SlidingWindowView<[AtomicU64; 0]>>();

    /// The words of a window of so many slices and cells; `None` where there is none: slices are a power of two from 2 to
    /// 1024, cells one from 32 to 1024.
    ///
    /// ```
    /// use seawall::SlidingWindowView;
    /// assert_eq!(SlidingWindowView::words_for(16, 512), Some(8 + 16 * (3 + 512)));
    /// assert_eq!(SlidingWindowView::words_for(16, 500), None);
    /// ```
    #[must_use]
    pub const fn words_for(slices: usize, cells: usize) -> Option<usize> {
        match Sizes::new(slices, cells) {
            Ok(sizes) => Some(sizes.words()),
            Err(_) => None,
        }
    }

    /// The bytes of a window of so many slices and cells: see [`words_for`](Self::words_for).
    ///
    /// ```
    /// use seawall::{SlidingWindow, SlidingWindowView};
    /// assert_eq!(SlidingWindowView::size_for(16, 512), Some(size_of::<SlidingWindow>() + 64));
    /// ```
    #[must_use]
    pub const fn size_for(slices: usize, cells: usize) -> Option<usize> {
        match Self::words_for(slices, cells) {
            Some(words) => Self::size_of_words(words),
            None => None,
        }
    }

    /// The bytes of one with so many words; `None` where no object is so large.
    ///
    /// ```
    /// use seawall::SlidingWindowView;
    /// assert_eq!(SlidingWindowView::size_of_words(8), Some(192));
    /// assert_eq!(SlidingWindowView::size_of_words(usize::MAX), None);
    /// ```
    #[must_use]
    pub const fn size_of_words(words: usize) -> Option<usize> {
        let offset = offset_of!(SlidingWindowView<[AtomicU64; 0]>, words);
        bytes_with_tail(offset, size_of::<AtomicU64>(), words, Self::ALIGNMENT)
    }

    const_constructor! {
        /// Storage of so many words, all zero.
        ///
        /// ```
        /// use seawall::{Instant, SlidingWindowView};
        /// let storage = SlidingWindowView::storage::<1000>();
        /// let window: &SlidingWindowView = &storage;
        /// window.record(core::time::Duration::ZERO, true, Instant::ORIGIN); // counts nothing: it is not made yet
        /// assert_eq!((window.slices(), window.total_count()), (0, 0));
        /// ```
        #[must_use]
        pub fn storage<const WORDS: usize>() -> SlidingWindowView<[AtomicU64; WORDS]> {
            SlidingWindowView {
                timeline: Timeline::unmade(),
                head: Head { sizes: Sizes::NONE },
                words: atomic_array!(AtomicU64::new(0), WORDS),
            }
        }
    }

    /// Makes it anew, as [`SlidingWindow::new`](crate::SlidingWindow::new) would with so many slices and cells: what was
    /// there before is gone.
    ///
    /// # Errors
    /// [`WindowConfigError`] names what is out of its range, [`WindowConfigError::Storage`] where it has too few words. It
    /// is then as it was.
    ///
    /// ```
    /// use seawall::{SlidingWindowView, WindowConfig, WindowConfigError};
    /// let mut storage = SlidingWindowView::storage::<1000>();
    /// let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// assert_eq!(window.renew(WindowConfig::DEFAULT, 3, 64), Err(WindowConfigError::Slices));
    /// assert_eq!(window.renew(WindowConfig::DEFAULT, 8, 2048), Err(WindowConfigError::Cells));
    /// assert_eq!(window.renew(WindowConfig::DEFAULT, 16, 64), Err(WindowConfigError::Storage));
    /// assert_eq!((window.slices(), window.cells()), (8, 64));
    /// # Ok::<(), WindowConfigError>(())
    /// ```
    pub fn renew(&mut self, config: WindowConfig, slices: usize, cells: usize) -> Result<(), WindowConfigError> {
        let sizes = Sizes::new(slices, cells)?;
        let slice_ns = config.slice_ns(slices as u64)?;
        if sizes.words() > self.words.len() {
            return Err(WindowConfigError::Storage);
        }
        (self.timeline, self.head.sizes) = (Timeline::new(slice_ns), sizes);
        clear(&mut self.words);
        Ok(())
    }

    /// `None` until it is made.
    #[inline(always)]
    fn ring(&self) -> Option<Ring<'_>> {
        self.head.sizes.ring(&self.timeline, &self.words)
    }

    fn sheet(&self, now: Instant) -> Sheet {
        let mut sheet = Sheet::empty();
        if let Some(ring) = self.ring() {
            sheet.add(&self.timeline, self.head.sizes, core::iter::once(ring), now);
        }
        sheet
    }

    /// Counts one finished call: see [`SlidingWindow::record`](crate::SlidingWindow::record).
    ///
    /// # Concurrency
    /// As there: lock-free.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
    /// assert_eq!(window.total_count(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[inline]
    pub fn record(&self, latency: Duration, ok: bool, now: Instant) {
        if let Some(ring) = self.ring() {
            record::<ManyWriters, _>(ring, nanos(latency), ok, now);
        }
    }

    /// The usual figures at `now`, with the lifetime totals: see [`SlidingWindow::summary`](crate::SlidingWindow::summary).
    ///
    /// # Complexity
    /// As there, with 8 KiB of stack whatever its size.
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// window.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// let summary = window.summary(Instant::ORIGIN);
    /// assert_eq!((summary.count, summary.errors, summary.p99), (1, 1, Some(Duration::from_millis(20))));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn summary(&self, now: Instant) -> WindowSummary {
        // The totals first: a recorder in between makes the window newer, not the totals.
        let (total_count, total_errors) = (self.total_count(), self.total_errors());
        WindowSummary { total_count, total_errors, ..self.sheet(now).summary() }
    }

    /// The latency at quantile `q` at `now`: see [`SlidingWindow::quantile`](crate::SlidingWindow::quantile).
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, Ratio, SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// assert_eq!(window.quantile(Ratio::HALF, Instant::ORIGIN), None);
    /// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
    /// assert_eq!(window.quantile(Ratio::HALF, Instant::ORIGIN), Some(Duration::from_millis(20)));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: Ratio, now: Instant) -> Option<Duration> {
        self.sheet(now).quantile(q)
    }

    /// The share of failed calls at `now`; `None` if the window is empty.
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, Ratio, SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// window.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// assert_eq!(window.error_rate(Instant::ORIGIN), Some(Ratio::ONE));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn error_rate(&self, now: Instant) -> Option<Ratio> {
        let (count, errors) = self.ring()?.count(self.timeline.span(now, self.slices()));
        if count == 0 { None } else { Some(Ratio::of(errors, count)) }
    }

    /// Forgets what came before `now`, exactly: see [`SlidingWindow::mark`](crate::SlidingWindow::mark).
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// window.record(Duration::from_millis(20), false, Instant::ORIGIN);
    /// window.mark(Instant::ORIGIN);
    /// assert_eq!((window.error_rate(Instant::ORIGIN), window.total_errors()), (None, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn mark(&self, now: Instant) {
        self.rebase(now, now);
    }

    /// Goes over to another clock: see [`SlidingWindow::rebase`](crate::SlidingWindow::rebase).
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Instant, SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// window.rebase(Instant::from_nanos(1 << 60), Instant::ORIGIN);
    /// window.record(Duration::from_millis(20), true, Instant::ORIGIN);
    /// assert_eq!(window.summary(Instant::ORIGIN).count, 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        self.timeline.rebase(old_now, new_now, self.slices());
    }

    /// Samples since the window was made.
    ///
    /// ```
    /// use seawall::SlidingWindowView;
    /// let window: &SlidingWindowView = &SlidingWindowView::storage::<1000>();
    /// assert_eq!(window.total_count(), 0);
    /// ```
    #[must_use]
    pub fn total_count(&self) -> u64 {
        self.ring().map_or(0, Ring::total_count)
    }

    /// Failed samples since the window was made.
    ///
    /// ```
    /// use seawall::SlidingWindowView;
    /// let window: &SlidingWindowView = &SlidingWindowView::storage::<1000>();
    /// assert_eq!(window.total_errors(), 0);
    /// ```
    #[must_use]
    pub fn total_errors(&self) -> u64 {
        self.ring().map_or(0, Ring::total_errors)
    }

    /// Samples that came too late for their slice, or found no room: see
    /// [`SlidingWindow::total_late`](crate::SlidingWindow::total_late).
    ///
    /// ```
    /// use seawall::SlidingWindowView;
    /// let window: &SlidingWindowView = &SlidingWindowView::storage::<1000>();
    /// assert_eq!(window.total_late(), 0);
    /// ```
    #[must_use]
    pub fn total_late(&self) -> u64 {
        self.ring().map_or(0, Ring::total_late)
    }

    /// How far it looks back: its slices, of which each was rounded up to a nanosecond. Zero until it is made.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
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
    /// # use seawall::{SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// assert_eq!(window.slice(), Duration::from_millis(3_750));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn slice(&self) -> Duration {
        Duration::from_nanos(self.timeline.slice_ns())
    }

    /// How many slices it has; 0 until it is made.
    ///
    /// ```
    /// use seawall::SlidingWindowView;
    /// let window: &SlidingWindowView = &SlidingWindowView::storage::<1000>();
    /// assert_eq!(window.slices(), 0);
    /// ```
    #[must_use]
    pub const fn slices(&self) -> usize {
        self.head.sizes.slices()
    }

    /// How many latency cells a slice has; 0 until it is made.
    ///
    /// ```
    /// use seawall::SlidingWindowView;
    /// let window: &SlidingWindowView = &SlidingWindowView::storage::<1000>();
    /// assert_eq!(window.cells(), 0);
    /// ```
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.head.sizes.cells()
    }

    /// By how much a quantile may be off: see [`SlidingWindow::relative_error`](crate::SlidingWindow::relative_error).
    ///
    /// ```
    /// # use seawall::{Ratio, SlidingWindowView, WindowConfig};
    /// # let mut storage = SlidingWindowView::storage::<1000>();
    /// # let window: &mut SlidingWindowView = &mut storage;
    /// window.renew(WindowConfig::DEFAULT, 8, 64)?;
    /// assert_eq!(window.relative_error(), Ratio::percent(25).expect("under one"));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn relative_error(&self) -> Ratio {
        self.head.sizes.scale().relative_error()
    }
}

impl fmt::Debug for SlidingWindowView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlidingWindow").field("total_count", &self.total_count()).finish_non_exhaustive()
    }
}
