//! `TokenBucket` and `Reservation`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::prelude::*;
use seawall::{BucketConfig, BucketConfigError, Clock, Fill, Reservation, TakeQueue, TokenBucket, WarmUp};

use crate::clock::{PyManualClock, Timer};
use crate::errors::{change_error, exception, no_pickle, raised};
use crate::part::Part;
use crate::ready::Ready;
use crate::values::{Tokens, as_per_second, as_seconds, bad, count, instant, seconds};
use crate::waiting::{Nap, Waiting};
use crate::warm_up::PyWarmUp;

/// `rate` tokens a second, `burst` at once: one call may send for each token.
///
/// The rate is a number per second, a text like "100/min", or a pair (count, seconds). The burst is one second of the rate
/// if it is not given, at least 1; a bucket begins full, or with `initial` tokens. One object serves all threads and event
/// loops. Who waits is served in the order of arrival, however much it asks for, and without polling: only the first in
/// line sleeps for an instant, which is booked.
///
/// >>> import seawall
/// >>> bucket = seawall.TokenBucket(10)
/// >>> bucket.try_take()
/// True
///
/// `await bucket.take()` and `async with bucket:` wait in a task, `with bucket:` and `take_blocking` block the thread.
///
/// Source: the generic cell rate algorithm (ITU-T I.371). One compare-exchange admits, a refusal writes nothing.
#[pyclass(frozen, weakref, module = "seawall", name = "TokenBucket")]
pub(crate) struct PyTokenBucket {
    queue: Arc<TakeQueue<Part<TokenBucket>, Timer>>,
    timer: Timer,
}

impl PyTokenBucket {
    /// One that is a part of something, or stands alone.
    pub(crate) fn of(bucket: Part<TokenBucket>, timer: &Timer) -> Self {
        Self { queue: Arc::new(TakeQueue::new(bucket, timer.clone())), timer: timer.clone() }
    }

    #[inline]
    fn bucket(&self) -> &TokenBucket {
        self.queue.bucket()
    }

    /// Whether it has taken them, without passing by who waits.
    #[inline]
    fn takes_at_once(&self, n: u32) -> bool {
        self.queue.waiting() == 0 && self.bucket().try_take(n, self.timer.now()).is_ok()
    }

    #[cold]
    fn waiting_for(&self, n: u32, max_wait: Duration) -> PyResult<Waiting> {
        let (nap, queue) = (Nap::new(&self.timer), Arc::clone(&self.queue));
        let sleep = nap.clone();
        Ok(Waiting::new(nap, async move {
            let taken = queue.take_within_async(n, max_wait, |delay| sleep.sleep(delay)).await;
            Python::attach(|py| taken.map(|()| py.None()).map_err(|refused| raised(py, refused)))
        }))
    }

    fn take_or_wait<'py>(
        &self,
        py: Python<'py>,
        n: u32,
        max_wait: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // Before the tokens: an argument that is wrong is so with them as without.
        let max_wait = longest(max_wait)?;
        if self.takes_at_once(n) { Ready::none(py) } else { self.waiting_for(n, max_wait)?.coroutine(py) }
    }
}

#[pymethods]
impl PyTokenBucket {
    #[new]
    #[pyo3(signature = (rate, burst = None, *, initial = None, warm_up = None, clock = None))]
    fn new(
        rate: &Bound<'_, PyAny>,
        burst: Option<&Bound<'_, PyAny>>,
        initial: Option<&Bound<'_, PyAny>>,
        warm_up: Option<&Bound<'_, PyWarmUp>>,
        clock: Option<&Bound<'_, PyManualClock>>,
    ) -> PyResult<Self> {
        let mut config = BucketConfig::new(crate::values::rate("rate", rate)?);
        if let Some(burst) = burst {
            config = config.burst(count("burst", burst, 1, u32::MAX)?);
        }
        if let Some(initial) = initial {
            config = config.fill(Fill::Tokens(count("initial", initial, 0, u32::MAX)?));
        }
        if let Some(warm_up) = warm_up {
            config = config.warm_up(warm_up.get().0);
        }
        let timer = Timer::of(clock);
        match TokenBucket::new(config, timer.now()) {
            Ok(bucket) => Ok(Self::of(Part::own(bucket), &timer)),
            Err(BucketConfigError::RateTooFast) => Err(bad("rate", rate, "0 to 1,000,000,000 per second")),
            Err(error) => Err(pyo3::exceptions::PyValueError::new_err(error.message())),
        }
    }

    /// Takes `n` tokens if they are there: True, or False and nothing taken. It never waits, and passes by who does.
    #[inline]
    #[pyo3(signature = (n = Tokens::ONE, /), text_signature = "($self, n=1, /)")]
    fn try_take(&self, n: Tokens) -> bool {
        self.bucket().try_take(n.0, self.timer.now()).is_ok()
    }

    /// Takes `n` tokens, and waits until they are there: `await bucket.take()`, in asyncio, trio, or any other loop where
    /// they are there at once. They are taken when it is called; what is still waited for is given back by cancelling.
    ///
    /// Raises RateLimited where `n` is over the burst, or the wait would be over `max_wait` seconds.
    #[pyo3(signature = (n = Tokens::ONE, /, max_wait = None), text_signature = "($self, n=1, /, max_wait=None)")]
    fn take<'py>(
        &self,
        py: Python<'py>,
        n: Tokens,
        max_wait: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.take_or_wait(py, n.0, max_wait.as_ref())
    }

    /// As `take`, and blocks the thread meanwhile. A signal ends the wait at once.
    #[pyo3(signature = (n = Tokens::ONE, /, max_wait = None), text_signature = "($self, n=1, /, max_wait=None)")]
    fn take_blocking(&self, py: Python<'_>, n: Tokens, max_wait: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let max_wait = longest(max_wait.as_ref())?;
        if !self.takes_at_once(n.0) {
            self.waiting_for(n.0, max_wait)?.block(py)?;
        }
        Ok(())
    }

    /// Takes as many tokens as there are, `n` at most: how many it were.
    #[pyo3(signature = (n, /))]
    fn take_up_to(&self, n: Tokens) -> u32 {
        self.bucket().take_up_to(n.0, self.timer.now())
    }

    /// What `try_take` would meet: None, or the refusal, with its `retry_after`. Takes nothing.
    #[pyo3(signature = (n = Tokens::ONE, /), text_signature = "($self, n=1, /)")]
    fn peek<'py>(&self, py: Python<'py>, n: Tokens) -> PyResult<Option<Bound<'py, PyAny>>> {
        let refused = self.bucket().peek(n.0, self.timer.now()).err();
        refused.map(|refused| exception(py, refused)).transpose()
    }

    /// Books `n` tokens ahead: they are taken now, and may be used after `reservation.wait` seconds. Raises RateLimited
    /// where that would be over `max_wait` seconds.
    #[pyo3(signature = (n = Tokens::ONE, /, max_wait = None), text_signature = "($self, n=1, /, max_wait=None)")]
    fn reserve(&self, py: Python<'_>, n: Tokens, max_wait: Option<&Bound<'_, PyAny>>) -> PyResult<PyReservation> {
        match self.bucket().reserve(n.0, longest(max_wait)?, self.timer.now()) {
            Ok(booked) => Ok(PyReservation {
                words: booked.into_words(),
                is_cancelled: AtomicBool::new(false),
                timer: self.timer.clone(),
            }),
            Err(refused) => Err(raised(py, refused)),
        }
    }

    /// Takes a reservation back: whether that could be done. Only the newest can, and once.
    #[pyo3(signature = (reservation, /))]
    fn cancel(&self, reservation: &Bound<'_, PyReservation>) -> bool {
        let reservation = reservation.get();
        if reservation.is_cancelled.swap(true, Ordering::Relaxed) {
            return false;
        }
        let is_cancelled = self.bucket().cancel(reservation.booked(), self.timer.now());
        reservation.is_cancelled.store(is_cancelled, Ordering::Relaxed);
        is_cancelled
    }

    /// Gives `n` tokens back that were taken and not used: whether that could be done without granting too many.
    #[pyo3(signature = (n = Tokens::ONE, /), text_signature = "($self, n=1, /)")]
    fn refund(&self, n: Tokens) -> bool {
        self.bucket().refund(n.0, self.timer.now())
    }

    /// Changes the rate while others take. The past counts at the old rate, and the burst stays what it was.
    #[pyo3(signature = (rate, /))]
    fn set_rate(&self, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        self.bucket().set_rate(crate::values::rate("rate", rate)?, self.timer.now()).map_err(change_error)
    }

    /// Changes the burst while others take.
    #[pyo3(signature = (burst, /))]
    fn set_burst(&self, burst: &Bound<'_, PyAny>) -> PyResult<()> {
        self.bucket().set_burst(count("burst", burst, 1, u32::MAX)?, self.timer.now()).map_err(change_error)
    }

    /// Begins a warm-up now, as after a pause.
    #[pyo3(signature = (warm_up, /))]
    fn start_warm_up(&self, warm_up: &Bound<'_, PyWarmUp>) -> PyResult<()> {
        self.bucket().start_warm_up(warm_up.get().0, self.timer.now()).map_err(change_error)
    }

    /// Takes all tokens but `keep`, as after a pause: how many it were.
    #[pyo3(signature = (keep = None), text_signature = "($self, keep=0)")]
    fn drain_to(&self, keep: Option<&Bound<'_, PyAny>>) -> PyResult<u32> {
        let keep = keep.map_or(Ok(0), |keep| count("keep", keep, 0, u32::MAX))?;
        Ok(self.bucket().drain_to(keep, self.timer.now()))
    }

    /// Begins anew: full, or with `initial` tokens, and with the warm-up that is given.
    #[pyo3(signature = (*, initial = None, warm_up = None))]
    fn reset(&self, initial: Option<&Bound<'_, PyAny>>, warm_up: Option<&Bound<'_, PyWarmUp>>) -> PyResult<()> {
        let fill = match initial {
            Some(initial) => Fill::Tokens(count("initial", initial, 0, u32::MAX)?),
            None => Fill::Full,
        };
        let warm_up = warm_up.map_or(WarmUp::NONE, |warm_up| warm_up.get().0);
        self.bucket().reset(fill, warm_up, self.timer.now()).map_err(change_error)
    }

    /// Goes on at `new` as it stood at `old`, two readings of its clock: for a clock that was set. The system's never is.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.bucket().rebase(instant("old", old)?, instant("new", new)?).map_err(change_error)
    }

    /// Tokens that are there now.
    #[getter]
    fn available(&self) -> u32 {
        self.bucket().available(self.timer.now())
    }

    /// Tokens a second.
    #[getter]
    fn rate(&self) -> f64 {
        as_per_second(self.bucket().rate())
    }

    /// The most that can be taken at once.
    #[getter]
    fn burst(&self) -> u32 {
        self.bucket().burst()
    }

    /// How many wait.
    #[getter]
    fn waiting(&self) -> u32 {
        self.queue.waiting()
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().take_blocking(slf.py(), Tokens::ONE, None)?;
        Ok(slf.clone())
    }

    #[pyo3(signature = (_kind, _error, _traceback, /))]
    fn __exit__(&self, _kind: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _traceback: &Bound<'_, PyAny>) {}

    fn __aenter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.take_or_wait(py, 1, None)
    }

    #[pyo3(signature = (_kind, _error, _traceback, /))]
    fn __aexit__<'py>(
        &self,
        py: Python<'py>,
        _kind: &Bound<'py, PyAny>,
        _error: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ready::none(py)
    }

    fn __repr__(&self) -> String {
        format!("TokenBucket(rate={}, burst={}, available={})", self.rate(), self.burst(), self.available())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }
}

#[inline]
fn longest(max_wait: Option<&Bound<'_, PyAny>>) -> PyResult<Duration> {
    max_wait.map_or(Ok(Duration::MAX), |max_wait| seconds("max_wait", max_wait))
}

/// Tokens that are booked ahead: `TokenBucket.reserve` gives it, `TokenBucket.cancel` takes it back.
#[pyclass(frozen, module = "seawall", name = "Reservation")]
pub(crate) struct PyReservation {
    /// A `Reservation`, of which a copy must not be cancelled.
    words: [u64; 3],
    is_cancelled: AtomicBool,
    timer: Timer,
}

impl PyReservation {
    fn booked(&self) -> Reservation {
        Reservation::from_words(self.words)
    }
}

#[pymethods]
impl PyReservation {
    /// How many seconds are left until they may be used; 0.0 from then on.
    #[getter]
    fn wait(&self) -> f64 {
        as_seconds(self.booked().wait(self.timer.now()))
    }

    /// How many tokens.
    #[getter]
    fn tokens(&self) -> u32 {
        self.booked().tokens()
    }

    fn __repr__(&self) -> String {
        format!("Reservation(tokens={}, wait={})", self.tokens(), self.wait())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }
}
