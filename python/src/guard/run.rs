//! A function that is called through a guard: at best without an object or a line of Python.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyTuple};
use seawall::{Admission, Call, CallRecord, Clock, Outcome, Refused, Request};

use crate::awaitable::is_awaitable;
use crate::calls;
use crate::errors::raised;
use crate::guard::PyGuard;
use crate::guard::attempt::PyAttempt;
use crate::guard::call::{Manner, PyCall};

/// Calls `function` once, or with retries.
#[inline]
pub(super) fn run<'py>(
    slf: &Bound<'py, PyGuard>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
    retries: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, this) = (slf.py(), slf.get());
    let view = this.view();
    let now = this.timer.now();
    let mut call = view.begin(Request::DEFAULT, now);
    let mut record = this.log.begun(now);
    let answer = this.ask(&mut call, now);
    let admission = match answer {
        Ok(admission) => admission,
        Err(refused) => return Asked { slf, function, args, kwargs, retries }.refused(call, record, refused),
    };
    this.log.attempted(&mut record, &answer, now);
    if let Some(transition) = admission.transition {
        this.tell(py, transition);
    }
    match calls::call(function, args, kwargs) {
        Ok(result) if !is_awaitable(&result) => {
            this.part_from_parent();
            let now = this.timer.now();
            let finished = view.finish(&mut call, admission.permit, Outcome::Success, now);
            this.log.finished(&mut record, Outcome::Success, &finished, now);
            this.queue.tell();
            if let Some(transition) = finished.transition {
                this.tell(py, transition);
            }
            Ok(result)
        }
        result => Asked { slf, function, args, kwargs, retries }.sent(call, record, admission, result),
    }
}

struct Asked<'a, 'py> {
    slf: &'a Bound<'py, PyGuard>,
    function: &'a Bound<'py, PyAny>,
    args: &'a Bound<'py, PyTuple>,
    kwargs: Option<&'a Bound<'py, PyDict>>,
    retries: bool,
}

impl<'py> Asked<'_, 'py> {
    fn object(&self, call: Call, record: Option<CallRecord>) -> PyResult<Bound<'py, PyCall>> {
        let guard = self.slf.clone().unbind();
        let call = PyCall::new(guard, self.slf.get().max_wait, call, record);
        call.progress().is_single = !self.retries;
        Bound::new(self.slf.py(), call)
    }

    const fn manner(&self) -> Manner {
        if self.retries { Manner::Loop } else { Manner::Once }
    }

    /// Goes on in Python.
    fn go_on(
        &self,
        name: &'static str,
        known: &'static PyOnceLock<Py<PyAny>>,
        first: &Bound<'py, PyAny>,
        second: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = self.slf.py();
        let go_on = known.import(py, "seawall._guard", name)?;
        calls::call1(go_on, (first, second, self.function, self.args, self.kwargs))
    }

    fn run(&self, call: &Bound<'py, PyCall>, is_async: bool) -> PyResult<Bound<'py, PyAny>> {
        static RUN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        self.go_on("run", &RUN, call.as_any(), &PyBool::new(self.slf.py(), is_async).to_owned().into_any())
    }

    /// Nothing was sent yet.
    #[cold]
    #[inline(never)]
    fn refused(&self, call: Call, mut record: Option<CallRecord>, refused: Refused) -> PyResult<Bound<'py, PyAny>> {
        let this = self.slf.get();
        let is_async = returns_coroutine(self.function)?;
        if this.max_wait == Duration::ZERO && !is_async {
            let now = this.timer.now();
            this.log.attempted(&mut record, &Err(refused), now);
            this.log.abandoned(&mut record, now);
            return Err(raised(self.slf.py(), refused));
        }
        self.run(&self.object(call, record)?, is_async)
    }

    /// What was sent has not just succeeded.
    #[cold]
    #[inline(never)]
    fn sent(
        &self,
        call: Call,
        record: Option<CallRecord>,
        admission: Admission,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static AWAITED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = self.slf.py();
        let object = self.object(call, record)?;
        object.get().progress().is_out = true;
        let attempt = Bound::new(py, PyAttempt::new(object.clone().unbind(), &admission, self.manner()))?;
        match result {
            Ok(coroutine) => self.go_on("awaited", &AWAITED, attempt.as_any(), &coroutine),
            Err(error) => {
                if PyAttempt::leave(&attempt, Some(error.value(py).as_any()))? {
                    self.run(&object, false)
                } else {
                    Err(error)
                }
            }
        }
    }
}

/// Whether `function` is a coroutine function, or a method or a partial of one, or an object whose call is one.
#[cold]
fn returns_coroutine(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = function.py();
    let mut function = function.clone();
    // A partial of a partial is flat; what goes deeper is something else.
    for _ in 0..3 {
        if let Some(is_coroutine) = is_coroutine_by_code(&function)? {
            return Ok(is_coroutine);
        }
        match function.getattr_opt(pyo3::intern!(py, "func"))? {
            Some(inner) => function = inner,
            None => break,
        }
    }
    let call = function.get_type().getattr_opt(pyo3::intern!(py, "__call__"))?;
    Ok(call.map(|call| is_coroutine_by_code(&call)).transpose()?.flatten().unwrap_or(false))
}

/// What the code of a function says; None where it has none.
fn is_coroutine_by_code(function: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    const CO_COROUTINE: u32 = 0x80;
    let py = function.py();
    let Some(code) = function.getattr_opt(pyo3::intern!(py, "__code__"))? else { return Ok(None) };
    let flags = code.getattr_opt(pyo3::intern!(py, "co_flags"))?.and_then(|flags| flags.extract::<u32>().ok());
    Ok(Some(flags.is_some_and(|flags| flags & CO_COROUTINE != 0)))
}
