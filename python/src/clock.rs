//! The clock of an object: the system's monotonic one, or one that a test moves by hand.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use pyo3::prelude::*;
use seawall::{Clock, Instant, ManualClock, MonotonicClock};

use crate::errors::no_pickle;
use crate::values::{as_seconds, seconds};

/// What an object reads the time from.
#[derive(Clone)]
pub(crate) enum Timer {
    System(MonotonicClock),
    Manual(Arc<Hand>),
}

impl Timer {
    /// The clock that was given, or else that of the test, or else the system's: one origin for all objects of the process.
    pub(crate) fn of(clock: Option<&Bound<'_, PyManualClock>>) -> Self {
        static ORIGIN: OnceLock<MonotonicClock> = OnceLock::new();
        if let Some(clock) = clock {
            return Self::Manual(Arc::clone(&clock.get().hand));
        }
        let of_test = OF_TEST.lock().unwrap_or_else(PoisonError::into_inner);
        match &*of_test {
            Some(hand) => Self::Manual(Arc::clone(hand)),
            None => Self::System(*ORIGIN.get_or_init(MonotonicClock::new)),
        }
    }

    /// Whether `until` has come. If not, says when to look again: an instant of the system's clock, or none where
    /// `waker` is woken by the hand that moves the clock.
    pub(crate) fn has_come(&self, until: Instant, waker: &Waker) -> Result<(), Option<Instant>> {
        match self {
            Self::System(clock) if clock.now() >= until => Ok(()),
            Self::System(_) => Err(Some(until)),
            Self::Manual(hand) => hand.has_come(until, waker).then_some(()).ok_or(None),
        }
    }
}

impl Clock for Timer {
    #[inline]
    fn now(&self) -> Instant {
        match self {
            Self::System(clock) => clock.now(),
            Self::Manual(hand) => hand.clock.now(),
        }
    }
}

/// A manual clock with those who wait for it.
pub(crate) struct Hand {
    clock: ManualClock,
    autojump: bool,
    sleepers: Mutex<Vec<(Instant, Waker)>>,
}

impl Hand {
    fn has_come(&self, until: Instant, waker: &Waker) -> bool {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.autojump && self.clock.now() < until {
            self.clock.set(until);
        }
        // Under the lock: who moves the clock after this look finds the sleeper.
        if self.clock.now() >= until {
            return true;
        }
        match sleepers.iter_mut().find(|(_, known)| known.will_wake(waker)) {
            Some((instant, _)) => *instant = until,
            None => sleepers.push((until, waker.clone())),
        }
        false
    }

    /// Wakes who has slept long enough, the earliest first.
    fn wake(&self) {
        let now = self.clock.now();
        let mut due = Vec::new();
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.retain(|(until, waker)| {
            let is_due = *until <= now;
            if is_due {
                due.push((*until, waker.clone()));
            }
            !is_due
        });
        // A waker is another's code: it runs outside of the lock.
        drop(sleepers);
        due.sort_by_key(|(until, _)| *until);
        for (_, waker) in due {
            waker.wake();
        }
    }
}

static OF_TEST: Mutex<Option<Arc<Hand>>> = Mutex::new(None);

/// Has objects that are made from now on, and are given no clock, go by this one; by the system's again for None. What it was
/// before. For `seawall.testing`.
#[pyfunction]
#[pyo3(signature = (clock, /))]
pub(crate) fn set_clock(clock: Option<&Bound<'_, PyManualClock>>) -> Option<PyManualClock> {
    let hand = clock.map(|clock| Arc::clone(&clock.get().hand));
    let before = std::mem::replace(&mut *OF_TEST.lock().unwrap_or_else(PoisonError::into_inner), hand);
    before.map(|hand| PyManualClock { hand })
}

/// A clock for tests, that stands still until it is moved: `TokenBucket(10, clock=clock)`.
///
/// Who waits by it waits until `advance` or `set` reach its instant. With `autojump=True` nobody waits: a wait moves the
/// clock to its own end, so that code with back-offs of minutes is tested in no time.
///
/// >>> import seawall
/// >>> clock = seawall.ManualClock()
/// >>> bucket = seawall.TokenBucket(1, clock=clock)
/// >>> bucket.try_take(), bucket.try_take()
/// (True, False)
/// >>> clock.advance(1.0)
/// >>> bucket.try_take()
/// True
#[pyclass(frozen, module = "seawall", name = "ManualClock")]
pub(crate) struct PyManualClock {
    hand: Arc<Hand>,
}

#[pymethods]
impl PyManualClock {
    #[new]
    #[pyo3(signature = (start = None, *, autojump = false), text_signature = "(start=0.0, *, autojump=False)")]
    fn new(start: Option<&Bound<'_, PyAny>>, autojump: bool) -> PyResult<Self> {
        let start = start.map_or(Ok(Duration::ZERO), |start| seconds("start", start))?;
        let clock = ManualClock::starting_at(Instant::ORIGIN.saturating_add(start));
        Ok(Self { hand: Arc::new(Hand { clock, autojump, sleepers: Mutex::new(Vec::new()) }) })
    }

    /// The time that it shows, in seconds.
    fn now(&self) -> f64 {
        as_seconds(self.hand.clock.now().saturating_duration_since(Instant::ORIGIN))
    }

    /// Moves it forward, and wakes who has waited for that.
    #[pyo3(signature = (seconds, /))]
    fn advance(&self, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        self.hand.clock.advance(crate::values::seconds("seconds", seconds)?);
        self.hand.wake();
        Ok(())
    }

    /// Puts it at an instant, backwards too: a clock that steps.
    #[pyo3(signature = (seconds, /))]
    fn set(&self, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        self.hand.clock.set(Instant::ORIGIN.saturating_add(crate::values::seconds("seconds", seconds)?));
        self.hand.wake();
        Ok(())
    }

    /// The time that it shows, in nanoseconds.
    fn now_ns(&self) -> u64 {
        self.hand.clock.now().as_nanos()
    }

    /// As `set`, in nanoseconds.
    #[pyo3(signature = (nanoseconds, /))]
    fn set_ns(&self, nanoseconds: u64) {
        self.hand.clock.set(Instant::from_nanos(nanoseconds));
        self.hand.wake();
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }

    fn __repr__(&self) -> String {
        let autojump = if self.hand.autojump { ", autojump=True" } else { "" };
        format!("ManualClock({:?}{autojump})", self.now())
    }
}
