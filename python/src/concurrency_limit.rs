//! `ConcurrencyLimit`.

mod config;
mod permit;

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use seawall::{Clock, ConcurrencyLimitView, LimitChange, LimitConfig, LimitPermit, Outcome};

use crate::attempt::{self, Protects};
use crate::callback::Callback;
use crate::clock::{PyManualClock, Timer};
use crate::errors::{exception, no_pickle, raised};
use crate::held;
use crate::options::Options;
use crate::part::Part;
use crate::ready::Ready;
use crate::settings::Settings;
use crate::values::{as_seconds, bad, count, instant, positive_seconds};
use crate::views::zeroed;
use crate::words;

pub(crate) use config::config;
pub(crate) use permit::PyLimitPermit;

/// How high a ceiling may be set later, where it did not begin higher: 8 KiB of slots.
const SLOTS: u32 = 1024;

/// How many calls may be in flight at once, found out by their latency: it grows while they are quick, and falls when the
/// service gets slow, throttles or times out.
///
/// It begins at `start` (2, or what is nearest to it within the bounds) and moves between `floor` and `ceiling`. A reply
/// within `slow_after` seconds is never a sign of congestion, nor is one within `tolerance` times the usual latency, which
/// it learns. Slow replies leave `slow_factor` of it, a failure that took `timeout` seconds leaves `timeout_factor`, once
/// the limit was found full so many reports in a row as `saturated_after` says. A permit that is never given back holds its
/// slot for `lease` seconds at most. `slow_after` is a quarter of `timeout` where it is not given, and `lease` five times
/// `timeout`.
///
/// >>> import seawall
/// >>> limit = seawall.ConcurrencyLimit(start=1, clock=seawall.ManualClock())
/// >>> with limit.try_attempt():
/// ...     limit.peek()
/// ConcurrencyLimited('concurrency_limit', 'not_yet', None)
/// >>> limit.call(sum, [1, 2])
/// 3
/// >>> @limit
/// ... def fetch(): ...
///
/// Around a coroutine function `call` and the decorator await; `with limit:` and `async with limit:` are there too. They
/// raise ConcurrencyLimited, as a call may end at any time without `retry_after`. `on` says what an exception says of the
/// service, as for a CircuitBreaker. `on_limit_change(old, new, reason)` is called when the limit has moved by a whole call
/// or more: "growth", "slow", "timeout", "throttled", "refused" or "set"; what it raises goes to `sys.unraisablehook`.
///
/// Never more permits are held than the limit. One compare-exchange takes a slot, a refusal writes nothing.
///
/// Source: Chiu and Jain (1989), additive increase and multiplicative decrease; TCP Vegas (Brakmo, 1994), latency as the
/// signal.
#[pyclass(frozen, weakref, module = "seawall", name = "ConcurrencyLimit")]
pub(crate) struct PyConcurrencyLimit {
    limit: Part<ConcurrencyLimitView>,
    timer: Timer,
    settings: Arc<Settings<LimitConfig>>,
    on: Option<Py<PyAny>>,
    on_limit_change: Callback,
}

impl PyConcurrencyLimit {
    /// One that is a part of something, or stands alone. `settings` are shared by the objects that stand for one limit.
    pub(crate) fn of(
        limit: Part<ConcurrencyLimitView>,
        settings: Arc<Settings<LimitConfig>>,
        timer: Timer,
        on: Option<Py<PyAny>>,
        on_limit_change: Option<Bound<'_, PyAny>>,
    ) -> Self {
        Self { limit, timer, settings, on, on_limit_change: Callback::new(on_limit_change) }
    }

    #[inline]
    fn tell(&self, py: Python<'_>, change: Option<LimitChange>) {
        if let Some(change) = change {
            self.on_limit_change.tell(py, (change.from, change.to, words::limit_reason(change.reason)));
        }
    }

    /// Where it began in another context, there is no permit to be found: it frees its slot when that context goes, or by
    /// its lease.
    fn exit(slf: &Bound<'_, Self>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let permit = held::pop(slf.py(), |permit: &PyLimitPermit| permit.is_of(slf))?;
        if let Some(permit) = permit {
            permit.get().end(slf.py(), error);
        }
        Ok(())
    }
}

impl Protects for PyConcurrencyLimit {
    type Leave = LimitPermit;

    #[inline]
    fn admit(&self, py: Python<'_>) -> PyResult<LimitPermit> {
        self.limit.try_attempt(self.timer.now()).map_err(|refused| raised(py, refused))
    }

    #[inline]
    fn finish(&self, py: Python<'_>, leave: LimitPermit, outcome: Outcome) {
        self.tell(py, self.limit.finish(leave, outcome, self.timer.now()));
    }

    fn on(&self) -> Option<&Py<PyAny>> {
        self.on.as_ref()
    }

    #[inline]
    fn permit<'py>(slf: &Bound<'py, Self>, leave: LimitPermit) -> PyResult<Bound<'py, PyAny>> {
        Bound::new(slf.py(), PyLimitPermit::new(slf, leave)).map(Bound::into_any)
    }
}

#[pymethods]
impl PyConcurrencyLimit {
    #[new]
    #[pyo3(
        signature = (start = None, *, on = None, on_limit_change = None, clock = None, **settings),
        text_signature = "(start=2, *, floor=1, ceiling=64, slow_after=0.25, tolerance=2.25, saturated_after=4, \
                          timeout=1.0, slow_factor=0.8, timeout_factor=0.5, lease=5.0, on=None, on_limit_change=None, \
                          clock=None)"
    )]
    fn new(
        py: Python<'_>,
        start: Option<&Bound<'_, PyAny>>,
        on: Option<Bound<'_, PyAny>>,
        on_limit_change: Option<Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyManualClock>>,
        settings: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let settings = settings.unwrap_or_else(|| PyDict::new(py));
        settings.set_item("start", start)?;
        let timeout = match settings.get_item("timeout")? {
            Some(timeout) if !timeout.is_none() => positive_seconds("timeout", &timeout)?,
            _ => LimitConfig::DEFAULT.timeout,
        };
        let config = config("ConcurrencyLimit", config::for_timeout(timeout), Some(&settings))?;
        let mut limit = zeroed::<ConcurrencyLimitView>(config.ceiling.max(SLOTS) as usize)?;
        limit.renew(config).map_err(|error| PyValueError::new_err(error.message()))?;
        let settings = Arc::new(Settings::new(config));
        let on = on.map(|on| crate::retry_strategy::on(py, Some(&on))).transpose()?.map(Bound::unbind);
        let on_limit_change = Callback::checked("on_limit_change", on_limit_change, "(old, new, reason)")?;
        Ok(Self::of(Part::Own(limit), settings, Timer::of(clock), on, on_limit_change))
    }

    /// Leave to send one call: a LimitPermit, to be used as `with limit.try_attempt():`, or reported by hand. Raises
    /// ConcurrencyLimited where as many are in flight as may be.
    fn try_attempt<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::ask(slf)
    }

    /// Calls `function` with the arguments behind it, and gives what it returns; what it raises is judged, and raised again.
    /// A coroutine that it returns, or anything else to await, is awaited inside: `await limit.call(fetch, url)`. Raises ConcurrencyLimited.
    #[pyo3(signature = (function, /, *args, **kwargs))]
    pub(crate) fn call<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::run(slf, function, args, kwargs)
    }

    /// The function with each of its calls behind the limit: `@limit`. Functions and methods, synchronous and asynchronous,
    /// keep their colour, name and signature. Raises TypeError for generators, which do their work after they have returned.
    #[pyo3(signature = (function, /))]
    fn __call__<'py>(slf: &Bound<'py, Self>, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        attempt::protect(slf.as_any(), function)
    }

    /// What `try_attempt` would meet: None, or the refusal. Takes nothing.
    fn peek<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let refused = self.limit.peek(self.timer.now()).err();
        refused.map(|refused| exception(py, refused)).transpose()
    }

    /// How many calls may be in flight.
    #[getter]
    fn limit(&self) -> u32 {
        self.limit.limit()
    }

    /// How many calls are in flight; those whose lease has lapsed are not counted.
    #[getter]
    fn in_flight(&self) -> u32 {
        self.limit.in_flight(self.timer.now())
    }

    /// From how many seconds on a reply is slow, by what is known now.
    #[getter]
    fn slow_after(&self) -> f64 {
        as_seconds(self.limit.slow_after())
    }

    /// Sets the limit, within floor and ceiling; it adapts on from there. What is in flight stays so.
    #[pyo3(signature = (limit, /))]
    fn set_limit(&self, py: Python<'_>, limit: &Bound<'_, PyAny>) -> PyResult<()> {
        self.tell(py, self.limit.set_limit(count("limit", limit, 0, u32::MAX)?));
        Ok(())
    }

    /// Changes settings while others call: those that are given, by the names of the constructor, but for `start`. The
    /// limit is brought within new bounds, else it stays. The ceiling can be raised to 1024, or to what it began with.
    #[pyo3(
        signature = (**settings),
        text_signature = "($self, *, floor=None, ceiling=None, slow_after=None, tolerance=None, saturated_after=None, \
                          timeout=None, slow_factor=None, timeout_factor=None, lease=None)"
    )]
    fn set_config(&self, py: Python<'_>, settings: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        Options::new("ConcurrencyLimit.set_config", settings, &config::NAMES[1..])?;
        let slots = self.limit.slots();
        let change = self.settings.change(
            |old| {
                let new = config("ConcurrencyLimit", old, settings)?;
                match settings.map(|settings| settings.get_item("ceiling")).transpose()?.flatten() {
                    Some(given) if new.ceiling as usize > slots => {
                        Err(bad("ceiling", &given, &format!("an integer from 1 to the {slots} slots that it has")))
                    }
                    _ => Ok(new),
                }
            },
            |new| self.limit.set_config(new).map_err(|error| PyValueError::new_err(error.message())),
        )?;
        self.tell(py, change);
        Ok(())
    }

    /// Frees every slot and voids every permit: where all calls were lost. The limit stays.
    fn reset(&self) {
        self.limit.reset();
    }

    /// Goes on at `new` as it stood at `old`, two readings of its clock: for a clock that was set. The system's never is.
    /// What is in flight stays counted until its lease lapses, and its permits are void.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.limit.rebase(instant("old", old)?, instant("new", new)?);
        Ok(())
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::enter(slf)
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        _kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        Self::exit(slf, error)
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Ready::with(slf.py(), Self::enter(slf)?.unbind())
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _kind: &Bound<'py, PyAny>,
        error: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::exit(slf, error)?;
        Ready::none(slf.py())
    }

    fn __repr__(&self) -> String {
        let LimitConfig { floor, ceiling, .. } = self.settings.get();
        let (limit, in_flight) = (self.limit(), self.in_flight());
        format!("ConcurrencyLimit(limit={limit}, in_flight={in_flight}, floor={floor}, ceiling={ceiling})")
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.on)?;
        self.on_limit_change.traverse(&visit)
    }

    fn __clear__(&self) {
        self.on_limit_change.clear();
    }
}
