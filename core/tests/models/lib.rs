//! The loom models: the product code itself under the schedules that loom explores, with a moving clock.
//!
//! Run with `scripts/models [name]`. Each model prints how many executions it explored; each
//! `*_is_needed` test injects one fault into the product code and demands that a model notices.
#![cfg(all(test, seawall_loom))]

mod aimd_controller;
mod circuit_breaker;
mod concurrency_limit;
mod guard;
mod guard_keyed;
mod guard_modes;
mod guard_queue;
mod guard_shards;
mod harness;
mod keyed_buckets;
mod leased_bucket;
mod recorder;
mod retry_budget;
mod shared_values;
mod sliding_window;
mod token_bucket;
