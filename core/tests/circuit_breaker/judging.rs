//! On what evidence it opens, for how long, what passes after the close, and what its owner may command.

use super::*;

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
fn a_slow_success_counts_after_any_number_of_good_ones() {
    let slower_than = Duration::from_millis(100);
    let rule = TripRule::SlowShare { share: percent(50), slower_than, window: 4, minimum: 4 };
    let breaker = breaker(BreakerConfig { rule, ..PLAIN });
    for _ in 0..10 {
        assert_eq!(report(&breaker, Outcome::Success, ms(0)), None);
    }
    let [slow, slower] = [(); 2].map(|()| permit(&breaker, ms(0)));
    assert_eq!(breaker.finish(slow, Outcome::Success, ms(101), 0), None);
    assert_eq!(breaker.finish(slower, Outcome::Success, ms(101), 0).map(|t| t.cause), Some(Cause::SlowShare));
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
