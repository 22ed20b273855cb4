//! [`Recorder`]: what became of calls and attempts, counted beside a guard, one recorder a worker.
//!
//! A guard decides, and keeps only what it needs to decide: a refusal of it writes nothing that is shared. What people
//! want to know of it is counted here, in memory that the worker writes alone. [`Guard::snapshot`](crate::Guard::snapshot)
//! reads the recorders of all workers and the guard together, and puts them into words.
//!
//! # The invariant
//! Every event is counted once in its total, for ever; and once in the window of the last slices, unless a boundary rule
//! of the window says otherwise. Totals never run backwards, and no reader finds an end without its beginning: calls
//! that ended are at most those that began, attempts that ended at most those that were admitted.
//!
//! # The words
//! ```text
//!  totals[counter]           | events : 64 |                  one fetch_add an event
//!  recent[slot][counter]     | turn : 32 | events : 32 |      one fetch_add an event; one exchange for the first of a turn
//!  changed                   | instant, cause, from, to : see change.rs |        one fetch_max a transition
//! ```
//! Slot and turn are those of [`SlidingWindow`]. Two windows of that kind measure latencies and times to delivery.
//! `changed` is the last transition of the breaker that this worker was told of; 0 for none.
//!
//! # Who writes
//! One recorder a worker is for speed: its lines then stay in the cache of one core. It is no condition. Each step of
//! [`ManyWriters`] is one atomic operation, so an interrupt handler, or a second thread, that writes the same recorder
//! loses nothing and corrupts nothing: see the third boundary rule for all that can happen.
//!
//! A recorder of [`OneWriter`](crate::OneWriter) has an owner, see [`OwnedRecorder`], whose steps are loads and stores in
//! the same order, with the same orderings. No other way to write it exists, but for a rebase and for `changed`.
//!
//! # The boundary rules
//! 1. The slice is the unit of forgetting, as in [`SlidingWindow`].
//! 2. An event with an older `now` counts in its own slice, or, where that was reused, in the totals only.
//! 3. An event of an old slice that is still being counted while another writer counts the first one of the slice that
//!    takes its place: the one may be in the wrong slice, or the other in the totals only. There is no second try, so
//!    that counting is a bounded number of steps.
//!
//! # Orderings
//! - Adding to a total is `Release` and reading one is `Acquire`; an event adds in the order of the places in
//!   `counts.rs`, and a reader goes through them, all recorders at once, the other way. Who sees an end so sees its
//!   beginning, also where a call went from one worker to another.
//! - A window's word is added after the total (`Release`), and read (`Acquire`) before it: no window holds more than its
//!   total.
//! - The mark of a rebase: as in the sliding window.
//!
//! # Limits
//! - A slice holds up to 2^31 events of a kind; more count in the totals only. Totals end at 2^64.
//! - Two transitions of a breaker within a millisecond: the one with the larger cause is kept.
//! - Time that stands still fills one slice; idle for a year empties the windows; the totals stay.
//! - One absurd reading from the future keeps later events of that kind out of one slot until that future is here, and
//!   so does it with `changed`: [`Recorder::rebase`] heals at once.

mod change;
mod counters;
mod counts;
mod notes;
mod owned;
mod read;
mod view;
mod view_owned;

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

pub(crate) use self::change::Change;
use self::counters::{Counters, Rows};
pub use self::counts::{Counts, OutcomeCounts};
use self::notes::{Parts, recent, totals};
pub use self::owned::OwnedRecorder;
pub use self::read::AnyRecorder;
pub(crate) use self::read::last_change;
pub use self::view::RecorderView;
pub use self::view_owned::OwnedRecorderView;
use crate::guard::{Admission, Finished};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::sliding_window::{SlidingWindow, WindowConfig, WindowConfigError};
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::Instant;
use crate::transition::Transition;
use crate::writers::{ManyWriters, Writers};

/// Counts and measures what one worker does through a [`Guard`](crate::Guard).
///
/// `SLICES` and `CELLS` are those of the [`SlidingWindow`]s inside, of which there are two:
///
/// | | bytes | quantiles within |
/// | --- | --- | --- |
/// | `Recorder` = `Recorder<8, 512>` | 71 KiB | 3.125 % |
/// | `Recorder<8, 128>` | 22 KiB | 12.5 % |
/// | `Recorder<4, 32>` | 5.5 KiB | 50 % |
///
/// # Concurrency
/// Every call is wait-free, but for the sliding windows inside, whose recording is lock-free. Anybody may read at any
/// time. A recorder belongs to one worker, so that no other core writes its lines; shared by several, it is slower and
/// counts no less. An event is two uncontended `fetch_add`s in memory of the worker's own; a refusal is one event, a call
/// that is delivered at once four, and two samples in the windows. For the owner of a recorder of [`OneWriter`] they are
/// loads and stores: see [`OwnedRecorder`].
///
/// [`OneWriter`]: crate::OneWriter
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Recorder, Request, WindowConfig};
///
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let recorder = Recorder::<8, 128>::new(WindowConfig::DEFAULT)?; // one a worker
///
/// let now = Instant::ORIGIN;
/// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now));
/// let answer = guard.try_attempt(&mut call, now);
/// recorder.attempted(&mut record, &answer, now);
/// if let Ok(admission) = answer {
///     let now = now.saturating_add(Duration::from_millis(30)); // sent, and answered
///     let finished = guard.finish(&mut call, admission.permit, Outcome::Success, now);
///     recorder.finished(&mut record, Outcome::Success, &finished, now);
/// }
/// assert_eq!(recorder.totals().delivered(), 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[repr(C)]
pub struct Recorder<const SLICES: usize = 8, const CELLS: usize = 512, W: Writers = ManyWriters> {
    counters: Counters<SLICES>,
    changed: AtomicU64,
    claim: AtomicU64,
    writers: PhantomData<W>,
    attempts: SlidingWindow<SLICES, CELLS>,
    deliveries: SlidingWindow<SLICES, CELLS>,
}

/// One logical call, as its recorder knows it: from [`Recorder::begun`] to its end. It may go from worker to worker.
///
/// It is no copy of the guard's [`Call`](crate::Call), and cannot be copied: what is reported through it twice counts
/// once. Dropped, the call has begun and not ended.
///
/// ```
/// use seawall::{CallRecord, Instant, Recorder, WindowConfig};
/// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
/// let call: CallRecord = recorder.begun(Instant::ORIGIN);
/// recorder.abandoned(call, Instant::ORIGIN);
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what becomes of the call is reported through it"]
pub struct CallRecord {
    began: Instant,
    /// The attempt that is under way.
    sent: Option<Sent>,
    /// Whether an attempt has ended.
    tried: bool,
    /// Whether the call has.
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    at: Instant,
    shadow_refusal: Option<Stage>,
}

impl CallRecord {
    /// How many words it is.
    pub const WORDS: usize = 3;

    /// The record as words, for a face that keeps it in storage of its own.
    ///
    /// ```
    /// use seawall::{CallRecord, Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let words = recorder.begun(Instant::from_nanos(9)).into_words();
    /// let call = CallRecord::from_words(words).expect("words that were given");
    /// recorder.abandoned(call, Instant::from_nanos(9));
    /// assert_eq!(recorder.totals().abandoned(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub const fn into_words(self) -> [u64; Self::WORDS] {
        let mut head = RECORD;
        let mut sent_at = 0;
        if let Some(Sent { at, shadow_refusal }) = self.sent {
            head |= IS_SENT;
            sent_at = at.as_nanos();
            if let Some(stage) = shadow_refusal {
                head |= 1 + counts::place_of(stage) as u64;
            }
        }
        if self.tried {
            head |= IS_TRIED;
        }
        if self.over {
            head |= IS_OVER;
        }
        [head, self.began.as_nanos(), sent_at]
    }

    /// What [`into_words`](Self::into_words) gave; `None` where the words are none of its kind.
    ///
    /// ```
    /// use seawall::CallRecord;
    /// assert_eq!(CallRecord::from_words([0; CallRecord::WORDS]), None);
    /// ```
    #[must_use]
    pub fn from_words(words: [u64; Self::WORDS]) -> Option<Self> {
        let [head, began, sent_at] = words;
        let is = |bit| head & bit != 0;
        let stage = head & STAGE;
        // Nothing but these, and nothing of an attempt where there is none.
        let is_known = head & !(STAGE | IS_SENT | IS_TRIED | IS_OVER) == RECORD;
        if !is_known || !is(IS_SENT) && (stage != 0 || sent_at != 0) {
            return None;
        }
        let shadow_refusal = match stage.checked_sub(1) {
            None => None,
            Some(place) => Some(Stage::ALL.into_iter().find(|stage| counts::place_of(*stage) as u64 == place)?),
        };
        Some(Self {
            began: Instant::from_nanos(began),
            sent: is(IS_SENT).then_some(Sent { at: Instant::from_nanos(sent_at), shadow_refusal }),
            tried: is(IS_TRIED),
            over: is(IS_OVER),
        })
    }
}

// The head of the words of a record: a mark that tells it from other words, three bits, and the stage plus 1.
const RECORD: u64 = 0x4EC0 << 48;
const STAGE: u64 = 0xFF;
const IS_SENT: u64 = 1 << 8;
const IS_TRIED: u64 = 1 << 9;
const IS_OVER: u64 = 1 << 10;

impl<const SLICES: usize, const CELLS: usize> Recorder<SLICES, CELLS> {
    const_constructor! {
        /// A recorder that has seen nothing. Recorders that are read together should look back equally far.
        ///
        /// # Errors
        /// [`WindowConfigError`] if the window is shorter than a millisecond or longer than 365 days.
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{Recorder, WindowConfig, WindowConfigError};
        /// static RECORDERS: [Recorder<4, 32>; 2] = [const {
        ///     match Recorder::new(WindowConfig::DEFAULT) {
        ///         Ok(recorder) => recorder,
        ///         Err(_) => panic!("refused at compile time"),
        ///     }
        /// }; 2];
        /// assert_eq!(RECORDERS[0].totals().begun(), 0);
        /// let error = Recorder::<4, 32>::new(WindowConfig { window: Duration::ZERO }).unwrap_err();
        /// assert_eq!(error, WindowConfigError::TooShort);
        /// ```
        pub fn new(window: WindowConfig) -> Result<Self, WindowConfigError> {
            Self::empty(window)
        }
    }

    /// A logical call begins.
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let call = recorder.begun(Instant::ORIGIN);
    /// assert_eq!(recorder.totals().begun(), 1);
    /// # drop(call);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[inline]
    pub fn begun(&self, now: Instant) -> CallRecord {
        self.note_begun::<ManyWriters>(now)
    }

    /// An attempt of `call` was asked for, with this `answer` of [`Guard::try_attempt`](crate::Guard::try_attempt).
    ///
    /// An attempt that is under way already and was not reported counts as admitted, and as nothing else.
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Request, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let now = Instant::ORIGIN;
    /// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now));
    /// let answer = guard.try_attempt(&mut call, now);
    /// recorder.attempted(&mut record, &answer, now);
    /// assert_eq!(recorder.totals().admitted(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn attempted(&self, call: &mut CallRecord, answer: &Result<Admission, Refused>, now: Instant) {
        self.note_attempted::<ManyWriters>(call, answer, now);
    }

    /// The attempt under way was never sent, and its permit went to [`Guard::cancel`](crate::Guard::cancel). The call
    /// goes on. Nothing if no attempt is under way.
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Request, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let now = Instant::ORIGIN;
    /// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now));
    /// let answer = guard.try_attempt(&mut call, now);
    /// recorder.attempted(&mut record, &answer, now);
    /// guard.cancel(answer.unwrap().permit, now);
    /// recorder.cancelled(&mut record, now);
    /// assert_eq!(recorder.totals().cancelled(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn cancelled(&self, call: &mut CallRecord, now: Instant) {
        self.note_cancelled::<ManyWriters>(call, now);
    }

    /// The attempt under way ended with `outcome`, and [`Guard::finish`](crate::Guard::finish) said `finished`.
    ///
    /// Its latency is `now` less the instant at which it was admitted, and the time to delivery `now` less that at which
    /// the call began. [`Outcome::Ignored`] is counted, and measured by neither. Nothing if no attempt is under way: a
    /// second report of one attempt counts once.
    ///
    /// # Concurrency
    /// Lock-free.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Recorder, Request, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let now = Instant::ORIGIN;
    /// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now));
    /// let answer = guard.try_attempt(&mut call, now);
    /// recorder.attempted(&mut record, &answer, now);
    /// let finished = guard.finish(&mut call, answer.unwrap().permit, Outcome::Failure, now);
    /// recorder.finished(&mut record, Outcome::Failure, &finished, now);
    /// assert_eq!((recorder.totals().outcomes().failure, recorder.totals().given_up()), (1, 0));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn finished(&self, call: &mut CallRecord, outcome: Outcome, finished: &Finished, now: Instant) {
        self.note_finished::<ManyWriters>(call, outcome, finished, now);
    }

    /// The call is not sent again: refused and dropped, or given to [`Guard::abandon`](crate::Guard::abandon). Nothing
    /// if it is over already.
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// recorder.abandoned(recorder.begun(Instant::ORIGIN), Instant::ORIGIN);
    /// assert_eq!(recorder.totals().abandoned(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn abandoned(&self, call: CallRecord, now: Instant) {
        self.note_abandoned::<ManyWriters>(call, now);
    }
}

impl<const SLICES: usize, const CELLS: usize, W: Writers> Recorder<SLICES, CELLS, W> {
    const_constructor! {
        fn empty(window: WindowConfig) -> Result<Self, WindowConfigError> {
            match (SlidingWindow::<SLICES, CELLS>::new(window), SlidingWindow::<SLICES, CELLS>::new(window)) {
                (Ok(attempts), Ok(deliveries)) => {
                    let slice = attempts.slice();
                    Ok(Self {
                        counters: Counters::new(crate::time::nanos(slice)),
                        changed: AtomicU64::new(0),
                        claim: AtomicU64::new(0),
                        writers: PhantomData,
                        attempts,
                        deliveries,
                    })
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            }
        }
    }

    /// The breaker changed its state outside of a call: forced, tripped or reset. Transitions that an attempt or a
    /// report brings are noted by themselves. Lets [`Snapshot::explain`](crate::Snapshot::explain) say why and when.
    ///
    /// # Concurrency
    /// Wait-free. Of several recorders the latest counts.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Cause, Guard, GuardConfig, Instant, Rate, Recorder, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// if let Some(transition) = guard.breaker(0).force_open(Instant::ORIGIN) {
    ///     recorder.changed(transition, Instant::ORIGIN);
    /// }
    /// assert_eq!(guard.snapshot([&recorder], Instant::ORIGIN).breaker_cause, Some(Cause::Forced));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[cold]
    pub fn changed(&self, transition: Transition, now: Instant) {
        self.note_changed(transition, now);
    }

    /// Goes over to another clock, as [`SlidingWindow::rebase`]: the windows start anew, the totals stay. To be called
    /// with [`Guard::rebase`](crate::Guard::rebase). Calls under way measure nothing sensible any more and begin anew.
    ///
    /// # Concurrency
    /// Wait-free; not one step: what is counted meanwhile may be in the totals only.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let old_now = Instant::from_nanos(1 << 60);
    /// recorder.abandoned(recorder.begun(old_now), old_now);
    /// recorder.rebase(old_now, Instant::ORIGIN);
    /// assert_eq!((recorder.recent(Instant::ORIGIN).begun(), recorder.totals().begun()), (0, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        self.counters.rows().rebase(old_now, new_now);
        self.attempts.rebase(old_now, new_now);
        self.deliveries.rebase(old_now, new_now);
        self.changed.store(0, Ordering::Relaxed);
    }

    /// What this recorder counted since it was made.
    ///
    /// # Concurrency
    /// Wait-free, loads only. Beside a writer: no end without its beginning.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// recorder.abandoned(recorder.begun(Instant::ORIGIN), Instant::ORIGIN);
    /// let totals = recorder.totals();
    /// assert_eq!((totals.begun(), totals.abandoned()), (1, 1));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn totals(&self) -> Counts {
        totals(self.counters.rows())
    }

    /// What this recorder counted in its window at `now`.
    ///
    /// # Concurrency
    /// Wait-free, loads only. A call that began before the window may end in it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// recorder.abandoned(recorder.begun(Instant::ORIGIN), Instant::ORIGIN);
    /// assert_eq!(recorder.recent(Instant::ORIGIN).begun(), 1);
    /// let later = Instant::ORIGIN.saturating_add(Duration::from_secs(30));
    /// assert_eq!(recorder.recent(later).begun(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn recent(&self, now: Instant) -> Counts {
        recent(self.counters.rows(), now)
    }
}

impl<const SLICES: usize, const CELLS: usize, W: Writers> Parts for Recorder<SLICES, CELLS, W> {
    #[inline(always)]
    fn rows(&self) -> Rows<'_> {
        self.counters.rows()
    }

    #[inline(always)]
    fn record_attempt<By: Writers>(&self, latency: Duration, ok: bool, now: Instant) {
        self.attempts.record_as::<By>(latency, ok, now);
    }

    #[inline(always)]
    fn record_delivery<By: Writers>(&self, latency: Duration, now: Instant) {
        self.deliveries.record_as::<By>(latency, true, now);
    }

    #[inline(always)]
    fn last_change(&self) -> &AtomicU64 {
        &self.changed
    }
}

/// Ends first: who reads several recorders goes through all of them for each counter.
pub(crate) fn reading_order() -> impl Iterator<Item = usize> {
    let forwards = fault("recorder: totals are read from the beginning");
    (0..counts::COUNTERS).map(move |counter| if forwards { counter } else { counts::COUNTERS - 1 - counter })
}

impl<const SLICES: usize, const CELLS: usize, W: Writers> fmt::Debug for Recorder<SLICES, CELLS, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("totals", &self.totals()).finish_non_exhaustive()
    }
}
