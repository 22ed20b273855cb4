//! The promises of the circuit breaker, against a sequential oracle and with real threads.

#[path = "oracle/circuit_breaker.rs"]
#[allow(unreachable_pub, reason = "a module of a test program")]
mod oracle;
#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

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

#[test]
fn only_failures_in_a_row_open_a_consecutive_breaker() {
    let breaker = breaker(PLAIN);
    for _ in 0..20 {
        assert_eq!(report(&breaker, Outcome::Failure, ms(0)), None);
        assert_eq!(report(&breaker, Outcome::Success, ms(0)), None);
    }
    assert_eq!(report(&breaker, Outcome::Throttled(None), ms(0)), None);
    assert_eq!(report(&breaker, Outcome::Ignored, ms(0)), None);
    let told = report(&breaker, Outcome::Failure, ms(0)).unwrap();
    assert_eq!((told.from, told.to, told.cause), (State::Closed, State::Open, Cause::ConsecutiveFailures));
}

#[test]
fn a_share_opens_only_with_the_minimum_of_calls() {
    let rule = TripRule::FailureShare { share: percent(50), window: 8, minimum: 4 };
    let breaker = breaker(BreakerConfig { rule, ..PLAIN });
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Failure, Outcome::Success] {
        // The fourth call brings the minimum, but a success opens nothing.
        assert_eq!(report(&breaker, outcome, ms(0)), None);
    }
    assert_eq!(report(&breaker, Outcome::Failure, ms(0)).map(|t| t.cause), Some(Cause::FailureShare));
}

#[test]
fn the_window_forgets_all_but_the_last_calls() {
    let rule = TripRule::FailureShare { share: percent(50), window: 4, minimum: 4 };
    let breaker = breaker(BreakerConfig { rule, ..PLAIN });
    for _ in 0..100 {
        for outcome in [Outcome::Failure, Outcome::Success, Outcome::Success, Outcome::Success] {
            assert_eq!(report(&breaker, outcome, ms(0)), None);
        }
    }
    assert_eq!(report(&breaker, Outcome::Failure, ms(0)), None);
    assert!(report(&breaker, Outcome::Failure, ms(0)).is_some());
}

#[test]
fn slow_calls_and_failures_open_a_slow_share_breaker() {
    let slower_than = Duration::from_millis(100);
    let rule = TripRule::SlowShare { share: percent(100), slower_than, window: 2, minimum: 2 };
    let breaker = breaker(BreakerConfig { rule, ..PLAIN });
    let call = |length, outcome| {
        let now = ms(1);
        breaker.finish(permit(&breaker, now), outcome, now.saturating_add(Duration::from_nanos(length)), 0)
    };
    assert_eq!(call(100 * MS, Outcome::Success), None);
    assert_eq!(call(100 * MS + 1, Outcome::Success), None);
    assert_eq!(call(100 * MS, Outcome::Success), None);
    assert_eq!(call(0, Outcome::Failure), None);
    assert_eq!(call(100 * MS + 1, Outcome::Success).map(|t| t.cause), Some(Cause::SlowShare));
}

#[test]
fn an_open_breaker_names_the_rest_of_its_interval() {
    let breaker = opened(PLAIN);
    for passed in [0, 1, 400, 999] {
        let refused = breaker.try_attempt(ms(passed)).unwrap_err();
        let rest = refused.retry_after().unwrap().as_nanos() as u64;
        // Rounded up by less than 4.096 us.
        assert!((rest - (1000 - passed) * MS) < 4096, "{rest}");
        assert_eq!(breaker.peek(ms(passed)), Err(refused));
    }
    assert!(breaker.try_attempt(ms(1001)).is_ok());
}

#[test]
fn exactly_k_probes_pass_at_the_end_of_the_open_interval() {
    const THREADS: usize = 64;
    for probes in [1, 3, 8] {
        for round in 0..20 {
            let breaker = opened(BreakerConfig { probes, ..PLAIN });
            let (passed, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let barrier = Barrier::new(THREADS);
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (breaker, passed, told, barrier) = (&breaker, &passed, &told, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        // Readings differ from thread to thread.
                        for turn in 0..10 {
                            if let Ok(admission) = breaker.try_attempt(ms(1001 + (thread as u64 + turn + round) % 7)) {
                                passed.fetch_add(1, Ordering::Relaxed);
                                told.fetch_add(usize::from(admission.transition.is_some()), Ordering::Relaxed);
                            }
                        }
                    });
                }
            });
            assert_eq!(passed.into_inner(), probes as usize);
            assert_eq!(told.into_inner(), 1);
        }
    }
}

#[test]
fn never_more_than_k_probes_are_out_while_threads_report_and_cancel() {
    let breaker = opened(BreakerConfig { probes: 2, close_share: Ratio::ONE, ..PLAIN });
    let (out, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (breaker, out, most) = (&breaker, &out, &most);
            scope.spawn(move || {
                let mut random = Random::from_seed(thread);
                for _ in 0..20_000 {
                    // Within a lease, so that none lapses.
                    let now = ms(1001 + random.next_u64() % 900);
                    let Ok(admission) = breaker.try_attempt(now) else { continue };
                    assert!(admission.permit.is_probe());
                    most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    if random.next_u64().is_multiple_of(4) {
                        std::thread::yield_now();
                    }
                    out.fetch_sub(1, Ordering::SeqCst);
                    breaker.cancel(admission.permit, now);
                }
            });
        }
    });
    assert!(most.into_inner() <= 2);
    assert_eq!(breaker.state(ms(1500)), State::HalfOpen);
    // And no place was lost: with none out there are two, at the latest when the numbers start anew.
    let has_two = |_| {
        let first = permit(&breaker, ms(1901));
        let second = breaker.try_attempt(ms(1901));
        assert!(breaker.try_attempt(ms(1901)).is_err());
        breaker.cancel(first, ms(1901));
        second.map(|second| breaker.cancel(second.permit, ms(1901))).is_ok()
    };
    assert!((0..2).any(has_two));
}

#[test]
fn a_probe_that_never_reports_lapses_and_its_late_report_is_ignored() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    let lost = permit(&breaker, ms(1001));
    assert!(breaker.try_attempt(ms(3000)).is_err());
    let second = permit(&breaker, ms(3002));
    assert!(second.is_probe());
    assert!(breaker.try_attempt(ms(3002)).is_err());
    assert_eq!(breaker.finish(lost, Outcome::Failure, ms(3003), 0), None);
    assert_eq!(breaker.state(ms(3003)), State::HalfOpen);
    assert_eq!(breaker.finish(second, Outcome::Success, ms(3003), 0).map(|t| t.to), Some(State::Closed));
}

#[test]
fn a_lapsed_probe_counts_until_another_takes_its_place() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    let late = permit(&breaker, ms(1001));
    assert_eq!(breaker.finish(late, Outcome::Failure, ms(60_000), 0).map(|t| t.cause), Some(Cause::ProbesFailed));
}

#[test]
fn reports_outlive_the_renewal_of_the_lease() {
    let breaker = opened(PLAIN);
    let probes = [0; 3].map(|_| permit(&breaker, ms(1001)));
    assert_eq!(breaker.finish(probes[0], Outcome::Success, ms(1002), 0), None);
    // Two hang; after the lease two more may go, and one success is enough for two of three.
    let fourth = permit(&breaker, ms(3002));
    let _fifth = permit(&breaker, ms(3002));
    assert!(breaker.try_attempt(ms(3002)).is_err());
    assert_eq!(breaker.finish(fourth, Outcome::Success, ms(3003), 0).map(|t| t.to), Some(State::Closed));
}

#[test]
fn an_ignored_or_cancelled_probe_frees_its_place_without_a_verdict() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    for turn in 0..1000 {
        let probe = permit(&breaker, ms(1001));
        assert!(breaker.try_attempt(ms(1001)).is_err());
        if turn % 2 == 0 {
            breaker.cancel(probe, ms(1001));
        } else {
            assert_eq!(breaker.finish(probe, Outcome::Ignored, ms(1001), 0), None);
        }
        assert_eq!(breaker.state(ms(1001)), State::HalfOpen);
        // What was given back is void.
        assert_eq!(breaker.finish(probe, Outcome::Failure, ms(1001), 0), None);
    }
}

#[test]
fn a_second_result_of_one_probe_is_ignored() {
    let breaker = opened(PLAIN);
    let probe = permit(&breaker, ms(1001));
    assert_eq!(breaker.finish(probe, Outcome::Success, ms(1001), 0), None);
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Failure] {
        assert_eq!(breaker.finish(probe, outcome, ms(1001), 0), None);
        assert_eq!(breaker.state(ms(1001)), State::HalfOpen);
    }
}

#[test]
fn a_result_from_before_the_trip_judges_nothing_after_it() {
    let breaker = breaker(PLAIN);
    let old = permit(&breaker, ms(0));
    breaker.trip(ms(0), 0);
    let probe = permit(&breaker, ms(1001));
    assert_eq!(breaker.finish(old, Outcome::Failure, ms(1001), 0), None);
    assert_eq!(breaker.state(ms(1001)), State::HalfOpen);
    assert_eq!(breaker.finish(probe, Outcome::Success, ms(1001), 0), None);
    assert_eq!(breaker.finish(old, Outcome::Success, ms(1001), 0), None);
    assert_eq!(breaker.state(ms(1001)), State::HalfOpen);
}

#[test]
fn the_interval_grows_only_on_failed_verdicts_in_a_row_and_to_its_cap() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    let mut now = 0;
    for length in [1000, 2000, 4000, 5000, 5000] {
        assert!(breaker.try_attempt(ms(now + length - 1)).is_err());
        now += length + 1;
        assert_eq!(report(&breaker, Outcome::Failure, ms(now)).map(|t| t.cause), Some(Cause::ProbesFailed));
    }
    now += 5001;
    assert_eq!(report(&breaker, Outcome::Success, ms(now)).map(|t| t.to), Some(State::Closed));
    breaker.trip(ms(now), 0);
    assert!(breaker.try_attempt(ms(now + 1001)).is_ok());
}

#[test]
fn the_interval_is_spread_within_its_jitter_and_never_over_its_cap() {
    let config = BreakerConfig { open_jitter: percent(30), open_cap: Duration::from_millis(1100), ..PLAIN };
    let mut random = Random::from_seed(7);
    let (mut least, mut most) = (u64::MAX, 0);
    for _ in 0..1000 {
        let breaker = breaker(config);
        breaker.trip(ms(0), random.next_u64());
        let rest = breaker.try_attempt(ms(0)).unwrap_err().retry_after().unwrap().as_nanos() as u64;
        (least, most) = (least.min(rest), most.max(rest));
    }
    assert!((700 * MS..710 * MS).contains(&least), "{least}");
    assert!((1090 * MS..1100 * MS + 4096).contains(&most), "{most}");
}

#[test]
fn after_the_close_a_rising_share_passes() {
    let breaker = opened(BreakerConfig { probes: 1, ramp: Duration::from_secs(8), ..PLAIN });
    assert_eq!(report(&breaker, Outcome::Success, ms(1001)).map(|t| t.to), Some(State::Closed));
    let mut shares = Vec::new();
    for eighth in 0..8 {
        let start = (1001 + eighth * 1000) * MS;
        let passed = (0..1000).filter(|i| {
            let now = at(start + i * 1_000_003);
            let peeked = breaker.peek(now).is_ok();
            assert_eq!(breaker.try_attempt(now).is_ok(), peeked);
            assert_eq!(breaker.state(now), State::Closed);
            peeked
        });
        shares.push(passed.count());
    }
    // A straight line from an eighth to all: the middle of the first eighth of time is at 0.18.
    for (eighth, share) in shares.iter().enumerate() {
        let expected = 125 + (875 * (2 * eighth + 1)) / 16;
        assert!(share.abs_diff(expected) < 60, "{shares:?}");
    }
    assert!((0..1000).all(|i| breaker.try_attempt(at(9002 * MS + i)).is_ok()));
}

#[test]
fn a_ramp_still_judges() {
    let breaker = opened(BreakerConfig { probes: 1, ramp: Duration::from_secs(8), ..PLAIN });
    report(&breaker, Outcome::Success, ms(1001));
    let passing: Vec<_> = (0..).map(|i| at(5000 * MS + i)).filter(|now| breaker.peek(*now).is_ok()).take(2).collect();
    assert_eq!(report(&breaker, Outcome::Failure, passing[0]), None);
    assert_eq!(report(&breaker, Outcome::Failure, passing[1]).map(|t| t.to), Some(State::Open));
}

#[test]
fn forced_states_hold_until_told_otherwise() {
    let breaker = breaker(PLAIN);
    let told = breaker.force_open(ms(0)).unwrap();
    assert_eq!((told.from, told.to, told.cause), (State::Closed, State::Open, Cause::Forced));
    assert_eq!(breaker.force_open(ms(0)), None);
    let refused = breaker.try_attempt(Instant::MAX).unwrap_err();
    assert_eq!((refused.reason(), refused.retry_after()), (Reason::NotYet, None));
    assert_eq!(breaker.state(Instant::MAX), State::Open);
    assert_eq!(breaker.force_close(ms(0)).map(|t| t.to), Some(State::Closed));
    for _ in 0..100 {
        assert_eq!(report(&breaker, Outcome::Failure, ms(0)), None);
    }
    assert_eq!(breaker.trip(ms(0), 0), None);
    assert_eq!(breaker.reset(ms(0)), None);
    report(&breaker, Outcome::Failure, ms(0));
    assert_eq!(report(&breaker, Outcome::Failure, ms(0)).map(|t| t.to), Some(State::Open));
    assert_eq!(breaker.reset(ms(0)).map(|t| t.cause), Some(Cause::Reset));
}

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
fn the_words_of_the_guide_work_without_permits() {
    let breaker = breaker(BreakerConfig { rule: TripRule::Consecutive(10), ..PLAIN });
    let told: Vec<_> = (0..10).filter_map(|_| breaker.on_failure(ms(0), 0)).collect();
    assert_eq!(told.len(), 1);
    assert!(breaker.should_block(ms(999)));
    assert_eq!((0..10).filter(|_| !breaker.should_block(ms(1001))).count(), 3);
    assert_eq!(breaker.on_success(ms(1002)), None);
    assert_eq!(breaker.on_success(ms(1002)).map(|t| t.to), Some(State::Closed));
    assert!(!breaker.should_block(ms(1002)));
}

#[test]
fn a_change_of_configuration_takes_effect_and_wedges_nothing() {
    let breaker = breaker(PLAIN);
    report(&breaker, Outcome::Failure, ms(0));
    // Another kind of rule starts the evidence anew.
    let rule = TripRule::FailureShare { share: percent(100), window: 2, minimum: 2 };
    breaker.set_config(BreakerConfig { rule, probes: 5, close_share: Ratio::ONE, ..PLAIN }).unwrap();
    assert_eq!(report(&breaker, Outcome::Failure, ms(0)), None);
    assert_eq!(report(&breaker, Outcome::Failure, ms(0)).map(|t| t.cause), Some(Cause::FailureShare));
    // Fewer probes than have reported: the next probe brings the verdict.
    for _ in 0..2 {
        assert_eq!(report(&breaker, Outcome::Success, ms(1001)), None);
    }
    breaker.set_config(BreakerConfig { probes: 1, ..PLAIN }).unwrap();
    assert_eq!(report(&breaker, Outcome::Success, ms(1001)).map(|t| t.to), Some(State::Closed));
    // A wrong one changes nothing.
    assert_eq!(breaker.set_config(BreakerConfig { probes: 0, ..PLAIN }), Err(BreakerConfigError::Probes));
    report(&breaker, Outcome::Failure, ms(1001));
    assert!(report(&breaker, Outcome::Failure, ms(1001)).is_some());
}

#[test]
fn a_wrong_configuration_is_refused_with_what_is_allowed() {
    let share = |share, window, minimum| TripRule::FailureShare { share, window, minimum };
    let slow = TripRule::SlowShare { share: Ratio::ONE, slower_than: Duration::ZERO, window: 1, minimum: 1 };
    for (config, error) in [
        (BreakerConfig { rule: TripRule::Consecutive(0), ..PLAIN }, BreakerConfigError::Consecutive),
        (BreakerConfig { rule: share(Ratio::ZERO, 8, 4), ..PLAIN }, BreakerConfigError::Share),
        (BreakerConfig { rule: share(Ratio::ONE, 0, 0), ..PLAIN }, BreakerConfigError::Window),
        (BreakerConfig { rule: share(Ratio::ONE, 33, 1), ..PLAIN }, BreakerConfigError::Window),
        (BreakerConfig { rule: share(Ratio::ONE, 8, 0), ..PLAIN }, BreakerConfigError::Minimum),
        (BreakerConfig { rule: share(Ratio::ONE, 8, 9), ..PLAIN }, BreakerConfigError::Minimum),
        (BreakerConfig { rule: slow, ..PLAIN }, BreakerConfigError::SlowerThan),
        (BreakerConfig { open_for: Duration::ZERO, ..PLAIN }, BreakerConfigError::OpenFor),
        (BreakerConfig { open_jitter: Ratio::ONE, ..PLAIN }, BreakerConfigError::OpenJitter),
        (BreakerConfig { open_growth_percent: 99, ..PLAIN }, BreakerConfigError::OpenGrowth),
        (BreakerConfig { open_cap: Duration::from_millis(999), ..PLAIN }, BreakerConfigError::OpenCap),
        (BreakerConfig { probes: 0, ..PLAIN }, BreakerConfigError::Probes),
        (BreakerConfig { probes: 9, ..PLAIN }, BreakerConfigError::Probes),
        (BreakerConfig { probe_lease: Duration::ZERO, ..PLAIN }, BreakerConfigError::ProbeLease),
        (BreakerConfig { close_share: Ratio::ZERO, ..PLAIN }, BreakerConfigError::CloseShare),
    ] {
        assert_eq!(CircuitBreaker::new(config).err(), Some(error));
        assert!(error.to_string().contains("allowed"), "{error}");
    }
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

/// Four threads that call, beside whatever `other` does; all that was told, in the order of its generations.
fn told_by_callers(
    breaker: &CircuitBreaker,
    other: impl Fn(&CircuitBreaker, Instant) -> Option<Transition> + Sync,
) -> Vec<Transition> {
    let start = std::time::Instant::now();
    let now = || Instant::from_nanos(start.elapsed().as_nanos() as u64);
    let call = |seed| {
        let (mut random, mut told) = (Random::from_seed(seed), Vec::new());
        for _ in 0..50_000 {
            let Ok(admission) = breaker.try_attempt(now()) else { continue };
            told.extend(admission.transition);
            let drawn = random.next_u64();
            let outcome = [Outcome::Success, Outcome::Failure, Outcome::Ignored][(drawn % 5 % 3) as usize];
            if drawn >> 60 != 0 {
                told.extend(breaker.finish(admission.permit, outcome, now(), drawn));
            }
        }
        told
    };
    let mut told: Vec<Transition> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|seed| scope.spawn(move || call(seed))).collect();
        let other = scope.spawn(|| (0..5_000).filter_map(|_| other(breaker, now())).collect::<Vec<_>>());
        callers.into_iter().chain([other]).flat_map(|thread| thread.join().unwrap()).collect()
    });
    told.sort_by_key(|transition| transition.generation);
    told
}

fn assert_chain(told: &[Transition], last: State) {
    assert!(told.len() > 10, "{}", told.len());
    assert_eq!(told[0].from, State::Closed);
    for pair in told.windows(2) {
        assert!(pair[0].generation < pair[1].generation, "{pair:?}");
        assert_eq!(pair[0].to, pair[1].from, "{pair:?}");
    }
    assert_eq!(told.last().unwrap().to, last);
}

/// Opens and lapses many times in a test.
const QUICK: BreakerConfig =
    BreakerConfig { open_for: Duration::from_micros(50), probe_lease: Duration::from_micros(200), ..PLAIN };

#[test]
fn racing_reports_tell_each_transition_once_and_in_a_chain() {
    let breaker = breaker(QUICK);
    let told = told_by_callers(&breaker, |_, _| None);
    // At the origin an open interval is not over, so this reads the state as it is.
    assert_chain(&told, breaker.state(Instant::ORIGIN));
}

#[test]
fn forcing_resetting_and_tripping_among_callers_keep_the_chain() {
    let breaker = breaker(QUICK);
    let turn = AtomicUsize::new(0);
    let told = told_by_callers(&breaker, |breaker, now| match turn.fetch_add(1, Ordering::Relaxed) % 5 {
        0 => breaker.force_open(now),
        1 => breaker.force_close(now),
        2 | 4 => breaker.reset(now),
        _ => breaker.trip(now, 7),
    });
    assert!(told.iter().any(|transition| transition.cause == Cause::Forced));
    assert_chain(&told, breaker.state(Instant::ORIGIN));
}

#[test]
fn a_setter_among_callers_keeps_the_chain() {
    let breaker = breaker(QUICK);
    let turn = AtomicUsize::new(0);
    let rules = [
        TripRule::Consecutive(2),
        TripRule::FailureShare { share: percent(40), window: 9, minimum: 3 },
        TripRule::SlowShare { share: percent(60), slower_than: Duration::from_micros(1), window: 32, minimum: 5 },
    ];
    let told = told_by_callers(&breaker, |breaker, _| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let ramp = Duration::from_micros(turn as u64 % 20);
        let config = BreakerConfig { rule: rules[turn % 3], probes: 1 + turn as u32 % 8, ramp, ..QUICK };
        assert_eq!(breaker.set_config(config), Ok(()));
        None
    });
    assert_chain(&told, breaker.state(Instant::ORIGIN));
}

// The product against the oracle.

#[derive(Clone, Copy, Debug)]
enum Operation {
    Attempt { now: u64 },
    Finish { permit: usize, outcome: u8, now: u64, random: u64 },
    Cancel { permit: usize },
    Trip { now: u64, random: u64 },
    ForceOpen,
    ForceClose,
    Reset,
}

fn operation() -> impl Strategy<Value = Operation> {
    // A clock that mostly moves a little, sometimes jumps, sometimes is old.
    let now = prop_oneof![0..4_000 * MS, 0..60_000 * MS, Just(0)];
    let random = prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)];
    prop_oneof![
        8 => now.clone().prop_map(|now| Operation::Attempt { now }),
        8 => (0..40usize, 0..8u8, now.clone(), random.clone())
            .prop_map(|(permit, outcome, now, random)| Operation::Finish { permit, outcome, now, random }),
        2 => (0..40usize).prop_map(|permit| Operation::Cancel { permit }),
        1 => (now, random).prop_map(|(now, random)| Operation::Trip { now, random }),
        1 => prop_oneof![Just(Operation::ForceOpen), Just(Operation::ForceClose), Just(Operation::Reset),
            Just(Operation::Reset), Just(Operation::Reset)],
    ]
}

prop_compose! {
    fn rule()(kind in 0..3u8, share in 1..=1_000_000u32, window in 1..=32u32, minimum in 1..=32u32, threshold in 1..5u32)
        -> TripRule {
        let (share, minimum) = (Ratio::from_ppm(share).unwrap(), 1 + (minimum - 1) % window);
        match kind {
            0 => TripRule::Consecutive(threshold),
            1 => TripRule::FailureShare { share, window, minimum },
            _ => TripRule::SlowShare { share, slower_than: Duration::from_millis(500), window, minimum },
        }
    }
}

prop_compose! {
    fn config()(
        rule in rule(), open in 1..3_000 * MS, more in 0..3_000 * MS, jitter in 0..1_000_000u32, growth in 100..400u32,
        probes in 1..=8u32, lease in 1..3_000 * MS, close in 1..=1_000_000u32,
    ) -> BreakerConfig {
        BreakerConfig {
            rule,
            open_for: Duration::from_nanos(open),
            open_jitter: Ratio::from_ppm(jitter).unwrap(),
            open_growth_percent: growth,
            open_cap: Duration::from_nanos(open + more),
            probes,
            probe_lease: Duration::from_nanos(lease),
            close_share: Ratio::from_ppm(close).unwrap(),
            ramp: Duration::ZERO,
        }
    }
}

fn told(transition: Option<Transition>) -> Told {
    transition.map(|t| (t.from.name(), t.to.name(), t.cause.name()))
}

fn outcome(number: u8) -> Outcome {
    match number {
        0..=2 => Outcome::Success,
        3..=5 => Outcome::Failure,
        6 => Outcome::Throttled(None),
        _ => Outcome::Ignored,
    }
}

/// The product and the oracle side by side; permits by the order of their admission.
struct Pair {
    product: CircuitBreaker,
    oracle: Oracle,
    permits: Vec<(BreakerPermit, usize)>,
}

impl Pair {
    fn new(config: BreakerConfig) -> Self {
        Self { product: breaker(config), oracle: Oracle::new(config), permits: Vec::new() }
    }

    /// What the two say.
    fn step(&mut self, operation: Operation) -> (Answer, Answer) {
        match operation {
            Operation::Attempt { now } => {
                let peeked = self.product.peek(at(now));
                let got = match self.product.try_attempt(at(now)) {
                    Ok(admission) => {
                        assert_eq!(peeked, Ok(()));
                        (Ok(admission.permit), told(admission.transition))
                    }
                    Err(refused) => {
                        assert_eq!(peeked, Err(refused));
                        (Err(refused.retry_after().map(|wait| wait.as_nanos() as u64)), None)
                    }
                };
                let expected = self.oracle.attempt(now);
                if let (Ok(product), Ok(oracle)) = (got.0, expected.0) {
                    self.permits.push((product, oracle));
                }
                (
                    Answer { admitted: got.0.map(|_| ()), told: got.1 },
                    Answer { admitted: expected.0.map(|_| ()), told: expected.1 },
                )
            }
            Operation::Finish { permit, outcome: number, now, random } => {
                let Some((product, oracle)) = self.pick(permit) else { return Default::default() };
                let got = self.product.finish(product, outcome(number), at(now), random);
                let verdict = match outcome(number) {
                    Outcome::Ignored => None,
                    other => Some(other.is_bad()),
                };
                (Answer::told(told(got)), Answer::told(self.oracle.finish(oracle, verdict, now, random)))
            }
            Operation::Cancel { permit } => {
                let Some((product, oracle)) = self.pick(permit) else { return Default::default() };
                self.product.cancel(product, at(0));
                self.oracle.finish(oracle, None, 0, 0);
                Default::default()
            }
            Operation::Trip { now, random } => {
                (Answer::told(told(self.product.trip(at(now), random))), Answer::told(self.oracle.trip(now, random)))
            }
            Operation::ForceOpen => {
                (Answer::told(told(self.product.force_open(at(0)))), Answer::told(self.oracle.force(true)))
            }
            Operation::ForceClose => {
                (Answer::told(told(self.product.force_close(at(0)))), Answer::told(self.oracle.force(false)))
            }
            Operation::Reset => (Answer::told(told(self.product.reset(at(0)))), Answer::told(self.oracle.reset())),
        }
    }

    /// One of the newest permits; used ones too.
    fn pick(&self, back: usize) -> Option<(BreakerPermit, usize)> {
        self.permits.len().checked_sub(1 + back % 12).map(|index| self.permits[index])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_sequence_of_calls_decides_as_the_oracle_does(
        config in config(),
        operations in proptest::collection::vec(operation(), 1..120),
    ) {
        let mut pair = Pair::new(config);
        for operation in operations {
            let (got, expected) = pair.step(operation);
            prop_assert_eq!(got, expected, "{:?}", operation);
        }
    }
}

// The vectors.

/// Numbers for the vectors' sequences, of no use but to differ (Knuth's constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn operation(&mut self, now: &mut u64) -> Operation {
        *now += [0, 1, 1_000_000, 400_000_000, 1_300_000_000][self.below(5) as usize];
        let (now, random) = (*now, self.below(1 << 31) << 33);
        match self.below(22) {
            0..9 => Operation::Attempt { now },
            9..18 => Operation::Finish { permit: self.below(4) as usize, outcome: self.below(8) as u8, now, random },
            18 => Operation::Cancel { permit: self.below(4) as usize },
            // Forced states end soon.
            _ => match self.below(8) {
                0..3 => Operation::Trip { now, random },
                3 => Operation::ForceOpen,
                4 => Operation::ForceClose,
                _ => Operation::Reset,
            },
        }
    }
}

fn new_line(config: &BreakerConfig) -> String {
    let rule = match config.rule {
        TripRule::Consecutive(threshold) => format!("rule=consecutive threshold={threshold}"),
        TripRule::FailureShare { share, window, minimum } => {
            format!("rule=failure_share share_ppm={} window={window} minimum={minimum}", share.as_ppm())
        }
        TripRule::SlowShare { share, slower_than, window, minimum } => format!(
            "rule=slow_share share_ppm={} slower_than_ns={} window={window} minimum={minimum}",
            share.as_ppm(),
            slower_than.as_nanos()
        ),
        _ => unreachable!(),
    };
    format!(
        "new {rule} open_for_ns={} open_jitter_ppm={} open_growth_percent={} open_cap_ns={} probes={} \
         probe_lease_ns={} close_share_ppm={} -> ok",
        config.open_for.as_nanos(),
        config.open_jitter.as_ppm(),
        config.open_growth_percent,
        config.open_cap.as_nanos(),
        config.probes,
        config.probe_lease.as_nanos(),
        config.close_share.as_ppm()
    )
}

fn config_of(step: &support::vectors::Step) -> BreakerConfig {
    let number = |name| step.number(name);
    let duration = |name| Duration::from_nanos(step.number(name));
    let ratio = |name| Ratio::from_ppm(step.number(name) as u32).unwrap();
    let share = || (ratio("share_ppm"), number("window") as u32, number("minimum") as u32);
    let rule = match step.word("rule") {
        "consecutive" => TripRule::Consecutive(number("threshold") as u32),
        "failure_share" => {
            let (share, window, minimum) = share();
            TripRule::FailureShare { share, window, minimum }
        }
        _ => {
            let (share, window, minimum) = share();
            TripRule::SlowShare { share, slower_than: duration("slower_than_ns"), window, minimum }
        }
    };
    BreakerConfig {
        rule,
        open_for: duration("open_for_ns"),
        open_jitter: ratio("open_jitter_ppm"),
        open_growth_percent: number("open_growth_percent") as u32,
        open_cap: duration("open_cap_ns"),
        probes: number("probes") as u32,
        probe_lease: duration("probe_lease_ns"),
        close_share: ratio("close_share_ppm"),
        ramp: Duration::ZERO,
    }
}

/// `permits` is how many were admitted before.
fn words_of(permits: usize, is_attempt: bool, answer: &Answer) -> String {
    let told = match answer.told {
        Some((from, to, cause)) => {
            format!(" from={from} to={to} cause={}", cause.replace(' ', "_")).replace("half-open", "half_open")
        }
        None => String::new(),
    };
    match answer.admitted {
        Ok(()) if is_attempt => format!("ok permit={permits}{told}"),
        Ok(()) => format!("ok{told}"),
        Err(Some(wait)) => format!("refused retry_after_ns={wait}"),
        Err(None) => "refused retry_after_ns=none".into(),
    }
}

/// What the oracle says to a few lives of breakers, in the words of the file.
fn oracle_lines() -> Vec<String> {
    let slow = Duration::from_millis(300);
    let rules = [
        TripRule::Consecutive(2),
        TripRule::FailureShare { share: percent(50), window: 8, minimum: 3 },
        TripRule::SlowShare { share: percent(60), slower_than: slow, window: 5, minimum: 2 },
    ];
    let mut lines = Vec::new();
    for (seed, rule) in (0..12).zip(rules.into_iter().cycle()) {
        let probes = [1, 3, 8][seed as usize / 4];
        let config = BreakerConfig { rule, probes, ramp: Duration::ZERO, ..BreakerConfig::DEFAULT };
        let (mut oracle, mut dice, mut now, mut permits) = (Oracle::new(config), Dice(seed), 0, 0);
        lines.push(new_line(&config));
        for _ in 0..60 {
            let operation = dice.operation(&mut now);
            let back = |permit: usize| usize::checked_sub(permits, 1 + permit);
            let (line, is_attempt, answer) = match operation {
                Operation::Attempt { now } => {
                    let (admitted, told) = oracle.attempt(now);
                    let answer = Answer { admitted: admitted.map(|_| ()), told };
                    (format!("try_attempt now={now}"), true, answer)
                }
                Operation::Finish { permit, outcome: number, now, random } => {
                    let Some(permit) = back(permit) else { continue };
                    let (name, verdict) = match outcome(number) {
                        Outcome::Success => ("success", Some(false)),
                        Outcome::Failure => ("failure", Some(true)),
                        Outcome::Throttled(_) => ("throttled", Some(true)),
                        _ => ("ignored", None),
                    };
                    let told = oracle.finish(permit, verdict, now, random);
                    let line = format!("finish permit={permit} outcome={name} now={now} random={random}");
                    (line, false, Answer::told(told))
                }
                Operation::Cancel { permit } => {
                    let Some(permit) = back(permit) else { continue };
                    oracle.finish(permit, None, now, 0);
                    (format!("cancel permit={permit} now={now}"), false, Answer::default())
                }
                Operation::Trip { now, random } => {
                    (format!("trip now={now} random={random}"), false, Answer::told(oracle.trip(now, random)))
                }
                Operation::ForceOpen => (format!("force_open now={now}"), false, Answer::told(oracle.force(true))),
                Operation::ForceClose => (format!("force_close now={now}"), false, Answer::told(oracle.force(false))),
                Operation::Reset => (format!("reset now={now}"), false, Answer::told(oracle.reset())),
            };
            lines.push(format!("{line} -> {}", words_of(permits, is_attempt, &answer)));
            permits += usize::from(is_attempt && answer.admitted.is_ok());
        }
    }
    lines
}

#[test]
fn the_vectors_of_the_oracle_replay() {
    let mut product = breaker(PLAIN);
    let mut permits: Vec<BreakerPermit> = Vec::new();
    support::vectors::check("circuit_breaker", &oracle_lines(), |step| {
        if step.operation == "new" {
            (product, permits) = (breaker(config_of(step)), Vec::new());
            return "ok".into();
        }
        let now = at(step.number("now"));
        let mut admitted = Ok(());
        let transition = match step.operation {
            "try_attempt" => match product.try_attempt(now) {
                Ok(admission) => {
                    permits.push(admission.permit);
                    admission.transition
                }
                Err(refused) => {
                    admitted = Err(refused.retry_after().map(|wait| wait.as_nanos() as u64));
                    None
                }
            },
            "finish" => {
                let outcome = match step.word("outcome") {
                    "success" => Outcome::Success,
                    "failure" => Outcome::Failure,
                    "throttled" => Outcome::Throttled(None),
                    _ => Outcome::Ignored,
                };
                product.finish(permits[step.number("permit") as usize], outcome, now, step.number("random"))
            }
            "cancel" => {
                product.cancel(permits[step.number("permit") as usize], now);
                None
            }
            "trip" => product.trip(now, step.number("random")),
            "force_open" => product.force_open(now),
            "force_close" => product.force_close(now),
            _ => product.reset(now),
        };
        let is_attempt = step.operation == "try_attempt";
        let before = permits.len() - usize::from(is_attempt && admitted.is_ok());
        words_of(before, is_attempt, &Answer { admitted, told: told(transition) })
    });
}
