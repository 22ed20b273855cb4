//! The steps of a guard: the first pass, what settles a restart, and what follows a report.

use core::time::Duration;

use crate::classification::ErrorClass;
use crate::concurrency_limit::{LimitChange, LimitPermit};
use crate::guard::pause::Seen;
use crate::guard::{Call, Finished, Guard, Permit, Verdict};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::retry_budget::RetryCost;
use crate::retry_strategy::{AttemptFailure, GiveUpReason, RetryDecision};
use crate::sync::{Ordering, fault};
use crate::time::Instant;

impl<const SLOTS: usize> Guard<SLOTS> {
    /// The slot of an attempt that a later stage refused.
    pub(super) fn free(&self, limit: LimitPermit, now: Instant) {
        if !fault("guard: the slot stays held when a later stage refuses") {
            self.limit.cancel(limit, now);
        }
    }

    /// The first pass: loads only.
    pub(super) fn look(&self, call: &Call, now: Instant) -> Result<(), Refused> {
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
        if let Some(end) = self.pause.end(now) {
            return Err(Self::paused(end, now));
        }
        self.breaker.peek(now)?;
        self.limit.peek(now)?;
        self.bucket.peek(call.cost, now)
    }

    /// Frees the slot and judges the limit; `None` if the permit was void.
    pub(super) fn report(&self, permit: Permit, outcome: Outcome, now: Instant) -> Option<Option<LimitChange>> {
        let reported = self.limit.report(permit.limit, outcome, now);
        if fault("guard: a void permit is heard") { Some(reported.flatten()) } else { reported }
    }

    /// The answer to a report with a void permit.
    #[cold]
    pub(super) fn void(&self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Finished {
        // Not even a probe's place is given back: whoever freed the slot is about to report it.
        if fault("guard: a void permit gives the probe back") {
            self.breaker.cancel(permit.breaker, now);
        }
        let verdict = match (call.verdict, outcome) {
            (Some(verdict), _) if permit.ended != call.ended => verdict,
            (_, Outcome::Success | Outcome::Ignored) => Verdict::Done,
            (_, Outcome::Failure | Outcome::Throttled(_)) => Verdict::GiveUp(GiveUpReason::PermitVoid),
        };
        if permit.ended == call.ended {
            call.ended = call.ended.saturating_add(1);
            call.verdict = Some(verdict);
        }
        Finished { verdict, transition: None, limit_change: None }
    }

    /// After a pause or a close that nobody has settled yet, the tokens restart at one, as at its instant; the one who
    /// settles starts the ramp. Only an attempt that would pass without it comes here. `seen` was looked at after all
    /// stages: who finds the breaker closed also finds what was marked before.
    ///
    /// The tokens go first: until the word is clear, every thread lowers them to the same level, and so no thread that
    /// finds it clear meets more. The ramp goes last, as two of them would be one too many: a thread that is stopped
    /// between leaves the full rate, from one token.
    pub(super) fn settle(&self, seen: Seen, cost: u32, now: Instant) -> Result<(), Refused> {
        let (at, word) = match seen {
            Seen::Nothing => return Ok(()),
            // It began after the first pass had looked.
            Seen::Paused(end) => return Err(Self::paused(end, now)),
            Seen::Restart(at, word) => (at, word),
        };
        if fault("guard: a restart is cleared before the tokens are gone") {
            self.pause.clear(word);
        }
        self.bucket.drain_to(1, at);
        if self.pause.clear(word) {
            self.climb(at, now);
        }
        self.bucket.peek(cost, now)
    }

    /// The ramp that begins at `at`, unless it would be over by now or end before the bucket's own warm-up.
    fn climb(&self, at: Instant, now: Instant) {
        let end = at.saturating_add(self.ramp.duration());
        if end > now && end.as_nanos() > self.warm_until.load(Ordering::Relaxed) {
            // Where three changes are under way already, or the range of the bucket is spent, there is no ramp.
            let _ = self.bucket.start_warm_up(self.ramp.warm_up(), at);
        }
    }

    fn paused(end: Instant, now: Instant) -> Refused {
        Refused::not_yet(Stage::Pause, Some(end.saturating_duration_since(now)))
    }

    /// Whether and when a failed call is sent again; if so, it is paid for.
    pub(super) fn again(
        &self,
        call: &mut Call,
        class: ErrorClass,
        retry_after: Option<Duration>,
        cost: RetryCost,
        now: Instant,
    ) -> Verdict {
        let failure = AttemptFailure {
            attempt: call.ended,
            elapsed: now.saturating_duration_since(call.began),
            previous_delay: call.previous_delay,
            class,
            retry_after,
        };
        let delay = match self.retry.decide(failure, self.random.next_u64()) {
            RetryDecision::RetryAfter(delay) => delay,
            RetryDecision::GiveUp(reason) => return Verdict::GiveUp(reason),
        };
        let at = now.saturating_add(delay);
        let at = self.pause.end(now).map_or(at, |end| at.max(end));
        if call.deadline.is_some_and(|deadline| at >= deadline) {
            return Verdict::GiveUp(GiveUpReason::DeadlineExceeded);
        }
        if self.budget.try_withdraw(cost, now).is_err() {
            return Verdict::GiveUp(GiveUpReason::BudgetSpent);
        }
        call.previous_delay = Some(delay);
        call.paid = Some(cost);
        Verdict::RetryAt(at)
    }

    pub(super) fn refund(&self, cost: u32, now: Instant) {
        // What the bucket does not take back stays spent: that only ever grants less.
        let _ = self.bucket.refund(cost, now);
    }
}
