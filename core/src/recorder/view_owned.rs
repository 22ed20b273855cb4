//! [`OwnedRecorderView`]: the only writer of a recorder of a run-time size.

use super::notes::Parts;
use super::{CallRecord, RecorderView};
use crate::guard::{Admission, Finished};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::shard::{Claimed, claim};
use crate::time::Instant;
use crate::transition::Transition;
use crate::writers::{OneWriter, WrongWriter};

/// The owner of a [`RecorderView`], until it is dropped: made by [`RecorderView::own`]. What its methods do is what those of
/// [`OwnedRecorder`](crate::OwnedRecorder) do.
///
/// ```
/// use seawall::{Instant, RecorderView, WindowConfig};
/// let mut storage = RecorderView::storage::<800>();
/// let recorder: &mut RecorderView = &mut storage;
/// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
/// let mut mine = recorder.own()?.expect("nobody else owns it");
/// let call = mine.begun(Instant::ORIGIN);
/// mine.abandoned(call, Instant::ORIGIN);
/// assert_eq!(recorder.totals().abandoned(), 1); // by anybody, at any time
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropped, the recorder is free again"]
pub struct OwnedRecorderView<'a> {
    recorder: &'a RecorderView,
    claimed: Claimed<'a>,
}

impl RecorderView {
    /// Makes the caller the only writer, until it drops what it gets; `None` while there is one.
    ///
    /// # Errors
    /// [`WrongWriter`]: anybody writes it, or it is not made yet.
    ///
    /// # Concurrency
    /// Wait-free. The next owner sees all that the one before counted.
    ///
    /// ```
    /// use seawall::{RecorderView, WindowConfig};
    /// let mut storage = RecorderView::storage::<800>();
    /// let recorder: &mut RecorderView = &mut storage;
    /// assert!(recorder.own().is_err());
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let owner = recorder.own()?;
    /// assert!(owner.is_some() && recorder.own()?.is_none());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn own(&self) -> Result<Option<OwnedRecorderView<'_>>, WrongWriter> {
        self.writing().check_owners()?;
        Ok(claim(self.claim_word()).map(|claimed| OwnedRecorderView { recorder: self, claimed }))
    }

    /// The owner that [`OwnedRecorderView::into_number`] kept; `None` if it was released since, or never was.
    ///
    /// The number is that of one owner, and only one at a time is to be made of it.
    ///
    /// ```
    /// use seawall::{RecorderView, WindowConfig};
    /// let mut storage = RecorderView::storage::<800>();
    /// let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let number = recorder.own()?.expect("nobody else owns it").into_number();
    /// drop(recorder.owner_again(number));
    /// assert!(recorder.owner_again(number).is_none());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn owner_again(&self, number: u64) -> Option<OwnedRecorderView<'_>> {
        Claimed::again(self.claim_word(), number).map(|claimed| OwnedRecorderView { recorder: self, claimed })
    }
}

impl OwnedRecorderView<'_> {
    /// Keeps the recorder as a number, of which [`RecorderView::owner_again`] makes the owner: for a face that keeps it in
    /// storage of its own.
    ///
    /// ```
    /// # use seawall::{RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let number = recorder.own()?.expect("nobody else owns it").into_number();
    /// assert!(recorder.own()?.is_none());
    /// # let _ = number;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_number(self) -> u64 {
        self.claimed.into_number()
    }

    /// A logical call begins: see [`Recorder::begun`](crate::Recorder::begun).
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut owner = recorder.own()?.expect("nobody else owns it");
    /// let call = owner.begun(Instant::ORIGIN);
    /// assert_eq!(recorder.totals().begun(), 1);
    /// # drop(call);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn begun(&mut self, now: Instant) -> CallRecord {
        self.recorder.note_begun::<OneWriter>(now)
    }

    /// An attempt was asked for, with this answer: see [`Recorder::attempted`](crate::Recorder::attempted).
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// use seawall::{Refused, Stage};
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut owner = recorder.own()?.expect("nobody else owns it");
    /// let mut call = owner.begun(Instant::ORIGIN);
    /// owner.attempted(&mut call, &Err(Refused::never(Stage::Deadline)), Instant::ORIGIN);
    /// assert_eq!(recorder.totals().refused(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn attempted(&mut self, call: &mut CallRecord, answer: &Result<Admission, Refused>, now: Instant) {
        self.recorder.note_attempted::<OneWriter>(call, answer, now);
    }

    /// An attempt was admitted: as [`attempted`](Self::attempted), for a face that keeps the parts of an answer. The
    /// stage is the one in shadow that would have refused.
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut owner = recorder.own()?.expect("nobody else owns it");
    /// let mut call = owner.begun(Instant::ORIGIN);
    /// owner.admitted(&mut call, None, None, Instant::ORIGIN);
    /// assert_eq!(recorder.totals().admitted(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[inline]
    pub fn admitted(
        &mut self,
        call: &mut CallRecord,
        shadow_refusal: Option<Stage>,
        transition: Option<Transition>,
        now: Instant,
    ) {
        self.recorder.note_admitted::<OneWriter>(call, shadow_refusal, transition, now);
    }

    /// The attempt under way was never sent: see [`Recorder::cancelled`](crate::Recorder::cancelled).
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut owner = recorder.own()?.expect("nobody else owns it");
    /// let mut call = owner.begun(Instant::ORIGIN);
    /// owner.cancelled(&mut call, Instant::ORIGIN); // no attempt is under way
    /// assert_eq!(recorder.totals().cancelled(), 0);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn cancelled(&mut self, call: &mut CallRecord, now: Instant) {
        self.recorder.note_cancelled::<OneWriter>(call, now);
    }

    /// The attempt under way ended: see [`Recorder::finished`](crate::Recorder::finished).
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, RecorderView, Request, WindowConfig};
    /// # let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// # let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// # let now = Instant::ORIGIN;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut owner = recorder.own()?.expect("nobody else owns it");
    /// let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), owner.begun(now));
    /// let answer = guard.try_attempt(&mut call, now);
    /// owner.attempted(&mut record, &answer, now);
    /// let finished = guard.finish(&mut call, answer.unwrap().permit, Outcome::Success, now);
    /// owner.finished(&mut record, Outcome::Success, &finished, now);
    /// assert_eq!(recorder.totals().delivered(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn finished(&mut self, call: &mut CallRecord, outcome: Outcome, finished: &Finished, now: Instant) {
        self.recorder.note_finished::<OneWriter>(call, outcome, finished, now);
    }

    /// The call is not sent again: see [`Recorder::abandoned`](crate::Recorder::abandoned).
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use seawall::{Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut owner = recorder.own()?.expect("nobody else owns it");
    /// let call = owner.begun(Instant::ORIGIN);
    /// owner.abandoned(call, Instant::ORIGIN);
    /// assert_eq!(recorder.totals().abandoned(), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn abandoned(&mut self, call: CallRecord, now: Instant) {
        self.recorder.note_abandoned::<OneWriter>(call, now);
    }

    /// The breaker changed its state outside of a call: see [`RecorderView::changed`].
    ///
    /// # Concurrency
    /// Wait-free.
    ///
    /// ```
    /// # use seawall::{CircuitBreaker, BreakerConfig, Instant, RecorderView, WindowConfig};
    /// # let mut storage = RecorderView::storage::<800>();
    /// # let recorder: &mut RecorderView = &mut storage;
    /// recorder.renew_for_owner(WindowConfig::DEFAULT, 4, 32)?;
    /// let mut owner = recorder.own()?.expect("nobody else owns it");
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// if let Some(transition) = breaker.force_open(Instant::ORIGIN) {
    ///     owner.changed(transition, Instant::ORIGIN);
    /// }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn changed(&mut self, transition: Transition, now: Instant) {
        self.recorder.changed(transition, now);
    }
}
