//! `reference`: the policy of the research, by which the lab is calibrated. In floating point and in plain fields, as it
//! shares nothing with the core: what it reaches here, it reached in another simulator.

use std::time::Duration;

use seawall::{Instant, Random};

use super::{Call, Permit, Policy, Refusal, Told, Verdict};

const GROWTH: f64 = 0.12;
const FLOOR: f64 = 1.0;

/// What an attempt remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notes {
    cuts: u64,
    is_full: bool,
    is_half_used: bool,
    is_probe: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Breaker {
    Closed,
    Open {
        until: Instant,
    },
    /// The probe's place is free again at the end of its lease.
    HalfOpen {
        lease: Option<Instant>,
    },
}

pub(super) struct Reference {
    timeout: Duration,
    random: Random,
    limit: f64,
    in_flight: u32,
    cuts: u64,
    breaker: Breaker,
    trips_at: u32,
    /// Failures of first tries in a row, where a time-out counts as two.
    weight: u32,
    /// The same, each as one.
    streak: u32,
    open_for: Duration,
    tokens: f64,
    cap: f64,
}

impl Reference {
    pub(super) fn new(told: Told) -> Self {
        let timeout = told.timeout.as_secs_f64();
        let lost = told.rate * timeout;
        let cap = lost.clamp(1.0, 10.0);
        Self {
            timeout: told.timeout,
            random: Random::from_seed(told.seed),
            limit: (0.2 * lost).max(FLOOR),
            in_flight: 0,
            cuts: 0,
            breaker: Breaker::Closed,
            trips_at: (0.5 * lost).round().clamp(2.0, 4.0) as u32,
            weight: 0,
            streak: 0,
            open_for: Duration::from_secs_f64((1.0 / told.rate).clamp(0.1 * timeout, 10.0 * timeout)),
            tokens: (0.1 * lost).min(cap / 2.0).max(1.0),
            cap,
        }
    }

    fn draw(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn open(&mut self, now: Instant) {
        let jitter = 0.7 + 0.6 * self.draw();
        self.breaker = Breaker::Open { until: now.saturating_add(self.open_for.mul_f64(jitter)) };
    }

    fn judge_breaker(&mut self, notes: Notes, is_first: bool, is_good: bool, timed_out: bool, now: Instant) {
        if notes.is_probe {
            if let Breaker::HalfOpen { .. } = self.breaker {
                if is_good {
                    self.breaker = Breaker::Closed;
                    (self.weight, self.streak) = (0, 0);
                } else {
                    self.open(now);
                }
            }
            return;
        }
        if is_good {
            (self.weight, self.streak) = (0, 0);
        } else if is_first && self.breaker == Breaker::Closed {
            self.weight += if timed_out { 2 } else { 1 };
            self.streak += 1;
            if self.weight >= self.trips_at {
                self.open(now);
            }
        }
    }

    fn judge_limit(&mut self, notes: Notes, is_good: bool, timed_out: bool, latency: Duration) {
        let is_slow = latency.as_secs_f64() > 0.25 * self.timeout.as_secs_f64();
        let factor = match (is_good, timed_out) {
            (_, true) => 0.7,
            (true, false) if is_slow => 0.8,
            (true, false) => {
                if notes.is_half_used {
                    self.limit += 1.0 / self.limit;
                }
                return;
            }
            (false, false) => return,
        };
        let was_full = notes.is_full || f64::from(self.in_flight + 1) >= self.limit.floor();
        if notes.cuts == self.cuts && was_full {
            self.cuts += 1;
            self.limit = (self.limit * factor).max(FLOOR);
        }
    }
}

impl Policy for Reference {
    fn begin(&mut self, _: u32, now: Instant) -> Call {
        Call::new(now)
    }

    fn try_attempt(&mut self, call: &mut Call, now: Instant) -> Result<Permit, Refusal> {
        if let Breaker::Open { until } = self.breaker
            && now >= until
        {
            self.breaker = Breaker::HalfOpen { lease: None };
        }
        let is_probe = match self.breaker {
            Breaker::Closed => false,
            Breaker::Open { until } => {
                return Err(Refusal { wait: None, retry_after: Some(until.saturating_duration_since(now)) });
            }
            Breaker::HalfOpen { lease: Some(lease) } if now < lease => {
                return Err(Refusal { wait: None, retry_after: None });
            }
            Breaker::HalfOpen { .. } => true,
        };
        if f64::from(self.in_flight) >= self.limit.floor() {
            let wait = (call.ended == 0).then(|| self.timeout.mul_f64(0.3));
            return Err(Refusal { wait, retry_after: None });
        }
        if is_probe {
            self.breaker = Breaker::HalfOpen { lease: Some(now.saturating_add(self.timeout * 5)) };
        }
        self.in_flight += 1;
        let in_flight = f64::from(self.in_flight);
        let notes = Notes {
            cuts: self.cuts,
            is_full: in_flight >= self.limit.floor(),
            is_half_used: in_flight * 2.0 >= self.limit,
            is_probe,
        };
        Ok(Permit { notes, ..Permit::plain(now) })
    }

    fn finish(&mut self, call: &mut Call, permit: Permit, is_good: bool, now: Instant) -> Verdict {
        self.in_flight -= 1;
        let latency = now.saturating_duration_since(permit.started);
        let timed_out = !is_good && latency >= self.timeout;
        let is_first = call.ended == 0;
        call.ended += 1;
        self.judge_limit(permit.notes, is_good, timed_out, latency);
        self.judge_breaker(permit.notes, is_first, is_good, timed_out, now);
        if is_good {
            self.tokens = (self.tokens + GROWTH).min(self.cap);
            return Verdict::Done;
        }
        let cost = if timed_out { 2.0 } else { 1.0 };
        if call.ended >= 4 || self.breaker != Breaker::Closed || self.streak >= 2 || self.tokens < cost {
            return Verdict::GiveUp;
        }
        self.tokens -= cost;
        let term = 0.1 * self.timeout.as_secs_f64() * f64::from(1_u32 << (call.ended - 1));
        let delay = self.draw() * term.min(10.0 * self.timeout.as_secs_f64());
        Verdict::RetryAt(now.saturating_add(Duration::from_secs_f64(delay)))
    }

    fn abandon(&mut self, _: &mut Call, _: Instant) {}
}
