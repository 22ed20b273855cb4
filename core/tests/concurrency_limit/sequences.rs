//! The product against the oracle, over any sequence of calls.

use super::*;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Attempt { now: u64 },
    Finish { permit: usize, outcome: u8, now: u64 },
    SetLimit { limit: u32 },
}

pub(super) fn reply(number: u8) -> (Outcome, Reply) {
    match number {
        0..4 => (Outcome::Success, Reply::Good),
        4 | 5 => (Outcome::Failure, Reply::Failed),
        6 => (Outcome::Throttled(None), Reply::Throttled),
        _ => (Outcome::Ignored, Reply::Ignored),
    }
}

pub(super) fn change(change: Option<LimitChange>) -> Change {
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
        // Many replies before: then what is usual is known.
        known_ns in proptest::option::of(0..400 * MS),
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
        for _ in 0..known_ns.map_or(0, |_| 520) {
            let (permit, number) = (product.try_attempt(ms(0)).unwrap(), oracle.attempt(0).unwrap());
            let latency = known_ns.unwrap_or(0);
            let got = product.finish(permit, Outcome::Success, Instant::from_nanos(latency));
            prop_assert_eq!(change(got), oracle.finish(number, Reply::Good, latency));
        }
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
