//! `default`: seawall's guard as it comes.

use seawall::{Guard, GuardConfig, Instant, LimitConfig, Outcome, Request};

use super::{Call, Permit, Policy, Refusal, Told, Verdict};

/// Nothing here knows of a scenario: the guard is what a user gets from the expected rate and the time-out.
///
/// One guard serves all shards of a service that the client knows of: a breaker for each, and all else shared.
struct Guarded<const SLOTS: usize, const SHARDS: usize> {
    guard: Guard<SLOTS, SHARDS>,
}

/// The smallest guard that has the room. One with more shards than there are treats those as shards that are never called.
pub(super) fn build(told: Told, now: Instant) -> anyhow::Result<Box<dyn Policy>> {
    Ok(match (told.is_small, told.shards) {
        (true, 1) => Box::new(Guarded::<4, 1>::new(told, now)?),
        (true, 2..=4) => Box::new(Guarded::<4, 4>::new(told, now)?),
        (true, _) => Box::new(Guarded::<4, 64>::new(told, now)?),
        (false, 1) => Box::new(Guarded::<64, 1>::new(told, now)?),
        (false, 2..=4) => Box::new(Guarded::<64, 4>::new(told, now)?),
        (false, _) => Box::new(Guarded::<64, 64>::new(told, now)?),
    })
}

impl<const SLOTS: usize, const SHARDS: usize> Guarded<SLOTS, SHARDS> {
    fn new(told: Told, now: Instant) -> anyhow::Result<Self> {
        let config = GuardConfig::for_service(told.rate_times(1.0)?, told.timeout);
        // Fewer slots take a lower ceiling with them.
        let most = u32::try_from(SLOTS)?;
        let limit = LimitConfig {
            ceiling: config.limit.ceiling.min(most),
            start: config.limit.start.min(most),
            ..config.limit
        };
        Ok(Self { guard: Guard::new(GuardConfig { limit, ..config }, told.seed, now)? })
    }
}

impl<const SLOTS: usize, const SHARDS: usize> Policy for Guarded<SLOTS, SHARDS> {
    fn begin(&mut self, shard: u32, now: Instant) -> Call {
        Call { guarded: Some(self.guard.begin(Request { shard, ..Request::DEFAULT }, now)), ..Call::new(now) }
    }

    fn try_attempt(&mut self, call: &mut Call, now: Instant) -> Result<Permit, Refusal> {
        let Some(guarded) = &mut call.guarded else { return Ok(Permit::plain(now)) };
        match self.guard.try_attempt(guarded, now) {
            Ok(admission) => Ok(Permit { guarded: Some(admission.permit), ..Permit::plain(now) }),
            Err(refused) => Err(Refusal { wait: None, retry_after: refused.retry_after() }),
        }
    }

    fn finish(&mut self, call: &mut Call, permit: Permit, is_good: bool, now: Instant) -> Verdict {
        call.ended += 1;
        let outcome = if is_good { Outcome::Success } else { Outcome::Failure };
        let (Some(guarded), Some(permit)) = (&mut call.guarded, permit.guarded) else { return Verdict::GiveUp };
        match self.guard.finish(guarded, permit, outcome, now).verdict {
            seawall::Verdict::Done => Verdict::Done,
            seawall::Verdict::RetryAt(at) => Verdict::RetryAt(at),
            seawall::Verdict::GiveUp(_) => Verdict::GiveUp,
        }
    }

    fn abandon(&mut self, call: &mut Call, now: Instant) {
        if let Some(guarded) = &mut call.guarded {
            self.guard.abandon(guarded, now);
        }
    }

    #[cfg(test)]
    fn in_flight_limit(&self) -> Option<u32> {
        Some(self.guard.limit().limit())
    }
}
