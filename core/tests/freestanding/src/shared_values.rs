//! Warm-ups, refusals, outcomes, and the names of answers.

use core::time::Duration;

use seawall::{Cause, Curve, ErrorClass, GiveUpReason, Rate, Reason, Refused, Stage, State, WarmUp};

use crate::{code, optional, outcome};

fn warm_up(a: u64, b: u64) -> WarmUp {
    let (from, duration) = (Rate::per_minute(a), Duration::from_nanos(b));
    match a & 3 {
        0 => WarmUp::step(from, duration),
        1 => WarmUp::linear(from, duration),
        _ => WarmUp::exponential(from, duration),
    }
}

fn pick<T: Copy, const N: usize>(all: [T; N], number: u64) -> T {
    all[(number % N as u64) as usize]
}

crate::proofs! {
    fn proof_warm_up_rate_at(a, b, c) {
        let target = Rate::new(c, Duration::from_nanos(a)).unwrap_or(Rate::ZERO);
        warm_up(a, b).rate_at(Duration::from_nanos(c), target).count()
    }
    fn proof_warm_up_earned(a, b, c) {
        let target = Rate::new(c, Duration::from_nanos(a)).unwrap_or(Rate::ZERO);
        warm_up(a, b).earned(Duration::from_nanos(c), target) + u64::from(warm_up(a, b).is_none())
    }
    fn proof_refused(a, b, _c) {
        let stages = [Stage::Deadline, Stage::Pause, Stage::CircuitBreaker, Stage::ConcurrencyLimit];
        let stage = pick(stages, a);
        let refused = match a >> 32 & 3 {
            0 => Refused::never(stage),
            1 => Refused::clock_stepped(stage),
            _ => Refused::not_yet(stage, optional(b)),
        };
        let wait = refused.retry_after().map_or(0, |wait| wait.as_nanos() as u64);
        wait ^ code(refused.stage().name()) ^ u64::from(refused.reason() == Reason::NotYet)
    }
    fn proof_names(a, _b, _c) {
        let state = pick([State::Closed, State::Open, State::HalfOpen], a);
        let cause = pick([Cause::ConsecutiveFailures, Cause::FailureShare, Cause::Reset, Cause::ClockStepped], a);
        let gave_up = pick([GiveUpReason::Permanent, GiveUpReason::BudgetSpent], a);
        let curve = pick([Curve::Step, Curve::Linear, Curve::Exponential], a);
        code(state.name()) ^ code(cause.name()) ^ code(gave_up.name()) ^ curve as u64
    }
    fn proof_outcome(a, b, _c) {
        let class = ErrorClass::of_http_status(a as u16).unwrap_or(ErrorClass::Throttled);
        u64::from(outcome(a).is_bad()) + u64::from(class.outcome(optional(b)).is_bad())
    }
}
