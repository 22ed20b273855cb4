//! [`Pace`]: how many reports in a row met a full limit, and until when it grows with care.
//!
//! A limit that is full now and then, as chance arrivals fill it, is not what holds the traffic back; one that is full
//! at every report is. Only then do slow replies say that less should be in flight, and only then do failures that come
//! at once: a queue that is full says no faster than any reply is slow, but so does a fault that has nothing to do with
//! load. Two such failures in a row, after twice as many full reports, count as the former.
//!
//! A limit that was cut for that stands near what the service takes, so for ten time-outs it grows at a tenth: at the
//! usual pace a limit of three would find the full queue with every third call.
//!
//! ```text
//! 63                                          8 7        6            0
//! +---------------------------------------------+--------+-------------+
//! | grows with care until: 56 bits, 256 ns      | failed | row: 7 bits |
//! +---------------------------------------------+--------+-------------+
//! ```
//! `failed`: the last report was of a failure that came at once. Relaxed: the word is the whole state. A row is exact in
//! the order of the exchanges; where nothing changes, as with a limit that is never full, nothing is written.

use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::Instant;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Pace(AtomicU64);

const ROW: u64 = 127;
const FAILED: u64 = 128;
const TICK_BITS: u32 = 8;
/// How many time-outs it grows with care for.
const CARE: u64 = 10;

/// What a report found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// Neither of the two below.
    Other,
    /// A failure that came at once.
    QuickFailure,
    /// The service asked to be spared, and the limit was full.
    Throttled,
}

/// What it follows from the reports so far.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// Reports in a row, this one included, that met a full limit; at most 127.
    pub(super) row: u64,
    /// The failures are refusals.
    pub(super) is_refused: bool,
}

impl Pace {
    const_constructor! {
        pub(super) fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// A report that met a full limit, or one that was not. `saturated_after` is at most 60.
    pub(super) fn note(
        &self,
        is_full: bool,
        report: Report,
        saturated_after: u64,
        timeout_ns: u64,
        now: Instant,
    ) -> Seen {
        let mut word = self.0.load(Ordering::Relaxed);
        // Lock-free: each turn but the last means that another report was counted.
        loop {
            let row = if is_full { ROW.min((word & ROW) + 1) } else { 0 };
            let fails = report == Report::QuickFailure;
            let is_refused = fails && word & FAILED != 0 && row >= 2 * saturated_after;
            let next = if is_refused || report == Report::Throttled {
                let until = now.as_nanos().saturating_add(timeout_ns.saturating_mul(CARE)) >> TICK_BITS;
                until << TICK_BITS | row
            } else {
                word & !(ROW | FAILED) | row | if fails { FAILED } else { 0 }
            };
            let seen = Seen { row, is_refused };
            if fault("concurrency_limit: a report is stored, not exchanged") {
                self.0.store(next, Ordering::Relaxed);
                return seen;
            }
            if next == word {
                return seen;
            }
            match self.0.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return seen,
                Err(now_there) => word = now_there,
            }
        }
    }

    /// Whether it grows with care. What lies further ahead than it can is the work of a clock that stepped.
    pub(super) fn is_careful(&self, timeout_ns: u64, now: Instant) -> bool {
        let left = (self.0.load(Ordering::Relaxed) & !(ROW | FAILED)).saturating_sub(now.as_nanos());
        left != 0 && left <= timeout_ns.saturating_mul(CARE)
    }

    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
