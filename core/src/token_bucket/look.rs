//! What a take or a look needs to know, from the fewest words: [`Look`].
//!
//! # Invariant
//! A look says what [`Settings`] say, to the unit and the nanosecond, or that it is [`Unclear`](Look::Unclear). It reads
//! words that may belong to two configurations: nothing that it computes can panic, and what it says counts only where
//! the caller then finds the state as it was.
//!
//! # Limits
//! Unclear is: a warm-up under way, a reading before the configuration or 292 years after it, a configuration that begins
//! 292 years after the origin, a rate over 250 million a second or whose units of nanoseconds are powers of two exactly, a
//! rate of zero that refuses, positions in the last half of their range, more missing than two bursts.

use crate::fixed_point::Reciprocal;
use crate::sync::Ordering;
use crate::time::SECOND;
use crate::token_bucket::settings::Settings;
use crate::token_bucket::slot::Slot;
use crate::token_bucket::{FIRST_POSITION, LAST_POSITION};

/// Readings further from a base than this are left to those who have time for them.
const FARTHEST: u64 = 1 << 63;

/// What a look finds.
pub(super) enum Look {
    /// The tokens are there: this is the state once they are taken.
    Fits(u64),
    /// They are not: the first nanosecond at which they are comes after so many, over zero.
    Missing(u64),
    /// The whole configuration has to say.
    Unclear,
}

/// The words of a slot that only a look reads: they follow from the others.
pub(super) struct Shortcut {
    /// Units of a token: 2^k, or 0 where a look never says that it fits.
    pub(super) unit: u64,
    /// The most units that may be missing for a look to say for how long.
    pub(super) most_missing: u64,
    pub(super) fraction: u64,
    pub(super) phase: u64,
}

impl Shortcut {
    pub(super) const fn of(settings: &Settings) -> Self {
        let growth = &settings.growth;
        let speed = growth.speed();
        // Up to the farthest reading the level grows by FARTHEST >> shift at most, and stays in the range with all that
        // may be missing.
        let grown = if speed.mantissa == 0 { 0 } else { FARTHEST >> speed.shift };
        let is_near = growth.base <= FARTHEST && growth.level.saturating_add(grown) < LAST_POSITION - FIRST_POSITION;
        // A clock that went back is for the whole configuration to find: one that is a second before the beginning, or
        // that owes more than a burst when a burst is asked for.
        let is_late = growth.base.saturating_add(SECOND) >= settings.began();
        match speed.reciprocal(growth.remainder) {
            Some(reciprocal) if is_near && is_late => Self {
                unit: 1 << growth.unit_exponent(),
                // Below 2^34; and 2^62 nanoseconds at most, so that 2^64 is not passed after the farthest reading.
                most_missing: {
                    let (bursts, years) = (2 * growth.burst_units(), (1 << 62) >> speed.shift);
                    if bursts < years { bursts } else { years }
                },
                fraction: reciprocal.fraction,
                phase: reciprocal.phase,
            },
            _ => Self {
                unit: if is_near { 1 << growth.unit_exponent() } else { 0 },
                most_missing: 0,
                fraction: 0,
                phase: 0,
            },
        }
    }
}

impl Slot {
    /// Whether `n` tokens are there at `now`, for a `state` in which this slot is live.
    #[inline(always)]
    pub(super) fn look(&self, state: u64, n: u32, now: u64) -> Look {
        // More than a burst, or nothing; one is neither.
        if n != 1 && n.wrapping_sub(1) >= self.burst.load(Ordering::Acquire) {
            return Look::Unclear;
        }
        let since = now.wrapping_sub(self.base.load(Ordering::Acquire));
        // Before the base, for no base is over 2^63 that has a unit; or too long after it.
        if since >= FARTHEST {
            return Look::Unclear;
        }
        let (mantissa, remainder) = (self.mantissa.load(Ordering::Acquire), self.remainder.load(Ordering::Acquire));
        // (2^64 - 1)^2 + 2^64 - 1 fits.
        let area = since as u128 * mantissa as u128 + remainder as u128;
        // The shift is the low six bits of the shape, which is what a shift by it counts.
        let shape = self.shape.load(Ordering::Acquire);
        let grown = ((area >> 64) as u64).wrapping_shr(shape);
        let (anchor, unit) = (self.anchor.load(Ordering::Acquire), || self.unit.load(Ordering::Acquire));
        // Both have the slot's number in their high bits: it cancels. Within 2^62 on either side of zero. One token, which
        // is what is asked for mostly, is in the anchor.
        let more = if n == 1 { 0 } else { unit().wrapping_mul(n.wrapping_sub(1) as u64) };
        let beyond = state.wrapping_sub(anchor).wrapping_add(more);
        if beyond as i64 <= grown as i64 {
            let unit = unit();
            // Below 2^58 where the words belong together.
            let units = unit.wrapping_mul(n as u64);
            // A full bucket earns nothing more. Below the last position, as the shortcut saw to it.
            let burst = self.burst.load(Ordering::Acquire) as u64;
            let lowest = anchor.wrapping_add(grown).wrapping_sub(unit.wrapping_mul(burst.wrapping_sub(1)));
            let from = if state > lowest { state } else { lowest };
            return if units == 0 { Look::Unclear } else { Look::Fits(from.wrapping_add(units)) };
        }
        let missing = beyond.wrapping_sub(grown);
        if missing > self.most_missing.load(Ordering::Acquire) {
            return Look::Unclear;
        }
        let (fraction, phase) = (self.fraction.load(Ordering::Acquire), self.phase.load(Ordering::Acquire));
        let reached = Reciprocal { mantissa, remainder, fraction, phase }.nanos(beyond.wrapping_shl(shape));
        // After `since`, at which it was missing.
        Look::Missing(reached.wrapping_sub(since))
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use core::time::Duration;
    use std::vec::Vec;

    use super::*;
    use crate::random::Random;
    use crate::rate::Rate;
    use crate::refused::{Refused, Stage};
    use crate::time::Instant;
    use crate::token_bucket::{BucketConfig, Fill, TokenBucket, pack, position_of, slot_of};
    use crate::warm_up::{Curve, WarmUp};

    /// What a look says, and what all the words of the slot say; whether they are the same.
    fn is_told(bucket: &TokenBucket, n: u32, now: u64) -> Option<bool> {
        let state = bucket.state.load(Ordering::Relaxed);
        let slot = &bucket.slots[slot_of(state)];
        let settings = slot.read();
        let after = TokenBucket::after(&settings.growth, position_of(state), n, settings.level_at(now));
        let why_not = || TokenBucket::why_not(&settings, position_of(state), n, now);
        match slot.look(state, n, now) {
            Look::Fits(fits) => Some(after.map(|position| pack(position, slot_of(state))) == Some(fits)),
            Look::Missing(nanos) => {
                Some(after.is_none() && why_not() == Refused::missing_ns(Stage::TokenBucket, nanos) && nanos != 0)
            }
            Look::Unclear => None,
        }
    }

    #[test]
    fn a_look_says_what_the_whole_configuration_says_or_that_it_is_unclear() {
        let mut random = Random::from_seed(7);
        let mut number = |bits: u32| random.next_u64() >> (64 - bits) >> (random.next_u64() % u64::from(bits));
        let (mut fits, mut missing, mut unclear) = (0, 0, 0);
        for round in 0..20_000_u64 {
            let rate = |count: u64, period: u64| Rate::new(count, Duration::from_nanos(period)).unwrap_or(Rate::ZERO);
            let burst = number(32).max(1) as u32;
            let start = if round % 4 == 0 { number(64) } else { number(60) };
            let warm_up = match round % 5 {
                0 => WarmUp {
                    curve: Curve::Linear,
                    from: Rate::per_second(number(8)),
                    duration: Duration::from_nanos(number(36)),
                },
                _ => WarmUp::NONE,
            };
            let config = BucketConfig {
                rate: rate(number(34), number(60).max(1)),
                burst,
                fill: Fill::Tokens(number(33).min(u64::from(u32::MAX)) as u32),
                warm_up,
            };
            let Ok(bucket) = TokenBucket::new(config, Instant::from_nanos(start)) else { continue };
            let mut now = start;
            for step in 0..40 {
                now = match number(3) {
                    0 => number(64),
                    1 => now.saturating_sub(number(34)),
                    2 => start.saturating_sub(1),
                    _ => now.saturating_add(number(50)),
                };
                let at = Instant::from_nanos(now);
                let numbers: Vec<u32> = [0, 1, 2, burst.wrapping_sub(1), burst, burst.wrapping_add(1), u32::MAX]
                    .into_iter()
                    .chain([number(32) as u32, bucket.available(at), bucket.available(at).wrapping_add(1)])
                    .collect();
                for n in &numbers {
                    match is_told(&bucket, *n, now) {
                        Some(is_right) => {
                            let answer = bucket.peek(*n, at);
                            assert!(is_right, "{n} at {now}: {answer:?} of {bucket:?}");
                            if answer.is_ok() { fits += 1 } else { missing += 1 }
                        }
                        None => unclear += 1,
                    }
                }
                let n = numbers[(number(5) % 10) as usize];
                match (step + round) % 9 {
                    0 => drop(bucket.set_rate(rate(number(34), number(60).max(1)), at)),
                    1 => drop(bucket.set_burst(number(32) as u32, at)),
                    2 => drop(bucket.reserve(n, Duration::from_nanos(number(60)), at)),
                    3 => drop(bucket.refund(n, at)),
                    4 => drop(bucket.drain_to(n, at)),
                    5 => drop(bucket.rebase(at, Instant::from_nanos(number(64)))),
                    _ => drop(bucket.try_take(n, at)),
                }
            }
        }
        assert!(fits > 100_000 && missing > 100_000 && unclear > 100_000, "{fits} {missing} {unclear}");
    }
}
