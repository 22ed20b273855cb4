//! One clock for all processes: nanoseconds of the system's monotonic clock since the start of the run.
//!
//! The monotonic clock is the same for every process of a machine and never stepped, so that the logs of the server,
//! the clients and the live users can be laid over each other.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use seawall::{Clock, Instant};

/// Reads the system's monotonic clock, counted from an origin that the orchestrator hands to every child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedClock {
    origin_ns: u64,
}

fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // The monotonic clock counts from boot: never negative, and centuries away from overflow.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl SharedClock {
    /// A clock whose origin is now.
    pub(crate) fn starting_now() -> Self {
        Self { origin_ns: monotonic_ns() }
    }

    /// The clock with the origin that a parent process handed over.
    pub(crate) fn with_origin(origin_ns: u64) -> Self {
        Self { origin_ns }
    }

    /// What [`with_origin`](Self::with_origin) takes.
    pub(crate) fn origin_ns(self) -> u64 {
        self.origin_ns
    }

    /// Nanoseconds since the origin.
    pub(crate) fn ns(self) -> u64 {
        monotonic_ns().saturating_sub(self.origin_ns)
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.ns())
    }
}

/// Seconds as nanoseconds.
pub(crate) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds as seconds, for tables and plots.
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
