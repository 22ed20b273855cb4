//! The floor of the benches: what a call of native code costs that does nothing but one atomic step. Not in any wheel
//! that is published.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

/// One `fetch_add` a call.
#[pyclass(frozen, module = "seawall._native", name = "_Floor")]
pub(crate) struct Floor(AtomicU64);

#[pymethods]
impl Floor {
    #[new]
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts, and says yes.
    fn hit(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) < u64::MAX
    }
}
