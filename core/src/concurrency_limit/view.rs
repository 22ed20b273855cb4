//! [`ConcurrencyLimitView`]: what a concurrency limit does, with any number of slots.

use core::fmt;
use core::mem::offset_of;
use core::time::Duration;

use crate::concurrency_limit::config::{LimitConfig, LimitConfigError, MOST_SLOTS, Settings};
use crate::concurrency_limit::control::{Control, WHOLE};
use crate::concurrency_limit::pace::Pace;
use crate::concurrency_limit::permit::{LimitChange, LimitPermit, LimitReason};
use crate::concurrency_limit::slots::{Quick, Slot};
use crate::concurrency_limit::usual::Usual;
use crate::layout::bytes_with_tail;
use crate::outcome::Outcome;
use crate::refused::Refused;
use crate::stamp::Stamp;
use crate::sync::{AtomicU64, const_constructor};
use crate::time::Instant;

/// A [`ConcurrencyLimit`](crate::ConcurrencyLimit) whose number of slots is known when the program runs: as a slice to an
/// array. The sized one dereferences to it, and all that it does is done here.
///
/// # Storage
/// [`size_for`](Self::size_for) bytes at a multiple of [`ALIGNMENT`](Self::ALIGNMENT), all zero, are a view: one that
/// refuses every call until [`renew`](Self::renew) makes it what `new` would. A face that is given such storage makes the
/// pointer as `core::ptr::slice_from_raw_parts_mut(storage, slots) as *mut ConcurrencyLimitView`. The state is a
/// `repr(C)` of atomic words without a pointer: it may be mapped, moved while nobody calls, and shared by processes.
///
/// `S` is only there for the sized type; elsewhere leave it away.
///
/// ```
/// use seawall::{ConcurrencyLimit, ConcurrencyLimitView, Instant, LimitConfig};
/// fn is_idle(limit: &ConcurrencyLimitView, now: Instant) -> bool {
///     limit.in_flight(now) == 0
/// }
/// let (small, large) =
///     (ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?, ConcurrencyLimit::<256>::new(LimitConfig::DEFAULT)?);
/// assert!(is_idle(&small, Instant::ORIGIN) && is_idle(&large, Instant::ORIGIN));
/// # Ok::<(), seawall::LimitConfigError>(())
/// ```
#[repr(C)]
pub struct ConcurrencyLimitView<S: ?Sized = [Slot]> {
    pub(super) control: AtomicU64,
    pub(super) settings: Settings,
    pub(super) usual: Usual,
    pub(super) pace: Pace,
    pub(super) slots: S,
}

impl<const SLOTS: usize> ConcurrencyLimitView<[Slot; SLOTS]> {
    const_constructor! {
        pub(super) fn of_slots(config: LimitConfig, slots: [Slot; SLOTS]) -> Result<Self, LimitConfigError> {
            match Settings::new(&config, SLOTS) {
                Err(error) => Err(error),
                Ok(settings) => Ok(Self {
                    control: AtomicU64::new(Control::starting(config.start).0),
                    settings,
                    usual: Usual::unknown(),
                    pace: Pace::new(),
                    slots,
                }),
            }
        }
    }
}

impl ConcurrencyLimitView {
    /// What the address of its storage is a multiple of, in bytes.
    pub const ALIGNMENT: usize = align_of::<ConcurrencyLimitView<[Slot; 0]>>();

    /// The bytes of one with so many slots; `None` where there is none, as it has 1 to 65,535.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, ConcurrencyLimitView};
    /// assert_eq!(ConcurrencyLimitView::size_for(64), Some(size_of::<ConcurrencyLimit<64>>()));
    /// assert_eq!(ConcurrencyLimitView::size_for(0), None);
    /// ```
    #[must_use]
    pub const fn size_for(slots: usize) -> Option<usize> {
        if slots == 0 || slots > MOST_SLOTS {
            return None;
        }
        let offset = offset_of!(ConcurrencyLimitView<[Slot; 0]>, slots);
        bytes_with_tail(offset, size_of::<Slot>(), slots, Self::ALIGNMENT)
    }

    /// Makes it anew, as [`new`](crate::ConcurrencyLimit::new) would with as many slots as it has: what was there before
    /// is gone, and permits of it are void.
    ///
    /// # Errors
    /// [`LimitConfigError`] names what is out of its range; [`LimitConfigError::Slots`] where it has none, or over 65,535.
    /// It is then as it was.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, ConcurrencyLimitView, LimitConfig, LimitConfigError};
    /// let mut storage = ConcurrencyLimit::<8>::new(LimitConfig { ceiling: 8, ..LimitConfig::DEFAULT })?;
    /// let limit: &mut ConcurrencyLimitView = &mut storage;
    /// limit.renew(LimitConfig { start: 5, ceiling: 6, ..LimitConfig::DEFAULT })?;
    /// assert_eq!((limit.limit(), limit.slots()), (5, 8));
    ///
    /// assert_eq!(limit.renew(LimitConfig::DEFAULT), Err(LimitConfigError::Ceiling));
    /// assert_eq!(limit.limit(), 5);
    /// # Ok::<(), LimitConfigError>(())
    /// ```
    pub fn renew(&mut self, config: LimitConfig) -> Result<(), LimitConfigError> {
        self.settings = Settings::new(&config, self.slots.len())?;
        self.control = AtomicU64::new(Control::starting(config.start).0);
        (self.usual, self.pace) = (Usual::unknown(), Pace::new());
        self.slots.fill_with(Slot::free);
        Ok(())
    }

    /// How many slots it has: the limit never rises above this.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, LimitConfig};
    /// assert_eq!(ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?.slots(), 64);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[must_use]
    pub const fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Asks to send one call.
    ///
    /// Admitted, the caller reports with [`finish`](Self::finish) or gives back with [`cancel`](Self::cancel).
    ///
    /// # Errors
    /// [`Refused`]: as many as the limit allows are in flight. There is no `retry_after`, as a call may end at any
    /// time.
    ///
    /// # Concurrency
    /// Lock-free; one exchange when admitted, loads only when refused. Never more than the limit is admitted.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig { start: 1, ..LimitConfig::DEFAULT })?;
    /// let permit = limit.try_attempt(Instant::ORIGIN).unwrap();
    /// assert!(limit.try_attempt(Instant::ORIGIN).is_err());
    /// limit.cancel(permit, Instant::ORIGIN);
    /// assert!(limit.try_attempt(Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    // A call would cost a third of the whole: most of what follows are a few comparisons.
    #[inline(always)]
    pub fn try_attempt(&self, now: Instant) -> Result<LimitPermit, Refused> {
        match self.attempt_at_once(now) {
            Quick::Found(permit) => Ok(permit),
            Quick::Full => Err(self.refusal(now)),
            Quick::Unclear => self.attempt_in_whole(now).map(LimitPermit::from_words),
        }
    }

    /// Whether an attempt would be admitted now. Takes nothing and writes nothing.
    ///
    /// # Errors
    /// [`Refused`], as [`try_attempt`](Self::try_attempt) would.
    ///
    /// # Concurrency
    /// Loads only. Advisory: another thread may take the last slot in between.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig};
    /// assert!(ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?.peek(Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[inline]
    pub fn peek(&self, now: Instant) -> Result<(), Refused> {
        match self.look_at_once(now) {
            Quick::Found(()) => Ok(()),
            Quick::Full => Err(self.refusal(now)),
            Quick::Unclear => self.look(now).map(|_| ()),
        }
    }

    /// Reports how a call ended and gives its slot back. The latency is `now` less the instant of its admission.
    ///
    /// *Slow* is over `slow_after`, or over the tolerated share of the usual latency where that is longer. The limit is
    /// *saturated* once `saturated_after` reports in a row have met it full. Slow replies and time-outs count from a
    /// quarter of the limit and one more in a row, at most 64, and so does a throttle that met room. Where
    /// `saturated_after` is 0, each counts, no failure that comes at once does, and the limit never grows at a tenth.
    ///
    /// | outcome | latency | the limit |
    /// | --- | --- | --- |
    /// | `Success` | not slow | grows by its own inverse, if at least half was used when the call began |
    /// | `Success`, `Failure` | slow | x `slow_factor`, if it is saturated |
    /// | `Failure` | `timeout` and more | x `timeout_factor`; where over two fifths of the time-out are tolerated, as a slow one, after half as many full reports |
    /// | `Failure` | not slow | x `slow_factor`, if the last report was one too and after twice as many full ones; then it grows at a tenth for ten time-outs |
    /// | `Throttled` | any | x `slow_factor`; then it grows at a tenth for ten time-outs |
    /// | `Ignored` | any | stays |
    ///
    /// It is cut only by a call that began after the last cut, and only if all of it was in use when the call began
    /// or is in use at its end: a limit that nobody fills is not what makes the service slow. A permit that was
    /// reported before, or whose slot has gone to another after its lease, does nothing.
    ///
    /// # Concurrency
    /// Lock-free. Returns the change if and only if this call made one of at least a whole call.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{ConcurrencyLimit, Instant, LimitChange, LimitConfig, LimitReason, Outcome};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let permits = [0; 2].map(|_| limit.try_attempt(Instant::ORIGIN).unwrap());
    /// let late = Instant::ORIGIN.saturating_add(Duration::from_secs(1));
    /// let change = limit.finish(permits[0], Outcome::Failure, late);
    /// assert_eq!(change, Some(LimitChange { from: 2, to: 1, reason: LimitReason::Timeout }));
    /// // The second began before that cut.
    /// assert_eq!(limit.finish(permits[1], Outcome::Failure, late), None);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    // A call would cost a third of the whole: most of what follows are a few comparisons.
    #[inline(always)]
    pub fn finish(&self, permit: LimitPermit, outcome: Outcome, now: Instant) -> Option<LimitChange> {
        self.report(&permit, outcome, now).flatten()
    }

    /// As [`finish`](Self::finish), for who wants to know that a permit was void: `None` then. Of several reports of one
    /// permit one is told apart.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig, Outcome};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let permit = limit.try_attempt(Instant::ORIGIN).unwrap();
    /// assert_eq!(limit.report(&permit, Outcome::Ignored, Instant::ORIGIN), Some(None));
    /// assert_eq!(limit.report(&permit, Outcome::Ignored, Instant::ORIGIN), None);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    // A call would cost a third of the whole: most of what follows are a few comparisons.
    #[inline(always)]
    pub fn report(&self, permit: &LimitPermit, outcome: Outcome, now: Instant) -> Option<Option<LimitChange>> {
        if !self.release(permit) {
            return None;
        }
        if outcome == Outcome::Success && self.succeed_at_once(permit, now) {
            return Some(None);
        }
        Some(self.judge(permit, outcome, now))
    }

    /// Gives a permit back: the call was not sent, or says nothing of the service. Returns whether it was still good:
    /// neither reported nor given back before, and its slot not gone to another after its lease.
    ///
    /// `now` is not needed today; it is there as on every other call.
    ///
    /// # Concurrency
    /// Wait-free; does nothing for a permit that is void. Of several calls for one permit one returns `true`.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let permit = limit.try_attempt(Instant::ORIGIN).unwrap();
    /// assert!(limit.cancel(permit, Instant::ORIGIN));
    /// assert!(!limit.cancel(permit, Instant::ORIGIN));
    /// assert_eq!(limit.in_flight(Instant::ORIGIN), 0);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[inline]
    pub fn cancel(&self, permit: LimitPermit, now: Instant) -> bool {
        let _ = now;
        self.release(&permit)
    }

    /// Whether so much of the time-out is usual that some calls time out while all is well.
    #[inline]
    pub(crate) fn expects_timeouts(&self) -> bool {
        self.usual.is_long(&self.settings)
    }

    /// From which latency on a reply is slow, by what is known now.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig, Outcome};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig { start: 8, ..LimitConfig::DEFAULT })?;
    /// assert_eq!(limit.slow_after(), Duration::from_millis(250));
    /// for _ in 0..1000 {
    ///     let permit = limit.try_attempt(Instant::ORIGIN).unwrap();
    ///     limit.finish(permit, Outcome::Success, Instant::from_nanos(300_000_000));
    /// }
    /// assert!((650..675).contains(&limit.slow_after().as_millis()));
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[must_use]
    pub fn slow_after(&self) -> Duration {
        Duration::from_nanos(self.usual.slow_after_ns(&self.settings))
    }

    /// How many calls may be in flight.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, LimitConfig};
    /// assert_eq!(ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?.limit(), 2);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn limit(&self) -> u32 {
        self.control().limit()
    }

    /// How many calls are in flight; those whose lease has lapsed are not counted. Advisory while others call.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let _permit = limit.try_attempt(Instant::ORIGIN).unwrap();
    /// assert_eq!(limit.in_flight(Instant::ORIGIN), 1);
    /// assert_eq!(limit.in_flight(Instant::MAX), 0);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    #[must_use]
    pub fn in_flight(&self, now: Instant) -> u32 {
        self.held(self.control(), now)
    }

    /// Sets the limit, within floor and ceiling; it adapts on from there. A lower one counts as a cut: what is in
    /// flight stays so, nothing new is admitted until it is fewer, and it does not cut again.
    ///
    /// # Concurrency
    /// Lock-free. Returns the change if and only if this call made one of at least a whole call.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// assert_eq!(limit.set_limit(1000).map(|change| change.to), Some(64));
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    pub fn set_limit(&self, limit: u32) -> Option<LimitChange> {
        // Under 2^48.
        let fixed = u64::from(limit) * WHOLE;
        self.adjust(LimitReason::Set, |_, terms| Some(fixed.clamp(terms.least(), terms.most())))
    }

    /// Changes the configuration while others call; the limit is brought within the new bounds, else it stays. Rows of
    /// reports begin anew. `start` is only for [`new`](crate::ConcurrencyLimit::new) and [`renew`](Self::renew).
    ///
    /// # Errors
    /// [`LimitConfigError`]; then nothing has changed.
    ///
    /// # Concurrency
    /// Lock-free. Of two changes at once each field comes from one or the other.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig { start: 20, ..LimitConfig::DEFAULT })?;
    /// let change = limit.set_config(LimitConfig { ceiling: 10, ..LimitConfig::DEFAULT })?;
    /// assert_eq!(change.map(|change| change.to), Some(10));
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    pub fn set_config(&self, config: LimitConfig) -> Result<Option<LimitChange>, LimitConfigError> {
        self.settings.set(&config, self.slots.len())?;
        self.pace.reset();
        Ok(self.adjust(LimitReason::Set, |control, terms| Some(control.fixed().clamp(terms.least(), terms.most()))))
    }

    /// Frees every slot and voids every permit: for a clock that has stepped back, or calls that were all lost. What
    /// is still in flight is no longer counted. The limit stays, and so does what is usual; rows of reports begin anew.
    ///
    /// # Concurrency
    /// Lock-free; not one step: a call admitted meanwhile may be voided or not.
    ///
    /// ```
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let _lost = limit.try_attempt(Instant::MAX).unwrap();
    /// limit.reset();
    /// assert_eq!(limit.in_flight(Instant::ORIGIN), 0);
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    pub fn reset(&self) {
        self.pace.reset();
        self.free_all();
    }

    /// Goes over to another clock: leases that ended so long after `old_now` now end as long after `new_now`. For a
    /// clock that was set, or state that outlived the machine's boot.
    ///
    /// What is in flight stays counted until its lease lapses; its permits are void, as their instants are of the old
    /// clock. The limit stays, and so does what is usual; rows of reports begin anew.
    ///
    /// # Concurrency
    /// Lock-free; not one step: a call under way may meet leases of either clock.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{ConcurrencyLimit, Instant, LimitConfig};
    /// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    /// let old_now = Instant::from_nanos(1 << 60);
    /// let _permit = limit.try_attempt(old_now).unwrap();
    /// limit.rebase(old_now, Instant::ORIGIN);
    /// let later = Instant::ORIGIN.saturating_add(Duration::from_millis(5001));
    /// assert_eq!((limit.in_flight(Instant::ORIGIN), limit.in_flight(later)), (1, 0));
    /// # Ok::<(), seawall::LimitConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        self.pace.reset();
        for slot in &self.slots {
            Stamp::rebase_in(&slot.0, old_now, new_now);
        }
    }
}

impl fmt::Debug for ConcurrencyLimitView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit").field("limit", &self.limit()).finish_non_exhaustive()
    }
}
