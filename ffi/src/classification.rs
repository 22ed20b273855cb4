//! `seawall_classification_t`: which failures a retry can cure, and what a server's Retry-After says.

use core::ffi::c_char;

use seawall::{Classification, ErrorClass, retry_after_seconds};

use crate::object::{tell, tell_some};
use crate::status::{Misuse, SEAWALL_E_NULL, SEAWALL_E_SIZE, SEAWALL_E_VALUE, check, seawall_status_t};
use crate::values::{known, nanos_known, nanos_or_unknown, outcome_number};

/// It may succeed later: a lost connection, a time-out, a server error.
pub const SEAWALL_ERROR_CLASS_RETRYABLE: u32 = 1;
/// It may succeed later, and the server asked to be spared until then.
pub const SEAWALL_ERROR_CLASS_THROTTLED: u32 = 2;
/// It will fail again however often it is sent: the request itself is at fault.
pub const SEAWALL_ERROR_CLASS_PERMANENT: u32 = 3;

const _: () = assert!(
    ErrorClass::Retryable as u32 == SEAWALL_ERROR_CLASS_RETRYABLE
        && ErrorClass::Throttled as u32 == SEAWALL_ERROR_CLASS_THROTTLED
        && ErrorClass::Permanent as u32 == SEAWALL_ERROR_CLASS_PERMANENT,
    "the header has other numbers"
);

pub(crate) fn error_class_of(class: u32) -> Result<ErrorClass, Misuse> {
    match class {
        SEAWALL_ERROR_CLASS_RETRYABLE => Ok(ErrorClass::Retryable),
        SEAWALL_ERROR_CLASS_THROTTLED => Ok(ErrorClass::Throttled),
        SEAWALL_ERROR_CLASS_PERMANENT => Ok(ErrorClass::Permanent),
        _ => Err(Misuse(SEAWALL_E_VALUE)),
    }
}

/// What is known of one failed attempt. Begin with `SEAWALL_CLASSIFICATION_RETRYABLE`, `SEAWALL_CLASSIFICATION_TIMEOUT`,
/// `SEAWALL_CLASSIFICATION_PERMANENT` or `SEAWALL_CLASSIFICATION_THROTTLED(retry_after_ns)`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_classification_t {
    /// What kind of failure it was, a `SEAWALL_ERROR_CLASS_…`: for a `seawall_attempt_failure_t`.
    pub error_class: u32,
    /// What a retry takes from a retry budget: for `seawall_retry_budget_try_withdraw`.
    pub cost_millionths: u32,
    /// How long the server asked to be spared, counted from its answer; `SEAWALL_UNKNOWN` where it did not say.
    pub retry_after_ns: u64,
}

/// The classification of a class and of what the server asked for (`SEAWALL_UNKNOWN` where it did not say), at the cost of
/// an error.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where the class is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_classification_of(
    error_class: u32,
    retry_after_ns: u64,
    classification: *mut seawall_classification_t,
) -> seawall_status_t {
    let known: Classification = (check!(error_class_of(error_class)), known(retry_after_ns)).into();
    let value = || seawall_classification_t {
        error_class: known.class as u32,
        cost_millionths: known.cost.tokens().as_millionths(),
        retry_after_ns: nanos_or_unknown(known.retry_after),
    };
    // SAFETY: the caller's word.
    unsafe { tell(classification, value) }
}

/// A status that fits, or one that is no HTTP status either.
fn http(status: u32) -> u16 {
    u16::try_from(status).unwrap_or(u16::MAX)
}

/// The class of an HTTP status whose answer carried no Retry-After, a `SEAWALL_ERROR_CLASS_…`: see
/// `seawall_error_class_of_http`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the status (100 to 399) is no error, and nothing is written;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_error_class_of_http_status(status: u32, error_class: *mut u32) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { tell_class(ErrorClass::of_http_status(http(status)), error_class) }
}

/// The class of an HTTP answer, a `SEAWALL_ERROR_CLASS_…`; `retry_after_ns` is `SEAWALL_UNKNOWN` where it carried no
/// Retry-After. Throttled: 429, and 503 with Retry-After. Permanent: every other 4xx but 408 and 425; 501, 505, 506, 508,
/// 510, 511; what is no HTTP status. Retryable: 408, 425, every other 5xx.
///
/// A retried request may have been carried out by the attempt that failed: give requests that are not idempotent a key by
/// which the server knows them again, or take their errors for permanent.
///
/// Threads and Returns: as `seawall_error_class_of_http_status`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_error_class_of_http(
    status: u32,
    retry_after_ns: u64,
    error_class: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { tell_class(ErrorClass::of_http(http(status), known(retry_after_ns)), error_class) }
}

/// # Safety
/// `out` is NULL or points to a number that may be written.
unsafe fn tell_class(class: Option<ErrorClass>, out: *mut u32) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { tell_some(out, class.map(|class| class as u32)) }
}

/// What an attempt that failed so tells of the service, a `SEAWALL_OUTCOME_…`; it goes with the same `retry_after_ns`. A
/// permanent error is a success of the service: it was reached and it answered.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where the class is none; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_error_class_outcome(error_class: u32, outcome: *mut u32) -> seawall_status_t {
    let class = check!(error_class_of(error_class));
    // SAFETY: the caller's word.
    unsafe { tell(outcome, || outcome_number(class.outcome(None))) }
}

/// The wait in a Retry-After header of `length` bytes of the form "delta-seconds", spaces and tabs around it ignored. For
/// all else there is none, for an HTTP date too: subtract the wall clock's time from that yourself. A number beyond the
/// range is the longest wait that there is, never a short one.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where there is none, and nothing is written; `SEAWALL_E_NULL`,
/// `SEAWALL_E_ALIGNMENT`; `SEAWALL_E_SIZE` where `length` is more than memory has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_after_seconds(
    value: *const c_char,
    length: usize,
    retry_after_ns: *mut u64,
) -> seawall_status_t {
    if value.is_null() {
        return SEAWALL_E_NULL;
    }
    if length > isize::MAX as usize {
        return SEAWALL_E_SIZE;
    }
    // SAFETY: not NULL, and the caller's word for `length` bytes.
    let bytes = unsafe { core::slice::from_raw_parts(value.cast::<u8>(), length) };
    // SAFETY: the caller's word.
    unsafe { tell_some(retry_after_ns, retry_after_seconds(bytes).map(nanos_known)) }
}
