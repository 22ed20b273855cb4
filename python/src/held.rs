//! Which permit the end of a `with breaker:` gives back, where many tasks and threads are inside of one at the same time.
//!
//! A context variable of Python keeps a stack of the permits that are held: each thread and each task has one of its own,
//! and as the stack is a list of immutable links, a task that begins inside of a `with` shares what lies below and disturbs
//! nothing. So permits are never exchanged, save by generators that share one context and end out of order.

use pyo3::PyClass;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

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

/// The variable, by the two methods that are used: to look them up each time would cost as much as they do.
struct Variable {
    get: Py<PyAny>,
    set: Py<PyAny>,
}

impl Variable {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let default = PyDict::new(py);
        default.set_item("default", py.None())?;
        let variable = py.import("contextvars")?.getattr("ContextVar")?.call(("seawall.held",), Some(&default))?;
        Ok(Self { get: variable.getattr("get")?.unbind(), set: variable.getattr("set")?.unbind() })
    }

    fn the(py: Python<'_>) -> PyResult<&Self> {
        static VARIABLE: PyOnceLock<Variable> = PyOnceLock::new();
        VARIABLE.get_or_try_init(py, || Self::new(py))
    }

    fn top(&self, py: Python<'_>) -> PyResult<Option<Py<Held>>> {
        Ok(self.get.bind(py).call0()?.extract()?)
    }

    fn set(&self, py: Python<'_>, stack: Option<Py<Held>>) -> PyResult<()> {
        self.set.bind(py).call1((stack,)).map(drop)
    }
}

/// Keeps a permit until the `with` of its owner ends.
pub(crate) fn push(permit: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = permit.py();
    let variable = Variable::the(py)?;
    let below = variable.top(py)?;
    variable.set(py, Some(Py::new(py, Held { permit: permit.clone().unbind(), below })?))
}

/// The newest permit that is held here and `is_mine`; none where the `with` began in another context.
pub(crate) fn pop<'py, P: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync>(
    py: Python<'py>,
    is_mine: impl Fn(&P) -> bool,
) -> PyResult<Option<Bound<'py, P>>> {
    let variable = Variable::the(py)?;
    let mut above = Vec::new();
    let mut next = variable.top(py)?;
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
            variable.set(py, next)?;
            return Ok(Some(permit));
        }
        above.push(link.permit.clone_ref(py));
    }
    Ok(None)
}
