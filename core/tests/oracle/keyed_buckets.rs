//! A table of buckets as a map without bounds: sequential, exact, sharing no code with the product.
//!
//! Tokens are counted in billionths of a unit of 2^-k tokens, so that rates over a second are whole numbers.

use std::collections::HashMap;

pub const SECOND: u64 = 1_000_000_000;

/// What a bucket that remembers everything says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Taken,
    /// Nanoseconds to wait; `None` for ever.
    NotYet(Option<u64>),
    Never,
}

pub struct Oracle {
    per_second: u64,
    burst: u32,
    exponent: u32,
    base: u64,
    /// Earned by `base`, in billionths of a unit.
    level: i128,
    /// Where no bucket counts as lower: the burst grew, and nobody got a token by it.
    lowest: i128,
    taken: HashMap<u64, i128>,
}

impl Oracle {
    /// A unit is at least a microsecond of the first rate, and at least 2^-16 tokens.
    pub fn new(per_second: u64, burst: u32, start: u64) -> Self {
        let exponent = (0..=16).rev().find(|k| (per_second << k) <= 1_000_000).expect("at most a million a second");
        Self { per_second, burst, exponent, base: start, level: 0, lowest: i128::MIN, taken: HashMap::new() }
    }

    fn unit(&self) -> i128 {
        i128::from(SECOND)
    }

    fn tokens(&self, n: u32) -> i128 {
        (i128::from(n) << self.exponent) * self.unit()
    }

    fn exact(&self, now: u64) -> i128 {
        let since = i128::from(now.saturating_sub(self.base));
        self.level + since * (i128::from(self.per_second) << self.exponent)
    }

    /// Whole units only.
    fn level(&self, now: u64) -> i128 {
        self.exact(now).div_euclid(self.unit()) * self.unit()
    }

    fn position(&self, key: u64, now: u64) -> i128 {
        let full = (self.level(now) - self.tokens(self.burst)).max(self.lowest);
        self.taken.get(&key).copied().unwrap_or(i128::MIN).max(full)
    }

    pub fn available(&self, key: u64, now: u64) -> u32 {
        let units = (self.level(now) - self.position(key, now)).max(0) / self.unit();
        (units >> self.exponent) as u32
    }

    pub fn take(&mut self, key: u64, n: u32, now: u64) -> Said {
        if n == 0 {
            return Said::Taken;
        }
        if n > self.burst {
            return Said::Never;
        }
        let after = self.position(key, now) + self.tokens(n);
        if after <= self.level(now) {
            self.taken.insert(key, after);
            return Said::Taken;
        }
        if self.per_second == 0 {
            return Said::NotYet(None);
        }
        // The first nanosecond after `base` at which the level is there.
        let speed = i128::from(self.per_second) << self.exponent;
        let since = (after - self.level).div_euclid(speed) + i128::from((after - self.level).rem_euclid(speed) > 0);
        Said::NotYet(Some((i128::from(self.base) + since - i128::from(now)) as u64))
    }

    pub fn refund(&mut self, key: u64, n: u32, now: u64) -> bool {
        let full = (self.level(now) - self.tokens(self.burst)).max(self.lowest);
        let before = self.taken.get(&key).copied().unwrap_or(i128::MIN);
        if n == 0 || before <= full {
            return false;
        }
        self.taken.insert(key, (before - self.tokens(n)).max(full));
        true
    }

    pub fn change(&mut self, per_second: u64, burst: u32, now: u64) {
        let at = now.max(self.base);
        self.lowest = (self.level(at) - self.tokens(self.burst)).max(self.lowest);
        (self.level, self.base) = (self.exact(at), at);
        (self.per_second, self.burst) = (per_second, burst);
    }

    pub fn rebase(&mut self, old_now: u64, new_now: u64) {
        let at = old_now.max(self.base);
        self.lowest = (self.level(at) - self.tokens(self.burst)).max(self.lowest);
        (self.level, self.base) = (self.exact(at), new_now + (at - old_now));
    }
}
