//! [`OwnedRecorder`]: the only writer of a recorder, without a read-modify-write.

use crate::guard::{Admission, Finished};
use crate::outcome::Outcome;
use crate::recorder::notes::Parts;
use crate::recorder::{CallRecord, Recorder};
use crate::refused::Refused;
use crate::shard::{Claimed, claim};
use crate::sliding_window::{WindowConfig, WindowConfigError};
use crate::sync::const_constructor;
use crate::time::Instant;
use crate::transition::Transition;
use crate::writers::OneWriter;

/// The owner of a [`Recorder`] of [`OneWriter`], until it is dropped: made by [`Recorder::own`].
///
/// Every event is loads and stores of memory that nobody else writes: no locked step, but for the first event of all, of
/// a window, and for a transition of the breaker. Readers read at any time, with the promises that [`Recorder`] makes.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, OneWriter, Outcome, Rate, Recorder, Request, WindowConfig};
///
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let recorders = [const { Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT) }; 2];
/// let [one, other] = recorders;
/// let recorders = [one?, other?];
/// let mut mine = recorders[0].own().expect("the first worker's"); // once, when a worker starts
///
/// let now = Instant::ORIGIN;
/// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), mine.begun(now));
/// let answer = guard.try_attempt(&mut call, now);
/// mine.attempted(&mut record, &answer, now);
/// if let Ok(admission) = answer {
///     let finished = guard.finish(&mut call, admission.permit, Outcome::Success, now);
///     mine.finished(&mut record, Outcome::Success, &finished, now);
/// }
/// assert_eq!(guard.snapshot(&recorders, now).total.delivered(), 1); // by anybody, at any time
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OwnedRecorder<'a, const SLICES: usize = 8, const CELLS: usize = 512> {
    recorder: &'a Recorder<SLICES, CELLS, OneWriter>,
    _claimed: Claimed<'a>,
}

impl<const SLICES: usize, const CELLS: usize> Recorder<SLICES, CELLS, OneWriter> {
    const_constructor! {
        /// A recorder that has seen nothing, and that only its [owner](Self::own) writes.
        ///
        /// # Errors
        /// As [`Recorder::new`].
        ///
        /// ```
        /// use seawall::{OneWriter, Recorder, WindowConfig};
        /// static RECORDERS: [Recorder<4, 32, OneWriter>; 2] = [const {
        ///     match Recorder::for_owner(WindowConfig::DEFAULT) {
        ///         Ok(recorder) => recorder,
        ///         Err(_) => panic!("refused at compile time"),
        ///     }
        /// }; 2];
        /// assert!(RECORDERS[1].own().is_some());
        /// ```
        pub fn for_owner(window: WindowConfig) -> Result<Self, WindowConfigError> {
            Self::empty(window)
        }
    }

    /// Makes the caller the only writer, until it drops what it gets; `None` while there is one.
    ///
    /// An owner that is lost (forgotten, or its process killed) keeps the recorder for ever: what it counted can be read,
    /// and nobody counts on.
    ///
    /// # Concurrency
    /// Wait-free. The next owner sees all that the one before counted.
    ///
    /// ```
    /// use seawall::{Instant, OneWriter, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
    /// let owner = recorder.own();
    /// assert!(owner.is_some() && recorder.own().is_none());
    /// drop(owner);
    /// assert!(recorder.own().is_some());
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn own(&self) -> Option<OwnedRecorder<'_, SLICES, CELLS>> {
        claim(&self.claim).map(|claimed| OwnedRecorder { recorder: self, _claimed: claimed })
    }
}

impl<const SLICES: usize, const CELLS: usize> OwnedRecorder<'_, SLICES, CELLS> {
    /// A logical call begins: see [`Recorder::begun`].
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use seawall::{Instant, OneWriter, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
    /// let mut owner = recorder.own().expect("nobody else owns it");
    /// let call = owner.begun(Instant::ORIGIN);
    /// assert_eq!(recorder.totals().begun(), 1);
    /// # drop(call);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[inline]
    pub fn begun(&mut self, now: Instant) -> CallRecord {
        self.recorder.note_begun::<OneWriter>(now)
    }

    /// An attempt was asked for, with this answer: see [`Recorder::attempted`].
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use seawall::{Instant, OneWriter, Recorder, Refused, Stage, WindowConfig};
    /// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
    /// let mut owner = recorder.own().expect("nobody else owns it");
    /// let mut call = owner.begun(Instant::ORIGIN);
    /// owner.attempted(&mut call, &Err(Refused::never(Stage::Deadline)), Instant::ORIGIN);
    /// assert_eq!(recorder.totals().refused(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[inline]
    pub fn attempted(&mut self, call: &mut CallRecord, answer: &Result<Admission, Refused>, now: Instant) {
        self.recorder.note_attempted::<OneWriter>(call, answer, now);
    }

    /// The attempt under way was never sent: see [`Recorder::cancelled`].
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use seawall::{Instant, OneWriter, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
    /// let mut owner = recorder.own().expect("nobody else owns it");
    /// let mut call = owner.begun(Instant::ORIGIN);
    /// owner.cancelled(&mut call, Instant::ORIGIN); // no attempt is under way
    /// assert_eq!(recorder.totals().cancelled(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn cancelled(&mut self, call: &mut CallRecord, now: Instant) {
        self.recorder.note_cancelled::<OneWriter>(call, now);
    }

    /// The attempt under way ended: see [`Recorder::finished`].
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use seawall::{Finished, Instant, OneWriter, Outcome, Recorder, WindowConfig};
    /// # use core::time::Duration;
    /// # use seawall::{Guard, GuardConfig, Rate, Request};
    /// # let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// # let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
    /// let mut owner = recorder.own().expect("nobody else owns it");
    /// let now = Instant::ORIGIN;
    /// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), owner.begun(now));
    /// let answer = guard.try_attempt(&mut call, now);
    /// owner.attempted(&mut record, &answer, now);
    /// let finished = guard.finish(&mut call, answer.unwrap().permit, Outcome::Success, now);
    /// owner.finished(&mut record, Outcome::Success, &finished, now);
    /// assert_eq!(recorder.totals().delivered(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn finished(&mut self, call: &mut CallRecord, outcome: Outcome, finished: &Finished, now: Instant) {
        self.recorder.note_finished::<OneWriter>(call, outcome, finished, now);
    }

    /// The call is not sent again: see [`Recorder::abandoned`].
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use seawall::{Instant, OneWriter, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
    /// let mut owner = recorder.own().expect("nobody else owns it");
    /// let call = owner.begun(Instant::ORIGIN);
    /// owner.abandoned(call, Instant::ORIGIN);
    /// assert_eq!(recorder.totals().abandoned(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn abandoned(&mut self, call: CallRecord, now: Instant) {
        self.recorder.note_abandoned::<OneWriter>(call, now);
    }

    /// The breaker changed its state outside of a call: see [`Recorder::changed`].
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Cause, Guard, GuardConfig, Instant, OneWriter, Rate, Recorder, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32, OneWriter>::for_owner(WindowConfig::DEFAULT)?;
    /// let mut owner = recorder.own().expect("nobody else owns it");
    /// if let Some(transition) = guard.breaker(0).force_open(Instant::ORIGIN) {
    ///     owner.changed(transition, Instant::ORIGIN);
    /// }
    /// assert_eq!(guard.snapshot([&recorder], Instant::ORIGIN).breaker_cause, Some(Cause::Forced));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn changed(&mut self, transition: Transition, now: Instant) {
        self.recorder.changed(transition, now);
    }
}
