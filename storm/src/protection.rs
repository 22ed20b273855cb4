//! What stands between a client and the server: nothing, or the guard.
//!
//! This is the only place where the protected run differs from the unprotected one.
//!
//! **Temporary:** until the guard of the core lands, the protected run uses the small stand-in below (a paced rate that
//! warms up, and an in-flight limit that yields to latency). It is to be deleted then; nothing outside of this module
//! knows of it.

use std::time::Duration;

use seawall::{Instant, Outcome, Refused, Stage};

/// What a reader must know of the protected run. Temporary, with the stand-in.
pub(crate) const CAVEAT: &str = "The protected run stands on a stand-in until the guard of the core lands here.";
/// The time that an attempt may take.
pub(crate) const ATTEMPT_LIMIT: Duration = Duration::from_secs(1);
/// Attempts for a message, all processes together, before it goes to the dead letters. (The guide's 8.)
pub(crate) const MOST_ATTEMPTS: u32 = 8;
/// The warm-up after a start. A service would take the guide's minute; the demo's whole storm lasts twenty seconds.
pub(crate) const WARM_UP: Duration = Duration::from_secs(4);

/// A client's protection.
#[derive(Debug)]
pub(crate) enum Protection {
    /// Every attempt passes, every failure is sent again at once.
    None,
    /// Every attempt passes the guard.
    Guard(StandIn),
}

/// The right to send one attempt.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    began: Instant,
}

/// One message on its way, through all its attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    failures: u32,
}

/// What to do with a message after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is delivered.
    Done,
    /// Send it again, not before this instant.
    RetryAt(Instant),
    /// Leave it to a human.
    GiveUp,
}

/// What a protection allows, for the plots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) in_flight: Option<f64>,
    pub(crate) per_second: Option<f64>,
    pub(crate) breaker: Option<String>,
}

impl Protection {
    /// The guard for a client that is expected to send `rate` messages a second.
    pub(crate) fn guard(rate: f64, now: Instant) -> Self {
        Self::Guard(StandIn::new(rate, now))
    }

    /// A message is about to be sent that failed so often before.
    pub(crate) fn begin(&self, failures: u32) -> Call {
        Call { failures }
    }

    /// May `call` send an attempt now?
    pub(crate) fn try_attempt(&mut self, _call: &mut Call, now: Instant) -> Result<Permit, Refused> {
        match self {
            Self::None => Ok(Permit { began: now }),
            Self::Guard(guard) => guard.try_attempt(now),
        }
    }

    /// The attempt ended.
    pub(crate) fn finish(&mut self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Verdict {
        if let Self::Guard(guard) = self {
            guard.finish(&permit, outcome, now);
        }
        if outcome == Outcome::Success {
            return Verdict::Done;
        }
        call.failures += 1;
        if call.failures >= MOST_ATTEMPTS {
            return Verdict::GiveUp;
        }
        Verdict::RetryAt(match (&self, outcome) {
            (Self::Guard(_), Outcome::Throttled(Some(wait))) => now.saturating_add(wait),
            (Self::Guard(_), _) => now.saturating_add(Duration::from_millis(100) * (1 << call.failures.min(6))),
            (Self::None, _) => now,
        })
    }

    /// What is allowed at `now`.
    pub(crate) fn allowed(&self, now: Instant) -> Allowed {
        match self {
            Self::None => Allowed::default(),
            Self::Guard(guard) => {
                Allowed { in_flight: Some(guard.limit), per_second: Some(guard.rate_at(now)), breaker: None }
            }
        }
    }
}

/// The stand-in for the guard. Temporary.
#[derive(Debug)]
pub(crate) struct StandIn {
    started: Instant,
    rate: f64,
    next: Instant,
    limit: f64,
    in_flight: f64,
    last_cut: Instant,
}

impl StandIn {
    fn new(rate: f64, now: Instant) -> Self {
        Self { started: now, rate, next: now, limit: 2.0, in_flight: 0.0, last_cut: now }
    }

    fn rate_at(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.started).as_secs_f64() / WARM_UP.as_secs_f64();
        self.rate * age.clamp(0.1, 1.0)
    }

    fn try_attempt(&mut self, now: Instant) -> Result<Permit, Refused> {
        if self.in_flight + 1.0 > self.limit.floor() {
            return Err(Refused::not_yet(Stage::ConcurrencyLimit, None));
        }
        if now < self.next {
            return Err(Refused::not_yet(Stage::TokenBucket, Some(self.next.saturating_duration_since(now))));
        }
        let spacing = Duration::from_secs_f64(1.0 / self.rate_at(now));
        // A slot of lateness is made good, so that the timer's grain costs no rate.
        self.next = self.next.max(now.saturating_sub(spacing)).saturating_add(spacing);
        self.in_flight += 1.0;
        Ok(Permit { began: now })
    }

    fn finish(&mut self, permit: &Permit, outcome: Outcome, now: Instant) {
        self.in_flight -= 1.0;
        let took = now.saturating_duration_since(permit.began);
        let cut = match outcome {
            Outcome::Success if took <= ATTEMPT_LIMIT / 2 => None,
            Outcome::Success => Some(0.8),
            _ => Some(0.7),
        };
        match cut {
            None => self.limit = (self.limit + 1.0 / self.limit).min(64.0),
            Some(factor) if permit.began >= self.last_cut => {
                self.limit = (self.limit * factor).max(1.0);
                self.last_cut = now;
            }
            Some(_) => {}
        }
    }
}
