//! What a guard does, whatever its sizes: written once over its parts, for one whose sizes the compiler knows and for one
//! that was given them at run time.
//!
//! The compiler makes each kind of guard its own copy of it. So where a size is known, and where there are no keys,
//! nothing is left of the question.

use crate::circuit_breaker::CircuitBreaker;
use crate::classification::ErrorClass;
use crate::concurrency_limit::ConcurrencyLimitView;
use crate::guard::modes::{Held, Way};
use crate::guard::shards::of_shard;
use crate::guard::state::GuardState;
use crate::guard::steps::{Failed, Steps};
use crate::guard::{Admission, Call, Finished, Mode, ModeError, Permit, Request, Verdict};
use crate::keyed_buckets::{KeyedBucketsView, KeyedChangeError};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::retry_budget::RetryBudget;
use crate::sync::{Ordering, fault};
use crate::time::Instant;
use crate::token_bucket::{ChangeError, Fill, TokenBucket};
use crate::transition::Transition;

/// The parts of a guard, wherever they lie.
pub(super) trait Parts {
    fn state(&self) -> &GuardState;
    fn bucket(&self) -> &TokenBucket;
    fn budget(&self) -> &RetryBudget;
    /// How many breakers there are: 1 to 65,535.
    fn shards(&self) -> u32;
    /// `shard` is taken modulo their number.
    fn breaker(&self, shard: u32) -> &CircuitBreaker;
    fn limit(&self) -> &ConcurrencyLimitView;
    fn keyed(&self) -> Option<&KeyedBucketsView>;
}

/// The public calls of a guard. What they promise stands at [`Guard`](crate::Guard).
pub(super) trait Work: Steps {
    #[inline(always)]
    fn begin(&self, request: Request, now: Instant) -> Call {
        let total = self.state().retry.total_deadline().map(|total| now.saturating_add(total));
        let deadline = match (request.deadline, total) {
            (Some(own), Some(total)) => Some(own.min(total)),
            (own, total) => own.or(total),
        };
        Call {
            began: now,
            deadline,
            held: self.state().modes.held(request.key, self.keyed().is_some()),
            key: request.key,
            shard: if fault("guard: all shards have one breaker") { 0 } else { request.shard % self.shards().max(1) },
            cost: request.cost,
            ended: 0,
            previous_delay: None,
            verdict: None,
            paid: None,
            shadow: None,
        }
    }

    #[inline(always)]
    fn try_attempt(&self, call: &mut Call, now: Instant) -> Result<Admission, Refused> {
        if fault("guard: the modes are read anew for each attempt") {
            call.held = self.state().modes.held(0, self.keyed().is_some());
        }
        let all = Held::all(self.keyed().is_some());
        // Compiled for itself, where all is enforced there is nothing left of the modes.
        if call.held == all { self.attempt(call, Way::new(all, None), now) } else { self.attempt_by_modes(call, now) }
    }

    #[inline(never)]
    fn attempt_by_modes(&self, call: &Call, now: Instant) -> Result<Admission, Refused> {
        self.attempt(call, Way::new(call.held, call.shadow), now)
    }

    #[inline(always)]
    fn attempt(&self, call: &Call, mut way: Way, now: Instant) -> Result<Admission, Refused> {
        let early = fault("guard: a restart is looked for before the stages").then(|| self.state().pause.restart(now));
        let mut found = self.look(call, &mut way, now)?;
        self.settle(early, call, &mut way, &mut found, now)?;
        self.take(call, found, way, now)
    }

    #[inline(always)]
    fn finish(&self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Finished {
        // Of a second attempt that was asked for while one was out, nothing is heard.
        let heard = if permit.ended == call.ended { outcome } else { Outcome::Ignored };
        let Some(limit_change) = self.report(call, &permit, heard, now) else {
            return self.void(call, &permit, heard, now);
        };
        let shadow_refusal = permit.shadow;
        if permit.ended != call.ended {
            self.free_probe(&permit, now);
            let verdict = call.verdict.unwrap_or(Verdict::Done);
            return Finished { verdict, transition: None, limit_change, shadow_refusal, shadow_give_up: None };
        }
        // A success that opens nothing needs no number: all being well, the stream is not written.
        let random = if outcome.is_bad() || self.state().opens_when_slow { self.state().random.next_u64() } else { 0 };
        let is_first = call.ended == 0;
        let cost = self.cost_of(&permit, outcome, now);
        let transition = self.tell(call, &permit, outcome, cost, now, random);
        call.ended = call.ended.saturating_add(1);
        call.paid = None;
        let failed = |class, retry_after| Failed { class, retry_after, cost, shadow: permit.shadow };
        let (verdict, shadow_give_up) = match outcome {
            Outcome::Success => {
                if is_first && call.held.heeds(Stage::RetryBudget, permit.shadow) {
                    self.budget().deposit(now);
                }
                (Verdict::Done, None)
            }
            Outcome::Ignored => (Verdict::Done, None),
            Outcome::Failure => self.again(call, &failed(ErrorClass::Retryable, None), now),
            Outcome::Throttled(wait) => {
                if let Some(wait) = wait
                    && call.held.heeds(Stage::Pause, permit.shadow)
                {
                    self.state().pause.extend(wait, call.held.restarts_after(Stage::Pause), now, random);
                }
                self.again(call, &failed(ErrorClass::Throttled, wait), now)
            }
        };
        call.verdict = Some(verdict);
        Finished { verdict, transition, limit_change, shadow_refusal, shadow_give_up }
    }

    #[inline(always)]
    fn cancel(&self, permit: Permit, now: Instant) -> bool {
        // The slot goes first: who frees it is the one who may give the rest back.
        let Some(limit) = permit.limit else {
            // A probe knows by itself whether it is out; tokens do not.
            self.free_probe(&permit, now);
            return false;
        };
        let is_good = self.limit().cancel(limit, now);
        if is_good || fault("guard: a void permit refunds") {
            self.free_probe(&permit, now);
            self.refund(permit.tokens, now);
            if permit.keyed_tokens != 0 {
                self.refund_key(&permit, now);
            }
        }
        is_good
    }

    fn abandon(&self, call: &mut Call, now: Instant) {
        if let Some(cost) = call.paid.take() {
            self.budget().refund(cost, now);
        }
        call.verdict = Some(Verdict::Done);
    }

    #[inline(always)]
    fn peek(&self, call: &Call, now: Instant) -> Result<(), Refused> {
        self.look(call, &mut Way::new(call.held, call.shadow), now).map(|_| ())
    }

    fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.state().pause.end(now)
    }

    fn rebase(&self, old_now: Instant, new_now: Instant) -> Result<(), ChangeError> {
        let state = self.state();
        let bucket = || self.bucket().rebase(old_now, new_now);
        // First what can fail: both or neither.
        match self.keyed() {
            None => bucket()?,
            Some(keyed) => both(keyed.rebase_after(bucket, old_now, new_now))?,
        }
        let left = state.warm_until.load(Ordering::Relaxed).saturating_sub(old_now.as_nanos());
        state.warm_until.store(new_now.as_nanos().saturating_add(left), Ordering::Relaxed);
        state.pause.rebase(old_now, new_now);
        for shard in 0..self.shards() {
            self.breaker(shard).rebase(old_now, new_now);
        }
        self.limit().rebase(old_now, new_now);
        self.budget().rebase(old_now, new_now);
        Ok(())
    }

    /// Tells each transition that it made.
    fn reset(&self, now: Instant, mut tell: impl FnMut(Transition)) -> Result<(), ChangeError> {
        let state = self.state();
        let bucket = || self.bucket().reset(Fill::Tokens(state.fill), state.warm_up.warm_up(), now);
        // First what can fail: both or neither.
        match self.keyed() {
            None => bucket()?,
            Some(keyed) => both(keyed.reset_after(bucket, now))?,
        }
        state.warm_until.store(now.saturating_add(state.warm_up.duration()).as_nanos(), Ordering::Relaxed);
        state.pause.reset();
        self.limit().reset();
        self.budget().reset(now);
        for shard in 0..self.shards() {
            if let Some(transition) = of_shard(self.breaker(shard).reset(now), shard) {
                tell(transition);
            }
        }
        Ok(())
    }

    fn mode(&self, stage: Stage) -> Mode {
        if stage == Stage::KeyedBucket && self.keyed().is_none() { Mode::Off } else { self.state().modes.get(stage) }
    }

    fn set_mode(&self, stage: Stage, mode: Mode) -> Result<(), ModeError> {
        if stage == Stage::KeyedBucket && self.keyed().is_none() {
            return Err(ModeError { stage });
        }
        self.state().modes.set(stage, mode)
    }
}

impl<P: Parts> Work for P {}

/// The verdict on both, where either may fail. A rebase and a reset keep rate and burst of the keys, so that only two of
/// the errors are left.
fn both(result: Result<Result<(), ChangeError>, KeyedChangeError>) -> Result<(), ChangeError> {
    result.unwrap_or_else(|error| {
        Err(match error {
            KeyedChangeError::Contended => ChangeError::Contended,
            _ => ChangeError::RangeSpent,
        })
    })
}
