//! Stops retry storms where they start: in the client.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "std", seawall_loom))]
extern crate std;

mod aimd_controller;
mod circuit_breaker;
mod classification;
mod clock;
mod concurrency_limit;
mod divisor;
mod fixed_point;
mod guard;
mod histogram;
mod outcome;
mod random;
mod rate;
mod ratio;
mod refused;
mod retry_budget;
mod retry_strategy;
mod sliding_window;
mod stamp;
#[cfg_attr(seawall_loom, allow(missing_docs))]
mod sync;
mod time;
mod token_bucket;
mod transition;
mod warm_up;

pub use aimd_controller::{AimdConfig, AimdConfigError, AimdController, RateChange, RateChangeReason};
pub use circuit_breaker::{
    BreakerAdmission, BreakerConfig, BreakerConfigError, BreakerPermit, CircuitBreaker, TripRule,
};
pub use classification::{Classification, ErrorClass, retry_after_seconds};
pub use clock::{Clock, ManualClock};
#[cfg(feature = "std")]
pub use clock::{MonotonicClock, entropy};
pub use concurrency_limit::{ConcurrencyLimit, LimitChange, LimitConfig, LimitConfigError, LimitPermit, LimitReason};
pub use guard::{Admission, Call, Finished, Guard, GuardConfig, GuardConfigError, Permit, Request, Verdict};
pub use outcome::Outcome;
pub use random::{Random, SharedRandom};
pub use rate::{Rate, RateError};
pub use ratio::{Ratio, RatioError};
pub use refused::{Reason, Refused, Stage};
pub use retry_budget::{RetryBudget, RetryBudgetConfig, RetryBudgetError, RetryCost, RetryTokens};
pub use retry_strategy::{
    AttemptFailure, GiveUpReason, Jitter, RetryConfig, RetryConfigError, RetryDecision, RetryError, RetryExecutor,
    RetryStrategy,
};
pub use sliding_window::{SlidingWindow, WindowConfig, WindowConfigError, WindowSnapshot, WindowSummary};
#[cfg(seawall_loom)]
pub use sync::faults;
pub use time::Instant;
pub use token_bucket::{BucketConfig, BucketConfigError, ChangeError, Fill, TokenBucket};
pub use transition::{Cause, State, Transition};
pub use warm_up::{Curve, WarmUp};
