//! `seawall_call_record_t`: one logical call, as its recorder knows it; and what a recorder is told of it.

use seawall::{CallRecord, Cause, Finished, GiveUpReason, Refused, Stage, State, Transition, Verdict};

use crate::call::{
    SEAWALL_VERDICT_DONE, SEAWALL_VERDICT_GIVE_UP, SEAWALL_VERDICT_RETRY_AT, seawall_admission_t, seawall_finished_t,
};
use crate::decision::seawall_decision_t;
use crate::guard_config::stage_of;
use crate::object::{Kind, check_place, check_wanted, tell};
use crate::status::{
    Misuse, SEAWALL_CLOCK_STEPPED, SEAWALL_E_NULL, SEAWALL_E_PERMIT, SEAWALL_E_VALUE, SEAWALL_NEVER, SEAWALL_NO_PLACE,
    SEAWALL_NOT_YET, SEAWALL_OK, check, seawall_status_t,
};
use crate::values::{
    SEAWALL_STATE_CLOSED, SEAWALL_STATE_HALF_OPEN, SEAWALL_STATE_OPEN, instant, known, one_of, seawall_transition_t,
};

/// One logical call, as its recorder knows it: from `seawall_recorder_begun` to its end. A value of the caller's with
/// one user at a time, which may go from worker to worker. It is no copy of the guard's call. Lost, the call has begun
/// and not ended; a copy that is told of an end again counts it again.
#[repr(C)]
pub struct seawall_call_record_t {
    /// The library's own. `seawall_recorder_abandoned` zeroes it.
    pub opaque: [u64; 4],
}

impl seawall_call_record_t {
    pub(crate) fn of(record: CallRecord) -> Self {
        let [head, began, sent] = record.into_words();
        Self { opaque: [u64::from(Kind::CallRecord.tag()), head, began, sent] }
    }

    /// The record that stands there.
    ///
    /// # Safety
    /// `record` is NULL or points to a record that nobody writes to meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn at(record: *const Self) -> Result<CallRecord, Misuse> {
        check_place(record)?;
        // SAFETY: checked, and the caller's word.
        let [tag, words @ ..] = unsafe { (*record).opaque };
        if tag != u64::from(Kind::CallRecord.tag()) {
            return Err(Misuse(SEAWALL_E_PERMIT));
        }
        CallRecord::from_words(words).ok_or(Misuse(SEAWALL_E_PERMIT))
    }

    /// Has a recorder told of an event of the call, and writes back what the record is then; as it was, where the recorder was
    /// not told.
    ///
    /// # Safety
    /// `record` is NULL or points to a record that nobody else uses.
    #[inline(always)]
    pub(crate) unsafe fn told(
        record: *mut Self,
        event: impl FnOnce(&mut CallRecord) -> Result<(), Misuse>,
    ) -> seawall_status_t {
        // SAFETY: the caller's word.
        let mut call = check!(unsafe { Self::at(record) });
        check!(event(&mut call));
        // SAFETY: `at` has checked the pointer.
        unsafe { tell(record, || Self::of(call)) }
    }
}

/// What an attempt was answered with.
pub(crate) enum Answer {
    /// With the stage in shadow that would have refused, and the breaker's transition.
    Admitted(Option<Stage>, Option<Transition>),
    Refused(Refused),
}

impl Answer {
    /// # Safety
    /// Each pointer is NULL or points to such a struct.
    pub(crate) unsafe fn of(
        status: seawall_status_t,
        decision: *const seawall_decision_t,
        admission: *const seawall_admission_t,
    ) -> Result<Self, Misuse> {
        check_wanted(decision)?;
        check_wanted(admission)?;
        if status == SEAWALL_OK {
            if admission.is_null() {
                return Ok(Self::Admitted(None, None));
            }
            // SAFETY: checked, and the caller's word.
            let admission = unsafe { admission.read() };
            let shadow = match admission.shadow.stage {
                0 => None,
                stage => Some(stage_of(stage)?),
            };
            return Ok(Self::Admitted(shadow, transition_of(admission.transition)?));
        }
        if decision.is_null() {
            return Err(Misuse(SEAWALL_E_NULL));
        }
        // SAFETY: checked, and the caller's word.
        let seawall_decision_t { retry_after_ns, stage, .. } = unsafe { decision.read() };
        refusal_of(status, retry_after_ns, stage).map(Self::Refused)
    }
}

/// A refusal by its status, and by what the decision says beside it.
pub(crate) fn refusal_of(status: seawall_status_t, retry_after_ns: u64, stage: u32) -> Result<Refused, Misuse> {
    let stage = stage_of(stage)?;
    match status {
        SEAWALL_NOT_YET => Ok(Refused::not_yet(stage, known(retry_after_ns))),
        SEAWALL_NEVER => Ok(Refused::never(stage)),
        SEAWALL_CLOCK_STEPPED => Ok(Refused::clock_stepped(stage)),
        SEAWALL_NO_PLACE => Ok(Refused::no_place(stage, known(retry_after_ns))),
        _ => Err(Misuse(SEAWALL_E_VALUE)),
    }
}

/// What `seawall_guard_finish` wrote, as far as a recorder looks at it.
///
/// # Safety
/// `finished` is NULL or points to such a struct.
pub(crate) unsafe fn finished_at(finished: *const seawall_finished_t) -> Result<Finished, Misuse> {
    check_place(finished)?;
    // SAFETY: checked, and the caller's word.
    let seawall_finished_t { verdict, give_up, retry_at_ns, transition, .. } = unsafe { finished.read() };
    let verdict = match verdict {
        SEAWALL_VERDICT_DONE => Verdict::Done,
        SEAWALL_VERDICT_RETRY_AT => Verdict::RetryAt(instant(retry_at_ns)),
        SEAWALL_VERDICT_GIVE_UP => Verdict::GiveUp(one_of(&GiveUpReason::ALL, give_up, |reason| reason as u32)?),
        _ => return Err(Misuse(SEAWALL_E_VALUE)),
    };
    let transition = transition_of(transition)?;
    Ok(Finished { verdict, transition, limit_change: None, shadow_refusal: None, shadow_give_up: None })
}

/// The transition of the core; `None` where nothing changed.
pub(crate) fn transition_of(transition: seawall_transition_t) -> Result<Option<Transition>, Misuse> {
    if transition.to == 0 {
        return Ok(None);
    }
    Ok(Some(Transition {
        from: state_of(transition.from)?,
        to: state_of(transition.to)?,
        generation: transition.generation,
        cause: one_of(&Cause::ALL, transition.cause, |cause| cause as u32)?,
        shard: transition.shard,
    }))
}

fn state_of(state: u32) -> Result<State, Misuse> {
    match state {
        SEAWALL_STATE_CLOSED => Ok(State::Closed),
        SEAWALL_STATE_OPEN => Ok(State::Open),
        SEAWALL_STATE_HALF_OPEN => Ok(State::HalfOpen),
        _ => Err(Misuse(SEAWALL_E_VALUE)),
    }
}
