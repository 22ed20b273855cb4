//! [`Counts`]: what was counted, as plain values.

use core::fmt;

use crate::outcome::Outcome;
use crate::refused::{Reason, Stage};
use crate::retry_strategy::GiveUpReason;

// The places of the counters. An event is counted at most once in each, from low places to high ones, and a reader goes
// from high to low: it never finds an end without the beginning.
pub(super) const BEGUN: usize = 0;
pub(super) const ADMITTED: usize = 1;
pub(super) const RETRIES: usize = 2;
const REFUSED: usize = 3;
pub(super) const CANCELLED: usize = REFUSED + Stage::ALL.len() * Reason::ALL.len();
const ENDED: usize = CANCELLED + 1;
const SHADOW: usize = ENDED + OUTCOMES;
pub(super) const DELIVERED: usize = SHADOW + Stage::ALL.len() * OUTCOMES;
pub(super) const IGNORED: usize = DELIVERED + 1;
pub(super) const ABANDONED: usize = IGNORED + 1;
const GIVEN_UP: usize = ABANDONED + 1;
pub(super) const COUNTERS: usize = GIVEN_UP + GiveUpReason::ALL.len();

/// Success, failure, throttled, ignored.
const OUTCOMES: usize = 4;

// A new stage or reason does not compile until it has a place here; it belongs in its `ALL` too.
pub(super) const fn place_of(stage: Stage) -> usize {
    match stage {
        Stage::Deadline => 0,
        Stage::Pause => 1,
        Stage::CircuitBreaker => 2,
        Stage::ConcurrencyLimit => 3,
        Stage::TokenBucket => 4,
        Stage::RetryBudget => 5,
        Stage::KeyedBucket => 6,
    }
}

pub(super) const fn refused(stage: Stage, reason: Reason) -> usize {
    let reason = match reason {
        Reason::NotYet => 0,
        Reason::Never => 1,
        Reason::ClockStepped => 2,
        Reason::NoPlace => 3,
    };
    REFUSED + place_of(stage) * Reason::ALL.len() + reason
}

const fn outcome_place(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Success => 0,
        Outcome::Failure => 1,
        Outcome::Throttled(_) => 2,
        Outcome::Ignored => 3,
    }
}

pub(super) const fn ended(outcome: Outcome) -> usize {
    ENDED + outcome_place(outcome)
}

pub(super) const fn shadow(stage: Stage, outcome: Outcome) -> usize {
    SHADOW + place_of(stage) * OUTCOMES + outcome_place(outcome)
}

pub(super) const fn given_up(reason: GiveUpReason) -> usize {
    let reason = match reason {
        GiveUpReason::Permanent => 0,
        GiveUpReason::AttemptsExhausted => 1,
        GiveUpReason::DeadlineExceeded => 2,
        GiveUpReason::RetryAfterTooLong => 3,
        GiveUpReason::BudgetSpent => 4,
        GiveUpReason::PermitVoid => 5,
        GiveUpReason::ServiceFailing => 6,
    };
    GIVEN_UP + reason
}

/// What recorders counted, over a window or over their lifetime. Sums saturate.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Request, Stage, WindowConfig};
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
/// let now = Instant::ORIGIN;
/// for _ in 0..3 {
///     let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), recorder.begun(now));
///     let answer = guard.try_attempt(&mut call, now);
///     recorder.attempted(&mut record, &answer, now);
/// }
/// let counts = recorder.totals();
/// assert_eq!((counts.begun(), counts.admitted(), counts.refused()), (3, 1, 2)); // it begins with one token
/// assert_eq!(counts.refused_by(Stage::TokenBucket), 2);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Counts {
    pub(super) words: [u64; COUNTERS],
}

/// How attempts ended, by [`Outcome`].
///
/// ```
/// let row = seawall::OutcomeCounts { success: 90, failure: 8, throttled: 2, ignored: 5 };
/// assert_eq!((row.all(), row.bad()), (105, 10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OutcomeCounts {
    /// Answered well.
    pub success: u64,
    /// Failed.
    pub failure: u64,
    /// The service asked to be spared.
    pub throttled: u64,
    /// Say nothing of the service.
    pub ignored: u64,
}

impl OutcomeCounts {
    /// All of them.
    ///
    /// ```
    /// let row = seawall::OutcomeCounts { success: 90, failure: 8, throttled: 2, ignored: 5 };
    /// assert_eq!(row.all(), 105);
    /// ```
    #[must_use]
    pub const fn all(self) -> u64 {
        self.success.saturating_add(self.ignored).saturating_add(self.bad())
    }

    /// Those that speak against the service: failures and throttles.
    ///
    /// ```
    /// let row = seawall::OutcomeCounts { success: 90, failure: 8, throttled: 2, ignored: 5 };
    /// assert_eq!(row.bad(), 10);
    /// ```
    #[must_use]
    pub const fn bad(self) -> u64 {
        self.failure.saturating_add(self.throttled)
    }
}

impl Counts {
    pub(crate) const ZERO: Self = Self { words: [0; COUNTERS] };
    /// More than anything can count.
    #[cfg(test)]
    pub(crate) const FULL: Self = Self { words: [u64::MAX; COUNTERS] };

    #[inline]
    fn get(&self, counter: usize) -> u64 {
        // Always there: the check is for the compiler, which then needs no panic.
        self.words.get(counter).copied().unwrap_or(0)
    }

    fn outcomes_at(&self, first: usize) -> OutcomeCounts {
        OutcomeCounts {
            success: self.get(first),
            failure: self.get(first + 1),
            throttled: self.get(first + 2),
            ignored: self.get(first + 3),
        }
    }

    /// Logical calls that began.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let _call = recorder.begun(Instant::ORIGIN);
    /// assert_eq!(recorder.totals().begun(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.get(BEGUN)
    }

    /// Attempts that were admitted, first ones and retries, those included that were then not sent.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().admitted(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.get(ADMITTED)
    }

    /// Admitted attempts of calls of which an attempt had ended before.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().retries(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.get(RETRIES)
    }

    /// Admitted attempts that were given back unsent.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().cancelled(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> u64 {
        self.get(CANCELLED)
    }

    /// Attempts that were refused, whatever refused them.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, Refused, Stage, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let mut call = recorder.begun(Instant::ORIGIN);
    /// recorder.attempted(&mut call, &Err(Refused::never(Stage::Deadline)), Instant::ORIGIN);
    /// assert_eq!(recorder.totals().refused(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn refused(&self) -> u64 {
        Stage::ALL.iter().fold(0, |sum: u64, stage| sum.saturating_add(self.refused_by(*stage)))
    }

    /// Attempts that `stage` refused, whatever the reason.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, Refused, Stage, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let mut call = recorder.begun(Instant::ORIGIN);
    /// recorder.attempted(&mut call, &Err(Refused::never(Stage::Deadline)), Instant::ORIGIN);
    /// assert_eq!(recorder.totals().refused_by(Stage::Deadline), 1);
    /// assert_eq!(recorder.totals().refused_by(Stage::Pause), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn refused_by(&self, stage: Stage) -> u64 {
        Reason::ALL.iter().fold(0, |sum: u64, reason| sum.saturating_add(self.refused_for(stage, *reason)))
    }

    /// Attempts that `stage` refused for `reason`. Any [`Reason::ClockStepped`] says that a rebase or a reset is due.
    ///
    /// ```
    /// use seawall::{Instant, Reason, Recorder, Refused, Stage, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let mut call = recorder.begun(Instant::ORIGIN);
    /// recorder.attempted(&mut call, &Err(Refused::never(Stage::Deadline)), Instant::ORIGIN);
    /// assert_eq!(recorder.totals().refused_for(Stage::Deadline, Reason::Never), 1);
    /// assert_eq!(recorder.totals().refused_for(Stage::Deadline, Reason::NotYet), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn refused_for(&self, stage: Stage, reason: Reason) -> u64 {
        self.get(refused(stage, reason))
    }

    /// Attempts that were reported, by how they ended.
    ///
    /// ```
    /// use seawall::{OutcomeCounts, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().outcomes(), OutcomeCounts::default());
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn outcomes(&self) -> OutcomeCounts {
        self.outcomes_at(ENDED)
    }

    /// A row of the confusion matrix: how those attempts ended that `stage` would have refused, had it not been in
    /// shadow. Successes are what enforcing it would have cost, failures and throttles what it would have spared.
    ///
    /// An adaptive stage in shadow overstates: enforced, it would have changed what came after.
    ///
    /// ```
    /// use seawall::{OutcomeCounts, Recorder, Stage, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().would_refuse(Stage::TokenBucket), OutcomeCounts::default());
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn would_refuse(&self, stage: Stage) -> OutcomeCounts {
        self.outcomes_at(shadow(stage, Outcome::Success))
    }

    /// The other row: how those attempts ended that no stage in shadow would have refused.
    ///
    /// ```
    /// use seawall::{OutcomeCounts, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().would_pass(), OutcomeCounts::default());
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn would_pass(&self) -> OutcomeCounts {
        Stage::ALL.iter().fold(self.outcomes(), |left, stage| {
            let row = self.would_refuse(*stage);
            OutcomeCounts {
                success: left.success.saturating_sub(row.success),
                failure: left.failure.saturating_sub(row.failure),
                throttled: left.throttled.saturating_sub(row.throttled),
                ignored: left.ignored.saturating_sub(row.ignored),
            }
        })
    }

    /// Calls that ended with a success.
    ///
    /// ```
    /// use seawall::{Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().delivered(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.get(DELIVERED)
    }

    /// Calls that ended with [`Outcome::Ignored`].
    ///
    /// ```
    /// use seawall::{Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().ignored(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.get(IGNORED)
    }

    /// Calls that the caller ended, refused or not, without another attempt.
    ///
    /// ```
    /// use seawall::{Instant, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// recorder.abandoned(recorder.begun(Instant::ORIGIN), Instant::ORIGIN);
    /// assert_eq!(recorder.totals().abandoned(), 1);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.get(ABANDONED)
    }

    /// Calls that failed and are not sent again.
    ///
    /// ```
    /// use seawall::{Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().given_up(), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn given_up(&self) -> u64 {
        GiveUpReason::ALL.iter().fold(0, |sum: u64, reason| sum.saturating_add(self.given_up_for(*reason)))
    }

    /// Calls that failed and are not sent again for `reason`.
    ///
    /// ```
    /// use seawall::{GiveUpReason, Recorder, WindowConfig};
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(recorder.totals().given_up_for(GiveUpReason::BudgetSpent), 0);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn given_up_for(&self, reason: GiveUpReason) -> u64 {
        self.get(given_up(reason))
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts")
            .field("begun", &self.begun())
            .field("admitted", &self.admitted())
            .field("retries", &self.retries())
            .field("refused", &self.refused())
            .field("cancelled", &self.cancelled())
            .field("outcomes", &self.outcomes())
            .field("delivered", &self.delivered())
            .field("ignored", &self.ignored())
            .field("abandoned", &self.abandoned())
            .field("given_up", &self.given_up())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_place_of_its_own() {
        let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Throttled(None), Outcome::Ignored];
        let mut places = std::vec![BEGUN, ADMITTED, RETRIES, CANCELLED, DELIVERED, IGNORED, ABANDONED];
        places.extend(Stage::ALL.iter().flat_map(|stage| Reason::ALL.map(|reason| refused(*stage, reason))));
        places.extend(outcomes.map(ended));
        places.extend(Stage::ALL.iter().flat_map(|stage| outcomes.map(|outcome| shadow(*stage, outcome))));
        places.extend(GiveUpReason::ALL.map(given_up));
        places.sort_unstable();
        assert_eq!(places, (0..COUNTERS).collect::<std::vec::Vec<_>>());
    }
}
