//! The words of a guard: outcomes, modes, stages, reasons.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use seawall::{Cause, Mode, Outcome, Ratio, Reason, Stage, State};

use crate::values::{bad_text, ratio, seconds};

/// The word for a stage: its name with underscores.
pub(crate) fn stage_word(stage: Stage) -> &'static str {
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

pub(crate) fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::NotYet => "not_yet",
        Reason::Never => "never",
        Reason::ClockStepped => "clock_stepped",
        _ => "no_place",
    }
}

pub(crate) fn state_word(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
    }
}

pub(crate) fn cause_word(cause: Cause) -> &'static str {
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

const STAGES: &str = "\"pause\", \"circuit_breaker\", \"concurrency_limit\", \"token_bucket\", \"retry_budget\" or \
                      \"keyed_bucket\"";

/// The stages that have a mode.
pub(crate) const STAGES_WITH_MODE: [Stage; 6] = [
    Stage::Pause,
    Stage::CircuitBreaker,
    Stage::ConcurrencyLimit,
    Stage::TokenBucket,
    Stage::RetryBudget,
    Stage::KeyedBucket,
];

/// A stage that has a mode.
pub(crate) fn stage(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Stage> {
    let known = given
        .cast::<PyString>()
        .ok()
        .and_then(|text| STAGES_WITH_MODE.into_iter().find(|stage| *text == *stage_word(*stage)));
    known.ok_or_else(|| bad_text(name, given, STAGES))
}

const MODES: &str =
    "\"enforce\", \"shadow\", \"off\", or the share of the keys for which it is enforced, from 0.0 to 1.0";

pub(crate) fn mode(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Mode> {
    if let Ok(text) = given.cast::<PyString>() {
        return match &*text.to_cow()? {
            "enforce" => Ok(Mode::Enforce),
            "shadow" => Ok(Mode::Shadow),
            "off" => Ok(Mode::Off),
            _ => Err(bad_text(name, given, MODES)),
        };
    }
    // False would be a share of 0.0, and that is shadow, where somebody means off.
    if given.is_instance_of::<PyBool>() {
        return Err(bad_text(name, given, MODES));
    }
    match ratio(name, given) {
        Ok(Ratio::ZERO) => Ok(Mode::Shadow),
        Ok(Ratio::ONE) => Ok(Mode::Enforce),
        Ok(share) => Ok(Mode::Canary(share)),
        Err(_) => Err(bad_text(name, given, MODES)),
    }
}

pub(crate) fn mode_object<'py>(py: Python<'py>, mode: Mode) -> Bound<'py, PyAny> {
    let word = match mode {
        Mode::Enforce => "enforce",
        Mode::Shadow => "shadow",
        Mode::Off => "off",
        Mode::Canary(share) => return pyo3::types::PyFloat::new(py, crate::values::as_share(share)).into_any(),
    };
    PyString::intern(py, word).into_any()
}

const OUTCOMES: &str = "\"success\", \"failure\", \"throttled\", \"timeout\" or \"ignored\"";

/// How an attempt ended. Whether a failure was a time-out is measured.
#[inline]
pub(crate) fn outcome(given: &Bound<'_, PyAny>, retry_after: Option<&Bound<'_, PyAny>>) -> PyResult<Outcome> {
    let retry_after = retry_after.map(|wait| seconds("retry_after", wait)).transpose()?;
    let Ok(text) = given.cast::<PyString>() else { return Err(bad_text("outcome", given, OUTCOMES)) };
    outcome_of(&text.to_cow()?, retry_after).ok_or_else(|| bad_text("outcome", given, OUTCOMES))
}

fn outcome_of(word: &str, retry_after: Option<Duration>) -> Option<Outcome> {
    match (word, retry_after) {
        ("success", None) => Some(Outcome::Success),
        ("failure" | "timeout", None) => Some(Outcome::Failure),
        ("ignored", _) => Some(Outcome::Ignored),
        ("throttled", wait) => Some(Outcome::Throttled(wait)),
        // Who names a wait asks to be spared.
        ("failure" | "timeout", wait) => Some(Outcome::Throttled(wait)),
        ("success", _) => Some(Outcome::Success),
        _ => None,
    }
}

/// What a class of error, as `seawall._classify` names it, tells of the service. A permanent error is an answer.
pub(crate) fn outcome_of_class(class: &str, retry_after: Option<Duration>) -> PyResult<Outcome> {
    match class {
        "permanent" => Ok(Outcome::Success),
        "retryable" | "timeout" => Ok(Outcome::Failure),
        "throttled" => Ok(Outcome::Throttled(retry_after)),
        "ignored" => Ok(Outcome::Ignored),
        other => Err(PyValueError::new_err(format!("an error has no class {other:?}"))),
    }
}

/// How long an answer is of use; what is over by now is 0.
pub(crate) fn time_left(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let is_over = given.extract::<f64>().is_ok_and(|left| left < 0.0);
    if is_over { Ok(Duration::ZERO) } else { seconds(name, given) }
}
