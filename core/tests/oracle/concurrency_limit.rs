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
        Self { config, limit: i128::from(config.start) * ONE, cuts: 0, flights: vec![], permits: 0 }
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
        self.flights.push(Flight {
            permit,
            started: now,
            lease_end: ((at + lease + 4095) / 4096).min((1 << 52) - 1) * 4096,
            slot,
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

    pub fn finish(&mut self, permit: usize, reply: Reply, now: u64) -> Change {
        let flight = self.flights.remove(self.flights.iter().position(|flight| flight.permit == permit)?);
        let latency = u128::from(now.saturating_sub(flight.started));
        let slow = latency > self.config.slow_after.as_nanos();
        let timed_out = latency >= self.config.timeout.as_nanos();
        let (why, factor) = match reply {
            Reply::Ignored => return None,
            Reply::Throttled => ("throttled", self.config.slow_factor),
            Reply::Failed if timed_out => ("time-out", self.config.timeout_factor),
            Reply::Good | Reply::Failed if slow => ("slow", self.config.slow_factor),
            Reply::Failed => return None,
            Reply::Good => {
                if flight.was_half_used {
                    let grown = self.limit + ONE * ONE / self.limit;
                    return self.go(grown.min(i128::from(self.config.ceiling) * ONE), "growth");
                }
                return None;
            }
        };
        let full = flight.was_full || self.in_flight(now) + 1 >= self.limit() as usize;
        if !full || flight.cuts != self.cuts {
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
