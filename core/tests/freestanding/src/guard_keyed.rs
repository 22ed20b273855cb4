//! A guard with buckets by key.

use core::time::Duration;

use seawall::{
    Guard, GuardConfig, Instant, KeyedBuckets, KeyedConfig, LimitConfig, Mode, Rate, Request, Stage, WhenFull,
};

use crate::outcome;

const CONFIG: GuardConfig = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
const EACH: KeyedConfig = KeyedConfig::new(Rate::per_second(2), WhenFull::FailOpen);
static GUARD: Guard<8, 1, KeyedBuckets<4>> = match (
    Guard::<8>::new(
        GuardConfig { limit: LimitConfig { start: 1, ceiling: 8, ..LimitConfig::DEFAULT }, ..CONFIG },
        7,
        Instant::ORIGIN,
    ),
    KeyedBuckets::new(EACH, 7, Instant::ORIGIN),
) {
    (Ok(guard), Ok(users)) => guard.with_keyed(users),
    _ => panic!("both are legal, or this does not compile"),
};

fn request(key: u64, cost: u64) -> Request {
    Request { key, cost: cost as u32, ..Request::DEFAULT }
}

crate::proofs! {
    fn proof_guard_keyed_attempt(a, b, c) {
        let now = Instant::from_nanos(c);
        let mut call = GUARD.begin(request(a, b), now);
        match GUARD.try_attempt(&mut call, now) {
            Ok(admission) => {
                let told = GUARD.finish(&mut call, admission.permit, outcome(b), now).transition;
                GUARD.cancel(admission.permit, now) as u64 + told.is_some() as u64
            }
            Err(refused) => refused.stage() as u64,
        }
    }

    fn proof_guard_keyed_mode(a, b, c) {
        let mode = if c & 1 == 0 { Mode::Shadow } else { Mode::Off };
        let now = Instant::from_nanos(b);
        let told = GUARD.set_mode(Stage::KeyedBucket, mode).is_ok() as u64;
        let mut call = GUARD.begin(request(a, 1), now);
        let shadow = GUARD.try_attempt(&mut call, now).ok().and_then(|admission| admission.shadow_refusal);
        told + (GUARD.mode(Stage::KeyedBucket) == mode) as u64 + shadow.map_or(0, |refused| refused.stage() as u64)
    }

    fn proof_guard_keyed_clock(a, b, c) {
        GUARD.rebase(Instant::from_nanos(a), Instant::from_nanos(b)).is_ok() as u64
            + GUARD.reset(Instant::from_nanos(c)).is_ok() as u64
            + GUARD.keyed().let_through()
    }
}
