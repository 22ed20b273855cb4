//! Randomness as an argument: small seeded generators.
//!
//! Jitter spreads a fleet only if its members draw differently, so there is no default seed: the
//! caller brings one (feature `std`: `seawall::entropy()`). The generator is SplitMix64 (Steele,
//! Lea and Flood, 2014): a Weyl sequence under a mixing function, full period 2^64, not for secrets.

use crate::sync::{AtomicU64, Ordering, const_constructor, fault};

/// The odd constant of the Weyl sequence: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The mixing function: each bit of the result depends on all of `state`.
#[inline]
pub(crate) const fn mix(state: u64) -> u64 {
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A seeded stream of random numbers with one owner.
///
/// ```
/// let mut a = seawall::Random::from_seed(7);
/// let mut b = seawall::Random::from_seed(7);
/// assert_eq!(a.next_u64(), b.next_u64());
/// ```
#[derive(Clone, Debug)]
#[repr(transparent)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`. Every seed is good, 0 too.
    ///
    /// ```
    /// use seawall::Random;
    /// assert_ne!(Random::from_seed(0).next_u64(), Random::from_seed(1).next_u64());
    /// ```
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, uniform over all of `u64`.
    ///
    /// ```
    /// let mut random = seawall::Random::from_seed(7);
    /// assert_ne!(random.next_u64(), random.next_u64());
    /// ```
    #[inline]
    #[must_use]
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }
}

/// A seeded stream that threads share: wait-free, one atomic add a number.
///
/// ```
/// static STREAM: seawall::SharedRandom = seawall::SharedRandom::from_seed(7);
/// assert_ne!(STREAM.next_u64(), STREAM.next_u64());
/// ```
#[derive(Debug)]
#[repr(transparent)]
pub struct SharedRandom(AtomicU64);

impl SharedRandom {
    const_constructor! {
        /// The stream of `seed`.
        ///
        /// ```
        /// use seawall::{Random, SharedRandom};
        /// // The same stream as that of one owner.
        /// assert_eq!(SharedRandom::from_seed(7).next_u64(), Random::from_seed(7).next_u64());
        /// ```
        #[must_use]
        pub fn from_seed(seed: u64) -> Self {
            Self(AtomicU64::new(seed))
        }
    }

    /// Goes on with the stream of another seed: for a process that was forked, which would else draw what its parent draws.
    ///
    /// ```
    /// use seawall::{Random, SharedRandom};
    /// let stream = SharedRandom::from_seed(7);
    /// stream.reseed(8);
    /// assert_eq!(stream.next_u64(), Random::from_seed(8).next_u64());
    /// ```
    pub fn reseed(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }

    /// The next number. Each caller gets its own: the counter never hands one out twice.
    ///
    /// ```
    /// let stream = seawall::SharedRandom::from_seed(7);
    /// let drawn: Vec<u64> = std::thread::scope(|scope| {
    ///     let threads = [0, 1].map(|_| scope.spawn(|| stream.next_u64()));
    ///     threads.map(|thread| thread.join().unwrap()).into()
    /// });
    /// assert_ne!(drawn[0], drawn[1]);
    /// ```
    #[inline]
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        if fault("shared random: a draw is two steps") {
            let drawn = self.0.load(Ordering::Relaxed).wrapping_add(STEP);
            self.0.store(drawn, Ordering::Relaxed);
            return mix(drawn);
        }
        // Relaxed: the number publishes nothing.
        mix(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }
}

/// The number in `0..=most` that the random `random` stands for; off from uniform by under 2^-64 x (most + 1).
#[inline]
pub(crate) const fn up_to(random: u64, most: u64) -> u64 {
    // Multiply-shift (Lemire 2019, without the rejection step): random x (most + 1), which is at most (2^64 - 1) x 2^64.
    ((random as u128 * most as u128 + random as u128) >> 64) as u64
}
