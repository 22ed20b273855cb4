//! `BreakerPermit`.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use seawall::{BreakerPermit, Clock, Outcome};

use crate::attempt::{self, Protects};
use crate::circuit_breaker::PyCircuitBreaker;
use crate::errors::no_pickle;

/// Leave to send one call: `CircuitBreaker.try_attempt` gives it. As a context manager it reports how the block ended;
/// else `finish` does, or `cancel`. The first report counts, and one that is dropped without any says nothing.
///
/// >>> import seawall
/// >>> breaker = seawall.CircuitBreaker(failure_threshold=1)
/// >>> permit = breaker.try_attempt()
/// >>> permit.finish("failure")
/// >>> breaker.state
/// 'open'
#[pyclass(frozen, weakref, module = "seawall", name = "BreakerPermit")]
pub(crate) struct PyBreakerPermit {
    breaker: Py<PyCircuitBreaker>,
    permit: BreakerPermit,
    is_over: AtomicBool,
}

impl PyBreakerPermit {
    pub(super) fn new(breaker: &Bound<'_, PyCircuitBreaker>, permit: BreakerPermit) -> Self {
        Self { breaker: breaker.clone().unbind(), permit, is_over: AtomicBool::new(false) }
    }

    pub(super) fn is_of(&self, breaker: &Bound<'_, PyCircuitBreaker>) -> bool {
        self.breaker.is(breaker)
    }

    /// Reports by what the block raised, or None.
    pub(super) fn end(&self, py: Python<'_>, error: &Bound<'_, PyAny>) {
        if !self.is_over.load(Ordering::Relaxed) {
            self.report(py, self.breaker.get().outcome(error));
        }
    }

    fn report(&self, py: Python<'_>, outcome: Outcome) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            self.breaker.get().finish(py, self.permit, outcome);
        }
    }

    fn give_back(&self) -> bool {
        let is_first = !self.is_over.swap(true, Ordering::Relaxed);
        if is_first {
            let breaker = self.breaker.get();
            breaker.breaker.cancel(self.permit, breaker.timer.now());
        }
        is_first
    }
}

impl Drop for PyBreakerPermit {
    fn drop(&mut self) {
        // Forgotten: the place of a probe is free at once, and need not wait for its lease.
        if !*self.is_over.get_mut() {
            self.give_back();
        }
    }
}

#[pymethods]
impl PyBreakerPermit {
    /// Reports how the call ended: "success", "failure", "throttled", "timeout" (both failures) or "ignored", which says
    /// nothing of the service. How long it took is measured up to here.
    #[pyo3(signature = (outcome, /))]
    fn finish(&self, py: Python<'_>, outcome: &Bound<'_, PyAny>) -> PyResult<()> {
        self.report(py, attempt::outcome(outcome, None)?);
        Ok(())
    }

    /// The call was not sent: whether that is the first that was said of it. The place of a probe is free again.
    fn cancel(&self) -> bool {
        self.give_back()
    }

    /// Whether it is a probe of a half-open breaker.
    #[getter]
    fn is_probe(&self) -> bool {
        self.permit.is_probe()
    }

    /// The same permit as if it had not been reported: for replays, in tests.
    fn _again(&self, py: Python<'_>) -> Self {
        Self { breaker: self.breaker.clone_ref(py), permit: self.permit, is_over: AtomicBool::new(false) }
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

    fn __repr__(&self) -> String {
        let is_over = if self.is_over.load(Ordering::Relaxed) { ", over" } else { "" };
        let is_probe = if self.permit.is_probe() { "True" } else { "False" };
        format!("<BreakerPermit is_probe={is_probe}{is_over}>")
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.breaker)
    }
}
