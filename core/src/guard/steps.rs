//! The steps of a guard: the first pass, what settles a restart, and what follows a report.

use core::time::Duration;

use crate::classification::ErrorClass;
use crate::concurrency_limit::LimitChange;
use crate::guard::modes::Way;
use crate::guard::pause::Restart;
use crate::guard::shards::of_shard;
use crate::guard::work::Parts;
use crate::guard::{Admission, Call, Finished, Permit, Verdict};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::retry_budget::RetryCost;
use crate::retry_strategy::{AttemptFailure, GiveUpReason, RetryDecision};
use crate::sync::{Ordering, fault};
use crate::time::Instant;
use crate::token_bucket::Found;
use crate::transition::{State, Transition};

/// A failed attempt, to those who decide whether the call is sent again.
pub(super) struct Failed {
    pub(super) class: ErrorClass,
    pub(super) retry_after: Option<Duration>,
    pub(super) cost: RetryCost,
    /// The stage in shadow that would have refused the attempt.
    pub(super) shadow: Option<Refused>,
}

/// The steps, for a guard whose parts lie wherever they lie.
pub(super) trait Steps: Parts {
    /// The first pass: loads only. Gives the tokens that it found, if the bucket has a part in the attempt.
    #[inline(always)]
    fn look(&self, call: &Call, way: &mut Way, now: Instant) -> Result<Option<Found>, Refused> {
        if call.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Refused::never(Stage::Deadline));
        }
        match call.verdict {
            None => {}
            Some(Verdict::RetryAt(at)) if now >= at => {}
            Some(Verdict::RetryAt(at)) => {
                return Err(Refused::not_yet(Stage::RetryBudget, Some(at.saturating_duration_since(now))));
            }
            Some(Verdict::Done | Verdict::GiveUp(_)) => return Err(Refused::never(Stage::RetryBudget)),
        }
        if way.asks(Stage::Pause)
            && let Err(refused) = self.state().pause.check(now)
        {
            way.refuse(Stage::Pause, refused)?;
        }
        if way.asks(Stage::CircuitBreaker)
            && let Err(refused) = self.breaker(call.shard).peek(now)
        {
            way.refuse(Stage::CircuitBreaker, refused)?;
        }
        if self.keyed().is_some()
            && way.asks(Stage::KeyedBucket)
            && let Err(refused) = self.look_at_key(call.key, call.cost, now)
        {
            way.refuse(Stage::KeyedBucket, refused)?;
        }
        if way.asks(Stage::ConcurrencyLimit)
            && let Err(refused) = self.look_at_limit(now)
        {
            way.refuse(Stage::ConcurrencyLimit, refused)?;
        }
        if way.asks(Stage::TokenBucket) {
            match self.bucket().look(call.cost, now) {
                Ok(found) => return Ok(Some(found)),
                Err(refused) => way.refuse(Stage::TokenBucket, refused)?,
            }
        }
        Ok(None)
    }

    /// Whether the limit would refuse. A call of its own, as is that for the key: in line they took registers that every
    /// refusal before them would have to save.
    #[inline(never)]
    fn look_at_limit(&self, now: Instant) -> Result<(), Refused> {
        self.limit().peek(now)
    }

    #[inline(never)]
    fn look_at_key(&self, key: u64, n: u32, now: Instant) -> Result<(), Refused> {
        self.keyed().map_or(Ok(()), |keyed| keyed.peek(key, n, now))
    }

    /// The second pass: takes from each stage that has a part in the attempt, and from the bucket the tokens that the first
    /// pass found. A stage that refuses here lost its place to another thread since then.
    #[inline(always)]
    fn take(&self, call: &Call, found: Option<Found>, mut way: Way, now: Instant) -> Result<Admission, Refused> {
        let mut permit = Permit {
            started: now,
            limit: None,
            breaker: None,
            tokens: 0,
            keyed_tokens: 0,
            ended: call.ended,
            shard: call.shard,
            key: call.key,
            shadow: way.refusal,
        };
        if way.asks(Stage::ConcurrencyLimit) {
            match self.limit().try_attempt(now) {
                Ok(slot) => permit.limit = Some(slot),
                Err(refused) => way.refuse(Stage::ConcurrencyLimit, refused)?,
            }
        }
        if way.asks(Stage::TokenBucket) {
            let taken = match found {
                Some(found) => self.bucket().take_found(found, call.cost, now),
                None => self.bucket().try_take(call.cost, now),
            };
            match taken {
                Ok(()) => permit.tokens = call.cost,
                Err(refused) => permit = self.without(Stage::TokenBucket, refused, permit, &mut way, now)?,
            }
        }
        let only_looks = fault("guard: the bucket of a key is only looked at");
        if let Some(keyed) = self.keyed()
            && way.asks(Stage::KeyedBucket)
            && !only_looks
        {
            match keyed.try_charge(call.key, call.cost, now) {
                Ok(true) => permit.keyed_tokens = call.cost,
                // Let through without a place, or for no token.
                Ok(false) => {}
                Err(refused) => permit = self.without(Stage::KeyedBucket, refused, permit, &mut way, now)?,
            }
        }
        let mut transition = None;
        if way.asks(Stage::CircuitBreaker) {
            match self.breaker(call.shard).try_attempt(now) {
                Ok(admission) => {
                    permit.breaker = Some(admission.permit);
                    transition = of_shard(admission.transition, call.shard);
                }
                Err(refused) => permit = self.without(Stage::CircuitBreaker, refused, permit, &mut way, now)?,
            }
        }
        permit.shadow = way.refusal;
        Ok(Admission { permit, transition, shadow_refusal: way.refusal })
    }

    /// A stage refused after others had given: they get it back, all of them, or those in shadow where it only would
    /// refuse.
    #[inline(always)]
    fn without(
        &self,
        stage: Stage,
        refused: Refused,
        permit: Permit,
        way: &mut Way,
        now: Instant,
    ) -> Result<Permit, Refused> {
        let verdict = way.refuse(stage, refused);
        let permit = self.given_back(permit, *way, verdict.is_err(), now);
        verdict.map(|()| permit)
    }

    /// The permit without what it took from the stages that have no part in the attempt any more: all of them where it is
    /// refused, those in shadow where one of them would refuse it. It is rare, and so takes and returns all by value: what
    /// it was lent would have to lie in memory for all who are admitted.
    #[cold]
    #[inline(never)]
    fn given_back(&self, mut permit: Permit, way: Way, is_refused: bool, now: Instant) -> Permit {
        let forgets = fault("guard: a shadow keeps what it took for an attempt that another would refuse");
        let gives_all = is_refused || fault("guard: a refusal in shadow gives back what is enforced");
        let keeps = |stage| !gives_all && (forgets || way.held.heeds(stage, way.refusal));
        if permit.keyed_tokens != 0 && !keeps(Stage::KeyedBucket) {
            if !fault("guard: the tokens of the key stay spent when the breaker refuses") {
                self.refund_key(&permit, now);
            }
            permit.keyed_tokens = 0;
        }
        if permit.tokens != 0 && !keeps(Stage::TokenBucket) {
            if !fault("guard: the tokens stay spent when the breaker refuses") {
                self.refund(permit.tokens, now);
            }
            permit.tokens = 0;
        }
        if let Some(limit) = permit.limit
            && !keeps(Stage::ConcurrencyLimit)
        {
            if !fault("guard: the slot stays held when a later stage refuses") {
                self.limit().cancel(limit, now);
            }
            permit.limit = None;
        }
        permit
    }

    /// Frees the slot, if there is one, and judges the limit; `None` if the permit was void.
    ///
    /// Only the slot of a limit that is enforced decides: one in shadow may have gone to another after its lease, and
    /// must not silence a report. Then it is for the call to know that it has not been made.
    fn report(&self, call: &Call, permit: &Permit, outcome: Outcome, now: Instant) -> Option<Option<LimitChange>> {
        let Some(slot) = &permit.limit else { return Some(None) };
        let reported = self.limit().report(slot, outcome, now);
        let decides = call.held.enforces(Stage::ConcurrencyLimit) && !fault("guard: a void permit is heard");
        if decides { reported } else { Some(reported.flatten()) }
    }

    /// The answer to a report with a void permit.
    #[cold]
    fn void(&self, call: &mut Call, permit: &Permit, outcome: Outcome, now: Instant) -> Finished {
        // Not even a probe's place is given back: whoever freed the slot is about to report it.
        if fault("guard: a void permit gives the probe back") {
            self.free_probe(permit, now);
        }
        let verdict = match (call.verdict, outcome) {
            (Some(verdict), _) if permit.ended != call.ended => verdict,
            (_, Outcome::Success | Outcome::Ignored) => Verdict::Done,
            (_, Outcome::Failure | Outcome::Throttled(_)) => Verdict::GiveUp(GiveUpReason::PermitVoid),
        };
        if permit.ended == call.ended {
            call.ended = call.ended.saturating_add(1);
            call.verdict = Some(verdict);
            // It was sent all the same.
            call.paid = None;
        }
        Finished { verdict, transition: None, limit_change: None, shadow_refusal: permit.shadow, shadow_give_up: None }
    }

    /// A failure that took as long as a time-out was one.
    fn cost_of(&self, permit: &Permit, outcome: Outcome, now: Instant) -> RetryCost {
        let latency = now.as_nanos().saturating_sub(permit.started.as_nanos());
        if outcome == Outcome::Failure && latency >= self.state().timeout_ns {
            RetryCost::Timeout
        } else {
            RetryCost::Error
        }
    }

    /// How many failures in a row the breaker counts for it. A time-out is no more than another failure where some are
    /// usual.
    fn weight_of(&self, cost: RetryCost) -> u32 {
        if cost == RetryCost::Timeout && !self.limit().expects_timeouts() { self.state().timeout_weight } else { 1 }
    }

    /// Whether the service is well enough for a retry.
    fn may_retry(&self, shard: u32, cost: RetryCost) -> Result<(), Refused> {
        // What a time-out weighs more than an error. A weight is at least 1.
        let excess = self.weight_of(cost) - 1;
        let is_well = |row| self.state().retry_streak != 0 && row < self.state().retry_streak.saturating_add(excess);
        if !self.state().has_streak || self.breaker(shard).in_a_row().is_some_and(is_well) {
            Ok(())
        } else {
            Err(Refused::not_yet(Stage::CircuitBreaker, None))
        }
    }

    /// The breaker hears of first attempts and of probes.
    fn tell(
        &self,
        call: &Call,
        permit: &Permit,
        outcome: Outcome,
        cost: RetryCost,
        now: Instant,
        random: u64,
    ) -> Option<Transition> {
        let breaker = permit.breaker?;
        if call.ended != 0 && !breaker.is_probe() {
            self.breaker(permit.shard).cancel(breaker, now);
            return None;
        }
        let closes = breaker.is_probe()
            && outcome == Outcome::Success
            && call.held.restarts_after(Stage::CircuitBreaker)
            && self.is_spared(permit.shard, now);
        let is_late = fault("guard: a restart is marked after the breaker has closed");
        if closes && !is_late {
            // Before the breaker hears of it: who finds it closed must find this too.
            self.state().pause.restart_at(now);
        }
        let weight = self.weight_of(cost);
        let transition = self.breaker(permit.shard).finish_weighing(breaker, outcome, weight, now, random);
        if closes && is_late {
            self.state().pause.restart_at(now);
        }
        of_shard(transition, permit.shard)
    }

    /// A probe that says nothing.
    fn free_probe(&self, permit: &Permit, now: Instant) {
        if let Some(breaker) = permit.breaker {
            self.breaker(permit.shard).cancel(breaker, now);
        }
    }

    /// After a pause or a close that nobody has settled yet, the tokens restart at one, as at its instant; the one who
    /// settles starts the ramp. Only an attempt that would pass without it, and takes from the bucket, comes to it. The
    /// pause is looked at once more after all stages: who finds the breaker closed also finds what was marked before.
    /// `early` is for the models.
    ///
    /// The tokens go first: until the word is clear, every thread lowers them to the same level, and so no thread that
    /// finds it clear meets more. The ramp goes last, as two of them would be one too many: a thread that is stopped
    /// between leaves the full rate, from one token.
    #[inline(always)]
    fn settle(
        &self,
        early: Option<Option<Restart>>,
        call: &Call,
        way: &mut Way,
        found: &mut Option<Found>,
        now: Instant,
    ) -> Result<(), Refused> {
        // It may have begun after the first pass had looked.
        if way.asks(Stage::Pause)
            && let Err(refused) = self.state().pause.pass(now)
        {
            way.refuse(Stage::Pause, refused)?;
        }
        if !way.asks(Stage::TokenBucket) {
            return Ok(());
        }
        if let Some(restart) = early.unwrap_or_else(|| self.state().pause.restart(now)) {
            (*found, way.refusal) = self.restart(restart, call, *way, now)?;
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn restart(
        &self,
        (at, word): Restart,
        call: &Call,
        mut way: Way,
        now: Instant,
    ) -> Result<(Option<Found>, Option<Refused>), Refused> {
        if fault("guard: a restart is cleared before the tokens are gone") {
            self.state().pause.clear(word);
        }
        self.bucket().drain_to(1, at);
        if self.state().pause.clear(word) {
            self.climb(at, now);
        }
        match self.bucket().look(call.cost, now) {
            Ok(found) => Ok((Some(found), way.refusal)),
            Err(refused) => way.refuse(Stage::TokenBucket, refused).map(|()| (None, way.refusal)),
        }
    }

    /// The ramp that begins at `at`, unless it would be over by now or end before the bucket's own warm-up.
    fn climb(&self, at: Instant, now: Instant) {
        let end = at.saturating_add(self.state().ramp.duration());
        if end > now && end.as_nanos() > self.state().warm_until.load(Ordering::Relaxed) {
            // Where three changes are under way already, or the range of the bucket is spent, there is no ramp.
            let _ = self.bucket().start_warm_up(self.state().ramp.warm_up(), at);
        }
    }

    /// Whether and when a failed call is sent again; if so, it is paid for, before the backoff begins: what waits in it
    /// has been counted. And the reason for which a stage in shadow would have given it up.
    fn again(&self, call: &mut Call, failed: &Failed, now: Instant) -> (Verdict, Option<GiveUpReason>) {
        let failure = AttemptFailure {
            attempt: call.ended,
            elapsed: now.saturating_duration_since(call.began),
            previous_delay: call.previous_delay,
            class: failed.class,
            retry_after: failed.retry_after,
        };
        let delay = match self.state().retry.decide(failure, self.state().random.next_u64()) {
            RetryDecision::RetryAfter(delay) => delay,
            RetryDecision::GiveUp(reason) => return (Verdict::GiveUp(reason), None),
        };
        let at = now.saturating_add(delay);
        // A pause in shadow keeps nobody waiting.
        let pause = if call.held.enforces(Stage::Pause) { self.state().pause.end(now) } else { None };
        let at = pause.map_or(at, |end| at.max(end));
        if call.deadline.is_some_and(|deadline| at >= deadline) {
            return (Verdict::GiveUp(GiveUpReason::DeadlineExceeded), None);
        }
        let mut way = Way::new(call.held, failed.shadow);
        if way.asks(Stage::CircuitBreaker)
            && let Err(refused) = self.may_retry(call.shard, failed.cost)
            && way.refuse(Stage::CircuitBreaker, refused).is_err()
        {
            return (Verdict::GiveUp(GiveUpReason::ServiceFailing), None);
        }
        let mut paid = None;
        if way.asks(Stage::RetryBudget) {
            match self.budget().try_withdraw(failed.cost, now) {
                Ok(()) => paid = Some(failed.cost),
                Err(refused) if way.refuse(Stage::RetryBudget, refused).is_err() => {
                    return (Verdict::GiveUp(GiveUpReason::BudgetSpent), None);
                }
                Err(_) => {}
            }
        }
        call.previous_delay = Some(delay);
        call.paid = paid;
        let given_up = match way.refusal {
            Some(refused) if failed.shadow.is_none() => {
                // Enforced, it would end the call here: what is sent of it from now on no shadow counts.
                call.shadow = way.refusal;
                let is_failing = refused.stage() == Stage::CircuitBreaker;
                Some(if is_failing { GiveUpReason::ServiceFailing } else { GiveUpReason::BudgetSpent })
            }
            _ => None,
        };
        (Verdict::RetryAt(at), given_up)
    }

    /// What a permit took of its key.
    fn refund_key(&self, permit: &Permit, now: Instant) {
        if let Some(keyed) = self.keyed() {
            // A key that is full again takes nothing back: that only ever grants less.
            let _ = keyed.refund(permit.key, permit.keyed_tokens, now);
        }
    }

    /// Whether no shard but this one is being called: then the bucket has filled because the service was spared.
    fn is_spared(&self, but: u32, now: Instant) -> bool {
        (0..self.shards()).all(|shard| shard == but || self.breaker(shard).state(now) != State::Closed)
    }

    fn refund(&self, cost: u32, now: Instant) {
        // What the bucket does not take back stays spent: that only ever grants less.
        let _ = self.bucket().refund(cost, now);
    }
}

impl<P: Parts> Steps for P {}
