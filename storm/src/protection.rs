//! What stands between a client and the server: nothing, or the guard.
//!
//! This is the only place where the protected run differs from the unprotected one.
//!
//! A message is not a call: where the guard gives a call up, the message stays in the outbox and comes back after a
//! backoff as a call of its own, until its attempts are used up.

use std::time::Duration;

use seawall::{
    BucketConfig, Fill, GiveUpReason, Guard, GuardConfig, Instant, Outcome, Random, Rate, Refused, Request,
    RetryConfig, RetryStrategy, WarmUp,
};

/// The time that an attempt may take.
pub(crate) const ATTEMPT_LIMIT: Duration = Duration::from_secs(1);
/// Attempts for a message, all processes together, before it goes to the dead letters. (The guide's 8.)
pub(crate) const MOST_ATTEMPTS: u32 = 8;
/// The warm-up after a start, from half the rate. A service would take the guide's minute; the demo's whole storm lasts
/// twenty seconds. Beside the live users, who come by chance, the full rate leaves no room for 1.3 times the capacity
/// in every 100 ms: so it is reached once the 5 s have passed in which a restart must not be a burst.
pub(crate) const WARM_UP: Duration = Duration::from_secs(7);

/// A client's protection.
#[derive(Debug)]
pub(crate) enum Protection {
    /// Every attempt passes, every failure is sent again at once.
    None,
    /// Every attempt passes the guard.
    Guard(Box<Guarded>),
}

/// The right to send one attempt.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit(Option<seawall::Permit>);

/// One message on its way, through all its attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    failures: u32,
    guarded: Option<seawall::Call>,
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

/// A guard, and what its client adds.
#[derive(Debug)]
pub(crate) struct Guarded {
    guard: Guard,
    rate: Rate,
    warm_up: WarmUp,
    started: Instant,
    /// When a message whose call was given up comes back.
    again: RetryStrategy,
    random: Random,
}

impl Protection {
    /// The guard for a client that is expected to send `rate` messages a second.
    pub(crate) fn guard(rate: f64, now: Instant) -> anyhow::Result<Self> {
        let per_second = |rate: f64| Rate::new((rate * 1_000.0) as u64, Duration::from_secs(1_000));
        let burst = (rate / 5.0).max(1.0) as u32;
        let (warm_up, rate) = (WarmUp::linear(per_second(rate / 2.0)?, WARM_UP), per_second(rate)?);
        let config = GuardConfig::for_service(rate, ATTEMPT_LIMIT);
        // The client keeps to its share of the capacity: its bucket is a quota here, no mere backstop.
        let bucket = BucketConfig::new(rate).burst(burst).fill(Fill::Tokens(1)).warm_up(warm_up);
        let config = GuardConfig { bucket, ..config };
        Ok(Self::Guard(Box::new(Guarded {
            guard: Guard::new(config, seawall::entropy(), now)?,
            rate,
            warm_up,
            started: now,
            again: RetryStrategy::new(RetryConfig { base_delay: ATTEMPT_LIMIT, ..RetryConfig::DEFAULT })?,
            random: Random::from_seed(seawall::entropy()),
        })))
    }

    /// A message is about to be sent that failed so often before.
    pub(crate) fn begin(&self, failures: u32, now: Instant) -> Call {
        let guarded = match self {
            Self::None => None,
            Self::Guard(guarded) => Some(guarded.guard.begin(Request::DEFAULT, now)),
        };
        Call { failures, guarded }
    }

    /// May `call` send an attempt now?
    pub(crate) fn try_attempt(&mut self, call: &mut Call, now: Instant) -> Result<Permit, Refused> {
        match (self, &mut call.guarded) {
            (Self::Guard(guarded), Some(call)) => Ok(Permit(Some(guarded.guard.try_attempt(call, now)?.permit))),
            _ => Ok(Permit(None)),
        }
    }

    /// The attempt ended.
    pub(crate) fn finish(&mut self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Verdict {
        let answer = match (&*self, &mut call.guarded, permit.0) {
            (Self::Guard(guarded), Some(call), Some(permit)) => {
                Some(guarded.guard.finish(call, permit, outcome, now).verdict)
            }
            _ => None,
        };
        if outcome == Outcome::Success {
            return Verdict::Done;
        }
        call.failures += 1;
        match answer {
            _ if call.failures >= MOST_ATTEMPTS => {
                self.abandon(call, now);
                Verdict::GiveUp
            }
            Some(seawall::Verdict::RetryAt(at)) => Verdict::RetryAt(at),
            Some(seawall::Verdict::Done) => Verdict::Done,
            Some(seawall::Verdict::GiveUp(GiveUpReason::Permanent)) => Verdict::GiveUp,
            Some(seawall::Verdict::GiveUp(_)) => Verdict::RetryAt(self.come_back(call, now)),
            None => Verdict::RetryAt(now),
        }
    }

    /// The message goes on as a new call; when.
    fn come_back(&mut self, call: &mut Call, now: Instant) -> Instant {
        let Self::Guard(guarded) = self else { return now };
        let delay = guarded.again.next_delay(call.failures, None, guarded.random.next_u64());
        let at = now.saturating_add(delay);
        call.guarded = Some(guarded.guard.begin(Request::DEFAULT, at));
        at
    }

    fn abandon(&self, call: &mut Call, now: Instant) {
        if let (Self::Guard(guarded), Some(call)) = (self, &mut call.guarded) {
            guarded.guard.abandon(call, now);
        }
    }

    /// What is allowed at `now`.
    pub(crate) fn allowed(&self, now: Instant) -> Allowed {
        match self {
            Self::None => Allowed::default(),
            Self::Guard(guarded) => {
                let rate = guarded.warm_up.rate_at(now.saturating_duration_since(guarded.started), guarded.rate);
                Allowed {
                    in_flight: Some(f64::from(guarded.guard.limit().limit())),
                    per_second: Some(rate.count() as f64 / rate.period().as_secs_f64()),
                    breaker: Some(guarded.guard.breaker(0).state(now).name().to_owned()),
                }
            }
        }
    }
}
