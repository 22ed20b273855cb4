//! The guard, from the beginning of a call to its end, and what is done to all of its parts.

use core::time::Duration;

use seawall::{
    Call, Guard, GuardConfig, Instant, LimitConfig, Mode, Outcome, Permit, Rate, Ratio, Request, Stage, Verdict, WarmUp,
};

use crate::{code, optional};

static GUARD: Guard = match Guard::new(
    GuardConfig {
        ramp: WarmUp::linear(Rate::ZERO, Duration::from_secs(4)),
        ..GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1))
    },
    7,
    Instant::ORIGIN,
) {
    Ok(guard) => guard,
    Err(_) => panic!("the defaults are legal, or this does not compile"),
};

static SHARDED: Guard<8, 3> = match Guard::new(
    GuardConfig { limit: LimitConfig { start: 1, ceiling: 8, ..LimitConfig::DEFAULT }, ..CONFIG },
    7,
    Instant::ORIGIN,
) {
    Ok(guard) => guard,
    Err(_) => panic!("the defaults are legal, or this does not compile"),
};

const CONFIG: GuardConfig = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));

fn begun(cost: u64, deadline: u64, now: u64) -> Call {
    let deadline = (deadline != 0).then_some(Instant::from_nanos(deadline));
    GUARD.begin(Request { cost: cost as u32, deadline, ..Request::DEFAULT }, Instant::from_nanos(now))
}

fn sent(call: &mut Call, now: u64) -> Option<Permit> {
    GUARD.try_attempt(call, Instant::from_nanos(now)).ok().map(|admission| admission.permit)
}

fn outcome(number: u64) -> Outcome {
    match number & 3 {
        0 => Outcome::Success,
        1 => Outcome::Failure,
        2 => Outcome::Throttled(optional(number >> 2)),
        _ => Outcome::Ignored,
    }
}

crate::proofs! {
    fn proof_guard_attempt(a, b, c) {
        let mut call = begun(a, b, c);
        match GUARD.try_attempt(&mut call, Instant::from_nanos(c)) {
            Ok(admission) => admission.transition.is_some() as u64,
            Err(refused) => refused.stage() as u64,
        }
    }

    fn proof_guard_finish(a, b, c) {
        let mut call = begun(a, 0, b);
        let Some(permit) = sent(&mut call, b) else { return 0 };
        let finished = GUARD.finish(&mut call, permit, outcome(c), Instant::from_nanos(a));
        match finished.verdict {
            Verdict::Done => finished.transition.is_some() as u64,
            Verdict::RetryAt(at) => sent(&mut call, at.as_nanos()).is_some() as u64,
            Verdict::GiveUp(reason) => reason as u64,
        }
    }

    fn proof_guard_give_back(a, b, c) {
        let mut call = begun(a, 0, b);
        let Some(permit) = sent(&mut call, b) else { return 0 };
        GUARD.abandon(&mut call, Instant::from_nanos(c));
        GUARD.cancel(permit, Instant::from_nanos(c)) as u64 + call.attempts() as u64
    }

    fn proof_guard_peek(a, b, c) {
        let refused = GUARD.peek(&begun(a, b, c), Instant::from_nanos(c)).err();
        let wait = refused.and_then(|refused| refused.worth_waiting(Duration::from_nanos(a)));
        wait.map_or(0, |wait| wait.as_nanos() as u64) + begun(a, b, c).deadline().is_some() as u64
    }

    fn proof_guard_paused(a, _b, _c) {
        GUARD.paused_until(Instant::from_nanos(a)).map_or(0, Instant::as_nanos)
    }

    fn proof_guard_clock(a, b, c) {
        GUARD.rebase(Instant::from_nanos(a), Instant::from_nanos(b)).is_ok() as u64
            + GUARD.reset(Instant::from_nanos(c)).is_ok() as u64
    }

    fn proof_guard_modes(a, b, c) {
        let stage = match a & 7 {
            0 => Stage::Deadline,
            1 => Stage::Pause,
            2 => Stage::CircuitBreaker,
            3 => Stage::ConcurrencyLimit,
            4 => Stage::TokenBucket,
            _ => Stage::RetryBudget,
        };
        let mode = match b & 3 {
            0 => Mode::Enforce,
            1 => Mode::Shadow,
            2 => Mode::Canary(Ratio::of(b, c)),
            _ => Mode::Off,
        };
        let told = GUARD.set_mode(stage, mode).map_or_else(|error| code(error.stage.name()), |()| 0);
        told + (GUARD.mode(stage) == mode) as u64
    }

    fn proof_guard_in_its_modes(a, b, c) {
        let now = Instant::from_nanos(b);
        let mut call = GUARD.begin(Request { key: a, ..Request::DEFAULT }, now);
        let Ok(admission) = GUARD.try_attempt(&mut call, now) else { return 0 };
        let finished = GUARD.finish(&mut call, admission.permit, outcome(c), now);
        finished.shadow_refusal.map_or(0, |refused| refused.stage() as u64)
            + finished.shadow_give_up.map_or(0, |reason| reason as u64)
    }

    fn proof_guard_shards(a, b, c) {
        let now = Instant::from_nanos(b);
        let mut call = SHARDED.begin(Request { shard: a as u32, ..Request::DEFAULT }, now);
        let Ok(admission) = SHARDED.try_attempt(&mut call, now) else { return 0 };
        let told = SHARDED.finish(&mut call, admission.permit, outcome(c), now).transition;
        let reset = SHARDED.reset(now).map_or(0, |told| told.iter().flatten().count());
        SHARDED.cancel(admission.permit, now) as u64
            + reset as u64
            + told.map_or(0, |told| told.shard as u64)
            + SHARDED.breaker(a as u32).state(now) as u64
            + SHARDED.rebase(now, Instant::from_nanos(c)).is_ok() as u64
    }

    fn proof_guard_config(a, b, c) {
        let config = GuardConfig::for_service(Rate::per_day(a), Duration::from_nanos(b));
        // Few slots: without a libc there is no memset either.
        let limit = LimitConfig { start: 1, ceiling: 4, ..config.limit };
        Guard::<4>::new(GuardConfig { limit, ..config }, c, Instant::from_nanos(c)).is_ok() as u64
    }
}
