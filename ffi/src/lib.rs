//! The C face of seawall: every `extern "C"` function, a file for each C type.
//!
//! `include/seawall.h` is made of this crate by `scripts/header`; what its users need to know stands in the comments here,
//! and in `docs/C.md`. `ffi/artifact` makes the libraries of it. It stands on the core alone, and adds no mechanism to it.
//!
//! # The rules of the face
//! - **Objects** lie in the caller's storage. One of a fixed size is a complete type of words ([`object`]), and
//!   `_init` fills it; one whose size depends on its configuration lies in a workspace of the size that
//!   `_required_size` tells, and `_init` gives the handle ([`workspace`]). The first word is a tag: the kind of object and
//!   the number of the ABI. Memory of zeros is no object, and every call on it answers `SEAWALL_E_UNINITIALISED`.
//! - **Statuses** ([`status`]) are `int32_t`: 0 is done, above 0 is an answer that is a no, below 0 is a mistake of the
//!   caller's. Numbers are never used again.
//! - **Configurations** ([`versioned`]) begin with their size, so that they may grow.
//! - **Time** is `uint64_t now_ns` from an origin of the caller's; durations are `uint64_t …_ns`, ratios `uint32_t …_ppm`.
//! - **Out-parameters** come last, may be NULL where that is said, and are written only as each function says; none is
//!   written when the status is below 0.
//! - **Values with two ends** (reservations, permits, calls) are words with a tag of their own. What ends one zeroes it.
//! - No function allocates, locks, waits, panics, or touches `errno` or a thread-local; none calls back but the one that is
//!   asked to, [`listener::seawall_transition_tell`]. All but `_init`, `_fini` and those that say otherwise may be called from
//!   any thread and any signal handler, at the same time.
#![no_std]
#![allow(non_camel_case_types, reason = "the names are those of C")]
#![allow(
    clippy::missing_safety_doc,
    reason = "what a caller has to hold to is the same for all: see the rules of the face"
)]

#[cfg(test)]
extern crate std;

pub mod aimd_controller;
pub mod breaker_permit;
pub mod call;
pub mod call_record;
pub mod circuit_breaker;
pub mod classification;
pub mod concurrency_limit;
pub mod counts;
pub mod decision;
pub mod guard;
pub mod guard_calls;
pub mod guard_config;
pub mod guard_parts;
pub mod keyed_buckets;
pub mod leased_bucket;
pub mod listener;
pub mod object;
pub mod owned_recorder;
pub mod owned_window;
pub mod random;
pub mod recorder;
pub mod retry_budget;
pub mod retry_strategy;
pub mod sharded_window;
pub mod sliding_window;
pub mod snapshot;
pub mod status;
pub mod texts;
pub mod token_bucket;
pub mod values;
pub mod version;
pub mod versioned;
pub mod window_summary;
pub mod workspace;
