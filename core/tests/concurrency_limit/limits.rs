//! Configurations, clocks that step, and extremes.

use super::*;

#[test]
fn an_absurd_reading_is_visible_and_reset_heals_it() {
    let limit = limit_of(2);
    let _lost = fill(&limit, Instant::from_nanos(u64::MAX / 2));
    assert_eq!(limit.try_attempt(ms(1)).unwrap_err().reason(), Reason::ClockStepped);
    limit.reset();
    // A reading that is merely a little old is no step.
    let _permits = fill(&limit, ms(4000));
    assert_eq!(limit.try_attempt(ms(1)).unwrap_err().reason(), Reason::NotYet);
}

#[test]
fn rebase_keeps_the_rest_of_a_lease_on_another_clock() {
    let limit = limit_of(1);
    let old = permit(&limit, ms(90_000_000));
    limit.rebase(ms(90_001_000), ms(7));
    // Its permit is void, its slot is held until the lease lapses.
    assert_eq!(limit.finish(old, Outcome::Throttled(None), ms(8)), None);
    assert_eq!(limit.try_attempt(ms(4006)).unwrap_err().reason(), Reason::NotYet);
    assert!(limit.try_attempt(ms(4008)).is_ok());
}

#[test]
fn the_state_is_small() {
    assert_eq!(size_of::<ConcurrencyLimit<64>>(), 64 + 64 * 8);
    assert_eq!(size_of::<LimitPermit>(), 24);
}

#[test]
fn a_change_of_configuration_takes_effect() {
    let limit = limit_of(10);
    let config = LimitConfig {
        ceiling: 6,
        start: 6,
        slow_after: Duration::from_millis(10),
        saturated_after: 0,
        ..LimitConfig::DEFAULT
    };
    let change = LimitChange { from: 10, to: 6, reason: LimitReason::Set };
    assert_eq!(limit.set_config(config), Ok(Some(change)));
    let permits = fill(&limit, ms(0));
    assert_eq!(limit.finish(permits[0], Outcome::Success, ms(11)).map(|change| change.to), Some(4));
    assert_eq!(limit.set_config(LimitConfig { floor: 0, ..config }), Err(LimitConfigError::Floor));
    assert_eq!(limit.set_config(LimitConfig { floor: 6, ..config }).unwrap().map(|change| change.to), Some(6));
}

#[test]
fn a_change_of_configuration_begins_the_rows_anew() {
    let config = LimitConfig { start: 3, ceiling: 3, tolerance_percent: 0, ..LimitConfig::DEFAULT };
    for changes in [false, true] {
        let limit = Limit::new(config).unwrap();
        let slow = |limit: &Limit, turn: u64| {
            let permits = fill(limit, ms(turn * 1000));
            let change = limit.finish(permits[0], Outcome::Success, ms(turn * 1000 + 300));
            for permit in &permits[1..] {
                limit.cancel(*permit, ms(turn * 1000 + 300));
            }
            change
        };
        assert!((0..3).all(|turn| slow(&limit, turn).is_none()));
        if changes {
            assert_eq!(limit.set_config(config), Ok(None));
        }
        // The fourth full report in a row.
        assert_eq!(slow(&limit, 3).is_some(), !changes);
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_what_is_allowed() {
    let good = LimitConfig { ceiling: 16, ..LimitConfig::DEFAULT };
    for (config, error) in [
        (LimitConfig { floor: 0, ..good }, LimitConfigError::Floor),
        (LimitConfig { ceiling: 0, ..good }, LimitConfigError::Ceiling),
        (LimitConfig { ceiling: 17, ..good }, LimitConfigError::Ceiling),
        (LimitConfig { start: 0, ..good }, LimitConfigError::Start),
        (LimitConfig { start: 17, ..good }, LimitConfigError::Start),
        (LimitConfig { floor: 3, ..good }, LimitConfigError::Start),
        (LimitConfig { slow_after: Duration::ZERO, ..good }, LimitConfigError::SlowAfter),
        (LimitConfig { timeout: Duration::from_millis(249), ..good }, LimitConfigError::Timeout),
        (LimitConfig { slow_factor: Ratio::ONE, ..good }, LimitConfigError::Factor),
        (LimitConfig { timeout_factor: Ratio::ONE, ..good }, LimitConfigError::Factor),
        (LimitConfig { lease: Duration::from_millis(999), ..good }, LimitConfigError::Lease),
        (LimitConfig { tolerance_percent: 99, ..good }, LimitConfigError::Tolerance),
        (LimitConfig { tolerance_percent: 10_001, ..good }, LimitConfigError::Tolerance),
        (LimitConfig { saturated_after: 61, ..good }, LimitConfigError::Saturation),
    ] {
        assert_eq!(Limit::new(config).err(), Some(error));
        assert!(error.to_string().contains("allowed"), "{error}");
    }
}

#[test]
fn extremes_neither_panic_nor_wrap() {
    let most = LimitConfig {
        slow_after: Duration::MAX,
        timeout: Duration::MAX,
        lease: Duration::MAX,
        slow_factor: Ratio::ZERO,
        timeout_factor: Ratio::ZERO,
        ..LimitConfig::DEFAULT
    };
    let nanosecond = Duration::from_nanos(1);
    let least = LimitConfig { slow_after: nanosecond, timeout: nanosecond, lease: nanosecond, ..most };
    for config in [most, least] {
        let limit = ConcurrencyLimit::<64>::new(config).unwrap();
        for now in [0, 1, 4096, u64::MAX / 2, u64::MAX - 4096, u64::MAX] {
            for later in [0, now, u64::MAX] {
                let later = Instant::from_nanos(later);
                if let Ok(permit) = limit.try_attempt(Instant::from_nanos(now)) {
                    limit.finish(permit, Outcome::Failure, later);
                }
                let _ = (limit.peek(later), limit.in_flight(later), limit.set_limit(u32::MAX), limit.set_limit(0));
            }
        }
    }
    // A static, as half a megabyte is much for a stack.
    static WIDE: ConcurrencyLimit<65_535> =
        match ConcurrencyLimit::new(LimitConfig { start: 65_535, ceiling: 65_535, ..LimitConfig::DEFAULT }) {
            Ok(limit) => limit,
            Err(_) => panic!("refused at compile time"),
        };
    assert_eq!(WIDE.limit(), 65_535);
}

#[test]
fn a_rebase_and_a_reset_keep_the_limit_and_what_is_usual_and_forget_the_rows() {
    for heals in [|limit: &Limit| limit.rebase(ms(1_000_000), ms(7)), |limit: &Limit| limit.reset()] {
        let limit = Limit::new(LimitConfig { start: 8, ceiling: 8, ..adaptive() }).unwrap();
        for call in 0..600 {
            limit.finish(permit(&limit, ms(call)), Outcome::Success, ms(call + 300));
        }
        // As many slow replies as say something, but one.
        let mut permits = fill(&limit, ms(1_000_000));
        let slow = |permits: &mut Vec<LimitPermit>, began: u64| {
            permits.extend(core::iter::from_fn(|| limit.try_attempt(ms(began)).ok()));
            limit.finish(permits.remove(0), Outcome::Success, ms(began + 800))
        };
        for _ in 0..3 {
            assert_eq!(slow(&mut permits, 1_000_000), None);
        }
        let usual = limit.slow_after();
        assert!(usual > Duration::from_millis(600));
        heals(&limit);
        assert_eq!((limit.limit(), limit.slow_after()), (8, usual));
        // On the new clock, when the leases of the old one have lapsed: the row begins anew.
        let mut permits = fill(&limit, ms(2_000_000));
        let changes = [0; 4].map(|_| slow(&mut permits, 2_000_000).map(|change| change.reason));
        assert_eq!(changes, [None, None, None, Some(LimitReason::Slow)]);
    }
}
