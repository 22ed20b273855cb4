//! The promises of the circuit breaker, against a sequential oracle and with real threads.

mod judging;
mod limits;
#[path = "../oracle/circuit_breaker.rs"]
#[allow(unreachable_pub, dead_code, reason = "a module of a test program, and of the guard's")]
mod oracle;
mod probes;
mod sequences;
#[path = "../support/mod.rs"]
#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;
mod threads;
mod vectors;

use core::time::Duration;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use oracle::{Answer, Oracle, Told};
use proptest::prelude::*;
use seawall::{
    BreakerConfig, BreakerConfigError, BreakerPermit, Cause, CircuitBreaker, Instant, Outcome, Random, Ratio, Reason,
    State, Transition, TripRule,
};

const MS: u64 = 1_000_000;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * MS)
}

fn percent(percent: u32) -> Ratio {
    Ratio::percent(percent).unwrap()
}

/// Trips at two failures, open for exactly a second, three probes of which two must succeed, lease 2 s, no ramp.
const PLAIN: BreakerConfig = BreakerConfig {
    rule: TripRule::Consecutive(2),
    open_jitter: Ratio::ZERO,
    open_growth_percent: 200,
    probe_lease: Duration::from_secs(2),
    ramp: Duration::ZERO,
    ..BreakerConfig::DEFAULT
};

fn breaker(config: BreakerConfig) -> CircuitBreaker {
    CircuitBreaker::new(config).unwrap()
}

fn permit(breaker: &CircuitBreaker, now: Instant) -> BreakerPermit {
    breaker.try_attempt(now).expect("the breaker admits").permit
}

fn report(breaker: &CircuitBreaker, outcome: Outcome, now: Instant) -> Option<Transition> {
    breaker.finish(permit(breaker, now), outcome, now, 0)
}

/// An open breaker; its interval ends a second after the origin.
fn opened(config: BreakerConfig) -> CircuitBreaker {
    let breaker = breaker(config);
    assert_eq!(breaker.trip(Instant::ORIGIN, 0).map(|t| t.to), Some(State::Open));
    breaker
}
