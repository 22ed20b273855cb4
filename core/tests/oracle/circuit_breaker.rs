//! A circuit breaker for one thread, in lists and big integers: what the product must decide.
//!
//! It shares no code with the product. Without a ramp, whose dice are the product's own.

use seawall::{BreakerConfig, TripRule};

/// From, to, why.
pub type Told = Option<(&'static str, &'static str, &'static str)>;

/// What a call says.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub admitted: Result<(), Option<u64>>,
    pub told: Told,
}

impl Answer {
    pub fn told(told: Told) -> Self {
        Self { admitted: Ok(()), told }
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self::told(None)
    }
}

#[derive(Clone)]
enum Mode {
    Closed { calls: Vec<bool> },
    Open { end: i128, failed: u32 },
    HalfOpen { out: Vec<usize>, given: usize, lease: i128, good: u32, bad: u32, failed: u32 },
    HeldClosed,
    HeldOpen,
}

#[derive(Clone)]
pub struct Oracle {
    config: BreakerConfig,
    mode: Mode,
    /// Each permit's admission; the life that admitted it.
    permits: Vec<(u64, usize)>,
    life: usize,
}

/// Rounded up to 4.096 us, not beyond the last tick of a 64-bit clock.
fn moment(nanos: i128) -> i128 {
    let ticks = (nanos + 4095) / 4096;
    ticks.clamp(1, (1 << 52) - 1) * 4096
}

fn length(duration: core::time::Duration) -> i128 {
    duration.as_nanos() as i128
}

/// More than two lengths (and a tick) ahead.
fn is_absurd(end: i128, now: i128, longest: i128) -> bool {
    end - now > 2 * longest + 4096
}

impl Oracle {
    pub fn new(config: BreakerConfig) -> Self {
        Self { config, mode: Mode::Closed { calls: vec![] }, permits: vec![], life: 0 }
    }

    pub fn state(&self) -> &'static str {
        match self.mode {
            Mode::Closed { .. } | Mode::HeldClosed => "closed",
            Mode::Open { .. } | Mode::HeldOpen => "open",
            Mode::HalfOpen { .. } => "half-open",
        }
    }

    fn go(&mut self, mode: Mode, why: &'static str) -> Told {
        let from = self.state();
        self.mode = mode;
        self.life += 1;
        let to = self.state();
        (from != to).then_some((from, to, why))
    }

    fn admit(&mut self, now: u64) -> usize {
        self.permits.push((now, self.life));
        self.permits.len() - 1
    }

    /// The permit's number or the wait; and what was told.
    pub fn attempt(&mut self, now: u64) -> (Result<usize, Option<u64>>, Told) {
        let (at, lease_length) = (i128::from(now), length(self.config.probe_lease));
        match &self.mode {
            Mode::Closed { .. } | Mode::HeldClosed => (Ok(self.admit(now)), None),
            Mode::HeldOpen => (Err(None), None),
            &Mode::Open { end, failed } => {
                let why = if end <= at {
                    "the open interval is over"
                } else if is_absurd(end, at, length(self.config.open_cap)) {
                    "the clock stepped"
                } else {
                    return (Err(Some((end - at) as u64)), None);
                };
                let lease = moment(at + lease_length);
                let told = self.go(Mode::HalfOpen { out: vec![], given: 1, lease, good: 0, bad: 0, failed }, why);
                (Ok(self.probe(now)), told)
            }
            &Mode::HalfOpen { ref out, given, lease, good, bad, failed } => {
                let busy = out.len() as u32 + good + bad;
                if given < 16 && (out.is_empty() || busy < self.config.probes) {
                    let later = lease.max(moment(at + lease_length));
                    let Mode::HalfOpen { given, lease, .. } = &mut self.mode else { unreachable!() };
                    (*given, *lease) = (*given + 1, later);
                } else if out.is_empty() || lease <= at || is_absurd(lease, at, lease_length) {
                    let lease = moment(at + lease_length);
                    self.go(Mode::HalfOpen { out: vec![], given: 1, lease, good, bad, failed }, "");
                } else {
                    return (Err(None), None);
                }
                (Ok(self.probe(now)), None)
            }
        }
    }

    fn probe(&mut self, now: u64) -> usize {
        let permit = self.admit(now);
        let Mode::HalfOpen { out, .. } = &mut self.mode else { unreachable!() };
        out.push(permit);
        permit
    }

    fn open(&mut self, failed: u32, now: u64, random: u64, why: &'static str) -> Told {
        let cap = length(self.config.open_cap);
        let mut base = length(self.config.open_for);
        for _ in 0..failed.min(15) {
            base = (base * i128::from(self.config.open_growth_percent) / 100).min(cap);
        }
        let spread = base * i128::from(self.config.open_jitter.as_ppm()) / 1_000_000;
        let (low, high) = (base - spread, (base + spread).min(cap));
        let drawn = low + ((i128::from(random) * (high - low + 1)) >> 64);
        self.go(Mode::Open { end: moment(i128::from(now) + drawn), failed: failed.min(15) }, why)
    }

    /// `bad` is none for a result that says nothing.
    pub fn finish(&mut self, permit: usize, bad: Option<bool>, now: u64, random: u64) -> Told {
        self.finish_weighing(permit, bad, 1, now, random)
    }

    /// How many calls in a row were bad, if it is closed.
    pub fn row(&self) -> Option<usize> {
        match &self.mode {
            Mode::Closed { calls } => Some(calls.iter().rev().take_while(|bad| **bad).count()),
            Mode::HeldClosed => Some(0),
            _ => None,
        }
    }

    /// A bad call counts as so many, where they are counted in a row.
    pub fn finish_weighing(&mut self, permit: usize, bad: Option<bool>, weight: usize, now: u64, random: u64) -> Told {
        let (started, life) = self.permits[permit];
        if life != self.life {
            return None;
        }
        let latency = i128::from(now) - i128::from(started);
        let slow = matches!(self.config.rule, TripRule::SlowShare { slower_than, .. } if latency > length(slower_than));
        match &mut self.mode {
            Mode::Closed { calls } => {
                let bad = bad? || slow;
                let counts = bad && matches!(self.config.rule, TripRule::Consecutive(_));
                calls.extend(vec![bad; if counts { weight } else { 1 }]);
                match self.config.rule {
                    TripRule::Consecutive(n) => {
                        let row = calls.iter().rev().take_while(|bad| **bad).count();
                        if bad && row >= n as usize {
                            return self.open(0, now, random, "consecutive failures");
                        }
                    }
                    TripRule::FailureShare { share, window, minimum }
                    | TripRule::SlowShare { share, window, minimum, .. } => {
                        let last = &calls[calls.len().saturating_sub(window as usize)..];
                        let bads = last.iter().filter(|bad| **bad).count();
                        if bad
                            && last.len() >= minimum as usize
                            && bads * 1_000_000 >= share.as_ppm() as usize * last.len()
                        {
                            let slow_rule = matches!(self.config.rule, TripRule::SlowShare { .. });
                            let why = if slow_rule { "share of slow calls" } else { "share of failures" };
                            return self.open(0, now, random, why);
                        }
                    }
                    _ => unreachable!(),
                }
                None
            }
            Mode::HalfOpen { out, good, bad: bads, failed, .. } => {
                let index = out.iter().position(|other| *other == permit)?;
                out.remove(index);
                if bad? || slow {
                    *bads += 1;
                } else {
                    *good += 1;
                }
                let (good, bads, failed) = (*good, *bads, *failed);
                let probes = self.config.probes;
                let share = i128::from(self.config.close_share.as_ppm());
                let needed = (i128::from(probes) * share + 999_999) / 1_000_000;
                if i128::from(good) >= needed {
                    self.go(Mode::Closed { calls: vec![] }, "the probes succeeded")
                } else if i128::from(probes - bads) < needed {
                    self.open(failed + 1, now, random, "the probes failed")
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    pub fn trip(&mut self, now: u64, random: u64) -> Told {
        match self.mode {
            Mode::Closed { .. } => self.open(0, now, random, "tripped by the caller"),
            _ => None,
        }
    }

    pub fn force(&mut self, open: bool) -> Told {
        self.go(if open { Mode::HeldOpen } else { Mode::HeldClosed }, "forced by the caller")
    }

    pub fn reset(&mut self) -> Told {
        self.go(Mode::Closed { calls: vec![] }, "reset by the caller")
    }
}
