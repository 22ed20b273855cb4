//! An awaitable that is over before it is awaited: no loop is touched, no coroutine made.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// What an admitted `await` waits for: nothing. It has the methods of a coroutine, so that `asyncio.create_task` and
/// `nursery.start_soon` take it.
#[pyclass(frozen, module = "seawall._native")]
pub(crate) struct Ready {
    value: Option<Py<PyAny>>,
}

impl Ready {
    /// The one that answers None: shared by all.
    #[inline]
    pub(crate) fn none(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static NONE: PyOnceLock<Py<Ready>> = PyOnceLock::new();
        let ready = NONE.get_or_try_init(py, || Py::new(py, Self { value: None }))?;
        Ok(ready.bind(py).clone().into_any())
    }

    /// One that answers `value`.
    #[inline]
    pub(crate) fn with(py: Python<'_>, value: Py<PyAny>) -> PyResult<Bound<'_, PyAny>> {
        Ok(Bound::new(py, Self { value: Some(value) })?.into_any())
    }

    fn stop(&self, py: Python<'_>) -> PyErr {
        match &self.value {
            Some(value) => PyStopIteration::new_err((value.clone_ref(py),)),
            None => PyStopIteration::new_err(()),
        }
    }
}

#[pymethods]
impl Ready {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        // Without a value, the end needs no exception.
        if self.value.is_none() { Ok(None) } else { Err(self.stop(py)) }
    }

    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(self.stop(py))
    }

    #[pyo3(signature = (kind, value = None, _traceback = None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Err(PyErr::from_value(match value {
            Some(value) => value,
            None if kind.is_instance_of::<pyo3::types::PyType>() => kind.call0()?,
            None => kind,
        }))
    }

    fn close(&self) {}
}
