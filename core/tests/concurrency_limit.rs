//! The promises of the concurrency limit, against a sequential oracle and with real threads.

#[path = "oracle/concurrency_limit.rs"]
#[allow(unreachable_pub, reason = "a module of a test program")]
mod oracle;
#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use core::time::Duration;

use oracle::{Change, Oracle, Reply};
use portable_atomic::{AtomicI64, AtomicUsize, Ordering};
use proptest::prelude::*;
use seawall::{
    ConcurrencyLimit, Instant, LimitChange, LimitConfig, LimitConfigError, LimitPermit, LimitReason, Outcome, Random,
    Ratio, Reason, Stage,
};

const MS: u64 = 1_000_000;
const SLOTS: usize = 16;
type Limit = ConcurrencyLimit<SLOTS>;

fn ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * MS)
}

/// A limit that learns nothing and takes each sign at once.
fn limit_of(start: u32) -> Limit {
    Limit::new(LimitConfig { start, tolerance_percent: 0, saturated_after: 0, ..adaptive() }).unwrap()
}

fn adaptive() -> LimitConfig {
    LimitConfig { ceiling: 16, ..LimitConfig::DEFAULT }
}

fn permit(limit: &Limit, now: Instant) -> LimitPermit {
    limit.try_attempt(now).expect("the limit admits")
}

fn fill(limit: &Limit, now: Instant) -> Vec<LimitPermit> {
    (0..limit.limit()).map(|_| permit(limit, now)).collect()
}

#[test]
fn exactly_the_limit_is_admitted_and_a_refusal_says_who_refused() {
    let limit = limit_of(5);
    let permits = fill(&limit, ms(0));
    let refused = limit.try_attempt(ms(1)).unwrap_err();
    assert_eq!(
        (refused.stage(), refused.reason(), refused.retry_after()),
        (Stage::ConcurrencyLimit, Reason::NotYet, None)
    );
    assert_eq!(limit.peek(ms(1)), Err(refused));
    limit.cancel(permits[2], ms(1));
    assert_eq!(limit.peek(ms(1)), Ok(()));
    assert_eq!(limit.in_flight(ms(1)), 4);
    let _again = permit(&limit, ms(1));
    assert!(limit.try_attempt(ms(1)).is_err());
}

#[test]
fn a_lost_permit_heals_when_its_lease_lapses_and_its_late_report_is_ignored() {
    let limit = limit_of(1);
    let lost = permit(&limit, ms(0));
    assert!(limit.try_attempt(ms(4999)).is_err());
    let second = permit(&limit, ms(5001));
    assert_eq!(limit.finish(lost, Outcome::Failure, ms(5001)), None);
    assert_eq!(limit.in_flight(ms(5001)), 1);
    assert!(limit.try_attempt(ms(5001)).is_err());
    limit.cancel(second, ms(5002));
    assert!(limit.try_attempt(ms(5002)).is_ok());
}

#[test]
fn a_second_report_of_one_permit_does_nothing() {
    let limit = limit_of(1);
    let first = permit(&limit, ms(0));
    limit.finish(first, Outcome::Ignored, ms(0));
    // The same slot, the same instant.
    let second = permit(&limit, ms(0));
    limit.cancel(first, ms(0));
    assert_eq!(limit.finish(first, Outcome::Throttled(None), ms(2000)), None);
    assert!(limit.try_attempt(ms(0)).is_err());
    assert_eq!(limit.limit(), 1);
    limit.cancel(second, ms(0));
}

#[test]
fn a_permit_that_never_was_does_nothing() {
    let limit = limit_of(2);
    for words in [[0; 3], [0, 0, 1], [u64::MAX; 3], [1, 1, 1 << 31]] {
        assert_eq!(limit.finish(LimitPermit::from_words(words), Outcome::Throttled(None), ms(0)), None);
    }
    assert_eq!(fill(&limit, ms(0)).len(), 2);
    assert!(limit.try_attempt(ms(0)).is_err());
}

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
fn what_is_slow_follows_from_what_is_usual() {
    let limit = Limit::new(LimitConfig { start: 8, ..adaptive() }).unwrap();
    assert_eq!(limit.slow_after(), Duration::from_millis(250));
    let reply = |began: u64, after: u64| {
        limit.finish(permit(&limit, ms(began)), Outcome::Success, ms(began + after));
    };
    for call in 0..600 {
        reply(call * 1000, 300);
    }
    // 2.25 x 300 ms, less what is left of the first guess.
    assert!((660..=675).contains(&limit.slow_after().as_millis()), "{:?}", limit.slow_after());
    // Never so long that only a time-out would be slow; and it is forgotten when the service is quick again.
    for call in 600..3000 {
        reply(call * 1000, 900);
    }
    assert_eq!(limit.slow_after(), Duration::from_millis(900));
    for call in 3000..6000 {
        reply(call * 1000, 20);
    }
    assert_eq!(limit.slow_after(), Duration::from_millis(250));
}

#[test]
fn what_is_measured_while_the_limit_is_used_is_not_usual() {
    let limit = Limit::new(LimitConfig { start: 4, ..adaptive() }).unwrap();
    for round in 0..500 {
        let [first, second] = [0; 2].map(|_| permit(&limit, ms(round * 1000)));
        limit.cancel(first, ms(round * 1000));
        // In flight with another when it began: half of four.
        limit.finish(second, Outcome::Success, ms(round * 1000 + 400));
    }
    assert_eq!(limit.slow_after(), Duration::from_millis(250));
}

#[test]
fn a_service_that_always_takes_long_is_found_out_from_the_floor() {
    let limit = Limit::new(LimitConfig { start: 2, ..adaptive() }).unwrap();
    // As much as it lets through, each reply after 400 ms: from 2 down to the floor, and up again.
    let mut permits: std::collections::VecDeque<_> = [ms(0), ms(150)].map(|now| permit(&limit, now)).into();
    let mut least = u32::MAX;
    for _ in 0..4000 {
        let oldest = permits.pop_front().unwrap();
        let now = Instant::from_nanos(oldest.started().as_nanos() + 400 * MS);
        limit.finish(oldest, Outcome::Success, now);
        least = least.min(limit.limit());
        while let Ok(permit) = limit.try_attempt(now) {
            permits.push_back(permit);
        }
    }
    assert_eq!(least, 1);
    assert_eq!(limit.limit(), 16);
}

#[test]
fn where_some_calls_always_time_out_one_of_them_says_nothing() {
    let limit = Limit::new(LimitConfig { start: 8, ..adaptive() }).unwrap();
    for call in 0..600 {
        limit.finish(permit(&limit, ms(call * 1000)), Outcome::Success, ms(call * 1000 + 300));
    }
    let permits = fill(&limit, ms(1_000_000));
    assert_eq!(limit.finish(permits[0], Outcome::Failure, ms(1_001_000)), None);
    let _full_again = permit(&limit, ms(1_001_000));
    let change = LimitChange { from: 8, to: 6, reason: LimitReason::Slow };
    assert_eq!(limit.finish(permits[1], Outcome::Failure, ms(1_001_000)), Some(change));
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

#[test]
fn after_a_cut_nothing_is_admitted_until_fewer_are_in_flight() {
    let limit = limit_of(8);
    let permits = fill(&limit, ms(0));
    assert_eq!(limit.set_limit(3), Some(LimitChange { from: 8, to: 3, reason: LimitReason::Set }));
    // The low slots come free first; those above the new limit count on.
    for (freed, permit) in permits.into_iter().enumerate() {
        assert_eq!(limit.try_attempt(ms(1)).is_ok(), freed > 5, "{freed}");
        limit.cancel(permit, ms(1));
    }
}

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
fn threads_never_hold_more_than_the_limit() {
    let limit = limit_of(5);
    let (held, most, admitted) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for seed in 0..16 {
            let (limit, held, most, admitted) = (&limit, &held, &most, &admitted);
            scope.spawn(move || {
                let mut random = Random::from_seed(seed);
                for _ in 0..20_000 {
                    // Within a lease of each other.
                    let Ok(permit) = limit.try_attempt(ms(random.next_u64() % 4000)) else { continue };
                    most.fetch_max(held.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    admitted.fetch_add(1, Ordering::Relaxed);
                    if random.next_u64().is_multiple_of(8) {
                        std::thread::yield_now();
                    }
                    held.fetch_sub(1, Ordering::SeqCst);
                    limit.finish(permit, Outcome::Ignored, ms(0));
                }
            });
        }
    });
    assert_eq!(limit.in_flight(ms(0)), 0);
    assert!(most.into_inner() <= 5);
    assert!(admitted.into_inner() >= 1_000);
    // And no slot was lost.
    assert_eq!(fill(&limit, ms(4000)).len(), 5);
}

#[test]
fn racing_slow_replies_cut_once_and_every_change_is_told_once() {
    for _ in 0..200 {
        let limit = limit_of(16);
        let permits = fill(&limit, ms(0));
        let (told, sum) = (AtomicUsize::new(0), AtomicI64::new(0));
        std::thread::scope(|scope| {
            for permit in permits {
                let (limit, told, sum) = (&limit, &told, &sum);
                scope.spawn(move || {
                    if let Some(change) = limit.finish(permit, Outcome::Success, ms(300)) {
                        told.fetch_add(1, Ordering::Relaxed);
                        sum.fetch_add(i64::from(change.to) - i64::from(change.from), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((told.into_inner(), sum.into_inner(), limit.limit()), (1, -4, 12));
    }
}

// The product against the oracle.

#[derive(Clone, Copy, Debug)]
enum Operation {
    Attempt { now: u64 },
    Finish { permit: usize, outcome: u8, now: u64 },
    SetLimit { limit: u32 },
}

fn reply(number: u8) -> (Outcome, Reply) {
    match number {
        0..4 => (Outcome::Success, Reply::Good),
        4 | 5 => (Outcome::Failure, Reply::Failed),
        6 => (Outcome::Throttled(None), Reply::Throttled),
        _ => (Outcome::Ignored, Reply::Ignored),
    }
}

fn change(change: Option<LimitChange>) -> Change {
    change.map(|change| (change.from, change.to, change.reason.name()))
}

proptest! {
    #[test]
    fn every_sequence_of_calls_decides_as_the_oracle_does(
        start in 1..=16u32,
        slow_after in 1..500 * MS,
        more in 0..500 * MS,
        lease_more in 0..1000 * MS,
        factors in (0..1_000_000u32, 0..1_000_000u32),
        tolerance_percent in prop_oneof![Just(0u32), 100..=10_000u32, 100..=400u32],
        saturated_after in prop_oneof![Just(0u32), 0..=60u32, 1..=3u32],
        operations in proptest::collection::vec(prop_oneof![
            10 => prop_oneof![0..3000 * MS, Just(0)].prop_map(|now| Operation::Attempt { now }),
            8 => (0..40usize, 0..8u8, 0..3000 * MS)
                .prop_map(|(permit, outcome, now)| Operation::Finish { permit, outcome, now }),
            1 => (0..20u32).prop_map(|limit| Operation::SetLimit { limit }),
        ], 1..150),
    ) {
        let config = LimitConfig {
            start,
            floor: 1,
            ceiling: 16,
            slow_after: Duration::from_nanos(slow_after),
            timeout: Duration::from_nanos(slow_after + more),
            lease: Duration::from_nanos(slow_after + more + lease_more),
            slow_factor: Ratio::from_ppm(factors.0).unwrap(),
            timeout_factor: Ratio::from_ppm(factors.1).unwrap(),
            tolerance_percent,
            saturated_after,
        };
        let (product, mut oracle, mut permits) = (Limit::new(config).unwrap(), Oracle::new(config), Vec::new());
        for operation in operations {
            match operation {
                Operation::Attempt { now } => {
                    let at = Instant::from_nanos(now);
                    let peeked = product.peek(at);
                    let got = product.try_attempt(at);
                    prop_assert_eq!(peeked, got.map(|_| ()));
                    match (got, oracle.attempt(now)) {
                        (Ok(permit), Ok(number)) => permits.push((permit, number)),
                        (Err(refused), Err(stepped)) => {
                            prop_assert_eq!(refused.reason() == Reason::ClockStepped, stepped);
                        }
                        (got, expected) => prop_assert!(false, "{:?} {:?}", got, expected),
                    }
                    prop_assert_eq!(product.in_flight(at) as usize, oracle.in_flight(now));
                }
                Operation::Finish { permit, outcome, now } => {
                    let Some(index) = permits.len().checked_sub(1 + permit % 20) else { continue };
                    let (outcome, reply) = reply(outcome);
                    let got = product.finish(permits[index].0, outcome, Instant::from_nanos(now));
                    prop_assert_eq!(change(got), oracle.finish(permits[index].1, reply, now));
                }
                Operation::SetLimit { limit } => {
                    prop_assert_eq!(change(product.set_limit(limit)), oracle.set_limit(limit));
                }
            }
            prop_assert_eq!(product.limit(), oracle.limit());
        }
    }
}

// The vectors.

fn changed(change: Change) -> String {
    change.map_or("ok".into(), |(from, to, reason)| format!("ok from={from} to={to} reason={reason}").replace('-', "_"))
}

fn refused(stepped: bool) -> String {
    format!("refused reason={}", if stepped { "clock_stepped" } else { "not_yet" })
}

fn oracle_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for seed in 0..6 {
        // Half of them take each sign at once.
        let saturated_after = 2 * (seed % 2);
        let config = LimitConfig { start: 1 + 3 * seed, ceiling: 16, saturated_after, ..LimitConfig::DEFAULT };
        lines.push(format!(
            "new start={} floor={} ceiling={} slow_after_ns={} timeout_ns={} slow_factor_ppm={} \
             timeout_factor_ppm={} tolerance_percent={} saturated_after={} lease_ns={} -> ok",
            config.start,
            config.floor,
            config.ceiling,
            config.slow_after.as_nanos(),
            config.timeout.as_nanos(),
            config.slow_factor.as_ppm(),
            config.timeout_factor.as_ppm(),
            config.tolerance_percent,
            config.saturated_after,
            config.lease.as_nanos()
        ));
        let (mut oracle, mut now, mut permits) = (Oracle::new(config), 0, 0);
        // Numbers of no use but to differ (Knuth's constants).
        let mut state = u64::from(seed);
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..120 {
            now += [0, 1, 30_000_000, 120_000_000, 700_000_000][below(5) as usize];
            match below(20) {
                0..11 => {
                    let said = match oracle.attempt(now) {
                        Ok(permit) => {
                            permits = permit + 1;
                            format!("ok permit={permit}")
                        }
                        Err(stepped) => refused(stepped),
                    };
                    lines.push(format!("try_attempt now={now} -> {said}"));
                }
                11..19 if permits > 0 => {
                    let permit = permits.saturating_sub(1 + below(8) as usize);
                    let (outcome, reply) = reply(below(8) as u8);
                    let word = support::vectors::outcome_word(outcome);
                    let said = changed(oracle.finish(permit, reply, now));
                    lines.push(format!("finish permit={permit} outcome={word} now={now} -> {said}"));
                }
                _ => {
                    let limit = below(20) as u32;
                    lines.push(format!("set_limit limit={limit} -> {}", changed(oracle.set_limit(limit))));
                }
            }
            lines.push(format!("in_flight now={now} -> limit={} in_flight={}", oracle.limit(), oracle.in_flight(now)));
        }
    }
    lines
}

#[test]
fn the_vectors_of_the_oracle_replay() {
    let mut product = limit_of(1);
    let mut permits: Vec<LimitPermit> = Vec::new();
    support::vectors::check("concurrency_limit", &oracle_lines(), |step| {
        let now = || Instant::from_nanos(step.number("now"));
        match step.operation {
            "new" => {
                let duration = |name| Duration::from_nanos(step.number(name));
                let ratio = |name| Ratio::from_ppm(step.number(name) as u32).unwrap();
                let config = LimitConfig {
                    start: step.number("start") as u32,
                    floor: step.number("floor") as u32,
                    ceiling: step.number("ceiling") as u32,
                    slow_after: duration("slow_after_ns"),
                    timeout: duration("timeout_ns"),
                    slow_factor: ratio("slow_factor_ppm"),
                    timeout_factor: ratio("timeout_factor_ppm"),
                    tolerance_percent: step.number("tolerance_percent") as u32,
                    saturated_after: step.number("saturated_after") as u32,
                    lease: duration("lease_ns"),
                };
                (product, permits) = (Limit::new(config).unwrap(), Vec::new());
                "ok".into()
            }
            "try_attempt" => match product.try_attempt(now()) {
                Ok(permit) => {
                    permits.push(permit);
                    format!("ok permit={}", permits.len() - 1)
                }
                Err(error) => refused(error.reason() == Reason::ClockStepped),
            },
            "finish" => {
                let permit = permits[step.number("permit") as usize];
                changed(change(product.finish(permit, step.outcome("outcome"), now())))
            }
            "set_limit" => changed(change(product.set_limit(step.number("limit") as u32))),
            _ => format!("limit={} in_flight={}", product.limit(), product.in_flight(now())),
        }
    });
}
