//! `WarmUp`: how a rate climbs after a start.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use seawall::{Curve, Rate, WarmUp};

use crate::values::{as_per_second, as_seconds, bad, rate, seconds};

/// How a rate climbs after a start, so that a process with a full outbox does not meet the service at full rate:
/// `TokenBucket(10, warm_up=WarmUp(60))`. It begins with `start`, and reaches the whole rate after `duration` seconds: in
/// one step (the guide's), on a straight line, or doubling, as TCP's slow start (RFC 5681). Frozen; compares by value.
///
/// >>> import seawall
/// >>> seawall.WarmUp(60)
/// WarmUp(60, start=1, curve='step')
/// >>> bucket = seawall.TokenBucket(10, warm_up=seawall.WarmUp(60, curve="linear"), clock=seawall.ManualClock())
#[pyclass(frozen, eq, hash, module = "seawall", name = "WarmUp")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PyWarmUp(pub(crate) WarmUp);

impl std::hash::Hash for PyWarmUp {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.0.duration, self.0.curve).hash(state);
    }
}

#[pymethods]
impl PyWarmUp {
    #[new]
    #[pyo3(
        signature = (duration, start = None, curve = "step"),
        text_signature = "(duration, start=1, curve='step')"
    )]
    fn new(duration: &Bound<'_, PyAny>, start: Option<&Bound<'_, PyAny>>, curve: &str) -> PyResult<Self> {
        let start = start.map_or(Ok(Rate::per_second(1)), |start| rate("start", start))?;
        let given = duration;
        let duration = seconds("duration", given)?;
        if duration > WarmUp::LONGEST {
            return Err(bad("duration", given, "0 to 31,536,000 seconds, a year"));
        }
        match curve {
            "step" => Ok(Self(WarmUp::step(start, duration))),
            "linear" => Ok(Self(WarmUp::linear(start, duration))),
            "exponential" => Ok(Self(WarmUp::exponential(start, duration))),
            _ => Err(PyValueError::new_err(format!(
                "curve must be \"step\", \"linear\" or \"exponential\", not {curve:?}"
            ))),
        }
    }

    /// "step", "linear" or "exponential".
    #[getter]
    fn curve(&self) -> &'static str {
        match self.0.curve {
            Curve::Step => "step",
            Curve::Linear => "linear",
            Curve::Exponential => "exponential",
        }
    }

    /// The rate that it begins with, per second.
    #[getter]
    fn start(&self) -> f64 {
        as_per_second(self.0.from)
    }

    /// How long it lasts, in seconds.
    #[getter]
    fn duration(&self) -> f64 {
        as_seconds(self.0.duration)
    }

    fn __repr__(&self) -> String {
        format!("WarmUp({}, start={}, curve='{}')", self.duration(), self.start(), self.curve())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (f64, f64, &'static str)) {
        let this = slf.get();
        (slf.get_type(), (this.duration(), this.start(), this.curve()))
    }
}
