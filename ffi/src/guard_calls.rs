//! What a guard does: calls, their attempts and reports, its modes, its pause and its clock.

use seawall::{Instant, Refused};

use crate::call::{seawall_admission_t, seawall_call_t, seawall_finished_t, seawall_permit_t, seawall_request_t};
use crate::decision::{decide, seawall_decision_t};
use crate::guard::{guard as guard_of, seawall_guard_t};
use crate::guard_config::{seawall_mode_t, stage_of};
use crate::object::{check_place, check_wanted, tell, tell_some, tell_wanted};
use crate::status::{
    SEAWALL_E_GUARD_STAGE_WITHOUT_MODE, SEAWALL_E_NULL, SEAWALL_OK, SEAWALL_VOID, Status, check, seawall_status_t,
};
use crate::values::{instant, outcome_of, seawall_transition_t};
use crate::versioned::read;

/// A logical call begins: `*call`. Takes nothing: that is the work of `seawall_guard_try_attempt`. Its deadline is the
/// request's, or the end of the retry strategy's total deadline where that is earlier; the modes that hold for it are those
/// of this moment. `request` may be NULL: `SEAWALL_REQUEST_INIT`.
///
/// Threads: any, at the same time, each with a call of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_begin(
    guard: *mut seawall_guard_t,
    request: *const seawall_request_t,
    now_ns: u64,
    call: *mut seawall_call_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    check!(check_place(call));
    let request = if request.is_null() {
        seawall::Request::DEFAULT
    } else {
        // SAFETY: the caller's word.
        check!(check!(unsafe { read(request) }).to_request())
    };
    let begun = guard.core.begin(request, instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { call.write(seawall_call_t::of(begun, guard.number)) };
    SEAWALL_OK
}

/// Asks to send the next attempt of `call`. Admitted, the caller sends it and reports with `seawall_guard_finish`, or gives
/// back with `seawall_guard_cancel` what it did not send; refused, `*permit` is zeroed. `admission` and `decision` may be
/// NULL.
///
/// Threads: any, at the same time, each with a call and a permit of its own; signal handlers too. Lock-free. Refused,
/// nothing that is shared is written, but where another thread took a place meanwhile, or where the bucket refuses the
/// first attempt after a pause or a close.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`, `SEAWALL_NEVER`, `SEAWALL_CLOCK_STEPPED`, `SEAWALL_NO_PLACE` with the
/// stage in `decision->stage`: the deadline has passed or the call is over (`SEAWALL_NEVER`), its backoff is not over
/// (`SEAWALL_STAGE_RETRY_BUDGET`), or as the stage itself refuses; `SEAWALL_E_PERMIT` where `call` is none of this
/// guard; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_try_attempt(
    guard: *mut seawall_guard_t,
    call: *mut seawall_call_t,
    now_ns: u64,
    permit: *mut seawall_permit_t,
    admission: *mut seawall_admission_t,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    // SAFETY: the caller's word.
    let mut taken = check!(unsafe { seawall_call_t::at(call, guard.number) });
    check!(check_place(permit));
    check!(check_wanted(admission));
    check!(check_wanted(decision));
    // To ask changes nothing of a call: it need not be written back.
    let answer = guard.core.try_attempt(&mut taken, instant(now_ns));
    let given = match &answer {
        Ok(admission) => seawall_permit_t::of(admission.permit, guard.number),
        Err(_) => seawall_permit_t::NONE,
    };
    // SAFETY: all three are checked, and the caller's word.
    unsafe {
        permit.write(given);
        if !admission.is_null() {
            admission.write(seawall_admission_t::of(answer.as_ref().ok()));
        }
        decide(answer.map(|_| ()), decision, || 0)
    }
}

/// What `seawall_guard_try_attempt` would answer now, taking nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; another may take the place first.
/// Returns: as `seawall_guard_try_attempt`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_peek(
    guard: *mut seawall_guard_t,
    call: *const seawall_call_t,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    // SAFETY: the caller's word.
    let call = check!(unsafe { seawall_call_t::at(call, guard.number) });
    check!(check_wanted(decision));
    let answer: Result<(), Refused> = guard.core.peek(&call, instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { decide(answer, decision, || 0) }
}

/// Reports how an attempt ended, a `SEAWALL_OUTCOME_…`, and zeroes the permit; `retry_after_ns` counts for one that was
/// throttled only (`SEAWALL_UNKNOWN` where the service did not say). `*finished` is what it led to; its verdict says
/// whether and when to ask again, and a retry is paid for by then.
///
/// An attempt is reported or given back once. A copy of a permit that was used changes nothing, and gets the verdict of
/// the first report; through a copy of the call that does not know of that, or with a slot that went to another after
/// its lease, a failure is given up with `SEAWALL_GIVE_UP_PERMIT_VOID`.
///
/// Threads: any, at the same time, each with a call and a permit of its own; signal handlers too. Lock-free. Transition and
/// change are told if and only if this report made them.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where `call` or `permit` is none of this guard; `SEAWALL_E_VALUE` where
/// the outcome is none, and the permit stays; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_finish(
    guard: *mut seawall_guard_t,
    call: *mut seawall_call_t,
    permit: *mut seawall_permit_t,
    outcome: u32,
    retry_after_ns: u64,
    now_ns: u64,
    finished: *mut seawall_finished_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    let outcome = check!(outcome_of(outcome, retry_after_ns));
    check!(check_place(finished));
    // SAFETY: the caller's word.
    let mut ended = check!(unsafe { seawall_call_t::at(call, guard.number) });
    // SAFETY: the caller's word.
    let given = check!(unsafe { seawall_permit_t::at(permit, guard.number) });
    // SAFETY: checked, and the caller's word.
    unsafe { permit.write(seawall_permit_t::NONE) };
    let told = guard.core.finish(&mut ended, given, outcome, instant(now_ns));
    // SAFETY: all are checked, and the caller's word.
    unsafe {
        call.write(seawall_call_t::of(ended, guard.number));
        finished.write(seawall_finished_t::of(&told));
    }
    SEAWALL_OK
}

/// Gives an admitted attempt back that was never sent, and zeroes the permit: slot and probe are free, the tokens are
/// refunded where that cannot admit too many. The call may ask again; a retry stays paid for.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free. Of copies, reports
/// included, one acts.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was used before, or so late that its slot went to another, and where
/// the attempt had no slot, as the limit is off or in shadow: then the tokens stay spent; `SEAWALL_E_PERMIT` where it
/// is none of this guard; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_cancel(
    guard: *mut seawall_guard_t,
    permit: *mut seawall_permit_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    // SAFETY: the caller's word.
    let given = check!(unsafe { seawall_permit_t::at(permit, guard.number) });
    // SAFETY: checked, and the caller's word.
    unsafe { permit.write(seawall_permit_t::NONE) };
    if guard.core.cancel(given, instant(now_ns)) { SEAWALL_OK } else { SEAWALL_VOID }
}

/// The call is not sent again, whatever its verdict was: a retry that was paid for goes back to the budget. Every later
/// attempt of it is refused. Again, it does nothing.
///
/// Threads: any, at the same time, each with a call of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is no call of this guard; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_abandon(
    guard: *mut seawall_guard_t,
    call: *mut seawall_call_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    // SAFETY: the caller's word.
    let mut ended = check!(unsafe { seawall_call_t::at(call, guard.number) });
    guard.core.abandon(&mut ended, instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { call.write(seawall_call_t::of(ended, guard.number)) };
    SEAWALL_OK
}

/// Until when the server asked to be spared, with the spread, if that is still to come.
///
/// Threads: any, at the same time; signal handlers too. One load.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where there is no pause; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_paused_until(
    guard: *mut seawall_guard_t,
    now_ns: u64,
    until_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    // SAFETY: the caller's word.
    unsafe { tell_some(until_ns, guard.core.paused_until(instant(now_ns)).map(Instant::as_nanos)) }
}

/// The mode of a stage, a `SEAWALL_STAGE_…`. The deadline of a call always holds; the keyed bucket of a guard that has
/// none is off. A canary of all calls is told as enforced, one of none as a shadow.
///
/// Threads: any, at the same time; signal handlers too. One load.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where the stage is none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_mode(
    guard: *mut seawall_guard_t,
    stage: u32,
    mode: *mut seawall_mode_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    let stage = check!(stage_of(stage));
    // SAFETY: the caller's word.
    unsafe { tell(mode, || seawall_mode_t::from_mode(guard.core.mode(stage))) }
}

/// Sets the mode of a stage, for the calls that begin from now on. What the stage holds stays: one that was off goes on
/// from where it stood.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, one store.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_GUARD_STAGE_WITHOUT_MODE`: the deadline, or a stage that is not there;
/// `SEAWALL_E_VALUE`, `SEAWALL_E_RATIO`; or an object mistake. On all but the first nothing has changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_set_mode(
    guard: *mut seawall_guard_t,
    stage: u32,
    mode: seawall_mode_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    let (stage, mode) = (check!(stage_of(stage)), check!(mode.to_mode()));
    match guard.core.set_mode(stage, mode) {
        Ok(()) => SEAWALL_OK,
        Err(_) => SEAWALL_E_GUARD_STAGE_WITHOUT_MODE,
    }
}

/// What the guard draws from here on is of another seed: for a process that was forked, and has a guard of its own, not in
/// shared memory. Its retries would else come at the same instants as its parent's. Who is in a canary stays what it was.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_reseed(guard: *mut seawall_guard_t, seed: u64) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    guard.core.reseed(seed);
    SEAWALL_OK
}

/// Moves all parts to a clock that reads `new_now_ns` where the old one read `old_now_ns`. Calls keep instants of the old
/// clock, and permits that are out are void: each call is to begin anew.
///
/// Threads: one at a time, at the same time as all else; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake. On all but the first
/// nothing has changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_rebase(
    guard: *mut seawall_guard_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    guard.core.rebase(instant(old_now_ns), instant(new_now_ns)).status()
}

/// As if new at `now_ns`; rates, limits and configurations that were set stay, and so does what the limit has learned.
/// Permits that are out are void. The transitions of the breakers that this call closed go to `transitions`, by the
/// numbers of their shards, as many as `room` has; `*told` says how many there were. `transitions` may be NULL where
/// `room` is 0; `told` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake. On all but the first
/// nothing has changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_reset(
    guard: *mut seawall_guard_t,
    now_ns: u64,
    transitions: *mut seawall_transition_t,
    room: usize,
    told: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { guard_of(guard) });
    check!(check_wanted(transitions));
    check!(check_wanted(told));
    if transitions.is_null() && room != 0 {
        return SEAWALL_E_NULL;
    }
    let mut count = 0_u32;
    let result = guard.core.reset(instant(now_ns), |transition| {
        if (count as usize) < room {
            // SAFETY: within the room, and the caller's word.
            unsafe { transitions.add(count as usize).write(seawall_transition_t::of(Some(transition))) };
        }
        // At most 65,535 shards.
        count = count.saturating_add(1);
    });
    check!(result);
    // SAFETY: checked, and the caller's word.
    unsafe { tell_wanted(told, count) };
    SEAWALL_OK
}
