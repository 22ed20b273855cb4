//! [`Usual`]: how long a good reply usually takes while the limit holds nothing back.
//!
//! A mean over the successes, quick or slow, of calls that began while less than half of the limit was in use, or while it
//! stood at its floor: then the calls of this process are not what makes the service slow. The first 504 weigh alike. Then one in
//! eight is learnt, the eighth of each slot, and weighs 1/64: as much as 1/512 each, and seven of eight replies write
//! nothing. A service that gets slower for good is learnt in some thousand calls, an overload of a minute is not. It
//! starts from `slow_after` with the weight of eight replies, so that a process that comes up in the middle of a storm
//! does not take the storm for the usual.
//!
//! ```text
//! 63                                            10 9                 0
//! +-----------------------------------------------+-------------------+
//! | mean: 54 bits, 2^-10 ns                       | weight: 10 bits   |
//! +-----------------------------------------------+-------------------+
//! ```
//! Relaxed, and one exchange a reply at most: a reply that loses a race is not learnt.
//!
//! # Limits
//! - A reply that took longer than the time-out counts as one that took just that: nobody waits longer, so the reading is
//!   that of a machine that was suspended or of a clock that stepped. One such reading moves the mean by a 64th of the
//!   time-out if it is learnt, among the very first by a ninth.
//! - Replies of over 4.8 h count as 4.8 h.
//! - An older reading: the reply took no time.

use crate::concurrency_limit::config::Settings;
use crate::sync::{AtomicU64, Ordering, const_constructor};

#[derive(Debug)]
#[repr(C)]
pub(super) struct Usual(AtomicU64);

const WEIGHT_BITS: u32 = 10;
const WEIGHT: u64 = (1 << WEIGHT_BITS) - 1;
/// The weight of what stands there before anything was learnt.
const FIRST: u64 = 8;
/// Where the weight stops to grow.
const FULL: u64 = 512;
/// One reply in so many is learnt then, for all of them: by the turn of its slot, which needs no count of its own.
const EVERY: u32 = 8;
/// The longest latency that fits.
const LONGEST_NS: u64 = u64::MAX >> (2 * WEIGHT_BITS);

impl Usual {
    const_constructor! {
        pub(super) fn unknown() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// From which latency on a reply is slow: `tolerance` times the usual one, but at least `slow_after`, and at most
    /// nine tenths of the time-out where `slow_after` is no more.
    pub(super) fn slow_after_ns(&self, settings: &Settings) -> u64 {
        let least = settings.slow_after_ns();
        let most = (settings.timeout_ns() / 10).saturating_mul(9).max(least);
        self.tolerated_ns(settings).clamp(least, most)
    }

    /// Whether so much of the time-out is usual that some calls time out while all is well.
    pub(super) fn is_long(&self, settings: &Settings) -> bool {
        self.tolerated_ns(settings) > settings.timeout_ns() / 5 * 2
    }

    /// Whether a reply that took so long is slow. What is usual only ever raises the bound: for most it need not be known.
    pub(super) fn is_slow(&self, latency_ns: u64, settings: &Settings) -> bool {
        latency_ns > settings.slow_after_ns() && latency_ns > self.slow_after_ns(settings)
    }

    /// 0 while nothing is known, or nothing is to be learnt.
    fn tolerated_ns(&self, settings: &Settings) -> u64 {
        let percent = settings.terms().tolerance_percent();
        if percent == 0 {
            return 0;
        }
        // Under 2^44 x 10,000.
        (self.0.load(Ordering::Relaxed) >> (2 * WEIGHT_BITS)) * percent / 100
    }

    /// Whether a good reply of a permit of this turn teaches nothing.
    #[inline]
    pub(super) fn is_settled(&self, turn: u32) -> bool {
        self.0.load(Ordering::Relaxed) & WEIGHT >= FULL && !turn.is_multiple_of(EVERY)
    }

    #[inline(never)]
    pub(super) fn learn(&self, latency_ns: u64, turn: u32, settings: &Settings) {
        let percent = settings.terms().tolerance_percent();
        if percent == 0 {
            return;
        }
        let word = self.0.load(Ordering::Relaxed);
        let (mean, weight) = match word & WEIGHT {
            // At least 100 percent: no more than `slow_after`.
            0 => (fixed((u128::from(settings.slow_after_ns()) * 100 / u128::from(percent)) as u64), FIRST),
            weight => (word >> WEIGHT_BITS, weight),
        };
        let (weight, share) = if weight < FULL {
            (weight + 1, weight + 1)
        } else if turn.is_multiple_of(EVERY) {
            (FULL, FULL / u64::from(EVERY))
        } else {
            return;
        };
        let latency_ns = latency_ns.min(settings.timeout_ns());
        // Both are under 2^54, and the share is not zero.
        let step = (fixed(latency_ns) as i64 - mean as i64) / share as i64;
        let next = mean.wrapping_add_signed(step) << WEIGHT_BITS | weight;
        if next != word {
            let _ = self.0.compare_exchange(word, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

const fn fixed(nanos: u64) -> u64 {
    if nanos > LONGEST_NS { LONGEST_NS << WEIGHT_BITS } else { nanos << WEIGHT_BITS }
}
