//! A guard of parts whose number the compiler does not know, and calls and permits as words.

use core::time::Duration;

use seawall::{
    Call, CircuitBreaker, ConcurrencyLimit, GuardConfig, GuardState, GuardView, Instant, KeyedBuckets, KeyedConfig,
    LimitConfig, Mode, Outcome, Permit, Rate, Recorder, Refused, Request, RetryBudget, Stage, TokenBucket, WhenFull,
};

const CONFIG: GuardConfig = GuardConfig::for_shards(Rate::per_second(20), Duration::from_secs(1), 3);

static STATE: GuardState = match GuardState::new(CONFIG, 7, Instant::ORIGIN) {
    Ok(state) => state,
    Err(_) => panic!("the defaults are legal, or this does not compile"),
};

static BUCKET: TokenBucket = match CONFIG.token_bucket(7, Instant::ORIGIN) {
    Ok(bucket) => bucket,
    Err(_) => panic!("the defaults are legal, or this does not compile"),
};

static BUDGET: RetryBudget = match RetryBudget::new(CONFIG.budget, Instant::ORIGIN) {
    Ok(budget) => budget,
    Err(_) => panic!("the defaults are legal, or this does not compile"),
};

const fn breaker() -> CircuitBreaker {
    match CircuitBreaker::new(CONFIG.breaker) {
        Ok(breaker) => breaker,
        Err(_) => panic!("the defaults are legal, or this does not compile"),
    }
}

static BREAKERS: [CircuitBreaker; 3] = [breaker(), breaker(), breaker()];

static LIMIT: ConcurrencyLimit<8> = match ConcurrencyLimit::new(LimitConfig { ceiling: 8, ..CONFIG.limit }) {
    Ok(limit) => limit,
    Err(_) => panic!("the defaults are legal, or this does not compile"),
};

static KEYED: KeyedBuckets<2> =
    match KeyedBuckets::new(KeyedConfig::new(Rate::per_second(2), WhenFull::FailOpen), 7, Instant::ORIGIN) {
        Ok(keyed) => keyed,
        Err(_) => panic!("the defaults are legal, or this does not compile"),
    };

/// With as many shards as asked for, where there are so many, and with keys or without.
fn guard(which: u64) -> Option<GuardView<'static>> {
    let breakers = BREAKERS.get(..which as usize >> 1)?;
    GuardView::new(&STATE, &BUCKET, &BUDGET, breakers, &LIMIT, if which & 1 == 0 { None } else { Some(&KEYED) })
}

crate::proofs! {
    fn proof_guard_view_call(a, b, c) {
        let Some(guard) = guard(a & 15) else { return 0 };
        let now = Instant::from_nanos(b);
        let mut call = guard.begin(Request { key: c, shard: c as u32, ..Request::DEFAULT }, now);
        let Ok(admission) = guard.try_attempt(&mut call, now) else { return 1 };
        let outcome = if c & 1 == 0 { Outcome::Failure } else { Outcome::Throttled(crate::optional(a)) };
        let finished = guard.finish(&mut call, admission.permit, outcome, Instant::from_nanos(c));
        guard.abandon(&mut call, now);
        guard.cancel(admission.permit, now) as u64 + finished.limit_change.is_some() as u64
    }

    fn proof_guard_view_words(a, b, c) {
        let Some(guard) = guard(a & 15) else { return 0 };
        let now = Instant::from_nanos(b);
        let words = [a, b, c, a ^ b, b ^ c, c ^ a, !a, !b, !c];
        let told = Permit::from_words(words).map_or(0, |permit| {
            guard.cancel(permit, now) as u64 + permit.to_words().iter().fold(0, |sum, word| sum ^ word)
        });
        told + Call::from_words(words).map_or(0, |mut call| {
            guard.try_attempt(&mut call, now).is_ok() as u64 + call.to_words().iter().fold(0, |sum, word| sum ^ word)
        })
    }

    fn proof_guard_view_looks(a, b, c) {
        let Some(guard) = guard(a & 15) else { return 0 };
        let now = Instant::from_nanos(b);
        let call = guard.begin(Request::DEFAULT, now);
        guard.peek(&call, now).is_ok() as u64
            + guard.paused_until(now).map_or(0, Instant::as_nanos)
            + guard.shards() as u64
            + guard.breaker(c as u32).state(now) as u64
            + guard.bucket().available(now) as u64
            + guard.limit().in_flight(now) as u64
            + guard.budget().balance(now).as_millionths() as u64
            + guard.keyed().map_or(0, |keyed| keyed.let_through())
    }

    fn proof_snapshot_in_words_of_a_view(a, b, c) {
        let Some(guard) = guard(a & 15) else { return 0 };
        let snapshot = guard.snapshot(core::iter::empty::<&Recorder<2, 32>>(), Instant::from_nanos(b));
        let mut buffer = [0; 256];
        let Some(room) = buffer.get_mut(..c as usize) else { return 0 };
        let length = snapshot.explain_into(room).len();
        (length + snapshot.explain_refusal_into(Refused::never(Stage::TokenBucket), room).len()) as u64
    }

    fn proof_guard_view_changes(a, b, c) {
        let Some(guard) = guard(a & 15) else { return 0 };
        let mut told = 0;
        let stage = if b & 1 == 0 { Stage::KeyedBucket } else { Stage::Pause };
        let is_set = guard.set_mode(stage, Mode::Shadow).is_ok();
        let is_reset = guard.reset(Instant::from_nanos(b), |transition| told += transition.shard as u64).is_ok();
        is_set as u64
            + is_reset as u64
            + told
            + (guard.mode(stage) == Mode::Off) as u64
            + guard.rebase(Instant::from_nanos(b), Instant::from_nanos(c)).is_ok() as u64
    }
}
