//! What a guard is told: modes, stages, deadlines.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use seawall::{Mode, Ratio, Stage};

use crate::values::{bad_text, ratio, seconds};

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
        .and_then(|text| STAGES_WITH_MODE.into_iter().find(|stage| *text == *crate::words::stage(*stage)));
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

/// How long an answer is of use; what is over by now is 0.
pub(crate) fn time_left(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let is_over = given.extract::<f64>().is_ok_and(|left| left < 0.0);
    if is_over { Ok(Duration::ZERO) } else { seconds(name, given) }
}
