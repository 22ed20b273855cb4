//! [`AnyRecorder`]: what a snapshot reads, of recorders of all kinds.

use super::notes::Parts;
use super::{Change, Counts, Recorder, RecorderView};
use crate::sliding_window::{Sheet, WindowSnapshot, WindowSummary};
use crate::sync::Ordering;
use crate::time::Instant;
use crate::writers::Writers;

/// A recorder that [`Guard::snapshot`](crate::Guard::snapshot) reads: a `&Recorder` of whatever sizes and writers, or a
/// `&RecorderView`. Nobody else can be one.
///
/// ```
/// use core::time::Duration;
/// use seawall::{AnyRecorder, Guard, GuardConfig, Instant, Rate, Recorder, WindowConfig};
/// fn begun(guard: &Guard<64>, recorder: impl AnyRecorder) -> u64 {
///     guard.snapshot([recorder], Instant::ORIGIN).total.begun()
/// }
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// assert_eq!(begun(&guard, &Recorder::<4, 32>::new(WindowConfig::DEFAULT)?), 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub trait AnyRecorder: Read {}

impl<const SLICES: usize, const CELLS: usize, W: Writers> AnyRecorder for &Recorder<SLICES, CELLS, W> {}
impl AnyRecorder for &RecorderView {}

/// Not to be named outside, so that nobody else implements it.
#[allow(unreachable_pub, reason = "a bound of a public trait")]
pub trait Read: Copy {
    /// Adds what was counted lately, and gives the nanoseconds that it stands for.
    #[doc(hidden)]
    fn add_recent(self, counts: &mut Counts, now: Instant) -> u64;

    #[doc(hidden)]
    fn add_total(self, counter: usize, counts: &mut Counts);

    /// The word of the last change.
    #[doc(hidden)]
    fn change(self) -> u64;

    #[doc(hidden)]
    fn attempts(all: impl Iterator<Item = Self>, now: Instant) -> WindowSummary;

    #[doc(hidden)]
    fn deliveries(all: impl Iterator<Item = Self>, now: Instant) -> WindowSummary;
}

pub(crate) fn last_change(recorder: impl Read) -> Option<Change> {
    Change::of(recorder.change())
}

impl<const SLICES: usize, const CELLS: usize, W: Writers> Read for &Recorder<SLICES, CELLS, W> {
    fn add_recent(self, counts: &mut Counts, now: Instant) -> u64 {
        self.rows().add_recent(counts, now)
    }

    fn add_total(self, counter: usize, counts: &mut Counts) {
        self.rows().add_total(counter, counts);
    }

    fn change(self) -> u64 {
        self.last_change().load(Ordering::Relaxed)
    }

    #[inline(never)]
    fn attempts(all: impl Iterator<Item = Self>, now: Instant) -> WindowSummary {
        let mut page = WindowSnapshot::<CELLS>::empty();
        all.for_each(|recorder| recorder.attempts.add_to(&mut page, now));
        page.summary()
    }

    #[inline(never)]
    fn deliveries(all: impl Iterator<Item = Self>, now: Instant) -> WindowSummary {
        let mut page = WindowSnapshot::<CELLS>::empty();
        all.for_each(|recorder| recorder.deliveries.add_to(&mut page, now));
        page.summary()
    }
}

impl Read for &RecorderView {
    fn add_recent(self, counts: &mut Counts, now: Instant) -> u64 {
        self.rows().add_recent(counts, now)
    }

    fn add_total(self, counter: usize, counts: &mut Counts) {
        self.rows().add_total(counter, counts);
    }

    fn change(self) -> u64 {
        self.last_change().load(Ordering::Relaxed)
    }

    #[inline(never)]
    fn attempts(all: impl Iterator<Item = Self>, now: Instant) -> WindowSummary {
        let mut page = Sheet::empty();
        all.for_each(|recorder| recorder.add_attempts(&mut page, now));
        page.summary()
    }

    #[inline(never)]
    fn deliveries(all: impl Iterator<Item = Self>, now: Instant) -> WindowSummary {
        let mut page = Sheet::empty();
        all.for_each(|recorder| recorder.add_deliveries(&mut page, now));
        page.summary()
    }
}
