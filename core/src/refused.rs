//! [`Refused`]: the one shape in which every mechanism says no.

use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;

use crate::time::nanos;

/// The mechanism that refused.
///
/// ```
/// assert_eq!(seawall::Stage::CircuitBreaker.name(), "circuit breaker");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Stage {
    /// The call's own deadline has passed.
    Deadline = 1,
    /// The server asked for a pause (Retry-After), and it is not over.
    Pause = 2,
    /// The circuit breaker is open, or its probes are all out.
    CircuitBreaker = 3,
    /// As many calls as allowed are in flight.
    ConcurrencyLimit = 4,
    /// The token bucket holds too few tokens.
    TokenBucket = 5,
    /// The retry budget is spent.
    RetryBudget = 6,
    /// The bucket of the call's key holds too few tokens, or the table has no place for the key.
    KeyedBucket = 7,
}

impl Stage {
    /// All of them, by their numbers: `Stage::ALL[0] as u8` is 1. As there may be more one day, so may the length be.
    ///
    /// ```
    /// use seawall::Stage;
    /// assert!(Stage::ALL.iter().zip(1..).all(|(stage, number)| *stage as u8 == number));
    /// ```
    pub const ALL: [Self; 7] = [
        Self::Deadline,
        Self::Pause,
        Self::CircuitBreaker,
        Self::ConcurrencyLimit,
        Self::TokenBucket,
        Self::RetryBudget,
        Self::KeyedBucket,
    ];

    /// The name in words, as in metrics and logs.
    ///
    /// ```
    /// assert_eq!(seawall::Stage::TokenBucket.name(), "token bucket");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Pause => "pause",
            Self::CircuitBreaker => "circuit breaker",
            Self::ConcurrencyLimit => "concurrency limit",
            Self::TokenBucket => "token bucket",
            Self::RetryBudget => "retry budget",
            Self::KeyedBucket => "keyed bucket",
        }
    }
}

/// Why a mechanism refused.
///
/// ```
/// use seawall::{Reason, Refused, Stage};
/// assert_eq!(Refused::never(Stage::TokenBucket).reason(), Reason::Never);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// Not now; later it may pass. [`Refused::retry_after`] says when, where that can be known.
    NotYet = 1,
    /// Not ever: more was asked than can fit.
    Never = 2,
    /// `now` lies further behind the state than the mechanism can owe: the clock stepped. Waiting
    /// does not help; `rebase` or `reset` does.
    ClockStepped = 3,
    /// Not now: all places where this key could be remembered are held by others.
    NoPlace = 4,
}

impl Reason {
    /// All of them, by their numbers: `Reason::ALL[0] as u8` is 1. As there may be more one day, so may the length be.
    ///
    /// ```
    /// use seawall::Reason;
    /// assert!(Reason::ALL.iter().zip(1..).all(|(reason, number)| *reason as u8 == number));
    /// ```
    pub const ALL: [Self; 4] = [Self::NotYet, Self::Never, Self::ClockStepped, Self::NoPlace];
}

/// A refusal: which mechanism, why, and when to come back.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Reason, Refused, Stage};
///
/// let refused = Refused::not_yet(Stage::TokenBucket, Some(Duration::from_millis(20)));
/// assert_eq!(refused.stage(), Stage::TokenBucket);
/// assert_eq!(refused.reason(), Reason::NotYet);
/// assert_eq!(refused.retry_after(), Some(Duration::from_millis(20)));
/// assert_eq!(refused.to_string(), "refused by the token bucket, retry after 20ms");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a refused call must not be sent"]
pub struct Refused {
    /// Nanoseconds; `u64::MAX` where it cannot be known.
    retry_after_ns: u64,
    who: Who,
}

/// Stage and reason in one number that is not zero: so an answer that may be a refusal is two words, which functions
/// return in registers. As two bytes they went by way of memory, and who read them there at once waited for the stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Who(NonZeroU16);

impl Who {
    const fn new(stage: Stage, reason: Reason) -> Self {
        match NonZeroU16::new((stage as u16) << 8 | reason as u16) {
            Some(number) => Self(number),
            // Both are numbered from 1.
            None => Self(NonZeroU16::MIN),
        }
    }

    const fn stage(self) -> Stage {
        match self.0.get() >> 8 {
            1 => Stage::Deadline,
            2 => Stage::Pause,
            3 => Stage::CircuitBreaker,
            4 => Stage::ConcurrencyLimit,
            5 => Stage::TokenBucket,
            6 => Stage::RetryBudget,
            _ => Stage::KeyedBucket,
        }
    }

    const fn reason(self) -> Reason {
        match self.0.get() & 0xFF {
            1 => Reason::NotYet,
            2 => Reason::Never,
            3 => Reason::ClockStepped,
            _ => Reason::NoPlace,
        }
    }
}

impl Refused {
    /// Refused for now. `retry_after` is `None` where it cannot be known, and never zero: what could pass at once
    /// would not have been refused, and a zero would make the caller spin, so zero becomes a nanosecond.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Refused, Stage};
    /// assert_eq!(Refused::not_yet(Stage::Pause, None).retry_after(), None);
    /// let at_once = Refused::not_yet(Stage::Pause, Some(Duration::ZERO));
    /// assert_eq!(at_once.retry_after(), Some(Duration::from_nanos(1)));
    /// ```
    pub const fn not_yet(stage: Stage, retry_after: Option<Duration>) -> Self {
        match retry_after {
            Some(wait) => Self::not_yet_ns(stage, nanos(wait)),
            None => Self { retry_after_ns: u64::MAX, who: Who::new(stage, Reason::NotYet) },
        }
    }

    /// As [`not_yet`](Self::not_yet), in nanoseconds; `u64::MAX` is "cannot be known".
    pub(crate) const fn not_yet_ns(stage: Stage, nanos: u64) -> Self {
        Self { retry_after_ns: if nanos == 0 { 1 } else { nanos }, who: Who::new(stage, Reason::NotYet) }
    }

    /// As [`not_yet_ns`](Self::not_yet_ns) where it is known and over zero.
    #[inline]
    pub(crate) const fn missing_ns(stage: Stage, nanos: u64) -> Self {
        Self { retry_after_ns: nanos, who: Who::new(stage, Reason::NotYet) }
    }

    /// Refused for ever: more was asked than can fit.
    ///
    /// ```
    /// use seawall::{Refused, Stage};
    /// let refused = Refused::never(Stage::TokenBucket);
    /// assert_eq!(refused.to_string(), "refused by the token bucket for ever: more was asked than can fit");
    /// ```
    pub const fn never(stage: Stage) -> Self {
        Self { retry_after_ns: u64::MAX, who: Who::new(stage, Reason::Never) }
    }

    /// Refused because the clock stepped back.
    ///
    /// ```
    /// use seawall::{Reason, Refused, Stage};
    /// assert_eq!(Refused::clock_stepped(Stage::ConcurrencyLimit).reason(), Reason::ClockStepped);
    /// ```
    pub const fn clock_stepped(stage: Stage) -> Self {
        Self { retry_after_ns: u64::MAX, who: Who::new(stage, Reason::ClockStepped) }
    }

    /// Refused because there is no place for the key. `retry_after` is when the first place may be free, and another key
    /// may take it then.
    ///
    /// ```
    /// use seawall::{Reason, Refused, Stage};
    /// let refused = Refused::no_place(Stage::KeyedBucket, None);
    /// assert_eq!(refused.reason(), Reason::NoPlace);
    /// assert_eq!(refused.to_string(), "refused by the keyed bucket: there is no place for this key");
    /// ```
    pub const fn no_place(stage: Stage, retry_after: Option<Duration>) -> Self {
        Self { who: Who::new(stage, Reason::NoPlace), ..Self::not_yet(stage, retry_after) }
    }

    /// Stage and reason in the lowest 16 bits, which are not zero, and the wait.
    pub(crate) const fn to_words(self) -> (u64, u64) {
        (self.who.0.get() as u64, self.retry_after_ns)
    }

    /// What [`to_words`](Self::to_words) took apart; `None` where no refusal has these words.
    pub(crate) const fn from_words(who: u64, retry_after_ns: u64) -> Option<Self> {
        let (stage, reason) = (who >> 8, who & 0xFF);
        let is_known =
            stage >= 1 && stage <= Stage::ALL.len() as u64 && reason >= 1 && reason <= Reason::ALL.len() as u64;
        match NonZeroU16::new((who & 0xFFFF) as u16) {
            Some(who) if is_known && retry_after_ns != 0 => Some(Self { retry_after_ns, who: Who(who) }),
            _ => None,
        }
    }

    /// The mechanism that refused.
    ///
    /// ```
    /// use seawall::{Refused, Stage};
    /// assert_eq!(Refused::never(Stage::TokenBucket).stage(), Stage::TokenBucket);
    /// ```
    #[must_use]
    pub const fn stage(self) -> Stage {
        self.who.stage()
    }

    /// Why.
    ///
    /// ```
    /// use seawall::{Reason, Refused, Stage};
    /// assert_eq!(Refused::not_yet(Stage::TokenBucket, None).reason(), Reason::NotYet);
    /// ```
    #[must_use]
    pub const fn reason(self) -> Reason {
        self.who.reason()
    }

    /// How long to wait before it may pass; `None` where that cannot be known.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Refused, Stage};
    /// let wait = Some(Duration::from_millis(20));
    /// assert_eq!(Refused::not_yet(Stage::TokenBucket, wait).retry_after(), wait);
    /// assert_eq!(Refused::never(Stage::TokenBucket).retry_after(), None);
    /// ```
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        if self.retry_after_ns == u64::MAX { None } else { Some(Duration::from_nanos(self.retry_after_ns)) }
    }

    /// How long it is worth to wait for it to pass, of `patience` at most; `None` where waiting does not help, and the
    /// caller is to be told at once. The one rule of everything that waits for a [`Guard`](crate::Guard).
    ///
    /// | refused by | worth waiting |
    /// | --- | --- |
    /// | the concurrency limit | all of `patience`: a slot is free as soon as somebody reports |
    /// | the token bucket, the pause | until then, where that is known and within `patience` |
    /// | the retry budget, between two attempts | likewise: until the call's own instant |
    /// | the circuit breaker | never: the service is failing, and who waits for it is the next storm |
    /// | the keyed bucket | never: who waits for a key of its own would keep all other keys waiting |
    /// | the deadline; for ever; a clock that stepped | never |
    ///
    /// A bucket whose rate is zero knows no instant: there is nothing to wait for.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Refused, Stage};
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Refused::not_yet(Stage::TokenBucket, Some(second / 2)).worth_waiting(second), Some(second / 2));
    /// assert_eq!(Refused::not_yet(Stage::TokenBucket, Some(second * 2)).worth_waiting(second), None);
    /// assert_eq!(Refused::not_yet(Stage::ConcurrencyLimit, None).worth_waiting(second), Some(second));
    /// assert_eq!(Refused::not_yet(Stage::CircuitBreaker, Some(second / 2)).worth_waiting(second), None);
    /// ```
    #[must_use]
    pub const fn worth_waiting(self, patience: Duration) -> Option<Duration> {
        let patience = nanos(patience);
        if patience == 0 || !matches!(self.reason(), Reason::NotYet) {
            return None;
        }
        // `u64::MAX` is an instant that cannot be known.
        let wait = match self.stage() {
            Stage::ConcurrencyLimit if self.retry_after_ns > patience => patience,
            Stage::ConcurrencyLimit => self.retry_after_ns,
            Stage::TokenBucket | Stage::Pause | Stage::RetryBudget if self.retry_after_ns != u64::MAX => {
                self.retry_after_ns
            }
            _ => return None,
        };
        if wait > patience { None } else { Some(Duration::from_nanos(wait)) }
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("stage", &self.stage())
            .field("reason", &self.reason())
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by the {}", self.stage().name())?;
        match (self.reason(), self.retry_after()) {
            (Reason::NotYet, Some(wait)) => write!(f, ", retry after {wait:?}"),
            (Reason::NotYet, None) => f.write_str(", when to retry is not known"),
            (Reason::Never, _) => f.write_str(" for ever: more was asked than can fit"),
            (Reason::NoPlace, Some(wait)) => write!(f, ": there is no place for this key, retry after {wait:?}"),
            (Reason::NoPlace, None) => f.write_str(": there is no place for this key"),
            (Reason::ClockStepped, _) => f.write_str(": the clock stepped back"),
        }
    }
}

impl core::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_stage_and_the_reason_that_it_was_made_of() {
        for stage in Stage::ALL {
            for reason in Reason::ALL {
                let who = Who::new(stage, reason);
                assert_eq!((who.stage(), who.reason()), (stage, reason));
            }
        }
        assert_eq!(size_of::<Result<(), Refused>>(), 16);
    }
}
