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

    /// What [`nanos_until_by`](Self::nanos_until_by) divides with, made once for a speed that is asked often.
    pub(crate) const fn inverse(self) -> u64 {
        // Without the 2^64 that it has for every mantissa of at least 2^63.
        if self.mantissa == 0 { 0 } else { (u128::MAX / self.mantissa as u128) as u64 }
    }

    /// Nanoseconds until `area` has grown to `target` whole units; `None` past 584 years or at speed zero.
    pub(crate) const fn nanos_until(self, area: u128, target: u64) -> Option<u64> {
        self.nanos_until_by(self.inverse(), area, target)
    }

    /// [`nanos_until`](Self::nanos_until) to the nanosecond, by multiplications.
    #[inline]
    pub(crate) const fn nanos_until_by(self, inverse: u64, area: u128, target: u64) -> Option<u64> {
        let whole = self.whole(area);
        if target <= whole {
            return Some(0);
        }
        let missing = target - whole;
        if missing > u64::MAX >> self.shift {
            return None;
        }
        // What is there of the next unit: under 2^(64 + shift), so that what is missing of the rest is 1 at least.
        let part = area - ((whole as u128) << self.shift << 64);
        // `missing << shift` fits 64 bits by the check above, so the left side fits 128.
        match self.quotient(inverse, (((missing << self.shift) as u128) << 64) - part - 1) {
            // Rounded up: the quotient of one less, and one.
            Some(nanos) if nanos < u64::MAX - 1 => Some(nanos + 1),
            _ => None,
        }
    }

    /// `area / mantissa`, rounded down; `None` from 2^64 on, and at speed zero.
    ///
    /// Moller and Granlund, "Improved division by invariant integers" (2011), algorithm 4: the estimate by the
    /// inverse is one too large at most, and after that, in rare cases, one too small.
    #[inline]
    const fn quotient(self, inverse: u64, area: u128) -> Option<u64> {
        let (high, low) = ((area >> 64) as u64, area as u64);
        if high >= self.mantissa {
            return None;
        }
        // With d the mantissa it is (2^64 + inverse) x high + low, at most (2^128 - 1) / d x (d - 1) + 2^64 - 1.
        let estimate = inverse as u128 * high as u128 + area;
        let mut quotient = ((estimate >> 64) as u64).wrapping_add(1);
        let mut rest = low.wrapping_sub(quotient.wrapping_mul(self.mantissa));
        if rest > estimate as u64 {
            quotient = quotient.wrapping_sub(1);
            rest = rest.wrapping_add(self.mantissa);
        }
        if rest >= self.mantissa {
            quotient += 1;
        }
        Some(quotient)
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
    fn the_wait_by_an_inverse_is_that_by_a_division() {
        let mut random = crate::Random::from_seed(7);
        let mut edges = std::vec![0, 1, 2, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1, (1 << 63) - 1];
        edges.extend((0..40).map(|_| random.next_u64()));
        for &low_mantissa in &edges {
            let mantissa = low_mantissa | 1 << 63;
            for shift in [0, 1, 13, 62, 63] {
                let speed = Speed { mantissa, shift };
                for &high in &edges {
                    for low in [0, 1, u64::MAX, random.next_u64()] {
                        let area = (u128::from(high) << 64) | u128::from(low);
                        let exact = area / u128::from(mantissa);
                        assert_eq!(
                            speed.quotient(speed.inverse(), area),
                            u64::try_from(exact).ok(),
                            "{area} {mantissa}"
                        );
                        for missing in [1, 2, 1_000, 1 << 40] {
                            let Some(target) = speed.whole(area).checked_add(missing) else { continue };
                            let goal = u128::from(missing)
                                .checked_shl(64 + shift)
                                .filter(|g| g >> (64 + shift) == u128::from(missing));
                            let part = area & ((1 << (64 + shift)) - 1);
                            let exact = goal.map(|goal| (goal - part).div_ceil(u128::from(mantissa)));
                            let exact = exact.filter(|nanos| *nanos < u128::from(u64::MAX)).map(|nanos| nanos as u64);
                            assert_eq!(speed.nanos_until(area, target), exact, "{speed:?} {area} {missing}");
                        }
                    }
                }
            }
        }
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
