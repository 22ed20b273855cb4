//! `seawall_snapshot_t`: a guard at one moment, as plain values and in words.

use core::ffi::c_char;

use seawall::{Instant, Recorder, Refused, Snapshot, Stage, WhenFull};

use crate::call::seawall_refusal_t;
use crate::decision::seawall_decision_t;
use crate::guard::{guard, seawall_guard_t};
use crate::guard_config::stage_of;
use crate::keyed_buckets::{SEAWALL_FAIL_CLOSED, SEAWALL_FAIL_OPEN};
use crate::object::{check_pointer, check_wanted, tell_wanted};
use crate::status::{
    Misuse, SEAWALL_CLOCK_STEPPED, SEAWALL_E_NULL, SEAWALL_E_SIZE, SEAWALL_E_VALUE, SEAWALL_NEVER, SEAWALL_NO_PLACE,
    SEAWALL_NOT_YET, SEAWALL_OK, check, seawall_status_t,
};
use crate::values::{instant, known, seawall_rate_t, state_number};
use crate::versioned::{Versioned, write};

/// With so much memory no text of `seawall_guard_explain` is ever cut; most are under 500 bytes.
pub const SEAWALL_LONGEST_EXPLANATION: u32 = 4_097;

const _: () = assert!(Snapshot::LONGEST_EXPLANATION + 1 == SEAWALL_LONGEST_EXPLANATION as usize);

/// A guard at one moment. Begin with `SEAWALL_SNAPSHOT_INIT`. While others call there is no single instant to be seen: the
/// parts are read one after the other.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_snapshot_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// The state of the circuit breaker, a `SEAWALL_STATE_…`; of several, of the first that is open, or else half-open.
    pub breaker: u32,
    /// The shard whose breaker that is.
    pub shard: u32,
    /// How many attempts may be in flight.
    pub limit: u32,
    /// How many are.
    pub in_flight: u32,
    /// The most tokens that the token bucket holds.
    pub burst: u32,
    /// The whole tokens that it holds.
    pub tokens: u32,
    /// What the retry budget holds, in millionths of a token.
    pub budget_millionths: u32,
    /// The rate of the token bucket, or the one that its warm-up climbs to.
    pub rate: seawall_rate_t,
    /// The rate of each key, of a guard that has buckets by key; else zeros.
    pub keyed_rate: seawall_rate_t,
    /// The burst of each key; 0 where there are no buckets by key.
    pub keyed_burst: u32,
    /// What becomes of a key without a place, a `SEAWALL_FAIL_…`; 0 where there are no buckets by key.
    pub keyed_when_full: u32,
    /// How many attempts passed without a limit of their key, as there was no place for it. Since the start.
    pub keyed_let_through: u64,
    /// When it was made.
    pub now_ns: u64,
    /// What the pause says to an attempt of one token; zeros where it would pass, or where the stage is in shadow or off.
    pub pause_refusal: seawall_refusal_t,
    /// What the circuit breaker of `shard` says.
    pub breaker_refusal: seawall_refusal_t,
    /// What the limit of the calls in flight says.
    pub limit_refusal: seawall_refusal_t,
    /// What the token bucket says.
    pub bucket_refusal: seawall_refusal_t,
}

// SAFETY: `repr(C)`, integers only, no padding: 8 x 4 + 2 x 16 + 2 x 4 + 2 x 8 + 4 x 16 bytes.
unsafe impl Versioned for seawall_snapshot_t {
    const FIRST: usize = 152;
}

impl seawall_snapshot_t {
    fn of(snapshot: &Snapshot) -> Self {
        let refusal = |stage| seawall_refusal_t::of(snapshot.refusal(stage));
        Self {
            struct_size: size_of::<Self>() as u32,
            breaker: state_number(snapshot.breaker),
            shard: snapshot.shard,
            limit: snapshot.limit,
            in_flight: snapshot.in_flight,
            burst: snapshot.burst,
            tokens: snapshot.tokens,
            budget_millionths: snapshot.budget.as_millionths(),
            rate: seawall_rate_t::from_rate(snapshot.rate),
            keyed_rate: snapshot
                .keyed
                .map_or(seawall_rate_t { count: 0, period_ns: 0 }, |keyed| seawall_rate_t::from_rate(keyed.rate)),
            keyed_burst: snapshot.keyed.map_or(0, |keyed| keyed.burst),
            keyed_when_full: snapshot.keyed.map_or(0, |keyed| match keyed.when_full {
                WhenFull::FailOpen => SEAWALL_FAIL_OPEN,
                WhenFull::FailClosed => SEAWALL_FAIL_CLOSED,
            }),
            keyed_let_through: snapshot.keyed_let_through,
            now_ns: snapshot.now.as_nanos(),
            pause_refusal: refusal(Stage::Pause),
            breaker_refusal: refusal(Stage::CircuitBreaker),
            limit_refusal: refusal(Stage::ConcurrencyLimit),
            bucket_refusal: refusal(Stage::TokenBucket),
        }
    }
}

/// Without a recorder: what is, and nothing of what was.
///
/// # Safety
/// As [`guard`].
unsafe fn taken(handle: *mut seawall_guard_t, now: Instant) -> Result<Snapshot, Misuse> {
    // SAFETY: the caller's word.
    let guard = unsafe { guard(handle)? };
    Ok(guard.core.snapshot(core::iter::empty::<&Recorder<2, 32>>(), now))
}

/// A guard at `now_ns`: `*snapshot`, whose `struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Loads only; one for each slot and shard.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_snapshot(
    guard: *mut seawall_guard_t,
    now_ns: u64,
    snapshot: *mut seawall_snapshot_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let seen = check!(unsafe { taken(guard, instant(now_ns)) });
    // SAFETY: the caller's word.
    check!(unsafe { write(snapshot, seawall_snapshot_t::of(&seen)) });
    SEAWALL_OK
}

/// A caller's memory for a text that ends with a zero.
///
/// # Safety
/// `text` is NULL or points to `size` bytes that nobody else uses through `'a`.
unsafe fn room<'a>(text: *mut c_char, size: usize) -> Result<&'a mut [u8], Misuse> {
    if text.is_null() {
        return Err(Misuse(SEAWALL_E_NULL));
    }
    if size == 0 || size > isize::MAX as usize {
        return Err(Misuse(SEAWALL_E_SIZE));
    }
    // No text is longer, and what may be uninitialised becomes bytes.
    let size = size.min(SEAWALL_LONGEST_EXPLANATION as usize);
    // SAFETY: not NULL, of that size, and the caller's word.
    unsafe {
        text.write_bytes(0, size);
        Ok(core::slice::from_raw_parts_mut(text.cast(), size - 1))
    }
}

/// In words: what refuses now, why, what would make an attempt pass and when. `*text` gets at most `size` bytes, whole
/// sentences and the zero that ends it: what does not fit is left out from the first sentence on that does not.
/// `*length` are its bytes without the zero; `length` may be NULL. With `SEAWALL_LONGEST_EXPLANATION` nothing is ever left
/// out.
///
/// Threads: any, at the same time, each with memory of its own; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE` where `size` is 0; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_explain(
    guard: *mut seawall_guard_t,
    now_ns: u64,
    text: *mut c_char,
    size: usize,
    length: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let seen = check!(unsafe { taken(guard, instant(now_ns)) });
    check!(check_wanted(length));
    // SAFETY: the caller's word.
    let room = check!(unsafe { room(text, size) });
    let said = seen.explain_into(room).len();
    // SAFETY: checked, and the caller's word.
    unsafe { tell_wanted(length, said) };
    SEAWALL_OK
}

/// A refusal in words, as `seawall_guard_try_attempt` made it at `now_ns`: its status and its decision. The text is as in
/// `seawall_guard_explain`, and empty if it does not fit; 257 bytes are enough for every one.
///
/// Threads: any, at the same time, each with memory of its own; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where status and decision are of no refusal; `SEAWALL_E_SIZE` where `size` is 0; or
/// an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_explain_refusal(
    guard: *mut seawall_guard_t,
    status: seawall_status_t,
    decision: *const seawall_decision_t,
    now_ns: u64,
    text: *mut c_char,
    size: usize,
    length: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let seen = check!(unsafe { taken(guard, instant(now_ns)) });
    check!(check_pointer(decision));
    check!(check_wanted(length));
    // SAFETY: checked, and the caller's word.
    let seawall_decision_t { retry_after_ns, stage, .. } = unsafe { decision.read() };
    let stage = check!(stage_of(stage));
    let refused = match status {
        SEAWALL_NOT_YET => Refused::not_yet(stage, known(retry_after_ns)),
        SEAWALL_NEVER => Refused::never(stage),
        SEAWALL_CLOCK_STEPPED => Refused::clock_stepped(stage),
        SEAWALL_NO_PLACE => Refused::no_place(stage, known(retry_after_ns)),
        _ => return SEAWALL_E_VALUE,
    };
    // SAFETY: the caller's word.
    let room = check!(unsafe { room(text, size) });
    let said = seen.explain_refusal_into(refused, room).len();
    // SAFETY: checked, and the caller's word.
    unsafe { tell_wanted(length, said) };
    SEAWALL_OK
}
