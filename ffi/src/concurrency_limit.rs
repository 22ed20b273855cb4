//! `seawall_concurrency_limit_t`: how many calls may be in flight at once, found out by their latency.

use core::ffi::c_void;
use core::time::Duration;

use seawall::{ConcurrencyLimitView, LimitChange, LimitConfig, LimitPermit};

use crate::decision::{decide, seawall_decision_t};
use crate::object::{Kind, check_place, check_wanted, done_or_void, tell};
use crate::status::{
    Misuse, SEAWALL_E_PERMIT, SEAWALL_E_SIZE, SEAWALL_E_VALUE, SEAWALL_OK, SEAWALL_VOID, Status, check,
    seawall_status_t,
};
use crate::values::{instant, nanos, outcome_of, ratio};
use crate::versioned::{Versioned, read, write};
use crate::workspace::{self, InWorkspace, attach, give, make, view};

/// A limit of the calls in flight. It lies in a workspace; this is its handle.
pub struct seawall_concurrency_limit_t {
    _opaque: [u64; 1],
}

// SAFETY: the length stays what it was; atomics and words only.
unsafe impl InWorkspace for ConcurrencyLimitView {
    type Handle = seawall_concurrency_limit_t;
    const KIND: Kind = Kind::ConcurrencyLimit;

    fn at(start: *mut u8, length: usize) -> *mut Self {
        core::ptr::slice_from_raw_parts_mut(start, length) as *mut Self
    }
}

/// How a limit of the calls in flight adapts. Begin with `SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT`: from 2, between 1 and 64;
/// slow after 250 ms, or after 225 % of the usual latency where that is longer; timed out after 1 s; leases of 5 s.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_concurrency_limit_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// How many slots there are: 1 to 65,535, 8 bytes each. What it was made with stays.
    pub slots: u32,
    /// The first limit: `floor` to `ceiling`.
    pub start: u32,
    /// The limit never falls below this: 1 and more.
    pub floor: u32,
    /// The limit never rises above this: at most the slots.
    pub ceiling: u32,
    /// From which share of the usual latency on a reply is a sign of congestion, if that is over `slow_after_ns`: 100 to
    /// 10,000 percent; 0: nothing is learnt.
    pub tolerance_percent: u32,
    /// After how many reports in a row that met it full the limit counts as what holds the traffic back: 0 to 60. 0: the
    /// first slow reply that meets it full cuts it.
    pub saturated_after: u32,
    /// 0.
    pub reserved: u32,
    /// A reply that took no longer is never a sign of congestion: 1 and more. A quarter of the call's time-out serves well.
    pub slow_after_ns: u64,
    /// A failure that took at least so long was a time-out: `slow_after_ns` and more.
    pub timeout_ns: u64,
    /// How long a permit that is never given back holds its slot: `timeout_ns` and more.
    pub lease_ns: u64,
    /// What a slow or a throttled reply leaves of the limit: under 1,000,000.
    pub slow_factor_ppm: u32,
    /// What a time-out leaves of the limit: under 1,000,000.
    pub timeout_factor_ppm: u32,
}

// SAFETY: `repr(C)`, integers only, no padding: 8 x 4 + 3 x 8 + 2 x 4 bytes.
unsafe impl Versioned for seawall_concurrency_limit_config_t {
    const FIRST: usize = 64;
}

impl seawall_concurrency_limit_config_t {
    pub(crate) fn to_config(self) -> Result<LimitConfig, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        Ok(LimitConfig {
            start: self.start,
            floor: self.floor,
            ceiling: self.ceiling,
            slow_after: Duration::from_nanos(self.slow_after_ns),
            tolerance_percent: self.tolerance_percent,
            saturated_after: self.saturated_after,
            timeout: Duration::from_nanos(self.timeout_ns),
            slow_factor: ratio(self.slow_factor_ppm)?,
            timeout_factor: ratio(self.timeout_factor_ppm)?,
            lease: Duration::from_nanos(self.lease_ns),
        })
    }

    pub(crate) fn from_config(config: LimitConfig, slots: u32) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            slots,
            start: config.start,
            floor: config.floor,
            ceiling: config.ceiling,
            tolerance_percent: config.tolerance_percent,
            saturated_after: config.saturated_after,
            reserved: 0,
            slow_after_ns: nanos(config.slow_after),
            timeout_ns: nanos(config.timeout),
            lease_ns: nanos(config.lease),
            slow_factor_ppm: config.slow_factor.as_ppm(),
            timeout_factor_ppm: config.timeout_factor.as_ppm(),
        }
    }
}

/// One call in flight. A value of the caller's; lost, it frees its slot when the lease lapses.
#[repr(C)]
pub struct seawall_limit_permit_t {
    /// The library's own. What ends the permit zeroes it.
    pub opaque: [u64; 4],
}

/// Takes the permit out of its place, which is zeroed.
///
/// # Safety
/// `permit` is NULL or points to a permit that nobody else uses.
unsafe fn taken(permit: *mut seawall_limit_permit_t) -> Result<LimitPermit, Misuse> {
    check_place(permit)?;
    // No reference: what is no permit may be anything, the limit too.
    // SAFETY: checked, and the caller's word.
    let [tag, words @ ..] = unsafe { (*permit).opaque };
    if tag != u64::from(Kind::LimitPermit.tag()) {
        return Err(Misuse(SEAWALL_E_PERMIT));
    }
    // SAFETY: as above.
    unsafe { (*permit).opaque = [0; 4] };
    Ok(LimitPermit::from_words(words))
}

/// A change of a limit by a whole call or more, told once, to the call that made it. All zeros where there was none: look
/// at `reason` first.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_limit_change_t {
    /// The limit before.
    pub from: u32,
    /// The limit after.
    pub to: u32,
    /// Why, a `SEAWALL_LIMIT_REASON_…`; 0 where nothing changed.
    pub reason: u32,
    /// 0.
    pub reserved: u32,
}

impl seawall_limit_change_t {
    pub(crate) fn of(change: Option<LimitChange>) -> Self {
        change.map_or(Self { from: 0, to: 0, reason: 0, reserved: 0 }, |change| Self {
            from: change.from,
            to: change.to,
            reason: change.reason as u32,
            reserved: 0,
        })
    }
}

/// Writes a change, if it is wanted.
///
/// # Safety
/// `out` passed [`check_wanted`] and, if it is not NULL, points to a change that may be written.
unsafe fn tell_change(out: *mut seawall_limit_change_t, change: Option<LimitChange>) {
    if !out.is_null() {
        // SAFETY: the caller's word.
        unsafe { out.write(seawall_limit_change_t::of(change)) };
    }
}

/// What the view takes with as many slots as `config` says.
fn size_of_view(config: &seawall_concurrency_limit_config_t) -> Option<usize> {
    ConcurrencyLimitView::size_for(config.slots as usize)
}

/// Fills a configuration with the defaults, which are those of `SEAWALL_CONCURRENCY_LIMIT_CONFIG_INIT`.
/// `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_config_default(
    config: *mut seawall_concurrency_limit_config_t,
) -> seawall_status_t {
    let value = seawall_concurrency_limit_config_t::from_config(LimitConfig::DEFAULT, LimitConfig::DEFAULT.ceiling);
    // SAFETY: the caller's word.
    unsafe { write(config, value) }.status()
}

/// How many bytes a workspace must have for a limit of `config->slots`, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_required_size(
    config: *const seawall_concurrency_limit_config_t,
    size: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    // SAFETY: as above.
    unsafe { workspace::required_size(size_of_view(&config), size) }
}

/// Makes a limit at `config->start`, with nothing in flight, in a workspace of `size` bytes, and gives its handle.
///
/// Threads: exclusive; hand the handle to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where the slots are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATIO`, or a
/// `SEAWALL_E_LIMIT_…` that names the field. What was in the workspace may be gone then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_init(
    workspace: *mut c_void,
    size: usize,
    config: *const seawall_concurrency_limit_config_t,
    limit: *mut *mut seawall_concurrency_limit_t,
) -> seawall_status_t {
    check!(check_place(limit));
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    let (needed, slots, rules) = (size_of_view(&config), config.slots as usize, check!(config.to_config()));
    // SAFETY: as above; the size is that of so many slots.
    let made = unsafe { make::<ConcurrencyLimitView, _>(workspace, size, needed, slots, |view| view.renew(rules)) };
    // SAFETY: checked, and the caller's word.
    unsafe { give(limit, check!(made)) }
}

/// The handle of a limit that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_attach(
    workspace: *mut c_void,
    size: usize,
    limit: *mut *mut seawall_concurrency_limit_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { attach::<ConcurrencyLimitView>(workspace, size, ConcurrencyLimitView::size_for, limit) }
}

/// Ends a limit: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_fini(limit: *mut seawall_concurrency_limit_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { workspace::end::<ConcurrencyLimitView>(limit) }.status()
}

/// The slots that are free under the limit.
fn free(limit: &ConcurrencyLimitView, now_ns: u64) -> u32 {
    limit.limit().saturating_sub(limit.in_flight(instant(now_ns)))
}

/// Asks to send one call. Admitted, `*permit` is for `seawall_concurrency_limit_finish` or `_cancel`; refused, it is
/// zeroed. `decision` may be NULL; its `remaining` is what is free under the limit then.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one exchange to admit, loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET` where as many as the limit allows are in flight: nobody knows for how long;
/// `SEAWALL_CLOCK_STEPPED` where all of them end so far ahead that the clock must have been set back; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_try_attempt(
    limit: *mut seawall_concurrency_limit_t,
    now_ns: u64,
    permit: *mut seawall_limit_permit_t,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    check!(check_place(permit));
    check!(check_wanted(decision));
    let answer = limit.try_attempt(instant(now_ns)).map(|given| {
        let [first, second, third] = given.to_words();
        [u64::from(Kind::LimitPermit.tag()), first, second, third]
    });
    let opaque = answer.unwrap_or([0; 4]);
    // SAFETY: checked, and the caller's word.
    unsafe { permit.write(seawall_limit_permit_t { opaque }) };
    // SAFETY: checked, and the caller's word.
    unsafe { decide(answer.map(|_| ()), decision, || free(limit, now_ns)) }
}

/// Whether `seawall_concurrency_limit_try_attempt` would admit. Takes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the last slot in between.
/// Returns: as `seawall_concurrency_limit_try_attempt`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_peek(
    limit: *mut seawall_concurrency_limit_t,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    check!(check_wanted(decision));
    // SAFETY: checked, and the caller's word.
    unsafe { decide(limit.peek(instant(now_ns)), decision, || free(limit, now_ns)) }
}

/// Reports how a call ended, a `SEAWALL_OUTCOME_…`, gives its slot back and zeroes the permit. The latency is `now_ns` less
/// the instant of its admission. `change` may be NULL; it says what this report made of the limit.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where the slot has gone to another after the lease, or a copy of the permit was
/// reported before: nothing is counted; `SEAWALL_E_VALUE` for another outcome, and the permit is as it was;
/// `SEAWALL_E_PERMIT` where it is none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_finish(
    limit: *mut seawall_concurrency_limit_t,
    permit: *mut seawall_limit_permit_t,
    outcome: u32,
    now_ns: u64,
    change: *mut seawall_limit_change_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    check!(check_wanted(change));
    // A pause is no matter of the limit's.
    let outcome = check!(outcome_of(outcome, crate::values::SEAWALL_UNKNOWN));
    // SAFETY: the caller's word.
    let permit = check!(unsafe { taken(permit) });
    let reported = limit.report(&permit, outcome, instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { tell_change(change, reported.flatten()) };
    if reported.is_some() { SEAWALL_OK } else { SEAWALL_VOID }
}

/// Gives a permit back whose call was not sent, or says nothing of the service, and zeroes it.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` and `SEAWALL_E_PERMIT` as `seawall_concurrency_limit_finish`; or an object
/// mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_cancel(
    limit: *mut seawall_concurrency_limit_t,
    permit: *mut seawall_limit_permit_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    // SAFETY: as above.
    let permit = check!(unsafe { taken(permit) });
    done_or_void(limit.cancel(permit, instant(now_ns)))
}

/// From which latency on a reply is slow, by what is known now: `*slow_after_ns`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_slow_after(
    limit: *mut seawall_concurrency_limit_t,
    slow_after_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    // SAFETY: as above.
    unsafe { tell(slow_after_ns, || nanos(limit.slow_after())) }
}

/// How many calls may be in flight: `*calls`.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_limit(
    limit: *mut seawall_concurrency_limit_t,
    calls: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    // SAFETY: as above.
    unsafe { tell(calls, || limit.limit()) }
}

/// How many calls are in flight: `*calls`. Those whose lease has lapsed are not counted.
///
/// Threads: any, at the same time; signal handlers too. Loads only; advisory while others call.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_in_flight(
    limit: *mut seawall_concurrency_limit_t,
    now_ns: u64,
    calls: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    // SAFETY: as above.
    unsafe { tell(calls, || limit.in_flight(instant(now_ns))) }
}

/// How many slots it has: `*slots`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_slots(
    limit: *mut seawall_concurrency_limit_t,
    slots: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    // SAFETY: as above; at most 65,535.
    unsafe { tell(slots, || limit.slots() as u32) }
}

/// Sets the limit to `calls`, within floor and ceiling; it adapts on from there. What is in flight stays so. `change` may
/// be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_set_limit(
    limit: *mut seawall_concurrency_limit_t,
    calls: u32,
    change: *mut seawall_limit_change_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    check!(check_wanted(change));
    // SAFETY: checked, and the caller's word.
    unsafe { tell_change(change, limit.set_limit(calls)) };
    SEAWALL_OK
}

/// Changes the configuration while others call; the limit is brought within the new bounds, else it stays. `slots` has to
/// be what the limit was made with, `start` is only checked. `change` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free. Of two changes at once each field comes from one or the
/// other.
/// Returns: as `seawall_concurrency_limit_init`, but `SEAWALL_E_WORKSPACE`; or an object mistake. On all but `SEAWALL_OK`
/// nothing has changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_set_config(
    limit: *mut seawall_concurrency_limit_t,
    config: *const seawall_concurrency_limit_config_t,
    change: *mut seawall_limit_change_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    check!(check_wanted(change));
    // SAFETY: as above.
    let config = check!(unsafe { read(config) });
    if config.slots as usize != limit.slots() {
        return SEAWALL_E_SIZE;
    }
    let changed = check!(limit.set_config(check!(config.to_config())));
    // SAFETY: checked, and the caller's word.
    unsafe { tell_change(change, changed) };
    SEAWALL_OK
}

/// Frees every slot and voids every permit: for a clock that has stepped back, or calls that were all lost. The limit
/// stays, and so does what latency is usual.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step: a call admitted meanwhile may be voided.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_reset(limit: *mut seawall_concurrency_limit_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    limit.reset();
    SEAWALL_OK
}

/// Goes over to another clock: leases that ended so long after `old_now_ns` now end as long after `new_now_ns`. What is in
/// flight stays counted until its lease lapses, and its permits are void.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_concurrency_limit_rebase(
    limit: *mut seawall_concurrency_limit_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let limit = check!(unsafe { view::<ConcurrencyLimitView>(limit) });
    limit.rebase(instant(old_now_ns), instant(new_now_ns));
    SEAWALL_OK
}
