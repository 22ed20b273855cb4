//! A function of the user's that is told of changes.

use std::sync::{Mutex, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::calls::call1;
use crate::values::bad;

/// What is called back, if anything: it is told what has been decided, and changes nothing of it.
pub(crate) struct Callback(Mutex<Option<Py<PyAny>>>);

impl Callback {
    /// A function, as the user gave it; `arguments` are what it is told, as in an error.
    pub(crate) fn checked<'py>(
        name: &str,
        given: Option<Bound<'py, PyAny>>,
        arguments: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(given) = given.filter(|given| !given.is_none()) else { return Ok(None) };
        if given.is_callable() {
            Ok(Some(given))
        } else {
            Err(bad(name, &given, &format!("a function of {arguments}")))
        }
    }

    pub(crate) fn new(function: Option<Bound<'_, PyAny>>) -> Self {
        Self(Mutex::new(function.filter(|function| !function.is_none()).map(Bound::unbind)))
    }

    pub(crate) fn function<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        function.as_ref().map(|function| function.bind(py).clone())
    }

    /// Calls it. What it raises goes to `sys.unraisablehook`: not lost, and not in the way of who asked.
    pub(crate) fn tell<'py>(
        &self,
        py: Python<'py>,
        arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
    ) {
        if let Some(function) = self.function(py)
            && let Err(error) = call1(&function, arguments)
        {
            error.write_unraisable(py, Some(&function));
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Held by somebody, it is not garbage.
        match self.0.try_lock() {
            Ok(function) => visit.call(&*function),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn clear(&self) {
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(function);
    }
}
