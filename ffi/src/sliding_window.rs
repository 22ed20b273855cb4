//! `seawall_sliding_window_t`: what happened lately, counted and measured by many threads at once.

use core::ffi::c_void;
use core::time::Duration;

use seawall::{Ratio, SlidingWindowView, WindowConfig, WindowConfigError};

use crate::object::{Kind, check_place, tell, tell_some};
use crate::status::{Misuse, SEAWALL_E_SIZE, SEAWALL_E_VALUE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{instant, nanos, nanos_known, ratio};
use crate::versioned::{Versioned, read, write};
use crate::window_summary::seawall_window_summary_t;
use crate::workspace::{self, InWorkspace, attach, give, make, view};

/// Counts, error rate and latency quantiles of the last stretch of time, recorded by any number of threads. It lies in a
/// workspace; this is its handle.
pub struct seawall_sliding_window_t {
    _opaque: [u64; 1],
}

// SAFETY: the length stays what it was; atomics and words only.
unsafe impl InWorkspace for SlidingWindowView {
    type Handle = seawall_sliding_window_t;
    const KIND: Kind = Kind::SlidingWindow;

    fn at(start: *mut u8, length: usize) -> *mut Self {
        core::ptr::slice_from_raw_parts_mut(start, length) as *mut Self
    }
}

/// How far a window looks back, and how finely. Begin with `SEAWALL_SLIDING_WINDOW_CONFIG_INIT`: 30 s in 16 slices of 512
/// cells, 66 KiB.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_sliding_window_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// In how many steps it forgets: a power of two from 2 to 1024.
    pub slices: u32,
    /// What is older is forgotten: a millisecond to 365 days.
    pub window_ns: u64,
    /// How finely latencies are told apart: a power of two from 32 (50 %) over 128 (12.5 %) and 512 (3.125 %) to 1024. Each
    /// takes 8 bytes a slice.
    pub cells: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 8 + 2 x 4 bytes.
unsafe impl Versioned for seawall_sliding_window_config_t {
    const FIRST: usize = 24;
}

impl seawall_sliding_window_config_t {
    const DEFAULT: Self =
        Self { struct_size: size_of::<Self>() as u32, slices: 16, window_ns: DEFAULT_NS, cells: 512, reserved: 0 };

    fn check(&self) -> Result<(), Misuse> {
        if self.reserved == 0 { Ok(()) } else { Err(Misuse(SEAWALL_E_VALUE)) }
    }

    fn renew(&self, view: &mut SlidingWindowView) -> Result<(), WindowConfigError> {
        view.renew(window_of(self.window_ns), self.slices as usize, self.cells as usize)
    }
}

pub(crate) const DEFAULT_NS: u64 = WindowConfig::DEFAULT.window.as_nanos() as u64;

pub(crate) const fn window_of(window_ns: u64) -> WindowConfig {
    WindowConfig { window: Duration::from_nanos(window_ns) }
}

fn words_of(config: &seawall_sliding_window_config_t) -> Option<usize> {
    SlidingWindowView::words_for(config.slices as usize, config.cells as usize)
}

/// Fills a configuration with the defaults: 30 s in 16 slices of 512 cells. `config->struct_size` has to be set, as by the
/// `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_config_default(
    config: *mut seawall_sliding_window_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { write(config, seawall_sliding_window_config_t::DEFAULT) }.status()
}

/// How many bytes a workspace must have for what `config` says, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_required_size(
    config: *const seawall_sliding_window_config_t,
    size: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    // SAFETY: as above.
    unsafe { workspace::required_size(words_of(&config).and_then(SlidingWindowView::size_of_words), size) }
}

/// Makes a window in a workspace of `size` bytes, and gives its handle. It is empty.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where slices or cells are out of their range;
/// `SEAWALL_E_WINDOW_TOO_SHORT`, `SEAWALL_E_WINDOW_TOO_LONG`; `SEAWALL_E_VALUE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`,
/// `SEAWALL_E_STRUCT_SIZE`. What was in the workspace may be gone then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_init(
    workspace: *mut c_void,
    size: usize,
    config: *const seawall_sliding_window_config_t,
    window: *mut *mut seawall_sliding_window_t,
) -> seawall_status_t {
    check!(check_place(window));
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    check!(config.check());
    let Some(words) = words_of(&config) else { return SEAWALL_E_SIZE };
    let renew = |view: &mut SlidingWindowView| config.renew(view);
    // SAFETY: as above; the size is that of so many words.
    let made = unsafe { make(workspace, size, SlidingWindowView::size_of_words(words), words, renew) };
    // SAFETY: checked, and the caller's word.
    unsafe { give(window, check!(made)) }
}

/// The handle of a window that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_attach(
    workspace: *mut c_void,
    size: usize,
    window: *mut *mut seawall_sliding_window_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { attach::<SlidingWindowView>(workspace, size, SlidingWindowView::size_of_words, window) }
}

/// Ends a window: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_fini(window: *mut seawall_sliding_window_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { workspace::end::<SlidingWindowView>(window) }.status()
}

/// Counts one finished call: how long it took, and whether it went well (`ok` is not 0). An older `now_ns` counts in
/// its own slice, or, where that was reused, as late.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one read-modify-write for a success, two for a failure.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_record(
    window: *mut seawall_sliding_window_t,
    latency_ns: u64,
    ok: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    window.record(Duration::from_nanos(latency_ns), ok != 0, instant(now_ns));
    SEAWALL_OK
}

/// The usual figures at `now_ns`: `*summary`, whose `struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_summary(
    window: *mut seawall_sliding_window_t,
    now_ns: u64,
    summary: *mut seawall_window_summary_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { write(summary, seawall_window_summary_t::from_summary(window.summary(instant(now_ns)))) }.status()
}

/// The latency at quantile `q_ppm` at `now_ns`, by nearest rank: 950,000 is the one that 95 % of calls kept to, 1,000,000
/// the longest. Off by at most `seawall_sliding_window_relative_error`, from 4 µs up.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty: nothing is written; `SEAWALL_E_RATIO`; or an object
/// mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_quantile(
    window: *mut seawall_sliding_window_t,
    q_ppm: u32,
    now_ns: u64,
    latency_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    let q = check!(ratio(q_ppm));
    // SAFETY: as above.
    unsafe { tell_some(latency_ns, window.quantile(q, instant(now_ns)).map(nanos_known)) }
}

/// The share of failed calls at `now_ns`: `*share_ppm`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty, as no evidence is not health: nothing is written; or an
/// object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_error_rate(
    window: *mut seawall_sliding_window_t,
    now_ns: u64,
    share_ppm: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell_some(share_ppm, window.error_rate(instant(now_ns)).map(Ratio::as_ppm)) }
}

/// Forgets what came before `now_ns`, exactly: as after a breaker has closed again. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_mark(
    window: *mut seawall_sliding_window_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    window.mark(instant(now_ns));
    SEAWALL_OK
}

/// Starts anew on another clock: what was `old_now_ns` so far is `new_now_ns` from here on. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_rebase(
    window: *mut seawall_sliding_window_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    window.rebase(instant(old_now_ns), instant(new_now_ns));
    SEAWALL_OK
}

/// Samples since the window was made: `*count`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_total_count(
    window: *mut seawall_sliding_window_t,
    count: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(count, || window.total_count()) }
}

/// Failed samples since the window was made: `*errors`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_total_errors(
    window: *mut seawall_sliding_window_t,
    errors: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(errors, || window.total_errors()) }
}

/// Samples that came too late for their slice, or found no room, and count in the totals only: `*late`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_total_late(
    window: *mut seawall_sliding_window_t,
    late: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(late, || window.total_late()) }
}

/// How far it looks back: its slices, of which each was rounded up to a nanosecond.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_window(
    window: *mut seawall_sliding_window_t,
    window_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(window_ns, || nanos(window.window())) }
}

/// The width of a slice: how exactly it forgets.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_slice(
    window: *mut seawall_sliding_window_t,
    slice_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(slice_ns, || nanos(window.slice())) }
}

/// How many slices it has: `*slices`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_slices(
    window: *mut seawall_sliding_window_t,
    slices: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above; at most 1024.
    unsafe { tell(slices, || window.slices() as u32) }
}

/// How many latency cells a slice has: `*cells`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_cells(
    window: *mut seawall_sliding_window_t,
    cells: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above; at most 1024.
    unsafe { tell(cells, || window.cells() as u32) }
}

/// By how much a quantile from 4 µs up may be off: half a cell.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sliding_window_relative_error(
    window: *mut seawall_sliding_window_t,
    error_ppm: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<SlidingWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(error_ppm, || window.relative_error().as_ppm()) }
}
