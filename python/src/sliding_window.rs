//! `SlidingWindow`: what happened lately.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyFloat;
use seawall::{Clock, Ratio, SlidingWindowView, WindowConfig, WindowConfigError, WindowSummary};

use crate::clock::{PyManualClock, Timer};
use crate::errors::no_pickle;
use crate::values::{as_seconds, as_share, bad, count, instant, ratio, seconds};
use crate::views::zeroed;
use crate::window_metrics::PyWindowMetrics;

/// How long a call took.
#[derive(Clone, Copy)]
struct Latency(Duration);

/// Under this a float of seconds times a billion is exact to the nanosecond: 104 days.
const EXACT: f64 = 9e6;

impl<'py> FromPyObject<'_, 'py> for Latency {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        // A float costs no look for a timedelta.
        if let Ok(float) = object.cast_exact::<PyFloat>()
            && let value = float.value()
            && (0.0..EXACT).contains(&value)
        {
            return Ok(Self(Duration::from_nanos((value * 1e9 + 0.5) as u64)));
        }
        seconds("latency", &object).map(Self)
    }
}

/// Counts, error rate, throughput and latencies of the last `window` seconds: record(latency, ok) each call, and ask when
/// you want to know.
///
/// >>> import seawall
/// >>> window = seawall.SlidingWindow(window=30.0, clock=seawall.ManualClock())
/// >>> for _ in range(9):
/// ...     window.record(0.020)
/// >>> window.record(0.130, ok=False)
/// >>> window.error_rate
/// 0.1
/// >>> window.metrics().max
/// 0.13
///
/// An empty window is not a healthy one: error_rate and all latencies are None there, while count and throughput are 0.
/// AIMDController.update takes None for what it is, no evidence.
///
/// The window forgets by `slices` (a power of two from 2 to 1024) and covers the slice of now and the whole slices before
/// it. Counts are exact; latencies are right to `relative_error`, which `cells` (a power of two from 32 to 1024) decides:
/// 3.125 % with 512, 12.5 % with 128, from 4 microseconds to 2.4 hours. The memory is fixed: (3 + cells) * slices words of
/// 8 bytes, 65 KiB as a rule. Throughput is over the time really observed, so that a young window does not understate it.
///
/// One object serves all threads and event loops. A success is one atomic addition, a failure two; nothing waits.
///
/// Source: a ring of stamped slices, as Sentinel's LeapArray, that loses nothing at its turns; log-linear cells, as in
/// HdrHistogram.
#[pyclass(frozen, weakref, module = "seawall", name = "SlidingWindow")]
pub(crate) struct PySlidingWindow {
    view: Box<SlidingWindowView>,
    timer: Timer,
}

impl PySlidingWindow {
    pub(crate) fn summary(&self) -> WindowSummary {
        self.view.summary(self.timer.now())
    }

    fn percentile(&self, percent: u32) -> Option<f64> {
        // Known to be one.
        self.view.quantile(Ratio::percent(percent).ok()?, self.timer.now()).map(as_seconds)
    }
}

/// A power of two from `least` to 1024.
fn power_of_two(name: &str, given: &Bound<'_, PyAny>, least: u32) -> PyResult<usize> {
    match count(name, given, least, 1024) {
        Ok(power) if power.is_power_of_two() => Ok(power as usize),
        _ => Err(bad(name, given, &format!("a power of two from {least} to 1024"))),
    }
}

#[pymethods]
impl PySlidingWindow {
    #[new]
    #[pyo3(
        signature = (window = None, *, slices = None, cells = None, clock = None),
        text_signature = "(window=30.0, *, slices=16, cells=512, clock=None)"
    )]
    fn new(
        window: Option<&Bound<'_, PyAny>>,
        slices: Option<&Bound<'_, PyAny>>,
        cells: Option<&Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyManualClock>>,
    ) -> PyResult<Self> {
        let mut config = WindowConfig::DEFAULT;
        if let Some(window) = window {
            config.window = seconds("window", window)?;
        }
        let slices = slices.map_or(Ok(16), |slices| power_of_two("slices", slices, 2))?;
        let cells = cells.map_or(Ok(512), |cells| power_of_two("cells", cells, 32))?;
        // Both were checked.
        let words = SlidingWindowView::words_for(slices, cells).unwrap_or(0);
        let mut view = zeroed::<SlidingWindowView>(words)?;
        match (view.renew(config, slices, cells), window) {
            (Ok(()), _) => Ok(Self { view, timer: Timer::of(clock) }),
            (Err(WindowConfigError::TooShort | WindowConfigError::TooLong), Some(window)) => {
                Err(bad("window", window, "0.001 to 31,536,000 seconds, a year"))
            }
            (Err(error), _) => Err(PyValueError::new_err(error.message())),
        }
    }

    /// Counts one finished call: how many seconds it took, and whether it went well.
    #[inline]
    #[pyo3(signature = (latency, /, ok = true))]
    fn record(&self, latency: Latency, ok: bool) {
        self.view.record(latency.0, ok, self.timer.now());
    }

    /// All figures of one moment.
    fn metrics(&self) -> PyWindowMetrics {
        self.summary().into()
    }

    /// The latency that a share `q` of the calls kept to, in seconds: quantile(0.9). 1.0 is the longest. None if the window
    /// is empty.
    #[pyo3(signature = (q, /))]
    fn quantile(&self, q: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
        Ok(self.view.quantile(ratio("q", q)?, self.timer.now()).map(as_seconds))
    }

    /// Forgets what came before, as after a deployment, when it says nothing any more. The totals stay.
    fn mark(&self) {
        self.view.mark(self.timer.now());
    }

    /// Goes on at `new` with an empty window, where it stood at `old`, two readings of its clock: for a clock that was set.
    /// The system's never is. The totals stay.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.view.rebase(instant("old", old)?, instant("new", new)?);
        Ok(())
    }

    /// How many calls finished in the window.
    #[getter]
    fn count(&self) -> u64 {
        self.summary().count
    }

    /// The share of calls that failed, to a millionth; None if the window is empty: no evidence is not health.
    #[getter]
    fn error_rate(&self) -> Option<f64> {
        self.view.error_rate(self.timer.now()).map(as_share)
    }

    /// Calls a second, over the time really observed.
    #[getter]
    fn throughput(&self) -> f64 {
        self.metrics().throughput()
    }

    /// The median latency in seconds; None if the window is empty.
    #[getter]
    fn p50(&self) -> Option<f64> {
        self.percentile(50)
    }

    /// The latency in seconds that 95 % of calls kept to; None if the window is empty.
    #[getter]
    fn p95(&self) -> Option<f64> {
        self.percentile(95)
    }

    /// The latency in seconds that 99 % of calls kept to; None if the window is empty.
    #[getter]
    fn p99(&self) -> Option<f64> {
        self.percentile(99)
    }

    /// How many calls were recorded since it was made.
    #[getter]
    fn total_count(&self) -> u64 {
        self.view.total_count()
    }

    /// How many failures were recorded since it was made.
    #[getter]
    fn total_errors(&self) -> u64 {
        self.view.total_errors()
    }

    /// How many calls came too late for their slice, and count in the totals only: a number that keeps growing says that
    /// its clock stepped.
    #[getter]
    fn total_late(&self) -> u64 {
        self.view.total_late()
    }

    /// How many seconds it looks back.
    #[getter]
    fn window(&self) -> f64 {
        as_seconds(self.view.window())
    }

    /// In how many steps it forgets.
    #[getter]
    fn slices(&self) -> usize {
        self.view.slices()
    }

    /// How many seconds it forgets at a time.
    #[getter]
    fn slice(&self) -> f64 {
        as_seconds(self.view.slice())
    }

    /// How many latencies it tells apart.
    #[getter]
    fn cells(&self) -> usize {
        self.view.cells()
    }

    /// By which share a latency may be off, from 4 microseconds to 2.4 hours.
    #[getter]
    fn relative_error(&self) -> f64 {
        as_share(self.view.relative_error())
    }

    fn __sizeof__(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.view)
    }

    fn __repr__(&self) -> String {
        let (window, slices, cells) = (self.window(), self.slices(), self.cells());
        format!("SlidingWindow(window={window}, slices={slices}, cells={cells}, count={})", self.count())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }
}
