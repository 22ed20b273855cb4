//! `seawall._native`: the classes of the Python package, over the core.
//!
//! A class of the package is the native class itself: a method written in Python around it would cost more than the
//! decision. What waits is Python's own (`seawall/_waiting.py` says why); nothing here blocks, sleeps or releases the GIL,
//! as every call is a matter of nanoseconds.
//!
//! All classes are frozen and made of atomics, so that threads share them with the GIL as without it.

mod about;
mod aimd_controller;
mod attempt;
mod awaitable;
mod callback;
mod calls;
mod chance;
mod circuit_breaker;
mod clock;
mod concurrency_limit;
mod decorated;
mod errors;
#[cfg(feature = "bench")]
mod floor;
mod guard;
mod held;
mod keyed_buckets;
mod options;
mod part;
mod rate_check;
mod ready;
mod record;
mod retry_attempts;
mod retry_budget;
mod retry_call;
mod retry_strategy;
mod settings;
mod sliding_window;
mod snapshot;
mod token_bucket;
mod values;
mod views;
mod waiting;
mod warm_up;
mod window_metrics;
mod words;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::about::_build;
    #[pymodule_export]
    use crate::aimd_controller::PyAimdController;
    #[pymodule_export]
    use crate::chance::_forked;
    #[pymodule_export]
    use crate::circuit_breaker::{PyBreakerPermit, PyCircuitBreaker};
    #[pymodule_export]
    use crate::clock::{PyManualClock, set_clock};
    #[pymodule_export]
    use crate::concurrency_limit::{PyConcurrencyLimit, PyLimitPermit};
    #[pymodule_export]
    use crate::decorated::Decorated;
    #[cfg(feature = "bench")]
    #[pymodule_export]
    use crate::floor::Floor;
    #[pymodule_export]
    use crate::guard::{PyAttempt, PyCall, PyGuard};
    #[pymodule_export]
    use crate::keyed_buckets::PyKeyedBuckets;
    #[pymodule_export]
    use crate::rate_check::PyRateCheck;
    #[pymodule_export]
    use crate::ready::Ready;
    #[pymodule_export]
    use crate::retry_attempts::{PyRetryAttempt, PyRetryAttempts};
    #[pymodule_export]
    use crate::retry_budget::PyRetryBudget;
    #[pymodule_export]
    use crate::retry_call::{PyRetryCall, http_error, limit_attempts};
    #[pymodule_export]
    use crate::retry_strategy::PyRetryStrategy;
    #[pymodule_export]
    use crate::sliding_window::PySlidingWindow;
    #[pymodule_export]
    use crate::snapshot::{PyCounts, PySnapshot};
    #[pymodule_export]
    use crate::token_bucket::{PyReservation, PyTokenBucket};
    #[pymodule_export]
    use crate::waiting::Waiting;
    #[pymodule_export]
    use crate::warm_up::PyWarmUp;
    #[pymodule_export]
    use crate::window_metrics::PyWindowMetrics;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::about::one_interpreter(module.py())?;
        crate::chance::register_at_fork(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
