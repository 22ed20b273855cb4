//! The terms that all keys share: how the level grows, and the burst. [`Terms`], and what of them a call needs, [`Growth`].
//!
//! Every key earns alike, so one level serves them all; a key is its position below that level. A new rate bends the
//! level from an instant on and touches no key: what each has on hand at that instant is what it had.

use crate::fixed_point::Speed;
use crate::keyed_buckets::config::{KeyedChangeError, KeyedConfig, KeyedConfigError, WhenFull};
use crate::keyed_buckets::place::LAST_POSITION;
use crate::rate::Rate;

/// Above every burst in units (under 2^32 tokens of 2^16 units), so that a full bucket never begins below zero.
const FIRST_LEVEL: u64 = 1 << 48;
/// A unit is at least a microsecond of the first rate.
const UNIT_NS: u64 = 1_000;
const MOST_EXPONENT: u32 = 16;
const FAIL_CLOSED: u64 = 1 << 46;
const EXPONENT_SHIFT: u32 = 40;

/// The level is `level + ((now - base) * mantissa + remainder) / 2^(64 + shift)` units from `base` on, and `level` before.
///
/// ```text
/// shape    bit 46 fail closed   45..40 k   37..32 shift   31..0 burst
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) base: u64,
    pub(super) mantissa: u64,
    pub(super) remainder: u64,
    pub(super) level: u64,
    /// No position counts as lower than this: a burst that grew makes no token.
    pub(super) lowest: u64,
    /// The burst in units.
    pub(super) full: u64,
    pub(super) shape: u64,
    /// Of the mantissa, for the wait of who is refused.
    pub(super) inverse: u64,
}

/// How the level grows, and the rate as it was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) growth: Growth,
    pub(super) rate: Rate,
}

/// The largest k up to 16 at which a unit of 2^-k tokens is at least a microsecond of `rate`.
pub(super) const fn unit_exponent(rate: Rate) -> u32 {
    let mut k = MOST_EXPONENT;
    while k > 0 && ((rate.count() as u128) << k) * UNIT_NS as u128 > rate.period_ns() as u128 {
        k -= 1;
    }
    k
}

pub(super) const fn check(config: &KeyedConfig) -> Result<(), KeyedConfigError> {
    if config.burst == 0 {
        return Err(KeyedConfigError::ZeroBurst);
    }
    if config.rate.count() as u128 * UNIT_NS as u128 > config.rate.period_ns() as u128 {
        return Err(KeyedConfigError::RateTooFast);
    }
    Ok(())
}

impl Terms {
    pub(super) const fn first(config: &KeyedConfig, k: u32, start: u64) -> Self {
        Self::from_level(config, k, FIRST_LEVEL, 0, start, 0)
    }

    /// Terms whose level at `at` is `level` and `fraction` of 2^-64 units. The rate is checked.
    const fn from_level(config: &KeyedConfig, k: u32, level: u64, fraction: u64, at: u64, lowest: u64) -> Self {
        // Fits, and at most the period: `check`, `unit_exponent` and `next` see to it.
        let speed = Speed::new(config.rate.count() << k, config.rate.period_ns());
        // Under 2^128.
        let area = (fraction as u128) << speed.shift;
        // The part of a unit: by beginning a little earlier, to the nanosecond, and the rest as a remainder.
        let (earlier, remainder) = if speed.mantissa == 0 {
            (0, fraction)
        } else {
            // The area is under a unit, 2^(64 + shift), and the mantissa at least 2^63.
            ((area / speed.mantissa as u128) as u64, (area % speed.mantissa as u128) as u64)
        };
        let closed = if matches!(config.when_full, WhenFull::FailClosed) { FAIL_CLOSED } else { 0 };
        let growth = Growth {
            base: at.saturating_sub(earlier),
            mantissa: speed.mantissa,
            remainder,
            level,
            lowest,
            // Under 2^48.
            full: (config.burst as u64) << k,
            shape: config.burst as u64 | (speed.shift as u64) << 32 | (k as u64) << EXPONENT_SHIFT | closed,
            inverse: speed.inverse(),
        };
        Self { growth, rate: config.rate }
    }

    /// What follows at `now`, counted as `new_now` by a clock that may be another.
    pub(super) fn next(&self, config: &KeyedConfig, now: u64, new_now: u64) -> Result<Self, KeyedChangeError> {
        check(config)?;
        if self.growth.full == 0 {
            // All zero: it was never made, and has no scale.
            return Err(KeyedConfigError::ZeroBurst.into());
        }
        let k = self.growth.exponent();
        if (config.rate.count() as u128) << k > config.rate.period_ns() as u128 {
            return Err(KeyedChangeError::RateTooFarUp);
        }
        // An older `now` is no time.
        let at = now.max(self.growth.base);
        let (level, fraction) = self.growth.exact(at);
        if level > LAST_POSITION - FIRST_LEVEL {
            return Err(KeyedChangeError::RangeSpent);
        }
        let lowest = self.growth.floor(level);
        Ok(Self::from_level(config, k, level, fraction, new_now.saturating_add(at - now), lowest))
    }

    /// As now, but every bucket is full, and time goes on from `now` even where that is an older reading.
    pub(super) fn anew(&self, now: u64) -> Self {
        Self::from_level(&self.config(), self.growth.exponent(), self.growth.level_at(now), 0, now, 0)
    }

    pub(super) const fn config(&self) -> KeyedConfig {
        KeyedConfig { rate: self.rate, burst: self.growth.burst(), when_full: self.growth.when_full() }
    }
}

impl Growth {
    #[inline]
    pub(super) const fn burst(&self) -> u32 {
        self.shape as u32
    }

    /// k: a unit is 2^-k tokens, for the life of the table.
    #[inline]
    const fn exponent(&self) -> u32 {
        // At most 16; the mask for storage that was damaged.
        (self.shape >> EXPONENT_SHIFT) as u32 & 0x3F
    }

    /// `n` tokens in units; `n` is at most a burst.
    #[inline]
    pub(super) const fn units(&self, n: u32) -> u64 {
        // Under 2^48.
        (n as u64) << self.exponent()
    }

    /// Whole tokens in `units` of at most a burst.
    pub(super) const fn whole_tokens(&self, units: u64) -> u32 {
        (units >> self.exponent()) as u32
    }

    pub(super) const fn when_full(&self) -> WhenFull {
        if self.shape & FAIL_CLOSED == 0 { WhenFull::FailOpen } else { WhenFull::FailClosed }
    }

    #[inline]
    const fn speed(&self) -> Speed {
        Speed { mantissa: self.mantissa, shift: (self.shape >> 32) as u32 & 0x3F }
    }

    #[inline]
    const fn area(&self, now: u64) -> u128 {
        // (2^64 - 1)^2 + 2^64 - 1 fits.
        now.saturating_sub(self.base) as u128 * self.mantissa as u128 + self.remainder as u128
    }

    /// The whole units earned by `now`, and the part of a unit in 2^-64 units.
    const fn exact(&self, now: u64) -> (u64, u64) {
        let area = self.area(now);
        let level = self.level.saturating_add(self.speed().whole(area));
        if level > LAST_POSITION { (LAST_POSITION, 0) } else { (level, self.speed().fraction(area)) }
    }

    /// The whole units earned by `now`: at most the last position.
    #[inline]
    pub(super) const fn level_at(&self, now: u64) -> u64 {
        let level = self.level.saturating_add(self.speed().whole(self.area(now)));
        if level > LAST_POSITION { LAST_POSITION } else { level }
    }

    /// The position of a full bucket at `level`; one at or below it has nothing to remember.
    #[inline]
    pub(super) const fn floor(&self, level: u64) -> u64 {
        // Every level is at least the first one, which is over every burst.
        let full = level.wrapping_sub(self.full);
        if full > self.lowest { full } else { self.lowest }
    }

    /// Nanoseconds from `now` until the level is `target`; `u64::MAX` where that never comes.
    #[inline]
    pub(super) const fn nanos_until(&self, now: u64, target: u64) -> u64 {
        if target <= self.level_at(now) {
            return 0;
        }
        if target > LAST_POSITION {
            return u64::MAX;
        }
        // Before the base nothing is earned, and the time up to it is waited for besides.
        match self.speed().nanos_until_by(self.inverse, self.area(now), target - self.level) {
            Some(nanos) => nanos.saturating_add(self.base.saturating_sub(now)),
            None => u64::MAX,
        }
    }
}
