//! [`CircuitBreaker`]: stops calling a service that fails, and finds out with a few probes when it is well again.
//!
//! Closed, every call passes and is judged. On the evidence that the [`TripRule`] names, one call opens the breaker;
//! for a short, jittered interval everything is refused. Then at most `probes` calls pass, each on a lease. When
//! enough of them have reported, the breaker closes through a ramp, or opens for longer.
//!
//! # The invariant
//! One word holds the state, the generation and the evidence, and every step is one exchange of that word. So state
//! and evidence cannot disagree, a transition has exactly one author, and a result counts only in the generation that
//! admitted it.
//!
//! ```text
//!  63  61 60                 33 32                                              0
//! +------+---------------------+-------------------------------------------------+
//! |phase | generation: 28      | payload: 33                                     |
//! +------+---------------------+-------------------------------------------------+
//!  0 counting (2 with a ramp)    failures in a row
//!  1 windowed (3 with a ramp)    the last calls, newest lowest, 1 is bad, under a sentinel bit
//!  4 open                        failed verdicts in a row: 4
//!  5 half-open                   failed: 4, bad: 4, good: 4, numbered: 5, out: 16
//!  6 held closed, 7 held open    nothing
//! ```
//! Three more words hold moments: the end of the open interval, of the probes' lease, of the ramp. Each carries twelve
//! bits of the generation that it belongs to. A moment is announced before the exchange that needs it, and only after
//! a second look at the state word: a thread that was stopped for an age then finds either the state or the moment
//! changed and gives up. Within a generation an announced moment only moves later.
//!
//! # Probes and leases
//! A half-open generation numbers its permits, and a bit for each says whether it is out. A report clears the bit, so
//! a second report finds it clear. `cancel` clears it without a verdict and a new permit may be given. When no permit
//! is left and the lease of the youngest has lapsed, the next attempt starts a new generation, still half-open, with
//! the reports so far and all other permits void. A report that comes after the lapse but before that still counts: a
//! time-out that fires a little late is evidence. Nothing needs traffic to be rescued, and a hung probe wedges
//! nothing.
//!
//! # Orderings
//! - The exchange of the state word is `AcqRel`, and its loads are `Acquire`: who reads a phase reads the moment that
//!   was announced for it, or a later one.
//! - The exchange of a moment is `Release`, its loads are `Acquire`: who reads a moment that was announced for a later
//!   generation then reads a state word that is at least as late as the one its author saw, so the second look
//!   notices.
//! - Settings are relaxed: any mixture of two configurations is a sound one.
//!
//! # Limits
//! - Time that stands still: an open breaker stays open, a lease does not lapse. A ramp draws by the reading of the
//!   clock, so that calls of one instant share their fate: it needs a clock much finer than the time between calls, or
//!   a `ramp` of many of its ticks.
//! - Idle for a year: the next attempt is a probe. Moments are absolute and cannot wrap.
//! - An older `now`: no time has passed. But an end that lies more than twice the longest interval (lease, ramp) ahead
//!   of `now` is held for the work of a clock that has stepped, and counts as over ([`Cause::ClockStepped`]): one
//!   absurd reading costs at most some early probes, never a breaker that is open for ever. The bound of `probes` at a
//!   time therefore holds for readings that lie within two leases and two open intervals of each other.
//! - Moments are rounded up by at most 4.096 us. Generations count modulo 2^28: a permit that is kept for as many
//!   counts as a new one.
//! - A half-open generation has sixteen numbers. When probes are cancelled so often that they run out while another
//!   probe is out, its place is free again only when that one reports or its lease lapses; with none out, at once.
//! - Permits of a closed breaker have no number: a caller that reports one twice in the same generation counts twice.
//!
//! # Source
//! The three states are those of Nygard, *Release It!* (2007). Generations on permits, leases on probes, the verdict by
//! share, growth on failed verdicts only and the ramp answer the faults that its implementations are known for.

mod config;
mod permit;
mod steps;
mod word;

use core::fmt;

use crate::outcome::Outcome;
use crate::refused::Refused;
use crate::stamp::Stamp;
use crate::sync::{AtomicU64, const_constructor};
use crate::time::Instant;
use crate::transition::{Cause, State, Transition};

use config::Settings;
pub use config::{BreakerConfig, BreakerConfigError, TripRule};
use permit::NO_NUMBER;
pub use permit::{BreakerAdmission, BreakerPermit};
use steps::Look;
use word::{Phase, Word};

/// A circuit breaker: closed it lets calls pass and judges them, open it refuses, half-open it probes.
///
/// Let it judge *logical* calls, not retries: with one shard of four down a quarter of the calls fail, but more than
/// half of the attempts.
///
/// # Concurrency
/// Every call is lock-free: a step is retried only because another thread made one. A refusal writes nothing; nor does
/// a success while a consecutive-failure count is zero or a full window is all good, which costs two loads and a few
/// comparisons. No call panics or allocates.
///
/// ```
/// use core::time::Duration;
/// use seawall::{BreakerConfig, CircuitBreaker, Instant, Outcome, State, TripRule};
///
/// let config = BreakerConfig { rule: TripRule::Consecutive(2), ..BreakerConfig::DEFAULT };
/// let breaker = CircuitBreaker::new(config)?;
/// let now = Instant::ORIGIN;
/// for random in [7, 8] {
///     let admission = breaker.try_attempt(now).unwrap();
///     let transition = breaker.finish(admission.permit, Outcome::Failure, now, random);
///     assert_eq!(transition.is_some(), random == 8);
/// }
/// assert_eq!(breaker.state(now), State::Open);
/// assert!(breaker.try_attempt(now).unwrap_err().retry_after() >= Some(Duration::from_millis(700)));
///
/// let later = now.saturating_add(Duration::from_secs(2));
/// let probe = breaker.try_attempt(later).unwrap();
/// assert_eq!(probe.transition.unwrap().to, State::HalfOpen);
/// # Ok::<(), seawall::BreakerConfigError>(())
/// ```
#[repr(C)]
pub struct CircuitBreaker {
    word: AtomicU64,
    open_end: AtomicU64,
    lease_end: AtomicU64,
    ramp_end: AtomicU64,
    settings: Settings,
}

impl CircuitBreaker {
    const_constructor! {
        /// A closed breaker without evidence.
        ///
        /// # Errors
        /// [`BreakerConfigError`] names the field that is out of its range, and the range.
        ///
        /// ```
        /// use seawall::{BreakerConfig, CircuitBreaker};
        /// static BREAKER: CircuitBreaker = match CircuitBreaker::new(BreakerConfig::DEFAULT) {
        ///     Ok(breaker) => breaker,
        ///     Err(_) => panic!("refused at compile time"),
        /// };
        /// ```
        pub fn new(config: BreakerConfig) -> Result<Self, BreakerConfigError> {
            match Settings::new(config) {
                Err(error) => Err(error),
                // Generation 0, counting or windowed without evidence: a windowed one gets its sentinel with the
                // first call, as evidence of another kind is no evidence.
                Ok(settings) => Ok(Self {
                    word: AtomicU64::new(0),
                    open_end: AtomicU64::new(0),
                    lease_end: AtomicU64::new(0),
                    ramp_end: AtomicU64::new(0),
                    settings,
                }),
            }
        }
    }

    /// Asks to send one call.
    ///
    /// Admitted, the caller reports with [`finish`](Self::finish) or gives back with [`cancel`](Self::cancel). When
    /// the open interval is over, the first attempt makes the breaker half-open and gets the transition.
    ///
    /// # Errors
    /// [`Refused`]: open, with the rest of the interval as `retry_after`; or held open, half-open with all probes out,
    /// or kept back by the ramp, without one, as a report may change that at any time.
    ///
    /// # Concurrency
    /// Lock-free; one load when closed, two when refused, one or two exchanges for a probe. A refusal writes nothing.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant, Outcome};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// let admission = breaker.try_attempt(Instant::ORIGIN).unwrap();
    /// assert_eq!(breaker.finish(admission.permit, Outcome::Success, Instant::ORIGIN, 7), None);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[inline]
    pub fn try_attempt(&self, now: Instant) -> Result<BreakerAdmission, Refused> {
        let word = self.load();
        if word.passes_all() {
            let permit = BreakerPermit { started: now, generation: word.generation(), number: NO_NUMBER };
            return Ok(BreakerAdmission { permit, transition: None });
        }
        match self.rest_of_interval(word, now) {
            Some(refused) => Err(refused),
            None => self.attempt(word, now).map(|(permit, transition)| BreakerAdmission { permit, transition }),
        }
    }

    /// Whether an attempt would be admitted now. Takes nothing and writes nothing.
    ///
    /// # Errors
    /// [`Refused`], as [`try_attempt`](Self::try_attempt) would.
    ///
    /// # Concurrency
    /// Loads only. Advisory: another thread may take the last probe in between.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// assert!(CircuitBreaker::new(BreakerConfig::DEFAULT)?.peek(Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[inline]
    pub fn peek(&self, now: Instant) -> Result<(), Refused> {
        let word = self.load();
        if word.passes_all() {
            return Ok(());
        }
        match self.rest_of_interval(word, now) {
            Some(refused) => Err(refused),
            None => self.look_longer(now),
        }
    }

    /// Reports how an admitted call ended; the latency is `now` less the instant of its admission.
    ///
    /// `random` is a drawn number, used only if this call opens the breaker. [`Outcome::Ignored`] frees a probe's place
    /// and says nothing. A result of an earlier generation, or a second one of the same probe, is ignored.
    ///
    /// # Concurrency
    /// Lock-free. Returns the transition if and only if this call made it.
    ///
    /// ```
    /// use seawall::{BreakerConfig, Cause, CircuitBreaker, Instant, Outcome, TripRule};
    /// let breaker = CircuitBreaker::new(BreakerConfig { rule: TripRule::Consecutive(1), ..BreakerConfig::DEFAULT })?;
    /// let permit = breaker.try_attempt(Instant::ORIGIN).unwrap().permit;
    /// let transition = breaker.finish(permit, Outcome::Failure, Instant::ORIGIN, 7).unwrap();
    /// assert_eq!(transition.cause, Cause::ConsecutiveFailures);
    /// assert_eq!(breaker.finish(permit, Outcome::Failure, Instant::ORIGIN, 7), None);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[inline]
    pub fn finish(&self, permit: BreakerPermit, outcome: Outcome, now: Instant, random: u64) -> Option<Transition> {
        self.finish_weighing(permit, outcome, 1, now, random)
    }

    /// As [`finish`](Self::finish), and a bad outcome counts as `weight` failures in a row.
    #[inline]
    pub(crate) fn finish_weighing(
        &self,
        permit: BreakerPermit,
        outcome: Outcome,
        weight: u32,
        now: Instant,
        random: u64,
    ) -> Option<Transition> {
        if outcome == Outcome::Success && self.is_nothing_new(permit, now) {
            return None;
        }
        self.hear(permit, outcome, weight, now, random)
    }

    /// Gives a permit back: the call was not sent, or says nothing of the service. Frees a probe's place.
    ///
    /// `now` is not needed today; it is there as on every other call.
    ///
    /// # Concurrency
    /// Lock-free; nothing is written for a permit that is no probe, or is void.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// let permit = breaker.try_attempt(Instant::ORIGIN).unwrap().permit;
    /// breaker.cancel(permit, Instant::ORIGIN);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn cancel(&self, permit: BreakerPermit, now: Instant) {
        let _ = now;
        let mut word = self.load();
        while word.generation() == permit.generation && self.holds(word, permit.number) {
            match self.exchange(word, Word::half_open(word.generation(), word.probes().returned(permit.number))) {
                Ok(()) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// How many failures in a row stand; `None` unless the breaker is closed. One load.
    pub(crate) fn in_a_row(&self) -> Option<u32> {
        let word = self.load();
        (word.phase().state() == State::Closed).then(|| word.in_a_row())
    }

    /// The state that an attempt at `now` would meet: an open interval that is over reads as half-open.
    ///
    /// # Concurrency
    /// Loads only, and makes no transition.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant, State};
    /// assert_eq!(CircuitBreaker::new(BreakerConfig::DEFAULT)?.state(Instant::ORIGIN), State::Closed);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    #[must_use]
    pub fn state(&self, now: Instant) -> State {
        loop {
            let word = self.load();
            match (word.phase(), self.look(word, now)) {
                (Phase::Open, Some(Look::Begin(..))) => return State::HalfOpen,
                (phase, Some(_)) => return phase.state(),
                (_, None) => {}
            }
        }
    }

    /// Opens a closed breaker on evidence of the caller's own, as a percentile over a sliding window.
    ///
    /// It behaves as if the rule had tripped: the interval is drawn with `random` and the probes follow. A breaker that
    /// is not closed, or is held closed, stays as it is: then the probes judge, not older evidence.
    ///
    /// # Concurrency
    /// Lock-free. Returns the transition if and only if this call made it.
    ///
    /// ```
    /// use seawall::{BreakerConfig, Cause, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// assert_eq!(breaker.trip(Instant::ORIGIN, 7).unwrap().cause, Cause::Tripped);
    /// assert_eq!(breaker.trip(Instant::ORIGIN, 7), None);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn trip(&self, now: Instant, random: u64) -> Option<Transition> {
        let mut word = self.load();
        while word.phase().is_judging() {
            match self.open(word, 0, Cause::Tripped, now, random) {
                Ok(transition) => return transition,
                Err(seen) => word = seen,
            }
        }
        None
    }

    /// Holds the breaker open, whatever happens, until [`force_close`](Self::force_close) or [`reset`](Self::reset).
    ///
    /// # Concurrency
    /// Lock-free. Returns the transition if the breaker was not open and this call opened it.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// assert!(breaker.force_open(Instant::ORIGIN).is_some());
    /// assert!(breaker.try_attempt(Instant::MAX).is_err());
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn force_open(&self, now: Instant) -> Option<Transition> {
        self.force(now, Cause::Forced, |word| Word::new(Phase::HeldOpen, word.next_generation(), 0))
    }

    /// Holds the breaker closed, whatever happens, until [`force_open`](Self::force_open) or [`reset`](Self::reset).
    /// All calls pass and none is judged: it is switched off. To close it and let it judge on, use `reset`.
    ///
    /// # Concurrency
    /// Lock-free. Returns the transition if the breaker was not closed and this call closed it.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// breaker.force_close(Instant::ORIGIN);
    /// assert_eq!(breaker.trip(Instant::ORIGIN, 7), None);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn force_close(&self, now: Instant) -> Option<Transition> {
        self.force(now, Cause::Forced, |word| Word::new(Phase::HeldClosed, word.next_generation(), 0))
    }

    /// Closes the breaker, holds it no more, forgets all evidence and voids all permits. There is no ramp.
    ///
    /// # Concurrency
    /// Lock-free. Returns the transition if the breaker was not closed and this call closed it.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant, State};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// breaker.force_open(Instant::ORIGIN);
    /// assert_eq!(breaker.reset(Instant::ORIGIN).unwrap().to, State::Closed);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn reset(&self, now: Instant) -> Option<Transition> {
        self.force(now, Cause::Reset, |word| Word::closed(word.next_generation(), self.settings.rule(), false))
    }

    /// Changes the configuration while others call. State, generation and permits stay.
    ///
    /// Calls that have ended keep their verdict; a shorter window keeps the newest of them. A change between counting
    /// and a share starts the evidence anew. An interval, lease or ramp that runs keeps its end, unless that lies more
    /// than twice the new length ahead. A call that overlaps with this one may judge by some old and some new fields.
    ///
    /// # Errors
    /// [`BreakerConfigError`]; then nothing has changed.
    ///
    /// # Concurrency
    /// Wait-free. Of two changes at once each field comes from one or the other.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, TripRule};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// breaker.set_config(BreakerConfig { rule: TripRule::Consecutive(3), ..BreakerConfig::DEFAULT })?;
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn set_config(&self, config: BreakerConfig) -> Result<(), BreakerConfigError> {
        self.settings.set(config)
    }

    /// Goes over to another clock: what ended so long after `old_now` now ends as long after `new_now`. For a clock that
    /// was set, or state that outlived the machine's boot.
    ///
    /// Permits keep the old clock's instant, so their latency is not to be trusted; probes may be reported all the same.
    ///
    /// # Concurrency
    /// Lock-free; not one step: a call under way may meet ends of either clock.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// let old_now = Instant::from_nanos(1 << 60);
    /// breaker.trip(old_now, u64::MAX / 2);
    /// breaker.rebase(old_now, Instant::ORIGIN);
    /// let wait = breaker.try_attempt(Instant::ORIGIN).unwrap_err().retry_after().unwrap();
    /// assert!(wait < Duration::from_millis(1001));
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        for moment in [&self.open_end, &self.lease_end, &self.ramp_end] {
            Stamp::rebase_in(moment, old_now, new_now);
        }
    }

    /// Whether a call must not be sent: the guide's word for [`try_attempt`](Self::try_attempt), without a permit.
    ///
    /// A `false` in the half-open state takes a probe's place, so each must be followed by [`on_success`](
    /// Self::on_success) or [`on_failure`](Self::on_failure). Prefer permits: without them a result from before the
    /// trip is taken for a probe's, no latency is known, and the transition to half-open is not told.
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// if !breaker.should_block(Instant::ORIGIN) {
    ///     breaker.on_success(Instant::ORIGIN);
    /// }
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn should_block(&self, now: Instant) -> bool {
        self.try_attempt(now).is_err()
    }

    /// A call without a permit went well. In the half-open state it counts for the oldest probe that is out; see
    /// [`should_block`](Self::should_block).
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant};
    /// assert_eq!(CircuitBreaker::new(BreakerConfig::DEFAULT)?.on_success(Instant::ORIGIN), None);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn on_success(&self, now: Instant) -> Option<Transition> {
        // A success opens nothing, so it needs no drawn number.
        self.on_result(false, now, 0)
    }

    /// A call without a permit failed. `random` is a drawn number; see [`on_success`](Self::on_success).
    ///
    /// ```
    /// use seawall::{BreakerConfig, CircuitBreaker, Instant, State};
    /// let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    /// let told = (0..10).filter_map(|random| breaker.on_failure(Instant::ORIGIN, random)).last();
    /// assert_eq!(told.unwrap().to, State::Open);
    /// # Ok::<(), seawall::BreakerConfigError>(())
    /// ```
    pub fn on_failure(&self, now: Instant, random: u64) -> Option<Transition> {
        self.on_result(true, now, random)
    }

    fn on_result(&self, bad: bool, now: Instant, random: u64) -> Option<Transition> {
        let mut word = self.load();
        loop {
            let step = if word.phase().is_judging() {
                self.judge(word, self.settings.rule(), bad, 1, now, random)
            } else if word.phase() == Phase::HalfOpen && word.probes().out != 0 {
                self.report(word, word.probes().out.trailing_zeros(), bad, now, random)
            } else {
                return None;
            };
            match step {
                Ok(transition) => return transition,
                Err(seen) => word = seen,
            }
        }
    }
}

/// For code over breakers that lie in something else, as [`GuardView`](crate::GuardView) takes them.
impl AsRef<Self> for CircuitBreaker {
    #[inline(always)]
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.load();
        f.debug_struct("CircuitBreaker")
            .field("state", &word.phase().state())
            .field("generation", &word.generation())
            .finish_non_exhaustive()
    }
}
