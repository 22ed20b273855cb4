//! `AIMDController`: finds the rate that a service can bear.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall::{AimdConfig, AimdConfigError, AimdController, Clock, RateChange};

use crate::callback::Callback;
use crate::clock::{PyManualClock, Timer};
use crate::errors::no_pickle;
use crate::options::Options;
use crate::sliding_window::PySlidingWindow;
use crate::values::{as_per_second, as_seconds, as_share, bad, count, instant, positive_seconds, rate, ratio, seconds};
use crate::window_metrics::PyWindowMetrics;
use crate::words;

/// Finds the rate that a service can bear: it grows by `step` every `interval` seconds while all is well, and is multiplied
/// by `factor` when calls fail or take too long. Ask it every second or so; it judges at most once an interval, however
/// often and from however many threads it is asked.
///
/// >>> import seawall
/// >>> clock = seawall.ManualClock()
/// >>> bucket = seawall.TokenBucket(10, clock=clock)
/// >>> controller = seawall.AIMDController(
/// ...     initial_rate=10, min_rate=1, max_rate=50, clock=clock,
/// ...     on_rate_change=lambda old, new, reason: bucket.set_rate(new),
/// ... )
/// >>> controller.update(error_rate=0.3, p95=0.1)
/// 5.0
/// >>> bucket.rate
/// 5.0
///
/// `update(error_rate, p95)` is the plain rule. `observe(window)` is the better one: it needs a minimum of samples, however
/// long they take to come; learns which errors and latencies are normal, so that what does not come from the rate does not
/// hold it at the floor; asks errors to exceed the threshold by more than chance; and grows to twice the measured
/// throughput at most, as a limit that is not in use says nothing about the service.
///
/// Rates are per second, as numbers or like "5/min". `on_rate_change(old, new, reason)` is called after each change, by the
/// thread that brought it about; the reason is "errors", "latency" or "healthy". What it raises goes to sys.unraisablehook.
///
/// Source: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks"
/// (1989), with one decrease per event as in TCP.
#[pyclass(frozen, weakref, module = "seawall", name = "AIMDController")]
pub(crate) struct PyAimdController {
    controller: AimdController,
    config: AimdConfig,
    timer: Timer,
    on_rate_change: Callback,
}

const SETTINGS: [&str; 8] = [
    "step",
    "factor",
    "error_threshold",
    "latency_threshold",
    "interval",
    "minimum_samples",
    "error_baseline_max",
    "latency_baseline_max",
];

/// `base` with what was given by name.
fn config(of: &str, base: AimdConfig, given: Option<&Bound<'_, PyDict>>) -> PyResult<AimdConfig> {
    let options = Options::new(of, given, &SETTINGS)?;
    Ok(AimdConfig {
        step: options.or("step", base.step, rate)?,
        factor: options.or("factor", base.factor, ratio)?,
        error_threshold: options.or("error_threshold", base.error_threshold, ratio)?,
        latency_threshold: options.or("latency_threshold", base.latency_threshold, seconds)?,
        interval: options.or("interval", base.interval, positive_seconds)?,
        minimum_samples: options.or("minimum_samples", base.minimum_samples, |name, given| {
            count(name, given, 1, u32::MAX).map(u64::from)
        })?,
        error_baseline_max: options.or("error_baseline_max", base.error_baseline_max, ratio)?,
        latency_baseline_max: options.or("latency_baseline_max", base.latency_baseline_max, seconds)?,
        ..base
    })
}

impl PyAimdController {
    /// Tells of a change, if there was one; the rate in force.
    fn after(&self, py: Python<'_>, change: Option<RateChange>) -> f64 {
        if let Some(change) = change {
            let reason = words::rate_reason(change.reason);
            self.on_rate_change.tell(py, (as_per_second(change.from), as_per_second(change.to), reason));
        }
        self.current_rate()
    }
}

#[pymethods]
impl PyAimdController {
    #[new]
    #[pyo3(
        signature = (
            initial_rate = None, min_rate = None, max_rate = None, *, on_rate_change = None, clock = None, **settings
        ),
        text_signature = "(initial_rate=5, min_rate=1, max_rate=100, *, step=1, factor=0.5, error_threshold=0.05, \
                          latency_threshold=0.4, interval=30.0, minimum_samples=10, error_baseline_max=0.2, \
                          latency_baseline_max=1.0, on_rate_change=None, clock=None)"
    )]
    fn new(
        initial_rate: Option<&Bound<'_, PyAny>>,
        min_rate: Option<&Bound<'_, PyAny>>,
        max_rate: Option<&Bound<'_, PyAny>>,
        on_rate_change: Option<Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyManualClock>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let base = AimdConfig::DEFAULT;
        let given = |name, given: Option<&Bound<'_, PyAny>>, base| given.map_or(Ok(base), |given| rate(name, given));
        let base = AimdConfig {
            initial_rate: given("initial_rate", initial_rate, base.initial_rate)?,
            min_rate: given("min_rate", min_rate, base.min_rate)?,
            max_rate: given("max_rate", max_rate, base.max_rate)?,
            ..base
        };
        let config = config("AIMDController", base, settings)?;
        let on_rate_change = Callback::checked("on_rate_change", on_rate_change, "(old, new, reason)")?;
        match AimdController::new(config) {
            Ok(controller) => {
                Ok(Self { controller, config, timer: Timer::of(clock), on_rate_change: Callback::new(on_rate_change) })
            }
            Err(AimdConfigError::RatesOutOfOrder) => Err(PyValueError::new_err(format!(
                "initial_rate must be between min_rate and max_rate, {} to {} per second, not {}",
                as_per_second(config.min_rate),
                as_per_second(config.max_rate),
                as_per_second(config.initial_rate),
            ))),
            Err(error) => Err(PyValueError::new_err(error.message())),
        }
    }

    /// The plain rule, for who measures by themselves: cut if `error_rate` or `p95` (in seconds) exceeds its threshold, else
    /// grow by a step; at most once an interval. None is no evidence, and without either figure nothing changes. Returns
    /// the rate that holds now.
    ///
    /// It knows neither samples nor the rate in use nor what is normal: errors over the threshold that are always there hold
    /// it at the floor. `observe` has no such trap.
    #[pyo3(signature = (error_rate, p95))]
    fn update(
        &self,
        py: Python<'_>,
        error_rate: Option<&Bound<'_, PyAny>>,
        p95: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<f64> {
        let error_rate = error_rate.map(|given| ratio("error_rate", given)).transpose()?;
        let p95 = p95.map(|given| seconds("p95", given)).transpose()?;
        Ok(self.after(py, self.controller.update(error_rate, p95, self.timer.now())))
    }

    /// Judges what a SlidingWindow saw, or its metrics, and changes the rate if it is time and there is reason to. Returns
    /// the rate that holds now.
    ///
    /// The first call only notes where the totals of the window stand. Use one window with one controller, on the same
    /// clock; let the window be no longer than the interval.
    #[pyo3(signature = (window, /))]
    fn observe(&self, window: &Bound<'_, PyAny>) -> PyResult<f64> {
        let now = self.timer.now();
        let summary = if let Ok(window) = window.cast::<PySlidingWindow>() {
            if self.controller.due_at() > now {
                // Nothing would be judged: it need not be read.
                return Ok(self.current_rate());
            }
            window.get().summary()
        } else if let Ok(metrics) = window.cast::<PyWindowMetrics>() {
            metrics.get().summary()
        } else {
            return Err(bad("window", window, "a SlidingWindow, or the metrics of one"));
        };
        Ok(self.after(window.py(), self.controller.observe(&summary, now)))
    }

    /// Sets the rate by hand, and returns the one that holds now: `rate` between the floor and the ceiling. The next
    /// judgement is due when it was, and on_rate_change is not called.
    #[pyo3(signature = (rate, /))]
    fn set_rate(&self, rate: &Bound<'_, PyAny>) -> PyResult<f64> {
        Ok(as_per_second(self.controller.set_rate(self::rate("rate", rate)?)))
    }

    /// Begins anew: the initial rate, nothing learned, no samples; the first judgement is due an interval from now.
    fn reset(&self) {
        self.controller.reset(self.timer.now());
    }

    /// Goes on at `new` as it stood at `old`, two readings of its clock: for a clock that was set. The system's never is.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.controller.rebase(instant("old", old)?, instant("new", new)?);
        Ok(())
    }

    /// The rate in force, per second.
    #[getter]
    fn current_rate(&self) -> f64 {
        as_per_second(self.controller.current_rate())
    }

    /// The floor of the rate, per second.
    #[getter]
    fn min_rate(&self) -> f64 {
        as_per_second(self.config.min_rate)
    }

    /// The ceiling of the rate, per second.
    #[getter]
    fn max_rate(&self) -> f64 {
        as_per_second(self.config.max_rate)
    }

    /// How many seconds are left until it may judge again; 0.0 from then on.
    #[getter]
    fn due_in(&self) -> f64 {
        let left: Duration = self.controller.due_at().saturating_duration_since(self.timer.now());
        as_seconds(left)
    }

    /// The share of failed calls that it has learned as normal; None before `observe` has judged.
    #[getter]
    fn error_baseline(&self) -> Option<f64> {
        self.controller.error_baseline().map(as_share)
    }

    /// The p95 in seconds that it has learned as normal; None before `observe` has judged.
    #[getter]
    fn latency_baseline(&self) -> Option<f64> {
        self.controller.latency_baseline().map(as_seconds)
    }

    fn __repr__(&self) -> String {
        let (rate, least, most) = (self.current_rate(), self.min_rate(), self.max_rate());
        format!("AIMDController(current_rate={rate}, min_rate={least}, max_rate={most}, due_in={})", self.due_in())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.on_rate_change.traverse(&visit)
    }

    fn __clear__(&self) {
        self.on_rate_change.clear();
    }
}
