//! [`Divisor`]: exact division by a number that is known long before the dividend.
//!
//! The width of a slice is fixed when a window is built, and a record divides by it. A 64-bit division costs as much as
//! the atomic step that follows; a multiplication, an addition and a shift do not.
//!
//! For a divisor `d` with `2^s <= d < 2^(s+1)` let `m = floor(2^(64+s) / d)`, and `r` the remainder. The quotient of
//! every `n < 2^64` is `((m + 1) * n) >> (64 + s)` if `d - r < 2^s`, and else `(m * n + m) >> (64 + s)`: one of `r` and
//! `d - r` is under `2^s`, as they add up to `d`. A power of two leaves no remainder, and the second form serves it with
//! `m = 2^64 - 1` (Robison, "N-Bit Unsigned Division Via N-Bit Multiply-Add", 2005).

/// A divisor of at least 1, prepared.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Divisor {
    divisor: u64,
    multiplier: u64,
    /// 0, or the multiplier.
    addend: u64,
    shift: u64,
}

impl Divisor {
    /// All zero, as storage that nobody has written: every quotient is 0.
    pub(crate) const NONE: Self = Self { divisor: 0, multiplier: 0, addend: 0, shift: 0 };

    /// Prepares `divisor`; zero counts as 1.
    pub(crate) const fn new(divisor: u64) -> Self {
        let divisor = if divisor == 0 { 1 } else { divisor };
        let shift = divisor.ilog2();
        let whole = 1_u128 << (64 + shift);
        let (multiplier, addend) = if divisor.is_power_of_two() {
            (u64::MAX, u64::MAX)
        } else {
            // Over 2^s: the quotient is under 2^64 - 1, and so is it plus 1.
            let (down, remainder) = ((whole / divisor as u128) as u64, (whole % divisor as u128) as u64);
            if divisor - remainder < 1 << shift { (down + 1, 0) } else { (down, down) }
        };
        Self { divisor, multiplier, addend, shift: shift as u64 }
    }

    /// The divisor itself.
    #[inline]
    pub(crate) const fn get(self) -> u64 {
        self.divisor
    }

    /// `dividend / divisor`, rounded down.
    #[inline]
    pub(crate) const fn divide(self, dividend: u64) -> u64 {
        // At most (2^64 - 1) * 2^64: no overflow.
        let product = self.multiplier as u128 * dividend as u128 + self.addend as u128;
        // The shift is under 64.
        (product >> 64) as u64 >> (self.shift & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::Divisor;

    #[test]
    fn division_is_exact_at_every_edge() {
        let mut edges = std::vec![0, 1, 2, 3, 5, 7, 10, 641, 1_000, 62_500, 1_875_000_000, 86_400_000_000_000];
        for bit in 1..64 {
            edges.extend([(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        }
        edges.extend([u64::MAX, u64::MAX - 1]);
        for &divisor in edges.iter().filter(|d| **d > 0) {
            let prepared = Divisor::new(divisor);
            for &n in &edges {
                for dividend in [n, n.wrapping_mul(divisor), n.wrapping_mul(divisor).wrapping_sub(1)] {
                    assert_eq!(prepared.divide(dividend), dividend / divisor, "{dividend} / {divisor}");
                }
            }
        }
    }

    #[test]
    fn division_is_exact_for_dividends_and_divisors_of_every_length() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..200_000 {
            let mut next = || {
                // Any walk will do.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state ^ state >> 31).rotate_left(17)
            };
            let (divisor, quotient) = ((next() >> (next() & 63)).max(1), next() >> (next() & 63));
            let multiple = quotient.wrapping_mul(divisor);
            for dividend in [quotient, multiple, multiple.wrapping_sub(1)] {
                assert_eq!(Divisor::new(divisor).divide(dividend), dividend / divisor, "{dividend} / {divisor}");
            }
        }
    }
}
