//! The buckets of the guard's oracle: the shared one and those of the keys. Neither forgets anything.

use std::collections::HashMap;

pub const TOKEN: i128 = 1 << 16;
pub const UNIT_NS: i128 = 16;
pub const SECOND: i128 = 1_000_000_000;

/// Stage, reason, wait.
pub type No = (&'static str, &'static str, Option<i128>);

/// The number in 0..=most that is as far in its range as `random` is in that of 64 bits.
pub fn drawn(random: u64, most: u128) -> i128 {
    (u128::from(random) * (most + 1) / (1 << 64)) as i128
}

/// What has been taken, on the scale of what has been earned.
pub struct Bucket {
    pub burst: i128,
    /// From here on it earns.
    pub begins: i128,
    pub first: i128,
    pub taken: i128,
}

impl Bucket {
    pub fn earned(&self, now: i128) -> i128 {
        self.first + (now - self.begins).max(0) / UNIT_NS
    }

    /// What was taken if `n` more were; a full bucket has forgotten what it could not hold.
    pub fn after(&self, n: u32, now: i128) -> Result<i128, No> {
        let after = self.taken.max(self.earned(now) - self.burst) + i128::from(n) * TOKEN;
        let wait = |target: i128| self.begins + UNIT_NS * (target - self.first) - now;
        if n == 0 {
            Ok(self.taken)
        } else if i128::from(n) * TOKEN > self.burst {
            Err(("token_bucket", "never", None))
        } else if after <= self.earned(now) {
            Ok(after)
        } else if after > self.earned(now) + 2 * self.burst && wait(after - 2 * self.burst) > SECOND {
            Err(("token_bucket", "clock_stepped", None))
        } else {
            Err(("token_bucket", "not_yet", Some(wait(after))))
        }
    }

    /// One token is left at `now`; where there is no more, nothing changes.
    pub fn restart(&mut self, now: i128) {
        let one = self.earned(now) - TOKEN;
        if one > self.taken.max(self.earned(now) - self.burst) {
            self.taken = one;
        }
    }

    pub fn refund(&mut self, n: u32, now: i128) {
        if self.earned(now) >= self.taken {
            self.taken -= i128::from(n) * TOKEN;
        }
    }
}

/// The units of a token of a key; it is earned in 2^22 ns.
const KEY_TOKEN: i128 = 1 << 12;
const KEY_UNIT_NS: i128 = 1 << 10;

/// A bucket for each key, full at first, in whole units of 1,024 ns.
pub struct Keyed {
    burst: i128,
    taken: HashMap<u64, i128>,
}

impl Keyed {
    pub fn new(burst: u32) -> Self {
        Self { burst: i128::from(burst) * KEY_TOKEN, taken: HashMap::new() }
    }

    fn full(&self, now: i128) -> i128 {
        now / KEY_UNIT_NS - self.burst
    }

    pub fn available(&self, key: u64, now: i128) -> i128 {
        let taken = self.taken.get(&key).map_or(self.full(now), |taken| self.full(now).max(*taken));
        (now / KEY_UNIT_NS - taken).max(0) / KEY_TOKEN
    }

    /// What the key has taken if it takes `n` more.
    pub fn after(&self, key: u64, n: u32, now: i128) -> Result<i128, No> {
        let n = i128::from(n) * KEY_TOKEN;
        let taken = self.taken.get(&key).copied();
        let after = taken.map_or(self.full(now), |taken| taken.max(self.full(now))) + n;
        if n > self.burst {
            Err(("keyed_bucket", "never", None))
        } else if n == 0 || after <= now / KEY_UNIT_NS {
            Ok(after)
        } else if taken.is_some_and(|taken| taken > (now + SECOND) / KEY_UNIT_NS + self.burst) {
            Err(("keyed_bucket", "clock_stepped", None))
        } else {
            Err(("keyed_bucket", "not_yet", Some(after * KEY_UNIT_NS - now)))
        }
    }

    pub fn take(&mut self, key: u64, n: u32, now: i128) {
        if n > 0 {
            let after = self.after(key, n, now).expect("asked before");
            self.taken.insert(key, after);
        }
    }

    pub fn refund(&mut self, key: u64, n: u32, now: i128) {
        let full = self.full(now);
        if let Some(taken) = self.taken.get_mut(&key).filter(|taken| **taken > full) {
            *taken = (*taken - i128::from(n) * KEY_TOKEN).max(full);
        }
    }
}
