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
    fn extremes_neither_wrap_nor_panic() {
        assert_eq!(Speed::new(0, 5).nanos_until(0, 1), None);
        assert_eq!(Speed::new(1, u64::MAX).nanos_until(0, u64::MAX), None);
        assert_eq!(Speed::new(u64::MAX, u64::MAX).mantissa, u64::MAX);
        assert_eq!(Speed::new(1, u64::MAX).shift, 63);
        assert_eq!(Speed::new(u64::MAX - 1, u64::MAX).shift, 0);
    }
}
