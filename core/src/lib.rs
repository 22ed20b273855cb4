//! Stops retry storms where they start: in the client.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(feature = "std", seawall_loom))]
extern crate std;

mod classification;
mod clock;
mod outcome;
mod random;
mod rate;
mod ratio;
mod refused;
mod retry_budget;
mod retry_strategy;
#[cfg_attr(seawall_loom, allow(missing_docs))]
mod sync;
mod time;

pub use classification::{Classification, ErrorClass, retry_after_seconds};
pub use clock::{Clock, ManualClock};
#[cfg(feature = "std")]
pub use clock::{MonotonicClock, entropy};
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
#[cfg(seawall_loom)]
pub use sync::faults;
pub use time::Instant;
