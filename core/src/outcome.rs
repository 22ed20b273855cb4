//! [`Outcome`]: how an attempt ended.

use core::time::Duration;

/// How an attempt ended. Slowness is no outcome: it is measured.
///
/// ```
/// use core::time::Duration;
/// use seawall::Outcome;
///
/// assert!(Outcome::Throttled(Some(Duration::from_secs(2))).is_bad());
/// assert!(!Outcome::Ignored.is_bad());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Answered well. A permanent error of the request itself (HTTP 4xx but 408, 425 and 429) is a success of the
    /// service: it was reached and it answered.
    Success,
    /// Failed: an error of the service, a lost connection, a time-out.
    Failure,
    /// The service asked to be spared (HTTP 429, or 503 with Retry-After), with the wait that it named.
    Throttled(Option<Duration>),
    /// Says nothing of the service: cancelled by the user, dropped, forgotten. Frees what was held, counts nowhere.
    Ignored,
}

impl Outcome {
    /// Whether it speaks against the service: a failure or a throttle.
    ///
    /// ```
    /// use seawall::Outcome;
    /// assert!(Outcome::Failure.is_bad() && Outcome::Throttled(None).is_bad());
    /// assert!(!Outcome::Success.is_bad() && !Outcome::Ignored.is_bad());
    /// ```
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Failure | Self::Throttled(_))
    }
}
