//! [`RecorderView`]: a recorder whose slices and cells are known when the program runs.

use core::fmt;
use core::mem::offset_of;
use core::time::Duration;

use super::counters::Rows;
use super::counts::COUNTERS;
use super::notes::{Parts, recent, totals};
use super::{CallRecord, Counts};
use crate::guard::{Admission, Finished};
use crate::layout::bytes_with_tail;
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::sliding_window::{Ring, Sheet, Sizes, WindowConfig, WindowConfigError, clear, record, whole_lines};
use crate::sync::{AtomicU64, Ordering, atomic_array, const_constructor};
use crate::time::{Instant, nanos};
use crate::timeline::Timeline;
use crate::transition::Transition;
use crate::writers::{ManyWriters, Writers, Writing, WrongWriter};

/// A [`Recorder`](crate::Recorder) whose slices and cells are known when the program runs. What it counts, and what it
/// answers, is what the sized one of as many slices and cells does, and so is the code.
///
/// Who writes it is said when it is made: anybody ([`renew`](Self::renew)), or one owner at a time
/// ([`renew_for_owner`](Self::renew_for_owner)). The other way is refused then, so that the two never meet.
///
/// # Storage
/// [`size_for`](Self::size_for) bytes at a multiple of [`ALIGNMENT`](Self::ALIGNMENT), all zero, are a view: one that
/// refuses every writer and reads as empty until it is made. A face that is given such storage makes the pointer as
/// `core::ptr::slice_from_raw_parts_mut(storage, words) as *mut RecorderView`, where `words` is
/// [`words_for`](Self::words_for). The state is a `repr(C)` of words without a pointer: it may be mapped, moved while nobody
/// calls, and shared by processes.
///
/// `S` is only there for storage; elsewhere leave it away.
///
/// # Concurrency
/// That of the sized one.
///
/// ```
/// use seawall::{Instant, RecorderView, WindowConfig};
/// let mut storage = RecorderView::storage::<{ RecorderView::words_for(4, 32).unwrap() }>();
/// let recorder: &mut RecorderView = &mut storage;
/// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
/// let call = recorder.begun(Instant::ORIGIN)?;
/// recorder.abandoned(call, Instant::ORIGIN)?;
/// assert_eq!(recorder.totals().abandoned(), 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[repr(C)]
pub struct RecorderView<S: ?Sized = [AtomicU64]> {
    timeline: Timeline,
    attempts: Timeline,
    deliveries: Timeline,
    head: Head,
    counted: Counted,
    /// A row of counters a slice, the ring of attempts, and that of deliveries, each from a line of its own on.
    words: S,
}

#[repr(C, align(64))]
struct Head {
    sizes: Sizes,
    writing: Writing,
}

#[repr(C, align(64))]
pub(super) struct Counted {
    totals: [AtomicU64; COUNTERS],
    changed: AtomicU64,
    pub(super) claim: AtomicU64,
}

impl Counted {
    const_constructor! {
        fn new() -> Self {
            Self {
                totals: atomic_array!(AtomicU64::new(0), COUNTERS),
                changed: AtomicU64::new(0),
                claim: AtomicU64::new(0),
            }
        }
    }
}

/// The words of all rows, and of one window.
const fn parts(sizes: Sizes) -> (usize, usize) {
    (whole_lines(sizes.slices() * COUNTERS), whole_lines(sizes.words()))
}

impl RecorderView {
    /// What the address of its storage is a multiple of, in bytes.
    pub const ALIGNMENT: usize = align_of::<RecorderView<[AtomicU64; 0]>>();

    /// The words of a recorder of so many slices and cells; `None` where there is none: slices are a power of two from 2 to
    /// 1024, cells one from 32 to 1024.
    ///
    /// ```
    /// use seawall::RecorderView;
    /// assert!(RecorderView::words_for(8, 512).is_some());
    /// assert_eq!(RecorderView::words_for(7, 512), None);
    /// ```
    #[must_use]
    pub const fn words_for(slices: usize, cells: usize) -> Option<usize> {
        match Sizes::new(slices, cells) {
            Ok(sizes) => {
                let (rows, window) = parts(sizes);
                Some(rows + 2 * window)
            }
            Err(_) => None,
        }
    }

    /// The bytes of a recorder of so many slices and cells: see [`words_for`](Self::words_for).
    ///
    /// ```
    /// use seawall::RecorderView;
    /// assert!(RecorderView::size_for(8, 512).unwrap() < 73 * 1024);
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
    /// use seawall::RecorderView;
    /// assert_eq!(RecorderView::size_of_words(8).unwrap() % RecorderView::ALIGNMENT, 0);
    /// assert_eq!(RecorderView::size_of_words(usize::MAX), None);
    /// ```
    #[must_use]
    pub const fn size_of_words(words: usize) -> Option<usize> {
        let offset = offset_of!(RecorderView<[AtomicU64; 0]>, words);
        bytes_with_tail(offset, size_of::<AtomicU64>(), words, Self::ALIGNMENT)
    }

    const_constructor! {
        /// Storage of so many words, all zero.
        ///
        /// ```
        /// use seawall::{Instant, RecorderView};
        /// let storage = RecorderView::storage::<2000>();
        /// let recorder: &RecorderView = &storage;
        /// assert!(recorder.begun(Instant::ORIGIN).is_err()); // it is not made yet
        /// ```
        #[must_use]
        pub fn storage<const WORDS: usize>() -> RecorderView<[AtomicU64; WORDS]> {
            RecorderView {
                timeline: Timeline::unmade(),
                attempts: Timeline::unmade(),
                deliveries: Timeline::unmade(),
                head: Head { sizes: Sizes::NONE, writing: Writing::NOBODY },
                counted: Counted::new(),
                words: atomic_array!(AtomicU64::new(0), WORDS),
            }
        }
    }

    /// Makes it anew, for anybody to write, as [`Recorder::new`](crate::Recorder::new) would with so many slices and
    /// cells: what was there before is gone.
    ///
    /// # Errors
    /// [`WindowConfigError`] names what is out of its range, [`WindowConfigError::Storage`] where it has too few words. It
    /// is then as it was.
    ///
    /// ```
    /// use seawall::{RecorderView, WindowConfig, WindowConfigError};
    /// let mut storage = RecorderView::storage::<800>();
    /// let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// assert_eq!(recorder.renew(WindowConfig::DEFAULT, 8, 64), Err(WindowConfigError::Storage));
    /// assert_eq!((recorder.slices(), recorder.cells()), (4, 32));
    /// # Ok::<(), WindowConfigError>(())
    /// ```
    pub fn renew(&mut self, config: WindowConfig, slices: usize, cells: usize) -> Result<(), WindowConfigError> {
        self.renew_as(Writing::ANYBODY, config, slices, cells)
    }

    /// Makes it anew for one [owner](Self::own) at a time, as [`Recorder::for_owner`](crate::Recorder::for_owner) would:
    /// what was there before is gone.
    ///
    /// # Errors
    /// As [`renew`](Self::renew).
    ///
    /// ```
    /// use seawall::{Instant, RecorderView, WindowConfig};
    /// let mut storage = RecorderView::storage::<800>();
    /// let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// assert!(recorder.begun(Instant::ORIGIN).is_err());
    /// assert!(recorder.own()?.is_some());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn renew_for_owner(
        &mut self,
        config: WindowConfig,
        slices: usize,
        cells: usize,
    ) -> Result<(), WindowConfigError> {
        self.renew_as(Writing::OWNERS, config, slices, cells)
    }

    fn renew_as(
        &mut self,
        writing: Writing,
        config: WindowConfig,
        slices: usize,
        cells: usize,
    ) -> Result<(), WindowConfigError> {
        let sizes = Sizes::new(slices, cells)?;
        let slice_ns = config.slice_ns(slices as u64)?;
        let (rows, window) = parts(sizes);
        if rows + 2 * window > self.words.len() {
            return Err(WindowConfigError::Storage);
        }
        for timeline in [&mut self.timeline, &mut self.attempts, &mut self.deliveries] {
            *timeline = Timeline::new(slice_ns);
        }
        (self.head, self.counted) = (Head { sizes, writing }, Counted::new());
        clear(&mut self.words);
        Ok(())
    }

    /// The words of the rows, the attempts and the deliveries.
    #[inline(always)]
    fn tails(&self) -> Option<(&[AtomicU64], &[AtomicU64], &[AtomicU64])> {
        let (rows, window) = parts(self.head.sizes);
        let (rows, windows) = self.words.split_at_checked(rows)?;
        let (attempts, deliveries) = windows.split_at_checked(window)?;
        Some((rows, attempts, deliveries))
    }

    #[inline(always)]
    fn attempts(&self) -> Option<Ring<'_>> {
        let (_, words, _) = self.tails()?;
        self.head.sizes.ring(&self.attempts, words)
    }

    #[inline(always)]
    fn deliveries(&self) -> Option<Ring<'_>> {
        let (_, _, words) = self.tails()?;
        self.head.sizes.ring(&self.deliveries, words)
    }

    pub(super) fn add_attempts(&self, page: &mut Sheet, now: Instant) {
        page.add(&self.attempts, self.head.sizes, self.attempts().into_iter(), now);
    }

    pub(super) fn add_deliveries(&self, page: &mut Sheet, now: Instant) {
        page.add(&self.deliveries, self.head.sizes, self.deliveries().into_iter(), now);
    }

    /// Who may write it.
    #[inline(always)]
    pub(super) fn writing(&self) -> Writing {
        self.head.writing
    }

    pub(super) const fn claim_word(&self) -> &AtomicU64 {
        &self.counted.claim
    }

    /// A logical call begins: see [`Recorder::begun`](crate::Recorder::begun).
    ///
    /// # Errors
    /// [`WrongWriter`]: only an owner writes it, or it is not made yet. Nothing was counted.
    ///
    /// # Concurrency
    /// As there: wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// let call = recorder.begun(Instant::ORIGIN)?;
    /// assert_eq!(recorder.totals().begun(), 1);
    /// # drop(call);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn begun(&self, now: Instant) -> Result<CallRecord, WrongWriter> {
        self.writing().check_anybody()?;
        Ok(self.note_begun::<ManyWriters>(now))
    }

    /// An attempt was asked for, with this answer: see [`Recorder::attempted`](crate::Recorder::attempted).
    ///
    /// # Errors
    /// As [`begun`](Self::begun); the record is as it was.
    ///
    /// # Concurrency
    /// As there: wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// use seawall::{Refused, Stage};
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut call = recorder.begun(Instant::ORIGIN)?;
    /// recorder.attempted(&mut call, &Err(Refused::never(Stage::Deadline)), Instant::ORIGIN)?;
    /// assert_eq!(recorder.totals().refused(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn attempted(
        &self,
        call: &mut CallRecord,
        answer: &Result<Admission, Refused>,
        now: Instant,
    ) -> Result<(), WrongWriter> {
        self.writing().check_anybody()?;
        self.note_attempted::<ManyWriters>(call, answer, now);
        Ok(())
    }

    /// An attempt was admitted: as [`attempted`](Self::attempted), for a face that keeps the parts of an answer. The
    /// stage is the one in shadow that would have refused.
    ///
    /// # Errors
    /// As [`begun`](Self::begun); the record is as it was.
    ///
    /// # Concurrency
    /// As there: wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut call = recorder.begun(Instant::ORIGIN)?;
    /// recorder.admitted(&mut call, None, None, Instant::ORIGIN)?;
    /// assert_eq!(recorder.totals().admitted(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn admitted(
        &self,
        call: &mut CallRecord,
        shadow_refusal: Option<Stage>,
        transition: Option<Transition>,
        now: Instant,
    ) -> Result<(), WrongWriter> {
        self.writing().check_anybody()?;
        self.note_admitted::<ManyWriters>(call, shadow_refusal, transition, now);
        Ok(())
    }

    /// The attempt under way was never sent: see [`Recorder::cancelled`](crate::Recorder::cancelled).
    ///
    /// # Errors
    /// As [`begun`](Self::begun); the record is as it was.
    ///
    /// # Concurrency
    /// As there: wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut call = recorder.begun(Instant::ORIGIN)?;
    /// recorder.cancelled(&mut call, Instant::ORIGIN)?; // no attempt is under way
    /// assert_eq!(recorder.totals().cancelled(), 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn cancelled(&self, call: &mut CallRecord, now: Instant) -> Result<(), WrongWriter> {
        self.writing().check_anybody()?;
        self.note_cancelled::<ManyWriters>(call, now);
        Ok(())
    }

    /// The attempt under way ended: see [`Recorder::finished`](crate::Recorder::finished).
    ///
    /// # Errors
    /// As [`begun`](Self::begun); the record is as it was.
    ///
    /// # Concurrency
    /// As there: lock-free.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, RecorderView, Request, WindowConfig};
    /// # let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// # let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// # let now = Instant::ORIGIN;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now)?);
    /// let answer = guard.try_attempt(&mut call, now);
    /// recorder.attempted(&mut record, &answer, now)?;
    /// let finished = guard.finish(&mut call, answer.unwrap().permit, Outcome::Success, now);
    /// recorder.finished(&mut record, Outcome::Success, &finished, now)?;
    /// assert_eq!(guard.snapshot([&*recorder], now).total.delivered(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn finished(
        &self,
        call: &mut CallRecord,
        outcome: Outcome,
        finished: &Finished,
        now: Instant,
    ) -> Result<(), WrongWriter> {
        self.writing().check_anybody()?;
        self.note_finished::<ManyWriters>(call, outcome, finished, now);
        Ok(())
    }

    /// The call is not sent again: see [`Recorder::abandoned`](crate::Recorder::abandoned).
    ///
    /// # Errors
    /// As [`begun`](Self::begun).
    ///
    /// # Concurrency
    /// As there: wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// recorder.abandoned(recorder.begun(Instant::ORIGIN)?, Instant::ORIGIN)?;
    /// assert_eq!(recorder.totals().abandoned(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn abandoned(&self, call: CallRecord, now: Instant) -> Result<(), WrongWriter> {
        self.writing().check_anybody()?;
        self.note_abandoned::<ManyWriters>(call, now);
        Ok(())
    }

    /// The breaker changed its state outside of a call: see [`Recorder::changed`](crate::Recorder::changed). Nothing, until
    /// it is made.
    ///
    /// # Concurrency
    /// Wait-free, whoever writes it.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Cause, Guard, GuardConfig, Instant, Rate, RecorderView, WindowConfig};
    /// # let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// # let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// if let Some(transition) = guard.breaker(0).force_open(Instant::ORIGIN) {
    ///     recorder.changed(transition, Instant::ORIGIN);
    /// }
    /// assert_eq!(guard.snapshot([&*recorder], Instant::ORIGIN).breaker_cause, Some(Cause::Forced));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn changed(&self, transition: Transition, now: Instant) {
        if self.head.sizes != Sizes::NONE {
            self.note_changed(transition, now);
        }
    }

    /// Goes over to another clock: see [`Recorder::rebase`](crate::Recorder::rebase).
    ///
    /// # Concurrency
    /// Wait-free; not one step: what is counted meanwhile may be in the totals only.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew(WindowConfig::DEFAULT, 4, 32)?;
    /// recorder.abandoned(recorder.begun(Instant::ORIGIN)?, Instant::ORIGIN)?;
    /// recorder.rebase(Instant::ORIGIN, Instant::ORIGIN);
    /// assert_eq!((recorder.recent(Instant::ORIGIN).begun(), recorder.totals().begun()), (0, 1));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        for timeline in [&self.timeline, &self.attempts, &self.deliveries] {
            timeline.rebase(old_now, new_now, self.slices());
        }
        self.counted.changed.store(0, Ordering::Relaxed);
    }

    /// What this recorder counted since it was made: see [`Recorder::totals`](crate::Recorder::totals).
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// use seawall::RecorderView;
    /// let recorder: &RecorderView = &RecorderView::storage::<800>();
    /// assert_eq!(recorder.totals().begun(), 0);
    /// ```
    #[must_use]
    pub fn totals(&self) -> Counts {
        totals(self.rows())
    }

    /// What this recorder counted in its window at `now`: see [`Recorder::recent`](crate::Recorder::recent).
    ///
    /// # Concurrency
    /// Wait-free, loads only.
    ///
    /// ```
    /// use seawall::{Instant, RecorderView};
    /// let recorder: &RecorderView = &RecorderView::storage::<800>();
    /// assert_eq!(recorder.recent(Instant::ORIGIN).begun(), 0);
    /// ```
    #[must_use]
    pub fn recent(&self, now: Instant) -> Counts {
        recent(self.rows(), now)
    }

    /// How many slices its windows have; 0 until it is made.
    ///
    /// ```
    /// use seawall::RecorderView;
    /// let recorder: &RecorderView = &RecorderView::storage::<800>();
    /// assert_eq!(recorder.slices(), 0);
    /// ```
    #[must_use]
    pub const fn slices(&self) -> usize {
        self.head.sizes.slices()
    }

    /// How many latency cells a slice has; 0 until it is made.
    ///
    /// ```
    /// use seawall::RecorderView;
    /// let recorder: &RecorderView = &RecorderView::storage::<800>();
    /// assert_eq!(recorder.cells(), 0);
    /// ```
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.head.sizes.cells()
    }
}

impl Parts for RecorderView {
    #[inline(always)]
    fn rows(&self) -> Rows<'_> {
        let words = self.words.get(..self.slices() * COUNTERS).unwrap_or_default();
        Rows { timeline: &self.timeline, totals: &self.counted.totals, recent: words.as_chunks().0 }
    }

    #[inline(always)]
    fn record_attempt<W: Writers>(&self, latency: Duration, ok: bool, now: Instant) {
        if let Some(ring) = self.attempts() {
            record::<W, _>(ring, nanos(latency), ok, now);
        }
    }

    #[inline(always)]
    fn record_delivery<W: Writers>(&self, latency: Duration, now: Instant) {
        if let Some(ring) = self.deliveries() {
            record::<W, _>(ring, nanos(latency), true, now);
        }
    }

    #[inline(always)]
    fn last_change(&self) -> &AtomicU64 {
        &self.counted.changed
    }
}

impl fmt::Debug for RecorderView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("totals", &self.totals()).finish_non_exhaustive()
    }
}
