//! `Decorated`: a plain function with each of its calls through a mechanism.
//!
//! Native, as what `functools.lru_cache` makes is: a wrapper in Python would cost as much as the decision. What tells of
//! the function (its name, help, signature) `functools.update_wrapper` copies; it binds as a method does. Coroutine
//! functions are wrapped in Python, as only a function of Python is known for one.

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::circuit_breaker::PyCircuitBreaker;
use crate::concurrency_limit::PyConcurrencyLimit;
use crate::guard::PyGuard;
use crate::retry_strategy::PyRetryStrategy;

/// What the calls go through.
enum Through {
    CircuitBreaker(Py<PyCircuitBreaker>),
    ConcurrencyLimit(Py<PyConcurrencyLimit>),
    Guard { guard: Py<PyGuard>, retries: bool },
    RetryStrategy(Py<PyRetryStrategy>),
}

/// A function behind a guard, a breaker, a limit or a retry strategy.
#[pyclass(frozen, dict, weakref, module = "seawall._native")]
pub(crate) struct Decorated {
    function: Py<PyAny>,
    through: Through,
}

#[pymethods]
impl Decorated {
    #[new]
    #[pyo3(signature = (whole, function, retry = false, /))]
    fn new(whole: &Bound<'_, PyAny>, function: Bound<'_, PyAny>, retry: bool) -> PyResult<Self> {
        let through = if let Ok(guard) = whole.cast::<PyGuard>() {
            Through::Guard { guard: guard.clone().unbind(), retries: retry }
        } else if let Ok(breaker) = whole.cast::<PyCircuitBreaker>() {
            Through::CircuitBreaker(breaker.clone().unbind())
        } else if let Ok(limit) = whole.cast::<PyConcurrencyLimit>() {
            Through::ConcurrencyLimit(limit.clone().unbind())
        } else if let Ok(strategy) = whole.cast::<PyRetryStrategy>() {
            Through::RetryStrategy(strategy.clone().unbind())
        } else {
            return Err(PyTypeError::new_err(format!("nothing goes through {}", whole.repr()?)));
        };
        Ok(Self { function: function.unbind(), through })
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let function = self.function.bind(py);
        match &self.through {
            Through::CircuitBreaker(breaker) => PyCircuitBreaker::call(breaker.bind(py), function, args, kwargs),
            Through::ConcurrencyLimit(limit) => PyConcurrencyLimit::call(limit.bind(py), function, args, kwargs),
            Through::Guard { guard, retries: false } => PyGuard::call(guard.bind(py), function, args, kwargs),
            Through::Guard { guard, retries: true } => PyGuard::execute(guard.bind(py), function, args, kwargs),
            Through::RetryStrategy(strategy) => PyRetryStrategy::execute(strategy.bind(py), function, args, kwargs),
        }
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<&Bound<'py, PyAny>>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static METHOD: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        match instance {
            None => Ok(slf.clone().into_any()),
            Some(instance) => METHOD.import(slf.py(), "types", "MethodType")?.call1((slf, instance)),
        }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let whole = match &slf.get().through {
            Through::CircuitBreaker(_) => "circuit breaker",
            Through::ConcurrencyLimit(_) => "concurrency limit",
            Through::Guard { .. } => "guard",
            Through::RetryStrategy(_) => "retry strategy",
        };
        Ok(format!("<{} behind a {whole}>", slf.get().function.bind(slf.py()).repr()?))
    }

    /// By its name, as functions are: whoever unpickles it imports it.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr(intern!(slf.py(), "__qualname__"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        match &self.through {
            Through::CircuitBreaker(breaker) => visit.call(breaker),
            Through::ConcurrencyLimit(limit) => visit.call(limit),
            Through::Guard { guard, .. } => visit.call(guard),
            Through::RetryStrategy(strategy) => visit.call(strategy),
        }
    }
}
