//! `RateCheck`: what `KeyedBuckets.check` found.

use std::hash::{Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use seawall::Reason;

use crate::record::{figure_or_none, shown};
use crate::values::{bad_text, count};
use crate::words;

/// What a limit said of one call: `KeyedBuckets.check` gives it, the headers of an answer tell it. It is true where the
/// call was allowed. Frozen; compares, hashes and pickles by value.
///
/// >>> import seawall
/// >>> users = seawall.KeyedBuckets(1, burst=10, clock=seawall.ManualClock())
/// >>> found = users.check("alice", 3)
/// >>> if found:
/// ...     print(found.remaining, found.reset_after)
/// 7 3.0
#[pyclass(frozen, eq, hash, module = "seawall", name = "RateCheck")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct PyRateCheck {
    pub(crate) allowed: bool,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) retry_after: Option<f64>,
    pub(crate) reset_after: Option<f64>,
    pub(crate) reason: Option<Reason>,
}

impl Hash for PyRateCheck {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let seconds = (self.retry_after.map(f64::to_bits), self.reset_after.map(f64::to_bits));
        (self.allowed, self.limit, self.remaining, seconds, self.reason).hash(state);
    }
}

fn reason_of(given: &Bound<'_, PyAny>) -> PyResult<Reason> {
    let is_it = |reason: &Reason| given.eq(words::reason(*reason)).unwrap_or(false);
    let allowed = "\"not_yet\", \"never\", \"clock_stepped\", \"no_place\" or None";
    Reason::ALL.into_iter().find(is_it).ok_or_else(|| bad_text("reason", given, allowed))
}

type Fields<'py> = (bool, u32, u32, Option<f64>, Option<f64>, Option<&'static str>);

#[pymethods]
impl PyRateCheck {
    #[new]
    #[pyo3(signature = (allowed, limit, remaining, retry_after = None, reset_after = None, reason = None))]
    fn new(
        allowed: bool,
        limit: &Bound<'_, PyAny>,
        remaining: &Bound<'_, PyAny>,
        retry_after: Option<&Bound<'_, PyAny>>,
        reset_after: Option<&Bound<'_, PyAny>>,
        reason: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self {
            allowed,
            limit: count("limit", limit, 0, u32::MAX)?,
            remaining: count("remaining", remaining, 0, u32::MAX)?,
            retry_after: figure_or_none("retry_after", retry_after)?,
            reset_after: figure_or_none("reset_after", reset_after)?,
            reason: reason.map(reason_of).transpose()?,
        })
    }

    /// Whether the tokens were taken, or it passed as there was no place for its key.
    #[getter]
    fn allowed(&self) -> bool {
        self.allowed
    }

    /// The most tokens that the key can take at once: its burst.
    #[getter]
    fn limit(&self) -> u32 {
        self.limit
    }

    /// How many whole tokens it has left, after this call; 0 where it found no place.
    #[getter]
    fn remaining(&self) -> u32 {
        self.remaining
    }

    /// How many seconds to wait before the same call can pass, or before the first place may be free; None where it was
    /// allowed, where it asks for more than can ever be granted, and where nobody knows.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.retry_after
    }

    /// In how many seconds the bucket is full again, if nothing more is taken; None where nobody knows, or never.
    #[getter]
    fn reset_after(&self) -> Option<f64> {
        self.reset_after
    }

    /// Why it was refused: "not_yet"; "never", where it asks for more than can ever be granted; "no_place"; or
    /// "clock_stepped". None where it was allowed.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.reason.map(words::reason)
    }

    /// Its fields by their names.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("allowed", self.allowed)?;
        dict.set_item("limit", self.limit)?;
        dict.set_item("remaining", self.remaining)?;
        dict.set_item("retry_after", self.retry_after)?;
        dict.set_item("reset_after", self.reset_after)?;
        dict.set_item("reason", self.reason())?;
        Ok(dict)
    }

    fn __bool__(&self) -> bool {
        self.allowed
    }

    fn __repr__(&self) -> String {
        let allowed = if self.allowed { "True" } else { "False" };
        let reason = self.reason().map_or_else(|| "None".into(), |reason| format!("'{reason}'"));
        format!(
            "RateCheck(allowed={allowed}, limit={}, remaining={}, retry_after={}, reset_after={}, reason={reason})",
            self.limit,
            self.remaining,
            shown(self.retry_after),
            shown(self.reset_after),
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, Fields<'py>) {
        let it = slf.get();
        let fields = (it.allowed, it.limit, it.remaining, it.retry_after, it.reset_after, it.reason());
        (slf.get_type(), fields)
    }
}
