//! Settings by keyword: those of a class, and the same ones in a guard's `breaker={...}` and its like.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// What was given by name, all of it known.
pub(crate) struct Options<'a, 'py> {
    given: Option<&'a Bound<'py, PyDict>>,
}

impl<'a, 'py> Options<'a, 'py> {
    /// `of` is who has the settings, as in an error: "CircuitBreaker has no setting 'x': there are ...".
    pub(crate) fn new(of: &str, given: Option<&'a Bound<'py, PyDict>>, known: &[&str]) -> PyResult<Self> {
        for name in given.iter().flat_map(|given| given.keys()) {
            if !name.cast::<PyString>().is_ok_and(|name| known.iter().any(|known| *name == **known)) {
                let message = format!("{of} has no setting {}: there are {}", name.repr()?, known.join(", "));
                return Err(PyTypeError::new_err(message));
            }
        }
        Ok(Self { given })
    }

    /// The setting of that name, read by `read`; `otherwise` where it was not given or is None.
    pub(crate) fn or<T>(
        &self,
        name: &str,
        otherwise: T,
        read: impl FnOnce(&str, &Bound<'py, PyAny>) -> PyResult<T>,
    ) -> PyResult<T> {
        match self.given.map(|given| given.get_item(name)).transpose()?.flatten() {
            Some(value) if !value.is_none() => read(name, &value),
            _ => Ok(otherwise),
        }
    }
}
