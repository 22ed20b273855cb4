//! `WindowMetrics`: what a window held at one moment.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use seawall::{Ratio, WindowSummary};

use crate::record::{figure, figure_or_none, shown, whole};
use crate::values::{as_seconds, as_share};

/// What a window held at one moment: `SlidingWindow.metrics` gives it. Latencies are in seconds, and None where there is no
/// call in the window, as are the rates of errors and successes: no evidence is not health. Frozen; compares, hashes and
/// pickles by value.
///
/// >>> import seawall
/// >>> window = seawall.SlidingWindow(clock=seawall.ManualClock())
/// >>> for latency in (0.010, 0.020, 0.130):
/// ...     window.record(latency, latency < 0.1)
/// >>> metrics = window.metrics()
/// >>> metrics.count, metrics.errors, metrics.max
/// (3, 1, 0.13)
/// >>> metrics.as_dict()["error_rate"]
/// 0.333333
#[pyclass(frozen, eq, hash, module = "seawall", name = "WindowMetrics")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct PyWindowMetrics {
    count: u64,
    errors: u64,
    observed: f64,
    mean: Option<f64>,
    max: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    total_count: u64,
    total_errors: u64,
}

impl From<WindowSummary> for PyWindowMetrics {
    fn from(summary: WindowSummary) -> Self {
        Self {
            count: summary.count,
            errors: summary.errors,
            observed: as_seconds(summary.observed),
            mean: summary.mean.map(as_seconds),
            max: summary.max.map(as_seconds),
            p50: summary.p50.map(as_seconds),
            p95: summary.p95.map(as_seconds),
            p99: summary.p99.map(as_seconds),
            total_count: summary.total_count,
            total_errors: summary.total_errors,
        }
    }
}

impl PyWindowMetrics {
    /// As the core has it.
    pub(crate) fn summary(&self) -> WindowSummary {
        // What is too long for it is its longest.
        let duration = |seconds: f64| Duration::from_nanos((seconds * 1e9).round() as u64);
        WindowSummary {
            count: self.count,
            errors: self.errors,
            observed: duration(self.observed),
            mean: self.mean.map(duration),
            max: self.max.map(duration),
            p50: self.p50.map(duration),
            p95: self.p95.map(duration),
            p99: self.p99.map(duration),
            total_count: self.total_count,
            total_errors: self.total_errors,
        }
    }

    fn latencies(&self) -> [Option<f64>; 5] {
        [self.mean, self.max, self.p50, self.p95, self.p99]
    }
}

impl Hash for PyWindowMetrics {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.count, self.errors, self.total_count, self.total_errors, self.observed.to_bits()).hash(state);
        self.latencies().map(|latency| latency.map(f64::to_bits)).hash(state);
    }
}

type Latency = Option<f64>;
type Fields = (u64, u64, f64, Latency, Latency, Latency, Latency, Latency, u64, u64);

#[pymethods]
impl PyWindowMetrics {
    #[new]
    #[pyo3(
        signature = (
            count, errors, observed, mean = None, max = None, p50 = None, p95 = None, p99 = None, total_count = None,
            total_errors = None
        )
    )]
    #[expect(clippy::too_many_arguments, reason = "its fields")]
    fn new(
        count: &Bound<'_, PyAny>,
        errors: &Bound<'_, PyAny>,
        observed: &Bound<'_, PyAny>,
        mean: Option<&Bound<'_, PyAny>>,
        max: Option<&Bound<'_, PyAny>>,
        p50: Option<&Bound<'_, PyAny>>,
        p95: Option<&Bound<'_, PyAny>>,
        p99: Option<&Bound<'_, PyAny>>,
        total_count: Option<&Bound<'_, PyAny>>,
        total_errors: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (count, errors) = (whole("count", count)?, whole("errors", errors)?);
        if errors > count {
            return Err(PyValueError::new_err(format!("errors must be 0 to count, which is {count}, not {errors}")));
        }
        Ok(Self {
            count,
            errors,
            observed: figure("observed", observed)?,
            mean: figure_or_none("mean", mean)?,
            max: figure_or_none("max", max)?,
            p50: figure_or_none("p50", p50)?,
            p95: figure_or_none("p95", p95)?,
            p99: figure_or_none("p99", p99)?,
            total_count: total_count.map_or(Ok(count), |given| whole("total_count", given))?,
            total_errors: total_errors.map_or(Ok(errors), |given| whole("total_errors", given))?,
        })
    }

    /// How many calls finished in the window.
    #[getter]
    fn count(&self) -> u64 {
        self.count
    }

    /// How many of them failed.
    #[getter]
    fn errors(&self) -> u64 {
        self.errors
    }

    /// The share of calls that failed, to a millionth; None if there were none at all.
    #[getter]
    fn error_rate(&self) -> Option<f64> {
        (self.count > 0).then(|| as_share(Ratio::of(self.errors, self.count)))
    }

    /// The share of calls that went well; None if there were none at all.
    #[getter]
    fn success_rate(&self) -> Option<f64> {
        // In millionths, so that the two are 1.
        (self.count > 0).then(|| f64::from(1_000_000 - Ratio::of(self.errors, self.count).as_ppm()) / 1e6)
    }

    /// Calls a second, over the time really observed.
    #[getter]
    pub(crate) fn throughput(&self) -> f64 {
        self.count as f64 / self.observed.max(1e-9)
    }

    /// The mean latency, as right as the others.
    #[getter]
    fn mean(&self) -> Option<f64> {
        self.mean
    }

    /// The longest latency: exact up to 134 ms, then high by at most 15 ns a second.
    #[getter]
    fn max(&self) -> Option<f64> {
        self.max
    }

    /// The median latency, right to the `relative_error` of the window.
    #[getter]
    fn p50(&self) -> Option<f64> {
        self.p50
    }

    /// The latency that 95 % of calls kept to.
    #[getter]
    fn p95(&self) -> Option<f64> {
        self.p95
    }

    /// The latency that 99 % of calls kept to.
    #[getter]
    fn p99(&self) -> Option<f64> {
        self.p99
    }

    /// For how many seconds the figures stand: less than the window at first, and at least one slice of it.
    #[getter]
    fn observed(&self) -> f64 {
        self.observed
    }

    /// How many calls were recorded since the window was made.
    #[getter]
    fn total_count(&self) -> u64 {
        self.total_count
    }

    /// How many of them failed.
    #[getter]
    fn total_errors(&self) -> u64 {
        self.total_errors
    }

    /// All figures by their names.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("count", self.count)?;
        dict.set_item("errors", self.errors)?;
        dict.set_item("error_rate", self.error_rate())?;
        dict.set_item("success_rate", self.success_rate())?;
        dict.set_item("throughput", self.throughput())?;
        dict.set_item("mean", self.mean)?;
        dict.set_item("max", self.max)?;
        dict.set_item("p50", self.p50)?;
        dict.set_item("p95", self.p95)?;
        dict.set_item("p99", self.p99)?;
        dict.set_item("observed", self.observed)?;
        dict.set_item("total_count", self.total_count)?;
        dict.set_item("total_errors", self.total_errors)?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        let [mean, max, p50, p95, p99] = self.latencies().map(shown);
        format!(
            "WindowMetrics(count={}, errors={}, observed={:?}, mean={mean}, max={max}, p50={p50}, p95={p95}, p99={p99}, \
             total_count={}, total_errors={})",
            self.count, self.errors, self.observed, self.total_count, self.total_errors,
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, Fields) {
        let it = slf.get();
        let [mean, max, p50, p95, p99] = it.latencies();
        let fields = (it.count, it.errors, it.observed, mean, max, p50, p95, p99, it.total_count, it.total_errors);
        (slf.get_type(), fields)
    }
}
