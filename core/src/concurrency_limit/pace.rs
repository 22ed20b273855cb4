//! [`Pace`]: what the last reports have in common, and until when the limit grows with care.
//!
//! A limit that is full now and then, as chance arrivals fill it, is not what holds the traffic back; one that is full
//! at every report is. Only then do slow replies say that less should be in flight, and only then do failures that come
//! at once. A service whose queue is full refuses at once, before any reply is slow; but a fault that has nothing to do
//! with load fails at once too. Two such failures in a row, after twice as many full reports, count as refusals.
//!
//! Of many replies some are slow and a few time out whatever the load, and the wider the limit, the more of them come in
//! one round trip. So a cut for them needs a quarter of the limit in a row, and one more.
//!
//! A limit that was cut for refusals stands near what the service takes, so for ten time-outs it grows at a tenth: at the
//! usual pace a limit of three would find the full queue with every third call.
//!
//! ```text
//! 63                                16 15       8 7        6            0
//! +-----------------------------------+----------+--------+-------------+
//! | grows with care until: 2^16 ns    | slow: 8  | failed | row: 7      |
//! +-----------------------------------+----------+--------+-------------+
//! ```
//! `row`: reports in a row that met a full limit. `failed`: the last report was of a failure that came at once. `slow`:
//! slow replies, time-outs and throttles that met room since the last good reply. Relaxed: the word is the whole state.
//! Rows are exact in the order of the exchanges; where nothing changes, as with a limit that is never full and replies
//! that are good, nothing is written.

use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::Instant;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Pace(AtomicU64);

const ROW: u64 = 127;
const FAILED: u64 = 128;
const SLOW: u64 = 255;
const SLOW_AT: u32 = 8;
const TICK_BITS: u32 = 16;
/// The longest row of slow replies that is asked for.
const LONGEST_SLOW: u64 = 64;
/// How many time-outs it grows with care for.
const CARE: u64 = 10;

/// What a report found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// A success that was not slow.
    Good,
    /// A slow reply, a time-out, or a throttle that met room.
    Slow,
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
    /// Slow replies since the last good one; at most 255.
    slow: u64,
    /// The failures are refusals.
    pub(super) is_refused: bool,
}

impl Seen {
    /// Where the limit takes every sign at once.
    pub(super) const ALL: Self = Self { row: ROW, slow: SLOW, is_refused: false };

    /// Whether so many replies in a row were slow that it is no chance at this limit.
    pub(super) const fn is_slow_at(self, limit: u32) -> bool {
        let enough = 1 + limit as u64 / 4;
        self.slow >= if enough < LONGEST_SLOW { enough } else { LONGEST_SLOW }
    }
}

impl Pace {
    const_constructor! {
        pub(super) fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Whether a good report that met room leaves all as it is: it ends no row.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.0.load(Ordering::Relaxed) & ((1 << TICK_BITS) - 1) == 0
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
            let slow = match report {
                Report::Good => 0,
                Report::Slow => SLOW.min((word >> SLOW_AT & SLOW) + 1),
                Report::QuickFailure | Report::Throttled => word >> SLOW_AT & SLOW,
            };
            let next = if is_refused || report == Report::Throttled {
                let until = now.as_nanos().saturating_add(timeout_ns.saturating_mul(CARE)) >> TICK_BITS;
                until << TICK_BITS | slow << SLOW_AT | row
            } else {
                word >> TICK_BITS << TICK_BITS | slow << SLOW_AT | row | if fails { FAILED } else { 0 }
            };
            let seen = Seen { row, slow, is_refused };
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

    /// Whether it grows with care. What lies over twice as far ahead as it can is the work of a clock that stepped; twice,
    /// because readings of several threads differ a little.
    pub(super) fn is_careful(&self, timeout_ns: u64, now: Instant) -> bool {
        let left = (self.0.load(Ordering::Relaxed) >> TICK_BITS << TICK_BITS).saturating_sub(now.as_nanos());
        left != 0 && left <= timeout_ns.saturating_mul(2 * CARE)
    }

    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
