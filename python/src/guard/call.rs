//! `Call`: one logical call through a guard, with all its attempts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use seawall::{Admission, Call, CallRecord, Clock, Finished, GiveUpReason, Instant, Outcome, Permit, Refused, Verdict};

use crate::errors::{exception, no_pickle, raised};
use crate::guard::PyGuard;
use crate::guard::attempt::PyAttempt;
use crate::held;
use crate::ready::Ready;
use crate::retry_call::at_most;
use crate::values::{as_seconds, seconds};
use crate::waiting::{Nap, Waiting};

/// How an attempt came about, and so what its end means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// By hand: who asked decides whether to ask again.
    Hand,
    /// The only one of its call.
    Once,
    /// The only one, and `with call:` waits for its end.
    Entered,
    /// The only one, and `with guard:` waits for its end.
    Held,
    /// Of a loop: its error is kept while another attempt follows.
    Loop,
}

/// What is next of a call.
#[derive(Clone, Copy)]
pub(crate) enum Next {
    Attempt,
    RetryAt(Instant),
    Over(Option<GiveUpReason>),
}

/// How far a call is.
pub(crate) struct Progress {
    pub(crate) call: Call,
    pub(crate) record: Option<CallRecord>,
    pub(crate) next: Next,
    /// Whether an attempt is under way.
    pub(crate) is_out: bool,
    /// Whether a loop of it has one attempt only.
    pub(crate) is_single: bool,
    /// The attempt of `with call:`.
    entered: Option<Py<PyAttempt>>,
    /// What the last attempt of a loop met.
    pub(crate) error: Option<Py<PyAny>>,
}

/// One logical call, from its beginning through all its attempts: `guard.begin()` makes it, and takes nothing yet.
///
/// One attempt: `with call as attempt:` or `async with call as attempt:`. As many as the guard allows, with back-off
/// between them: `for attempt in call:` or `async for attempt in call:`, and in it `with attempt:`, which keeps an
/// exception that is to be retried. By hand: `try_attempt`, `attempt` or `attempt_blocking`, and `finish` of what they
/// give.
///
/// One attempt at a time. A call that is dropped between two attempts gives back what its retry had been paid with.
///
/// >>> import seawall
/// >>> guard = seawall.Guard(20, 1.0)
/// >>> call = guard.begin(deadline=5.0)
/// >>> attempt = call.try_attempt()
/// >>> attempt.finish("success")
/// >>> call.attempts
/// 1
#[pyclass(frozen, weakref, module = "seawall", name = "Call")]
pub(crate) struct PyCall {
    pub(crate) guard: Py<PyGuard>,
    max_wait: Duration,
    progress: Mutex<Progress>,
}

impl PyCall {
    pub(crate) fn new(guard: Py<PyGuard>, max_wait: Duration, call: Call, record: Option<CallRecord>) -> Self {
        let progress =
            Progress { call, record, next: Next::Attempt, is_out: false, is_single: false, entered: None, error: None };
        Self { guard, max_wait, progress: Mutex::new(progress) }
    }

    /// Held for a few instructions, and never while Python runs.
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn max_wait(&self, given: Option<&Bound<'_, PyAny>>) -> PyResult<Duration> {
        given.map_or(Ok(self.max_wait), |given| seconds("max_wait", given))
    }

    /// The attempt that was asked for, or the refusal.
    pub(crate) fn admit<'py>(
        slf: &Bound<'py, Self>,
        answer: Result<Admission, Refused>,
        manner: Manner,
        now: Instant,
    ) -> PyResult<Bound<'py, PyAttempt>> {
        let (py, this) = (slf.py(), slf.get());
        let guard = this.guard.get();
        {
            let mut progress = this.progress();
            guard.log.attempted(&mut progress.record, &answer, now);
            progress.is_out |= answer.is_ok();
        }
        let error = this.progress().error.take();
        let admission = match (answer, error) {
            (Ok(admission), _) => admission,
            (Err(refused), None) => return Err(raised(py, refused)),
            (Err(refused), Some(error)) => {
                let refusal = raised(py, refused);
                refusal.value(py).setattr(intern!(py, "__context__"), error)?;
                return Err(refusal);
            }
        };
        let attempt = Bound::new(py, PyAttempt::new(slf.clone().unbind(), &admission, manner))?;
        match manner {
            Manner::Entered => this.progress().entered = Some(attempt.clone().unbind()),
            Manner::Held => held::push(attempt.as_any())?,
            Manner::Hand | Manner::Once | Manner::Loop => {}
        }
        if let Some(transition) = admission.transition {
            guard.tell(py, transition);
        }
        Ok(attempt)
    }

    /// The attempt, if it is admitted without any wait and passes nobody by.
    fn at_once<'py>(slf: &Bound<'py, Self>, manner: Manner) -> PyResult<Result<Bound<'py, PyAttempt>, Refused>> {
        let this = slf.get();
        let guard = this.guard.get();
        let now = guard.timer.now();
        let answer = {
            let mut progress = this.progress();
            guard.ask(&mut progress.call, now)
        };
        match answer {
            Ok(_) => Self::admit(slf, answer, manner, now).map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// One who waits for the instant of the retry, if one was promised, and then for leave.
    #[cold]
    fn waiting(slf: &Bound<'_, Self>, manner: Manner, max_wait: Duration) -> Waiting {
        let this = slf.get();
        let nap = Nap::new(&this.guard.get().timer);
        let sleep = nap.clone();
        let (mut call, next) = {
            let progress = this.progress();
            (progress.call, progress.next)
        };
        let object = slf.clone().unbind();
        Waiting::new(nap, async move {
            let guard = object.get().guard.get();
            if let Next::RetryAt(at) = next {
                loop {
                    let wait = at.saturating_duration_since(guard.timer.now());
                    if wait.is_zero() {
                        break;
                    }
                    sleep.sleep(wait).await;
                }
            }
            let answer = guard.queue.attempt_async(&mut call, max_wait, |delay| sleep.sleep(delay)).await;
            let now = guard.timer.now();
            Python::attach(|py| {
                Self::admit(object.bind(py), answer, manner, now).map(|attempt| attempt.into_any().unbind())
            })
        })
    }

    pub(crate) fn blocking<'py>(
        slf: &Bound<'py, Self>,
        manner: Manner,
        max_wait: Duration,
    ) -> PyResult<Bound<'py, PyAny>> {
        let refused = match Self::at_once(slf, manner)? {
            Ok(attempt) => return Ok(attempt.into_any()),
            Err(refused) => refused,
        };
        if slf.get().is_impatient(max_wait) {
            return Self::refuse(slf, refused, manner);
        }
        Self::waiting(slf, manner, max_wait).block(slf.py())
    }

    /// Whether it waits for nothing: neither for leave nor for the instant of its retry.
    fn is_impatient(&self, max_wait: Duration) -> bool {
        max_wait.is_zero() && !matches!(self.progress().next, Next::RetryAt(_))
    }

    #[cold]
    fn refuse<'py>(slf: &Bound<'py, Self>, refused: Refused, manner: Manner) -> PyResult<Bound<'py, PyAny>> {
        let now = slf.get().guard.get().timer.now();
        Self::admit(slf, Err(refused), manner, now).map(Bound::into_any)
    }

    /// The only attempt, or where it has to wait for that, the call.
    pub(crate) fn enter(slf: Bound<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        slf.get().progress().is_single = true;
        match Self::at_once(&slf, Manner::Once)? {
            Ok(attempt) => Ok(attempt.into_any()),
            Err(refused) if slf.get().is_impatient(slf.get().max_wait) => Self::refuse(&slf, refused, Manner::Once),
            Err(_) => Ok(slf.into_any()),
        }
    }

    pub(crate) fn awaiting<'py>(
        slf: &Bound<'py, Self>,
        manner: Manner,
        max_wait: Duration,
    ) -> PyResult<Bound<'py, PyAny>> {
        let refused = match Self::at_once(slf, manner)? {
            Ok(attempt) => return Ready::with(slf.py(), attempt.into_any().unbind()),
            Err(refused) => refused,
        };
        // What is awaited where it is asked for may be refused there.
        if manner != Manner::Hand && slf.get().is_impatient(max_wait) {
            return Self::refuse(slf, refused, manner);
        }
        Self::waiting(slf, manner, max_wait).coroutine(slf.py())
    }

    /// Whether another attempt of a loop follows.
    fn goes_on(&self) -> PyResult<Option<Manner>> {
        let progress = self.progress();
        match progress.next {
            _ if progress.is_out => Err(PyRuntimeError::new_err(
                "the last attempt has not ended: run each in `with attempt:`, or report it with `attempt.finish`",
            )),
            Next::Over(_) => Ok(None),
            _ if progress.is_single => Ok(Some(Manner::Once)),
            Next::Attempt | Next::RetryAt(_) => Ok(Some(Manner::Loop)),
        }
    }

    /// Reports an attempt.
    pub(crate) fn finish(&self, permit: Permit, outcome: Outcome, manner: Manner, now: Instant) -> Finished {
        let guard = self.guard.get();
        let view = guard.view();
        guard.part_from_parent();
        let finished = {
            let mut progress = self.progress();
            let mut finished = view.finish(&mut progress.call, permit, outcome, now);
            let attempts = progress.call.attempts();
            let is_only = matches!(manner, Manner::Once | Manner::Entered | Manner::Held);
            if let Verdict::RetryAt(_) = finished.verdict
                && (is_only || attempts >= at_most(u32::MAX))
            {
                // It was the last attempt: the payment goes back.
                view.abandon(&mut progress.call, now);
                finished.verdict = Verdict::GiveUp(GiveUpReason::AttemptsExhausted);
            }
            progress.is_out = false;
            progress.next = match finished.verdict {
                Verdict::RetryAt(at) => Next::RetryAt(at),
                Verdict::Done => Next::Over(None),
                Verdict::GiveUp(reason) => Next::Over(Some(reason)),
            };
            guard.log.finished(&mut progress.record, outcome, &finished, now);
            finished
        };
        guard.queue.tell();
        finished
    }

    pub(crate) fn cancel(&self, permit: Permit, now: Instant) -> bool {
        let guard = self.guard.get();
        let is_good = guard.view().cancel(permit, now);
        {
            let mut progress = self.progress();
            progress.is_out = false;
            guard.log.cancelled(&mut progress.record, now);
        }
        guard.queue.tell();
        is_good
    }

    fn end(&self) {
        let guard = self.guard.get();
        let mut progress = self.progress();
        if !matches!(progress.next, Next::Over(_)) {
            let now = guard.timer.now();
            guard.view().abandon(&mut progress.call, now);
            guard.log.abandoned(&mut progress.record, now);
            progress.next = Next::Over(None);
        }
    }

    fn leave(slf: &Bound<'_, Self>, error: &Bound<'_, PyAny>) -> PyResult<bool> {
        let entered = slf.get().progress().entered.take();
        let left = match entered {
            Some(attempt) => PyAttempt::leave(attempt.bind(slf.py()), Some(error).filter(|error| !error.is_none())),
            None => Ok(false),
        };
        slf.get().end();
        left
    }
}

impl Drop for PyCall {
    fn drop(&mut self) {
        // Its attempts hold it: none of them is under way.
        self.end();
    }
}

#[pymethods]
impl PyCall {
    /// An attempt, if it may be sent now; else raises the refusal: RateLimited, CircuitOpen, ConcurrencyLimited, Paused,
    /// DeadlineExceeded or RetryBudgetSpent. It never waits, and passes by who does.
    fn try_attempt<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAttempt>> {
        let this = slf.get();
        let guard = this.guard.get();
        let now = guard.timer.now();
        let answer = guard.view().try_attempt(&mut this.progress().call, now);
        Self::admit(slf, answer, Manner::Hand, now)
    }

    /// Waits for the instant of the retry, where one was promised, and then for leave: `max_wait` seconds at most, by
    /// default those of the call. `attempt = await call.attempt()`, in asyncio or trio. Raises the refusal otherwise.
    #[pyo3(signature = (*, max_wait = None))]
    fn attempt<'py>(slf: &Bound<'py, Self>, max_wait: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let max_wait = slf.get().max_wait(max_wait)?;
        Self::awaiting(slf, Manner::Hand, max_wait)
    }

    /// As `attempt`, and blocks the thread meanwhile. A signal ends the wait at once.
    #[pyo3(signature = (*, max_wait = None))]
    fn attempt_blocking<'py>(
        slf: &Bound<'py, Self>,
        max_wait: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let max_wait = slf.get().max_wait(max_wait)?;
        Self::blocking(slf, Manner::Hand, max_wait)
    }

    /// What `try_attempt` would meet: None, or the refusal. Takes nothing.
    fn peek<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let guard = self.guard.get();
        let call = self.progress().call;
        guard.view().peek(&call, guard.timer.now()).err().map(|refused| exception(py, refused)).transpose()
    }

    /// It is not sent again: what a retry was paid with goes back to the budget. Once it is over, it does nothing.
    fn abandon(&self) {
        self.end();
    }

    /// How many attempts were sent and have ended.
    #[getter]
    fn attempts(&self) -> u32 {
        self.progress().call.attempts()
    }

    /// How many seconds are left until nothing of it is sent any more; None where there is no such instant.
    #[getter]
    fn deadline(&self) -> Option<f64> {
        let deadline = self.progress().call.deadline()?;
        Some(as_seconds(deadline.saturating_duration_since(self.guard.get().timer.now())))
    }

    /// Why it is not sent again, once it has failed for good: "permanent", "attempts_exhausted", "deadline_exceeded",
    /// "retry_after_too_long", "budget_spent", "permit_void" or "service_failing"; else None.
    #[getter]
    fn give_up_reason(&self) -> Option<&'static str> {
        match self.progress().next {
            Next::Over(reason) => reason.map(crate::words::give_up),
            _ => None,
        }
    }

    /// In how many seconds it is sent again, after an attempt that failed: 0.0 from then on. None where no retry was
    /// promised.
    #[getter]
    pub(crate) fn retry_in(&self) -> Option<f64> {
        match self.progress().next {
            Next::RetryAt(at) => Some(as_seconds(at.saturating_duration_since(self.guard.get().timer.now()))),
            _ => None,
        }
    }

    /// Whether it is over: delivered, given up or abandoned.
    #[getter]
    fn is_over(&self) -> bool {
        matches!(self.progress().next, Next::Over(_))
    }

    /// The guard that it goes through.
    #[getter]
    fn guard(&self, py: Python<'_>) -> Py<PyGuard> {
        self.guard.clone_ref(py)
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::blocking(slf, Manner::Entered, slf.get().max_wait)
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        _kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        Self::leave(slf, error)
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::awaiting(slf, Manner::Entered, slf.get().max_wait)
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _kind: &Bound<'py, PyAny>,
        error: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::leave(slf, error)?;
        Ready::none(slf.py())
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        slf.get().goes_on()?.map(|manner| Self::blocking(slf, manner, slf.get().max_wait)).transpose()
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        match slf.get().goes_on()? {
            Some(manner) => Self::awaiting(slf, manner, slf.get().max_wait),
            None => Err(PyStopAsyncIteration::new_err(())),
        }
    }

    /// The same call; with `is_single` a loop of it has one attempt.
    #[pyo3(signature = (is_single, /))]
    fn _once(slf: Bound<'_, Self>, is_single: bool) -> Bound<'_, Self> {
        slf.get().progress().is_single = is_single;
        slf
    }

    fn __repr__(&self) -> String {
        let progress = self.progress();
        let next = match progress.next {
            _ if progress.is_out => "under way",
            Next::Attempt => "not sent",
            Next::RetryAt(_) => "to be sent again",
            Next::Over(Some(_)) => "given up",
            Next::Over(None) => "over",
        };
        format!("<seawall.Call: {} attempts, {next}>", progress.call.attempts())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.guard)?;
        match self.progress.try_lock() {
            Ok(progress) => {
                visit.call(&progress.entered)?;
                visit.call(&progress.error)
            }
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let mut progress = self.progress();
        let held = (progress.entered.take(), progress.error.take());
        drop(progress);
        drop(held);
    }
}
