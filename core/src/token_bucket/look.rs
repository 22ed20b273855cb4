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
