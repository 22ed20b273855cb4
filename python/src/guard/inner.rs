//! What a guard does for its methods, its calls and its breakers.

use std::sync::PoisonError;
use std::time::Duration;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use seawall::{Admission, AnyGuard, Call, GuardView, Instant, Outcome, Refused, Request, Transition};

use crate::attempt;
use crate::guard::{PyGuard, arguments};
use crate::keyed_buckets::key_of;
use crate::values::count;
use crate::words;

impl PyGuard {
    #[inline]
    pub(crate) fn view(&self) -> GuardView<'_> {
        self.whole.view()
    }

    /// In a child of a fork, its random numbers begin anew.
    #[inline]
    pub(super) fn part_from_parent(&self) {
        self.forks.part(|| self.view().reseed(seawall::entropy()));
    }

    /// Asks for an attempt, and passes nobody by who waits.
    #[inline]
    pub(super) fn ask(&self, call: &mut Call, now: Instant) -> Result<Admission, Refused> {
        if self.queue.waiting() == 0 {
            self.view().try_attempt(call, now)
        } else {
            self.queue.attempt(call, Duration::ZERO)
        }
    }

    /// A change of a breaker that a call or a report brought.
    #[cold]
    pub(super) fn tell(&self, py: Python<'_>, transition: Transition) {
        self.tell_words(py, words::state(transition.from), words::state(transition.to), transition.shard);
    }

    pub(super) fn tell_words(&self, py: Python<'_>, old: &str, new: &str, shard: u32) {
        if self.whole.breakers.len() == 1 {
            self.on_state_change.tell(py, (old, new));
        } else {
            self.on_state_change.tell(py, (old, new, shard));
        }
    }

    /// What an exception says of the service.
    #[cold]
    pub(super) fn judge(&self, error: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let on = self.on.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|on| on.clone_ref(error.py()));
        attempt::judge(error, on.as_ref())
    }

    pub(super) fn request(
        &self,
        key: Option<&Bound<'_, PyAny>>,
        shard: Option<&Bound<'_, PyAny>>,
        cost: Option<&Bound<'_, PyAny>>,
        deadline: Option<&Bound<'_, PyAny>>,
        now: Instant,
    ) -> PyResult<Request> {
        Ok(Request {
            key: key.map_or(Ok(0), |key| key_of(key, |name| self.whole.key_of(name)))?,
            shard: shard.map_or(Ok(0), |shard| count("shard", shard, 0, u32::MAX))?,
            cost: cost.map_or(Ok(1), |cost| count("cost", cost, 0, u32::MAX))?,
            deadline: deadline
                .map(|deadline| arguments::time_left("deadline", deadline))
                .transpose()?
                .map(|left| now.saturating_add(left)),
        })
    }

    pub(super) fn decorated<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        settings: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static DECORATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        DECORATE.import(slf.py(), "seawall._guard", "decorate")?.call((slf, function), Some(settings))
    }
}

/// What a breaker of a guard tells its changes.
#[pyclass(frozen, module = "seawall._native")]
pub(super) struct Told {
    pub(super) guard: Py<PyGuard>,
    pub(super) shard: u32,
}

#[pymethods]
impl Told {
    fn __call__(&self, py: Python<'_>, old: &str, new: &str) {
        self.guard.get().tell_words(py, old, new, self.shard);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.guard)
    }
}
