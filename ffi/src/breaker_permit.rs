//! `seawall_breaker_permit_t`: leave to send one call, of a circuit breaker.

use seawall::BreakerPermit;

use crate::object::{Kind, check_place, tell};
use crate::status::{Misuse, SEAWALL_E_PERMIT, check, seawall_status_t};

/// Leave to send one call. A value of the caller's: forgotten, it holds at most a probe's place, and that until its lease
/// lapses. It is for the breaker that gave it, which does not know it from one of another breaker.
///
/// Of copies of a permit one is to be used. A second result of a probe is ignored, as are all of an earlier generation; a
/// second result of a call that was no probe counts as one more call.
#[repr(C)]
pub struct seawall_breaker_permit_t {
    /// The library's own. `seawall_circuit_breaker_finish` and `seawall_circuit_breaker_cancel` zero it.
    pub opaque: [u64; 4],
}

impl seawall_breaker_permit_t {
    pub(crate) const NONE: Self = Self { opaque: [0; 4] };

    pub(crate) fn of(permit: BreakerPermit) -> Self {
        let [started, place] = permit.to_words();
        Self { opaque: [u64::from(Kind::BreakerPermit.tag()), started, place, 0] }
    }

    /// The permit that stands there, which has to be [zeroed](Self::NONE) when it is used.
    ///
    /// # Safety
    /// `permit` is NULL or points to a permit that nobody writes to meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn at(permit: *const Self) -> Result<BreakerPermit, Misuse> {
        check_place(permit)?;
        // SAFETY: checked, and the caller's word.
        let [tag, started, place, _] = unsafe { (*permit).opaque };
        if tag != u64::from(Kind::BreakerPermit.tag()) {
            return Err(Misuse(SEAWALL_E_PERMIT));
        }
        Ok(BreakerPermit::from_words([started, place]))
    }
}

/// When the call of a permit was admitted.
///
/// Threads: any, for a permit that nobody uses meanwhile. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_breaker_permit_started(
    permit: *const seawall_breaker_permit_t,
    started_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let permit = check!(unsafe { seawall_breaker_permit_t::at(permit) });
    // SAFETY: the caller's word.
    unsafe { tell(started_ns, || permit.started().as_nanos()) }
}

/// Whether the call of a permit is a probe of a half-open breaker: `*is_probe` is 1, or 0.
///
/// Threads: any, for a permit that nobody uses meanwhile. Wait-free.
/// Returns: as `seawall_breaker_permit_started`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_breaker_permit_is_probe(
    permit: *const seawall_breaker_permit_t,
    is_probe: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let permit = check!(unsafe { seawall_breaker_permit_t::at(permit) });
    // SAFETY: the caller's word.
    unsafe { tell(is_probe, || u32::from(permit.is_probe())) }
}

/// The generation that admitted the call of a permit: the `generation` of the transition before it.
///
/// Threads: any, for a permit that nobody uses meanwhile. Wait-free.
/// Returns: as `seawall_breaker_permit_started`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_breaker_permit_generation(
    permit: *const seawall_breaker_permit_t,
    generation: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let permit = check!(unsafe { seawall_breaker_permit_t::at(permit) });
    // SAFETY: the caller's word.
    unsafe { tell(generation, || permit.generation()) }
}
