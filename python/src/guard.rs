//! `Guard`: every mechanism in one place, for the calls to one service.
//!
//! # Who holds whom
//! An attempt holds its call, a call its guard, and a guard the parts, which its `breaker` and their kin hold too. What
//! Python gave, the callback and `on`, only the guard holds: so that the collector of cycles finds each reference once.
//!
//! # Locks
//! A call's progress is behind a mutex, that is held for a few instructions of the core, and never while Python runs.

mod arguments;
mod attempt;
mod call;
mod inner;
mod log;
mod run;
mod settings;
mod whole;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use seawall::{Clock, GuardQueue, Request, WindowConfig};

pub(crate) use self::attempt::PyAttempt;
pub(crate) use self::call::{Manner, PyCall};
use self::inner::Told;
use self::log::Log;
use self::whole::{BreakerOf, Whole, part};
use crate::callback::Callback;
use crate::chance::Forks;
use crate::circuit_breaker::PyCircuitBreaker;
use crate::clock::{PyManualClock, Timer};
use crate::concurrency_limit::PyConcurrencyLimit;
use crate::errors::{change_error, exception, no_pickle};
use crate::held;
use crate::keyed_buckets::PyKeyedBuckets;
use crate::retry_budget::PyRetryBudget;
use crate::snapshot::PySnapshot;
use crate::token_bucket::PyTokenBucket;
use crate::values::{as_per_second, as_seconds, count, instant, seconds};
use crate::warm_up::PyWarmUp;

/// Guards the calls to one service: a shared pause where the service asked for one, a circuit breaker, an adaptive limit
/// on the calls in flight, a token bucket, a bucket for each key, and retries with a budget, in one object for all threads
/// and event loops.
///
/// Two numbers are enough: the `rate` of calls that you expect, per second, and the `timeout` of one call in seconds. Each
/// other setting has a default that follows from them.
///
/// >>> import seawall
/// >>> guard = seawall.Guard(20, timeout=1.0, max_wait=0.5)
/// >>> guard.call(len, "four")
/// 4
/// >>> @guard
/// ... def fetch(number):
/// ...     return number + 1
/// >>> fetch(1)
/// 2
///
/// One attempt, refused by raising a `Refused`: `guard.call`, `@guard`, `with guard:`, `async with guard:`, or
/// `with guard.begin(key="alice") as attempt:`. A whole call with retries: `guard.execute`, `@guard(retry=True)`, or
/// `for attempt in guard.begin(): with attempt: ...`. An exception counts as `on` says: an exception class or a tuple of
/// them, which are worth a retry, or a function of the exception.
///
/// `quota` is a rate that is never to be passed; without it the bucket only stops what runs wild, at 16 times `rate`.
/// `per_key` is the rate of each key, for `keys` of them at once. Each of the `shards` of the service, parts that fail one
/// by one, has a breaker of its own. `mode` and `modes` say which stages refuse ("enforce"), and which only say that they
/// would ("shadow"; a share from 0.0 to 1.0 enforces a stage for that share of the keys; "off"). `bucket`, `breaker`,
/// `limit`, `retry` and `budget` are dicts of settings, by the keywords of TokenBucket, CircuitBreaker, ConcurrencyLimit,
/// RetryStrategy and RetryBudget. `retry_streak`: no retry while so many failures stand in a row (None: whatever stands).
/// `timeout_weight`: what a call that timed out weighs to the breaker. `ramp`, a WarmUp: how the rate climbs after a pause.
///
/// `on_state_change(old, new)` is called once for each change of the breaker, and with the shard as a third argument where
/// there are several; what it raises goes to `sys.unraisablehook`.
///
/// Nobody waits unless `max_wait` says how long; who waits is served in the order of arrival. A refused attempt writes
/// nothing, an admitted one is some exchanges: no lock is held while a call runs. A guard takes about 80 KiB, most of it
/// for the quantiles of its `window`.
///
/// Sources: those of its stages; the budget of retries, Site Reliability Engineering (2016), chapter 22.
#[pyclass(frozen, weakref, module = "seawall", name = "Guard")]
pub(crate) struct PyGuard {
    whole: Arc<Whole>,
    queue: GuardQueue<Arc<Whole>, Timer>,
    timer: Timer,
    log: Log,
    forks: Forks,
    seed: u64,
    /// The object of its bucket, which keeps the line of those who wait for that alone.
    bucket: PyOnceLock<Py<PyTokenBucket>>,
    max_wait: Duration,
    /// What tells the errors apart.
    on: Mutex<Option<Py<PyAny>>>,
    on_state_change: Callback,
}

#[pymethods]
impl PyGuard {
    #[new]
    #[pyo3(
        signature = (rate, timeout, *, shards = None, quota = None, warm_up = None, max_in_flight = None, per_key = None,
            per_key_burst = None, keys = None, when_full = None, mode = None, modes = None, max_wait = None, on = None,
            on_state_change = None, bucket = None, breaker = None, limit = None, retry = None, budget = None,
            window = None, timeout_weight = None, retry_streak = settings::Given(None), ramp = None, clock = None,
            seed = None),
        text_signature = "(rate, timeout, *, shards=1, quota=None, warm_up=None, max_in_flight=64, per_key=None, \
                          per_key_burst=None, keys=1024, when_full='open', mode='enforce', modes=None, max_wait=0.0, \
                          on=None, on_state_change=None, bucket=None, breaker=None, limit=None, retry=None, budget=None, \
                          window=30.0, timeout_weight=2, retry_streak=3, ramp=None, clock=None, seed=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn new<'py>(
        py: Python<'py>,
        rate: &Bound<'py, PyAny>,
        timeout: &Bound<'py, PyAny>,
        shards: Option<&Bound<'py, PyAny>>,
        quota: Option<&Bound<'py, PyAny>>,
        warm_up: Option<&Bound<'py, PyWarmUp>>,
        max_in_flight: Option<&Bound<'py, PyAny>>,
        per_key: Option<&Bound<'py, PyAny>>,
        per_key_burst: Option<&Bound<'py, PyAny>>,
        keys: Option<&Bound<'py, PyAny>>,
        when_full: Option<&str>,
        mode: Option<&Bound<'py, PyAny>>,
        modes: Option<&Bound<'py, PyDict>>,
        max_wait: Option<&Bound<'py, PyAny>>,
        on: Option<Bound<'py, PyAny>>,
        on_state_change: Option<Bound<'py, PyAny>>,
        bucket: Option<&Bound<'py, PyDict>>,
        breaker: Option<&Bound<'py, PyDict>>,
        limit: Option<&Bound<'py, PyDict>>,
        retry: Option<&Bound<'py, PyDict>>,
        budget: Option<&Bound<'py, PyDict>>,
        window: Option<&Bound<'py, PyAny>>,
        timeout_weight: Option<&Bound<'py, PyAny>>,
        retry_streak: settings::Given<'py>,
        ramp: Option<&Bound<'py, PyWarmUp>>,
        clock: Option<&Bound<'py, PyManualClock>>,
        seed: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let plan = settings::Settings {
            rate,
            timeout,
            shards,
            quota,
            warm_up,
            max_in_flight,
            per_key,
            per_key_burst,
            keys,
            when_full,
            mode,
            modes,
            bucket,
            breaker,
            limit,
            retry,
            budget,
            timeout_weight,
            retry_streak: retry_streak.0.as_ref(),
            ramp,
        }
        .plan()?;
        let max_wait = max_wait.map_or(Ok(Duration::ZERO), |max_wait| seconds("max_wait", max_wait))?;
        let window = window.map_or(Ok(Duration::from_secs(30)), |window| seconds("window", window))?;
        let seed = crate::values::seed(seed)?;
        let timer = Timer::of(clock);
        let whole = Arc::new(Whole::new(&plan, seed, timer.now())?);
        Ok(Self {
            queue: GuardQueue::new(Arc::clone(&whole), timer.clone()),
            whole,
            forks: Forks::new(),
            seed,
            bucket: PyOnceLock::new(),
            timer,
            log: Log::new(py, WindowConfig { window })?,
            max_wait,
            on: Mutex::new(Some(crate::retry_strategy::on(py, on.as_ref())?.unbind())),
            on_state_change: Callback::new(Callback::checked("on_state_change", on_state_change, "(old, new)")?),
        })
    }

    /// Calls `function` with these arguments, once: its result, or what it raises; a `Refused` where it may not be sent.
    ///
    /// A coroutine that it returns, or anything else to await, is awaited as a part of the call: `await guard.call(fetch, url)`. A refused call waits
    /// as long as the guard's `max_wait` allows, in the task where `function` is a coroutine function, and else in the
    /// thread.
    #[pyo3(signature = (function, /, *args, **kwargs))]
    pub(crate) fn call<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        run::run(slf, function, args, kwargs, false)
    }

    /// As `call`, and sends again what fails, as long as the guard allows: attempts, deadline, budget, and how well the
    /// service is. It waits for the back-off on the thread, or in the task where `function` gives coroutines. At the end
    /// it raises the last exception itself, with a note that says why no more was tried.
    #[pyo3(signature = (function, /, *args, **kwargs))]
    pub(crate) fn execute<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        run::run(slf, function, args, kwargs, true)
    }

    /// A decorator: `@guard`, or `@guard(key=..., cost=1, shard=0, deadline=None, max_wait=None, retry=False)`, for
    /// functions and coroutine functions, and methods of both kinds. `key` and `shard` may be functions of the arguments.
    #[pyo3(signature = (function = None, /, **settings))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        function: Option<&Bound<'py, PyAny>>,
        settings: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static DECORATOR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let none = PyDict::new(slf.py());
        let settings = settings.unwrap_or(&none);
        match function {
            Some(function) => Self::decorated(slf, function, settings),
            None => DECORATOR.import(slf.py(), "seawall._guard", "decorator")?.call((slf,), Some(settings)),
        }
    }

    /// A call begins; nothing is taken yet. `key` is whose it is, a str, bytes or an int; `shard` the part of the service
    /// that it goes to; `cost` the tokens of each attempt; `deadline` the seconds from now from which on the answer is of
    /// no use; `max_wait` how long its attempts may wait for leave.
    #[pyo3(
        signature = (*, key = None, shard = None, cost = None, deadline = None, max_wait = None),
        text_signature = "($self, *, key=None, shard=0, cost=1, deadline=None, max_wait=None)"
    )]
    fn begin<'py>(
        slf: &Bound<'py, Self>,
        key: Option<&Bound<'py, PyAny>>,
        shard: Option<&Bound<'py, PyAny>>,
        cost: Option<&Bound<'py, PyAny>>,
        deadline: Option<&Bound<'py, PyAny>>,
        max_wait: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<PyCall> {
        let this = slf.get();
        let max_wait = max_wait.map_or(Ok(this.max_wait), |max_wait| seconds("max_wait", max_wait))?;
        let now = this.timer.now();
        let request = this.request(key, shard, cost, deadline, now)?;
        Ok(PyCall::new(slf.clone().unbind(), max_wait, this.view().begin(request, now), this.log.begun(now)))
    }

    /// What an attempt of such a call would meet now: None, or the refusal. Takes nothing, and counts nowhere.
    #[pyo3(
        signature = (*, key = None, shard = None, cost = None, deadline = None),
        text_signature = "($self, *, key=None, shard=0, cost=1, deadline=None)"
    )]
    fn peek<'py>(
        &self,
        py: Python<'py>,
        key: Option<&Bound<'py, PyAny>>,
        shard: Option<&Bound<'py, PyAny>>,
        cost: Option<&Bound<'py, PyAny>>,
        deadline: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let now = self.timer.now();
        let view = self.view();
        let call = view.begin(self.request(key, shard, cost, deadline, now)?, now);
        view.peek(&call, now).err().map(|refused| exception(py, refused)).transpose()
    }

    /// The mode of a stage: "enforce", "shadow", "off", or the share of the keys for which it is enforced.
    #[pyo3(signature = (stage, /))]
    fn mode<'py>(&self, py: Python<'py>, stage: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Ok(arguments::mode_object(py, self.view().mode(arguments::stage("stage", stage)?)))
    }

    /// Changes the mode of a stage, or of all, for the calls that begin from now on. One in "shadow" refuses nobody, and
    /// counts what it would have refused beside what became of it.
    #[pyo3(signature = (mode, stage = None))]
    fn set_mode(&self, mode: &Bound<'_, PyAny>, stage: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let mode = arguments::mode("mode", mode)?;
        match stage {
            Some(stage) => {
                let stage = arguments::stage("stage", stage)?;
                self.view().set_mode(stage, mode).map_err(|error| PyValueError::new_err(error.to_string()))
            }
            None => {
                for stage in arguments::STAGES_WITH_MODE {
                    // The keyed bucket has a mode where there is one.
                    let _ = self.view().set_mode(stage, mode);
                }
                Ok(())
            }
        }
    }

    /// How many seconds of a pause are left that the service asked for; 0.0 without one.
    #[getter]
    fn paused_for(&self) -> f64 {
        let now = self.timer.now();
        self.view().paused_until(now).map_or(0.0, |end| as_seconds(end.saturating_duration_since(now)))
    }

    /// Changes the rate of the token bucket while others call. The past counts at the old rate.
    #[pyo3(signature = (rate, /))]
    fn set_rate(&self, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        self.whole.bucket.set_rate(crate::values::rate("rate", rate)?, self.timer.now()).map_err(change_error)
    }

    /// Begins anew, as it was made: breakers closed, no pause, the tokens and the limit of the start, the budget too.
    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        let now = self.timer.now();
        let mut changes = Vec::new();
        self.view().reset(now, |transition| changes.push(transition)).map_err(change_error)?;
        for transition in changes {
            self.log.changed(transition, now);
            self.tell(py, transition);
        }
        self.queue.tell();
        Ok(())
    }

    /// Goes on at `new` as it stood at `old`, two readings of its clock: for a clock that was set. The system's never is.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        let (old, new) = (instant("old", old)?, instant("new", new)?);
        self.view().rebase(old, new).map_err(change_error)?;
        self.log.rebase(old, new);
        Ok(())
    }

    /// How many wait for leave.
    #[getter]
    fn waiting(&self) -> u32 {
        self.queue.waiting()
    }

    /// How many parts the service has, each with a circuit breaker of its own.
    #[getter]
    fn shards(&self) -> u32 {
        self.view().shards()
    }

    /// Its token bucket. Who takes from it takes from the guard.
    #[getter]
    fn bucket(&self, py: Python<'_>) -> PyResult<Py<PyTokenBucket>> {
        let made = || Py::new(py, PyTokenBucket::of(part(&self.whole, |any| &whole::whole(any).bucket), &self.timer));
        self.bucket.get_or_try_init(py, made).map(|bucket| bucket.clone_ref(py))
    }

    /// Its limit of the calls in flight.
    #[getter]
    fn limit(&self) -> PyConcurrencyLimit {
        let limit = part(&self.whole, |any| &*whole::whole(any).limit);
        PyConcurrencyLimit::of(limit, Arc::clone(&self.whole.limit_settings), self.timer.clone(), None, None)
    }

    /// Its retry budget.
    #[getter]
    fn budget(&self) -> PyRetryBudget {
        PyRetryBudget::of(part(&self.whole, |any| &whole::whole(any).budget), self.timer.clone())
    }

    /// Its buckets by key; None where it was made without `per_key`.
    #[getter]
    fn keyed(&self) -> Option<PyKeyedBuckets> {
        self.whole.keyed()?;
        Some(PyKeyedBuckets::new_of(part(&self.whole, |any| whole::whole(any).keys()), self.timer.clone()))
    }

    /// The circuit breaker of a shard.
    #[pyo3(signature = (shard = None), text_signature = "($self, shard=0)")]
    fn breaker<'py>(slf: &Bound<'py, Self>, shard: Option<&Bound<'py, PyAny>>) -> PyResult<PyCircuitBreaker> {
        let (py, this) = (slf.py(), slf.get());
        let shard = shard.map_or(Ok(0), |shard| count("shard", shard, 0, u32::MAX))?;
        // It fits, as it is a remainder.
        let shard = shard as usize % this.whole.breakers.len();
        let (breaker, terms) = BreakerOf::part(&this.whole, shard);
        let told = || Bound::new(py, Told { guard: slf.clone().unbind(), shard: shard as u32 });
        let function = this.on_state_change.function(py).map(|_| told()).transpose()?.map(Bound::into_any);
        Ok(PyCircuitBreaker::of(breaker, terms, this.timer.clone(), this.seed, None, function))
    }

    /// All that is known of it at this moment, and of what went through it.
    fn snapshot(&self) -> PySnapshot {
        let now = self.timer.now();
        PySnapshot::new(self.view().snapshot([self.log.recorder()], now), self.queue.waiting())
    }

    /// The only attempt of a call; or where that has to wait for leave, the call: for decorated coroutine functions.
    fn _enter<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let now = this.timer.now();
        let call = this.view().begin(Request::DEFAULT, now);
        let call = PyCall::new(slf.clone().unbind(), this.max_wait, call, this.log.begun(now));
        PyCall::enter(Bound::new(slf.py(), call)?)
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let attempt = Self::begin(slf, None, None, None, None, None)?;
        let attempt = PyCall::blocking(&Bound::new(slf.py(), attempt)?, Manner::Held, slf.get().max_wait)?;
        Ok(attempt)
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __exit__<'py>(
        slf: &Bound<'py, Self>,
        _kind: &Bound<'py, PyAny>,
        error: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let attempt = held::pop(slf.py(), |attempt: &PyAttempt| attempt.is_of(slf))?;
        // One that began in another context frees its place when that context goes.
        attempt.map_or(Ok(false), |attempt| PyAttempt::leave(&attempt, Some(error).filter(|error| !error.is_none())))
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let call = Bound::new(slf.py(), Self::begin(slf, None, None, None, None, None)?)?;
        PyCall::awaiting(&call, Manner::Held, slf.get().max_wait)
    }

    #[pyo3(signature = (kind, error, traceback, /))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        kind: &Bound<'py, PyAny>,
        error: &Bound<'py, PyAny>,
        traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::__exit__(slf, kind, error, traceback)?;
        crate::ready::Ready::none(slf.py())
    }

    fn __repr__(&self) -> String {
        let (view, now) = (self.view(), self.timer.now());
        let states: Vec<_> =
            (0..view.shards()).map(|shard| crate::words::state(view.breaker(shard).state(now))).collect();
        let state = match states.as_slice() {
            [state] => (*state).into(),
            states => {
                let open = states.iter().filter(|state| **state != "closed").count();
                format!("{} of {} shards closed", states.len() - open, states.len())
            }
        };
        format!(
            "<seawall.Guard: {state}, {} of {} in flight, {} tokens at {}/s>",
            view.limit().in_flight(now),
            view.limit().limit(),
            view.bucket().available(now),
            as_per_second(view.bucket().rate())
        )
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(on) = self.on.try_lock() {
            visit.call(&*on)?;
        }
        self.on_state_change.traverse(&visit)
    }

    fn __clear__(&self) {
        let on = self.on.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(on);
        self.on_state_change.clear();
    }
}
