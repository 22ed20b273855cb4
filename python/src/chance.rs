//! Chance: a stream of random numbers that threads share, and that a forked process does not repeat.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;
use seawall::SharedRandom;

use crate::values::seed;

/// How often this process is the child of a fork that Python knows of.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Begins new streams, and empties the lines of those who waited: `os.register_at_fork` calls it in the child.
#[pyfunction]
pub(crate) fn _forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    crate::waiting::forget_all();
}

/// How often this process was forked off.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Has every child of `os.fork` draw numbers of its own. Windows has no fork.
pub(crate) fn register_at_fork(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let Some(register) = py.import("os")?.getattr_opt("register_at_fork")? else { return Ok(()) };
    let hooks = [("after_in_child", module.getattr("_forked")?)];
    register.call((), Some(&pyo3::types::IntoPyDict::into_py_dict(hooks, py)?)).map(drop)
}

/// How many forks an object knows of.
pub(crate) struct Forks(AtomicU32);

impl Forks {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(FORKS.load(Ordering::Relaxed)))
    }

    /// Has the object part with that of its parent where there was a fork since. Threads that come here together do it
    /// twice, which does no harm.
    #[inline]
    pub(crate) fn part(&self, begin_anew: impl FnOnce()) {
        // Acquire, with the release below: who sees that it was seeded anew sees the new seed.
        if self.0.load(Ordering::Acquire) != FORKS.load(Ordering::Relaxed) {
            self.part_now(begin_anew);
        }
    }

    #[cold]
    fn part_now(&self, begin_anew: impl FnOnce()) {
        let forks = FORKS.load(Ordering::Relaxed);
        begin_anew();
        self.0.store(forks, Ordering::Release);
    }
}

/// The stream of one object.
pub(crate) struct Chance {
    stream: SharedRandom,
    forks: Forks,
}

impl Chance {
    /// The stream of a seed; None: of the operating system's entropy. A seed gives the same numbers in each run, but not in
    /// a parent and its child.
    pub(crate) fn new(given: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(Self::from_seed(seed(given)?))
    }

    /// The stream of a seed that was read before.
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self { stream: SharedRandom::from_seed(seed), forks: Forks::new() }
    }

    /// Begins the stream of another seed, for replays.
    pub(crate) fn reseed(&self, seed: u64) {
        self.stream.reseed(seed);
    }

    #[inline]
    pub(crate) fn next_u64(&self) -> u64 {
        self.forks.part(|| self.stream.reseed(self.stream.next_u64() ^ seawall::entropy()));
        self.stream.next_u64()
    }
}
