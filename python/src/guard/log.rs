//! What is counted of a guard: a recorder of the core.
//!
//! Where an interpreter has its lock, whoever counts holds it: then the recorder has one writer, of loads and stores. Else
//! any thread may write at any time.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use seawall::{
    Admission, CallRecord, Finished, Instant, Outcome, RecorderView, Refused, Transition, WindowConfig, WrongWriter,
};

use crate::views::zeroed;

const SLICES: usize = 8;
/// Quantiles within 3.2 %.
const CELLS: usize = 512;

pub(crate) struct Log {
    recorder: Box<RecorderView>,
    /// The owner, if there is one: the lock of the interpreter hands it on.
    owner: Option<u64>,
}

/// Whether threads of Python run one at a time.
fn has_lock(py: Python<'_>) -> PyResult<bool> {
    let sys = py.import("sys")?;
    match sys.getattr_opt("_is_gil_enabled")? {
        Some(is_enabled) => is_enabled.call0()?.extract(),
        None => Ok(true),
    }
}

impl Log {
    pub(crate) fn new(py: Python<'_>, window: WindowConfig) -> PyResult<Self> {
        let words = RecorderView::words_for(SLICES, CELLS).unwrap_or_default();
        let mut recorder = zeroed::<RecorderView>(words)?;
        let has_owner = has_lock(py)?;
        let made = if has_owner {
            recorder.renew_for_owner(window, SLICES, CELLS)
        } else {
            recorder.renew(window, SLICES, CELLS)
        };
        made.map_err(|error| PyValueError::new_err(error.message()))?;
        let owner = if has_owner { recorder.own().ok().flatten().map(|owner| owner.into_number()) } else { None };
        Ok(Self { recorder, owner })
    }

    pub(crate) fn recorder(&self) -> &RecorderView {
        &self.recorder
    }
}

/// Counts by the owner's way or by everybody's.
macro_rules! count {
    ($log:expr, $event:ident($($argument:expr),*)) => {
        match $log.owner.and_then(|number| $log.recorder.owner_again(number)) {
            Some(mut owner) => {
                let counted = owner.$event($($argument),*);
                // Kept, and not freed: the next one takes it by its number.
                let _ = owner.into_number();
                Ok(counted)
            }
            None => $log.recorder.$event($($argument),*),
        }
    };
}

impl Log {
    #[inline]
    pub(crate) fn begun(&self, now: Instant) -> Option<CallRecord> {
        count!(self, begun(now)).ok()
    }

    #[inline]
    pub(crate) fn attempted(&self, call: &mut Option<CallRecord>, answer: &Result<Admission, Refused>, now: Instant) {
        if let Some(call) = call {
            let _counted: Result<(), WrongWriter> = count!(self, attempted(call, answer, now));
        }
    }

    #[inline]
    pub(crate) fn finished(&self, call: &mut Option<CallRecord>, outcome: Outcome, finished: &Finished, now: Instant) {
        if let Some(call) = call {
            let _counted: Result<(), WrongWriter> = count!(self, finished(call, outcome, finished, now));
        }
    }

    pub(crate) fn cancelled(&self, call: &mut Option<CallRecord>, now: Instant) {
        if let Some(call) = call {
            let _counted: Result<(), WrongWriter> = count!(self, cancelled(call, now));
        }
    }

    pub(crate) fn abandoned(&self, call: &mut Option<CallRecord>, now: Instant) {
        if let Some(call) = call.take() {
            let _counted: Result<(), WrongWriter> = count!(self, abandoned(call, now));
        }
    }

    pub(crate) fn changed(&self, transition: Transition, now: Instant) {
        self.recorder.changed(transition, now);
    }

    pub(crate) fn rebase(&self, old: Instant, new: Instant) {
        self.recorder.rebase(old, new);
    }
}
