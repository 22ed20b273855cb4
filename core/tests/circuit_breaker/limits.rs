//! Clocks that are old, absurd or replaced, and the extremes of every argument.

use super::*;

#[test]
fn an_absurd_reading_does_not_hold_the_breaker_open_for_ever() {
    let breaker = breaker(PLAIN);
    breaker.trip(Instant::from_nanos(u64::MAX / 2), 0);
    // An honest clock is centuries behind: the interval counts as over, and this is said.
    let admission = breaker.try_attempt(ms(5)).unwrap();
    assert_eq!(admission.transition.map(|t| t.cause), Some(Cause::ClockStepped));
    // A reading that is merely a little old is no step.
    breaker.reset(ms(5));
    breaker.trip(ms(4000), 0);
    assert!(breaker.try_attempt(ms(1)).is_err());
    // A probe with an absurd reading does not hold its place for ever.
    breaker.reset(ms(5));
    breaker.trip(ms(5), 0);
    for _ in 0..3 {
        let _lost = permit(&breaker, Instant::from_nanos(u64::MAX / 2));
    }
    assert!(breaker.try_attempt(ms(6)).is_ok());
}

#[test]
fn rebase_keeps_the_rest_of_the_interval_on_another_clock() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    breaker.rebase(ms(400), ms(90_000_000));
    assert!(breaker.try_attempt(ms(90_000_599)).is_err());
    let _probe = permit(&breaker, ms(90_000_601));
    // And back: the lease has a second left.
    breaker.rebase(ms(90_001_601), ms(7));
    assert!(breaker.try_attempt(ms(1006)).is_err());
    assert!(breaker.try_attempt(ms(1008)).is_ok());
}

#[test]
fn the_state_is_small() {
    assert_eq!(size_of::<CircuitBreaker>(), 96);
    assert_eq!(size_of::<BreakerPermit>(), 16);
}

#[test]
fn an_older_reading_means_that_no_time_has_passed() {
    let breaker = breaker(PLAIN);
    let permit = permit(&breaker, ms(9000));
    breaker.finish(permit, Outcome::Failure, ms(8000), 0);
    breaker.on_failure(ms(8000), 0);
    assert!(breaker.try_attempt(ms(7500)).is_err());
    assert!(breaker.try_attempt(ms(8900)).is_err());
    assert!(breaker.try_attempt(ms(9001)).is_ok());
}

#[test]
fn a_year_of_idleness_is_rescued_by_the_next_attempt() {
    const YEAR: u64 = 365 * 86_400 * 1000;
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    let _lost = permit(&breaker, ms(YEAR));
    let probe = permit(&breaker, ms(2 * YEAR));
    assert_eq!(breaker.finish(probe, Outcome::Success, ms(2 * YEAR), 0).map(|t| t.to), Some(State::Closed));
}

#[test]
fn extremes_neither_panic_nor_wrap() {
    let most = BreakerConfig {
        rule: TripRule::Consecutive(u32::MAX),
        open_for: Duration::MAX,
        open_cap: Duration::MAX,
        open_growth_percent: u32::MAX,
        probe_lease: Duration::MAX,
        ramp: Duration::MAX,
        probes: 8,
        ..BreakerConfig::DEFAULT
    };
    let least = BreakerConfig {
        open_for: Duration::from_nanos(1),
        open_cap: Duration::from_nanos(1),
        probe_lease: Duration::from_nanos(1),
        ramp: Duration::from_nanos(1),
        ..PLAIN
    };
    for config in [most, least] {
        for now in [0, 1, 4095, 4096, u64::MAX / 2, u64::MAX - 4096, u64::MAX - 4095, u64::MAX] {
            let breaker = breaker(config);
            breaker.trip(at(now), u64::MAX);
            for later in [0, now, now.saturating_add(10_000), u64::MAX] {
                for _ in 0..20 {
                    let _ = (breaker.peek(at(later)), breaker.state(at(later)));
                    if let Ok(admission) = breaker.try_attempt(at(later)) {
                        breaker.finish(admission.permit, Outcome::Success, at(now), u64::MAX);
                    }
                }
            }
        }
    }
}
