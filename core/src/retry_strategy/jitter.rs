//! The shape of a backoff: exponential growth without floating point, and the random part of a delay.

use core::time::Duration;

use crate::random::up_to;
use crate::time::nanos;

/// How the delays of many clients are kept apart.
///
/// `term` is `min(max_delay, base_delay x factor^(attempt - 1))`. The cap bounds the term and the draw is made
/// inside it, so no delay is ever above the cap and clients that have reached the cap still spread.
///
/// | | delay |
/// | --- | --- |
/// | `None` | `term` |
/// | `Additive` | `min(term, max_delay - s) + U[0, s]`, where `s = min(base_delay, max_delay / 2)` |
/// | `Equal` | `term / 2 + U[0, term / 2]` |
/// | `Full` | `U[0, term]` |
/// | `Decorrelated` | `U[base_delay, min(max_delay, 3 x previous delay)]` |
///
/// As published, the decorrelated delay is drawn first and cut to the cap then, so that two of three clients at the
/// cap wait exactly as long as each other; here the cap cuts the range of the draw instead.
///
/// Source: Brooker, "Exponential backoff and jitter" (AWS, 2015).
///
/// ```
/// use core::time::Duration;
/// use seawall::{Jitter, RetryConfig, RetryStrategy};
///
/// // The smallest and the largest draw of the second delay, whose term is two seconds.
/// for (jitter, least, most) in [(Jitter::None, 2_000, 2_000), (Jitter::Equal, 1_000, 2_000), (Jitter::Full, 0, 2_000)] {
///     let strategy = RetryStrategy::new(RetryConfig { jitter, ..RetryConfig::GUIDE })?;
///     let delay = |random| strategy.next_delay(2, None, random).as_millis();
///     assert_eq!((delay(0), delay(u64::MAX)), (least, most));
/// }
/// # Ok::<(), seawall::RetryConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Jitter {
    /// No random part: clients that failed together come back together. For one client alone, or for tests.
    None = 0,
    /// The term and up to one base delay more: nearly the exponential curve, a narrow spread.
    Additive = 1,
    /// Between half of the term and all of it: a guaranteed wait, half of the spread.
    Equal = 2,
    /// Anywhere up to the term: the least work for the server, or level with the least.
    #[default]
    Full = 3,
    /// Anywhere between the base and three times the previous delay; ignores factor and attempt.
    Decorrelated = 4,
}

impl Jitter {
    /// The delay in nanoseconds. `base <= cap`, `term <= cap`.
    pub(super) const fn draw(self, base: u64, term: u64, cap: u64, previous: Option<Duration>, random: u64) -> u64 {
        match self {
            Self::None => term,
            Self::Additive => {
                let spread = if base < cap / 2 { base } else { cap / 2 };
                // spread <= cap / 2, so the difference is not negative and the sum is at most the cap.
                let from = if term < cap - spread { term } else { cap - spread };
                from + up_to(random, spread)
            }
            // At most term / 2 + (term - term / 2) = term.
            Self::Equal => term / 2 + up_to(random, term - term / 2),
            Self::Full => up_to(random, term),
            Self::Decorrelated => {
                let previous = match previous {
                    Some(previous) => nanos(previous),
                    None => base,
                };
                let tripled = previous.saturating_mul(3);
                let top = if tripled < cap { tripled } else { cap };
                // A previous delay under a third of the base (it was not one of ours) leaves the base alone.
                if top <= base { base } else { base + up_to(random, top - base) }
            }
        }
    }
}

/// `base x (factor_percent / 100)^steps` to the nearest nanosecond, at most `cap`; `factor_percent >= 100`.
///
/// Powers of two, and any power whose digits fit 64 bits, are exact; the others are low by less than one part in
/// 10^15. At most 32 rounds, whatever `steps` is.
pub(super) const fn grown(base: u64, factor_percent: u32, steps: u32, cap: u64) -> u64 {
    if base >= cap {
        return cap;
    }
    if base == 0 || factor_percent <= 100 || steps == 0 {
        return base;
    }
    let mut product = Scaled::from_integer(base);
    let mut power = Scaled::from_percent(factor_percent);
    let mut steps = steps;
    loop {
        if steps & 1 == 1 {
            product = product.times(power);
            // Factors are at least 1, so a product over 2^64 stays over every cap.
            if product.exponent > 0 {
                return cap;
            }
        }
        steps >>= 1;
        if steps == 0 {
            break;
        }
        if power.exponent > 0 {
            // The power that is still to be multiplied in is over 2^64 by itself.
            return cap;
        }
        power = power.times(power);
    }
    let grown = product.rounded();
    if grown < cap as u128 { grown as u64 } else { cap }
}

/// `mantissa x 2^exponent` with the mantissa's top bit set: 64 significant bits, rounded down.
#[derive(Clone, Copy)]
struct Scaled {
    mantissa: u64,
    exponent: i32,
}

impl Scaled {
    /// `value` is not 0.
    const fn from_integer(value: u64) -> Self {
        let shift = value.leading_zeros();
        Self { mantissa: value << shift, exponent: -(shift as i32) }
    }

    /// `percent / 100`; `percent` is not 0.
    const fn from_percent(percent: u32) -> Self {
        // Under 2^127, and at least 2^95 / 100, which leaves more than 64 significant bits.
        let quotient = ((percent as u128) << 95) / 100;
        let shift = quotient.leading_zeros();
        Self { mantissa: ((quotient << shift) >> 64) as u64, exponent: 64 - 95 - shift as i32 }
    }

    /// Exponents stay small: the caller stops at the first one over 0, so that a sum is under 128.
    const fn times(self, other: Self) -> Self {
        // Between 2^126 and 2^128.
        let product = self.mantissa as u128 * other.mantissa as u128;
        let shift = 64 - product.leading_zeros();
        Self { mantissa: (product >> shift) as u64, exponent: self.exponent + other.exponent + shift as i32 }
    }

    /// The nearest integer; the exponent is -127 to 0.
    const fn rounded(self) -> u128 {
        let shift = (-self.exponent) as u32;
        // 2^127 + 2^64 at most.
        if shift == 0 { self.mantissa as u128 } else { (self.mantissa as u128 + (1_u128 << (shift - 1))) >> shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_that_fit_are_exact() {
        assert_eq!(grown(1, 200, 63, u64::MAX), 1 << 63);
        assert_eq!(grown(1, 300, 40, u64::MAX), 3_u64.pow(40));
        assert_eq!(grown(100_000_000, 110, 1, u64::MAX), 110_000_000);
        assert_eq!(grown(u64::MAX - 1, 100, u32::MAX, u64::MAX), u64::MAX - 1);
    }

    #[test]
    fn growth_ends_at_the_cap_for_every_number_of_steps() {
        for factor in [101, 150, 200, u32::MAX] {
            assert_eq!(grown(1, factor, u32::MAX, u64::MAX), u64::MAX, "{factor}");
            assert_eq!(grown(1, factor, u32::MAX, 77), 77, "{factor}");
        }
    }

    #[test]
    fn a_nanosecond_grows_too() {
        // Truncated step by step it would stay a nanosecond for ever.
        assert_eq!(grown(1, 101, 231, u64::MAX), 10);
    }
}
