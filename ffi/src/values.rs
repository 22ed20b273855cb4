//! The small values that several types share: rates, warm-ups, outcomes, transitions.

use core::time::Duration;

use seawall::{Curve, Instant, Outcome, Rate, Ratio, Transition, WarmUp};

use crate::status::{Misuse, SEAWALL_E_RATE_ZERO_PERIOD, SEAWALL_E_RATIO, SEAWALL_E_VALUE};

/// Nanoseconds in a second.
///
/// cbindgen:ignore
pub const SEAWALL_SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
///
/// cbindgen:ignore
pub const SEAWALL_MILLISECOND: u64 = 1_000_000;
/// A duration that is not known, or has no bound.
pub const SEAWALL_UNKNOWN: u64 = u64::MAX;

/// A ratio that is not known.
pub const SEAWALL_UNKNOWN_PPM: u32 = u32::MAX;

/// `count` per `period_ns` nanoseconds; a `count` of 0 is never. The period is 1 and more.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_rate_t {
    /// How many.
    pub count: u64,
    /// In how many nanoseconds.
    pub period_ns: u64,
}

impl seawall_rate_t {
    pub(crate) fn to_rate(self) -> Result<Rate, Misuse> {
        // The period fits by its type.
        Rate::new(self.count, Duration::from_nanos(self.period_ns)).map_err(|_| Misuse(SEAWALL_E_RATE_ZERO_PERIOD))
    }

    pub(crate) fn from_rate(rate: Rate) -> Self {
        Self { count: rate.count(), period_ns: nanos(rate.period()) }
    }
}

/// No warm-up's curve: `from` until `duration_ns` is over, then the whole rate.
pub const SEAWALL_CURVE_STEP: u32 = 0;
/// The rate climbs evenly.
pub const SEAWALL_CURVE_LINEAR: u32 = 1;
/// The rate climbs by an equal factor in equal times.
pub const SEAWALL_CURVE_EXPONENTIAL: u32 = 2;

/// How a rate climbs after a start. Zeros, but for the period of `from`, are none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_warm_up_t {
    /// A `SEAWALL_CURVE_…`.
    pub curve: u32,
    /// 0.
    pub reserved: u32,
    /// The rate at the beginning. Where `duration_ns` is 0 it is not looked at.
    pub from: seawall_rate_t,
    /// How long it climbs: 0 (no warm-up) to 365 days.
    pub duration_ns: u64,
}

impl seawall_warm_up_t {
    pub(crate) fn to_warm_up(self) -> Result<WarmUp, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        let curve = match self.curve {
            SEAWALL_CURVE_STEP => Curve::Step,
            SEAWALL_CURVE_LINEAR => Curve::Linear,
            SEAWALL_CURVE_EXPONENTIAL => Curve::Exponential,
            _ => return Err(Misuse(SEAWALL_E_VALUE)),
        };
        if self.duration_ns == 0 {
            return Ok(WarmUp::NONE);
        }
        Ok(WarmUp { curve, from: self.from.to_rate()?, duration: Duration::from_nanos(self.duration_ns) })
    }

    pub(crate) fn from_warm_up(warm_up: WarmUp) -> Self {
        let curve = match warm_up.curve {
            Curve::Linear => SEAWALL_CURVE_LINEAR,
            Curve::Exponential => SEAWALL_CURVE_EXPONENTIAL,
            _ => SEAWALL_CURVE_STEP,
        };
        let from = seawall_rate_t::from_rate(warm_up.from);
        Self { curve, reserved: 0, from, duration_ns: nanos(warm_up.duration) }
    }
}

/// It went well.
pub const SEAWALL_OUTCOME_SUCCESS: u32 = 1;
/// It failed, or nobody answered in time.
pub const SEAWALL_OUTCOME_FAILURE: u32 = 2;
/// The service said that it has too much to do; it may have said for how long.
pub const SEAWALL_OUTCOME_THROTTLED: u32 = 3;
/// It says nothing of the service: cancelled, or a mistake of the caller's.
pub const SEAWALL_OUTCOME_IGNORED: u32 = 4;

/// How a call ended: `outcome` is a `SEAWALL_OUTCOME_…`, `retry_after_ns` counts for one that was throttled only
/// (`SEAWALL_UNKNOWN` where the service did not say).
pub(crate) fn outcome_of(outcome: u32, retry_after_ns: u64) -> Result<Outcome, Misuse> {
    match outcome {
        SEAWALL_OUTCOME_SUCCESS => Ok(Outcome::Success),
        SEAWALL_OUTCOME_FAILURE => Ok(Outcome::Failure),
        SEAWALL_OUTCOME_THROTTLED => Ok(Outcome::Throttled(known(retry_after_ns))),
        SEAWALL_OUTCOME_IGNORED => Ok(Outcome::Ignored),
        _ => Err(Misuse(SEAWALL_E_VALUE)),
    }
}

pub(crate) const fn outcome_number(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Success => SEAWALL_OUTCOME_SUCCESS,
        Outcome::Failure => SEAWALL_OUTCOME_FAILURE,
        Outcome::Throttled(_) => SEAWALL_OUTCOME_THROTTLED,
        // One that is added later says nothing until it has a number here.
        _ => SEAWALL_OUTCOME_IGNORED,
    }
}

/// The breaker lets calls through.
pub const SEAWALL_STATE_CLOSED: u32 = 1;
/// It lets none through.
pub const SEAWALL_STATE_OPEN: u32 = 2;
/// It lets probes through.
pub const SEAWALL_STATE_HALF_OPEN: u32 = 3;

pub(crate) const fn state_number(state: seawall::State) -> u32 {
    match state {
        seawall::State::Closed => SEAWALL_STATE_CLOSED,
        seawall::State::Open => SEAWALL_STATE_OPEN,
        seawall::State::HalfOpen => SEAWALL_STATE_HALF_OPEN,
    }
}

/// As many calls in a row failed as the rule allows.
pub const SEAWALL_CAUSE_CONSECUTIVE_FAILURES: u32 = 1;
/// The share of failed calls in the window reached the rule's.
pub const SEAWALL_CAUSE_FAILURE_SHARE: u32 = 2;
/// The share of slow or failed calls in the window reached the rule's.
pub const SEAWALL_CAUSE_SLOW_SHARE: u32 = 3;
/// The caller tripped it, on evidence of its own.
pub const SEAWALL_CAUSE_TRIPPED: u32 = 4;
/// The open interval is over.
pub const SEAWALL_CAUSE_INTERVAL_OVER: u32 = 5;
/// Enough probes succeeded.
pub const SEAWALL_CAUSE_PROBES_SUCCEEDED: u32 = 6;
/// So many probes failed that the rest could not have saved the verdict.
pub const SEAWALL_CAUSE_PROBES_FAILED: u32 = 7;
/// The caller forced it.
pub const SEAWALL_CAUSE_FORCED: u32 = 8;
/// The caller reset it.
pub const SEAWALL_CAUSE_RESET: u32 = 9;
/// The end of the open interval lay further ahead than any reaches: the clock stepped, and it was given up for over.
pub const SEAWALL_CAUSE_CLOCK_STEPPED: u32 = 10;

/// A change of a circuit breaker's state, told once, to the call that made it. All zeros where there was none: look at
/// `to` first.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_transition_t {
    /// The state before, a `SEAWALL_STATE_…`.
    pub from: u32,
    /// The state after, a `SEAWALL_STATE_…`; 0 where nothing changed.
    pub to: u32,
    /// Why, a `SEAWALL_CAUSE_…`.
    pub cause: u32,
    /// How many changes the breaker had made, this one included, modulo its range.
    pub generation: u32,
    /// Whose breaker: the shard of a guard, else 0.
    pub shard: u32,
    /// 0.
    pub reserved: u32,
}

impl seawall_transition_t {
    /// No change.
    pub(crate) const NONE: Self = Self { from: 0, to: 0, cause: 0, generation: 0, shard: 0, reserved: 0 };

    pub(crate) fn of(transition: Option<Transition>) -> Self {
        transition.map_or(Self::NONE, |transition| Self {
            from: state_number(transition.from),
            to: state_number(transition.to),
            cause: transition.cause as u32,
            generation: transition.generation,
            shard: transition.shard,
            reserved: 0,
        })
    }
}

/// A duration, saturated at 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A duration or `SEAWALL_UNKNOWN`.
pub(crate) fn nanos_or_unknown(duration: Option<Duration>) -> u64 {
    duration.map_or(SEAWALL_UNKNOWN, nanos_known)
}

/// A duration that is known, however long it is: never `SEAWALL_UNKNOWN`.
pub(crate) fn nanos_known(duration: Duration) -> u64 {
    nanos(duration).min(SEAWALL_UNKNOWN - 1)
}

/// None for `SEAWALL_UNKNOWN`.
pub(crate) fn known(ns: u64) -> Option<Duration> {
    (ns != SEAWALL_UNKNOWN).then_some(Duration::from_nanos(ns))
}

#[inline(always)]
pub(crate) const fn instant(now_ns: u64) -> Instant {
    Instant::from_nanos(now_ns)
}

pub(crate) fn ratio(ppm: u32) -> Result<Ratio, Misuse> {
    Ratio::from_ppm(ppm).map_err(|_| Misuse(SEAWALL_E_RATIO))
}

/// The one of `all` that has this number.
pub(crate) fn one_of<T: Copy>(all: &[T], number: u32, number_of: impl Fn(T) -> u32) -> Result<T, Misuse> {
    all.iter().copied().find(|one| number_of(*one) == number).ok_or(Misuse(SEAWALL_E_VALUE))
}
