//! Waiting, without a loop or a thread of its own: a future of the core, that Python polls and sleeps for.
//!
//! The lines in which waiters keep their order are the core's ([`TakeQueue`](seawall::TakeQueue) and its kin, whose models
//! are its own). Here is only what moves one of their futures: [`Waiting::poll`] says how long to sleep, or that it is
//! over, and calls the `wake` of whoever is to poll sooner. The sleep is Python's, so that a signal ends it and every
//! event loop has its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use seawall::{Clock, Instant};

use crate::calls::{call0, call1};
use crate::chance::forks;
use crate::clock::{Bed, Timer};
use crate::values::as_seconds;

/// When to look again, in nanoseconds of the object's clock; `u64::MAX`: only when woken.
#[derive(Clone)]
pub(crate) struct Nap {
    timer: Timer,
    until: Arc<AtomicU64>,
}

impl Nap {
    pub(crate) fn new(timer: &Timer) -> Self {
        Self { timer: timer.clone(), until: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// The sleep that the core's futures ask for.
    pub(crate) fn sleep(&self, delay: Duration) -> Sleep {
        Sleep { until: self.timer.now().saturating_add(delay), bed: Bed::default(), nap: self.clone() }
    }
}

pub(crate) struct Sleep {
    until: Instant,
    bed: Bed,
    nap: Nap,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { until, bed, nap } = self.get_mut();
        match nap.timer.has_come(*until, bed, context.waker()) {
            Ok(()) => Poll::Ready(()),
            Err(look_again) => {
                if let Some(instant) = look_again {
                    nap.until.fetch_min(instant.as_nanos(), Ordering::Relaxed);
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.nap.timer.leave(&mut self.bed);
    }
}

type Work = Pin<Box<dyn Future<Output = PyResult<Py<PyAny>>> + Send>>;

enum Stage {
    Begun { work: Work, waker: Option<(Py<PyAny>, Waker)> },
    Done(Py<PyAny>),
    Over,
}

/// All who wait in this process: a child of a fork inherits their places, and nobody there to leave them.
static WAITERS: Mutex<BTreeMap<u64, Weak<Mutex<Stage>>>> = Mutex::new(BTreeMap::new());

/// Has everybody who waited in the parent leave the lines of the child: there, their threads are gone.
pub(crate) fn forget_all() {
    let waiters = std::mem::take(&mut *WAITERS.lock().unwrap_or_else(PoisonError::into_inner));
    for stage in waiters.into_values().filter_map(|waiter| waiter.upgrade()) {
        // Locked, it is being polled, by a thread that is gone or by the one that forked: it has had its turn.
        let Ok(mut stage) = stage.try_lock() else { continue };
        let begun = match &*stage {
            Stage::Begun { .. } => std::mem::replace(&mut *stage, Stage::Over),
            _ => continue,
        };
        drop(stage);
        drop(begun);
    }
}

/// One who waits.
#[pyclass(frozen, weakref, module = "seawall._native")]
pub(crate) struct Waiting {
    nap: Nap,
    stage: Arc<Mutex<Stage>>,
    /// Its number among all.
    number: u64,
}

impl Waiting {
    pub(crate) fn new(nap: Nap, work: impl Future<Output = PyResult<Py<PyAny>>> + Send + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let stage = Arc::new(Mutex::new(Stage::Begun { work: Box::pin(work), waker: None }));
        WAITERS.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::downgrade(&stage));
        Self { nap, stage, number }
    }

    /// A coroutine that waits for it, on whatever loop runs it.
    pub(crate) fn coroutine(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static WAIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        call1(WAIT.import(py, "seawall._waiting", "wait")?, (self,))
    }

    /// Blocks the thread until it is over.
    pub(crate) fn block(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static BLOCK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        call1(BLOCK.import(py, "seawall._waiting", "block")?, (self,))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITERS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[pymethods]
impl Waiting {
    /// How many seconds to sleep before the next poll, `inf` for as long as nobody wakes; `None` when it is over. Raises
    /// what it ended with. `wake` is the same at every poll, and may be called from any thread.
    #[pyo3(signature = (wake, /))]
    fn poll(&self, wake: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let Stage::Begun { work, waker } = &mut *stage else { return Ok(None) };
        let known = match waker.take() {
            Some((known, waker)) if known.is(wake) => (known, waker),
            _ => (wake.clone().unbind(), Waker::from(Arc::new(Call { wake: wake.clone().unbind(), forks: forks() }))),
        };
        self.nap.until.store(u64::MAX, Ordering::Relaxed);
        let polled = work.as_mut().poll(&mut Context::from_waker(&known.1));
        *waker = Some(known);
        let (ended, answer) = match polled {
            Poll::Pending => {
                let until = self.nap.until.load(Ordering::Relaxed);
                let left = match until {
                    u64::MAX => Duration::MAX,
                    _ => Instant::from_nanos(until).saturating_duration_since(self.nap.timer.now()),
                };
                return Ok(Some(as_seconds(left)));
            }
            Poll::Ready(Ok(value)) => (Stage::Done(value), Ok(None)),
            Poll::Ready(Err(error)) => (Stage::Over, Err(error)),
        };
        let begun = std::mem::replace(&mut *stage, ended);
        // What it held may call into Python as it goes: outside of the lock.
        drop(stage);
        drop(begun);
        answer
    }

    /// What it ended with; once.
    fn result(&self) -> PyResult<Py<PyAny>> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Done(value) => Ok(value),
            other => {
                *stage = other;
                Err(PyRuntimeError::new_err("it has not ended, or its result was taken"))
            }
        }
    }

    /// Leaves the line, and gives back what it had booked. After its end it does nothing.
    fn close(&self) {
        let stage = {
            let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            match &*stage {
                Stage::Begun { .. } => std::mem::replace(&mut *stage, Stage::Over),
                _ => return,
            }
        };
        drop(stage);
    }
}

/// A function of Python as a waker. In a child it wakes nobody of the parent.
struct Call {
    wake: Py<PyAny>,
    forks: u32,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.forks != forks() {
            return;
        }
        Python::attach(|py| {
            let wake = self.wake.bind(py);
            let error = match call0(wake) {
                // Ctrl-C, of all moments in this one: nobody else will wake who waits, nor press it once more.
                Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => {
                    let woken = call0(wake).and_then(|_| py.import("_thread")?.call_method0("interrupt_main"));
                    woken.err()
                }
                woken => woken.err(),
            };
            if let Some(error) = error {
                error.write_unraisable(py, Some(wake));
            }
        });
    }
}
