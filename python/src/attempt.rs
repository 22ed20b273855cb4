//! What the attempts of all mechanisms have in common: how one ended, and who is wrapped in them.

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use seawall::Outcome;

use crate::calls::call1;
use crate::values::bad_text;

const OUTCOMES: &str = "\"success\", \"failure\", \"throttled\", \"timeout\" or \"ignored\"";

/// An outcome by its word. A time-out is a failure: that it took long is measured.
pub(crate) fn outcome(given: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    let Ok(word) = given.cast::<PyString>() else { return Err(bad_text("outcome", given, OUTCOMES)) };
    match &*word.to_cow()? {
        "success" => Ok(Outcome::Success),
        "failure" | "timeout" => Ok(Outcome::Failure),
        "throttled" => Ok(Outcome::Throttled(None)),
        "ignored" => Ok(Outcome::Ignored),
        _ => Err(bad_text("outcome", given, OUTCOMES)),
    }
}

/// How an attempt ended that raised: by what the user said of exceptions, `on`, else by what the package knows.
///
/// What is no `Exception` (a task that was cancelled, Ctrl-C) and a refusal of seawall's own say nothing of the service. A
/// classifier that fails itself is reported, and decides nothing: the error of the call stays what its caller gets.
#[cold]
pub(crate) fn outcome_of(error: &Bound<'_, PyAny>, on: Option<&Py<PyAny>>) -> Outcome {
    static REFUSED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = error.py();
    if !error.is_instance_of::<PyException>() {
        return Outcome::Ignored;
    }
    if REFUSED.import(py, "seawall._errors", "Refused").and_then(|refused| error.is_instance(refused)).unwrap_or(false)
    {
        return Outcome::Ignored;
    }
    classified(error, on)
        .or_else(|failure| {
            failure.write_unraisable(py, on.map(|on| on.bind(py).as_any()));
            classified(error, None)
        })
        .unwrap_or(Outcome::Failure)
}

fn classified(error: &Bound<'_, PyAny>, on: Option<&Py<PyAny>>) -> PyResult<Outcome> {
    static OUTCOME_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    outcome(&call1(OUTCOME_OF.import(error.py(), "seawall._outcome", "outcome_of")?, (error, on))?)
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
