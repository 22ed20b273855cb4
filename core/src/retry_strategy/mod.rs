//! [`RetryStrategy`]: whether to send again, and when.
//!
//! A pure value: no clock, no state, no atomics. It is asked after each failed attempt and answers with a wait or
//! with the reason to give up; what it needs to know of the past (attempts made, time spent, previous delay) the
//! caller hands in, so that one strategy serves any number of calls, threads and languages.
//!
//! The invariants:
//! - one logical call is sent at most `max_attempts` times, and never at or after its deadline;
//! - a delay is never above `max_delay`, unless the server asked for more; and never earlier than the server asked;
//! - with any jitter but `None`, no two clients are led to the same instant: neither at the cap, where a cap put
//!   after the jitter would gather them, nor at the end of a server's pause.
//!
//! # Limits
//! `base_delay` 0 means "at once", `factor_percent` 100 means "no growth"; both are legal. Attempt numbers up to
//! `u32::MAX` and durations up to 584 years count exactly, longer durations count as 584 years. Nothing overflows.
//!
//! Backoff alone does not end an overload, it only defers it: give every strategy a
//! [`RetryBudget`](crate::RetryBudget).
//!
//! Sources: Brooker (AWS, 2015) for the jitters, RFC 9110 section 10.2.3 for Retry-After, the AWS SDK's standard mode
//! for the order of the checks (attempts before the budget).

mod executor;
mod jitter;

use core::fmt;
use core::time::Duration;

pub use executor::{RetryError, RetryExecutor};
pub use jitter::Jitter;

use crate::classification::ErrorClass;
use crate::random::up_to;
use crate::time::nanos;

/// What a [`RetryStrategy`] is made of. Durations of 584 years and more count as 584 years.
///
/// ```
/// use core::time::Duration;
/// use seawall::{RetryConfig, RetryStrategy};
///
/// let config = RetryConfig { total_deadline: Some(Duration::from_secs(5)), ..RetryConfig::DEFAULT };
/// assert!(RetryStrategy::new(config).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// How often one call is sent in all, the first time included; at least 1 (1 = never again).
    pub max_attempts: u32,
    /// How long the call may take in all, waits included; no attempt starts at or after it. Over 0. `None`: as long
    /// as the attempts take.
    pub total_deadline: Option<Duration>,
    /// The delay after the first failure, before jitter; 0 means at once. At most `max_delay`.
    pub base_delay: Duration,
    /// By how much the delay grows with each failure, in per cent: 200 doubles, 100 keeps it. At least 100.
    pub factor_percent: u32,
    /// The longest delay of our own, jitter included. A server's Retry-After may ask for more.
    pub max_delay: Duration,
    /// How clients are kept apart.
    pub jitter: Jitter,
    /// The longest Retry-After that is waited for; at a longer one the call is given up.
    pub retry_after_cap: Duration,
}

impl RetryConfig {
    /// For a user who waits: three sends, as the large cloud SDKs and the SRE book do (a fourth repairs little and
    /// costs the server a quarter more); 100 ms, a few round trips, doubling; 20 s where a loop runs for long; full
    /// jitter, the least work for the server; a pause of up to five minutes is honoured, a longer one is an outage
    /// that the caller should hear of.
    pub const DEFAULT: Self = Self {
        max_attempts: 3,
        total_deadline: None,
        base_delay: Duration::from_millis(100),
        factor_percent: 200,
        max_delay: Duration::from_secs(20),
        jitter: Jitter::Full,
        retry_after_cap: Duration::from_secs(300),
    };

    /// For a message that must arrive and that nobody waits for: eight sends, 1 s doubling up to 300 s, each with up
    /// to a second on top. The herd guide's strategy, with its cap before the jitter.
    pub const GUIDE: Self = Self {
        max_attempts: 8,
        total_deadline: None,
        base_delay: Duration::from_secs(1),
        factor_percent: 200,
        max_delay: Duration::from_secs(300),
        jitter: Jitter::Additive,
        retry_after_cap: Duration::from_secs(300),
    };
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a [`RetryConfig`] was not accepted.
///
/// ```
/// use seawall::{RetryConfig, RetryConfigError, RetryStrategy};
/// let error = RetryStrategy::new(RetryConfig { max_attempts: 0, ..RetryConfig::DEFAULT }).unwrap_err();
/// assert_eq!(error, RetryConfigError::ZeroAttempts);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryConfigError {
    /// `max_attempts` was 0: not even the first attempt could be sent.
    ZeroAttempts,
    /// `total_deadline` was 0: not even the first attempt could be sent.
    ZeroDeadline,
    /// `factor_percent` was under 100: delays would shrink while the trouble lasts.
    FactorUnderOne,
    /// `base_delay` was longer than `max_delay`.
    BaseOverMax,
}

impl RetryConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::RetryConfigError;
    /// assert!(RetryConfigError::ZeroAttempts.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ZeroAttempts => "max_attempts is 0: allowed are 1 (only the first send) to 4294967295",
            Self::ZeroDeadline => "total_deadline is 0: allowed are 1 ns and more, or None",
            Self::FactorUnderOne => "factor_percent is under 100: allowed are 100 (no growth) to 4294967295",
            Self::BaseOverMax => "base_delay is longer than max_delay: allowed are 0 to max_delay",
        }
    }
}

impl fmt::Display for RetryConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for RetryConfigError {}

/// One failed attempt, as [`RetryStrategy::decide`] needs to know it.
///
/// ```
/// use core::time::Duration;
/// use seawall::{AttemptFailure, ErrorClass, RetryDecision, RetryStrategy};
///
/// let wait = Some(Duration::from_secs(2));
/// let failure = AttemptFailure { retry_after: wait, ..AttemptFailure::new(1, ErrorClass::Throttled) };
/// let RetryDecision::RetryAfter(delay) = RetryStrategy::DEFAULT.decide(failure, 7) else { panic!("{failure:?}") };
/// assert!(Some(delay) >= wait);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptFailure {
    /// How many attempts have been made, this one included; 0 counts as 1.
    pub attempt: u32,
    /// Since the call began: all attempts and waits.
    pub elapsed: Duration,
    /// What was waited before this attempt; `None` at the first. Only [`Jitter::Decorrelated`] looks at it.
    pub previous_delay: Option<Duration>,
    /// What kind of failure it was.
    pub class: ErrorClass,
    /// How long the server asked to be spared, from now on.
    pub retry_after: Option<Duration>,
}

impl AttemptFailure {
    /// The failure of attempt number `attempt`, at once and without Retry-After; set the other fields as known.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{AttemptFailure, ErrorClass};
    ///
    /// let failure = AttemptFailure {
    ///     elapsed: Duration::from_millis(70),
    ///     ..AttemptFailure::new(1, ErrorClass::Retryable)
    /// };
    /// assert_eq!(failure.retry_after, None);
    /// ```
    #[must_use]
    pub const fn new(attempt: u32, class: ErrorClass) -> Self {
        Self { attempt, elapsed: Duration::ZERO, previous_delay: None, class, retry_after: None }
    }
}

/// What to do after a failed attempt.
///
/// ```
/// use seawall::{AttemptFailure, ErrorClass, GiveUpReason, RetryDecision, RetryStrategy};
///
/// let decision = RetryStrategy::DEFAULT.decide(AttemptFailure::new(1, ErrorClass::Permanent), 0);
/// assert_eq!(decision, RetryDecision::GiveUp(GiveUpReason::Permanent));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the decision says whether the call may be sent again"]
pub enum RetryDecision {
    /// Send again when so much time has passed, budget and gates permitting.
    RetryAfter(Duration),
    /// Do not send again.
    GiveUp(GiveUpReason),
}

/// Why a call is not sent again.
///
/// ```
/// use seawall::GiveUpReason;
/// assert_eq!(GiveUpReason::AttemptsExhausted.to_string(), "all attempts are made");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum GiveUpReason {
    /// The error is permanent: the same request would fail again.
    Permanent = 1,
    /// All attempts are made.
    AttemptsExhausted = 2,
    /// The next attempt would start at or after the deadline.
    DeadlineExceeded = 3,
    /// The server asked for a longer pause than `retry_after_cap`.
    RetryAfterTooLong = 4,
    /// The retry budget is spent: the service fails too much of what it gets.
    BudgetSpent = 5,
    /// The attempt was reported to a guard with a permit that was void: reported before through a copy, or so late that
    /// its slot had gone to another after its lease.
    PermitVoid = 6,
    /// The circuit breaker of a guard is not closed, or too many calls in a row have failed: the service is failing, and
    /// a retry would fail too.
    ServiceFailing = 7,
}

impl GiveUpReason {
    /// All of them, by their numbers: `GiveUpReason::ALL[0] as u8` is 1. As there may be more one day, so may the length be.
    ///
    /// ```
    /// use seawall::GiveUpReason;
    /// assert!(GiveUpReason::ALL.iter().zip(1..).all(|(reason, number)| *reason as u8 == number));
    /// ```
    pub const ALL: [Self; 7] = [
        Self::Permanent,
        Self::AttemptsExhausted,
        Self::DeadlineExceeded,
        Self::RetryAfterTooLong,
        Self::BudgetSpent,
        Self::PermitVoid,
        Self::ServiceFailing,
    ];

    /// The reason with this number.
    pub(crate) const fn of_number(number: u64) -> Option<Self> {
        // Within the list, so it is there, and nothing is cut.
        if number >= 1 && number <= Self::ALL.len() as u64 { Some(Self::ALL[number as usize - 1]) } else { None }
    }

    /// The reason in words, as in logs.
    ///
    /// ```
    /// assert_eq!(seawall::GiveUpReason::BudgetSpent.name(), "the retry budget is spent");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permanent => "the error is permanent",
            Self::AttemptsExhausted => "all attempts are made",
            Self::DeadlineExceeded => "the deadline would be passed",
            Self::RetryAfterTooLong => "the server asked for too long a pause",
            Self::BudgetSpent => "the retry budget is spent",
            Self::PermitVoid => "the permit was void",
            Self::ServiceFailing => "the service is failing",
        }
    }
}

impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Decides after each failed attempt whether to send again, and when.
///
/// # Concurrency
/// A plain `Copy` value without shared state: every call is wait-free and touches no shared memory.
///
/// ```
/// use core::time::Duration;
/// use seawall::{AttemptFailure, ErrorClass, GiveUpReason, RetryDecision, RetryStrategy};
///
/// let strategy = RetryStrategy::DEFAULT;
/// let mut random = seawall::Random::from_seed(7);
///
/// let first = AttemptFailure::new(1, ErrorClass::Retryable);
/// let RetryDecision::RetryAfter(delay) = strategy.decide(first, random.next_u64()) else { panic!() };
/// assert!(delay <= Duration::from_millis(100));
///
/// let last = AttemptFailure::new(3, ErrorClass::Retryable);
/// let decision = strategy.decide(last, random.next_u64());
/// assert_eq!(decision, RetryDecision::GiveUp(GiveUpReason::AttemptsExhausted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RetryStrategy {
    base_ns: u64,
    max_delay_ns: u64,
    /// `u64::MAX`: none.
    deadline_ns: u64,
    retry_after_cap_ns: u64,
    max_attempts: u32,
    factor_percent: u32,
    jitter: Jitter,
    /// How often the base can double up to the cap, if the delay doubles and has full jitter, as usual; else [`UNUSUAL`].
    doublings: u8,
}

const NO_DEADLINE: u64 = u64::MAX;
const UNUSUAL: u8 = u8::MAX;

impl RetryStrategy {
    /// The strategy of [`RetryConfig::DEFAULT`].
    pub const DEFAULT: Self = Self::checked(RetryConfig::DEFAULT);
    /// The strategy of [`RetryConfig::GUIDE`].
    pub const GUIDE: Self = Self::checked(RetryConfig::GUIDE);

    /// A strategy of `config`.
    ///
    /// # Errors
    /// [`RetryConfigError`]: no attempts, no time, a factor under 100 %, or a base delay over the longest delay.
    ///
    /// ```
    /// use seawall::{RetryConfig, RetryConfigError, RetryStrategy};
    ///
    /// let nothing = RetryConfig { max_attempts: 0, ..RetryConfig::DEFAULT };
    /// assert_eq!(RetryStrategy::new(nothing), Err(RetryConfigError::ZeroAttempts));
    /// ```
    pub const fn new(config: RetryConfig) -> Result<Self, RetryConfigError> {
        if config.max_attempts == 0 {
            return Err(RetryConfigError::ZeroAttempts);
        }
        if config.factor_percent < 100 {
            return Err(RetryConfigError::FactorUnderOne);
        }
        let (base_ns, max_delay_ns) = (nanos(config.base_delay), nanos(config.max_delay));
        if base_ns > max_delay_ns {
            return Err(RetryConfigError::BaseOverMax);
        }
        let deadline_ns = match config.total_deadline {
            Some(Duration::ZERO) => return Err(RetryConfigError::ZeroDeadline),
            Some(deadline) => nanos(deadline),
            None => NO_DEADLINE,
        };
        Ok(Self {
            base_ns,
            max_delay_ns,
            deadline_ns,
            retry_after_cap_ns: nanos(config.retry_after_cap),
            max_attempts: config.max_attempts,
            factor_percent: config.factor_percent,
            jitter: config.jitter,
            doublings: match (config.jitter, config.factor_percent, max_delay_ns.checked_div(base_ns)) {
                // At least 1, as the base is at most the cap; so it is under 64 doublings.
                (Jitter::Full, 200, Some(ratio)) => ratio.ilog2() as u8,
                _ => UNUSUAL,
            },
        })
    }

    /// For the constants above; runs in the compiler only.
    const fn checked(config: RetryConfig) -> Self {
        match Self::new(config) {
            Ok(strategy) => strategy,
            Err(_) => panic!("a constant configuration is wrong"),
        }
    }

    /// How often one call is sent in all, the first time included.
    ///
    /// ```
    /// assert_eq!(seawall::RetryStrategy::GUIDE.max_attempts(), 8);
    /// ```
    #[must_use]
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// How long a call may take in all.
    ///
    /// ```
    /// assert_eq!(seawall::RetryStrategy::DEFAULT.total_deadline(), None);
    /// ```
    #[must_use]
    pub const fn total_deadline(&self) -> Option<Duration> {
        if self.deadline_ns == NO_DEADLINE { None } else { Some(Duration::from_nanos(self.deadline_ns)) }
    }

    /// The delay after failed attempt number `attempt` (from 1; 0 counts as 1), jitter included: never above
    /// `max_delay`. Asks neither the number of attempts nor the deadline: [`decide`](Self::decide) does.
    ///
    /// `previous` is the delay before that attempt, for [`Jitter::Decorrelated`]; `None` at the first. `random` is a
    /// number drawn uniformly from all of `u64`, a fresh one each time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Jitter, RetryConfig, RetryStrategy};
    ///
    /// let bare = RetryStrategy::new(RetryConfig { jitter: Jitter::None, ..RetryConfig::GUIDE })?;
    /// assert_eq!(bare.next_delay(1, None, 0), Duration::from_secs(1));
    /// assert_eq!(bare.next_delay(5, None, 0), Duration::from_secs(16));
    /// assert_eq!(bare.next_delay(u32::MAX, None, 0), Duration::from_secs(300));
    /// # Ok::<(), seawall::RetryConfigError>(())
    /// ```
    #[inline]
    #[must_use]
    pub const fn next_delay(&self, attempt: u32, previous: Option<Duration>, random: u64) -> Duration {
        Duration::from_nanos(self.delay_ns(attempt, previous, random))
    }

    /// What to do after `failure`. `random` as in [`next_delay`](Self::next_delay).
    ///
    /// The checks in their order: a permanent error, the number of attempts, a Retry-After over `retry_after_cap`,
    /// the deadline. A Retry-After within the cap is waited for in full, then up to a quarter of it more (or up to
    /// the term of our own backoff, if that is longer), so that a fleet that was sent away as one does not return as
    /// one; a deadline that leaves less room narrows that spread. Where our own delay is longer, it is kept.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{AttemptFailure, ErrorClass, RetryDecision, RetryStrategy};
    ///
    /// let throttled = AttemptFailure {
    ///     retry_after: Some(Duration::from_secs(8)),
    ///     ..AttemptFailure::new(1, ErrorClass::Throttled)
    /// };
    /// let RetryDecision::RetryAfter(delay) = RetryStrategy::DEFAULT.decide(throttled, 42) else { panic!() };
    /// assert!(delay >= Duration::from_secs(8) && delay <= Duration::from_secs(10));
    /// ```
    #[inline]
    pub const fn decide(&self, failure: AttemptFailure, random: u64) -> RetryDecision {
        if matches!(failure.class, ErrorClass::Permanent) {
            return RetryDecision::GiveUp(GiveUpReason::Permanent);
        }
        // No failure without an attempt: 0 counts as 1.
        let made = if failure.attempt == 0 { 1 } else { failure.attempt };
        if made >= self.max_attempts {
            return RetryDecision::GiveUp(GiveUpReason::AttemptsExhausted);
        }
        let has_deadline = self.deadline_ns != NO_DEADLINE;
        let left = if has_deadline { self.deadline_ns.saturating_sub(nanos(failure.elapsed)) } else { u64::MAX };
        let mut delay = self.delay_ns(made, failure.previous_delay, random);
        if let Some(wait) = failure.retry_after {
            let wait = nanos(wait);
            if wait > self.retry_after_cap_ns {
                return RetryDecision::GiveUp(GiveUpReason::RetryAfterTooLong);
            }
            // Both draws rise with `random`, so that the larger of the two is spread as well.
            let asked = wait.saturating_add(up_to(random, self.spread_ns(wait, self.term_ns(made), left)));
            if asked > delay {
                delay = asked;
            }
        }
        if has_deadline && delay >= left {
            return RetryDecision::GiveUp(GiveUpReason::DeadlineExceeded);
        }
        RetryDecision::RetryAfter(Duration::from_nanos(delay))
    }

    /// How much may be added to a server's pause of `wait` with `left` until the deadline: nothing where the pause
    /// alone passes it.
    const fn spread_ns(&self, wait: u64, term: u64, left: u64) -> u64 {
        if matches!(self.jitter, Jitter::None) {
            return 0;
        }
        let width = if term > wait / 4 { term } else { wait / 4 };
        if self.deadline_ns == NO_DEADLINE {
            return width;
        }
        // What ends a nanosecond before the deadline.
        let room = left.saturating_sub(wait).saturating_sub(1);
        if width < room { width } else { room }
    }

    /// The exponential term after failed attempt `attempt`.
    const fn term_ns(&self, attempt: u32) -> u64 {
        jitter::grown(self.base_ns, self.factor_percent, attempt.saturating_sub(1), self.max_delay_ns)
    }

    #[inline]
    const fn delay_ns(&self, attempt: u32, previous: Option<Duration>, random: u64) -> u64 {
        if self.doublings == UNUSUAL {
            return self.any_delay_ns(attempt, previous, random);
        }
        let steps = attempt.saturating_sub(1);
        // Within so many steps nothing is shifted out, as the cap has room for it.
        let term = if steps <= self.doublings as u32 { self.base_ns << steps } else { self.max_delay_ns };
        up_to(random, term)
    }

    /// The delay of any strategy.
    #[inline(never)]
    const fn any_delay_ns(&self, attempt: u32, previous: Option<Duration>, random: u64) -> u64 {
        self.jitter.draw(self.base_ns, self.term_ns(attempt), self.max_delay_ns, previous, random)
    }
}

impl Default for RetryStrategy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_strategy_is_as_any_other() {
        let mut stream = crate::Random::from_seed(7);
        for (base_delay, max_delay) in
            [(0, 0), (0, 9), (1, 1), (1, 2), (3, u64::MAX), (5, 79), (5, 80), (5, 81), (1 << 62, u64::MAX)]
                .map(|(base, cap)| (Duration::from_nanos(base), Duration::from_nanos(cap)))
        {
            let strategy = RetryStrategy::new(RetryConfig { base_delay, max_delay, ..RetryConfig::DEFAULT }).unwrap();
            assert_eq!(strategy.doublings == UNUSUAL, base_delay.is_zero());
            for attempt in (0..70).chain([u32::MAX]) {
                for random in [0, u64::MAX, stream.next_u64()] {
                    let usual = strategy.delay_ns(attempt, None, random);
                    assert_eq!(usual, strategy.any_delay_ns(attempt, None, random), "{strategy:?} {attempt} {random}");
                }
            }
        }
    }
}
