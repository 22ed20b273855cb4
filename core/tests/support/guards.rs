//! What tests of a guard begin with.

use core::time::Duration;

use seawall::{
    BreakerConfig, BucketConfig, Call, Guard, GuardConfig, Instant, LimitConfig, Permit, Rate, Request, TripRule,
};

/// The time-out of a call.
pub const T: Duration = Duration::from_secs(1);

pub fn ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

/// Ten a second with a burst of eight, all of it there; four in flight; a breaker that opens at two. What the breaker says
/// of retries is in guard_retries.rs.
pub fn roomy() -> GuardConfig {
    let base = GuardConfig::for_service(Rate::per_second(10), T);
    GuardConfig {
        bucket: BucketConfig::new(Rate::per_second(10)).burst(8),
        breaker: BreakerConfig { rule: TripRule::Consecutive(2), open_for: T, open_cap: 2 * T, ..base.breaker },
        limit: LimitConfig { start: 4, ..base.limit },
        retry_streak: None,
        ..base
    }
}

/// With a seed of no interest.
pub fn guard(config: GuardConfig) -> Guard {
    Guard::new(config, 7, Instant::ORIGIN).unwrap()
}

/// A first attempt that is admitted.
pub fn send(guard: &Guard, now: Instant) -> (Call, Permit) {
    let mut call = guard.begin(Request::DEFAULT, now);
    let permit = guard.try_attempt(&mut call, now).expect("the guard admits").permit;
    (call, permit)
}
