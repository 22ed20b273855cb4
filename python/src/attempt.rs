//! What the attempts of all mechanisms have in common: how one ended, and who is wrapped in them.

use pyo3::PyClass;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};
use seawall::Outcome;

use crate::awaitable::is_awaitable;
use crate::calls::{call, call1};
use crate::held;
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
fn outcome_of(error: &Bound<'_, PyAny>, on: Option<&Py<PyAny>>) -> Outcome {
    judge(error, on).unwrap_or_else(|failure| {
        failure.write_unraisable(error.py(), on.map(|on| on.bind(error.py()).as_any()));
        Outcome::Ignored
    })
}

/// What lets calls through one by one, and hears how they ended: a breaker, a limit.
pub(crate) trait Protects: PyClass<Frozen = True> + Sync {
    /// Leave for one call, as the core gives it.
    type Leave: Copy;

    fn admit(&self, py: Python<'_>) -> PyResult<Self::Leave>;

    fn finish(&self, py: Python<'_>, leave: Self::Leave, outcome: Outcome);

    /// What tells the errors apart.
    fn on(&self) -> Option<&Py<PyAny>>;

    /// The permit that is made of a leave.
    fn permit<'py>(slf: &Bound<'py, Self>, leave: Self::Leave) -> PyResult<Bound<'py, PyAny>>;

    /// How a block ended: by what it raised, or None.
    fn outcome(&self, error: &Bound<'_, PyAny>) -> Outcome {
        if error.is_none() { Outcome::Success } else { outcome_of(error, self.on()) }
    }

    /// A permit by hand, or of a `with` of its own.
    fn ask<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::permit(slf, slf.get().admit(slf.py())?)
    }

    /// The permit of `with breaker:`, kept until that ends.
    fn enter<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let permit = Self::ask(slf)?;
        held::push(&permit)?;
        Ok(permit)
    }

    /// Calls `function` behind it: what it returns, awaited inside where that is still to be awaited, or what it raises.
    #[inline]
    fn run<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static WITHIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (py, this) = (slf.py(), slf.get());
        let leave = this.admit(py)?;
        match call(function, args, kwargs) {
            Ok(answer) if is_awaitable(&answer) => {
                call1(WITHIN.import(py, "seawall._protect", "within")?, (Self::permit(slf, leave)?, answer))
            }
            Ok(answer) => {
                this.finish(py, leave, Outcome::Success);
                Ok(answer)
            }
            Err(error) => {
                this.finish(py, leave, outcome_of(error.value(py), this.on()));
                Err(error)
            }
        }
    }
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
