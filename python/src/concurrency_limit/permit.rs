//! `LimitPermit`.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use seawall::{Clock, LimitPermit, Outcome};

use crate::attempt::{self, Protects};
use crate::concurrency_limit::PyConcurrencyLimit;
use crate::errors::no_pickle;

/// One call in flight: `ConcurrencyLimit.try_attempt` gives it. As a context manager it reports how the block ended, and
/// gives the slot back; else `finish` does, or `cancel`. The first report counts, and one that is dropped without any says
/// nothing.
///
/// >>> import seawall
/// >>> limit = seawall.ConcurrencyLimit()
/// >>> permit = limit.try_attempt()
/// >>> limit.in_flight
/// 1
/// >>> permit.finish("success")
/// >>> limit.in_flight
/// 0
#[pyclass(frozen, weakref, module = "seawall", name = "LimitPermit")]
pub(crate) struct PyLimitPermit {
    limit: Py<PyConcurrencyLimit>,
    permit: LimitPermit,
    is_over: AtomicBool,
}

impl PyLimitPermit {
    pub(super) fn new(limit: &Bound<'_, PyConcurrencyLimit>, permit: LimitPermit) -> Self {
        Self { limit: limit.clone().unbind(), permit, is_over: AtomicBool::new(false) }
    }

    pub(super) fn is_of(&self, limit: &Bound<'_, PyConcurrencyLimit>) -> bool {
        self.limit.is(limit)
    }

    /// Reports by what the block raised, or None.
    pub(super) fn end(&self, py: Python<'_>, error: &Bound<'_, PyAny>) {
        if !self.is_over.load(Ordering::Relaxed) {
            self.report(py, self.limit.get().outcome(error));
        }
    }

    fn report(&self, py: Python<'_>, outcome: Outcome) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            self.limit.get().finish(py, self.permit, outcome);
        }
    }
}

impl Drop for PyLimitPermit {
    fn drop(&mut self) {
        // Forgotten: its slot is free at once, and need not wait for its lease.
        if !*self.is_over.get_mut() {
            let limit = self.limit.get();
            limit.limit.finish(self.permit, Outcome::Ignored, limit.timer.now());
        }
    }
}

#[pymethods]
impl PyLimitPermit {
    /// Reports how the call ended, and gives its slot back: "success", "failure", "throttled", "timeout" or "ignored",
    /// which says nothing of the service. How long it took is measured up to here, and a failure that took `timeout`
    /// seconds is a time-out, by whichever word.
    #[pyo3(signature = (outcome, /))]
    fn finish(&self, py: Python<'_>, outcome: &Bound<'_, PyAny>) -> PyResult<()> {
        self.report(py, attempt::outcome(outcome, None)?);
        Ok(())
    }

    /// The call was not sent: whether it still held its slot, which is given back.
    fn cancel(&self) -> bool {
        let limit = self.limit.get();
        !self.is_over.swap(true, Ordering::Relaxed) && limit.limit.cancel(self.permit, limit.timer.now())
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        if slf.get().is_over.load(Ordering::Relaxed) { Err(attempt::is_over()) } else { Ok(slf.clone()) }
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.end(py, error);
    }

    fn __repr__(&self) -> &'static str {
        if self.is_over.load(Ordering::Relaxed) { "<LimitPermit over>" } else { "<LimitPermit>" }
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.limit)
    }
}
