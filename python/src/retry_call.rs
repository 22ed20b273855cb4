//! One logical call under a retry strategy: what is behind it, and whether it is sent again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyBaseException, PyException};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyString};
use seawall::{AttemptFailure, Clock, ErrorClass, GiveUpReason, Instant, RetryCost, RetryDecision};

use crate::calls::call1;
use crate::errors::no_pickle;
use crate::ready::Ready;
use crate::retry_strategy::PyRetryStrategy;
use crate::values::{as_seconds, bad, bad_text, seconds};
use crate::waiting::{Nap, Waiting};
use crate::words;

/// The most attempts that any call of this process makes; 0: as many as its strategy says.
static MOST_ATTEMPTS: AtomicU32 = AtomicU32::new(0);

/// Has every call of this process make `attempts` attempts at most, whatever its strategy says, from its next failure on;
/// None lifts that. Answers what was set before. For the tests of programs that retry.
#[pyfunction]
#[pyo3(signature = (attempts, /))]
pub(crate) fn limit_attempts(attempts: Option<&Bound<'_, PyAny>>) -> PyResult<Option<u32>> {
    let most = attempts.map_or(Ok(0), |attempts| crate::values::count("attempts", attempts, 1, u32::MAX))?;
    let before = MOST_ATTEMPTS.swap(most, Ordering::Relaxed);
    Ok((before != 0).then_some(before))
}

/// The most attempts of a call whose strategy or guard allows `attempts`.
pub(crate) fn at_most(attempts: u32) -> u32 {
    match MOST_ATTEMPTS.load(Ordering::Relaxed) {
        0 => attempts,
        most => attempts.min(most),
    }
}

const ERRORS: &str = "an exception, \"retryable\", \"timeout\", \"throttled\", \"permanent\" or \"ignored\"";
const OUTCOMES: &str = "\"success\", \"failure\", \"timeout\", \"throttled\", \"permanent\" or \"ignored\"";

/// What an attempt failed with: its class, and what a retry costs. None: it says nothing, and nothing follows.
pub(crate) fn class_of(name: &str, word: &Bound<'_, PyString>) -> PyResult<Option<(ErrorClass, RetryCost)>> {
    match &*word.to_cow()? {
        "retryable" | "failure" => Ok(Some((ErrorClass::Retryable, RetryCost::Error))),
        "timeout" => Ok(Some((ErrorClass::Retryable, RetryCost::Timeout))),
        "throttled" => Ok(Some((ErrorClass::Throttled, RetryCost::Error))),
        "permanent" => Ok(Some((ErrorClass::Permanent, RetryCost::Error))),
        "ignored" => Ok(None),
        _ if name == "outcome" => Err(bad_text(name, word, OUTCOMES)),
        _ => Err(bad_text(name, word, ERRORS)),
    }
}

/// What an exception means by `on`, and for how long the server asked to be spared. A function of the user's that fails is
/// reported, and the error counts as by default: it is what the caller has to get. `guarded`: to a guard, a refusal of
/// another object of seawall's says nothing.
pub(crate) fn classify<'py>(
    error: &Bound<'py, PyAny>,
    on: &Bound<'py, PyAny>,
    guarded: bool,
) -> PyResult<(Bound<'py, PyString>, Option<Duration>)> {
    static CLASSIFY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = error.py();
    let classify = CLASSIFY.import(py, "seawall._classify", "classify")?;
    let said = match call1(classify, (error, on, guarded)) {
        Err(failure) if failure.is_instance_of::<PyException>(py) => {
            failure.write_unraisable(py, Some(on));
            call1(classify, (error, py.get_type::<PyException>(), guarded))?
        }
        said => said?,
    };
    let (word, asked): (Bound<'_, PyString>, Option<Bound<'_, PyAny>>) = said.extract()?;
    Ok((word, asked.map(|asked| seconds("retry_after", &asked)).transpose()?))
}

#[derive(Clone, Copy)]
enum Stage {
    /// An attempt is to be sent, or under way.
    Sent,
    /// A retry is paid for, and to be sent at that instant.
    Due(Instant, RetryCost),
    /// Somebody waits for that.
    Asleep,
    Over(Option<GiveUpReason>),
}

struct Progress {
    /// The number of the attempt that is under way; after a failure, of those made.
    attempt: u32,
    previous: Option<Duration>,
    stage: Stage,
}

/// One logical call.
pub(crate) struct LogicalCall {
    strategy: Py<PyRetryStrategy>,
    began: Instant,
    progress: Mutex<Progress>,
}

impl LogicalCall {
    pub(crate) fn new(strategy: &Bound<'_, PyRetryStrategy>, began: Instant) -> Arc<Self> {
        let progress = Progress { attempt: 1, previous: None, stage: Stage::Sent };
        Arc::new(Self { strategy: strategy.clone().unbind(), began, progress: Mutex::new(progress) })
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.progress().attempt
    }

    pub(crate) fn give_up_reason(&self) -> Option<GiveUpReason> {
        match self.progress().stage {
            Stage::Over(reason) => reason,
            _ => None,
        }
    }

    /// Whether an attempt may be sent or is under way.
    pub(crate) fn is_sent(&self) -> bool {
        matches!(self.progress().stage, Stage::Sent)
    }

    pub(crate) fn succeeded(&self) {
        let mut progress = self.progress();
        if let Stage::Over(_) = progress.stage {
            return;
        }
        let was_first = matches!((progress.attempt, progress.stage), (1, Stage::Sent));
        progress.stage = Stage::Over(None);
        drop(progress);
        if let (true, Some(budget)) = (was_first, &self.strategy.get().budget) {
            budget.get().earn();
        }
    }

    /// What the classifier says of an exception, or the word of the caller.
    pub(crate) fn failed(&self, error: &Bound<'_, PyAny>, retry_after: Option<Duration>) -> PyResult<Option<Duration>> {
        if let Ok(word) = error.cast::<PyString>() {
            return Ok(self.decide(class_of("error", word)?, retry_after));
        }
        if !error.is_instance_of::<PyBaseException>() {
            return Err(bad("error", error, ERRORS));
        }
        let (word, asked) = classify(error, self.strategy.get().on.bind(error.py()), false)?;
        Ok(self.decide(class_of("error", &word)?, retry_after.or(asked)))
    }

    /// The delay before the next attempt, paid for; None: it is over.
    fn decide(&self, class: Option<(ErrorClass, RetryCost)>, retry_after: Option<Duration>) -> Option<Duration> {
        let strategy = self.strategy.get();
        let now = strategy.timer.now();
        let mut progress = self.progress();
        match progress.stage {
            Stage::Over(_) => return None,
            // It was waited for without us: what has failed now is the retry.
            Stage::Due(..) | Stage::Asleep => progress.attempt = progress.attempt.saturating_add(1),
            Stage::Sent => {}
        }
        let Some((class, cost)) = class else {
            progress.stage = Stage::Over(None);
            return None;
        };
        let made = progress.attempt;
        let decision = if class != ErrorClass::Permanent && made >= at_most(u32::MAX) {
            RetryDecision::GiveUp(GiveUpReason::AttemptsExhausted)
        } else {
            strategy.strategy.decide(
                AttemptFailure {
                    attempt: made,
                    elapsed: now.saturating_duration_since(self.began),
                    previous_delay: progress.previous,
                    class,
                    retry_after,
                },
                strategy.chance.next_u64(),
            )
        };
        let decision = match (decision, &strategy.budget) {
            (RetryDecision::RetryAfter(_), Some(budget)) if !budget.get().pays(cost) => {
                RetryDecision::GiveUp(GiveUpReason::BudgetSpent)
            }
            (decision, _) => decision,
        };
        match decision {
            RetryDecision::RetryAfter(delay) => {
                progress.previous = Some(delay);
                progress.stage = Stage::Due(now.saturating_add(delay), cost);
                Some(delay)
            }
            RetryDecision::GiveUp(reason) => {
                progress.stage = Stage::Over(Some(reason));
                None
            }
        }
    }

    /// The retry that is due is not sent: it is given up without a reason, and the budget has its tokens back.
    pub(crate) fn abandon(&self) {
        let mut progress = self.progress();
        let stage = std::mem::replace(&mut progress.stage, Stage::Over(None));
        match stage {
            Stage::Over(_) => progress.stage = stage,
            Stage::Due(_, cost) => {
                drop(progress);
                self.take_back(cost);
            }
            Stage::Sent | Stage::Asleep => {}
        }
    }

    fn take_back(&self, cost: RetryCost) {
        if let Some(budget) = &self.strategy.get().budget {
            budget.get().take_back(cost);
        }
    }

    /// What sleeps until the retry is due, and answers `end` of whether it may be sent; None where nothing is due.
    pub(crate) fn sleep(
        self: &Arc<Self>,
        end: impl FnOnce(Python<'_>, bool) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Option<Waiting> {
        let mut progress = self.progress();
        let Stage::Due(until, cost) = progress.stage else { return None };
        progress.stage = Stage::Asleep;
        drop(progress);
        let timer = &self.strategy.get().timer;
        let nap = Nap::new(timer);
        let sleep = nap.sleep(until.saturating_duration_since(timer.now()));
        let paid = Paid { call: Arc::clone(self), cost, is_spent: false };
        Some(Waiting::new(nap, async move {
            sleep.await;
            let may_be_sent = paid.send();
            Python::attach(|py| end(py, may_be_sent))
        }))
    }
}

/// What the budget gave for a retry that is waited for; goes back if that is not sent.
struct Paid {
    call: Arc<LogicalCall>,
    cost: RetryCost,
    is_spent: bool,
}

impl Paid {
    /// The wait is over: whether there is still time for the attempt.
    fn send(mut self) -> bool {
        let strategy = self.call.strategy.get();
        let elapsed = strategy.timer.now().saturating_duration_since(self.call.began);
        let is_late = strategy.strategy.total_deadline().is_some_and(|deadline| elapsed >= deadline);
        let mut progress = self.call.progress();
        if !matches!(progress.stage, Stage::Asleep) {
            return false;
        }
        if is_late {
            progress.stage = Stage::Over(Some(GiveUpReason::DeadlineExceeded));
            return false;
        }
        progress.attempt = progress.attempt.saturating_add(1);
        progress.stage = Stage::Sent;
        drop(progress);
        self.is_spent = true;
        true
    }
}

impl Drop for Paid {
    fn drop(&mut self) {
        if !self.is_spent {
            let mut progress = self.call.progress();
            if matches!(progress.stage, Stage::Asleep) {
                progress.stage = Stage::Over(None);
            }
            drop(progress);
            self.call.take_back(self.cost);
        }
    }
}

/// One call by hand, of `RetryStrategy.begin`: for transports, which send in their own way.
///
/// After each attempt it is told how it ended: `succeeded()`; or `failed(error)`, which answers the seconds until the next
/// one, or None, and then `give_up_reason` says why. `wait` and `wait_blocking` wait for that, and say whether there is
/// still time.
///
/// >>> import seawall
/// >>> call = seawall.RetryStrategy(2, jitter="none", clock=seawall.ManualClock(autojump=True)).begin()
/// >>> call.failed(ConnectionError())
/// 0.1
/// >>> call.wait_blocking()
/// True
/// >>> call.failed(ConnectionError()), call.attempts, call.give_up_reason
/// (None, 2, 'attempts_exhausted')
#[pyclass(frozen, weakref, module = "seawall", name = "RetryCall")]
pub(crate) struct PyRetryCall(pub(crate) Arc<LogicalCall>);

#[pymethods]
impl PyRetryCall {
    /// An attempt has failed, with an exception or in a word: "retryable", "timeout", "throttled", "permanent" or
    /// "ignored". `retry_after` is how many seconds the server asked to be spared. Answers the seconds to wait before the
    /// next attempt, which the budget has paid; None: give up.
    #[pyo3(signature = (error, /, retry_after = None))]
    fn failed(&self, error: &Bound<'_, PyAny>, retry_after: Option<&Bound<'_, PyAny>>) -> PyResult<Option<f64>> {
        let retry_after = retry_after.map(|given| seconds("retry_after", given)).transpose()?;
        Ok(self.0.failed(error, retry_after)?.map(as_seconds))
    }

    /// The call has succeeded. If that was its first attempt, the budget earns its share.
    fn succeeded(&self) {
        self.0.succeeded();
    }

    /// Waits until the next attempt is due: `await call.wait()` is True if it may be sent, and False if it is too late by
    /// now, or given up. Cancelled, it gives the budget its tokens back.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.0.sleep(answer) {
            Some(waiting) => waiting.coroutine(py),
            None => Ready::with(py, answer(py, self.0.is_sent())?),
        }
    }

    /// As `wait`, and blocks the thread meanwhile. A signal ends the wait at once.
    fn wait_blocking(&self, py: Python<'_>) -> PyResult<bool> {
        match self.0.sleep(answer) {
            Some(waiting) => waiting.block(py)?.extract(),
            None => Ok(self.0.is_sent()),
        }
    }

    /// The call ends here. A retry that was due and is not sent gives the budget its tokens back.
    fn abandon(&self) {
        self.0.abandon();
    }

    /// How many attempts were made, with one that is under way.
    #[getter]
    fn attempts(&self) -> u32 {
        self.0.attempts()
    }

    /// Why it was given up: "permanent", "attempts_exhausted", "deadline_exceeded", "retry_after_too_long" or
    /// "budget_spent". None: it was not, or it was abandoned, or an "ignored" error ended it.
    #[getter]
    fn give_up_reason(&self) -> Option<&'static str> {
        self.0.give_up_reason().map(words::give_up)
    }

    /// `failed` and `wait` in one, so that nothing comes between: whether there is another attempt.
    #[pyo3(signature = (error, /))]
    fn _pause<'py>(&self, py: Python<'py>, error: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.0.failed(error, None)?;
        self.wait(py)
    }

    /// `failed` and `wait_blocking` in one.
    #[pyo3(signature = (error, /))]
    fn _pause_blocking(&self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.0.failed(error, None)?;
        self.wait_blocking(py)
    }

    /// Says on the error why no more was tried.
    #[pyo3(signature = (error, /))]
    fn _explain(&self, error: &Bound<'_, PyAny>) {
        explain(&self.0, error);
    }

    fn __repr__(&self) -> String {
        let reason = self.give_up_reason().map_or_else(String::new, |reason| format!(", give_up_reason='{reason}'"));
        format!("RetryCall(attempts={}{reason})", self.attempts())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }
}

fn answer(py: Python<'_>, may_be_sent: bool) -> PyResult<Py<PyAny>> {
    Ok(PyBool::new(py, may_be_sent).to_owned().into_any().unbind())
}

fn note(call: &LogicalCall) -> Option<String> {
    let reason = call.give_up_reason()?;
    let attempts = call.attempts();
    let plural = if attempts == 1 { "" } else { "s" };
    Some(format!("seawall: given up after {attempts} attempt{plural}: {reason}"))
}

/// Says on the error why no more was tried.
#[cold]
pub(crate) fn explain(call: &LogicalCall, error: &Bound<'_, PyAny>) {
    if let Some(note) = note(call) {
        add_note(error, &note);
    }
}

/// Adds a note to an error, where notes are known (3.11), and once.
#[cold]
pub(crate) fn add_note(error: &Bound<'_, PyAny>, note: &str) {
    let said = || -> PyResult<()> {
        let Some(notes) = error.getattr_opt("__notes__")? else {
            return error.call_method1("add_note", (note,)).map(drop);
        };
        // One error object may be raised again and again.
        if notes.contains(note)? { Ok(()) } else { error.call_method1("add_note", (note,)).map(drop) }
    };
    // The error itself is more important.
    let _ = said();
}

/// The class of an HTTP answer with that status: "retryable", "throttled" or "permanent"; None where it is no error.
#[pyfunction]
#[pyo3(signature = (status, retry_after = None, /))]
pub(crate) fn http_error(status: u16, retry_after: Option<f64>) -> Option<&'static str> {
    // The core asks whether there is a Retry-After, not how long it is.
    Some(match ErrorClass::of_http(status, retry_after.map(|_| Duration::ZERO))? {
        ErrorClass::Retryable => "retryable",
        ErrorClass::Throttled => "throttled",
        _ => "permanent",
    })
}
