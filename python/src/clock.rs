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

    /// Whether `until` has come. If not, says when to look again: an instant of this clock, or none where `waker` is woken
    /// by the hand that moves the clock, unless `bed` is left before.
    pub(crate) fn has_come(&self, until: Instant, bed: &mut Bed, waker: &Waker) -> Result<(), Option<Instant>> {
        match self {
            Self::System(clock) if clock.now() >= until => Ok(()),
            Self::System(_) => Err(Some(until)),
            Self::Manual(hand) => hand.has_come(until, bed, waker),
        }
    }

    /// Who slept in `bed` will not be woken.
    pub(crate) fn leave(&self, bed: &mut Bed) {
        if let Self::Manual(hand) = self {
            hand.leave(bed, hand.sleepers());
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
pub(crate) struct Bed {
    place: Option<(Instant, u64)>,
    has_yielded: bool,
}

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

    fn has_come(&self, until: Instant, bed: &mut Bed, waker: &Waker) -> Result<(), Option<Instant>> {
        let mut sleepers = self.sleepers();
        // Under the lock: who moves the clock after this look finds the sleeper.
        let mut now = self.clock.now();
        let place = *bed.place.get_or_insert((until, sleepers.so_far));
        let is_first = sleepers.beds.first_key_value().is_none_or(|(first, _)| place <= *first);
        // Others have had a turn: what it waits for may come without time, and so may a signal.
        if self.autojump && bed.has_yielded && is_first && now < until {
            self.clock.set(until);
            now = until;
        }
        if now >= until {
            self.leave(bed, sleepers);
            return Ok(());
        }
        sleepers.so_far += 1;
        let old = sleepers.beds.insert(place, waker.clone());
        // A waker is another's code: it is dropped outside of the lock, as it runs.
        drop(sleepers);
        drop(old);
        let yields = self.autojump && !std::mem::replace(&mut bed.has_yielded, true);
        Err(yields.then_some(now))
    }

    fn leave(&self, bed: &mut Bed, mut sleepers: MutexGuard<'_, Sleepers>) {
        let Some(old) = bed.place.take().map(|place| sleepers.beds.remove(&place)) else { return };
        // Now it is the next one's to make the clock jump.
        let next = if self.autojump { sleepers.beds.values().next().cloned() } else { None };
        drop(sleepers);
        drop(old);
        if let Some(next) = next {
            next.wake();
        }
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
/// Who waits by it waits until `advance` or `set` reach its instant. With `autojump=True` nobody waits: when others have
/// had a turn, the earliest wait moves the clock to its end, so that code with back-offs of minutes is tested in no time.
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
