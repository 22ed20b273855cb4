//! What a retry budget has to hold: the history replayed from its beginning for every question, tick by tick.

pub const TOKEN: u64 = 1_000_000;

/// All amounts in millionths of a token.
#[derive(Clone, Debug)]
pub struct Oracle {
    share: u64,
    cap: u64,
    initial: u64,
    floor: u64,
    lifetime_ns: u64,
    origin_ns: u64,
    /// When, and by how much: deposits and refunds up, withdrawals down.
    history: Vec<(u64, i64)>,
}

impl Oracle {
    pub fn new(share: u64, cap: u64, initial: u64, floor: u64, lifetime_ns: u64, origin_ns: u64) -> Self {
        Self { share, cap, initial, floor, lifetime_ns, origin_ns, history: Vec::new() }
    }

    fn tick(&self, now: u64) -> u64 {
        let since = i128::from(now) - i128::from(self.origin_ns);
        (since.max(0) as u64 / (self.lifetime_ns / 16)).min((1 << 34) - 1)
    }

    /// The balance of a budget that nobody looked at in between.
    pub fn balance(&self, now: u64) -> u64 {
        let mut tokens = i128::from(self.initial);
        let mut clock = 0;
        let questions = self.history.iter().map(|(at, by)| (self.tick(*at), *by)).chain([(self.tick(now), 0)]);
        for (tick, by) in questions {
            while clock < tick {
                let beyond = tokens - i128::from(self.floor);
                if beyond <= 0 {
                    clock = tick;
                } else {
                    // A sixteenth, and a part of a millionth counts as a whole one.
                    tokens -= beyond / 16 + i128::from(beyond % 16 != 0);
                    clock += 1;
                }
            }
            tokens = (tokens + i128::from(by)).min(i128::from(self.cap));
        }
        tokens as u64
    }

    pub fn deposit(&mut self, now: u64) {
        self.history.push((now, self.share as i64));
    }

    pub fn refund(&mut self, amount: u64, now: u64) {
        self.history.push((now, amount as i64));
    }

    /// Whether it is granted; a refusal leaves no trace.
    pub fn withdraw(&mut self, amount: u64, now: u64) -> Result<(), &'static str> {
        if amount > self.cap {
            return Err("never");
        }
        if self.balance(now) < amount {
            return Err("not_yet");
        }
        self.history.push((now, -(amount as i64)));
        Ok(())
    }
}
