//! A concurrency limit for one thread, in a list and exact fractions: what the product must decide.
//!
//! It shares no code with the product. The limit is a count of 65,536ths, as the product documents.

use seawall::LimitConfig;

/// From, to, why.
pub type Change = Option<(u32, u32, &'static str)>;

#[derive(Clone)]
struct Flight {
    permit: usize,
    started: u64,
    lease_end: i128,
    slot: usize,
    /// How many permits the slot had given, with this one.
    turn: u32,
    /// How many cuts there had been.
    cuts: u64,
    was_full: bool,
    was_half_used: bool,
}

#[derive(Clone)]
pub struct Oracle {
    config: LimitConfig,
    /// In 65,536ths.
    limit: i128,
    cuts: u64,
    flights: Vec<Flight>,
    permits: usize,
    /// How many permits each slot has given.
    turns: Vec<u32>,
    /// In 1,024ths of a nanosecond, and its weight.
    usual: Option<(i128, u32)>,
    /// Whether each report met a full limit, since the last that did not.
    full_reports: usize,
    last_failed_at_once: bool,
    slow_in_a_row: usize,
    careful_until: u64,
}

const ONE: i128 = 65_536;

pub enum Reply {
    Good,
    Failed,
    Throttled,
    Ignored,
}

impl Oracle {
    pub fn new(config: LimitConfig) -> Self {
        Self {
            config,
            limit: i128::from(config.start) * ONE,
            cuts: 0,
            flights: vec![],
            permits: 0,
            turns: vec![0; config.ceiling as usize],
            usual: None,
            full_reports: 0,
            last_failed_at_once: false,
            slow_in_a_row: 0,
            careful_until: 0,
        }
    }

    pub fn limit(&self) -> u32 {
        (self.limit / ONE) as u32
    }

    pub fn in_flight(&self, now: u64) -> usize {
        self.flights.iter().filter(|flight| flight.lease_end > i128::from(now)).count()
    }

    /// The permit's number; refused, whether the clock has stepped.
    pub fn attempt(&mut self, now: u64) -> Result<usize, bool> {
        let at = i128::from(now);
        let lease = self.config.lease.as_nanos() as i128;
        let held: Vec<_> = self.flights.iter().filter(|flight| flight.lease_end > at).collect();
        let limit = self.limit() as usize;
        if held.len() >= limit {
            return Err(held.iter().all(|flight| flight.lease_end - at > 2 * lease + 4096));
        }
        let in_flight = held.len() + 1;
        let slot = (0..).find(|slot| held.iter().all(|flight| flight.slot != *slot)).unwrap();
        // Whoever held the slot and let its lease lapse has lost it.
        self.flights.retain(|flight| flight.slot != slot);
        let permit = self.permits;
        self.permits += 1;
        self.turns[slot] += 1;
        self.flights.push(Flight {
            permit,
            started: now,
            lease_end: ((at + lease + 4095) / 4096).min((1 << 52) - 1) * 4096,
            slot,
            turn: self.turns[slot],
            cuts: self.cuts,
            was_full: in_flight >= limit,
            was_half_used: 2 * in_flight >= limit,
        });
        Ok(permit)
    }

    /// Whether nobody has reported `permit`, and no other has its slot.
    #[allow(dead_code, reason = "for the guard's oracle")]
    pub fn is_good(&self, permit: usize) -> bool {
        self.flights.iter().any(|flight| flight.permit == permit)
    }

    /// The latency that is tolerated, in whole nanoseconds; 0 where none is known.
    fn tolerated(&self) -> i128 {
        self.usual.map_or(0, |(mean, _)| mean.div_euclid(1024) * i128::from(self.config.tolerance_percent) / 100)
    }

    fn is_slow(&self, latency: i128) -> bool {
        let (least, timeout) = (self.config.slow_after.as_nanos() as i128, self.config.timeout.as_nanos() as i128);
        latency > least && latency > self.tolerated().min(timeout / 10 * 9)
    }

    pub fn expects_timeouts(&self) -> bool {
        self.tolerated() > self.config.timeout.as_nanos() as i128 / 5 * 2
    }

    /// The first 504 weigh alike; then every eighth of a slot counts for eight, each of which weighs a 512th.
    fn learn(&mut self, latency: i128, turn: u32) {
        if self.config.tolerance_percent == 0 {
            return;
        }
        let first = self.config.slow_after.as_nanos() as i128 * 100 / i128::from(self.config.tolerance_percent);
        let latency = latency.min(self.config.timeout.as_nanos() as i128);
        let (mean, weight) = self.usual.unwrap_or((first.min((1 << 44) - 1) * 1024, 8));
        let apart = latency.min((1 << 44) - 1) * 1024 - mean;
        self.usual = Some(match weight {
            0..512 => (mean + apart / i128::from(weight + 1), weight + 1),
            _ if turn.is_multiple_of(8) => (mean + 8 * apart / 512, weight),
            _ => (mean, weight),
        });
    }

    pub fn finish(&mut self, permit: usize, reply: Reply, now: u64) -> Change {
        let flight = self.flights.remove(self.flights.iter().position(|flight| flight.permit == permit)?);
        if matches!(reply, Reply::Ignored) {
            return None;
        }
        let latency = i128::from(now.saturating_sub(flight.started));
        let timeout = self.config.timeout.as_nanos() as u64;
        let (slow, failed) = (self.is_slow(latency), matches!(reply, Reply::Failed));
        let timed_out = failed && latency >= i128::from(timeout);
        let fails_at_once = failed && !timed_out && !slow;
        let ends_full = self.in_flight(now) + 1 >= self.limit() as usize;
        let full = flight.was_full || ends_full;
        if matches!(reply, Reply::Good) && (!flight.was_half_used || self.limit <= i128::from(self.config.floor) * ONE)
        {
            self.learn(latency, flight.turn);
        }
        let enough = self.config.saturated_after as usize;
        let care = timeout.saturating_mul(10);
        let mut refused = false;
        if enough > 0 {
            match reply {
                Reply::Good if !slow => self.slow_in_a_row = 0,
                Reply::Throttled if full => {}
                _ if fails_at_once => {}
                _ => self.slow_in_a_row = (self.slow_in_a_row + 1).min(255),
            }
            self.full_reports = if ends_full { (self.full_reports + 1).min(127) } else { 0 };
            refused = fails_at_once && self.last_failed_at_once && self.full_reports >= 2 * enough;
            self.last_failed_at_once = fails_at_once;
            if refused || matches!(reply, Reply::Throttled) && full {
                self.careful_until = now.saturating_add(care) / 65_536 * 65_536;
                self.last_failed_at_once = false;
            }
        }
        let many = self.slow_in_a_row >= (1 + self.limit() as usize / 4).min(64);
        let saturated = |reports| full && (enough == 0 || many && self.full_reports >= reports);
        let (why, factor) = match reply {
            Reply::Throttled if full => ("throttled", self.config.slow_factor),
            Reply::Failed if timed_out && saturated(0) && !self.expects_timeouts() => {
                ("time-out", self.config.timeout_factor)
            }
            Reply::Failed if timed_out => {
                if !self.expects_timeouts() || !saturated(enough / 2) {
                    return None;
                }
                ("slow", self.config.slow_factor)
            }
            Reply::Good | Reply::Failed if slow && saturated(enough) => ("slow", self.config.slow_factor),
            Reply::Failed if refused => ("refused", self.config.slow_factor),
            Reply::Good if !slow && flight.was_half_used => {
                let is_careful = self.careful_until > now && self.careful_until - now <= care.saturating_mul(2);
                let step = (ONE * ONE / self.limit / if is_careful { 10 } else { 1 }).max(1);
                return self.go((self.limit + step).min(i128::from(self.config.ceiling) * ONE), "growth");
            }
            _ => return None,
        };
        if flight.cuts != self.cuts {
            return None;
        }
        let cut = (self.limit * i128::from(factor.as_ppm()) / 1_000_000).max(i128::from(self.config.floor) * ONE);
        self.go(cut, why)
    }

    fn go(&mut self, to: i128, why: &'static str) -> Change {
        let from = self.limit();
        self.cuts += u64::from(to < self.limit);
        self.limit = to;
        (from != self.limit()).then_some((from, self.limit(), why))
    }

    pub fn set_limit(&mut self, limit: u32) -> Change {
        self.go(i128::from(limit.clamp(self.config.floor, self.config.ceiling)) * ONE, "set")
    }
}
