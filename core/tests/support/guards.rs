//! What tests of a guard begin with.

use seawall::{Call, Guard, GuardConfig, Instant, Permit, Request};

pub fn ms(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
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
