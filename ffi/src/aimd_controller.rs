//! `seawall_aimd_controller_t`: finds the rate that a service can bear, from what its callers see.

use core::time::Duration;

use seawall::{AimdConfig, AimdController, RateChange, Ratio};

use crate::object::{Kind, Object, check_place, check_pointer, end, get, put, tell, tell_some};
use crate::status::{Misuse, SEAWALL_NOTHING_DONE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{SEAWALL_UNKNOWN_PPM, instant, known, nanos, nanos_known, ratio, seawall_rate_t};
use crate::versioned::{Versioned, read, write};
use crate::window_summary::seawall_window_summary_t;

/// The rate was cut: too many calls failed.
pub const SEAWALL_RATE_REASON_ERRORS: u32 = 1;
/// The rate was cut: calls took too long.
pub const SEAWALL_RATE_REASON_LATENCY: u32 = 2;
/// The rate grew: all is well, and the rate is in use.
pub const SEAWALL_RATE_REASON_HEALTHY: u32 = 3;

/// A controller of a rate: it grows the rate step by step, and cuts it when calls fail or take too long. Feed it the
/// figures of a sliding window every second or so, and hand each change to the bucket, as by
/// `seawall_token_bucket_set_rate`. It judges at most once an interval, however often and from however many threads it
/// is asked.
#[repr(C)]
pub struct seawall_aimd_controller_t {
    /// The library's own.
    pub opaque: [u64; 32],
}

// SAFETY: words and atomics without pointers; the C type is an array of words.
unsafe impl Object for AimdController {
    type Storage = seawall_aimd_controller_t;
    const KIND: Kind = Kind::AimdController;
}

/// How a controller behaves. Begin with `SEAWALL_AIMD_CONTROLLER_CONFIG_INIT`: from 5 a second between 1 and 100, + 1 or
/// x 0.5 every 30 s, on 5 % errors or a p95 of 400 ms, judged on 10 samples or more; up to 20 % failures and a p95 of one
/// second can be learned as healthy.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_aimd_controller_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// What the rate is multiplied by in a cut, 0 (cuts to the floor) to 999,999.
    pub factor_ppm: u32,
    /// The rate to start from, `min_rate` to `max_rate`.
    pub initial_rate: seawall_rate_t,
    /// The floor: never cut below this. A millionth a second and more: a cut to zero would end all evidence and never be
    /// undone.
    pub min_rate: seawall_rate_t,
    /// The ceiling, at most 10^12 a second.
    pub max_rate: seawall_rate_t,
    /// What the rate grows by, an interval; a millionth a second and more.
    pub step: seawall_rate_t,
    /// A larger share of failures than this, over the baseline, is an overload. 0 to 1,000,000, which means that errors
    /// never are.
    pub error_threshold_ppm: u32,
    /// The largest share of failures that can be learned as healthy, 0 (the threshold holds as it stands) to 1,000,000.
    pub error_baseline_max_ppm: u32,
    /// A p95 over this is an overload. `UINT64_MAX`: slowness never is.
    pub latency_threshold_ns: u64,
    /// At most one change in so long: longer than an overload takes to show, and a cut to help. 1 and more.
    pub interval_ns: u64,
    /// No judgement on fewer samples than this; until then they add up. 1 and more.
    pub minimum_samples: u64,
    /// The longest p95 that can be learned as healthy; 0: the threshold holds as it stands.
    pub latency_baseline_max_ns: u64,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 4 x 16 + 2 x 4 + 4 x 8 bytes.
unsafe impl Versioned for seawall_aimd_controller_config_t {
    const FIRST: usize = 112;
}

impl seawall_aimd_controller_config_t {
    pub(crate) fn to_config(self) -> Result<AimdConfig, Misuse> {
        Ok(AimdConfig {
            initial_rate: self.initial_rate.to_rate()?,
            min_rate: self.min_rate.to_rate()?,
            max_rate: self.max_rate.to_rate()?,
            step: self.step.to_rate()?,
            factor: ratio(self.factor_ppm)?,
            error_threshold: ratio(self.error_threshold_ppm)?,
            latency_threshold: Duration::from_nanos(self.latency_threshold_ns),
            interval: Duration::from_nanos(self.interval_ns),
            minimum_samples: self.minimum_samples,
            error_baseline_max: ratio(self.error_baseline_max_ppm)?,
            latency_baseline_max: Duration::from_nanos(self.latency_baseline_max_ns),
        })
    }

    pub(crate) fn from_config(config: AimdConfig) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            factor_ppm: config.factor.as_ppm(),
            initial_rate: seawall_rate_t::from_rate(config.initial_rate),
            min_rate: seawall_rate_t::from_rate(config.min_rate),
            max_rate: seawall_rate_t::from_rate(config.max_rate),
            step: seawall_rate_t::from_rate(config.step),
            error_threshold_ppm: config.error_threshold.as_ppm(),
            error_baseline_max_ppm: config.error_baseline_max.as_ppm(),
            latency_threshold_ns: nanos(config.latency_threshold),
            interval_ns: nanos(config.interval),
            minimum_samples: config.minimum_samples,
            latency_baseline_max_ns: nanos(config.latency_baseline_max),
        }
    }
}

/// A change of the rate, told to the one caller that brought it about: the bucket does not know of it yet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_rate_change_t {
    /// The rate until now.
    pub from: seawall_rate_t,
    /// The rate from now on.
    pub to: seawall_rate_t,
    /// Why, a `SEAWALL_RATE_REASON_…`.
    pub reason: u32,
    /// 0.
    pub reserved: u32,
}

/// Writes a change, if there is one.
///
/// # Safety
/// `out` passed [`check_place`] and points to a change that may be written.
unsafe fn tell_change(change: Option<RateChange>, out: *mut seawall_rate_change_t) -> seawall_status_t {
    let Some(change) = change else { return SEAWALL_NOTHING_DONE };
    let (from, to) = (seawall_rate_t::from_rate(change.from), seawall_rate_t::from_rate(change.to));
    // SAFETY: the caller's word.
    unsafe { out.write(seawall_rate_change_t { from, to, reason: change.reason as u32, reserved: 0 }) };
    SEAWALL_OK
}

/// Fills a configuration with the defaults, those of `SEAWALL_AIMD_CONTROLLER_CONFIG_INIT`. `config->struct_size` has to be
/// set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_config_default(
    config: *mut seawall_aimd_controller_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_aimd_controller_config_t::from_config(AimdConfig::DEFAULT)) });
    SEAWALL_OK
}

/// Makes a controller at its initial rate.
///
/// Threads: exclusive; hand the controller to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`,
/// `SEAWALL_E_RATIO`, or a `SEAWALL_E_AIMD_…` that names the field; the storage is then as it was.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_init(
    controller: *mut seawall_aimd_controller_t,
    config: *const seawall_aimd_controller_config_t,
) -> seawall_status_t {
    check!(check_pointer(controller));
    // SAFETY: the caller's word.
    let config = check!(check!(unsafe { read(config) }).to_config());
    let value = check!(AimdController::new(config));
    // SAFETY: the caller's word.
    check!(unsafe { put(controller, value) });
    SEAWALL_OK
}

/// Ends a controller: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so
/// this is only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_fini(controller: *mut seawall_aimd_controller_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { end::<AimdController>(controller) }.status()
}

/// Judges what a window saw, and changes the rate if it is time and there is reason to. The first call only notes where
/// the totals of the window stand; later ones judge the samples since the last judgement, and wait for
/// `minimum_samples` of them.
///
/// The first judgement takes what it finds for the service's baseline, which falls where the service turns out to be
/// better, and rises where a cut did not help. Errors over it by more than the threshold and by more than chance, or a
/// p95 over the threshold and over 1.5 times the baseline, cut the rate; else it grows by a step, but not over twice
/// the throughput measured, as a limit that is not in use says nothing of the service. Use one window with one
/// controller, no longer than the interval; where windows are merged, add up their totals.
///
/// Threads: any, at the same time; signal handlers too. Lock-free. If several judge at once, one changes the rate and is
/// told.
/// Returns: `SEAWALL_OK`: the rate changed, and `*change` says how; `SEAWALL_NOTHING_DONE` where it did not, and
/// `*change` is as it was; `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the reserved field is not 0; or an object
/// mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_observe(
    controller: *mut seawall_aimd_controller_t,
    summary: *const seawall_window_summary_t,
    now_ns: u64,
    change: *mut seawall_rate_change_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    check!(check_place(change));
    // SAFETY: the caller's word.
    let summary = check!(check!(unsafe { read(summary) }).to_summary());
    // SAFETY: checked, and the caller's word.
    unsafe { tell_change(controller.observe(&summary, instant(now_ns)), change) }
}

/// The plain rule, for callers that measure by themselves: cut if errors or p95 exceed their threshold, else grow by a
/// step. At most once an interval; without either figure (`SEAWALL_UNKNOWN_PPM` and `SEAWALL_UNKNOWN`) there is no
/// evidence and no change. It knows neither samples nor the rate in use nor a baseline: errors over the threshold that
/// are always there hold it at the floor. `seawall_aimd_controller_observe` has no such trap.
///
/// Threads: as `seawall_aimd_controller_observe`.
/// Returns: `SEAWALL_OK`: the rate changed, and `*change` says how; `SEAWALL_NOTHING_DONE` where it did not, and
/// `*change` is as it was; `SEAWALL_E_RATIO`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_update(
    controller: *mut seawall_aimd_controller_t,
    error_rate_ppm: u32,
    p95_ns: u64,
    now_ns: u64,
    change: *mut seawall_rate_change_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    check!(check_place(change));
    let error_rate = if error_rate_ppm == SEAWALL_UNKNOWN_PPM { None } else { Some(check!(ratio(error_rate_ppm))) };
    // SAFETY: checked, and the caller's word.
    unsafe { tell_change(controller.update(error_rate, known(p95_ns), instant(now_ns)), change) }
}

/// The rate in force. The limiter of who was told a change may follow a moment later.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_current_rate(
    controller: *mut seawall_aimd_controller_t,
    rate: *mut seawall_rate_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    // SAFETY: the caller's word.
    unsafe { tell(rate, || seawall_rate_t::from_rate(controller.current_rate())) }
}

/// Sets the rate by hand; `*in_force` is what holds now: `rate` between the floor and the ceiling, to a millionth a second.
/// The next judgement is due when it was.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; a cut or growth that is decided at the same moment
/// applies before it or after it.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_RATE_ZERO_PERIOD`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_set_rate(
    controller: *mut seawall_aimd_controller_t,
    rate: seawall_rate_t,
    in_force: *mut seawall_rate_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    let rate = check!(rate.to_rate());
    // SAFETY: the caller's word.
    unsafe { tell(in_force, || seawall_rate_t::from_rate(controller.set_rate(rate))) }
}

/// Starts anew: the initial rate, no baseline, no samples; the first judgement is due an interval after `now_ns`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; a judgement at work meanwhile may still apply its
/// change.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_reset(
    controller: *mut seawall_aimd_controller_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    controller.reset(instant(now_ns));
    SEAWALL_OK
}

/// Moves the controller to a clock that reads `new_now_ns` where the old one read `old_now_ns`: the wait for the next
/// judgement goes on as it was; a last one later than `old_now_ns` counts as one at it.
///
/// Threads: any, at the same time, but not beside calls with readings of both clocks. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_rebase(
    controller: *mut seawall_aimd_controller_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    controller.rebase(instant(old_now_ns), instant(new_now_ns));
    SEAWALL_OK
}

/// When the next judgement may come; 0 before the first.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_due_at(
    controller: *mut seawall_aimd_controller_t,
    due_at_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    // SAFETY: the caller's word.
    unsafe { tell(due_at_ns, || controller.due_at().as_nanos()) }
}

/// The share of failed calls that is taken for healthy.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` before the first judgement, and nothing is written; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_error_baseline(
    controller: *mut seawall_aimd_controller_t,
    share_ppm: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    // SAFETY: the caller's word.
    unsafe { tell_some(share_ppm, controller.error_baseline().map(Ratio::as_ppm)) }
}

/// The p95 that is taken for healthy, to a microsecond.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` before the first judgement, and nothing is written; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_aimd_controller_latency_baseline(
    controller: *mut seawall_aimd_controller_t,
    p95_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let controller = check!(unsafe { get::<AimdController>(controller) });
    // SAFETY: the caller's word.
    unsafe { tell_some(p95_ns, controller.latency_baseline().map(nanos_known)) }
}
