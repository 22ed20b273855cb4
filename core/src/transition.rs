//! [`Transition`]: a change of a circuit breaker's state, told once, to the call that made it.

use core::fmt;

/// The state of a circuit breaker.
///
/// ```
/// assert_eq!(seawall::State::HalfOpen.name(), "half-open");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Calls pass and are judged.
    Closed = 0,
    /// Calls are refused until the open interval is over.
    Open = 1,
    /// A few probes pass, the rest is refused until the probes have shown how the service is.
    HalfOpen = 2,
}

impl State {
    /// The name in words, as in metrics and logs.
    ///
    /// ```
    /// assert_eq!(seawall::State::Open.name(), "open");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a circuit breaker changed its state.
///
/// ```
/// assert_eq!(seawall::Cause::ProbesFailed.name(), "the probes failed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Cause {
    /// As many calls in a row failed as the rule allows.
    ConsecutiveFailures = 1,
    /// The share of failed calls in the window reached the rule's.
    FailureShare = 2,
    /// The share of slow or failed calls in the window reached the rule's.
    SlowShare = 3,
    /// The caller tripped it, on evidence of its own.
    Tripped = 4,
    /// The open interval is over.
    IntervalOver = 5,
    /// Enough probes succeeded.
    ProbesSucceeded = 6,
    /// So many probes failed that the rest could not have saved the verdict.
    ProbesFailed = 7,
    /// The caller forced it.
    Forced = 8,
    /// The caller reset it.
    Reset = 9,
    /// The end of the open interval lay further ahead of `now` than any open interval reaches: the clock stepped, and
    /// the interval was given up for over.
    ClockStepped = 10,
}

impl Cause {
    /// All of them, by their numbers: `Cause::ALL[0] as u8` is 1. As there may be more one day, so may the length be.
    ///
    /// ```
    /// use seawall::Cause;
    /// assert!(Cause::ALL.iter().zip(1..).all(|(cause, number)| *cause as u8 == number));
    /// ```
    pub const ALL: [Self; 10] = [
        Self::ConsecutiveFailures,
        Self::FailureShare,
        Self::SlowShare,
        Self::Tripped,
        Self::IntervalOver,
        Self::ProbesSucceeded,
        Self::ProbesFailed,
        Self::Forced,
        Self::Reset,
        Self::ClockStepped,
    ];

    /// The cause in words, as in metrics and logs.
    ///
    /// ```
    /// assert_eq!(seawall::Cause::IntervalOver.name(), "the open interval is over");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive failures",
            Self::FailureShare => "share of failures",
            Self::SlowShare => "share of slow calls",
            Self::Tripped => "tripped by the caller",
            Self::IntervalOver => "the open interval is over",
            Self::ProbesSucceeded => "the probes succeeded",
            Self::ProbesFailed => "the probes failed",
            Self::Forced => "forced by the caller",
            Self::Reset => "reset by the caller",
            Self::ClockStepped => "the clock stepped",
        }
    }
}

/// One change of state. The call that made it gets it as a value, and no other call does.
///
/// `from` and `to` differ. Generations grow (modulo 2^28): sorted by generation, the transitions of a breaker form a
/// chain in which each starts where the one before it ended. Some generations are no transition, so numbers may be
/// missing.
///
/// ```
/// use seawall::{Cause, State, Transition};
///
/// let cause = Cause::FailureShare;
/// let transition = Transition { from: State::Closed, to: State::Open, generation: 1, cause, shard: 0 };
/// assert_eq!(transition.to_string(), "closed to open: share of failures");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The generation that began with it, 0 to 2^28 - 1.
    pub generation: u32,
    /// Why.
    pub cause: Cause,
    /// The shard whose breaker it is, in a [`Guard`](crate::Guard) that has several; else 0. Each has generations of its
    /// own.
    pub shard: u32,
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}: {}", self.from.name(), self.to.name(), self.cause.name())
    }
}
