//! What was built: for `python -m seawall`.

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
