//! [`Spread`]: where a key lies, by a secret of the table.
//!
//! `(a x key + b) / 2^64` modulo 2^64, with `a` and `b` of 128 bits that SplitMix64 draws from the salt, and then mixed by
//! a function that is fixed and one to one.
//!
//! # What it withstands
//! Keys that were chosen by someone who does not know the salt: over the choice of `a` and `b`, the hashes of any two
//! keys are independent and uniform. So whatever the set of keys, each pair meets in a group, or shares an identity, as
//! rarely as keys drawn at random do. The multiplication alone would keep differences (a pair that was found to meet
//! would lead to more that do), and keys that count up would fall in steps; so its result is mixed, and it is never shown.
//!
//! What it does not promise: it is no pseudo-random function. Who may choose keys freely, again and again, and can time
//! calls so well as to see which keys meet, is a matter for [`SipHash`](crate::sip_hash::SipHash), through
//! [`KeyedBuckets::key_of`](crate::KeyedBuckets::key_of).
//!
//! # Source
//! Dietzfelbinger, *Universal hashing and k-wise independent random variables via integer arithmetic without primes*
//! (1996): for keys and hashes of 64 bits 127 bits of `a` and `b` are enough.

use crate::random::Random;

/// The secret: words of `a` and `b`, the lower one first.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Spread {
    a: [u64; 2],
    b: [u64; 2],
}

impl Spread {
    /// The function that `salt` selects.
    pub(super) const fn from_salt(salt: u64) -> Self {
        let mut stream = Random::from_seed(salt);
        // The first two are the key of SipHash.
        let _ = (stream.next_u64(), stream.next_u64());
        Self { a: [stream.next_u64(), stream.next_u64()], b: [stream.next_u64(), stream.next_u64()] }
    }

    #[inline]
    pub(super) const fn of(&self, key: u64) -> u64 {
        let ([a, a_high], [b, b_high]) = (self.a, self.b);
        // (2^64 - 1)^2 + 2^64 - 1 fits; what lies over 2^128 is dropped, as the function says.
        let low = a as u128 * key as u128 + b as u128;
        mixed(((low >> 64) as u64).wrapping_add(a_high.wrapping_mul(key)).wrapping_add(b_high))
    }
}

/// One to one, and no difference of two numbers becomes one that does not depend on them.
#[inline]
const fn mixed(number: u64) -> u64 {
    let product = (number ^ (number >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    use super::{Spread, mixed};

    #[test]
    fn it_is_the_documented_function() {
        let spread = Spread::from_salt(7);
        let wide = |[low, high]: [u64; 2]| (u128::from(high) << 64) | u128::from(low);
        for key in [0, 1, 2, 42, 1 << 63, u64::MAX] {
            let exact = wide(spread.a).wrapping_mul(key.into()).wrapping_add(wide(spread.b)) >> 64;
            assert_eq!(spread.of(key), mixed(exact as u64));
        }
    }

    /// Of `keys` keys, the most that share one of 1,024 groups of four, for the worst of some salts.
    fn worst(key: impl Fn(u64) -> u64) -> usize {
        let most = |salt| {
            let (spread, mut groups) = (Spread::from_salt(salt), [0_usize; 1_024]);
            (0..4_096).for_each(|n| groups[(spread.of(key(n)) >> 54) as usize] += 1);
            groups.into_iter().max().expect("not empty")
        };
        (0..100).map(most).max().expect("not empty")
    }

    #[test]
    fn keys_in_any_pattern_fall_as_random_ones_do() {
        // Of 1,024 groups with four on average, one has 20 in one of 10^5 random tables.
        let steps = [1, 2, 3, 10, 1 << 10, 1 << 20, 1 << 32, 1 << 52, 0x9E37_79B9_7F4A_7C15, 999_983, 1 << 44 | 1];
        for step in steps {
            assert!(worst(|n| n.wrapping_mul(step)) < 20, "{step}");
            assert!(worst(|n| n.wrapping_mul(step).wrapping_neg()) < 20, "{step}");
        }
        // Two counters in one word.
        assert!(worst(|n| ((n % 64) << 48) | (n / 64)) < 20);
        assert!(worst(|n| n * n) < 20);
    }
}
