//! `seawall_snapshot_t`: a guard at one moment, as plain values and in words.

use core::ffi::c_char;

use seawall::{Instant, RecorderView, Snapshot, Stage, WhenFull};

use crate::call::seawall_refusal_t;
use crate::call_record::refusal_of;
use crate::counts::seawall_counts_t;
use crate::decision::seawall_decision_t;
use crate::guard::{guard, seawall_guard_t};
use crate::keyed_buckets::{SEAWALL_FAIL_CLOSED, SEAWALL_FAIL_OPEN};
use crate::object::{check_place, check_wanted, tell_wanted};
use crate::recorder::seawall_recorder_t;
use crate::status::{Misuse, SEAWALL_E_NULL, SEAWALL_E_SIZE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{instant, nanos, nanos_or_unknown, seawall_rate_t, state_number};
use crate::versioned::{Versioned, check_write, write};
use crate::window_summary::seawall_window_summary_t;
use crate::workspace::view;

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
    Ok(guard.core.snapshot(core::iter::empty::<&RecorderView>(), now))
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

/// Has `words` written to the caller's text, and tells their length, if that is wanted.
///
/// # Safety
/// As [`room`], and `length` passed [`check_wanted`] and, if it is not NULL, points to a size that may be written.
unsafe fn say(
    text: *mut c_char,
    size: usize,
    length: *mut usize,
    words: impl FnOnce(&mut [u8]) -> usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let said = words(check!(unsafe { room(text, size) }));
    // SAFETY: checked, and the caller's word.
    unsafe { tell_wanted(length, said) };
    SEAWALL_OK
}

/// What recorders counted and measured together, beside a snapshot. Begin with zeros and `struct_size`, and that of
/// each struct in it, as `SEAWALL_RECORDED_INIT` does.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_recorded_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// Why the breaker of the snapshot is in its state, a `SEAWALL_CAUSE_…`; 0 where no recorder was told.
    pub breaker_cause: u32,
    /// For how long it is; `SEAWALL_UNKNOWN` where no recorder was told.
    pub breaker_for_ns: u64,
    /// How much time `recent` stands for.
    pub observed_ns: u64,
    /// Latencies of attempts, and how they ended.
    pub attempts: seawall_window_summary_t,
    /// Times from the beginning of a call to its success.
    pub deliveries: seawall_window_summary_t,
    /// What was counted in the window.
    pub recent: seawall_counts_t,
    /// What was counted since the recorders were made.
    pub total: seawall_counts_t,
}

// SAFETY: `repr(C)`, integers and such structs, no padding: 2 x 4 + 2 x 8 + 2 x 88 + 2 x 648 bytes.
unsafe impl Versioned for seawall_recorded_t {
    const FIRST: usize = 1496;
}

impl seawall_recorded_t {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            breaker_cause: snapshot.breaker_cause.map_or(0, |cause| cause as u32),
            breaker_for_ns: nanos_or_unknown(snapshot.breaker_for),
            observed_ns: nanos(snapshot.observed),
            attempts: seawall_window_summary_t::from_summary(snapshot.attempts),
            deliveries: seawall_window_summary_t::from_summary(snapshot.deliveries),
            recent: seawall_counts_t::of(&snapshot.recent),
            total: seawall_counts_t::of(&snapshot.total),
        }
    }
}

/// With what recorders counted.
///
/// # Safety
/// As [`guard`]; `recorders` is NULL or points to `count` handles.
unsafe fn taken_with(
    handle: *mut seawall_guard_t,
    recorders: *const *mut seawall_recorder_t,
    count: usize,
    now: Instant,
) -> Result<Snapshot, Misuse> {
    // SAFETY: the caller's word.
    let guard = unsafe { guard(handle)? };
    check_place(recorders)?;
    if count > MOST_RECORDERS {
        return Err(Misuse(SEAWALL_E_SIZE));
    }
    // SAFETY: checked, and the caller's word.
    let recorders = unsafe { core::slice::from_raw_parts(recorders, count) };
    for recorder in recorders {
        // SAFETY: the caller's word.
        unsafe { view::<RecorderView>(*recorder)? };
    }
    // SAFETY: as above; one that is ended meanwhile breaks the caller's word.
    let views = recorders.iter().filter_map(|recorder| unsafe { view::<RecorderView>(*recorder) }.ok());
    Ok(guard.core.snapshot(views, now))
}

/// More handles than this are a number that was never set.
const MOST_RECORDERS: usize = 1 << 20;

/// A guard at `now_ns` with what the recorders of its workers counted, merged: `*snapshot` and `*recorded`, whose
/// `struct_size` have to be set; `snapshot` may be NULL. `recorders` are `count` handles, 0 to 1,048,576; of unlike
/// cells they are read with those of the first.
///
/// Threads: any, at the same time; signal handlers too. Loads only; one for each slot, shard and counter; under 12 KiB
/// of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_SIZE` where there are more; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_snapshot_recorded(
    guard: *mut seawall_guard_t,
    recorders: *const *mut seawall_recorder_t,
    count: usize,
    now_ns: u64,
    snapshot: *mut seawall_snapshot_t,
    recorded: *mut seawall_recorded_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let seen = check!(unsafe { taken_with(guard, recorders, count, instant(now_ns)) });
    // Both are checked before the first is written.
    // SAFETY: the caller's word.
    unsafe {
        check!(check_write(recorded));
        if !snapshot.is_null() {
            check!(write(snapshot, seawall_snapshot_t::of(&seen)));
        }
        write(recorded, seawall_recorded_t::of(&seen)).status()
    }
}

/// As `seawall_guard_explain`, and with what the recorders of its workers counted: what was refused lately and by what,
/// why the breaker is open and since when. `recorders` and `count` as in `seawall_guard_snapshot_recorded`.
///
/// Threads: any, at the same time, each with memory of its own; signal handlers too. Loads only; under 12 KiB of stack.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE` where `size` is 0, or there are too many recorders; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_explain_recorded(
    guard: *mut seawall_guard_t,
    recorders: *const *mut seawall_recorder_t,
    count: usize,
    now_ns: u64,
    text: *mut c_char,
    size: usize,
    length: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let seen = check!(unsafe { taken_with(guard, recorders, count, instant(now_ns)) });
    check!(check_wanted(length));
    // SAFETY: checked, and the caller's word.
    unsafe { say(text, size, length, |room| seen.explain_into(room).len()) }
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
    // SAFETY: checked, and the caller's word.
    unsafe { say(text, size, length, |room| seen.explain_into(room).len()) }
}

/// A refusal in words, as `seawall_guard_try_attempt` made it at `now_ns`: its status and its decision. The text is as in
/// `seawall_guard_explain`, and empty if it does not fit; 257 bytes are enough for every one.
///
/// Threads: any, at the same time, each with memory of its own; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where status and decision are of no refusal; `SEAWALL_E_SIZE` where `size`
/// is 0; or an object mistake.
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
    check!(check_place(decision));
    check!(check_wanted(length));
    // SAFETY: checked, and the caller's word.
    let seawall_decision_t { retry_after_ns, stage, .. } = unsafe { decision.read() };
    let refused = check!(refusal_of(status, retry_after_ns, stage));
    // SAFETY: checked, and the caller's word.
    unsafe { say(text, size, length, |room| seen.explain_refusal_into(refused, room).len()) }
}
