//! [`Request`], [`Call`] and [`Permit`]: one logical call through all its attempts; and what the guard answers.

use core::time::Duration;

use crate::circuit_breaker::BreakerPermit;
use crate::concurrency_limit::{LimitChange, LimitPermit};
use crate::retry_budget::RetryCost;
use crate::retry_strategy::GiveUpReason;
use crate::time::Instant;
use crate::transition::Transition;

/// What is asked of the service, as far as the guard must know. Start from [`DEFAULT`](Self::DEFAULT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The tokens that each attempt takes from the bucket; 0 is legal and takes none.
    pub cost: u32,
    /// From this instant on the answer is of no use: nothing is sent at it or after it.
    pub deadline: Option<Instant>,
}

impl Request {
    /// One token, no deadline.
    pub const DEFAULT: Self = Self { cost: 1, deadline: None };
}

impl Default for Request {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One logical call, from its beginning through all its attempts. A plain value with one owner; one attempt at a time.
///
/// A call that ends between two attempts without being sent again goes to [`Guard::abandon`](crate::Guard::abandon).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) began: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) cost: u32,
    /// Attempts that were sent and have ended.
    pub(super) ended: u32,
    pub(super) previous_delay: Option<Duration>,
    pub(super) verdict: Option<Verdict>,
    /// What the budget was paid for the next attempt.
    pub(super) paid: Option<RetryCost>,
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
}

/// Leave to send one attempt. A plain value; lost, what it holds is free again when its leases lapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "report the result with `finish`, or give the permit back with `cancel`"]
pub struct Permit {
    pub(super) limit: LimitPermit,
    pub(super) breaker: BreakerPermit,
    /// The attempts that had ended when it was given.
    pub(super) ended: u32,
    /// The tokens that it took.
    pub(super) cost: u32,
}

/// An attempt was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "report the result with `finish`, or give the permit back with `cancel`"]
pub struct Admission {
    /// What to report the result with.
    pub permit: Permit,
    /// The breaker's transition to half-open, if this attempt made it.
    pub transition: Option<Transition>,
}

/// What becomes of a call after an attempt.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the verdict says whether the call may be sent again"]
pub struct Finished {
    /// What becomes of the call.
    pub verdict: Verdict,
    /// The breaker's transition, if this report made it.
    pub transition: Option<Transition>,
    /// The change of the concurrency limit, if this report made one of at least a whole call.
    pub limit_change: Option<LimitChange>,
}
