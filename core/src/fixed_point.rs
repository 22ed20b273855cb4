//! [`Speed`]: units per nanosecond as a normalised fixed-point fraction.
//!
//! A speed is `mantissa / 2^(64 + shift)` with the top bit of the mantissa set, so its relative
//! error is below 2^-63 whatever its size: one unit a nanosecond or one in a century. It is rounded
//! up, so that a token that is due at a whole nanosecond is there at that nanosecond; what the
//! rounding adds stays below one unit over the whole range of time.

/// Units per nanosecond, at most 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Speed {
    /// At least 2^63, or 0 for a speed of zero.
    pub(crate) mantissa: u64,
    /// 0 to 63.
    pub(crate) shift: u32,
}

impl Speed {
    /// `units / nanos`, which the caller keeps at most 1.
    pub(crate) const fn new(units: u64, nanos: u64) -> Self {
        if units == 0 {
            return Self { mantissa: 0, shift: 0 };
        }
        if units >= nanos {
            return Self { mantissa: u64::MAX, shift: 0 };
        }
        // The largest shift that keeps `units << shift` below `nanos`; both fit 64 bits.
        let mut shift = units.leading_zeros() - nanos.leading_zeros();
        if units << shift >= nanos {
            shift -= 1;
        }
        // Below 2^64, as `units << shift < nanos`.
        let quotient = (((units << shift) as u128) << 64).div_ceil(nanos as u128);
        Self { mantissa: if quotient > u64::MAX as u128 { u64::MAX } else { quotient as u64 }, shift }
    }

    /// `units / nanos` on the scale of `self`, rounded up as `self` is; the caller keeps it at most `self`.
    pub(crate) const fn mantissa_of(self, units: u64, nanos: u64) -> u64 {
        let other = Self::new(units, nanos);
        if other.mantissa == 0 || other.shift < self.shift {
            return if other.mantissa == 0 { 0 } else { self.mantissa };
        }
        let down = other.shift - self.shift;
        let scaled = if down > 63 { 1 } else { ((other.mantissa as u128 + (1 << down) - 1) >> down) as u64 };
        if scaled > self.mantissa { self.mantissa } else { scaled }
    }

    /// Whole units in `area`, which is in units of 2^-(64 + shift).
    pub(crate) const fn whole(self, area: u128) -> u64 {
        // Below 2^64 by the type of the high half.
        ((area >> 64) as u64) >> self.shift
    }

    /// The fraction of a unit in `area`, in units of 2^-64, rounded down.
    pub(crate) const fn fraction(self, area: u128) -> u64 {
        (area >> self.shift) as u64
    }

    /// What `remainder` (below the mantissa) and a count of nanoseconds need to become the instants at which whole units
    /// are there; `None` at speed zero and where the mantissa is 2^63, which has no reciprocal of 65 bits.
    pub(crate) const fn reciprocal(self, remainder: u64) -> Option<Reciprocal> {
        if self.mantissa <= 1 << 63 || remainder >= self.mantissa {
            return None;
        }
        // The ceiling of 2^128 / mantissa is over 2^64 and below 2^65: the low word is what is over 2^64.
        let fraction = (u128::MAX / self.mantissa as u128 + 1) as u64;
        // Below 2^64, as the remainder is below the mantissa.
        let phase = (((remainder as u128) << 64) / self.mantissa as u128) as u64;
        Some(Reciprocal { mantissa: self.mantissa, remainder, fraction, phase })
    }

    /// Nanoseconds until `area` has grown to `target` whole units; `None` past 584 years or at speed zero.
    pub(crate) const fn nanos_until(self, area: u128, target: u64) -> Option<u64> {
        let whole = self.whole(area);
        if target <= whole {
            return Some(0);
        }
        let missing = target - whole;
        if self.mantissa == 0 || missing.leading_zeros() < self.shift {
            return None;
        }
        let part = area - ((whole as u128) << self.shift << 64);
        // `missing << shift` fits 64 bits by the check above, so the left side fits 128.
        let nanos = ((((missing << self.shift) as u128) << 64) - part).div_ceil(self.mantissa as u128);
        if nanos >= u64::MAX as u128 { None } else { Some(nanos as u64) }
    }
}

/// Nanoseconds per unit: the division of [`Speed::nanos_until`] as two multiplications.
///
/// With m the mantissa and r the remainder, the first nanosecond at which `target` x 2^64 is reached is
/// ceil((target x 2^64 - r) / m). Its estimate is floor(target + (target x `fraction` - `phase`) / 2^64), where `fraction`
/// is 2^64 (2^64 / m - 1) rounded up and `phase` is 2^64 r / m rounded down: over the quotient before its rounding, by
/// less than (target + 1) / 2^64, so by less than 1. So the estimate is the answer or the nanosecond before; the area there
/// says which, for there the answer's high word is the target, and the nanosecond before it is one less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reciprocal {
    /// Over 2^63.
    pub(crate) mantissa: u64,
    /// Below the mantissa.
    pub(crate) remainder: u64,
    pub(crate) fraction: u64,
    pub(crate) phase: u64,
}

impl Reciprocal {
    /// The first nanosecond at which `nanos x mantissa + remainder` is at least `target x 2^64`; `target` is over 0.
    ///
    /// Words that do not belong together, or an instant past 2^64, give nonsense but no panic.
    #[inline(always)]
    pub(crate) const fn nanos(self, target: u64) -> u64 {
        // Below zero for small targets: then all ones above, which is minus one.
        let above = (target as u128 * self.fraction as u128).wrapping_sub(self.phase as u128) >> 64;
        let estimate = target.wrapping_add(above as u64);
        // (2^64 - 1)^2 + 2^64 - 1 fits.
        let reached = ((estimate as u128 * self.mantissa as u128 + self.remainder as u128) >> 64) as u64;
        // 0 or 1 short.
        estimate.wrapping_add(target.wrapping_sub(reached))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_nanoseconds_are_exact() {
        for (units, nanos) in [(1, 3), (10, 1_000_000_000), (1, 86_400_000_000_000), (999_999_999, 1_000_000_000)] {
            let speed = Speed::new(units, nanos);
            assert!(speed.mantissa >= 1 << 63);
            for periods in [1_u64, 2, 7, 1_000] {
                let area = (nanos * periods) as u128 * speed.mantissa as u128;
                assert_eq!(speed.whole(area), units * periods, "{units} per {nanos} ns, {periods} periods");
            }
        }
    }

    #[test]
    fn the_wait_is_the_first_nanosecond_that_suffices() {
        let speed = Speed::new(3, 1_000);
        for elapsed in [0_u64, 1, 333, 334, 999] {
            let area = elapsed as u128 * speed.mantissa as u128;
            for target in 1..10 {
                let wait = speed.nanos_until(area, target).expect("soon");
                let at = |w: u64| speed.whole((elapsed + w) as u128 * speed.mantissa as u128);
                assert!(at(wait) >= target);
                assert!(wait == 0 || at(wait - 1) < target);
            }
        }
    }

    #[test]
    fn a_reciprocal_finds_the_nanosecond_that_the_division_finds() {
        let mut random = crate::random::Random::from_seed(7);
        let rates = [(1, 3), (10, 1_000_000_000), (999_999_999, 1_000_000_000), (5 << 23, 1_000_000_000), (7, 1 << 62)];
        let drawn = (0..3_000).map(|_| {
            let nanos = random.next_u64() >> (random.next_u64() % 60);
            (random.next_u64() % nanos.max(2) + 1, nanos.max(2))
        });
        let speeds =
            rates.into_iter().chain(drawn.collect::<std::vec::Vec<_>>()).map(|(u, n)| Speed::new(u, n).mantissa);
        let edges = [(1 << 63) + 1, (1 << 63) + 2, u64::MAX, u64::MAX - 1, 3 << 62];
        let mut found = 0;
        for mantissa in speeds.chain(edges) {
            for remainder in [0, 1, mantissa / 2, mantissa - 1, random.next_u64() % mantissa] {
                let Some(reciprocal) = (Speed { mantissa, shift: 0 }).reciprocal(remainder) else { continue };
                for target in
                    [1, 2, 3, mantissa / 2, mantissa - 1, random.next_u64() >> (random.next_u64() % 63) >> 1 | 1]
                {
                    let exact = (((target as u128) << 64) - remainder as u128).div_ceil(mantissa as u128);
                    if let Ok(exact) = u64::try_from(exact) {
                        assert_eq!(reciprocal.nanos(target), exact, "{target} at {mantissa} + {remainder}");
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 50_000, "{found}");
        assert!(Speed::new(0, 5).reciprocal(0).is_none() && Speed::new(1, 2).reciprocal(0).is_none());
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        assert_eq!(Speed::new(0, 5).nanos_until(0, 1), None);
        assert_eq!(Speed::new(1, u64::MAX).nanos_until(0, u64::MAX), None);
        assert_eq!(Speed::new(u64::MAX, u64::MAX).mantissa, u64::MAX);
        assert_eq!(Speed::new(1, u64::MAX).shift, 63);
        assert_eq!(Speed::new(u64::MAX - 1, u64::MAX).shift, 0);
    }
}
