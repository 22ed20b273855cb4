//! [`ConcurrencyLimit`]: how many calls may be in flight at once, found out by their latency.
//!
//! Additive increase, multiplicative decrease on the number in flight: a good reply adds `1/limit` while at least half
//! of the limit is used; a slow one, a throttle or a time-out multiplies it, at most once a round trip and only when
//! the limit was what held the traffic back. What is slow follows from what is usual. Errors that come fast say nothing
//! of congestion and do not move it, unless they come in a row while the limit stays full.
//!
//! # The invariant
//! A permit *is* a slot. A slot holds the end of its lease, or nothing; a call takes the lowest slot that is free, and
//! only if it counts fewer slots held than the limit. There is no counter beside the slots that could disagree with
//! them, so whatever is lost heals when its lease lapses.
//!
//! Never more permits are held at once than the limit. A call counts every slot that it did not find free, whether it was
//! held or not looked at: so it may stop as soon as it is certain, and where the limit stands at its highest, with as many
//! slots as it allows, at the first free one. Proof: start at any holder that counted by this limit. If a
//! permit that is held above its slot was taken after it had found that slot free, or above all slots that there were for
//! it, go on from that one; slots are finite,
//! so this ends at a holder that missed none above it. It saw every slot below its own held (else it would have taken
//! that one), counted every permit above, and came to less than the limit: so with its own they are at most the limit.
//! The argument needs no order between different slots. After a cut nothing is admitted until fewer are in flight than
//! the new limit; only a call that had read the old limit before the cut may still go by it.
//!
//! ```text
//! control  63       48 47       32 31                                  0
//!          +----------+-----------+-------------------------------------+
//!          | cuts: 16 | peak: 16  | limit: 16 whole, 16 fraction        |
//!          +----------+-----------+-------------------------------------+
//! slot     63                                                 12 11     0
//!          +----------------------------------------------------+--------+
//!          | end of the lease, 4.096 us ticks; 0 is free        | tag:12 |
//!          +----------------------------------------------------+--------+
//! ```
//! `cuts` counts the cuts: a permit remembers the count, and only a call that began after the last cut may cut again.
//! No clock is compared for this. `peak` is the highest limit so far: no slot at or above it was ever taken.
//!
//! Two more words say what to make of a report, and are advice: what is usual (`usual.rs`), and whether the limit stays
//! full (`pace.rs`).
//!
//! # Orderings
//! Taking a slot is `Acquire`, giving it back is `Release`: what the last holder did happens before what the next one
//! does, as with a semaphore. Counting, the control word, the advice and the settings are relaxed: the argument above
//! needs no more, and who knows of a cut reads it.
//!
//! # Limits
//! - Time that stands still: permits work, leases do not lapse, every reply is quick.
//! - Idle for a year: the limit stays where it was; the leases of what was lost have lapsed.
//! - An older `now`: no time has passed; no lease lapses by it. If all that is held ends more than two leases ahead of
//!   `now`, the refusal says [`ClockStepped`](crate::Reason::ClockStepped); [`rebase`](ConcurrencyLimit::rebase) or
//!   [`reset`](ConcurrencyLimit::reset) helps.
//! - A caller that sends as many as the limit allows, waits for all of them and begins anew meets it full once a round:
//!   with more than `saturated_after` 1 its slow replies do not cut the limit. Time-outs do.
//! - A service whose every reply is slow from the first on teaches what is usual only from the floor, so the limit falls
//!   there first.
//! - A machine that was suspended: a call that was under way counts as slow or timed out, and teaches no more than one
//!   that took the whole time-out.
//! - A permit is told from an older one of the same slot by the end of its lease and a tag of 12 bits: exact, unless
//!   4096 are taken on one slot within 4.096 us.
//! - The number of cuts wraps at 65,536: a permit older than so many cuts may cut once more.
//!
//! # Source
//! Chiu and Jain, *Analysis of the increase and decrease algorithms* (1989); one cut a round trip and no growth when
//! the window is not used as in TCP (RFC 5681, RFC 7661); latency as the signal as in TCP Vegas (Brakmo, 1994); a learnt
//! usual latency with a tolerance as in Netflix' Gradient2. That only a limit that stays full is cut, and that it then
//! also heeds failures that come at once, is ours.

mod config;
mod control;
mod pace;
mod permit;
mod slots;
mod usual;
mod view;

use core::fmt;
use core::time::Duration;

use crate::outcome::Outcome;
use crate::refused::Refused;
use crate::stamp::Stamp;
use crate::sync::{AtomicU64, const_constructor};
use crate::time::Instant;

use config::Settings;
pub use config::{LimitConfig, LimitConfigError};
use control::{Control, WHOLE};
use pace::Pace;
pub use permit::{LimitChange, LimitPermit, LimitReason};
use slots::Quick;
use usual::Usual;
use view::View;

/// An adaptive bound on the calls in flight, with up to `SLOTS` of them.
///
/// # Concurrency
/// Every call is lock-free: a step is retried only because another thread made one. A permit costs one exchange, its
/// return another; a move of the limit is a third, and so is a reply that teaches what latency is usual (once that is
/// known, one in eight) or that makes a row longer; a refusal writes nothing. No call panics or allocates.
///
/// # Complexity
/// An attempt reads as many slots as the limit was at its highest, at most `SLOTS`: eight bytes each. It ends earlier
/// where the answer is certain: mostly after the first free slot and half as many as the limit. A report reads two slots
/// while the limit stands at its highest and has room, else up to as many.
///
/// ```
/// use core::time::Duration;
/// use seawall::{ConcurrencyLimit, Instant, LimitConfig, Outcome};
///
/// let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
/// let now = Instant::ORIGIN;
/// let (first, second) = (limit.try_attempt(now).unwrap(), limit.try_attempt(now).unwrap());
/// assert!(limit.try_attempt(now).is_err());
///
/// // Two quick replies grow the limit by a half each.
/// let soon = now.saturating_add(Duration::from_millis(20));
/// assert_eq!(limit.finish(first, Outcome::Success, soon), None);
/// assert_eq!(limit.finish(second, Outcome::Success, soon), None);
/// assert_eq!((limit.limit(), limit.in_flight(soon)), (2, 0));
/// # Ok::<(), seawall::LimitConfigError>(())
/// ```
#[repr(C)]
pub struct ConcurrencyLimit<const SLOTS: usize> {
    control: AtomicU64,
    settings: Settings,
    usual: Usual,
    pace: Pace,
    slots: [AtomicU64; SLOTS],
}

#[cfg(not(seawall_loom))]
const fn free_slots<const SLOTS: usize>() -> [AtomicU64; SLOTS] {
    [const { AtomicU64::new(0) }; SLOTS]
}

#[cfg(seawall_loom)]
fn free_slots<const SLOTS: usize>() -> [AtomicU64; SLOTS] {
    core::array::from_fn(|_| AtomicU64::new(0))
}

impl<const SLOTS: usize> ConcurrencyLimit<SLOTS> {
    const_constructor! {
        /// A limit at `config.start`, with nothing in flight. `SLOTS` is 1 to 65,535, checked at compile time.
        ///
        /// # Errors
        /// [`LimitConfigError`] names the field that is out of its range, and the range.
        ///
        /// ```
        /// use seawall::{ConcurrencyLimit, LimitConfig};
        /// static LIMIT: ConcurrencyLimit<64> = match ConcurrencyLimit::new(LimitConfig::DEFAULT) {
        ///     Ok(limit) => limit,
        ///     Err(_) => panic!("refused at compile time"),
        /// };
        /// ```
        pub fn new(config: LimitConfig) -> Result<Self, LimitConfigError> {
            const { assert!(SLOTS >= 1 && SLOTS <= 65_535, "a concurrency limit has 1 to 65,535 slots") }
            match Settings::new(&config, SLOTS) {
                Err(error) => Err(error),
                Ok(settings) => Ok(Self {
                    control: AtomicU64::new(Control::new(0, config.start, config.start as u64 * WHOLE).0),
                    settings,
                    usual: Usual::unknown(),
                    pace: Pace::new(),
                    slots: free_slots(),
                }),
            }
        }
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
        match self.view().attempt_at_once(now) {
            Quick::Found(permit) => Ok(permit),
            Quick::Full => Err(self.view().refusal(now)),
            Quick::Unclear => self.view().try_attempt(now).map(LimitPermit::from_words),
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
        match self.view().look_at_once(now) {
            Quick::Found(()) => Ok(()),
            Quick::Full => Err(self.view().refusal(now)),
            Quick::Unclear => self.view().look(now).map(|_| ()),
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

    /// As [`finish`](Self::finish), and `None` if the permit was void: of two reports one is told apart.
    // A call would cost a third of the whole: most of what follows are a few comparisons.
    #[inline(always)]
    pub(crate) fn report(&self, permit: &LimitPermit, outcome: Outcome, now: Instant) -> Option<Option<LimitChange>> {
        if !self.view().release(permit) {
            return None;
        }
        if outcome == Outcome::Success && self.view().succeed_at_once(permit, now) {
            return Some(None);
        }
        Some(self.view().judge(permit, outcome, now))
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
        self.view().release(&permit)
    }

    /// Whether so much of the time-out is usual that some calls time out while all is well.
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
    pub fn limit(&self) -> u32 {
        self.view().control().limit()
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
        let view = self.view();
        view.held(view.control(), now)
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
        self.view().adjust(LimitReason::Set, |_, terms| Some(fixed.clamp(terms.least(), terms.most())))
    }

    /// Changes the configuration while others call; the limit is brought within the new bounds, else it stays. Rows of
    /// reports begin anew. `start` is only for [`new`](Self::new).
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
        self.settings.set(&config, SLOTS)?;
        self.pace.reset();
        Ok(self
            .view()
            .adjust(LimitReason::Set, |control, terms| Some(control.fixed().clamp(terms.least(), terms.most()))))
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
        self.view().reset();
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
            Stamp::rebase_in(slot, old_now, new_now);
        }
    }

    #[inline]
    fn view(&self) -> View<'_> {
        View {
            control: &self.control,
            settings: &self.settings,
            usual: &self.usual,
            pace: &self.pace,
            slots: &self.slots,
        }
    }
}

impl<const SLOTS: usize> fmt::Debug for ConcurrencyLimit<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit").field("limit", &self.limit()).finish_non_exhaustive()
    }
}
