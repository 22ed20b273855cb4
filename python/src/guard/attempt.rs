//! `Attempt`: leave to send a call once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use seawall::{Admission, Clock, Finished, Outcome, Permit, Refused, Verdict};

use crate::attempt;
use crate::errors::{exception, no_pickle};
use crate::guard::PyGuard;
use crate::guard::call::{Manner, PyCall};
use crate::ready::Ready;
use crate::retry_call::add_note;
use crate::values::as_seconds;

/// Leave to send a call once: what `Call.try_attempt` and its like give.
///
/// Report how it went with `finish`, or run it as `with attempt:` (or `async with attempt:`), where an exception is
/// judged as the guard's `on` says and a cancellation counts for nothing. One that is dropped without a report frees its
/// place, and says nothing of the service.
///
/// >>> import seawall
/// >>> guard = seawall.Guard(20, 1.0)
/// >>> with guard.begin() as attempt:
/// ...     attempt.report("failure")  # an answer that says so without an exception
#[pyclass(frozen, weakref, module = "seawall", name = "Attempt")]
pub(crate) struct PyAttempt {
    call: Py<PyCall>,
    permit: Permit,
    shadow: Option<Refused>,
    manner: Manner,
    is_over: AtomicBool,
    /// Over by `cancel`, and not reported since: what was sent all the same is still to be heard of.
    is_cancelled: AtomicBool,
    reported: Mutex<Option<Outcome>>,
}

impl PyAttempt {
    pub(crate) fn new(call: Py<PyCall>, admission: &Admission, manner: Manner) -> Self {
        Self {
            call,
            permit: admission.permit,
            shadow: admission.shadow_refusal,
            manner,
            is_over: AtomicBool::new(false),
            is_cancelled: AtomicBool::new(false),
            reported: Mutex::new(None),
        }
    }

    pub(crate) fn is_of(&self, guard: &Bound<'_, PyGuard>) -> bool {
        self.call.get().guard.is(guard)
    }

    /// Reports it; None where that was done before: a late word must not pass for one on the attempt that followed.
    fn end(&self, py: Python<'_>, outcome: Outcome) -> Option<Finished> {
        if self.is_over.swap(true, Ordering::Relaxed) && !self.is_cancelled.swap(false, Ordering::Relaxed) {
            return None;
        }
        let call = self.call.get();
        let guard = call.guard.get();
        let finished = call.finish(self.permit, outcome, self.manner, guard.timer.now());
        if let Some(transition) = finished.transition {
            guard.tell(py, transition);
        }
        Some(finished)
    }

    /// The end of `with attempt:`: whether the error is kept, as another attempt follows.
    pub(crate) fn leave(slf: &Bound<'_, Self>, error: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        if this.is_over.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let reported = *this.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match (reported, error) {
            (Some(reported), _) => reported,
            (None, None) => Outcome::Success,
            (None, Some(error)) => match this.call.get().guard.get().judge(error) {
                Ok(outcome) => outcome,
                Err(wrong) => {
                    let _ = this.end(py, Outcome::Ignored);
                    wrong.value(py).setattr(intern!(py, "__context__"), error)?;
                    return Err(wrong);
                }
            },
        };
        // The judge is the user's, who may have reported it himself.
        if this.is_over.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let Some(finished) = this.end(py, outcome) else { return Ok(false) };
        match (error, this.manner) {
            (Some(error), Manner::Loop) => this.keeps(error, outcome, finished.verdict),
            _ => Ok(false),
        }
    }

    fn keeps(&self, error: &Bound<'_, PyAny>, outcome: Outcome, verdict: Verdict) -> PyResult<bool> {
        let reason = match verdict {
            _ if !error.is_instance_of::<PyException>() => return Ok(false),
            Verdict::RetryAt(_) => {
                let kept = error.clone().unbind();
                let before = self.call.get().progress().error.replace(kept);
                drop(before);
                return Ok(true);
            }
            Verdict::GiveUp(reason) => reason.name(),
            Verdict::Done if outcome == Outcome::Ignored => return Ok(false),
            Verdict::Done => seawall::GiveUpReason::Permanent.name(),
        };
        let attempts = self.call.get().progress().call.attempts();
        let times = if attempts == 1 { "once".into() } else { format!("{attempts} times") };
        add_note(error, &format!("seawall: sent {times}, and not again: {reason}"));
        Ok(false)
    }
}

impl Drop for PyAttempt {
    fn drop(&mut self) {
        if *self.is_over.get_mut() {
            return;
        }
        Python::attach(|py| {
            // What is being raised just now stays so, whatever a callback does.
            let raised = PyErr::take(py);
            let _ = self.end(py, Outcome::Ignored);
            if let Some(raised) = raised {
                raised.restore(py);
            }
        });
    }
}

#[pymethods]
impl PyAttempt {
    /// Reports how it went: "success", "failure", "throttled" (with `retry_after` seconds where the service named them),
    /// "timeout" or "ignored". An error of the request itself, as a 404, is a success: the service was there.
    ///
    /// Returns the seconds after which to send again, already paid for; None where the call is over, and
    /// `call.give_up_reason` says why. A second report changes nothing.
    #[pyo3(signature = (outcome, retry_after = None))]
    fn finish(
        &self,
        py: Python<'_>,
        outcome: &Bound<'_, PyAny>,
        retry_after: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<f64>> {
        let outcome = attempt::outcome(outcome, retry_after)?;
        match self.end(py, outcome).map(|finished| finished.verdict) {
            Some(Verdict::RetryAt(at)) => {
                let now = self.call.get().guard.get().timer.now();
                Ok(Some(as_seconds(at.saturating_duration_since(now))))
            }
            Some(_) => Ok(None),
            None => Ok(self.call.get().retry_in()),
        }
    }

    /// Says in `with attempt:` what no exception says, as an answer of 503 that did not raise. It counts at the end, and
    /// for more than an exception does.
    #[pyo3(signature = (outcome, retry_after = None), text_signature = "($self, outcome, retry_after=None)")]
    fn report(&self, outcome: &Bound<'_, PyAny>, retry_after: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let reported = attempt::outcome(outcome, retry_after)?;
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = Some(reported);
        Ok(())
    }

    /// It was never sent: its slot is free, and its tokens go back where that grants nobody too much. Whether it was still
    /// good. The call may ask again.
    fn cancel(&self) -> bool {
        if self.is_over.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.is_cancelled.store(true, Ordering::Relaxed);
        let call = self.call.get();
        call.cancel(self.permit, call.guard.get().timer.now())
    }

    /// The refusal of the stage in shadow that would have refused it, or None.
    #[getter]
    fn shadow_refusal<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.shadow.map(|refused| exception(py, refused)).transpose()
    }

    /// The call that it is an attempt of.
    #[getter]
    fn call(&self, py: Python<'_>) -> Py<PyCall> {
        self.call.clone_ref(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        _kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        Self::leave(slf, Some(error).filter(|error| !error.is_none()))
    }

    fn __aenter__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Ready::with(slf.py(), slf.clone().into_any().unbind()).map(Bound::unbind)
    }

    #[pyo3(signature = (_kind, error, _traceback, /))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _kind: &Bound<'py, PyAny>,
        error: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let is_kept = Self::leave(slf, Some(error).filter(|error| !error.is_none()))?;
        if is_kept {
            Ready::with(slf.py(), true.into_pyobject(slf.py())?.to_owned().into_any().unbind())
        } else {
            Ready::none(slf.py())
        }
    }

    fn __repr__(&self) -> &'static str {
        if self.is_over.load(Ordering::Relaxed) { "<seawall.Attempt: over>" } else { "<seawall.Attempt: under way>" }
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.call)
    }
}
