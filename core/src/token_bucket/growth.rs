//! How the level of one configuration grows, in the five words that a take needs: [`Growth`].

use crate::fixed_point::Speed;
use crate::warm_up::Curve;

/// The level in units of 2^-k tokens, on the same scale as the bucket's position.
///
/// From `base` on, `level(now) = level + ((now - base) * mantissa + remainder) / 2^(64 + shift)`, rounded down.
/// Before `base` a warm-up is under way, or no time has passed.
///
/// ```text
/// shape    bit 18 warm-up   17..16 curve   13..8 k   5..0 shift
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) base: u64,
    pub(super) mantissa: u64,
    pub(super) remainder: u64,
    pub(super) level: u64,
    pub(super) burst: u32,
    pub(super) shape: u32,
}

impl Growth {
    pub(super) const fn shape(k: u32, shift: u32, curve: Curve, is_ramped: bool) -> u32 {
        shift | k << 8 | (curve as u32) << 16 | (is_ramped as u32) << 18
    }

    /// k: a unit is 2^-k tokens, and k at most 63, in truth at most 26.
    #[inline]
    pub(super) const fn unit_exponent(&self) -> u32 {
        self.shape >> 8 & 0x3F
    }

    /// `n` tokens in units: at most 2^58.
    #[inline]
    pub(super) const fn units(&self, n: u32) -> u64 {
        (n as u64) << self.unit_exponent()
    }

    #[inline]
    pub(super) const fn burst_units(&self) -> u64 {
        self.units(self.burst)
    }

    #[inline]
    pub(super) const fn speed(&self) -> Speed {
        Speed { mantissa: self.mantissa, shift: self.shape & 0x3F }
    }

    pub(super) const fn curve(&self) -> Curve {
        Curve::from_bits((self.shape >> 16 & 3) as u64)
    }

    #[inline]
    pub(super) const fn is_ramped(&self) -> bool {
        self.shape >> 18 & 1 == 1
    }

    /// What has grown since `base`, on the scale of the speed.
    #[inline]
    pub(super) const fn area(&self, since: u64) -> u128 {
        // (2^64 - 1)^2 + 2^64 - 1 fits.
        since as u128 * self.mantissa as u128 + self.remainder as u128
    }

    /// The whole units earned by `now`; `None` in a warm-up, which only the whole configuration knows.
    #[inline]
    pub(super) const fn level_at(&self, now: u64) -> Option<u64> {
        if now >= self.base {
            return Some(self.level.saturating_add(self.speed().whole(self.area(now - self.base))));
        }
        if self.is_ramped() { None } else { Some(self.level) }
    }

    /// The position from which the next take counts: a full bucket earns nothing more.
    #[inline]
    pub(super) const fn capped(&self, position: u64, level: u64) -> u64 {
        let lowest = level.saturating_sub(self.burst_units());
        if position > lowest { position } else { lowest }
    }
}
