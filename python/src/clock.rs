//! The clock of an object: the system's monotonic one, or one that a test moves by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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
    /// `waker` is woken by the hand that moves the clock, unless `bed` is left before.
    pub(crate) fn has_come(&self, until: Instant, bed: &mut Bed, waker: &Waker) -> Result<(), Option<Instant>> {
        match self {
            Self::System(clock) if clock.now() >= until => Ok(()),
            Self::System(_) => Err(Some(until)),
            // After a jump it looks again at once, and not before its thread or its task has had a turn: so that one who
            // waits for what never comes can be interrupted.
            Self::Manual(hand) if hand.jumps_to(until) => Err(Some(Instant::ORIGIN)),
            Self::Manual(hand) => hand.has_come(until, bed, waker).then_some(()).ok_or(None),
        }
    }

    /// Who slept in `bed` will not be woken.
    pub(crate) fn leave(&self, bed: &mut Bed) {
        if let (Self::Manual(hand), Some(bed)) = (self, bed.0.take()) {
            let gone = hand.sleepers().beds.remove(&bed);
            drop(gone);
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

/// Where one sleeps until a manual clock has come to an instant.
#[derive(Default)]
pub(crate) struct Bed(Option<(Instant, u64)>);

/// A manual clock with those who wait for it.
pub(crate) struct Hand {
    clock: ManualClock,
    autojump: bool,
    sleepers: Mutex<Sleepers>,
}

/// The earliest first, and of one instant in the order of their coming.
#[derive(Default)]
struct Sleepers {
    so_far: u64,
    beds: BTreeMap<(Instant, u64), Waker>,
}

impl Hand {
    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it had to jump for that.
    fn jumps_to(&self, until: Instant) -> bool {
        if !self.autojump {
            return false;
        }
        // Under the lock, so that two who jump do not set it back.
        let _sleepers = self.sleepers();
        let jumps = self.clock.now() < until;
        if jumps {
            self.clock.set(until);
        }
        jumps
    }

    fn has_come(&self, until: Instant, bed: &mut Bed, waker: &Waker) -> bool {
        let mut sleepers = self.sleepers();
        // Under the lock: who moves the clock after this look finds the sleeper.
        let has_come = self.clock.now() >= until;
        let old = if has_come {
            bed.0.take().and_then(|bed| sleepers.beds.remove(&bed))
        } else {
            let made = *bed.0.get_or_insert((until, sleepers.so_far));
            sleepers.so_far += 1;
            sleepers.beds.insert(made, waker.clone())
        };
        // A waker is another's code: it is dropped outside of the lock, as it runs.
        drop(sleepers);
        drop(old);
        has_come
    }

    /// Wakes who has slept long enough.
    fn wake(&self) {
        let now = self.clock.now();
        let due = {
            let mut sleepers = self.sleepers();
            let still_asleep = match now.as_nanos().checked_add(1) {
                Some(next) => sleepers.beds.split_off(&(Instant::from_nanos(next), 0)),
                None => BTreeMap::new(),
            };
            std::mem::replace(&mut sleepers.beds, still_asleep)
        };
        for waker in due.into_values() {
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
        Ok(Self { hand: Arc::new(Hand { clock, autojump, sleepers: Mutex::default() }) })
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
