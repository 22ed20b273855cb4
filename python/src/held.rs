//! Which permit the end of a `with breaker:` gives back, where many tasks and threads are inside of one at the same time.
//!
//! A context variable of Python keeps a stack of the permits that are held: each thread and each task has one of its own,
//! and as the stack is a list of immutable links, a task that begins inside of a `with` shares what lies below and disturbs
//! nothing. So permits are never exchanged, save by generators that share one context and end out of order.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use pyo3::{PyClass, intern};

/// One permit of the stack, and what lies below it.
#[pyclass(frozen, module = "seawall._native")]
pub(crate) struct Held {
    permit: Py<PyAny>,
    below: Option<Py<Held>>,
}

#[pymethods]
impl Held {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.permit)?;
        visit.call(&self.below)
    }
}

fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = VARIABLE.get_or_try_init(py, || {
        let default = PyDict::new(py);
        default.set_item("default", py.None())?;
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        Ok::<_, PyErr>(class.call(("seawall.held",), Some(&default))?.unbind())
    })?;
    Ok(made.bind(py))
}

fn top(variable: &Bound<'_, PyAny>) -> PyResult<Option<Py<Held>>> {
    Ok(variable.call_method0(intern!(variable.py(), "get"))?.extract()?)
}

fn set(variable: &Bound<'_, PyAny>, stack: Option<Py<Held>>) -> PyResult<()> {
    variable.call_method1(intern!(variable.py(), "set"), (stack,))?;
    Ok(())
}

/// Keeps a permit until the `with` of its owner ends.
pub(crate) fn push(permit: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = permit.py();
    let variable = variable(py)?;
    let below = top(variable)?;
    set(variable, Some(Py::new(py, Held { permit: permit.clone().unbind(), below })?))
}

/// The newest permit that is held here and `is_mine`; none where the `with` began in another context.
pub(crate) fn pop<'py, P: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync>(
    py: Python<'py>,
    is_mine: impl Fn(&P) -> bool,
) -> PyResult<Option<Bound<'py, P>>> {
    let variable = variable(py)?;
    let mut above = Vec::new();
    let mut next = top(variable)?;
    while let Some(held) = next {
        let link = held.get();
        next = link.below.as_ref().map(|below| below.clone_ref(py));
        if let Ok(permit) = link.permit.bind(py).cast::<P>()
            && is_mine(permit.get())
        {
            // What was above it is only there where generators end out of order.
            for permit in above.into_iter().rev() {
                next = Some(Py::new(py, Held { permit, below: next })?);
            }
            let permit = permit.clone();
            set(variable, next)?;
            return Ok(Some(permit));
        }
        above.push(link.permit.clone_ref(py));
    }
    Ok(None)
}
