//! The parts of a guard, to be looked at, and what is done to all of them.

use crate::concurrency_limit::ConcurrencyLimit;
use crate::guard::work::Work;
use crate::guard::{Call, Guard, KeyedStage, Mode, ModeError};
use crate::refused::{Refused, Stage};
use crate::retry_budget::RetryBudget;
use crate::time::Instant;
use crate::token_bucket::{ChangeError, TokenBucket};
use crate::transition::Transition;

impl<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage> Guard<SLOTS, SHARDS, Keyed> {
    /// What [`try_attempt`](Self::try_attempt) would answer now, taking nothing: a refusal, or nothing that refuses.
    ///
    /// # Errors
    /// As [`try_attempt`](Self::try_attempt).
    ///
    /// # Concurrency
    /// Loads only. Advisory: another thread may take the place first, and after a pause or a close the first attempt may
    /// find fewer tokens, as it settles the restart.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// assert!(guard.peek(&call, Instant::ORIGIN).is_ok());
    /// let _permit = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    /// let other = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// assert_eq!(guard.peek(&other, Instant::ORIGIN).unwrap_err().stage(), Stage::ConcurrencyLimit);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn peek(&self, call: &Call, now: Instant) -> Result<(), Refused> {
        Work::peek(self, call, now)
    }

    /// Until when the server asked to be spared, with the spread, if that is still to come.
    ///
    /// # Concurrency
    /// One load. Advisory: another report may make it longer.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// assert_eq!(Guard::<64>::new(config, 7, Instant::ORIGIN)?.paused_until(Instant::ORIGIN), None);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn paused_until(&self, now: Instant) -> Option<Instant> {
        Work::paused_until(self, now)
    }

    /// Goes over to another clock: what was so long after `old_now` is now as long after `new_now`, in every part. For a
    /// clock that was set or stepped (a part then refuses with [`ClockStepped`](crate::Reason::ClockStepped)), or state
    /// that outlived the machine's boot.
    ///
    /// Calls keep instants of the old clock, and the permits that are out are void: their slots and places are free when
    /// their leases lapse, and each call is to begin anew.
    ///
    /// # Errors
    /// [`ChangeError`]; then nothing has changed. [`ChangeError::Contended`]: try again.
    ///
    /// # Concurrency
    /// Lock-free; not one step: a call under way may meet instants of either clock. Not to be called by two at once,
    /// or the parts go over twice.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Reason, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let old_now = Instant::from_nanos(1 << 60);
    /// let guard = Guard::<64>::new(config, 7, old_now)?;
    /// let mut call = guard.begin(Request::DEFAULT, old_now);
    /// let permit = guard.try_attempt(&mut call, old_now).unwrap().permit;
    /// let _ = guard.finish(&mut call, permit, Outcome::Success, old_now);
    ///
    /// let now = Instant::ORIGIN; // an hour, or a year, before that reading
    /// let mut call = guard.begin(Request::DEFAULT, now);
    /// assert_eq!(guard.try_attempt(&mut call, now).unwrap_err().reason(), Reason::ClockStepped);
    /// guard.rebase(old_now, now)?;
    /// let refused = guard.try_attempt(&mut call, now).unwrap_err();
    /// assert!(refused.retry_after() <= Some(Duration::from_millis(200)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) -> Result<(), ChangeError> {
        Work::rebase(self, old_now, new_now)
    }

    /// As if new at `now`: tokens and warm-up as at the start, every key with its burst, no pause, breaker closed without
    /// evidence, nothing in flight, the budget at its initial tokens. Rates, limits and configurations that were set stay,
    /// and so does what the concurrency limit has learned. The bucket earns from `now` on, in phase with every other
    /// that is reset then. Permits that are out are void.
    ///
    /// # Errors
    /// [`ChangeError`]; then nothing has changed. [`ChangeError::Contended`]: try again.
    ///
    /// # Concurrency
    /// Lock-free; not one step: a call admitted meanwhile may be voided or not. Returns the transition of each
    /// shard's breaker that this call closed.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request, State};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::MAX)?;
    /// guard.breaker(0).force_open(Instant::MAX);
    /// let [told] = guard.reset(Instant::ORIGIN)?;
    /// assert_eq!(told.map(|transition| transition.to), Some(State::Closed));
    /// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// assert!(guard.try_attempt(&mut call, Instant::ORIGIN).is_ok());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reset(&self, now: Instant) -> Result<[Option<Transition>; SHARDS], ChangeError> {
        let mut told = [None; SHARDS];
        Work::reset(self, now, |transition| {
            // Each shard is told of by its number.
            if let Some(place) = told.get_mut(transition.shard as usize) {
                *place = Some(transition);
            }
        })?;
        Ok(told)
    }

    /// The mode of a stage. The deadline of a call always holds: [`Mode::Enforce`]. The keyed bucket of a guard that has
    /// none is [`Mode::Off`]. A canary of all calls is `Enforce`, one of none is `Shadow`.
    ///
    /// # Concurrency
    /// One load.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Mode, Rate, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(guard.mode(Stage::TokenBucket), Mode::Enforce);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn mode(&self, stage: Stage) -> Mode {
        Work::mode(self, stage)
    }

    /// Sets the mode of a stage, for the calls that begin from now on: one that has begun is treated alike in all its
    /// attempts. What the stage holds stays: one that was off goes on from where it stood.
    ///
    /// # Errors
    /// [`ModeError`]: the deadline has no mode, and no stage that is not there. Then nothing has changed.
    ///
    /// # Concurrency
    /// Wait-free, one store. A call that begins meanwhile goes by the old mode or the new.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Mode, Rate, Request, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// guard.set_mode(Stage::TokenBucket, Mode::Shadow)?;
    /// guard.set_mode(Stage::ConcurrencyLimit, Mode::Off)?;
    /// let admitted = [(); 2].map(|()| {
    ///     let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    ///     guard.try_attempt(&mut call, Instant::ORIGIN).unwrap()
    /// });
    /// assert_eq!(admitted[0].shadow_refusal, None);
    /// assert_eq!(admitted[1].shadow_refusal.unwrap().stage(), Stage::TokenBucket);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_mode(&self, stage: Stage, mode: Mode) -> Result<(), ModeError> {
        Work::set_mode(self, stage, mode)
    }

    /// The token bucket, to look at it or to change its rate.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// guard.bucket().set_rate(Rate::per_second(8), Instant::ORIGIN)?;
    /// assert_eq!(guard.bucket().available(Instant::ORIGIN), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn bucket(&self) -> &TokenBucket {
        &self.bucket
    }

    /// The concurrency limit, to look at it or to change it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!((guard.limit().limit(), guard.limit().in_flight(Instant::ORIGIN)), (4, 0));
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn limit(&self) -> &ConcurrencyLimit<SLOTS> {
        &self.limit
    }

    /// The retry budget, to look at it or to change it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, RetryTokens};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(guard.budget().balance(Instant::ORIGIN), RetryTokens::ONE);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn budget(&self) -> &RetryBudget {
        &self.budget
    }
}
