//! What the attempts of all mechanisms have in common: how one ended, and who is wrapped in them.

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use seawall::Outcome;

use crate::calls::call1;
use crate::retry_call::classify;
use crate::values::{bad_text, seconds};

const OUTCOMES: &str = "\"success\", \"failure\", \"throttled\", \"timeout\" or \"ignored\"";

/// An outcome by its word. A time-out is a failure: that it took long is measured. Who names a wait asks to be spared.
#[inline]
pub(crate) fn outcome(given: &Bound<'_, PyAny>, retry_after: Option<&Bound<'_, PyAny>>) -> PyResult<Outcome> {
    let retry_after = retry_after.map(|wait| seconds("retry_after", wait)).transpose()?;
    let Ok(word) = given.cast::<PyString>() else { return Err(bad_text("outcome", given, OUTCOMES)) };
    match (&*word.to_cow()?, retry_after) {
        ("success", _) => Ok(Outcome::Success),
        ("ignored", _) => Ok(Outcome::Ignored),
        ("failure" | "timeout", None) => Ok(Outcome::Failure),
        ("throttled" | "failure" | "timeout", wait) => Ok(Outcome::Throttled(wait)),
        _ => Err(bad_text("outcome", given, OUTCOMES)),
    }
}

/// How an attempt ended that raised: by what the user said of exceptions, `on`, else by what the package knows. What is no
/// `Exception` (a task that was cancelled, Ctrl-C) and a refusal of seawall's own say nothing of the service, and a
/// permanent error is an answer of it.
#[cold]
pub(crate) fn judge(error: &Bound<'_, PyAny>, on: Option<&Py<PyAny>>) -> PyResult<Outcome> {
    let py = error.py();
    let on = on.map_or_else(|| py.get_type::<PyException>().into_any(), |on| on.bind(py).clone());
    let (class, retry_after) = classify(error, &on, true)?;
    match &*class.to_cow()? {
        "permanent" => Ok(Outcome::Success),
        "retryable" | "timeout" => Ok(Outcome::Failure),
        "throttled" => Ok(Outcome::Throttled(retry_after)),
        _ => Ok(Outcome::Ignored),
    }
}

/// As [`judge`]; where that is interrupted, which is reported, the error says nothing: it is what the caller has to get.
#[cold]
pub(crate) fn outcome_of(error: &Bound<'_, PyAny>, on: Option<&Py<PyAny>>) -> Outcome {
    judge(error, on).unwrap_or_else(|failure| {
        failure.write_unraisable(error.py(), on.map(|on| on.bind(error.py()).as_any()));
        Outcome::Ignored
    })
}

/// A coroutine that awaits what is given, inside of its permit.
#[cold]
pub(crate) fn within<'py>(permit: Bound<'py, PyAny>, awaitable: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static WITHIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    call1(WITHIN.import(permit.py(), "seawall._protect", "within")?, (permit, awaitable))
}

/// The function whose every call goes through `whole.call`, or where it is asynchronous, through `whole.try_attempt`.
#[cold]
pub(crate) fn protect<'py>(whole: &Bound<'py, PyAny>, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static PROTECT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    call1(PROTECT.import(whole.py(), "seawall._protect", "protect")?, (whole, function))
}

/// What entering a permit for the second time raises.
#[cold]
pub(crate) fn is_over() -> PyErr {
    PyValueError::new_err("this permit has been reported: ask for another with try_attempt()")
}
