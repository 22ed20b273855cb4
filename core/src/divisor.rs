//! [`Divisor`]: exact division by a number that is known long before the dividend.
//!
//! The width of a slice is fixed when a window is built, and every record divides by it. A 64-bit
//! division costs as much as the atomic step that follows; a multiplication and two shifts do not.
//!
//! For a divisor `d` with `2^(l-1) < d <= 2^l` the multiplier is `m = floor(2^64 * (2^l - d) / d) + 1`
//! and, with `h` the high word of `m * n`, the quotient is `(h + (n - h) / 2) >> (l - 1)` for every
//! `n < 2^64` (Granlund and Montgomery, "Division by Invariant Integers using Multiplication", 1994,
//! figure 4.1). A divisor of 1 has `l = 0` and is served by two shifts of 0.

/// A divisor of at least 1, prepared.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Divisor {
    divisor: u64,
    multiplier: u64,
    half_shift: u32,
    last_shift: u32,
}

impl Divisor {
    /// Prepares `divisor`; zero counts as 1.
    pub(crate) const fn new(divisor: u64) -> Self {
        let divisor = if divisor == 0 { 1 } else { divisor };
        // The ceiling of the binary logarithm, 0 to 64.
        let log = u64::BITS - (divisor - 1).leading_zeros();
        // 2^l - d < d and under 2^64, so the quotient is under 2^64, and so is it plus 1: for d a power of two it is 0.
        let multiplier = ((((1_u128 << log) - divisor as u128) << 64) / divisor as u128 + 1) as u64;
        let (half_shift, last_shift) = if log == 0 { (0, 0) } else { (1, log - 1) };
        Self { divisor, multiplier, half_shift, last_shift }
    }

    /// The divisor itself.
    pub(crate) const fn get(self) -> u64 {
        self.divisor
    }

    /// `dividend / divisor`, rounded down.
    #[inline]
    pub(crate) const fn divide(self, dividend: u64) -> u64 {
        let high = ((self.multiplier as u128 * dividend as u128) >> 64) as u64;
        // high <= dividend, as the multiplier is under 2^64; the sum is then at most the dividend.
        (high + ((dividend - high) >> self.half_shift)) >> self.last_shift
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
}
