//! [`Guard`]: every mechanism in one place, for the calls to one service.
//!
//! A call begins, asks for an attempt, sends it, reports how it ended, and is told whether and when to ask again. First
//! attempts and retries pass the same stages; retries are paid for from the budget besides.
//!
//! # The invariants
//! - An attempt is sent only if every stage admitted it. What one stage gave is taken back when a later one refuses.
//! - No retry without a payment: the budget is charged before the backoff starts.
//! - No retry is promised to a service that is failing: its breaker is closed, and fewer failures than the bound stand in
//!   a row.
//! - The breaker judges logical calls: it hears of first attempts and of probes, never of other retries. With one shard
//!   of four down a quarter of the calls fails, but more than half of the attempts.
//! - Nothing is sent at or after a call's deadline, and nothing before the end of a pause that the server asked for.
//!
//! - A call is treated alike in all its attempts: the modes that hold for it are read once, when it begins.
//! - Nothing that is in shadow changes what is enforced.
//!
//! # Two passes
//! Admission first looks at every stage, with loads only, and refuses there: deadline, retry, pause, breaker, keyed
//! bucket, limit, bucket. A refused storm so writes nothing shared, whichever stage refuses. Only then it takes, in the
//! order limit, bucket, keyed bucket, breaker: a probe's lease comes last, as it is the dearest to give back. The
//! tokens that the look found it takes by one exchange, which fails where another thread was there since; then it looks
//! anew. A stage that refuses in the second pass lost its place to another thread since the first; the slot goes back, and
//! the tokens where the buckets can take them without granting too much.
//!
//! # Modes
//! Each stage but the deadline has a [`Mode`]. One that is in shadow is asked like the others, and where it would refuse,
//! the attempt goes on without all those in shadow: they take nothing for it and hear nothing of it, as if it had not
//! been sent. What is enforced takes, and hears, as ever: it judges the real traffic. So the state of the shadows is the
//! one that they would have behind refusals, up to what the service makes of the calls that were sent all the same.
//!
//! Where a budget in shadow would have ended a call, its later attempts go without the shadows too. An attempt that
//! another stage in shadow would have refused is paid for by no budget in shadow; its retry, if it comes to one, asks
//! every stage anew.
//!
//! A restart is only marked by a pause or a close whose stage binds at least the calls that the bucket binds.
//!
//! # Shards
//! Each shard has a breaker, and none of them knows of the others: the failures of one open no other, a probe of one
//! closes no other. The tokens restart after a close only if no other shard is closed: else the service was not spared,
//! the calls to the others have kept the bucket low, and to lower it would take tokens from shards that are well.
//!
//! # Keys
//! With [`Guard::with_keyed`] each key has a bucket of its own beside the shared one, and a key that sends too much is
//! refused there with nothing taken: the others find slots and tokens as if it were not there. Every attempt pays, retries
//! too. A key without a place passes or is refused as [`WhenFull`](crate::WhenFull) says.
//!
//! The key is looked at before limit and bucket, though that costs a hash and a line of a table for what those would
//! refuse: who has spent its own tokens is not helped by a slot that is free, nor by the next shared token. It hears how
//! long its own wait is, does not stand in line for what is shared, and is counted as what it is, not as a service that
//! is full. Before it stand pause and breaker, which nobody passes.
//!
//! A restart does not touch these buckets: what a user has left says nothing of the service.
//!
//! What is bounded is how often a key sends, and so only by way of that how many of its calls are in flight: at most its
//! burst and what its rate emits while an attempt takes, all of its leases if it never reports.
//!
//! # The pause and the restart
//! A Retry-After of one call pauses all of them, by what it names and up to a quarter more, at most five minutes and a
//! quarter. A pause under way gets longer, never shorter.
//!
//! A service that was spared comes back cold, while the bucket has filled. So from the end of a pause, and from the
//! success of a probe, the tokens restart at one, and the rate climbs by [`GuardConfig::ramp`]. The first attempt that
//! would pass settles that, as at the instant itself: what was earned since then counts, and who was idle for long after
//! a pause finds a full bucket. It is the one write that a refusal may make, once for each pause or close.
//! The words of both are drawn in `pause.rs`.
//!
//! # One permit, one report
//! The slot in the concurrency limit tells whether a permit is good: whoever frees it reports to the other parts, or
//! takes the tokens back, and nobody else does. So a second report, a cancellation after a report, a report through a
//! copy of the call, and one whose slot went to another after its lease change nothing.
//!
//! With the limit off or in shadow there may be no slot, or one that must not decide. Then the call's own count of its
//! attempts tells a second report from the first. That is weaker in three things: a report through a copy of the call that
//! does not know of the first is heard; so is one after a cancellation; and a cancellation without a slot leaves the
//! tokens spent, as nothing tells whether they have come back already.
//!
//! # Orderings
//! Each stage orders its own words. Between stages:
//! - a slot is freed before its tokens are refunded or its result is judged; the exchange of the slot decides, and both
//!   follow it in the same thread;
//! - the tokens are lowered before the word of the restart is cleared with `Release`, and it is read with `Acquire` after
//!   all stages have been looked at: who finds it clear takes from the lowered bucket;
//! - the restart is marked before the exchange that closes the breaker, and who finds the breaker closed finds the mark.
//!
//! # Limits
//! - Time that stands still: the stages do as they do alone; a pause does not end.
//! - Idle for a year: a new call meets a full bucket, a limit that stayed, and at most a probe.
//! - An older `now`: no time has passed. A pause that ends over 750 s ahead of `now` is the work of a clock that
//!   stepped, and counts as over; the breaker does likewise with what it never sets so far ahead. Bucket and limit say
//!   [`ClockStepped`](crate::Reason::ClockStepped), and [`Guard::rebase`] or [`Guard::reset`] helps.
//! - A restart has a granularity of threads: one that was between the two passes when a probe closed the breaker takes
//!   what it looked at, and a token that it gives back after a restart is there again.
//! - A ramp needs a change of the bucket: where three are under way already it is left out. A thread that is stopped
//!   just before it leaves the full rate, from one token.
//! - A call that is dropped while its retry is paid for keeps the payment: [`Guard::abandon`] gives it back.
//! - One attempt of a call at a time: the guard sends no hedges. Of two permits of a call that are out at once, the one
//!   that is reported second only frees its slot.
//! - What is done to a part through [`Guard::breaker`] and its like goes past the guard: no restart follows it.
//! - A call that is let through without a place is counted by the table, also where a later stage then refuses it.

mod call;
mod config;
mod keyed;
mod modes;
mod parts;
mod pause;
mod shards;
mod state;
mod steps;
mod view;
mod words;
mod work;

use core::fmt;

use crate::circuit_breaker::CircuitBreaker;
use crate::concurrency_limit::{ConcurrencyLimit, ConcurrencyLimitView};
use crate::keyed_buckets::KeyedBucketsView;
use crate::outcome::Outcome;
use crate::refused::Refused;
use crate::retry_budget::RetryBudget;
use crate::sync::const_constructor;
use crate::time::Instant;
use crate::token_bucket::TokenBucket;

pub use call::{Admission, Call, Finished, Permit, Request, Verdict};
pub use config::{GuardConfig, GuardConfigError};
pub use keyed::KeyedStage;
pub use modes::{GuardModes, Mode, ModeError};
use shards::breakers;
pub use state::GuardState;
pub use view::GuardView;
use work::{Parts, Work};

/// Guards the calls to one service, with up to `SLOTS` of them in flight.
///
/// # Shards
/// A service may be made of `SHARDS` parts that fail one by one: replicas, partitions, hosts. Each has a circuit breaker
/// of its own, which [`Request::shard`] chooses; all else is shared, as is the process that calls. So one dead part of
/// four costs its own quarter of the calls and nothing of the others'. [`GuardConfig::for_shards`] is the configuration to
/// start from.
///
/// A guard with the default 64 slots has 1.4 KiB of state, and each shard more takes 96 bytes: 1.7 KiB with four.
///
/// # Keys
/// One process may call for many users. `Keyed` is a bucket for each of them, the [`KeyedBuckets`](crate::KeyedBuckets)
/// that [`with_keyed`](Guard::with_keyed) was given; or `()`, which takes no byte and is what [`new`](Guard::new) makes.
///
/// # Concurrency
/// Every call is lock-free, from any thread or interrupt handler; a refused attempt writes nothing, unless it lost a
/// race. No call panics or allocates.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Request, Verdict};
///
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
///
/// let mut now = Instant::ORIGIN;
/// let mut call = guard.begin(Request::DEFAULT, now);
/// let permit = guard.try_attempt(&mut call, now).unwrap().permit;
/// now = now.saturating_add(Duration::from_millis(20)); // sent, and answered with an error
/// let Verdict::RetryAt(at) = guard.finish(&mut call, permit, Outcome::Failure, now).verdict else { unreachable!() };
///
/// now = at.saturating_add(Duration::from_millis(50)); // by then the bucket has earned a token
/// let permit = guard.try_attempt(&mut call, now).unwrap().permit;
/// assert_eq!(guard.finish(&mut call, permit, Outcome::Success, now).verdict, Verdict::Done);
/// # Ok::<(), seawall::GuardConfigError>(())
/// ```
#[repr(C)]
pub struct Guard<const SLOTS: usize = 64, const SHARDS: usize = 1, Keyed = ()> {
    state: GuardState,
    bucket: TokenBucket,
    budget: RetryBudget,
    breakers: [CircuitBreaker; SHARDS],
    limit: ConcurrencyLimit<SLOTS>,
    /// `()` takes no byte.
    keyed: Keyed,
}

impl<const SLOTS: usize, const SHARDS: usize> Guard<SLOTS, SHARDS> {
    const_constructor! {
        /// A guard that begins at `now`. `seed` is what tells this process from others of its fleet: the same for all
        /// of them would lead them to the same instants.
        ///
        /// The tokens of the start are there at once. The bucket begins to earn up to one interval of its rate later,
        /// at most half a second, as the seed says: guards that begin together do not earn their tokens together.
        ///
        /// # Errors
        /// [`GuardConfigError`] names the part and the field that is out of its range; a limit whose ceiling is over
        /// `SLOTS` is one. `SLOTS` and `SHARDS` are 1 to 65,535, checked at compile time.
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{Guard, GuardConfig, GuardConfigError, Instant, Rate};
        /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
        /// assert!(Guard::<64>::new(config, 7, Instant::ORIGIN).is_ok());
        /// let config = GuardConfig { call_timeout: Duration::ZERO, ..config };
        /// let error = Guard::<64>::new(config, 7, Instant::ORIGIN).unwrap_err();
        /// assert_eq!(error, GuardConfigError::ZeroTimeout);
        /// ```
        pub fn new(config: GuardConfig, seed: u64, now: Instant) -> Result<Self, GuardConfigError> {
            const { assert!(SHARDS >= 1 && SHARDS <= 65_535, "a guard has 1 to 65,535 shards") }
            Ok(Self {
                state: match GuardState::new(config, seed, now) {
                    Ok(state) => state,
                    Err(error) => return Err(error),
                },
                bucket: match config.token_bucket(seed, now) {
                    Ok(bucket) => bucket,
                    Err(error) => return Err(error),
                },
                budget: match RetryBudget::new(config.budget, now) {
                    Ok(budget) => budget,
                    Err(error) => return Err(GuardConfigError::Budget(error)),
                },
                breakers: match breakers(config.breaker) {
                    Ok(breakers) => breakers,
                    Err(error) => return Err(GuardConfigError::Breaker(error)),
                },
                limit: match ConcurrencyLimit::new(config.limit) {
                    Ok(limit) => limit,
                    Err(error) => return Err(GuardConfigError::Limit(error)),
                },
                keyed: (),
            })
        }
    }
}

impl<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage> Parts for Guard<SLOTS, SHARDS, Keyed> {
    #[inline(always)]
    fn state(&self) -> &GuardState {
        &self.state
    }

    #[inline(always)]
    fn bucket(&self) -> &TokenBucket {
        &self.bucket
    }

    #[inline(always)]
    fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    #[inline(always)]
    fn shards(&self) -> u32 {
        // At most 65,535.
        SHARDS as u32
    }

    #[inline(always)]
    fn breaker(&self, shard: u32) -> &CircuitBreaker {
        Guard::breaker(self, shard)
    }

    #[inline(always)]
    fn limit(&self) -> &ConcurrencyLimitView {
        &self.limit
    }

    #[inline(always)]
    fn keyed(&self) -> Option<&KeyedBucketsView> {
        self.keyed.buckets()
    }
}

impl<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage> Guard<SLOTS, SHARDS, Keyed> {
    /// A logical call begins. Takes nothing: that is the work of [`try_attempt`](Self::try_attempt).
    ///
    /// The call's deadline is the request's, or the end of the retry strategy's total deadline where that is earlier.
    ///
    /// The modes that hold for it are those of this moment, and the key decides which canaries it is in.
    ///
    /// # Concurrency
    /// Wait-free; a load for each stage that has a mode.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let now = Instant::from_nanos(5);
    /// let mut late = guard.begin(Request { deadline: Some(now), ..Request::DEFAULT }, now);
    /// assert_eq!(guard.try_attempt(&mut late, now).unwrap_err().stage(), Stage::Deadline);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn begin(&self, request: Request, now: Instant) -> Call {
        Work::begin(self, request, now)
    }

    /// Asks to send the next attempt of `call`.
    ///
    /// Admitted, the caller sends it and reports with [`finish`](Self::finish), or gives back with
    /// [`cancel`](Self::cancel) what it did not send.
    ///
    /// # Errors
    /// [`Refused`] with the stage. [`Stage::Deadline`](crate::Stage::Deadline): too late, for ever. [`Stage::RetryBudget`](crate::Stage::RetryBudget): for ever where the
    /// call is over, or until the instant of its [`Verdict::RetryAt`], whatever the mode of the budget. Else as the stage
    /// itself refuses, if it is enforced.
    ///
    /// # Concurrency
    /// Lock-free. Refused, nothing is written, except where another thread took a place between the two passes, or where
    /// it is the bucket that refuses the first attempt after a pause or a close: that one settles the restart.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut first = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// let mut second = first;
    /// assert!(guard.try_attempt(&mut first, Instant::ORIGIN).is_ok());
    /// assert_eq!(guard.try_attempt(&mut second, Instant::ORIGIN).unwrap_err().stage(), Stage::ConcurrencyLimit);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn try_attempt(&self, call: &mut Call, now: Instant) -> Result<Admission, Refused> {
        Work::try_attempt(self, call, now)
    }

    /// Reports how an attempt ended. Its latency is `now` less the instant of its admission; a failure that took the
    /// call's time-out was one.
    ///
    /// The verdict is [`Done`](Verdict::Done) for `Success` and for `Ignored`; else the retry strategy decides, then
    /// the deadline, then the breaker by [`GuardConfig::retry_streak`], and last the budget is charged: before the
    /// backoff begins, so that what waits in it has been counted.
    ///
    /// An attempt is reported or given back once: its slot in a concurrency limit that is enforced tells, or else the
    /// call's own count. A later report changes
    /// nothing and gets the verdict of the first; through a copy of the call that does not know it, or with a slot that
    /// went to another after its lease, a failure is [`GiveUp(PermitVoid)`](crate::GiveUpReason::PermitVoid).
    ///
    /// # Concurrency
    /// Lock-free. Transition and change are told if and only if this report made them.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{GiveUpReason, Guard, GuardConfig, Instant, Outcome, Rate, Request, RetryConfig, Verdict};
    /// let config = GuardConfig {
    ///     retry: RetryConfig { max_attempts: 1, ..RetryConfig::DEFAULT },
    ///     ..GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1))
    /// };
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// let permit = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    /// let finished = guard.finish(&mut call, permit, Outcome::Failure, Instant::ORIGIN);
    /// assert_eq!(finished.verdict, Verdict::GiveUp(GiveUpReason::AttemptsExhausted));
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn finish(&self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Finished {
        Work::finish(self, call, permit, outcome, now)
    }

    /// Gives an admitted attempt back that was never sent: slot and probe are free, the tokens are refunded where that
    /// cannot grant too much. The call may ask again; a retry stays paid for.
    ///
    /// Returns whether the permit was still good: reported or given back before, or so late that its slot went to
    /// another after its lease, it changes nothing. Without a slot in the concurrency limit, which may be off or in
    /// shadow, nothing shows that it is good: then it returns `false`, the tokens stay spent, and a probe is free.
    ///
    /// # Concurrency
    /// Lock-free. Of several calls for one permit, reports included, one acts.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// let permit = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    /// assert!(guard.cancel(permit, Instant::ORIGIN));
    /// assert!(!guard.cancel(permit, Instant::ORIGIN));
    /// assert!(guard.try_attempt(&mut call, Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn cancel(&self, permit: Permit, now: Instant) -> bool {
        Work::cancel(self, permit, now)
    }

    /// The call is not sent again, whatever its verdict was: a retry that was paid for goes back to the budget.
    /// Idempotent, but see [`Call`] on copies. Every later attempt of it is refused.
    ///
    /// # Concurrency
    /// Lock-free; nothing is written where nothing was paid for.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let before = guard.budget().balance(Instant::ORIGIN);
    /// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
    /// let permit = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    /// let _ = guard.finish(&mut call, permit, Outcome::Failure, Instant::ORIGIN);
    /// guard.abandon(&mut call, Instant::ORIGIN);
    /// assert_eq!(guard.budget().balance(Instant::ORIGIN), before);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn abandon(&self, call: &mut Call, now: Instant) {
        Work::abandon(self, call, now);
    }
}

impl<const SLOTS: usize, const SHARDS: usize, Keyed> fmt::Debug for Guard<SLOTS, SHARDS, Keyed> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("state", &self.state).finish_non_exhaustive()
    }
}
