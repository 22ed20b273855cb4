//! Stops retry storms where they start: in the client.
//!
//! ```
//! use core::time::Duration;
//! use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Request, Verdict};
//!
//! let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
//! let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
//!
//! let now = Instant::ORIGIN;
//! let mut call = guard.begin(Request::DEFAULT, now);
//! if let Ok(admission) = guard.try_attempt(&mut call, now) {
//!     // Send it, then report how it ended.
//!     let later = now.saturating_add(Duration::from_millis(30));
//!     let finished = guard.finish(&mut call, admission.permit, Outcome::Success, later);
//!     assert_eq!(finished.verdict, Verdict::Done);
//! }
//! # Ok::<(), seawall::GuardConfigError>(())
//! ```
//!
//! # The map
//! | for | there is |
//! | --- | --- |
//! | sending again, or not | [`RetryStrategy`], [`RetryBudget`], and [`RetryExecutor`], the loop around them |
//! | telling failures apart | [`ErrorClass`], [`Classification`], [`Outcome`], [`retry_after_seconds`] |
//! | leaving a service alone that fails | [`CircuitBreaker`] |
//! | how many calls are under way | [`ConcurrencyLimit`] |
//! | how fast to send | [`TokenBucket`] with a [`WarmUp`], [`AimdController`]; with `std` a [`TakeQueue`] to wait in |
//! | the same on many cores | [`LeasedBucket`], with an [`OwnedLease`] a worker |
//! | how fast each user may send | [`KeyedBuckets`], alone or [in a guard](Guard::with_keyed) |
//! | all of it in front of a call | [`Guard`], each stage enforced, in shadow, for a canary or off by its [`Mode`]; with `std` a [`GuardQueue`] to wait in |
//! | a guard whose sizes are known at run time | [`GuardView`], of any guard or of a [`GuardState`] and parts |
//! | what happened lately | [`SlidingWindow`], for many cores [`ShardedWindow`]; beside a guard a [`Recorder`] a worker, and a [`Snapshot`] that explains itself |
//! | time, chance and numbers | [`Instant`], [`Clock`], [`Random`], [`SharedRandom`], [`Rate`], [`Ratio`] |
//! | sizes that are known when the program runs | [`ConcurrencyLimitView`], [`KeyedBucketsView`], [`LeasedBucketView`]: as slices to arrays; [`SlidingWindowView`], [`ShardedWindowView`], [`RecorderView`] in storage of words |
//! | answers | [`Refused`] with its [`Stage`] and [`Reason`]; [`Transition`] |
//!
//! Time and randomness are arguments. Every value of `now` is legal, and an older one means that no time has passed.
//!
//! # Features
//! None is on by default.
//! - `std`: the monotonic clock, the entropy of the operating system, the executor that blocks while it waits, and the
//!   lines in which threads and futures wait for tokens and for a guard.
//! - `hosted-lock-table`: accepts a hosted target whose 64-bit atomics are a table of locks.
//!
//! # Lock-free
//! A thread that is stopped for ever inside any call blocks no other, and an interrupt handler may call anything. That
//! needs 64-bit atomics that are no locks, so a build without them is refused, with what to choose:
//! - most 64-bit targets, and 32-bit ones with a 64-bit compare-exchange: nothing to choose;
//! - a single-core microcontroller (Cortex-M0, M3, M4): the final binary turns on `unsafe-assume-single-core` (or
//!   `unsafe-assume-privileged`) of `portable-atomic`, which masks interrupts for a few cycles. It is unsound on more
//!   than one core;
//! - a hosted system with a table of locks (32-bit PowerPC Linux): the feature `hosted-lock-table`. Calls are then not
//!   lock-free, and a signal handler must never make one.
//!
//! # What it does not do
//! - It keeps no queue but the one you ask for, starts no thread, calls nobody back, and reads no clock that it was not given.
//! - It shares no state between machines.
//! - It does not make a request safe to repeat: give it a key by which the server knows it again.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "std", seawall_loom))]
extern crate std;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

mod aimd_controller;
mod circuit_breaker;
mod classification;
mod clock;
mod concurrency_limit;
mod divisor;
mod fixed_point;
mod guard;
#[cfg(feature = "std")]
mod guard_queue;
mod histogram;
mod keyed_buckets;
mod layout;
mod leased_bucket;
mod outcome;
mod random;
mod rate;
mod ratio;
mod recorder;
mod refused;
mod retry_budget;
mod retry_strategy;
mod shard;
mod sharded_window;
mod sip_hash;
mod sliding_window;
mod snapshot;
mod stamp;
#[cfg_attr(seawall_loom, allow(missing_docs))]
mod sync;
#[cfg(feature = "std")]
mod take_queue;
mod time;
mod timeline;
mod token_bucket;
mod transition;
mod turn;
#[cfg(feature = "std")]
mod waiting_line;
mod warm_up;
mod writers;

pub use aimd_controller::{AimdConfig, AimdConfigError, AimdController, RateChange, RateChangeReason};
pub use circuit_breaker::{
    BreakerAdmission, BreakerConfig, BreakerConfigError, BreakerPermit, CircuitBreaker, TripRule,
};
pub use classification::{Classification, ErrorClass, retry_after_seconds};
pub use clock::{Clock, ManualClock};
#[cfg(feature = "std")]
pub use clock::{MonotonicClock, entropy};
pub use concurrency_limit::{
    ConcurrencyLimit, ConcurrencyLimitView, LimitChange, LimitConfig, LimitConfigError, LimitPermit, LimitReason,
};
pub use guard::{
    Admission, Call, Finished, Guard, GuardConfig, GuardConfigError, GuardModes, GuardState, GuardView, KeyedStage,
    Mode, ModeError, Permit, Request, Verdict,
};
#[cfg(feature = "std")]
pub use guard_queue::{AnyGuard, GuardError, GuardQueue};
pub use keyed_buckets::{KeyedBuckets, KeyedBucketsView, KeyedChangeError, KeyedConfig, KeyedConfigError, WhenFull};
pub use leased_bucket::{LeasedBucket, LeasedBucketView, LeasedConfig, OwnedLease};
pub use outcome::Outcome;
pub use random::{Random, SharedRandom};
pub use rate::{Rate, RateError};
pub use ratio::{Ratio, RatioError};
pub use recorder::{
    AnyRecorder, CallRecord, Counts, OutcomeCounts, OwnedRecorder, OwnedRecorderView, Recorder, RecorderView,
};
pub use refused::{Reason, Refused, Stage};
pub use retry_budget::{RetryBudget, RetryBudgetConfig, RetryBudgetError, RetryCost, RetryTokens};
pub use retry_strategy::{
    AttemptFailure, GiveUpReason, Jitter, RetryConfig, RetryConfigError, RetryDecision, RetryError, RetryExecutor,
    RetryStrategy,
};
#[cfg(all(feature = "std", not(seawall_loom)))]
pub use shard::thread_shard;
pub use sharded_window::{OwnedWindow, OwnedWindowView, ShardedWindow, ShardedWindowView};
pub use sliding_window::{
    SlidingWindow, SlidingWindowView, WindowConfig, WindowConfigError, WindowSnapshot, WindowSummary,
};
pub use snapshot::Snapshot;
#[cfg(seawall_loom)]
pub use sync::faults;
#[cfg(feature = "std")]
pub use take_queue::TakeQueue;
pub use time::Instant;
pub use token_bucket::{BucketConfig, BucketConfigError, ChangeError, Fill, Reservation, TokenBucket};
pub use transition::{Cause, State, Transition};
pub use warm_up::{Curve, WarmUp};
pub use writers::{ManyWriters, OneWriter, Writers, WrongWriter};
