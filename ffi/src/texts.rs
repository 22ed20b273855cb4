//! The words for what numbers say: the core's own names, as texts of C.

use core::ffi::{CStr, c_char};

use seawall::{Cause, GiveUpReason, LimitReason, RateChangeReason, Stage, State};

use crate::aimd_controller::{SEAWALL_RATE_REASON_ERRORS, SEAWALL_RATE_REASON_HEALTHY, SEAWALL_RATE_REASON_LATENCY};
use crate::decision::{
    SEAWALL_STAGE_CIRCUIT_BREAKER, SEAWALL_STAGE_CONCURRENCY_LIMIT, SEAWALL_STAGE_DEADLINE, SEAWALL_STAGE_KEYED_BUCKET,
    SEAWALL_STAGE_PAUSE, SEAWALL_STAGE_RETRY_BUDGET, SEAWALL_STAGE_TOKEN_BUCKET,
};
use crate::retry_strategy::{
    SEAWALL_GIVE_UP_ATTEMPTS_EXHAUSTED, SEAWALL_GIVE_UP_BUDGET_SPENT, SEAWALL_GIVE_UP_DEADLINE_EXCEEDED,
    SEAWALL_GIVE_UP_PERMANENT, SEAWALL_GIVE_UP_PERMIT_VOID, SEAWALL_GIVE_UP_RETRY_AFTER_TOO_LONG,
    SEAWALL_GIVE_UP_SERVICE_FAILING,
};
use crate::values::{
    SEAWALL_CAUSE_CLOCK_STEPPED, SEAWALL_CAUSE_CONSECUTIVE_FAILURES, SEAWALL_CAUSE_FAILURE_SHARE, SEAWALL_CAUSE_FORCED,
    SEAWALL_CAUSE_INTERVAL_OVER, SEAWALL_CAUSE_PROBES_FAILED, SEAWALL_CAUSE_PROBES_SUCCEEDED, SEAWALL_CAUSE_RESET,
    SEAWALL_CAUSE_SLOW_SHARE, SEAWALL_CAUSE_TRIPPED, SEAWALL_STATE_CLOSED, SEAWALL_STATE_HALF_OPEN, SEAWALL_STATE_OPEN,
    state_number,
};

/// A constant `&str` as a text of C that lives for ever.
macro_rules! words {
    ($text:expr) => {{
        const TEXT: &str = $text;
        const BYTES: [u8; TEXT.len() + 1] = $crate::texts::terminated(TEXT);
        const WORDS: &core::ffi::CStr = match core::ffi::CStr::from_bytes_with_nul(&BYTES) {
            Ok(words) => words,
            Err(_) => panic!("a text holds no zero"),
        };
        WORDS
    }};
}
pub(crate) use words;

pub(crate) const fn terminated<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < text.len() {
        bytes[at] = text.as_bytes()[at];
        at += 1;
    }
    bytes
}

/// A function from the numbers of the header to the names of the core. That a number is the one by which the face tells the
/// variant is held at compile time.
macro_rules! names {
    ($function:ident, $number:path, $other:literal; $($name:ident = $variant:path;)*) => {
        const fn $function(number: u32) -> &'static CStr {
            $(const { assert!($number($variant) == $name, "the header has another number") };)*
            match number {
                $($name => words!($variant.name()),)*
                _ => $other,
            }
        }
    };
}

names! {
    state_name, state_number, c"not a state";
    SEAWALL_STATE_CLOSED = State::Closed;
    SEAWALL_STATE_OPEN = State::Open;
    SEAWALL_STATE_HALF_OPEN = State::HalfOpen;
}

const fn cause_number(cause: Cause) -> u32 {
    cause as u32
}

names! {
    cause_name, cause_number, c"not a cause";
    SEAWALL_CAUSE_CONSECUTIVE_FAILURES = Cause::ConsecutiveFailures;
    SEAWALL_CAUSE_FAILURE_SHARE = Cause::FailureShare;
    SEAWALL_CAUSE_SLOW_SHARE = Cause::SlowShare;
    SEAWALL_CAUSE_TRIPPED = Cause::Tripped;
    SEAWALL_CAUSE_INTERVAL_OVER = Cause::IntervalOver;
    SEAWALL_CAUSE_PROBES_SUCCEEDED = Cause::ProbesSucceeded;
    SEAWALL_CAUSE_PROBES_FAILED = Cause::ProbesFailed;
    SEAWALL_CAUSE_FORCED = Cause::Forced;
    SEAWALL_CAUSE_RESET = Cause::Reset;
    SEAWALL_CAUSE_CLOCK_STEPPED = Cause::ClockStepped;
}

const fn stage_number(stage: Stage) -> u32 {
    stage as u32
}

names! {
    stage_name, stage_number, c"not a stage";
    SEAWALL_STAGE_DEADLINE = Stage::Deadline;
    SEAWALL_STAGE_PAUSE = Stage::Pause;
    SEAWALL_STAGE_CIRCUIT_BREAKER = Stage::CircuitBreaker;
    SEAWALL_STAGE_CONCURRENCY_LIMIT = Stage::ConcurrencyLimit;
    SEAWALL_STAGE_TOKEN_BUCKET = Stage::TokenBucket;
    SEAWALL_STAGE_RETRY_BUDGET = Stage::RetryBudget;
    SEAWALL_STAGE_KEYED_BUCKET = Stage::KeyedBucket;
}

const fn give_up_number(reason: GiveUpReason) -> u32 {
    reason as u32
}

names! {
    give_up_name, give_up_number, c"not a reason to give up";
    SEAWALL_GIVE_UP_PERMANENT = GiveUpReason::Permanent;
    SEAWALL_GIVE_UP_ATTEMPTS_EXHAUSTED = GiveUpReason::AttemptsExhausted;
    SEAWALL_GIVE_UP_DEADLINE_EXCEEDED = GiveUpReason::DeadlineExceeded;
    SEAWALL_GIVE_UP_RETRY_AFTER_TOO_LONG = GiveUpReason::RetryAfterTooLong;
    SEAWALL_GIVE_UP_BUDGET_SPENT = GiveUpReason::BudgetSpent;
    SEAWALL_GIVE_UP_PERMIT_VOID = GiveUpReason::PermitVoid;
    SEAWALL_GIVE_UP_SERVICE_FAILING = GiveUpReason::ServiceFailing;
}

const fn rate_reason_number(reason: RateChangeReason) -> u32 {
    reason as u32
}

names! {
    rate_reason_name, rate_reason_number, c"not a reason of a change of a rate";
    SEAWALL_RATE_REASON_ERRORS = RateChangeReason::Errors;
    SEAWALL_RATE_REASON_LATENCY = RateChangeReason::Latency;
    SEAWALL_RATE_REASON_HEALTHY = RateChangeReason::Healthy;
}

/// The limit grew: good replies while at least half of it was used.
pub const SEAWALL_LIMIT_REASON_GROWTH: u32 = 1;
/// A reply was slow.
pub const SEAWALL_LIMIT_REASON_SLOW: u32 = 2;
/// A call timed out.
pub const SEAWALL_LIMIT_REASON_TIMEOUT: u32 = 3;
/// The service asked to be spared.
pub const SEAWALL_LIMIT_REASON_THROTTLED: u32 = 4;
/// The caller set the limit, or set bounds that it lay beyond.
pub const SEAWALL_LIMIT_REASON_SET: u32 = 5;
/// Failures came at once, in a row, while the limit stayed full: the service refuses what it gets too much of.
pub const SEAWALL_LIMIT_REASON_REFUSED: u32 = 6;

const fn limit_reason_number(reason: LimitReason) -> u32 {
    reason as u32
}

names! {
    limit_reason_name, limit_reason_number, c"not a reason of a change of a limit";
    SEAWALL_LIMIT_REASON_GROWTH = LimitReason::Growth;
    SEAWALL_LIMIT_REASON_SLOW = LimitReason::Slow;
    SEAWALL_LIMIT_REASON_TIMEOUT = LimitReason::Timeout;
    SEAWALL_LIMIT_REASON_THROTTLED = LimitReason::Throttled;
    SEAWALL_LIMIT_REASON_SET = LimitReason::Set;
    SEAWALL_LIMIT_REASON_REFUSED = LimitReason::Refused;
}

/// The name of a `SEAWALL_STATE_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_state_text(state: u32) -> *const c_char {
    state_name(state).as_ptr()
}

/// The name of a `SEAWALL_CAUSE_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_cause_text(cause: u32) -> *const c_char {
    cause_name(cause).as_ptr()
}

/// The name of a `SEAWALL_STAGE_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_stage_text(stage: u32) -> *const c_char {
    stage_name(stage).as_ptr()
}

/// The name of a `SEAWALL_GIVE_UP_…`, as in logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_give_up_text(reason: u32) -> *const c_char {
    give_up_name(reason).as_ptr()
}

/// The name of a `SEAWALL_RATE_REASON_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_rate_reason_text(reason: u32) -> *const c_char {
    rate_reason_name(reason).as_ptr()
}

/// The name of a `SEAWALL_LIMIT_REASON_…`, as in metrics and logs. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: a text without a line break; of another number, that it is none.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_limit_reason_text(reason: u32) -> *const c_char {
    limit_reason_name(reason).as_ptr()
}
