//! `seawall_sharded_window_t`: a sliding window for many cores.

use core::ffi::c_void;
use core::time::Duration;

use seawall::{Ratio, ShardedWindowView, WindowConfigError};

use crate::object::{Kind, check_place, tell, tell_some};
use crate::sliding_window::{DEFAULT_NS, window_of};
use crate::status::{Misuse, SEAWALL_E_SIZE, SEAWALL_E_VALUE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{instant, nanos, nanos_known, ratio};
use crate::versioned::{Versioned, read, write};
use crate::window_summary::seawall_window_summary_t;
use crate::workspace::{self, InWorkspace, attach, give, make, view};

/// A sliding window for many cores: each worker records into a shard of its own, and whoever asks reads all as one. It lies
/// in a workspace; this is its handle.
pub struct seawall_sharded_window_t {
    _opaque: [u64; 1],
}

// SAFETY: the length stays what it was; atomics and words only.
unsafe impl InWorkspace for ShardedWindowView {
    type Handle = seawall_sharded_window_t;
    const KIND: Kind = Kind::ShardedWindow;

    fn at(start: *mut u8, length: usize) -> *mut Self {
        core::ptr::slice_from_raw_parts_mut(start, length) as *mut Self
    }
}

/// Anybody writes: each step is one that locks a cache line.
pub const SEAWALL_WRITERS_MANY: u32 = 1;
/// One owner at a time writes, by plain loads and stores.
pub const SEAWALL_WRITERS_ONE: u32 = 2;

/// Whether one owner at a time writes.
pub(crate) const fn has_owners(writers: u32) -> Result<bool, Misuse> {
    match writers {
        SEAWALL_WRITERS_MANY => Ok(false),
        SEAWALL_WRITERS_ONE => Ok(true),
        _ => Err(Misuse(SEAWALL_E_VALUE)),
    }
}

/// How far a window looks back, how finely, and who writes it. Begin with `SEAWALL_SHARDED_WINDOW_CONFIG_INIT`: 30 s in 16
/// slices of 512 cells, 8 shards of 65 KiB, into which anybody records.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_sharded_window_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// In how many steps it forgets: a power of two from 2 to 1024.
    pub slices: u32,
    /// What is older is forgotten: a millisecond to 365 days.
    pub window_ns: u64,
    /// How finely latencies are told apart: a power of two from 32 to 1024, as in `seawall_sliding_window_config_t`.
    pub cells: u32,
    /// How many shards there are, one a core or a worker: 1 to 65,536.
    pub shards: u32,
    /// Who writes a shard, a `SEAWALL_WRITERS_…`: anybody by `seawall_sharded_window_record`, or its owner by
    /// `seawall_owned_window_record`.
    pub writers: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 8 + 4 x 4 bytes.
unsafe impl Versioned for seawall_sharded_window_config_t {
    const FIRST: usize = 32;
}

impl seawall_sharded_window_config_t {
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>() as u32,
        slices: 16,
        window_ns: DEFAULT_NS,
        cells: 512,
        shards: 8,
        writers: SEAWALL_WRITERS_MANY,
        reserved: 0,
    };

    fn check(&self) -> Result<(), Misuse> {
        has_owners(self.writers)?;
        if self.reserved == 0 { Ok(()) } else { Err(Misuse(SEAWALL_E_VALUE)) }
    }

    fn renew(&self, view: &mut ShardedWindowView) -> Result<(), WindowConfigError> {
        let window = window_of(self.window_ns);
        let (shards, slices, cells) = (self.shards as usize, self.slices as usize, self.cells as usize);
        if self.writers == SEAWALL_WRITERS_ONE {
            view.renew_for_owners(window, shards, slices, cells)
        } else {
            view.renew(window, shards, slices, cells)
        }
    }
}

fn words_of(config: &seawall_sharded_window_config_t) -> Option<usize> {
    ShardedWindowView::words_for(config.shards as usize, config.slices as usize, config.cells as usize)
}

/// Fills a configuration with the defaults: 30 s in 16 slices of 512 cells, 8 shards, into which anybody records.
/// `config->struct_size` has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_config_default(
    config: *mut seawall_sharded_window_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { write(config, seawall_sharded_window_config_t::DEFAULT) }.status()
}

/// How many bytes a workspace must have for what `config` says, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_required_size(
    config: *const seawall_sharded_window_config_t,
    size: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    // SAFETY: as above.
    unsafe { workspace::required_size(words_of(&config).and_then(ShardedWindowView::size_of_words), size) }
}

/// Makes a window in a workspace of `size` bytes, and gives its handle. It is empty.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where shards, slices or cells are out of their range;
/// `SEAWALL_E_WINDOW_TOO_SHORT`, `SEAWALL_E_WINDOW_TOO_LONG`; `SEAWALL_E_VALUE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`,
/// `SEAWALL_E_STRUCT_SIZE`. What was in the workspace may be gone then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_init(
    workspace: *mut c_void,
    size: usize,
    config: *const seawall_sharded_window_config_t,
    window: *mut *mut seawall_sharded_window_t,
) -> seawall_status_t {
    check!(check_place(window));
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    check!(config.check());
    let Some(words) = words_of(&config) else { return SEAWALL_E_SIZE };
    let renew = |view: &mut ShardedWindowView| config.renew(view);
    // SAFETY: as above; the size is that of so many words.
    let made = unsafe { make(workspace, size, ShardedWindowView::size_of_words(words), words, renew) };
    // SAFETY: checked, and the caller's word.
    unsafe { give(window, check!(made)) }
}

/// The handle of a window that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_attach(
    workspace: *mut c_void,
    size: usize,
    window: *mut *mut seawall_sharded_window_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { attach::<ShardedWindowView>(workspace, size, ShardedWindowView::size_of_words, window) }
}

/// Ends a window: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_fini(window: *mut seawall_sharded_window_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { workspace::end::<ShardedWindowView>(window) }.status()
}

/// Counts one finished call in `shard`, the number of the caller's worker or core, modulo the number of shards: how long it
/// took, and whether it went well (`ok` is not 0). Any shard is right; one's own is fast.
///
/// Threads: any, at the same time, for any shard; signal handlers too. Lock-free: one read-modify-write for a success, two
/// for a failure, of lines that only this shard's recorders write.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WRITER` where shards have owners; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_record(
    window: *mut seawall_sharded_window_t,
    shard: u32,
    latency_ns: u64,
    ok: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    window.record(shard, Duration::from_nanos(latency_ns), ok != 0, instant(now_ns)).status()
}

/// The usual figures at `now_ns`, of all shards: `*summary`, whose `struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_summary(
    window: *mut seawall_sharded_window_t,
    now_ns: u64,
    summary: *mut seawall_window_summary_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { write(summary, seawall_window_summary_t::from_summary(window.summary(instant(now_ns)))) }.status()
}

/// The latency at quantile `q_ppm` at `now_ns`, of all shards, by nearest rank: 950,000 is the one that 95 % of calls
/// kept to, 1,000,000 the longest. Off by at most `seawall_sharded_window_relative_error`, from 4 µs up.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only; under 9 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty: nothing is written; `SEAWALL_E_RATIO`; or an object
/// mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_quantile(
    window: *mut seawall_sharded_window_t,
    q_ppm: u32,
    now_ns: u64,
    latency_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    let q = check!(ratio(q_ppm));
    // SAFETY: as above.
    unsafe { tell_some(latency_ns, window.quantile(q, instant(now_ns)).map(nanos_known)) }
}

/// The share of failed calls at `now_ns`, of all shards: `*share_ppm`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the window is empty, as no evidence is not health: nothing is written; or an
/// object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_error_rate(
    window: *mut seawall_sharded_window_t,
    now_ns: u64,
    share_ppm: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell_some(share_ppm, window.error_rate(instant(now_ns)).map(Ratio::as_ppm)) }
}

/// Forgets what came before `now_ns`, exactly: as after a breaker has closed again. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_mark(
    window: *mut seawall_sharded_window_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    window.mark(instant(now_ns));
    SEAWALL_OK
}

/// Starts anew on another clock: what was `old_now_ns` so far is `new_now_ns` from here on. The lifetime totals stay.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_rebase(
    window: *mut seawall_sharded_window_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    window.rebase(instant(old_now_ns), instant(new_now_ns));
    SEAWALL_OK
}

/// Samples since the window was made: `*count`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_total_count(
    window: *mut seawall_sharded_window_t,
    count: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(count, || window.total_count()) }
}

/// Failed samples since the window was made: `*errors`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_total_errors(
    window: *mut seawall_sharded_window_t,
    errors: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(errors, || window.total_errors()) }
}

/// Samples that came too late for their slice, or found no room, and count in the totals only: `*late`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_total_late(
    window: *mut seawall_sharded_window_t,
    late: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(late, || window.total_late()) }
}

/// How far it looks back: its slices, of which each was rounded up to a nanosecond.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_window(
    window: *mut seawall_sharded_window_t,
    window_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(window_ns, || nanos(window.window())) }
}

/// The width of a slice: how exactly it forgets.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_slice(
    window: *mut seawall_sharded_window_t,
    slice_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(slice_ns, || nanos(window.slice())) }
}

/// How many slices it has: `*slices`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_slices(
    window: *mut seawall_sharded_window_t,
    slices: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above; at most 1024.
    unsafe { tell(slices, || window.slices() as u32) }
}

/// How many latency cells a slice has: `*cells`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_cells(
    window: *mut seawall_sharded_window_t,
    cells: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above; at most 1024.
    unsafe { tell(cells, || window.cells() as u32) }
}

/// By how much a quantile from 4 µs up may be off: half a cell.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_relative_error(
    window: *mut seawall_sharded_window_t,
    error_ppm: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above.
    unsafe { tell(error_ppm, || window.relative_error().as_ppm()) }
}

/// How many shards it has: `*shards`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_sharded_window_shards(
    window: *mut seawall_sharded_window_t,
    shards: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let window = check!(unsafe { view::<ShardedWindowView>(window) });
    // SAFETY: as above; at most 65,536.
    unsafe { tell(shards, || window.shards() as u32) }
}
