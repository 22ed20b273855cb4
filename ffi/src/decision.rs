//! `seawall_decision_t`: what an admission or a refusal says beside its status.

use seawall::{Reason, Refused};

use crate::status::{SEAWALL_OK, Status, seawall_status_t};
use crate::values::nanos_or_unknown;

/// The deadline of the call.
pub const SEAWALL_STAGE_DEADLINE: u32 = 1;
/// The pause that a server asked for.
pub const SEAWALL_STAGE_PAUSE: u32 = 2;
/// The circuit breaker.
pub const SEAWALL_STAGE_CIRCUIT_BREAKER: u32 = 3;
/// The limit of calls in flight.
pub const SEAWALL_STAGE_CONCURRENCY_LIMIT: u32 = 4;
/// The token bucket.
pub const SEAWALL_STAGE_TOKEN_BUCKET: u32 = 5;
/// The retry budget.
pub const SEAWALL_STAGE_RETRY_BUDGET: u32 = 6;
/// The bucket of the key.
pub const SEAWALL_STAGE_KEYED_BUCKET: u32 = 7;

/// What an admission or a refusal says beside its status.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_decision_t {
    /// Refused with `SEAWALL_NOT_YET` or `SEAWALL_NO_PLACE`: after how long it is worth asking again. `SEAWALL_UNKNOWN`
    /// where nobody knows: ask when a call of yours has ended, or after a while of your choice. Else 0.
    pub retry_after_ns: u64,
    /// How much is left after this answer: tokens of a bucket, free slots of a limit, else 0. Others may take it at once.
    pub remaining: u32,
    /// Who refused, a `SEAWALL_STAGE_…`; 0 where nobody did.
    pub stage: u32,
}

/// How long a refusal asks to wait; 0 where no wait helps.
pub(crate) fn wait_of(refused: Refused) -> u64 {
    match refused.reason() {
        Reason::Never | Reason::ClockStepped => 0,
        _ => nanos_or_unknown(refused.retry_after()),
    }
}

impl seawall_decision_t {
    fn of(answer: Result<(), Refused>, remaining: u32) -> Self {
        match answer {
            Ok(()) => Self { retry_after_ns: 0, remaining, stage: 0 },
            Err(refused) => Self { retry_after_ns: wait_of(refused), remaining, stage: refused.stage() as u32 },
        }
    }
}

impl Status for Refused {
    fn status(self) -> seawall_status_t {
        self.reason().status()
    }
}

/// The status of an answer; what it says beside that goes to `out`, if that is wanted. `remaining` is asked only then.
///
/// # Safety
/// `out` passed [`check_wanted`](crate::object::check_wanted) and, if it is not NULL, points to a decision that may be written.
#[inline(always)]
pub(crate) unsafe fn decide(
    answer: Result<(), Refused>,
    out: *mut seawall_decision_t,
    remaining: impl FnOnce() -> u32,
) -> seawall_status_t {
    if !out.is_null() {
        // SAFETY: the caller's word.
        unsafe { out.write(seawall_decision_t::of(answer, remaining())) };
    }
    match answer {
        Ok(()) => SEAWALL_OK,
        Err(refused) => refused.status(),
    }
}
