//! `CircuitBreaker`.

mod config;
mod permit;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use seawall::{BreakerConfig, BreakerPermit, CircuitBreaker, Clock, Outcome, Transition, TripRule};

use crate::attempt::{self, Protects};
use crate::callback::Callback;
use crate::chance::Chance;
use crate::clock::{PyManualClock, Timer};
use crate::errors::{exception, no_pickle, raised};
use crate::held;
use crate::part::Part;
use crate::ready::Ready;
use crate::settings::Settings;
use crate::values::{instant, seed};
use crate::words;

pub(crate) use config::config;
pub(crate) use permit::PyBreakerPermit;

/// What a breaker was set to, and its chance: shared by the objects that stand for one breaker, as those of a guard do.
pub(crate) struct BreakerTerms {
    settings: Settings<BreakerConfig>,
    /// Whether a success may be too slow, and open it: only then does a success draw a number.
    judges_speed: AtomicBool,
    /// Of the seed that the first of them brought.
    chance: OnceLock<Chance>,
}

impl BreakerTerms {
    pub(crate) fn new(config: BreakerConfig) -> Self {
        let judges_speed = AtomicBool::new(is_of_speed(&config));
        Self { settings: Settings::new(config), judges_speed, chance: OnceLock::new() }
    }

    fn chance(&self, seed: impl FnOnce() -> u64) -> &Chance {
        self.chance.get_or_init(|| Chance::from_seed(seed()))
    }
}

const fn is_of_speed(config: &BreakerConfig) -> bool {
    matches!(config.rule, TripRule::SlowShare { .. })
}

/// Stops calling a service that fails, and finds out with a few probes when it is well again.
///
/// Closed, every call passes and is judged. It opens after `failure_threshold` failures in a row; or, given instead, at a
/// `failure_share` of the last `window` calls; or at a `slow_share` of them that failed or were `slower_than` so many
/// seconds; the last two from `minimum` calls on. Open, it refuses everything for `open_for` seconds, drawn up or down by
/// `open_jitter`. Then at most `probes` calls pass, each on a lease of `probe_lease` seconds: if `close_share` of them
/// succeed it closes, and lets the traffic in again within `ramp` seconds; else it opens, `open_growth` times longer for
/// each failed round, up to `open_cap`. That is 5 seconds, or `open_for` where that is more.
///
/// Protected calls run in parallel: no lock is held while one runs.
///
/// >>> import seawall
/// >>> breaker = seawall.CircuitBreaker(failure_threshold=2, on_state_change=lambda old, new: print(old, "->", new))
/// >>> for reply in (500, 500):
/// ...     if not breaker.should_block():
/// ...         breaker.on_success() if reply < 500 else breaker.on_failure()
/// closed -> open
/// >>> breaker.should_block()
/// True
///
/// Better, as a permit tells a late result from a new one, gives back its place when the call is cancelled, and knows how
/// long it took:
///
/// >>> breaker = seawall.CircuitBreaker()
/// >>> breaker.call(sum, [1, 2])
/// 3
/// >>> with breaker.try_attempt():
/// ...     pass
/// >>> @breaker
/// ... def fetch(): ...
///
/// Around a coroutine function `call` and the decorator await; `with breaker:` and `async with breaker:` are there too. They
/// raise CircuitOpen, with `retry_after` where it is known. What an exception says of the service is told by `on`: a
/// class or a tuple of those that are failures (all others are answers of the service, and good), or a function that
/// answers "retryable", "permanent", "throttled", "timeout" or "ignored", True (a failure), False (none) or None (by
/// default). By default each `Exception` is a failure, but for those that carry an HTTP answer of which the request was to
/// blame; a cancelled task, Ctrl-C and a refusal of seawall's own say nothing. Let time-outs end inside: one that cancels
/// from outside says nothing either.
///
/// `on_state_change(old, new)` is called once for each change, "closed", "open" or "half_open", by the thread that made it;
/// what it raises goes to `sys.unraisablehook`. A healthy call writes nothing that threads share; a refusal never does.
///
/// Source: Nygard, Release It! (2007); generations, leases and the ramp are there for the faults of its implementations.
#[pyclass(frozen, weakref, module = "seawall", name = "CircuitBreaker")]
pub(crate) struct PyCircuitBreaker {
    breaker: Part<CircuitBreaker>,
    timer: Timer,
    terms: Arc<BreakerTerms>,
    on: Option<Py<PyAny>>,
    on_state_change: Callback,
}

impl PyCircuitBreaker {
    /// One that is a part of something, or stands alone.
    pub(crate) fn of(
        breaker: Part<CircuitBreaker>,
        terms: Arc<BreakerTerms>,
        timer: Timer,
        seed: u64,
        on: Option<Py<PyAny>>,
        on_state_change: Option<Bound<'_, PyAny>>,
    ) -> Self {
        terms.chance(|| seed);
        Self { breaker, timer, terms, on, on_state_change: Callback::new(on_state_change) }
    }

    fn draw(&self) -> u64 {
        self.terms.chance(seawall::entropy).next_u64()
    }

    #[inline]
    fn tell(&self, py: Python<'_>, transition: Option<Transition>) {
        if let Some(transition) = transition {
            self.tell_of(py, transition);
        }
    }

    #[cold]
    fn tell_of(&self, py: Python<'_>, transition: Transition) {
        self.on_state_change.tell(py, (words::state(transition.from), words::state(transition.to)));
    }

    fn exit(slf: &Bound<'_, Self>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if let Some(permit) = held::pop(py, |permit: &PyBreakerPermit| permit.is_of(slf))? {
            permit.get().end(py, error);
            return Ok(());
        }
        // It began in another context: its permit heals by its lease, and its result counts as one without a permit.
        match this.outcome(error) {
            Outcome::Success => this.on_success(py),
            Outcome::Ignored => {}
            _ => this.on_failure(py),
        }
        Ok(())
    }
}

impl Protects for PyCircuitBreaker {
    type Leave = BreakerPermit;

    #[inline]
    fn admit(&self, py: Python<'_>) -> PyResult<BreakerPermit> {
        match self.breaker.try_attempt(self.timer.now()) {
            Ok(admission) => {
                self.tell(py, admission.transition);
                Ok(admission.permit)
            }
            Err(refused) => Err(raised(py, refused)),
        }
    }

    #[inline]
    fn finish(&self, py: Python<'_>, leave: BreakerPermit, outcome: Outcome) {
        let draws = outcome != Outcome::Success || self.terms.judges_speed.load(Ordering::Relaxed);
        let random = if draws { self.draw() } else { 0 };
        self.tell(py, self.breaker.finish(leave, outcome, self.timer.now(), random));
    }

    fn on(&self) -> Option<&Py<PyAny>> {
        self.on.as_ref()
    }

    #[inline]
    fn permit<'py>(slf: &Bound<'py, Self>, leave: BreakerPermit) -> PyResult<Bound<'py, PyAny>> {
        Bound::new(slf.py(), PyBreakerPermit::new(slf, leave)).map(Bound::into_any)
    }
}

#[pymethods]
impl PyCircuitBreaker {
    #[new]
    #[pyo3(
        signature = (failure_threshold = None, *, on = None, on_state_change = None, clock = None, seed = None, **settings),
        text_signature = "(failure_threshold=10, *, failure_share=None, slow_share=None, slower_than=None, window=20, \
                          minimum=5, open_for=1.0, open_jitter=0.3, open_growth=1.5, open_cap=5.0, probes=3, \
                          probe_lease=5.0, close_share=0.6, ramp=1.0, on=None, on_state_change=None, clock=None, \
                          seed=None)"
    )]
    fn new(
        py: Python<'_>,
        failure_threshold: Option<&Bound<'_, PyAny>>,
        on: Option<Bound<'_, PyAny>>,
        on_state_change: Option<Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyManualClock>>,
        seed: Option<&Bound<'_, PyAny>>,
        settings: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let settings = settings.unwrap_or_else(|| PyDict::new(py));
        settings.set_item("failure_threshold", failure_threshold)?;
        let config = config("CircuitBreaker", BreakerConfig::DEFAULT, Some(&settings))?;
        let breaker = match CircuitBreaker::new(config) {
            Ok(breaker) => Part::own(breaker),
            Err(error) => return Err(pyo3::exceptions::PyValueError::new_err(error.message())),
        };
        let (terms, timer) = (Arc::new(BreakerTerms::new(config)), Timer::of(clock));
        let on = on.map(|on| crate::retry_strategy::on(py, Some(&on))).transpose()?.map(Bound::unbind);
        let on_state_change = Callback::checked("on_state_change", on_state_change, "(old, new)")?;
        Ok(Self::of(breaker, terms, timer, self::seed(seed)?, on, on_state_change))
    }

    /// Whether a call must not be sent now. Each False must be followed by `on_success` or `on_failure`.
    ///
    /// Prefer `try_attempt`, `call` or the decorator: without a permit a result from before the breaker opened is taken for
    /// a probe's, and no call is slow.
    #[inline]
    fn should_block(&self, py: Python<'_>) -> bool {
        match self.breaker.try_attempt(self.timer.now()) {
            Ok(admission) => {
                self.tell(py, admission.transition);
                false
            }
            Err(_) => true,
        }
    }

    /// A call that `should_block` let pass went well.
    fn on_success(&self, py: Python<'_>) {
        self.tell(py, self.breaker.on_success(self.timer.now()));
    }

    /// A call that `should_block` let pass failed.
    fn on_failure(&self, py: Python<'_>) {
        self.tell(py, self.breaker.on_failure(self.timer.now(), self.draw()));
    }

    /// Leave to send one call: a BreakerPermit, to be used as `with breaker.try_attempt():`, or reported by hand.
    ///
    /// Raises CircuitOpen: open, with `retry_after`; or without, where all probes are out, a ramp keeps some calls back, or
    /// it is held open.
    fn try_attempt<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::ask(slf)
    }

    /// Calls `function` with the arguments behind it, and gives what it returns; what it raises is judged, and raised again.
    /// A coroutine that it returns, or anything else to await, is awaited inside: `await breaker.call(fetch, url)`. Raises CircuitOpen.
    #[pyo3(signature = (function, /, *args, **kwargs))]
    pub(crate) fn call<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::run(slf, function, args, kwargs)
    }

    /// The function with each of its calls behind the breaker: `@breaker`. Functions and methods, synchronous and
    /// asynchronous, keep their colour, name and signature. Raises TypeError for generators, which do their work after they
    /// have returned.
    #[pyo3(signature = (function, /))]
    fn __call__<'py>(slf: &Bound<'py, Self>, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        attempt::protect(slf.as_any(), function)
    }

    /// What `try_attempt` would meet: None, or the refusal. Takes nothing.
    fn peek<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let refused = self.breaker.peek(self.timer.now()).err();
        refused.map(|refused| exception(py, refused)).transpose()
    }

    /// "closed", "open" or "half_open". An open interval that is over reads as "half_open"; the change is made, and told, by
    /// the next attempt.
    #[getter]
    fn state(&self) -> &'static str {
        words::state(self.breaker.state(self.timer.now()))
    }

    /// Opens it, if it is closed, on evidence of the caller's own; it probes and closes again as ever.
    fn trip(&self, py: Python<'_>) {
        self.tell(py, self.breaker.trip(self.timer.now(), self.draw()));
    }

    /// Holds it open, whatever happens, until `force_close` or `reset`.
    fn force_open(&self, py: Python<'_>) {
        self.tell(py, self.breaker.force_open(self.timer.now()));
    }

    /// Holds it closed, whatever happens, until `force_open` or `reset`: it is switched off.
    fn force_close(&self, py: Python<'_>) {
        self.tell(py, self.breaker.force_close(self.timer.now()));
    }

    /// Closes it, holds it no more, and forgets all evidence; results of calls that are under way count no more.
    fn reset(&self, py: Python<'_>) {
        self.tell(py, self.breaker.reset(self.timer.now()));
    }

    /// Changes settings while others call: those that are given, by the names of the constructor. State and permits stay, and
    /// a change of the rule starts the evidence anew.
    #[pyo3(
        signature = (**settings),
        text_signature = "($self, *, failure_threshold=None, failure_share=None, slow_share=None, slower_than=None, \
                          window=None, minimum=None, open_for=None, open_jitter=None, open_growth=None, open_cap=None, \
                          probes=None, probe_lease=None, close_share=None, ramp=None)"
    )]
    fn set_config(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let terms = &self.terms;
        terms.settings.change(
            |old| config("CircuitBreaker", old, settings),
            |new| {
                // A success that may open it by the new rule draws its number before that rule is there.
                terms.judges_speed.fetch_or(is_of_speed(&new), Ordering::Relaxed);
                let changed = self.breaker.set_config(new);
                terms.judges_speed.store(is_of_speed(&new), Ordering::Relaxed);
                changed.map_err(|error| pyo3::exceptions::PyValueError::new_err(error.message()))
            },
        )
    }

    /// Goes on at `new` as it stood at `old`, two readings of its clock: for a clock that was set. The system's never is.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.breaker.rebase(instant("old", old)?, instant("new", new)?);
        Ok(())
    }

    /// Begins its random numbers anew: for replays, in tests.
    #[pyo3(signature = (seed, /))]
    fn _reseed(&self, seed: u64) {
        self.terms.chance(seawall::entropy).reseed(seed);
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
        let state = self.state();
        let rule = match self.terms.settings.get().rule {
            TripRule::Consecutive(threshold) => format!("failure_threshold={threshold}"),
            TripRule::FailureShare { share, .. } => format!("failure_share={}", crate::values::as_share(share)),
            TripRule::SlowShare { share, slower_than, .. } => {
                let slower_than = crate::values::as_seconds(slower_than);
                format!("slow_share={}, slower_than={slower_than}", crate::values::as_share(share))
            }
            _ => "...".into(),
        };
        format!("CircuitBreaker({rule}, state='{state}')")
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.on)?;
        self.on_state_change.traverse(&visit)
    }

    fn __clear__(&self) {
        self.on_state_change.clear();
    }
}
