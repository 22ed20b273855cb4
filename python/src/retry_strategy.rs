//! `RetryStrategy`.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyBaseException, PyException, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use seawall::{AttemptFailure, Clock, ErrorClass, Instant, Jitter, RetryConfig, RetryDecision, RetryStrategy};

use crate::awaitable::is_awaitable;
use crate::calls::{call, call1};
use crate::chance::Chance;
use crate::clock::{PyManualClock, Timer};
use crate::errors::no_pickle;
use crate::options::Options;
use crate::retry_attempts::PyRetryAttempts;
use crate::retry_budget::PyRetryBudget;
use crate::retry_call::{LogicalCall, PyRetryCall, class_of};
use crate::values::{as_seconds, bad, bad_text, count, positive_seconds, seconds};
use crate::words;

const SETTINGS: &[&str] =
    &["max_attempts", "base_delay", "factor", "max_delay", "jitter", "deadline", "retry_after_cap"];

/// The settings of a strategy that were given, and those of `base` for the others.
pub(crate) fn config(of: &str, base: RetryConfig, given: Option<&Bound<'_, PyDict>>) -> PyResult<RetryConfig> {
    let options = Options::new(of, given, SETTINGS)?;
    // No deadline is what None says. Of all else it is as bad as any other wrong value: somebody means "no limit".
    for name in SETTINGS.iter().filter(|name| **name != "deadline") {
        if let Some(none) =
            given.map(|given| given.get_item(name)).transpose()?.flatten().filter(|given| given.is_none())
        {
            return Err(bad(name, &none, "given, or left out"));
        }
    }
    let base_delay = options.or("base_delay", None, |name, given| seconds(name, given).map(Some))?;
    let max_delay = options.or("max_delay", None, |name, given| seconds(name, given).map(Some))?;
    Ok(RetryConfig {
        max_attempts: options.or("max_attempts", base.max_attempts, |name, given| count(name, given, 1, u32::MAX))?,
        // What is not given gives way to what is.
        base_delay: base_delay.unwrap_or(base.base_delay.min(max_delay.unwrap_or(Duration::MAX))),
        factor_percent: options.or("factor", base.factor_percent, factor)?,
        max_delay: max_delay.unwrap_or(base.max_delay.max(base_delay.unwrap_or(Duration::ZERO))),
        jitter: options.or("jitter", base.jitter, jitter)?,
        total_deadline: options
            .or("deadline", base.total_deadline, |name, given| positive_seconds(name, given).map(Some))?,
        retry_after_cap: options.or("retry_after_cap", base.retry_after_cap, seconds)?,
    })
}

fn factor(name: &str, given: &Bound<'_, PyAny>) -> PyResult<u32> {
    match given.extract::<f64>() {
        Ok(factor) if (1.0..=42_949_672.0).contains(&factor) => Ok((factor * 100.0).round() as u32),
        _ => Err(bad(name, given, "1 (no growth) to 42,949,672, in hundredths")),
    }
}

fn jitter(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Jitter> {
    let text = given.cast::<PyString>().ok().map(|text| text.to_string());
    match text.as_deref() {
        Some("none") => Ok(Jitter::None),
        Some("additive") => Ok(Jitter::Additive),
        Some("equal") => Ok(Jitter::Equal),
        Some("full") => Ok(Jitter::Full),
        Some("decorrelated") => Ok(Jitter::Decorrelated),
        _ => Err(bad_text(name, given, "\"full\", \"equal\", \"additive\", \"decorrelated\" or \"none\"")),
    }
}

fn jitter_word(jitter: Jitter) -> &'static str {
    match jitter {
        Jitter::None => "none",
        Jitter::Additive => "additive",
        Jitter::Equal => "equal",
        Jitter::Decorrelated => "decorrelated",
        _ => "full",
    }
}

/// Which errors are what: an exception class, a tuple of such, or a function of the exception. None: by default.
pub(crate) fn on<'py>(py: Python<'py>, given: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let Some(given) = given.filter(|given| !given.is_none()) else {
        return Ok(py.get_type::<PyException>().into_any());
    };
    let is_error = |class: &Bound<'py, PyAny>| {
        class.cast::<PyType>().is_ok_and(|class| class.is_subclass_of::<PyBaseException>().unwrap_or(false))
    };
    let is_good = match given.cast::<PyTuple>() {
        Ok(classes) => classes.iter().all(|class| is_error(&class)),
        Err(_) => is_error(given) || (given.is_callable() && !given.is_instance_of::<PyType>()),
    };
    if is_good {
        Ok(given.clone())
    } else {
        let message = format!(
            "on must be an exception class, a tuple of them, or a function of the exception, not {}",
            given.repr()?
        );
        Err(PyTypeError::new_err(message))
    }
}

/// Sends again what failed: how often, when, and with whose leave.
///
/// `execute(function, *args)` calls it, and returns what it returns; a coroutine function gives a coroutine to await. A
/// failure that a retry may cure is followed by a wait and another attempt, `max_attempts` in all, none of them at or after
/// `deadline` seconds from the beginning. The last error is raised as it is, with a note that says why no more was tried.
/// As a decorator it keeps signature, name and colour; `for attempt in strategy: with attempt:` does the same for a block.
///
/// The delay after the n-th failure is drawn from 0 to base_delay x factor^(n-1), at most `max_delay` (`jitter="full"`; also
/// "equal", "additive", "decorrelated", "none"). Where the server names a time (Retry-After), nothing is sent before it; if
/// that is over `retry_after_cap` seconds or the deadline, the call is given up.
///
/// `on` says which errors a retry may cure: an exception class or a tuple of them (all others are permanent); or a function
/// of the exception that answers True, False, the seconds that the server asked to be spared, "retryable", "timeout",
/// "throttled", "permanent", "ignored", or None to decide as by default. By default every Exception is retried, but for HTTP
/// answers that say that the request itself is at fault (as 400 or 404), and for mistakes of the program (NameError,
/// NotImplementedError, SyntaxError, a call with wrong arguments); the Retry-After of an answer is honoured.
///
/// `budget`: a RetryBudget pays for each retry; share one between all that send to the same service. Back-off alone defers
/// an overload, a budget ends it.
///
/// >>> import seawall
/// >>> clock = seawall.ManualClock(autojump=True)
/// >>> strategy = seawall.RetryStrategy(5, 1.0, clock=clock, budget=seawall.RetryBudget(initial=4))
/// >>> answers = iter([ConnectionError("lost"), ConnectionError("lost"), "hello"])
/// >>> def fetch():
/// ...     answer = next(answers)
/// ...     if isinstance(answer, Exception):
/// ...         raise answer
/// ...     return answer
/// >>> strategy.execute(fetch)
/// 'hello'
///
/// Threads and event loops share it: what is behind one call is its own. After `os.fork` the child draws other delays, of
/// the same `seed` too.
///
/// Sources: Brooker, "Exponential backoff and jitter" (2015); RFC 9110, section 10.2.3, for Retry-After.
#[pyclass(frozen, weakref, module = "seawall", name = "RetryStrategy")]
pub(crate) struct PyRetryStrategy {
    pub(crate) strategy: RetryStrategy,
    config: RetryConfig,
    pub(crate) on: Py<PyAny>,
    pub(crate) budget: Option<Py<PyRetryBudget>>,
    pub(crate) timer: Timer,
    pub(crate) chance: Chance,
    has_deadline: bool,
}

impl PyRetryStrategy {
    /// When a call begins; only a deadline asks for it.
    #[inline]
    fn begins(&self) -> Instant {
        if self.has_deadline { self.timer.now() } else { Instant::ORIGIN }
    }

    fn call_of(slf: &Bound<'_, Self>) -> Arc<LogicalCall> {
        LogicalCall::new(slf, slf.get().begins())
    }

    /// What follows when the first attempt has raised `error`.
    #[cold]
    fn again<'py>(
        slf: &Bound<'py, Self>,
        began: Instant,
        error: PyErr,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static AGAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = slf.py();
        if !error.is_instance_of::<PyException>(py) {
            return Err(error);
        }
        let call = PyRetryCall(LogicalCall::new(slf, began));
        call1(AGAIN.import(py, "seawall._retry", "again")?, (call, error.into_value(py), function, args, kwargs))
    }

    /// What awaits `awaitable`, the first attempt, and those that follow.
    #[cold]
    fn coroutine<'py>(
        slf: &Bound<'py, Self>,
        began: Instant,
        awaitable: Bound<'py, PyAny>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static EXECUTE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let call = PyRetryCall(LogicalCall::new(slf, began));
        call1(EXECUTE.import(slf.py(), "seawall._retry", "execute")?, (call, awaitable, function, args, kwargs))
    }
}

fn budget(given: &Bound<'_, PyAny>) -> PyResult<Py<PyRetryBudget>> {
    let budget = given.cast::<PyRetryBudget>().map_err(|_| bad("budget", given, "a RetryBudget or None"))?;
    Ok(budget.clone().unbind())
}

#[pymethods]
impl PyRetryStrategy {
    #[new]
    #[pyo3(
        signature = (max_attempts = None, base_delay = None, *, on = None, budget = None, clock = None, seed = None, **settings),
        text_signature = "(max_attempts=3, base_delay=0.1, *, factor=2.0, max_delay=20.0, jitter='full', deadline=None, \
                          retry_after_cap=300.0, on=None, budget=None, clock=None, seed=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "named in Python")]
    fn new(
        py: Python<'_>,
        max_attempts: Option<&Bound<'_, PyAny>>,
        base_delay: Option<&Bound<'_, PyAny>>,
        on: Option<&Bound<'_, PyAny>>,
        budget: Option<&Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyManualClock>>,
        seed: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let settings = settings.map_or_else(|| Ok(PyDict::new(py)), |settings| settings.copy())?;
        for (name, given) in [("max_attempts", max_attempts), ("base_delay", base_delay)] {
            if let Some(given) = given {
                settings.set_item(name, given)?;
            }
        }
        let config = config("RetryStrategy", RetryConfig::DEFAULT, Some(&settings))?;
        let strategy = RetryStrategy::new(config).map_err(|error| PyValueError::new_err(error.message()))?;
        Ok(Self {
            strategy,
            config,
            on: self::on(py, on)?.unbind(),
            budget: budget.map(self::budget).transpose()?,
            timer: Timer::of(clock),
            chance: Chance::new(seed)?,
            has_deadline: config.total_deadline.is_some(),
        })
    }

    /// Calls `function(*args, **kwargs)`, again where that may help, and returns what it returns. It blocks the thread
    /// between attempts; where the function returns a coroutine (or anything to await), so does `execute`, which waits in
    /// its task. Raises the function's last error.
    #[pyo3(signature = (function, /, *args, **kwargs))]
    pub(crate) fn execute<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let began = this.begins();
        match call(function, args, kwargs) {
            Ok(awaitable) if is_awaitable(&awaitable) => Self::coroutine(slf, began, awaitable, function, args, kwargs),
            Ok(answer) => {
                if let Some(budget) = &this.budget {
                    budget.get().earn();
                }
                Ok(answer)
            }
            Err(error) => Self::again(slf, began, error, function, args, kwargs),
        }
    }

    /// As a decorator: the function, with retries. Generators are refused, as what they yielded cannot be taken back.
    #[pyo3(signature = (function, /))]
    fn __call__<'py>(slf: &Bound<'py, Self>, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        static DECORATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        DECORATE.import(slf.py(), "seawall._retry", "decorate")?.call1((slf, function))
    }

    /// Begins a call by hand, for transports and their like.
    fn begin(slf: &Bound<'_, Self>) -> PyRetryCall {
        PyRetryCall(Self::call_of(slf))
    }

    /// The delay after failed attempt number `attempt` (from 1), in seconds, with a fresh draw: to sleep by oneself.
    /// `previous` is the delay before that attempt, which only jitter="decorrelated" looks at. With `retry_after`, what the
    /// server asked for, it is that at least. It asks neither for the number of attempts nor for the deadline.
    #[pyo3(signature = (attempt, *, previous = None, retry_after = None))]
    fn next_delay(
        &self,
        attempt: &Bound<'_, PyAny>,
        previous: Option<&Bound<'_, PyAny>>,
        retry_after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<f64> {
        let attempt = count("attempt", attempt, 1, u32::MAX)?;
        let previous = previous.map(|given| seconds("previous", given)).transpose()?;
        let random = self.chance.next_u64();
        let Some(retry_after) = retry_after.map(|given| seconds("retry_after", given)).transpose()? else {
            return Ok(as_seconds(self.strategy.next_delay(attempt, previous, random)));
        };
        let boundless =
            RetryConfig { max_attempts: u32::MAX, total_deadline: None, retry_after_cap: Duration::MAX, ..self.config };
        let failure = AttemptFailure {
            previous_delay: previous,
            retry_after: Some(retry_after),
            ..AttemptFailure::new(attempt, ErrorClass::Throttled)
        };
        Ok(match RetryStrategy::new(boundless).map(|strategy| strategy.decide(failure, random)) {
            Ok(RetryDecision::RetryAfter(delay)) => as_seconds(delay),
            // The last number that an attempt can have.
            _ => as_seconds(self.strategy.next_delay(attempt, previous, random).max(retry_after)),
        })
    }

    /// What is decided after a failure, of a given random number: for tests and replays. A delay in nanoseconds,
    /// or the reason to give up.
    #[pyo3(signature = (attempt, elapsed_ns, previous_ns, error, retry_after_ns, random, /))]
    fn _decide(
        &self,
        attempt: u32,
        elapsed_ns: u64,
        previous_ns: Option<u64>,
        error: &Bound<'_, PyString>,
        retry_after_ns: Option<u64>,
        random: u64,
    ) -> PyResult<(Option<u128>, Option<&'static str>)> {
        let class = class_of("error", error)?.map_or(ErrorClass::Permanent, |(class, _)| class);
        let failure = AttemptFailure {
            elapsed: Duration::from_nanos(elapsed_ns),
            previous_delay: previous_ns.map(Duration::from_nanos),
            retry_after: retry_after_ns.map(Duration::from_nanos),
            ..AttemptFailure::new(attempt, class)
        };
        Ok(match self.strategy.decide(failure, random) {
            RetryDecision::RetryAfter(delay) => (Some(delay.as_nanos()), None),
            RetryDecision::GiveUp(reason) => (None, Some(words::give_up(reason))),
        })
    }

    /// As `next_delay`, of a given random number: for tests and replays. In nanoseconds.
    #[pyo3(signature = (attempt, previous_ns, random, /))]
    fn _next_delay(&self, attempt: u32, previous_ns: Option<u64>, random: u64) -> u128 {
        self.strategy.next_delay(attempt, previous_ns.map(Duration::from_nanos), random).as_nanos()
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyRetryAttempts {
        PyRetryAttempts::new(Self::call_of(slf))
    }

    fn __aiter__(slf: &Bound<'_, Self>) -> PyRetryAttempts {
        PyRetryAttempts::new(Self::call_of(slf))
    }

    /// How often one call is sent in all.
    #[getter]
    fn max_attempts(&self) -> u32 {
        self.config.max_attempts
    }

    /// The delay after the first failure before jitter, in seconds.
    #[getter]
    fn base_delay(&self) -> f64 {
        as_seconds(self.config.base_delay)
    }

    /// By what the delay grows with each failure.
    #[getter]
    fn factor(&self) -> f64 {
        f64::from(self.config.factor_percent) / 100.0
    }

    /// The longest delay of its own, in seconds.
    #[getter]
    fn max_delay(&self) -> f64 {
        as_seconds(self.config.max_delay)
    }

    /// "full", "equal", "additive", "decorrelated" or "none".
    #[getter]
    fn jitter(&self) -> &'static str {
        jitter_word(self.config.jitter)
    }

    /// How many seconds a call may take in all; None: any.
    #[getter]
    fn deadline(&self) -> Option<f64> {
        self.config.total_deadline.map(as_seconds)
    }

    /// The longest Retry-After that is waited for, in seconds.
    #[getter]
    fn retry_after_cap(&self) -> f64 {
        as_seconds(self.config.retry_after_cap)
    }

    /// Which errors are retried.
    #[getter]
    fn on(&self, py: Python<'_>) -> Py<PyAny> {
        self.on.clone_ref(py)
    }

    /// What pays for retries.
    #[getter]
    fn budget(&self, py: Python<'_>) -> Option<Py<PyRetryBudget>> {
        self.budget.as_ref().map(|budget| budget.clone_ref(py))
    }

    fn __repr__(&self) -> String {
        let deadline = self.deadline().map_or_else(String::new, |deadline| format!(", deadline={deadline:?}"));
        let budget = if self.budget.is_some() { ", budget=..." } else { "" };
        format!(
            "RetryStrategy(max_attempts={}, base_delay={:?}, factor={:?}, max_delay={:?}, jitter='{}'{deadline}{budget})",
            self.max_attempts(),
            self.base_delay(),
            self.factor(),
            self.max_delay(),
            self.jitter()
        )
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    // It never changes, as a tuple: some other object of a cycle can be cleared.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.on)
    }
}
