//! How the limit moves: what cuts it, what makes it grow, and what does neither.

use super::*;

#[test]
fn slow_replies_and_time_outs_cut_by_their_factors() {
    for (outcome, after, to, reason) in [
        (Outcome::Success, 251, 8, LimitReason::Slow),
        (Outcome::Failure, 251, 8, LimitReason::Slow),
        (Outcome::Failure, 1000, 5, LimitReason::Timeout),
        (Outcome::Success, 1000, 8, LimitReason::Slow),
        (Outcome::Throttled(None), 0, 8, LimitReason::Throttled),
    ] {
        let limit = limit_of(10);
        let permits = fill(&limit, ms(0));
        assert_eq!(limit.finish(permits[4], outcome, ms(after)), Some(LimitChange { from: 10, to, reason }));
    }
}

#[test]
fn quick_errors_alone_do_not_move_the_limit() {
    let limit = limit_of(10);
    for _ in 0..100 {
        let permits = fill(&limit, ms(0));
        for permit in permits {
            assert_eq!(limit.finish(permit, Outcome::Failure, ms(250)), None);
        }
    }
    assert_eq!(limit.limit(), 10);
}

#[test]
fn a_slow_reply_cuts_only_a_limit_that_stays_full() {
    let limit = Limit::new(LimitConfig { start: 4, tolerance_percent: 0, ..adaptive() }).unwrap();
    // Full by chance: of every three reports one finds room.
    for round in 0..100 {
        let permits = fill(&limit, ms(round * 1000));
        for permit in permits {
            assert_eq!(limit.finish(permit, Outcome::Success, ms(round * 1000 + 300)), None);
        }
    }
    // Full at every report: whoever ends is followed by the next at once. The fourth cuts.
    let mut permits = fill(&limit, ms(1_000_000));
    for turn in 1..=4 {
        let change = limit.finish(permits.remove(0), Outcome::Success, ms(1_000_000 + 300 * turn));
        assert_eq!(change.map(|change| (change.to, change.reason)), (turn == 4).then_some((3, LimitReason::Slow)));
        if change.is_none() {
            permits.push(permit(&limit, ms(1_000_000 + 300 * turn)));
        }
    }
}

#[test]
fn good_replies_that_meet_a_full_limit_are_of_its_row() {
    let limit = Limit::new(LimitConfig { start: 3, ceiling: 3, tolerance_percent: 0, ..adaptive() }).unwrap();
    let mut permits = fill(&limit, ms(0));
    for turn in 0..3 {
        assert_eq!(limit.finish(permits.pop().unwrap(), Outcome::Success, ms(turn)), None);
        permits.push(permit(&limit, ms(turn)));
    }
    let change = LimitChange { from: 3, to: 2, reason: LimitReason::Slow };
    assert_eq!(limit.finish(permits[0], Outcome::Success, ms(300)), Some(change));
}

#[test]
fn where_some_calls_always_time_out_one_of_them_says_nothing() {
    let limit = Limit::new(LimitConfig { start: 8, ..adaptive() }).unwrap();
    for call in 0..600 {
        limit.finish(permit(&limit, ms(call * 1000)), Outcome::Success, ms(call * 1000 + 300));
    }
    let mut permits = fill(&limit, ms(1_000_000));
    let changes = [0; 3].map(|_| {
        let change = limit.finish(permits.remove(0), Outcome::Failure, ms(1_001_000));
        permits.extend(limit.try_attempt(ms(1_001_000)));
        change
    });
    assert_eq!(changes, [None, None, Some(LimitChange { from: 8, to: 6, reason: LimitReason::Slow })]);
}

#[test]
fn the_wider_the_limit_the_more_slow_replies_in_a_row_say_something() {
    for (start, enough) in [(3, 1), (4, 2), (16, 5)] {
        let limit = Limit::new(LimitConfig { start, ceiling: start, tolerance_percent: 0, ..adaptive() }).unwrap();
        let mut permits = std::collections::VecDeque::new();
        let mut report = |outcome, now: u64| {
            permits.extend(core::iter::from_fn(|| limit.try_attempt(ms(now)).ok()));
            // The others have just begun.
            let oldest: LimitPermit = permits.pop_front().unwrap();
            limit.finish(oldest, outcome, Instant::from_nanos(oldest.started().as_nanos() + 1000 * MS))
        };
        // Saturated, and one reply short of the row, again and again.
        for turn in 0..20 {
            for _ in 1..enough {
                assert_eq!(report(Outcome::Failure, turn), None);
            }
            assert_eq!(report(Outcome::Ignored, turn), None);
            let good = limit.try_attempt(ms(turn));
            assert!(good.is_ok());
            limit.finish(good.unwrap(), Outcome::Success, ms(turn));
        }
        let change = (0..enough).filter_map(|_| report(Outcome::Failure, 20)).last();
        assert_eq!(change.map(|change| change.reason), Some(LimitReason::Timeout), "{start}");
    }
}

#[test]
fn quick_failures_in_a_row_at_a_limit_that_stays_full_are_refusals() {
    let limit = Limit::new(LimitConfig { start: 4, ceiling: 4, ..adaptive() }).unwrap();
    let mut permits = fill(&limit, ms(0));
    let mut report = |outcome, now| {
        let change = limit.finish(permits.remove(0), outcome, ms(now));
        while let Ok(permit) = limit.try_attempt(ms(now)) {
            permits.push(permit);
        }
        change
    };
    // Every third fails at once, as by a fault that has nothing to do with the load.
    for turn in 0..60 {
        let outcome = if turn % 3 == 0 { Outcome::Failure } else { Outcome::Success };
        assert_eq!(report(outcome, turn), None);
    }
    assert_eq!(report(Outcome::Failure, 61), None);
    let change = LimitChange { from: 4, to: 3, reason: LimitReason::Refused };
    assert_eq!(report(Outcome::Failure, 62), Some(change));
    // Then it grows with care: a tenth of a third for each good reply, for ten seconds.
    let mut replies_to_grow = |now| (1..100).find(|_| report(Outcome::Success, now).is_some());
    assert!(replies_to_grow(70) > Some(20));
    limit.set_limit(3);
    // The first few are of calls whose leases have lapsed.
    assert!(replies_to_grow(10_070).is_some_and(|replies| replies <= 10));
}

#[test]
fn many_slow_replies_of_one_round_trip_cut_once() {
    let limit = limit_of(10);
    let permits = fill(&limit, ms(0));
    let changes: Vec<_> =
        permits.into_iter().filter_map(|permit| limit.finish(permit, Outcome::Success, ms(300))).collect();
    assert_eq!(changes, [LimitChange { from: 10, to: 8, reason: LimitReason::Slow }]);
    // What begins after the cut may cut again.
    let permits = fill(&limit, ms(301));
    assert_eq!(limit.finish(permits[0], Outcome::Success, ms(600)).map(|change| change.to), Some(6));
}

#[test]
fn a_limit_that_was_never_full_is_not_cut() {
    let limit = limit_of(10);
    for _ in 0..100 {
        let permits = [0; 9].map(|_| permit(&limit, ms(0)));
        for permit in permits {
            assert_eq!(limit.finish(permit, Outcome::Failure, ms(1000)), None);
        }
    }
    // Full at the end is enough.
    let first = permit(&limit, ms(0));
    let _others = [0; 9].map(|_| permit(&limit, ms(900)));
    assert_eq!(limit.finish(first, Outcome::Failure, ms(1000)).map(|change| change.to), Some(5));
}

#[test]
fn the_limit_grows_by_one_a_round_only_while_half_of_it_is_used() {
    let limit = limit_of(4);
    for _ in 0..100 {
        let one = permit(&limit, ms(0));
        limit.finish(one, Outcome::Success, ms(10));
    }
    assert_eq!(limit.limit(), 4);
    // Two rounds of four and a little more, as the last quarter is of more than four.
    let mut changes = Vec::new();
    for _ in 0..3 {
        let permits: Vec<_> = (0..4).map(|_| permit(&limit, ms(0))).collect();
        changes.extend(permits.into_iter().filter_map(|permit| limit.finish(permit, Outcome::Success, ms(10))));
    }
    assert_eq!(changes, [LimitChange { from: 4, to: 5, reason: LimitReason::Growth }]);
}

#[test]
fn the_limit_stays_within_floor_and_ceiling() {
    let limit = limit_of(16);
    for permit in fill(&limit, ms(0)) {
        assert_eq!(limit.finish(permit, Outcome::Success, ms(1)), None);
    }
    for round in 0..50 {
        let now = round * 10_000;
        for permit in fill(&limit, ms(now)) {
            limit.finish(permit, Outcome::Failure, ms(now + 2000));
        }
    }
    assert_eq!(limit.limit(), 1);
    // And it comes back from the floor.
    for round in 0..200 {
        for permit in fill(&limit, ms(1_000_000 + round)) {
            limit.finish(permit, Outcome::Success, ms(1_000_000 + round));
        }
    }
    assert_eq!(limit.limit(), 16);
}

/// Good replies of a whole limit at `now`, until it grows.
fn replies_to_grow(limit: &Limit, now: Instant) -> u32 {
    (1..1000)
        .find(|_| {
            let permits = fill(limit, now);
            permits.into_iter().any(|permit| limit.finish(permit, Outcome::Success, now).is_some())
        })
        .expect("it grows")
}

#[test]
fn after_a_throttle_it_grows_at_a_tenth_also_by_the_readings_of_a_thread_that_is_a_little_behind() {
    let throttled = |now| {
        let limit = Limit::new(LimitConfig { start: 4, ..adaptive() }).unwrap();
        let permits = fill(&limit, now);
        assert!(limit.finish(permits[0], Outcome::Throttled(None), now).is_some());
        for permit in permits {
            limit.cancel(permit, now);
        }
        limit
    };
    let (now, at_once) = (ms(100_000), replies_to_grow(&throttled(ms(100_000)), ms(200_000)));
    for behind in [0, 1, 100_000, MS] {
        let rounds = replies_to_grow(&throttled(now), Instant::from_nanos(now.as_nanos() - behind));
        assert!(rounds > 5 * at_once, "{behind}: {rounds} rounds, {at_once} without");
    }
    // What lies further ahead than that is the work of a clock that stepped: no care for ever.
    assert_eq!(replies_to_grow(&throttled(now), ms(0)), at_once);
    // Nor does a limit that takes each sign at once know it.
    let at_once_always = limit_of(4);
    let permits = fill(&at_once_always, now);
    assert!(at_once_always.finish(permits[0], Outcome::Throttled(None), now).is_some());
    for permit in permits {
        at_once_always.cancel(permit, now);
    }
    assert_eq!(replies_to_grow(&at_once_always, now), at_once);
}

#[test]
fn rows_and_care_stay_in_their_bounds_at_the_extremes() {
    let nanosecond = Duration::from_nanos(1);
    for timeout in [nanosecond, Duration::MAX] {
        for saturated_after in [0, 1, 60] {
            let config =
                LimitConfig { saturated_after, slow_after: nanosecond, timeout, lease: Duration::MAX, ..adaptive() };
            let limit = Limit::new(config).unwrap();
            for now in [0, 1, u64::MAX / 2, u64::MAX - 65_536, u64::MAX] {
                for outcome in [Outcome::Failure, Outcome::Throttled(None), Outcome::Success] {
                    for after in [0, 1, u64::MAX] {
                        for _ in 0..300 {
                            let Ok(permit) = limit.try_attempt(Instant::from_nanos(now)) else { break };
                            limit.finish(permit, outcome, Instant::from_nanos(now.saturating_add(after)));
                            assert!((1..=16).contains(&limit.limit()));
                        }
                    }
                }
            }
        }
    }
}
