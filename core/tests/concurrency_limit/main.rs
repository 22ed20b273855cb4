//! The promises of the concurrency limit, against a sequential oracle and with real threads.

mod adapting;
mod learning;
mod limits;
#[path = "../oracle/concurrency_limit.rs"]
#[allow(unreachable_pub, reason = "a module of a test program")]
mod oracle;
mod sequences;
mod slots;
#[path = "../support/mod.rs"]
#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;
mod threads;
mod vectors;

use core::time::Duration;

use oracle::{Change, Oracle, Reply};
use portable_atomic::{AtomicI64, AtomicUsize, Ordering};
use proptest::prelude::*;
use seawall::{
    ConcurrencyLimit, ConcurrencyLimitView, Instant, LimitChange, LimitConfig, LimitConfigError, LimitPermit,
    LimitReason, Outcome, Random, Ratio, Reason, Stage,
};

const MS: u64 = 1_000_000;
const SLOTS: usize = 16;
type Limit = ConcurrencyLimit<SLOTS>;

fn ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * MS)
}

/// A limit that learns nothing and takes each sign at once.
fn limit_of(start: u32) -> Limit {
    Limit::new(LimitConfig { start, tolerance_percent: 0, saturated_after: 0, ..adaptive() }).unwrap()
}

fn adaptive() -> LimitConfig {
    LimitConfig { ceiling: 16, ..LimitConfig::DEFAULT }
}

fn permit(limit: &Limit, now: Instant) -> LimitPermit {
    limit.try_attempt(now).expect("the limit admits")
}

fn fill(limit: &Limit, now: Instant) -> Vec<LimitPermit> {
    (0..limit.limit()).map(|_| permit(limit, now)).collect()
}
