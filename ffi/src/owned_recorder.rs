//! `seawall_owned_recorder_t`: the only writer of a recorder, without a read-modify-write.

use core::mem::ManuallyDrop;

use seawall::{CallRecord, OwnedRecorderView, RecorderView};

use crate::call::{seawall_admission_t, seawall_finished_t};
use crate::call_record::{Answer, finished_at, seawall_call_record_t, transition_of};
use crate::decision::seawall_decision_t;
use crate::object::{Kind, check_place, tell};
use crate::recorder::seawall_recorder_t;
use crate::status::{
    Misuse, SEAWALL_E_PERMIT, SEAWALL_NOTHING_DONE, SEAWALL_OK, SEAWALL_TAKEN, SEAWALL_VOID, Status, check,
    seawall_status_t,
};
use crate::values::{SEAWALL_UNKNOWN, instant, outcome_of, seawall_transition_t};
use crate::workspace::view;

/// The owner of a recorder. A value of the caller's, for one thread at a time; lost, the recorder stays owned: what it
/// counted can be read, and nobody counts on. It may be moved; a copy that is used beside it by another thread loses
/// counts.
#[repr(C)]
pub struct seawall_owned_recorder_t {
    /// The library's own. `seawall_owned_recorder_release` zeroes it.
    pub opaque: [u64; 4],
}

/// The owner that stands in `place`, if it is still one. It is not ended by being dropped, as it goes on there.
///
/// # Safety
/// `place` is NULL or points to an owner that nobody else uses.
unsafe fn owner_of(
    recorder: &RecorderView,
    place: *mut seawall_owned_recorder_t,
) -> Result<Option<ManuallyDrop<OwnedRecorderView<'_>>>, Misuse> {
    check_place(place)?;
    // SAFETY: checked, and the caller's word.
    let [tag, number, zero, other_zero] = unsafe { (*place).opaque };
    if tag != u64::from(Kind::OwnedRecorder.tag()) || zero | other_zero != 0 {
        return Err(Misuse(SEAWALL_E_PERMIT));
    }
    Ok(recorder.owner_again(number).map(ManuallyDrop::new))
}

/// Makes the caller the only writer of a recorder, until it is released: `*owner`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. The next owner sees all that the one before counted.
/// Returns: `SEAWALL_OK`; `SEAWALL_TAKEN` while there is one; `SEAWALL_E_WRITER` where anybody writes it; or an object
/// mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_recorder_own(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    check!(check_place(owner));
    match recorder.own() {
        Err(wrong) => wrong.status(),
        Ok(None) => SEAWALL_TAKEN,
        Ok(Some(owned)) => {
            let opaque = [u64::from(Kind::OwnedRecorder.tag()), owned.into_number(), 0, 0];
            // SAFETY: checked, and the caller's word.
            unsafe { tell(owner, || seawall_owned_recorder_t { opaque }) }
        }
    }
}

/// Gives a recorder back, for the next owner. Zeroes `*owner`.
///
/// Threads: the owner's one. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was released before, by a copy; `SEAWALL_E_PERMIT` where it is none;
/// or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_recorder_release(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let found = check!(unsafe { owner_of(recorder, owner) });
    // SAFETY: `owner_of` has checked the pointer.
    unsafe { (*owner).opaque = [0; 4] };
    match found {
        Some(found) => {
            drop(ManuallyDrop::into_inner(found));
            SEAWALL_OK
        }
        None => SEAWALL_VOID,
    }
}

/// As `seawall_recorder_begun`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where the owner was released before, by a copy; `SEAWALL_E_PERMIT` where it is
/// none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_recorder_begun(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
    now_ns: u64,
    record: *mut seawall_call_record_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let Some(mut owner) = check!(unsafe { owner_of(recorder, owner) }) else { return SEAWALL_VOID };
    check!(check_place(record));
    let call = owner.begun(instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { tell(record, || seawall_call_record_t::of(call)) }
}

/// As `seawall_recorder_attempted`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; `SEAWALL_E_VALUE` where `status` is none that an attempt is answered with; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_recorder_attempted(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
    record: *mut seawall_call_record_t,
    status: seawall_status_t,
    decision: *const seawall_decision_t,
    admission: *const seawall_admission_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let Some(mut owner) = check!(unsafe { owner_of(recorder, owner) }) else { return SEAWALL_VOID };
    let event = |call: &mut CallRecord| {
        // SAFETY: as above.
        match unsafe { Answer::of(status, decision, admission) }? {
            Answer::Admitted(shadow, transition) => {
                owner.admitted(call, shadow, transition, instant(now_ns));
            }
            Answer::Refused(refused) => {
                owner.attempted(call, &Err(refused), instant(now_ns));
            }
        }
        Ok(())
    };
    // SAFETY: as above.
    unsafe { seawall_call_record_t::told(record, event) }
}

/// As `seawall_recorder_cancelled`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_recorder_cancelled(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
    record: *mut seawall_call_record_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let Some(mut owner) = check!(unsafe { owner_of(recorder, owner) }) else { return SEAWALL_VOID };
    let event = |call: &mut CallRecord| {
        owner.cancelled(call, instant(now_ns));
        Ok(())
    };
    // SAFETY: as above.
    unsafe { seawall_call_record_t::told(record, event) }
}

/// As `seawall_recorder_finished`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; `SEAWALL_E_VALUE` where the outcome or a number in `*finished` is none of those that are allowed;
/// or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_recorder_finished(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
    record: *mut seawall_call_record_t,
    outcome: u32,
    finished: *const seawall_finished_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let Some(mut owner) = check!(unsafe { owner_of(recorder, owner) }) else { return SEAWALL_VOID };
    let event = |call: &mut CallRecord| {
        let outcome = outcome_of(outcome, SEAWALL_UNKNOWN)?;
        // SAFETY: as above.
        let finished = unsafe { finished_at(finished) }?;
        owner.finished(call, outcome, &finished, instant(now_ns));
        Ok(())
    };
    // SAFETY: as above.
    unsafe { seawall_call_record_t::told(record, event) }
}

/// As `seawall_recorder_abandoned`, by the owner.
///
/// Threads: the owner's one; anybody may read meanwhile. Wait-free: loads and stores.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where record or owner is none; `SEAWALL_VOID` where the owner was released
/// before, by a copy; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_recorder_abandoned(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
    record: *mut seawall_call_record_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let Some(mut owner) = check!(unsafe { owner_of(recorder, owner) }) else { return SEAWALL_VOID };
    // SAFETY: as above.
    let call = check!(unsafe { seawall_call_record_t::at(record) });
    owner.abandoned(call, instant(now_ns));
    // SAFETY: `at` has checked the pointer.
    unsafe { tell(record, || seawall_call_record_t { opaque: [0; 4] }) }
}

/// As `seawall_recorder_changed`, by the owner.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, but only an owner that still is one may say it.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where nothing changed (`transition->to` is 0); `SEAWALL_E_VALUE` where
/// a number in it is none of those that are allowed; `SEAWALL_VOID` where the owner was released before, by a copy;
/// `SEAWALL_E_PERMIT` where it is none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_recorder_changed(
    recorder: *mut seawall_recorder_t,
    owner: *mut seawall_owned_recorder_t,
    transition: *const seawall_transition_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let recorder = check!(unsafe { view::<RecorderView>(recorder) });
    // SAFETY: as above.
    let Some(mut owner) = check!(unsafe { owner_of(recorder, owner) }) else { return SEAWALL_VOID };
    check!(check_place(transition));
    // SAFETY: checked, and the caller's word.
    let Some(transition) = check!(transition_of(unsafe { transition.read() })) else { return SEAWALL_NOTHING_DONE };
    owner.changed(transition, instant(now_ns));
    SEAWALL_OK
}
