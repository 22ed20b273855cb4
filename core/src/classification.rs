//! [`ErrorClass`]: which failures a retry can cure, and what a server's Retry-After says.
//!
//! The invariant: an error that the same request would meet again is never retried, and an error that asks for
//! patience is told apart from one that merely failed, because the breaker, the rate controllers and the server's
//! pause treat the two differently. The class speaks of the error only; how often and when to retry is
//! [`RetryStrategy`](crate::RetryStrategy)'s, whether the fleet can afford it is
//! [`RetryBudget`](crate::RetryBudget)'s.
//!
//! Source of the HTTP table: RFC 9110 (section 15), RFC 6585 (429), RFC 8470 (425).

use core::time::Duration;

use crate::outcome::Outcome;
use crate::retry_budget::RetryCost;

/// What kind of failure it was: may the same request succeed later?
///
/// ```
/// use seawall::ErrorClass;
///
/// fn class_of(error: &std::io::Error) -> ErrorClass {
///     use std::io::ErrorKind::{InvalidInput, NotFound, PermissionDenied};
///     match error.kind() {
///         InvalidInput | NotFound | PermissionDenied => ErrorClass::Permanent,
///         _ => ErrorClass::Retryable,
///     }
/// }
/// assert_eq!(class_of(&std::io::ErrorKind::TimedOut.into()), ErrorClass::Retryable);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ErrorClass {
    /// May succeed later: a lost connection, a time-out, a server error.
    Retryable = 1,
    /// May succeed later, and the server asked to be spared until then.
    Throttled = 2,
    /// Will fail again however often it is sent: the request itself is at fault.
    Permanent = 3,
}

impl ErrorClass {
    /// The class of an HTTP status whose answer carried no Retry-After; `None` where the status (100 to 399) is no
    /// error. See [`of_http`](Self::of_http).
    ///
    /// ```
    /// use seawall::ErrorClass;
    ///
    /// assert_eq!(ErrorClass::of_http_status(404), Some(ErrorClass::Permanent));
    /// assert_eq!(ErrorClass::of_http_status(429), Some(ErrorClass::Throttled));
    /// assert_eq!(ErrorClass::of_http_status(503), Some(ErrorClass::Retryable));
    /// assert_eq!(ErrorClass::of_http_status(204), None);
    /// ```
    #[must_use]
    pub const fn of_http_status(status: u16) -> Option<Self> {
        Self::of_http(status, None)
    }

    /// The class of an HTTP answer; `None` where the status (100 to 399) is no error.
    ///
    /// | status | class | because |
    /// | --- | --- | --- |
    /// | 408, 425 | retryable | the server did not act on the request and invites another try |
    /// | 429 | throttled | too many requests |
    /// | other 4xx | permanent | the request is at fault and would be again |
    /// | 503 with Retry-After | throttled | the server knows that it is overloaded or away, and for how long |
    /// | 501, 505, 506, 508, 510, 511 | permanent | a missing feature, a loop or a login is not cured by a resend |
    /// | other 5xx | retryable | the server failed at a request that may be good |
    /// | below 100, from 600 | permanent | no HTTP status: what is not understood is not repeated |
    ///
    /// A retried request may have been carried out by the attempt that failed: give requests that are not
    /// idempotent a key by which the server knows them again, or declare their errors permanent.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::ErrorClass;
    ///
    /// assert_eq!(ErrorClass::of_http(503, Some(Duration::from_secs(2))), Some(ErrorClass::Throttled));
    /// assert_eq!(ErrorClass::of_http(400, Some(Duration::from_secs(2))), Some(ErrorClass::Permanent));
    /// ```
    #[must_use]
    pub const fn of_http(status: u16, retry_after: Option<Duration>) -> Option<Self> {
        Some(match status {
            100..=399 => return None,
            429 => Self::Throttled,
            503 if retry_after.is_some() => Self::Throttled,
            408 | 425 => Self::Retryable,
            501 | 505 | 506 | 508 | 510 | 511 => Self::Permanent,
            500..=599 => Self::Retryable,
            _ => Self::Permanent,
        })
    }

    /// What an attempt that failed so tells of the service. A permanent error is a success of the service: it was
    /// reached and it answered.
    ///
    /// ```
    /// use seawall::{ErrorClass, Outcome};
    ///
    /// assert_eq!(ErrorClass::Permanent.outcome(None), Outcome::Success);
    /// assert_eq!(ErrorClass::Throttled.outcome(None), Outcome::Throttled(None));
    /// ```
    #[must_use]
    pub const fn outcome(self, retry_after: Option<Duration>) -> Outcome {
        match self {
            Self::Retryable => Outcome::Failure,
            Self::Throttled => Outcome::Throttled(retry_after),
            Self::Permanent => Outcome::Success,
        }
    }
}

/// What is known of one failed attempt: its class, the server's Retry-After, and what a retry of it costs the budget.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Classification, ErrorClass, RetryCost};
///
/// let plain: Classification = ErrorClass::Retryable.into();
/// assert_eq!((plain.retry_after, plain.cost), (None, RetryCost::Error));
/// assert_eq!(Classification::TIMEOUT.cost, RetryCost::Timeout);
/// assert_eq!(Classification::throttled(Some(Duration::from_secs(3))).class, ErrorClass::Throttled);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classification {
    /// What kind of failure it was.
    pub class: ErrorClass,
    /// How long the server asked to be spared, counted from its answer.
    pub retry_after: Option<Duration>,
    /// What a retry takes from the [`RetryBudget`](crate::RetryBudget), if there is one.
    pub cost: RetryCost,
}

impl Classification {
    /// A failure that a retry may cure, at the cost of an error.
    pub const RETRYABLE: Self = Self { class: ErrorClass::Retryable, retry_after: None, cost: RetryCost::Error };
    /// No answer in time: retryable, at the cost of a time-out.
    pub const TIMEOUT: Self = Self { class: ErrorClass::Retryable, retry_after: None, cost: RetryCost::Timeout };
    /// A failure that no retry cures.
    pub const PERMANENT: Self = Self { class: ErrorClass::Permanent, retry_after: None, cost: RetryCost::Error };

    /// The server asked to be spared, for `retry_after` where it said how long.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Classification, ErrorClass};
    /// let asked = Some(Duration::from_secs(3));
    /// assert_eq!(Classification::throttled(asked), (ErrorClass::Throttled, asked).into());
    /// ```
    #[must_use]
    pub const fn throttled(retry_after: Option<Duration>) -> Self {
        Self { class: ErrorClass::Throttled, retry_after, cost: RetryCost::Error }
    }
}

impl From<ErrorClass> for Classification {
    fn from(class: ErrorClass) -> Self {
        Self { class, retry_after: None, cost: RetryCost::Error }
    }
}

impl From<(ErrorClass, Option<Duration>)> for Classification {
    fn from((class, retry_after): (ErrorClass, Option<Duration>)) -> Self {
        Self { class, retry_after, cost: RetryCost::Error }
    }
}

/// The wait in a Retry-After header of the form "delta-seconds", spaces and tabs around it ignored.
///
/// `None` for all else, an HTTP date too: a date needs the wall clock, which the core has not; subtract it there and
/// pass the difference on. A number beyond the range is the longest [`Duration`] of whole seconds, never a short one.
///
/// ```
/// use core::time::Duration;
/// use seawall::retry_after_seconds;
///
/// assert_eq!(retry_after_seconds(b" 120 "), Some(Duration::from_secs(120)));
/// assert_eq!(retry_after_seconds(b"0"), Some(Duration::ZERO));
/// assert_eq!(retry_after_seconds(b"Fri, 31 Dec 1999 23:59:59 GMT"), None);
/// assert_eq!(retry_after_seconds(b"-1"), None);
/// assert_eq!(retry_after_seconds(b""), None);
/// ```
#[must_use]
pub const fn retry_after_seconds(value: &[u8]) -> Option<Duration> {
    let mut rest = value;
    while let [b' ' | b'\t', tail @ ..] = rest {
        rest = tail;
    }
    while let [head @ .., b' ' | b'\t'] = rest {
        rest = head;
    }
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0_u64;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        // The digit is at least b'0' by the pattern.
        seconds = seconds.saturating_mul(10).saturating_add((*digit - b'0') as u64);
        rest = tail;
    }
    if rest.is_empty() { Some(Duration::from_secs(seconds)) } else { None }
}
