//! Any sequence of calls, beside the oracle.

use super::*;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
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

pub(crate) fn told(transition: Option<Transition>) -> Told {
    transition.map(|t| (t.from.name(), t.to.name(), t.cause.name()))
}

pub(crate) fn outcome(number: u8) -> Outcome {
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
    #[test]
    fn every_sequence_of_calls_decides_as_the_oracle_does(
        config in config(),
        // Often a window that is full and all good.
        good in 0..50usize,
        operations in proptest::collection::vec(operation(), 1..120),
    ) {
        let mut pair = Pair::new(config);
        let good = core::iter::repeat_n(
            [Operation::Attempt { now: 0 }, Operation::Finish { permit: 0, outcome: 0, now: 0, random: 0 }],
            good,
        );
        for operation in good.flatten().chain(operations) {
            let (got, expected) = pair.step(operation);
            prop_assert_eq!(got, expected, "{:?}", operation);
        }
    }
}
