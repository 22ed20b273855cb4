//! `seawall_call_t` and `seawall_permit_t`: one logical call through all its attempts; and what a guard answers.
//!
//! Both are words of the caller's, with the number of the guard that they are of: so that none is taken for that of another
//! guard, which the words of the core could not tell.

use seawall::{Admission, Call, Finished, GiveUpReason, Permit, Refused, Request, Verdict};

use crate::concurrency_limit::seawall_limit_change_t;
use crate::decision::wait_of;
use crate::object::{Kind, check_place, tell, tell_some};
use crate::status::{Misuse, SEAWALL_E_PERMIT, SEAWALL_E_VALUE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{SEAWALL_UNKNOWN, instant, seawall_transition_t};
use crate::versioned::Versioned;

/// What is asked of the service, as far as a guard must know. Begin with `SEAWALL_REQUEST_INIT`: key 0, shard 0, one
/// token, no deadline.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_request_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// Which part of the service it goes to, and so which circuit breaker judges it. Taken modulo the number of shards, so
    /// that any number will do, a hash too.
    pub shard: u32,
    /// Whose call it is: a user, a tenant, a connection. Buckets by key and canary shares go by it. Any number;
    /// `seawall_keyed_buckets_key_of` makes one of a name.
    pub key: u64,
    /// The tokens that each attempt takes; 0 takes none.
    pub cost: u32,
    /// 0.
    pub reserved: u32,
    /// From this instant on the answer is of no use: nothing is sent at it or after it. `SEAWALL_UNKNOWN`: no deadline.
    pub deadline_ns: u64,
}

// SAFETY: `repr(C)`, integers only, no padding: 4 + 4 + 8 + 4 + 4 + 8 bytes.
unsafe impl Versioned for seawall_request_t {
    const FIRST: usize = 32;
}

impl seawall_request_t {
    pub(crate) fn to_request(self) -> Result<Request, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        let deadline = (self.deadline_ns != SEAWALL_UNKNOWN).then_some(instant(self.deadline_ns));
        Ok(Request { key: self.key, shard: self.shard, cost: self.cost, deadline })
    }
}

/// One logical call, from its beginning through all its attempts. A value of the caller's with one user at a time;
/// `seawall_guard_begin` fills it. A copy is the same call as it stood then: go on with one of them and forget the other.
#[repr(C)]
pub struct seawall_call_t {
    /// The library's own.
    pub opaque: [u64; 12],
}

/// Leave to send one attempt. A value of the caller's; lost, what it holds is free again when its leases lapse, and its
/// tokens stay spent. Copies of it are one permit: the first report or cancellation acts, and no other.
#[repr(C)]
pub struct seawall_permit_t {
    /// The library's own. What ends the permit zeroes it.
    pub opaque: [u64; 12],
}

/// What a value of the caller's is made of: tag, the number of the guard, the words of the core, 0.
#[inline(always)]
const fn sealed(kind: Kind, guard: u64, words: [u64; 9]) -> [u64; 12] {
    let [a, b, c, d, e, f, g, h, i] = words;
    [kind.tag() as u64, guard, a, b, c, d, e, f, g, h, i, 0]
}

/// The words of the core, and the number of the guard that they are of.
#[inline(always)]
const fn opened(kind: Kind, opaque: [u64; 12]) -> Option<(u64, [u64; 9])> {
    let [tag, guard, a, b, c, d, e, f, g, h, i, zero] = opaque;
    if tag != kind.tag() as u64 || zero != 0 {
        return None;
    }
    Some((guard, [a, b, c, d, e, f, g, h, i]))
}

impl seawall_call_t {
    #[inline(always)]
    pub(crate) fn of(call: Call, guard: u64) -> Self {
        Self { opaque: sealed(Kind::Call, guard, call.to_words()) }
    }

    /// The call that stands there, and the number of its guard.
    ///
    /// # Safety
    /// `call` is NULL or points to a call that nobody writes to meanwhile.
    #[inline(always)]
    unsafe fn any(call: *const Self) -> Result<(Call, u64), Misuse> {
        check_place(call)?;
        // SAFETY: checked, and the caller's word.
        let found = opened(Kind::Call, unsafe { (*call).opaque });
        let call = found.and_then(|(guard, words)| Call::from_words(words).map(|call| (call, guard)));
        call.ok_or(Misuse(SEAWALL_E_PERMIT))
    }

    /// The call of this guard that stands there.
    ///
    /// # Safety
    /// As [`any`](Self::any).
    #[inline(always)]
    pub(crate) unsafe fn at(call: *const Self, guard: u64) -> Result<Call, Misuse> {
        // SAFETY: the caller's word.
        match unsafe { Self::any(call)? } {
            (call, of) if of == guard => Ok(call),
            _ => Err(Misuse(SEAWALL_E_PERMIT)),
        }
    }
}

impl seawall_permit_t {
    pub(crate) const NONE: Self = Self { opaque: [0; 12] };

    #[inline(always)]
    pub(crate) fn of(permit: Permit, guard: u64) -> Self {
        Self { opaque: sealed(Kind::Permit, guard, permit.to_words()) }
    }

    /// The permit of this guard that stands there, which has to be [zeroed](Self::NONE) when it is used.
    ///
    /// # Safety
    /// `permit` is NULL or points to a permit that nobody writes to meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn at(permit: *const Self, guard: u64) -> Result<Permit, Misuse> {
        check_place(permit)?;
        // SAFETY: checked, and the caller's word.
        match opened(Kind::Permit, unsafe { (*permit).opaque }) {
            Some((of, words)) if of == guard => Permit::from_words(words).ok_or(Misuse(SEAWALL_E_PERMIT)),
            _ => Err(Misuse(SEAWALL_E_PERMIT)),
        }
    }
}

/// How many attempts of a call were sent and have ended.
///
/// Threads: any, for a call that nobody uses meanwhile. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_call_attempts(call: *const seawall_call_t, attempts: *mut u32) -> seawall_status_t {
    // SAFETY: the caller's word.
    let (call, _) = check!(unsafe { seawall_call_t::any(call) });
    // SAFETY: the caller's word.
    unsafe { tell(attempts, || call.attempts()) }
}

/// From when on nothing of a call is sent: its request's deadline, or the end of the retry strategy's total deadline where
/// that is earlier.
///
/// Threads: any, for a call that nobody uses meanwhile. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where it has neither; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_NULL`,
/// `SEAWALL_E_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_call_deadline(call: *const seawall_call_t, deadline_ns: *mut u64) -> seawall_status_t {
    // SAFETY: the caller's word.
    let (call, _) = check!(unsafe { seawall_call_t::any(call) });
    // SAFETY: the caller's word.
    unsafe { tell_some(deadline_ns, call.deadline().map(seawall::Instant::as_nanos)) }
}

/// A refusal that a stage in shadow would have made. All zeros where none would: look at `stage` first.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_refusal_t {
    /// After how long it would have been worth asking again, as in a `seawall_decision_t`.
    pub retry_after_ns: u64,
    /// Who would have refused, a `SEAWALL_STAGE_…`; 0 where nobody would.
    pub stage: u32,
    /// How: `SEAWALL_NOT_YET`, `SEAWALL_NEVER`, `SEAWALL_CLOCK_STEPPED` or `SEAWALL_NO_PLACE`.
    pub status: seawall_status_t,
}

impl seawall_refusal_t {
    pub(crate) fn of(refused: Option<Refused>) -> Self {
        refused.map_or(Self { retry_after_ns: 0, stage: 0, status: SEAWALL_OK }, |refused| Self {
            retry_after_ns: wait_of(refused),
            stage: refused.stage() as u32,
            status: refused.status(),
        })
    }
}

/// What an admission says beside the permit.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_admission_t {
    /// The breaker's transition to half-open, if this attempt made it; else all zeros.
    pub transition: seawall_transition_t,
    /// The first stage in shadow that would have refused; else all zeros.
    pub shadow: seawall_refusal_t,
}

impl seawall_admission_t {
    pub(crate) fn of(admission: Option<&Admission>) -> Self {
        Self {
            transition: seawall_transition_t::of(admission.and_then(|admission| admission.transition)),
            shadow: seawall_refusal_t::of(admission.and_then(|admission| admission.shadow_refusal)),
        }
    }
}

/// The call is over: it succeeded, or was ignored.
pub const SEAWALL_VERDICT_DONE: u32 = 1;
/// Ask again for an attempt, not before `retry_at_ns`. The retry is paid for.
pub const SEAWALL_VERDICT_RETRY_AT: u32 = 2;
/// The call is not sent again, for the reason in `give_up`.
pub const SEAWALL_VERDICT_GIVE_UP: u32 = 3;

/// What the end of an attempt led to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_finished_t {
    /// What becomes of the call, a `SEAWALL_VERDICT_…`.
    pub verdict: u32,
    /// `SEAWALL_VERDICT_GIVE_UP` only: why, a `SEAWALL_GIVE_UP_…`; else 0.
    pub give_up: u32,
    /// `SEAWALL_VERDICT_RETRY_AT` only: from when on; else 0.
    pub retry_at_ns: u64,
    /// The breaker's transition, if this report made it; else all zeros.
    pub transition: seawall_transition_t,
    /// The change of the limit, if this report made one of at least a whole call; else all zeros.
    pub limit_change: seawall_limit_change_t,
    /// The stage in shadow that would have refused the attempt, as its admission said; else all zeros.
    pub shadow: seawall_refusal_t,
    /// Why a stage in shadow would have given the call up, a `SEAWALL_GIVE_UP_…`, where the verdict promises a retry;
    /// else 0.
    pub shadow_give_up: u32,
    /// 0.
    pub reserved: u32,
}

impl seawall_finished_t {
    pub(crate) fn of(finished: &Finished) -> Self {
        let (verdict, give_up, retry_at_ns) = match finished.verdict {
            Verdict::Done => (SEAWALL_VERDICT_DONE, 0, 0),
            Verdict::RetryAt(at) => (SEAWALL_VERDICT_RETRY_AT, 0, at.as_nanos()),
            Verdict::GiveUp(reason) => (SEAWALL_VERDICT_GIVE_UP, reason as u32, 0),
        };
        Self {
            verdict,
            give_up,
            retry_at_ns,
            transition: seawall_transition_t::of(finished.transition),
            limit_change: seawall_limit_change_t::of(finished.limit_change),
            shadow: seawall_refusal_t::of(finished.shadow_refusal),
            shadow_give_up: finished.shadow_give_up.map_or(0, |reason: GiveUpReason| reason as u32),
            reserved: 0,
        }
    }
}
