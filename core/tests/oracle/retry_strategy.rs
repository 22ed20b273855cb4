//! What a retry strategy has to answer, in big integers and straight from the table of its documentation.

/// A natural number, little end first.
#[derive(Clone)]
struct Natural(Vec<u32>);

impl Natural {
    fn times(&mut self, factor: u32) {
        let mut carry = 0_u64;
        for digit in &mut self.0 {
            let product = u64::from(*digit) * u64::from(factor) + carry;
            *digit = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn divided_by(&mut self, divisor: u32) {
        let mut rest = 0_u64;
        for digit in self.0.iter_mut().rev() {
            let dividend = rest << 32 | u64::from(*digit);
            *digit = (dividend / u64::from(divisor)) as u32;
            rest = dividend % u64::from(divisor);
        }
    }

    fn at_most(&self, limit: u128) -> u128 {
        let mut value = 0_u128;
        for digit in self.0.iter().rev() {
            value = match value.checked_mul(1 << 32) {
                Some(value) => value + u128::from(*digit),
                None => return limit,
            };
        }
        value.min(limit)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Oracle {
    pub max_attempts: u32,
    pub deadline: Option<u64>,
    pub base: u64,
    pub factor_percent: u32,
    pub max_delay: u64,
    pub jitter: &'static str,
    pub retry_after_cap: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Failed {
    pub attempt: u32,
    pub elapsed: u64,
    pub previous: Option<u64>,
    pub class: &'static str,
    pub retry_after: Option<u64>,
    pub random: u64,
}

/// The number in 0..=most that is as far in its range as `random` is in that of 64 bits.
fn drawn(random: u64, most: u128) -> u128 {
    u128::from(random) * (most + 1) / (1 << 64)
}

impl Oracle {
    /// `min(max_delay, base x factor^(attempt - 1))`, to the nearest nanosecond.
    pub fn term(&self, attempt: u32) -> u128 {
        if self.base == 0 {
            return 0;
        }
        // The first power of each that is surely over 2^64: more steps change nothing.
        let enough = match self.factor_percent {
            100 => 0,
            101..110 => 5_000,
            110..200 => 500,
            _ => 65,
        };
        let steps = attempt.max(1).saturating_sub(1).min(enough);
        let mut twice = Natural(vec![self.base as u32, (self.base >> 32) as u32, 0]);
        twice.times(2);
        for _ in 0..steps {
            twice.times(self.factor_percent);
        }
        for _ in 0..steps {
            twice.divided_by(100);
        }
        twice.at_most(u128::MAX - 1).div_ceil(2).min(u128::from(self.max_delay))
    }

    pub fn next_delay(&self, attempt: u32, previous: Option<u64>, random: u64) -> u128 {
        let (base, cap, term) = (u128::from(self.base), u128::from(self.max_delay), self.term(attempt));
        match self.jitter {
            "none" => term,
            "additive" => {
                let spread = base.min(cap / 2);
                term.min(cap - spread) + drawn(random, spread)
            }
            "equal" => term / 2 + drawn(random, term.div_ceil(2)),
            "full" => drawn(random, term),
            "decorrelated" => {
                let top = cap.min(3 * u128::from(previous.unwrap_or(self.base))).max(base);
                base + drawn(random, top - base)
            }
            other => panic!("no jitter {other}"),
        }
    }

    pub fn decide(&self, failed: Failed) -> Result<u128, &'static str> {
        if failed.class == "permanent" {
            return Err("permanent");
        }
        if failed.attempt.max(1) >= self.max_attempts {
            return Err("attempts_exhausted");
        }
        let own = self.next_delay(failed.attempt, failed.previous, failed.random);
        let left = self.deadline.map(|deadline| i128::from(deadline) - i128::from(failed.elapsed));
        let in_time = |delay: u128| left.is_none_or(|left| (delay as i128) < left);
        let delay = match failed.retry_after {
            None => own,
            Some(wait) if wait > self.retry_after_cap => return Err("retry_after_too_long"),
            Some(wait) if !in_time(wait.into()) => return Err("deadline_exceeded"),
            Some(wait) => {
                let wait = u128::from(wait);
                let widest = if self.jitter == "none" { 0 } else { self.term(failed.attempt).max(wait / 4) };
                let room = left.map_or(u128::MAX, |left| (left - wait as i128 - 1) as u128);
                own.max(wait + drawn(failed.random, widest.min(room)))
            }
        };
        if in_time(delay) { Ok(delay) } else { Err("deadline_exceeded") }
    }
}
