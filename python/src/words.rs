//! The words of the package: what the core names by its enumerations is a plain text in Python, with underscores.

use seawall::{Cause, GiveUpReason, LimitReason, RateChangeReason, Reason, Stage, State};

pub(crate) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Deadline => "deadline",
        Stage::Pause => "pause",
        Stage::CircuitBreaker => "circuit_breaker",
        Stage::ConcurrencyLimit => "concurrency_limit",
        Stage::TokenBucket => "token_bucket",
        Stage::RetryBudget => "retry_budget",
        _ => "keyed_bucket",
    }
}

/// Why a stage refused.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NotYet => "not_yet",
        Reason::Never => "never",
        Reason::ClockStepped => "clock_stepped",
        _ => "no_place",
    }
}

pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
    }
}

/// Why a breaker changed its state.
pub(crate) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::ConsecutiveFailures => "consecutive_failures",
        Cause::FailureShare => "failure_share",
        Cause::SlowShare => "slow_share",
        Cause::Tripped => "tripped",
        Cause::IntervalOver => "interval_over",
        Cause::ProbesSucceeded => "probes_succeeded",
        Cause::ProbesFailed => "probes_failed",
        Cause::Forced => "forced",
        Cause::Reset => "reset",
        _ => "clock_stepped",
    }
}

/// Why a limit has moved.
pub(crate) fn limit_reason(reason: LimitReason) -> &'static str {
    match reason {
        LimitReason::Growth => "growth",
        LimitReason::Slow => "slow",
        LimitReason::Timeout => "timeout",
        LimitReason::Throttled => "throttled",
        LimitReason::Refused => "refused",
        _ => "set",
    }
}

/// Why a rate was changed.
pub(crate) fn rate_reason(reason: RateChangeReason) -> &'static str {
    match reason {
        RateChangeReason::Errors => "errors",
        RateChangeReason::Latency => "latency",
        _ => "healthy",
    }
}

/// Why a call is not sent again.
pub(crate) fn give_up(reason: GiveUpReason) -> &'static str {
    match reason {
        GiveUpReason::Permanent => "permanent",
        GiveUpReason::AttemptsExhausted => "attempts_exhausted",
        GiveUpReason::DeadlineExceeded => "deadline_exceeded",
        GiveUpReason::RetryAfterTooLong => "retry_after_too_long",
        GiveUpReason::BudgetSpent => "budget_spent",
        GiveUpReason::PermitVoid => "permit_void",
        _ => "service_failing",
    }
}
