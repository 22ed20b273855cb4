//! What was built: for `python -m seawall`. And where it may be loaded.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// For which machine, and how.
#[pyfunction]
pub(crate) fn _build(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let build = PyDict::new(py);
    build.set_item("system", std::env::consts::OS)?;
    build.set_item("machine", std::env::consts::ARCH)?;
    build.set_item("is_optimised", !cfg!(debug_assertions))?;
    // The core has none of another kind: it would not have been built.
    build.set_item("lock_free_bits", if cfg!(target_has_atomic = "64") { 64 } else { 32 })?;
    Ok(build)
}

/// Lets one interpreter of the process have it: classes and exceptions that are kept here are that one's. Python says so
/// itself from 3.12 on.
pub(crate) fn one_interpreter(py: Python<'_>) -> PyResult<()> {
    static FIRST: AtomicUsize = AtomicUsize::new(0);
    // Each interpreter has a `sys` of its own, for as long as it lives.
    let this = py.import("sys")?.as_ptr() as usize;
    match FIRST.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Err(first) if first != this => Err(PyImportError::new_err(
            "module seawall._native does not support loading in subinterpreters: another one has it already",
        )),
        _ => Ok(()),
    }
}
