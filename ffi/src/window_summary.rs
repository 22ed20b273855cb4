//! `seawall_window_summary_t`: what a window saw, in figures.

use core::time::Duration;

use seawall::WindowSummary;

use crate::status::{Misuse, SEAWALL_E_VALUE};
use crate::values::{known, nanos, nanos_or_unknown};
use crate::versioned::Versioned;

/// What a window saw: of a sliding window, or measured by yourself. Begin with `SEAWALL_WINDOW_SUMMARY_INIT`: nothing.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_window_summary_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// How many calls finished in the window.
    pub count: u64,
    /// How many of them failed.
    pub errors: u64,
    /// How much time they stand for: less than the window at first, and at least one slice.
    pub observed_ns: u64,
    /// The mean latency; `SEAWALL_UNKNOWN` if the window is empty, as for all latencies here.
    pub mean_ns: u64,
    /// The longest latency.
    pub max_ns: u64,
    /// The median latency.
    pub p50_ns: u64,
    /// The latency that 95 % of calls kept to.
    pub p95_ns: u64,
    /// The latency that 99 % of calls kept to.
    pub p99_ns: u64,
    /// Calls since the window was made.
    pub total_count: u64,
    /// Failed calls since the window was made.
    pub total_errors: u64,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 10 x 8 bytes.
unsafe impl Versioned for seawall_window_summary_t {
    const FIRST: usize = 88;
}

impl seawall_window_summary_t {
    pub(crate) fn to_summary(self) -> Result<WindowSummary, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        Ok(WindowSummary {
            count: self.count,
            errors: self.errors,
            observed: Duration::from_nanos(self.observed_ns),
            mean: known(self.mean_ns),
            max: known(self.max_ns),
            p50: known(self.p50_ns),
            p95: known(self.p95_ns),
            p99: known(self.p99_ns),
            total_count: self.total_count,
            total_errors: self.total_errors,
        })
    }

    pub(crate) fn from_summary(summary: WindowSummary) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            reserved: 0,
            count: summary.count,
            errors: summary.errors,
            observed_ns: nanos(summary.observed),
            mean_ns: nanos_or_unknown(summary.mean),
            max_ns: nanos_or_unknown(summary.max),
            p50_ns: nanos_or_unknown(summary.p50),
            p95_ns: nanos_or_unknown(summary.p95),
            p99_ns: nanos_or_unknown(summary.p99),
            total_count: summary.total_count,
            total_errors: summary.total_errors,
        }
    }
}
