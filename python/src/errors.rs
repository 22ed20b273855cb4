//! Refusals as exceptions. The types are Python's, in `seawall/_errors.py`; only their values are made here, so that a
//! refusal that is raised costs no line of Python.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use seawall::{ChangeError, Refused, Stage};

use crate::values::as_seconds;
use crate::words;

/// The exception of a refusal: of the class of its stage, with `stage`, `reason` and `retry_after`.
#[cold]
pub(crate) fn exception<'py>(py: Python<'py>, refused: Refused) -> PyResult<Bound<'py, PyAny>> {
    let class = match refused.stage() {
        Stage::Deadline => class(py, "DeadlineExceeded", &DEADLINE),
        Stage::Pause => class(py, "Paused", &PAUSED),
        Stage::CircuitBreaker => class(py, "CircuitOpen", &OPEN),
        Stage::ConcurrencyLimit => class(py, "ConcurrencyLimited", &LIMITED),
        Stage::RetryBudget => class(py, "RetryBudgetSpent", &SPENT),
        _ => class(py, "RateLimited", &RATE),
    }?;
    let retry_after = refused.retry_after().map(as_seconds);
    let given = (words::stage(refused.stage()), words::reason(refused.reason()), retry_after);
    class.call1(given)
}

/// As [`exception`], to be raised.
#[cold]
pub(crate) fn raised(py: Python<'_>, refused: Refused) -> PyErr {
    match exception(py, refused) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Why a change of a running object was not made.
#[cold]
pub(crate) fn change_error(error: ChangeError) -> PyErr {
    match error {
        ChangeError::Config(error) => pyo3::exceptions::PyValueError::new_err(error.message()),
        other => pyo3::exceptions::PyRuntimeError::new_err(other.to_string()),
    }
}

static DEADLINE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static PAUSED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static OPEN: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static LIMITED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static SPENT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static RATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

fn class<'py>(
    py: Python<'py>,
    name: &str,
    known: &'static PyOnceLock<Py<PyType>>,
) -> PyResult<&'py Bound<'py, PyType>> {
    known.import(py, "seawall._errors", name)
}

/// What pickling answers: state that is shared has no copy elsewhere.
#[cold]
pub(crate) fn no_pickle<T: PyTypeInfo>(py: Python<'_>) -> PyErr {
    let name = T::type_object(py).name().map_or_else(|_| "it".into(), |name| name.to_string());
    pyo3::exceptions::PyTypeError::new_err(format!(
        "a {name} cannot be pickled: it is state that the threads of one process share. Make one in each process"
    ))
}
