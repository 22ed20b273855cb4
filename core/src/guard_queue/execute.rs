//! The whole life of a call: it begins, waits for leave, is sent, reported, backs off, and is sent again.

use core::fmt;
use core::future::Future;
use core::ops::Deref;
use core::time::Duration;

use super::waiter::Desk;
use super::{AnyGuard, GuardQueue};
use crate::classification::Classification;
use crate::clock::Clock;
use crate::guard::{Call, Permit, Request, Verdict};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::retry_strategy::{GiveUpReason, RetryError};
use crate::time::Instant;

/// A call that did not succeed: the guard did not let it be sent, or it was sent and given up.
///
/// ```
/// use seawall::{GiveUpReason, GuardError, Refused, RetryError, Stage};
///
/// let refused = Refused::never(Stage::Deadline);
/// let never_sent = GuardError::<&str>::Refused { refused, attempts: 0, error: None };
/// assert_eq!(never_sent.to_string(), "not sent, refused by the deadline for ever: more was asked than can fit");
///
/// let last = RetryError { attempts: 3, reason: GiveUpReason::AttemptsExhausted, error: "no answer" };
/// assert_eq!(GuardError::GaveUp(last).to_string(), "given up after 3 attempt(s), all attempts are made: no answer");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardError<E> {
    /// The guard refused an attempt, and it was not worth waiting or the wait was over.
    Refused {
        /// What refused it.
        refused: Refused,
        /// How often the call was sent before.
        attempts: u32,
        /// What the last of these attempts failed with; `None` where it was never sent.
        error: Option<E>,
    },
    /// It was sent and failed, and is not sent again.
    GaveUp(RetryError<E>),
}

impl<E: fmt::Display> fmt::Display for GuardError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { refused, error: None, .. } => write!(f, "not sent, {refused}"),
            Self::Refused { refused, attempts, error: Some(error) } => {
                write!(f, "not sent again after {attempts} attempt(s), {refused}: {error}")
            }
            Self::GaveUp(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for GuardError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Refused { refused, error: None, .. } => Some(refused),
            Self::Refused { error: Some(error), .. } | Self::GaveUp(RetryError { error, .. }) => Some(error),
        }
    }
}

impl<G, C> GuardQueue<G, C>
where
    G: Deref,
    G::Target: AnyGuard + Sized,
    C: Clock,
{
    /// Sends a call until it succeeds, is refused or is given up, and blocks the thread while it waits: for leave before
    /// each attempt, `max_wait` at most, and between two attempts for the instant of the verdict.
    ///
    /// `operation` gets the number of the attempt, from 1; `classify` says what an error means, as an
    /// [`ErrorClass`](crate::ErrorClass), with a Retry-After beside it, or as a whole [`Classification`], whose cost the
    /// guard finds out by itself. An error that is permanent counts as a success of the service.
    ///
    /// If `operation` or `classify` panics, the attempt is reported as [`Outcome::Ignored`]; a retry stays paid for, as it
    /// may have been sent.
    ///
    /// What the guard tells of transitions, and a [`Recorder`](crate::Recorder), need the loop written out: with
    /// [`attempt`](Self::attempt) and [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`GuardError::Refused`] as [`attempt`](Self::attempt) refuses; [`GuardError::GaveUp`] with the last error and the
    /// reason of the verdict, `Permanent`, or `DeadlineExceeded` where the backoff ran past the deadline.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Clock, ErrorClass, Guard, GuardConfig, GuardError, GuardQueue, MonotonicClock, Rate, Request};
    /// let clock = MonotonicClock::new();
    /// let config = GuardConfig::for_service(Rate::per_second(200), Duration::from_millis(500));
    /// let guard = Guard::<64>::new(config, seawall::entropy(), clock.now())?;
    /// let queue = GuardQueue::new(&guard, clock);
    /// let max_wait = Duration::from_millis(200);
    ///
    /// let answer = queue.execute(
    ///     Request::DEFAULT,
    ///     max_wait,
    ///     |attempt| if attempt < 2 { Err(503) } else { Ok("hello") },
    ///     |status| ErrorClass::of_http_status(*status).unwrap_or(ErrorClass::Retryable),
    /// );
    /// assert_eq!(answer, Ok("hello"));
    ///
    /// let answer = queue.execute(Request::DEFAULT, max_wait, |_| Err::<(), _>(404), |_| ErrorClass::Permanent);
    /// assert!(matches!(answer, Err(GuardError::GaveUp(error)) if error.attempts == 1));
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn execute<T, E, K: Into<Classification>>(
        &self,
        request: Request,
        max_wait: Duration,
        mut operation: impl FnMut(u32) -> Result<T, E>,
        mut classify: impl FnMut(&E) -> K,
    ) -> Result<T, GuardError<E>> {
        let mut run = Run::begin(self.desk(), request);
        let mut last = None;
        loop {
            match run.desk.attempt(&mut run.call, max_wait) {
                Ok(admission) => run.admitted(admission.permit),
                Err(refused) => return Err(run.refused(refused, last)),
            }
            run.is_sent = true;
            let result = operation(run.number());
            let at = match run.ended(result, &mut classify) {
                Ended::Over(answer) => return answer,
                Ended::Again(error, at) => {
                    last = Some(error);
                    at
                }
            };
            while let Some(wait) = run.wait_until(at) {
                std::thread::sleep(wait);
            }
        }
    }

    /// As [`execute`](Self::execute), where operation and sleep are futures. Needs no runtime: the sleep is the caller's.
    ///
    /// Dropped while an attempt is under way, it reports [`Outcome::Ignored`]; dropped while it waits, it leaves the line,
    /// and a retry that was paid for goes back to the budget.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{ErrorClass, Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate, Request};
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, &clock);
    /// // With tokio: `MonotonicClock` and `tokio::time::sleep`.
    /// let sleep = |delay| {
    ///     clock.advance(delay);
    ///     core::future::ready(())
    /// };
    /// let call = queue.execute_async(
    ///     Request::DEFAULT,
    ///     Duration::from_secs(1),
    ///     async |attempt| if attempt < 2 { Err("no answer") } else { Ok(42) },
    ///     |_error| ErrorClass::Retryable,
    ///     sleep,
    /// );
    /// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    /// # assert_eq!(core::pin::pin!(call).poll(&mut context), core::task::Poll::Ready(Ok(42)));
    /// # use core::future::Future;
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub async fn execute_async<T, E, K, F, D>(
        &self,
        request: Request,
        max_wait: Duration,
        mut operation: impl FnMut(u32) -> F,
        mut classify: impl FnMut(&E) -> K,
        mut sleep: impl FnMut(Duration) -> D,
    ) -> Result<T, GuardError<E>>
    where
        K: Into<Classification>,
        // Not `AsyncFnMut`: of that the compiler cannot see yet that the future may move between threads.
        F: Future<Output = Result<T, E>>,
        D: Future<Output = ()>,
    {
        let mut run = Run::begin(self.desk(), request);
        let mut last = None;
        loop {
            match run.desk.attempt_async(&mut run.call, max_wait, &mut sleep).await {
                Ok(admission) => run.admitted(admission.permit),
                Err(refused) => return Err(run.refused(refused, last)),
            }
            // A future that was not polled has sent nothing.
            let sending = operation(run.number());
            run.is_sent = true;
            let result = sending.await;
            let at = match run.ended(result, &mut classify) {
                Ended::Over(answer) => return answer,
                Ended::Again(error, at) => {
                    last = Some(error);
                    at
                }
            };
            while let Some(wait) = run.wait_until(at) {
                sleep(wait).await;
            }
        }
    }
}

/// A call under way. Dropped, it owes nothing to the guard.
struct Run<'a, T: AnyGuard, C: Clock> {
    desk: Desk<'a, T, C>,
    call: Call,
    /// Of the attempt that is under way.
    permit: Option<Permit>,
    is_sent: bool,
    /// Whether a retry is paid for that is not sent yet.
    is_paid: bool,
}

impl<'a, T: AnyGuard, C: Clock> Run<'a, T, C> {
    fn begin(desk: Desk<'a, T, C>, request: Request) -> Self {
        Self { desk, call: desk.guard.begin(request, desk.clock.now()), permit: None, is_sent: false, is_paid: false }
    }

    const fn admitted(&mut self, permit: Permit) {
        self.permit = Some(permit);
        self.is_sent = false;
    }

    /// The number of the attempt that is under way.
    const fn number(&self) -> u32 {
        self.call.attempts().saturating_add(1)
    }

    fn refused<E>(&self, refused: Refused, last: Option<E>) -> GuardError<E> {
        let attempts = self.call.attempts();
        match last {
            Some(error) if refused.stage() == Stage::Deadline => {
                GuardError::GaveUp(RetryError { attempts, reason: GiveUpReason::DeadlineExceeded, error })
            }
            error => GuardError::Refused { refused, attempts, error },
        }
    }

    /// Reports the attempt: what became of the call, or the error and the instant of the next attempt.
    fn ended<A, E, K: Into<Classification>>(
        &mut self,
        result: Result<A, E>,
        classify: impl FnOnce(&E) -> K,
    ) -> Ended<A, E> {
        // Before the permit is taken: it may panic.
        let outcome = result.as_ref().err().map_or(Outcome::Success, |error| {
            let Classification { class, retry_after, .. } = classify(error).into();
            class.outcome(retry_after)
        });
        let verdict = self
            .permit
            .take()
            .map_or(Verdict::Done, |permit| self.desk.finish(&mut self.call, permit, outcome).verdict);
        self.is_paid = matches!(verdict, Verdict::RetryAt(_));
        let attempts = self.call.attempts();
        let gave_up = |reason, error| Ended::Over(Err(GuardError::GaveUp(RetryError { attempts, reason, error })));
        match (result, verdict) {
            (Ok(answer), _) => Ended::Over(Ok(answer)),
            (Err(error), Verdict::RetryAt(at)) => Ended::Again(error, at),
            (Err(error), Verdict::GiveUp(reason)) => gave_up(reason, error),
            // A failure that was reported as a success of the service.
            (Err(error), Verdict::Done) => gave_up(GiveUpReason::Permanent, error),
        }
    }

    fn wait_until(&self, at: Instant) -> Option<Duration> {
        let wait = at.saturating_duration_since(self.desk.clock.now());
        (!wait.is_zero()).then_some(wait)
    }
}

enum Ended<A, E> {
    Over(Result<A, GuardError<E>>),
    Again(E, Instant),
}

impl<T: AnyGuard, C: Clock> Drop for Run<'_, T, C> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            if self.is_sent {
                let _ = self.desk.finish(&mut self.call, permit, Outcome::Ignored);
            } else {
                self.desk.cancel(permit);
            }
        }
        if self.is_paid {
            self.desk.guard.abandon(&mut self.call, self.desk.clock.now());
        }
    }
}
