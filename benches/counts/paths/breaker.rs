use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{BreakerAdmission, BreakerConfig, CircuitBreaker, Outcome, Ratio, Refused, Transition, TripRule};

use crate::{NOW, leaked};

/// Closed, after a thousand good calls.
fn healthy(rule: TripRule) -> &'static CircuitBreaker {
    let breaker = CircuitBreaker::new(BreakerConfig { rule, ..BreakerConfig::DEFAULT }).unwrap();
    for random in 0..1_000 {
        let permit = breaker.try_attempt(NOW).unwrap().permit;
        assert_eq!(breaker.finish(permit, Outcome::Success, NOW, random), None);
    }
    leaked(breaker)
}

fn in_a_row() -> &'static CircuitBreaker {
    healthy(TripRule::Consecutive(5))
}

fn of_the_last_calls() -> &'static CircuitBreaker {
    healthy(TripRule::FailureShare { share: Ratio::HALF, window: 20, minimum: 10 })
}

fn with_a_failure() -> &'static CircuitBreaker {
    let breaker = of_the_last_calls();
    let permit = breaker.try_attempt(NOW).unwrap().permit;
    assert_eq!(breaker.finish(permit, Outcome::Failure, NOW, 7), None);
    breaker
}

fn open() -> &'static CircuitBreaker {
    let breaker = healthy(TripRule::Consecutive(1));
    let permit = breaker.try_attempt(NOW).unwrap().permit;
    assert!(breaker.finish(permit, Outcome::Failure, NOW, 7).is_some());
    breaker
}

#[library_benchmark]
#[bench::in_a_row(in_a_row())]
#[bench::of_the_last_calls(of_the_last_calls())]
#[bench::with_a_failure(with_a_failure())]
fn breaker_closed(breaker: &'static CircuitBreaker) -> Option<Transition> {
    let permit = breaker.try_attempt(NOW).unwrap().permit;
    breaker.finish(permit, Outcome::Success, NOW, 7)
}

#[library_benchmark]
#[bench::is(open())]
fn breaker_open(breaker: &'static CircuitBreaker) -> Result<BreakerAdmission, Refused> {
    breaker.try_attempt(NOW)
}

library_benchmark_group!(name = breaker_paths, benchmarks = [breaker_closed, breaker_open]);
