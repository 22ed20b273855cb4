//! [`Request`], [`Call`] and [`Permit`]: one logical call through all its attempts; and what the guard answers.

use core::time::Duration;

use crate::circuit_breaker::BreakerPermit;
use crate::concurrency_limit::{LimitChange, LimitPermit};
use crate::guard::modes::Held;
use crate::refused::Refused;
#[cfg(feature = "std")]
use crate::refused::Stage;
use crate::retry_budget::RetryCost;
use crate::retry_strategy::GiveUpReason;
use crate::time::Instant;
use crate::transition::Transition;

/// What is asked of the service, as far as the guard must know. Start from [`DEFAULT`](Self::DEFAULT).
///
/// ```
/// use seawall::{Instant, Request};
/// let request = Request { deadline: Some(Instant::from_nanos(5_000_000_000)), ..Request::DEFAULT };
/// assert_eq!(request.cost, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose call it is: a user, a tenant, a connection. A guard with [keyed buckets](crate::Guard::with_keyed) has one
    /// for each key; [`key_of`](crate::KeyedBucketsView::key_of) makes a key of a name. And the canary shares
    /// of a guard go by it, so that a caller is treated alike in every call. Where all calls have the same key, a canary
    /// has the whole guard or none of it: a share of the processes of a fleet. Any number; 0 is one like any other.
    pub key: u64,
    /// Which part of the service it goes to, and so which circuit breaker judges it; all its retries go there too. Taken
    /// modulo the number of shards of the guard, so that any number will do, a hash too.
    pub shard: u32,
    /// The tokens that each attempt takes from the bucket, and from the bucket of its key; 0 is legal and takes none.
    pub cost: u32,
    /// From this instant on the answer is of no use: nothing is sent at it or after it.
    pub deadline: Option<Instant>,
}

impl Request {
    /// Key 0, shard 0, one token, no deadline.
    pub const DEFAULT: Self = Self { key: 0, shard: 0, cost: 1, deadline: None };
}

impl Default for Request {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One logical call, from its beginning through all its attempts. A plain value with one owner; one attempt at a time.
///
/// A call that ends between two attempts without being sent again goes to [`Guard::abandon`](crate::Guard::abandon).
///
/// # Copies
/// A copy is the same call as it stood then, for storage that moves values about, and not a second call: go on with one
/// of them and forget the others. The guard notices a second report of an attempt, through whichever copy, by its
/// permit. It cannot notice that two copies hold one payment: each of them could send the retry that was paid for once,
/// or give the payment back. A second call begins with [`Guard::begin`](crate::Guard::begin).
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
/// assert_eq!(call.attempts(), 0);
/// # Ok::<(), seawall::GuardConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) began: Instant,
    pub(super) deadline: Option<Instant>,
    /// The modes that hold for all its attempts.
    pub(super) held: Held,
    pub(super) key: u64,
    /// Under the number of shards.
    pub(super) shard: u32,
    pub(super) cost: u32,
    /// Attempts that were sent and have ended.
    pub(super) ended: u32,
    pub(super) previous_delay: Option<Duration>,
    pub(super) verdict: Option<Verdict>,
    /// What the budget was paid for the next attempt.
    pub(super) paid: Option<RetryCost>,
    /// The stage in shadow that would have ended the call: all later attempts are without those in shadow.
    pub(super) shadow: Option<Refused>,
}

impl Call {
    /// How many attempts were sent and have ended.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(guard.begin(Request::DEFAULT, Instant::ORIGIN).attempts(), 0);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.ended
    }

    /// From when on nothing of it is sent: its request's deadline, or the end of the retry strategy's total deadline
    /// where that is earlier; `None` where it has neither.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let soon = Some(Instant::from_nanos(5));
    /// assert_eq!(guard.begin(Request { deadline: soon, ..Request::DEFAULT }, Instant::ORIGIN).deadline(), soon);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it can be refused by what is shared and worth waiting for. A call that no such stage is enforced for
    /// has no business in a line.
    #[cfg(feature = "std")]
    pub(crate) const fn can_be_kept_waiting(&self) -> bool {
        self.held.enforces(Stage::Pause)
            || self.held.enforces(Stage::ConcurrencyLimit)
            || self.held.enforces(Stage::TokenBucket)
    }
}

/// Leave to send one attempt. A plain value; lost, what it holds is free again when its leases lapse, and its tokens
/// stay spent. Copies of it are one permit: the first report or cancellation acts, and no other.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
/// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
/// let _lost = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
/// assert_eq!(guard.limit().in_flight(Instant::ORIGIN), 1);
/// // The lease is five time-outs.
/// assert_eq!(guard.limit().in_flight(Instant::ORIGIN.saturating_add(Duration::from_millis(5_001))), 0);
/// # Ok::<(), seawall::GuardConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "report the result with `finish`, or give the permit back with `cancel`"]
pub struct Permit {
    pub(super) started: Instant,
    /// The slot; none where the limit has no part in the attempt.
    pub(super) limit: Option<LimitPermit>,
    /// None where the breaker has no part in the attempt.
    pub(super) breaker: Option<BreakerPermit>,
    /// The tokens that it took from the bucket.
    pub(super) tokens: u32,
    /// The tokens that it took from the bucket of its key: none where the key was let through without a place.
    pub(super) keyed_tokens: u32,
    /// The attempts that had ended when it was given.
    pub(super) ended: u32,
    pub(super) shard: u32,
    /// Whose tokens it took.
    pub(super) key: u64,
    /// The stage in shadow that would have refused.
    pub(super) shadow: Option<Refused>,
}

/// An attempt was admitted.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
/// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
/// let admission = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap();
/// assert_eq!(admission.transition, None);
/// assert!(guard.cancel(admission.permit, Instant::ORIGIN));
/// # Ok::<(), seawall::GuardConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "report the result with `finish`, or give the permit back with `cancel`"]
pub struct Admission {
    /// What to report the result with.
    pub permit: Permit,
    /// The breaker's transition to half-open, if this attempt made it.
    pub transition: Option<Transition>,
    /// The stage in [shadow](crate::Mode::Shadow) that would have refused: the first of them, in the order of the stages.
    pub shadow_refusal: Option<Refused>,
}

/// What becomes of a call after an attempt.
///
/// ```
/// use seawall::{GiveUpReason, Instant, Verdict};
/// let said = |verdict| match verdict {
///     Verdict::Done => "done".to_string(),
///     Verdict::RetryAt(at) => format!("again at {} ns", at.as_nanos()),
///     Verdict::GiveUp(reason) => reason.to_string(),
/// };
/// assert_eq!(said(Verdict::RetryAt(Instant::from_nanos(7))), "again at 7 ns");
/// assert_eq!(said(Verdict::GiveUp(GiveUpReason::BudgetSpent)), "the retry budget is spent");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the verdict says whether the call may be sent again"]
pub enum Verdict {
    /// It is over: it succeeded, or was ignored.
    Done,
    /// Ask again for an attempt, not before this instant. The retry is paid for.
    RetryAt(Instant),
    /// It is not sent again.
    GiveUp(GiveUpReason),
}

/// What the end of an attempt led to.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Finished, Guard, GuardConfig, Instant, Outcome, Rate, Request, Verdict};
/// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let mut call = guard.begin(Request::DEFAULT, Instant::ORIGIN);
/// let permit = guard.try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
/// let finished = guard.finish(&mut call, permit, Outcome::Ignored, Instant::ORIGIN);
/// let quiet = Finished {
///     verdict: Verdict::Done,
///     transition: None,
///     limit_change: None,
///     shadow_refusal: None,
///     shadow_give_up: None,
/// };
/// assert_eq!(finished, quiet);
/// # Ok::<(), seawall::GuardConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the verdict says whether the call may be sent again"]
pub struct Finished {
    /// What becomes of the call.
    pub verdict: Verdict,
    /// The breaker's transition, if this report made it.
    pub transition: Option<Transition>,
    /// The change of the concurrency limit, if this report made one of at least a whole call.
    pub limit_change: Option<LimitChange>,
    /// The stage in [shadow](crate::Mode::Shadow) that would have refused the attempt, as its
    /// [`Admission`] said: what would have been refused, beside what became of it.
    pub shadow_refusal: Option<Refused>,
    /// Why a stage in shadow would have given the call up, where the verdict promises a retry. All later attempts of the
    /// call are without the stages in shadow, and each says who ended it.
    pub shadow_give_up: Option<GiveUpReason>,
}
