//! [`RetryExecutor`]: the loop around the calls, with the caller's clock, sleep and randomness.

use core::fmt;
use core::future::Future;
use core::time::Duration;

use super::{AttemptFailure, GiveUpReason, RetryDecision, RetryStrategy};
use crate::classification::Classification;
use crate::clock::Clock;
use crate::random::Random;
use crate::retry_budget::{RetryBudget, RetryCost};
use crate::time::Instant;

/// A call that was given up: why, after how many attempts, and the last error.
///
/// ```
/// use seawall::{GiveUpReason, RetryError};
///
/// let error = RetryError { attempts: 3, reason: GiveUpReason::AttemptsExhausted, error: "no answer" };
/// assert_eq!(error.to_string(), "given up after 3 attempt(s), all attempts are made: no answer");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryError<E> {
    /// How often the call was really sent.
    pub attempts: u32,
    /// Why it was not sent again.
    pub reason: GiveUpReason,
    /// What the last attempt failed with.
    pub error: E,
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "given up after {} attempt(s), {}: {}", self.attempts, self.reason, self.error)
    }
}

impl<E: core::error::Error + 'static> core::error::Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Runs calls under a [`RetryStrategy`], and under a [`RetryBudget`] where one is given.
///
/// It counts the sends of *one* layer: an executor inside the operation of another multiplies them, eight by eight
/// to sixty-four, so put it at one layer only, and let the inner one fail at once. Where that cannot be, give both the
/// same budget: all their retries together are then what it holds.
///
/// One owner each: it holds a random stream, and a copy of it would draw the same delays. After a `fork` make a new
/// one in the child.
///
/// ```
/// use core::time::Duration;
/// use seawall::{ErrorClass, Instant, ManualClock, Random, RetryStrategy};
///
/// // On a microcontroller: a timer for a clock, a busy wait or a low-power sleep for a sleep.
/// let clock = ManualClock::starting_at(Instant::ORIGIN);
/// let mut retry = RetryStrategy::DEFAULT.executor(&clock, Random::from_seed(7), |delay| clock.advance(delay));
///
/// let answer = retry.execute(
///     |attempt| if attempt < 3 { Err("no answer") } else { Ok(42) },
///     |_error| ErrorClass::Retryable,
/// );
/// assert_eq!(answer, Ok(42));
/// ```
#[derive(Debug)]
pub struct RetryExecutor<'a, C, S> {
    strategy: RetryStrategy,
    budget: Option<&'a RetryBudget>,
    clock: C,
    random: Random,
    sleep: S,
}

impl RetryStrategy {
    /// An executor of this strategy. `sleep` waits as long as it is told, or gives a future that does.
    ///
    /// ```
    /// use seawall::{ErrorClass, Instant, ManualClock, Random, RetryStrategy};
    ///
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// let mut retry = RetryStrategy::DEFAULT.executor(&clock, Random::from_seed(7), |delay| clock.advance(delay));
    /// assert_eq!(retry.execute(|_attempt| Ok::<_, ErrorClass>(42), |class| *class), Ok(42));
    /// ```
    #[must_use]
    pub const fn executor<'a, C: Clock, S>(self, clock: C, random: Random, sleep: S) -> RetryExecutor<'a, C, S> {
        RetryExecutor { strategy: self, budget: None, clock, random, sleep }
    }

    /// An executor that blocks the thread while it waits, seeded by the operating system's entropy. `clock` is the
    /// one whose readings the budget gets too, so that all who share a budget share an origin.
    ///
    /// ```
    /// use seawall::{ErrorClass, MonotonicClock, RetryStrategy};
    ///
    /// let mut retry = RetryStrategy::DEFAULT.blocking_executor(MonotonicClock::new());
    /// let read = retry.execute(
    ///     |_attempt| std::fs::read("/no/such/file"),
    ///     |error| match error.kind() {
    ///         std::io::ErrorKind::NotFound => ErrorClass::Permanent,
    ///         _ => ErrorClass::Retryable,
    ///     },
    /// );
    /// assert_eq!(read.unwrap_err().attempts, 1);
    /// ```
    #[cfg(feature = "std")]
    #[must_use]
    pub fn blocking_executor<'a, C: Clock>(self, clock: C) -> RetryExecutor<'a, C, fn(Duration)> {
        self.executor(clock, Random::from_seed(crate::entropy()), std::thread::sleep)
    }
}

impl<'a, C: Clock, S> RetryExecutor<'a, C, S> {
    /// Has each retry paid for by `budget`, and each call that succeeds at its first try pay in.
    ///
    /// ```
    /// use seawall::{Instant, ManualClock, Random, RetryBudget, RetryBudgetConfig, RetryStrategy};
    ///
    /// let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN)?;
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// let mut retry = RetryStrategy::DEFAULT
    ///     .executor(&clock, Random::from_seed(7), |delay| clock.advance(delay))
    ///     .with_budget(&budget);
    /// # let _ = retry.execute(|_| Ok::<_, seawall::ErrorClass>(()), |class| *class);
    /// # Ok::<(), seawall::RetryBudgetError>(())
    /// ```
    #[must_use]
    pub const fn with_budget(mut self, budget: &'a RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Sends until it succeeds or is given up. `operation` gets the number of the attempt, from 1; `classify` says
    /// what an error means, as an [`ErrorClass`](crate::ErrorClass), with a Retry-After beside it, or as a whole
    /// [`Classification`].
    ///
    /// Never waits after the last attempt. The budget is asked before the wait; what it gave for a retry that was
    /// not sent after all (the sleep ran past the deadline, or panicked) it gets back.
    ///
    /// # Errors
    /// [`RetryError`] with the attempts that were really made.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{ErrorClass, GiveUpReason, Instant, ManualClock, Random, RetryStrategy};
    ///
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// let mut retry = RetryStrategy::DEFAULT.executor(&clock, Random::from_seed(7), |delay| clock.advance(delay));
    /// let result = retry.execute(
    ///     |_attempt| Err::<(), u16>(503),
    ///     // The answer carried `Retry-After: 2`.
    ///     |status| {
    ///         let wait = Some(Duration::from_secs(2));
    ///         (ErrorClass::of_http(*status, wait).unwrap_or(ErrorClass::Retryable), wait)
    ///     },
    /// );
    /// let error = result.unwrap_err();
    /// assert_eq!((error.attempts, error.reason), (3, GiveUpReason::AttemptsExhausted));
    /// ```
    pub fn execute<T, E, K: Into<Classification>>(
        &mut self,
        mut operation: impl FnMut(u32) -> Result<T, E>,
        mut classify: impl FnMut(&E) -> K,
    ) -> Result<T, RetryError<E>>
    where
        S: FnMut(Duration),
    {
        let mut call = LogicalCall::begin(&self.clock);
        loop {
            let error = match operation(call.attempt) {
                Ok(answer) => {
                    call.succeeded(self.budget, &self.clock);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match call.failed(&self.strategy, self.budget, &self.clock, &mut self.random, classify(&error).into()) {
                Ok((delay, payment)) => {
                    (self.sleep)(delay);
                    if let Err(reason) = call.send_again(&self.strategy, payment) {
                        return Err(RetryError { attempts: call.attempt, reason, error });
                    }
                }
                Err(reason) => return Err(RetryError { attempts: call.attempt, reason, error }),
            }
        }
    }

    /// As [`execute`](Self::execute), where operation and sleep are futures. Needs no runtime: the sleep is the
    /// caller's. A future that is dropped while it waits gives its token back.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{ErrorClass, Instant, ManualClock, Random, RetryStrategy};
    ///
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// // With tokio: `.executor(MonotonicClock::new(), Random::from_seed(entropy()), tokio::time::sleep)`.
    /// let sleep = |delay| {
    ///     clock.advance(delay);
    ///     core::future::ready(())
    /// };
    /// let mut retry = RetryStrategy::DEFAULT.executor(&clock, Random::from_seed(7), sleep);
    /// let call = retry.execute_async(
    ///     async |attempt| if attempt < 2 { Err("no answer") } else { Ok(42) },
    ///     |_error| ErrorClass::Retryable,
    /// );
    /// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    /// # assert_eq!(core::pin::pin!(call).poll(&mut context), core::task::Poll::Ready(Ok(42)));
    /// # use core::future::Future;
    /// ```
    ///
    /// # Errors
    /// [`RetryError`] with the attempts that were really made.
    pub async fn execute_async<T, E, K, F, D>(
        &mut self,
        mut operation: impl FnMut(u32) -> F,
        mut classify: impl FnMut(&E) -> K,
    ) -> Result<T, RetryError<E>>
    where
        K: Into<Classification>,
        // Not `AsyncFnMut`: of that the compiler cannot see yet that the future may move between threads.
        F: Future<Output = Result<T, E>>,
        D: Future<Output = ()>,
        S: FnMut(Duration) -> D,
    {
        let mut call = LogicalCall::begin(&self.clock);
        loop {
            let error = match operation(call.attempt).await {
                Ok(answer) => {
                    call.succeeded(self.budget, &self.clock);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match call.failed(&self.strategy, self.budget, &self.clock, &mut self.random, classify(&error).into()) {
                Ok((delay, payment)) => {
                    (self.sleep)(delay).await;
                    if let Err(reason) = call.send_again(&self.strategy, payment) {
                        return Err(RetryError { attempts: call.attempt, reason, error });
                    }
                }
                Err(reason) => return Err(RetryError { attempts: call.attempt, reason, error }),
            }
        }
    }
}

/// What one call has behind it.
struct LogicalCall {
    began: Instant,
    /// The number of the attempt that is next or under way; after a failure, of those made.
    attempt: u32,
    previous_delay: Option<Duration>,
}

impl LogicalCall {
    fn begin(clock: &impl Clock) -> Self {
        Self { began: clock.now(), attempt: 1, previous_delay: None }
    }

    fn succeeded(&self, budget: Option<&RetryBudget>, clock: &impl Clock) {
        if let (1, Some(budget)) = (self.attempt, budget) {
            budget.deposit(clock.now());
        }
    }

    /// The delay before the next attempt, paid for, or why there is none.
    fn failed<'c, C: Clock>(
        &mut self,
        strategy: &RetryStrategy,
        budget: Option<&'c RetryBudget>,
        clock: &'c C,
        random: &mut Random,
        failure: Classification,
    ) -> Result<(Duration, Payment<'c, C>), GiveUpReason> {
        let now = clock.now();
        let decision = strategy.decide(
            AttemptFailure {
                attempt: self.attempt,
                elapsed: now.saturating_duration_since(self.began),
                previous_delay: self.previous_delay,
                class: failure.class,
                retry_after: failure.retry_after,
            },
            random.next_u64(),
        );
        let delay = match decision {
            RetryDecision::RetryAfter(delay) => delay,
            RetryDecision::GiveUp(reason) => return Err(reason),
        };
        if let Some(budget) = budget {
            budget.try_withdraw(failure.cost, now).map_err(|_| GiveUpReason::BudgetSpent)?;
        }
        self.previous_delay = Some(delay);
        Ok((delay, Payment { budget, clock, cost: failure.cost }))
    }

    /// The wait is over: whether there is still time for the next attempt.
    fn send_again<C: Clock>(&mut self, strategy: &RetryStrategy, payment: Payment<'_, C>) -> Result<(), GiveUpReason> {
        let elapsed = payment.clock.now().saturating_duration_since(self.began);
        if strategy.total_deadline().is_some_and(|deadline| elapsed >= deadline) {
            return Err(GiveUpReason::DeadlineExceeded);
        }
        payment.spend();
        // Under max_attempts, or the strategy would have given up.
        self.attempt = self.attempt.saturating_add(1);
        Ok(())
    }
}

/// What the budget gave for a retry that is still to be sent; goes back if it is dropped first.
struct Payment<'c, C: Clock> {
    budget: Option<&'c RetryBudget>,
    clock: &'c C,
    cost: RetryCost,
}

impl<C: Clock> Payment<'_, C> {
    fn spend(mut self) {
        self.budget = None;
    }
}

impl<C: Clock> Drop for Payment<'_, C> {
    fn drop(&mut self) {
        if let Some(budget) = self.budget {
            budget.refund(self.cost, self.clock.now());
        }
    }
}
