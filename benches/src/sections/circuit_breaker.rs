//! A breaker: closed and healthy, and open.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use failsafe::{CircuitBreaker as _, backoff, failure_policy};
use parking_lot::Mutex;
use recloser::Recloser;
use seawall::{BreakerConfig, CircuitBreaker, Instant, Outcome, Ratio, TripRule};
use tower::{Service, service_fn};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

use crate::row::{Row, Section};
use crate::sections::floors;

/// Ours by its default rule.
pub const OURS: &str = "seawall CircuitBreaker, failures in a row";
/// Ours by the share of the last calls.
pub const OURS_SHARE: &str = "seawall CircuitBreaker, share of the last 32";
/// Ours in the section of open breakers.
pub const OURS_OPEN: &str = "seawall CircuitBreaker";
/// The peer of the targets.
pub const RECLOSER: &str = "recloser, share of the last 100";

const DAY: Duration = Duration::from_secs(86_400);

fn breaker(rule: TripRule) -> CircuitBreaker {
    CircuitBreaker::new(BreakerConfig { rule, ..BreakerConfig::DEFAULT }).expect("the configuration is legal")
}

const SHARE: TripRule = TripRule::FailureShare { share: Ratio::HALF, window: 32, minimum: 16 };
const SLOW: TripRule =
    TripRule::SlowShare { share: Ratio::HALF, slower_than: Duration::from_secs(1), window: 32, minimum: 16 };

/// The last 32 calls succeeded.
fn all_good(rule: TripRule) -> CircuitBreaker {
    let breaker = breaker(rule);
    for _ in 0..64 {
        succeed(&breaker, Instant::ORIGIN);
    }
    breaker
}

#[inline(always)]
fn succeed(breaker: &CircuitBreaker, now: Instant) -> bool {
    match breaker.try_attempt(now) {
        Ok(admission) => breaker.finish(admission.permit, Outcome::Success, now, 7).is_none(),
        Err(_) => false,
    }
}

/// What one writes by hand: failures in a row under a lock, which a call takes twice.
#[derive(Default)]
struct ByHand {
    failures: u32,
    open_until_ns: u64,
}

fn recloser() -> Recloser {
    Recloser::custom().error_rate(0.5).closed_len(100).open_wait(DAY).build()
}

/// A future that is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn tower_row(is_open: bool) -> Row {
    Row::peer(
        "tower-resilience, as a tower service",
        "allocates three times a call",
        (),
        move |(), _| {
            let layer = CircuitBreakerLayer::builder()
                .failure_rate_threshold(0.5)
                .sliding_window_size(100)
                .minimum_number_of_calls(10)
                .wait_duration_in_open(DAY)
                .build()
                .expect("the configuration is legal");
            let is_good = !is_open;
            let service = service_fn(move |()| std::future::ready(if is_good { Ok(()) } else { Err(()) }));
            let mut service = layer.layer_fn(service);
            for _ in 0..100 {
                let _ = service.poll_ready(&mut Context::from_waker(Waker::noop()));
                let _ = ready(service.call(()));
            }
            service
        },
        move |(), service, _| {
            let is_ready = service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready();
            let answer = ready(service.call(()));
            is_ready
                && match answer {
                    Some(Ok(())) => !is_open,
                    Some(Err(error)) => is_open && error.is_circuit_open(),
                    None => false,
                }
        },
    )
    .not_shared()
}

/// Healthy and open.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![healthy(), open()]
}

fn healthy() -> Section {
    let ours = |name: &str, breaker: CircuitBreaker| {
        Row::ours(name, breaker, |_, _| (), |breaker, (), now| succeed(breaker, now.tick()))
    };
    let rows = vec![
        floors::two_loads(),
        ours("CircuitBreaker, failures in a row", all_good(TripRule::Consecutive(10))),
        ours("CircuitBreaker, share of the last 32", all_good(SHARE)),
        ours("CircuitBreaker, share of slow calls", all_good(SLOW)),
        Row::ours(
            "CircuitBreaker, share, one failure in 32",
            all_good(SHARE),
            |_, _| 0_u32,
            |breaker, calls, now| {
                *calls += 1;
                let now = now.tick();
                let outcome = if calls.is_multiple_of(32) { Outcome::Failure } else { Outcome::Success };
                match breaker.try_attempt(now) {
                    Ok(admission) => breaker.finish(admission.permit, outcome, now, 7).is_none(),
                    Err(_) => false,
                }
            },
        ),
        Row::peer(
            RECLOSER,
            "no slow calls, no ramp",
            recloser(),
            |_, _| (),
            |breaker, (), _| breaker.call(|| Ok::<(), ()>(())).is_ok(),
        ),
        Row::peer(
            "failsafe, default policy",
            "takes a lock twice",
            failsafe::Config::new().build(),
            |_, _| (),
            |breaker, (), _| breaker.call(|| Ok::<(), ()>(())).is_ok(),
        ),
        Row::peer(
            "failsafe, failures in a row",
            "takes a lock twice",
            failsafe::Config::new()
                .failure_policy(failure_policy::consecutive_failures(10, backoff::constant(DAY)))
                .build(),
            |_, _| (),
            |breaker, (), _| breaker.call(|| Ok::<(), ()>(())).is_ok(),
        ),
        tower_row(false),
        Row::peer(
            "by hand: parking_lot Mutex, failures in a row",
            "blocks; no probes, no ramp",
            Mutex::new(ByHand::default()),
            |_, _| (),
            |breaker, (), now| {
                let is_closed = breaker.lock().open_until_ns <= now.tick_ns();
                breaker.lock().failures = 0;
                is_closed
            },
        ),
    ];
    Section {
        name: "breaker healthy",
        call: "a call is permitted, and its success reported",
        reference: floors::TWO_LOADS,
        rows,
        alone: true,
        together: 2,
    }
}

fn open() -> Section {
    let ours = breaker(TripRule::Consecutive(1));
    let long = BreakerConfig { open_for: DAY, open_cap: DAY * 2, ..BreakerConfig::DEFAULT };
    ours.set_config(long).expect("the configuration is legal");
    ours.trip(Instant::ORIGIN, 7).expect("it was closed");
    let theirs = recloser();
    for _ in 0..101 {
        let _ = theirs.call(|| Err::<(), ()>(()));
    }
    let failsafe =
        failsafe::Config::new().failure_policy(failure_policy::consecutive_failures(1, backoff::constant(DAY))).build();
    let _ = failsafe.call(|| Err::<(), ()>(()));
    let rows = vec![
        floors::load_compare(),
        Row::ours("CircuitBreaker", ours, |_, _| (), |breaker, (), now| breaker.try_attempt(now.tick()).is_err()),
        Row::peer(
            "recloser",
            "reads a clock of its own",
            theirs,
            |_, _| (),
            |breaker, (), _| matches!(breaker.call(|| Ok::<(), ()>(())), Err(recloser::Error::Rejected)),
        ),
        Row::peer(
            "failsafe",
            "reads a clock of its own, takes a lock",
            failsafe,
            |_, _| (),
            |breaker, (), _| matches!(breaker.call(|| Ok::<(), ()>(())), Err(failsafe::Error::Rejected)),
        ),
        tower_row(true),
        Row::peer(
            "by hand: parking_lot Mutex",
            "blocks",
            Mutex::new(ByHand { failures: 10, open_until_ns: u64::MAX }),
            |_, _| (),
            |breaker, (), now| {
                let breaker = breaker.lock();
                breaker.failures == 10 && breaker.open_until_ns > now.tick_ns()
            },
        ),
    ];
    Section {
        name: "breaker open",
        call: "refused, with the rest of the interval",
        reference: floors::LOAD_COMPARE,
        rows,
        alone: true,
        together: 2,
    }
}
