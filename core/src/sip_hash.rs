//! [`SipHash`]: a keyed hash that who does not know the key cannot steer.
//!
//! SipHash-1-3: one round a word of the message, three at the end. A table of keys that strangers choose (users,
//! addresses) needs it: under a hash without a secret, an attacker picks keys that all fall into one place. The 128 bits
//! of the key are drawn from the salt by SplitMix64, so the secret has the 64 bits of the salt. It is no signature: it
//! withstands who chooses keys and watches which calls are refused, not who can read the memory of the process.
//!
//! # Source
//! Aumasson and Bernstein, *SipHash: a fast short-input PRF* (2012); 1-3 is the variant that Rust's own hash maps use.

use crate::random::Random;

/// The two words of the key.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct SipHash {
    k0: u64,
    k1: u64,
}

struct State([u64; 4]);

impl State {
    const fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }

    const fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    const fn finish(mut self) -> u64 {
        self.0[2] ^= 0xFF;
        self.round();
        self.round();
        self.round();
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }
}

impl SipHash {
    /// The function that `salt` selects.
    pub(crate) const fn from_salt(salt: u64) -> Self {
        let mut stream = Random::from_seed(salt);
        Self { k0: stream.next_u64(), k1: stream.next_u64() }
    }

    const fn start(self) -> State {
        // "somepseudorandomlygeneratedbytes", as published.
        State([
            self.k0 ^ 0x736F_6D65_7073_6575,
            self.k1 ^ 0x646F_7261_6E64_6F6D,
            self.k0 ^ 0x6C79_6765_6E65_7261,
            self.k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    /// The hash of `bytes`.
    pub(crate) fn of_bytes(self, bytes: &[u8]) -> u64 {
        let word = |part: &[u8]| part.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let mut state = self.start();
        let parts = bytes.chunks_exact(8);
        // Fewer than eight bytes are left; of the length its lowest byte counts.
        let last = word(parts.remainder()) | (bytes.len() as u64) << 56;
        for part in parts {
            state.absorb(word(part));
        }
        state.absorb(last);
        state.finish()
    }
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher;
    use std::hash::DefaultHasher;
    use std::vec::Vec;

    use super::SipHash;

    #[test]
    fn it_is_the_published_function() {
        // The hash of Rust's maps is SipHash-1-3; a fresh one has the key 0, 0.
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 37 + 11) as u8).collect();
            let mut theirs = DefaultHasher::new();
            theirs.write(&bytes);
            assert_eq!(SipHash { k0: 0, k1: 0 }.of_bytes(&bytes), theirs.finish(), "{length} bytes");
        }
    }

    #[test]
    fn every_salt_is_another_function() {
        for bytes in [[0; 8], [7; 8], [0xFF; 8]] {
            assert_ne!(SipHash::from_salt(7).of_bytes(&bytes), SipHash::from_salt(8).of_bytes(&bytes));
        }
    }
}
