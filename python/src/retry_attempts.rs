//! `for attempt in strategy: with attempt:`, and `async for`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::no_pickle;
use crate::ready::Ready;
use crate::retry_call::{LogicalCall, class_of, explain};
use crate::values::seconds;
use crate::waiting::Waiting;

/// The attempts of one call, one after the other.
#[pyclass(frozen, module = "seawall._native", name = "RetryAttempts")]
pub(crate) struct PyRetryAttempts {
    call: Arc<LogicalCall>,
    has_begun: AtomicBool,
    /// What the last attempt failed with, while its retry is waited for.
    error: Mutex<Option<Py<PyAny>>>,
}

impl PyRetryAttempts {
    pub(crate) fn new(call: Arc<LogicalCall>) -> Self {
        Self { call, has_begun: AtomicBool::new(false), error: Mutex::new(None) }
    }

    /// Keeps an error, and answers with that which was kept.
    fn keep(&self, error: Option<Py<PyAny>>) -> Option<Py<PyAny>> {
        std::mem::replace(&mut *self.error.lock().unwrap_or_else(PoisonError::into_inner), error)
    }

    /// The first attempt, at once.
    fn first<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyRetryAttempt>>> {
        (!slf.get().has_begun.swap(true, Ordering::Relaxed)).then(|| PyRetryAttempt::of(slf)).transpose()
    }

    /// What waits for the next attempt. If it is too late for that by then: what raises the error of the last one, or ends
    /// with `None` where there was none.
    fn next(slf: &Bound<'_, Self>) -> Option<Waiting> {
        let this = slf.get();
        let whole = slf.clone().unbind();
        let waiting = this.call.sleep(move |py, may_be_sent| {
            let whole = whole.bind(py);
            let error = whole.get().keep(None);
            if may_be_sent {
                return Ok(PyRetryAttempt::of(whole)?.into_any().unbind());
            }
            let Some(error) = error else { return Ok(py.None()) };
            explain(&whole.get().call, error.bind(py));
            Err(PyErr::from_value(error.into_bound(py)))
        });
        if waiting.is_none() {
            this.call.succeeded();
        }
        waiting
    }
}

impl Drop for PyRetryAttempts {
    fn drop(&mut self) {
        // The loop was left before the retry that was paid for.
        self.call.abandon();
    }
}

#[pymethods]
impl PyRetryAttempts {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(first) = Self::first(slf)? {
            return Ok(Some(first.into_any()));
        }
        let Some(waiting) = Self::next(slf) else { return Ok(None) };
        Ok(Some(waiting.block(slf.py())?).filter(|attempt| !attempt.is_none()))
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        if let Some(first) = Self::first(slf)? {
            return Ready::with(py, first.into_any().unbind()).map(Some);
        }
        let Some(waiting) = Self::next(slf) else { return Ok(None) };
        static NEXT: pyo3::sync::PyOnceLock<Py<PyAny>> = pyo3::sync::PyOnceLock::new();
        NEXT.import(py, "seawall._retry", "next_attempt")?.call1((waiting.coroutine(py)?,)).map(Some)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Held by somebody, it is not garbage.
        match self.error.try_lock() {
            Ok(error) => visit.call(&*error),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        drop(self.keep(None));
    }
}

/// What was reported: the outcome in a word, if it was no success, and for how long the server asked to be spared.
type Report = (Option<Py<PyString>>, Option<Duration>);

/// One attempt of `for attempt in strategy: with attempt:`. An exception inside of the block is swallowed only when another
/// attempt follows; a block that ends without one ends the loop.
#[pyclass(frozen, weakref, module = "seawall", name = "RetryAttempt")]
pub(crate) struct PyRetryAttempt {
    whole: Py<PyRetryAttempts>,
    number: u32,
    reported: Mutex<Option<Report>>,
}

impl PyRetryAttempt {
    fn of<'py>(whole: &Bound<'py, PyRetryAttempts>) -> PyResult<Bound<'py, Self>> {
        let number = whole.get().call.attempts();
        Bound::new(whole.py(), Self { whole: whole.clone().unbind(), number, reported: Mutex::new(None) })
    }
}

#[pymethods]
impl PyRetryAttempt {
    /// Which attempt it is, from 1.
    #[getter]
    fn number(&self) -> u32 {
        self.number
    }

    /// Says what no exception says, before the block ends: "success", "failure", "timeout", "throttled" (with the seconds
    /// that the server asked to be spared, if it did), "permanent" or "ignored". After "failure", "timeout" and "throttled"
    /// another attempt may follow; if none does, the loop ends.
    #[pyo3(signature = (outcome, /, retry_after = None))]
    fn report(&self, outcome: &Bound<'_, PyString>, retry_after: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let retry_after = retry_after.map(|given| seconds("retry_after", given)).transpose()?;
        let report = if outcome.to_cow()? == "success" {
            (None, None)
        } else {
            class_of("outcome", outcome)?;
            (Some(outcome.clone().unbind()), retry_after)
        };
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        Ok(())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = error.py();
        let whole = self.whole.get();
        let call = &whole.call;
        // One that has ended already.
        if !call.is_sent() || self.number != call.attempts() {
            return Ok(false);
        }
        if !error.is_none() && !error.is_instance_of::<PyException>() {
            call.abandon();
            return Ok(false);
        }
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner).take();
        let follows = match reported {
            Some((Some(outcome), retry_after)) => call.failed(outcome.bind(py).as_any(), retry_after)?.is_some(),
            _ if !error.is_none() => call.failed(error, None)?.is_some(),
            _ => {
                call.succeeded();
                false
            }
        };
        if error.is_none() {
            return Ok(false);
        }
        if follows {
            drop(whole.keep(Some(error.clone().unbind())));
        } else {
            explain(call, error);
        }
        Ok(follows)
    }

    fn __repr__(&self) -> String {
        format!("RetryAttempt(number={})", self.number)
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.whole)
    }
}
