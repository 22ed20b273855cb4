//! `seawall_recorder_t`: what became of calls and attempts, counted beside a guard, one recorder a worker.

use core::ffi::c_void;

use seawall::{CallRecord, RecorderView, WindowConfigError};

use crate::call::{seawall_admission_t, seawall_finished_t};
use crate::call_record::{Answer, finished_at, seawall_call_record_t, transition_of};
use crate::counts::seawall_counts_t;
use crate::decision::seawall_decision_t;
use crate::object::{Kind, check_place, tell};
use crate::sharded_window::{SEAWALL_WRITERS_MANY, SEAWALL_WRITERS_ONE, has_owners};
use crate::sliding_window::{DEFAULT_NS, window_of};
use crate::status::{Misuse, SEAWALL_E_SIZE, SEAWALL_NOTHING_DONE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{SEAWALL_UNKNOWN, instant, outcome_of, seawall_transition_t};
use crate::versioned::{Versioned, read, write};
use crate::workspace::{self, InWorkspace, attach, give, make, view};

/// Counts and measures what one worker does through a guard. Shared by several it is slower, and counts no less. It
/// lies in a workspace; this is its handle.
pub struct seawall_recorder_t {
    _opaque: [u64; 1],
}

// SAFETY: the length stays what it was; atomics and words only.
unsafe impl InWorkspace for RecorderView {
    type Handle = seawall_recorder_t;
    const KIND: Kind = Kind::Recorder;

    fn at(start: *mut u8, length: usize) -> *mut Self {
        core::ptr::slice_from_raw_parts_mut(start, length) as *mut Self
    }
}

/// How far a recorder looks back, how finely, and who writes it. Begin with `SEAWALL_RECORDER_CONFIG_INIT`: 30 s in 8
/// slices of 512 cells, 71 KiB, which anybody writes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_recorder_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// In how many steps it forgets: a power of two from 2 to 1024.
    pub slices: u32,
    /// What is older is forgotten: a millisecond to 365 days.
    pub window_ns: u64,
    /// How finely latencies are told apart: a power of two from 32 to 1024, as in `seawall_sliding_window_config_t`.
    /// Each takes 16 bytes a slice.
    pub cells: u32,
    /// Who writes it, a `SEAWALL_WRITERS_…`: anybody by `seawall_recorder_…`, or its owner by `seawall_owned_recorder_…`.
    pub writers: u32,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 8 + 2 x 4 bytes.
unsafe impl Versioned for seawall_recorder_config_t {
    const FIRST: usize = 24;
}

impl seawall_recorder_config_t {
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>() as u32,
        slices: 8,
        window_ns: DEFAULT_NS,
        cells: 512,
        writers: SEAWALL_WRITERS_MANY,
    };

    fn check(&self) -> Result<(), Misuse> {
        has_owners(self.writers).map(drop)
    }

    fn renew(&self, view: &mut RecorderView) -> Result<(), WindowConfigError> {
        let (window, slices, cells) = (window_of(self.window_ns), self.slices as usize, self.cells as usize);
        if self.writers == SEAWALL_WRITERS_ONE {
            view.renew_for_owner(window, slices, cells)
        } else {
            view.renew(window, slices, cells)
        }
    }
}

fn words_of(config: &seawall_recorder_config_t) -> Option<usize> {
    RecorderView::words_for(config.slices as usize, config.cells as usize)
}

fn misuse(error: impl Status) -> Misuse {
    Misuse(error.status())
}

/// Fills a configuration with the defaults: 30 s in 8 slices of 512 cells, which anybody writes. `config->struct_size`
/// has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_config_default(config: *mut seawall_recorder_config_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { write(config, seawall_recorder_config_t::DEFAULT) }.status()
}

/// How many bytes a workspace must have for what `config` says, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_required_size(
    config: *const seawall_recorder_config_t,
    size: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    // SAFETY: as above.
    unsafe { workspace::required_size(words_of(&config).and_then(RecorderView::size_of_words), size) }
}

/// Makes a recorder in a workspace of `size` bytes, and gives its handle. It has counted nothing.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where slices or cells are out of their range;
/// `SEAWALL_E_WINDOW_TOO_SHORT`, `SEAWALL_E_WINDOW_TOO_LONG`; `SEAWALL_E_VALUE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`,
/// `SEAWALL_E_STRUCT_SIZE`. What was in the workspace may be gone then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_init(
    workspace: *mut c_void,
    size: usize,
    config: *const seawall_recorder_config_t,
    recorder: *mut *mut seawall_recorder_t,
) -> seawall_status_t {
    check!(check_place(recorder));
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    check!(config.check());
    let Some(words) = words_of(&config) else { return SEAWALL_E_SIZE };
    let renew = |view: &mut RecorderView| config.renew(view);
    // SAFETY: as above; the size is that of so many words.
    let made = unsafe { make(workspace, size, RecorderView::size_of_words(words), words, renew) };
    // SAFETY: checked, and the caller's word.
    unsafe { give(recorder, check!(made)) }
}

/// The handle of a recorder that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_attach(
    workspace: *mut c_void,
    size: usize,
    recorder: *mut *mut seawall_recorder_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { attach::<RecorderView>(workspace, size, RecorderView::size_of_words, recorder) }
}

/// Ends a recorder: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_fini(recorder: *mut seawall_recorder_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { workspace::end::<RecorderView>(recorder) }.status()
}

/// A logical call begins: `*record` is to be told of it.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WRITER` where an owner writes it; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_begun(
    recorder: *mut seawall_recorder_t,
    now_ns: u64,
    record: *mut seawall_call_record_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    check!(check_place(record));
    let call = check!(recorder.begun(instant(now_ns)).map_err(misuse));
    // SAFETY: checked, and the caller's word.
    unsafe { tell(record, || seawall_call_record_t::of(call)) }
}

/// An attempt was asked for, with this answer: the status and the decision of `seawall_guard_try_attempt`, and its
/// admission. `decision` is needed for a refusal only, `admission` never: NULL says that nothing changed and no stage
/// in shadow would have refused.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// `SEAWALL_E_VALUE` where `status` is none that an attempt is answered with; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_attempted(
    recorder: *mut seawall_recorder_t,
    record: *mut seawall_call_record_t,
    status: seawall_status_t,
    decision: *const seawall_decision_t,
    admission: *const seawall_admission_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    let event = |call: &mut CallRecord| {
        // SAFETY: as above.
        match unsafe { Answer::of(status, decision, admission) }? {
            Answer::Admitted(shadow, transition) => {
                recorder.admitted(call, shadow, transition, instant(now_ns)).map_err(misuse)
            }
            Answer::Refused(refused) => recorder.attempted(call, &Err(refused), instant(now_ns)).map_err(misuse),
        }
    };
    // SAFETY: as above.
    unsafe { seawall_call_record_t::told(record, event) }
}

/// The attempt under way was never sent. Nothing, where none is.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_cancelled(
    recorder: *mut seawall_recorder_t,
    record: *mut seawall_call_record_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    let event = |call: &mut CallRecord| recorder.cancelled(call, instant(now_ns)).map_err(misuse);
    // SAFETY: as above.
    unsafe { seawall_call_record_t::told(record, event) }
}

/// The attempt under way ended: `outcome` is a `SEAWALL_OUTCOME_…`, `*finished` what `seawall_guard_finish` wrote.
/// Nothing, where no attempt is under way: one that is reported twice counts once.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// `SEAWALL_E_VALUE` where the outcome or a number in `*finished` is none of those that are allowed; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_finished(
    recorder: *mut seawall_recorder_t,
    record: *mut seawall_call_record_t,
    outcome: u32,
    finished: *const seawall_finished_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    let event = |call: &mut CallRecord| {
        let outcome = outcome_of(outcome, SEAWALL_UNKNOWN)?;
        // SAFETY: as above.
        let finished = unsafe { finished_at(finished) }?;
        recorder.finished(call, outcome, &finished, instant(now_ns)).map_err(misuse)
    };
    // SAFETY: as above.
    unsafe { seawall_call_record_t::told(record, event) }
}

/// The call is not sent again, though it was not over: its caller gave it up, refused or not. Zeroes `*record`.
///
/// Threads: any, at the same time, each with a record of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where the record is none; `SEAWALL_E_WRITER` where an owner writes it;
/// or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_abandoned(
    recorder: *mut seawall_recorder_t,
    record: *mut seawall_call_record_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let call = check!(unsafe { seawall_call_record_t::at(record) });
    check!(recorder.abandoned(call, instant(now_ns)).map_err(misuse));
    // SAFETY: `at` has checked the pointer.
    unsafe { tell(record, || seawall_call_record_t { opaque: [0; 4] }) }
}

/// The breaker changed its state outside of a call: forced, tripped or reset. Transitions that an attempt or a report
/// brings are noted by themselves. Lets `seawall_guard_explain_recorded` say why and when.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, whoever writes it.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where nothing changed (`transition->to` is 0); `SEAWALL_E_VALUE` where
/// a number in it is none of those that are allowed; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_changed(
    recorder: *mut seawall_recorder_t,
    transition: *const seawall_transition_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    check!(check_place(transition));
    // SAFETY: checked, and the caller's word.
    let Some(transition) = check!(transition_of(unsafe { transition.read() })) else { return SEAWALL_NOTHING_DONE };
    recorder.changed(transition, instant(now_ns));
    SEAWALL_OK
}

/// Goes over to another clock: what was `old_now_ns` so far is `new_now_ns` from here on. The windows start anew, the
/// totals stay. To be called with `seawall_guard_rebase`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; not one step: what is counted meanwhile may be in
/// the totals only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_rebase(
    recorder: *mut seawall_recorder_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    recorder.rebase(instant(old_now_ns), instant(new_now_ns));
    SEAWALL_OK
}

/// What this recorder counted since it was made: `*counts`, whose `struct_size` has to be set. No end is in it without its
/// beginning.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_totals(
    recorder: *mut seawall_recorder_t,
    counts: *mut seawall_counts_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    unsafe { write(counts, seawall_counts_t::of(&recorder.totals())) }.status()
}

/// What this recorder counted in its window at `now_ns`: `*counts`, whose `struct_size` has to be set. A call that
/// began before the window may end in it.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_recent(
    recorder: *mut seawall_recorder_t,
    now_ns: u64,
    counts: *mut seawall_counts_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    unsafe { write(counts, seawall_counts_t::of(&recorder.recent(instant(now_ns)))) }.status()
}

/// How many slices its windows have: `*slices`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_slices(
    recorder: *mut seawall_recorder_t,
    slices: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above; at most 1024.
    unsafe { tell(slices, || recorder.slices() as u32) }
}

/// How many latency cells a slice has: `*cells`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_cells(
    recorder: *mut seawall_recorder_t,
    cells: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above; at most 1024.
    unsafe { tell(cells, || recorder.cells() as u32) }
}
