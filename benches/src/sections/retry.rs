//! The next delay, with full jitter.

use std::time::Duration;

use backon::BackoffBuilder as _;
use seawall::{Jitter, Random, RetryConfig, RetryStrategy};

use crate::row::{Kind, Row, Section};

/// What one writes by hand with the fastest generator there is.
pub const FASTRAND: &str = "fastrand, full jitter by hand";
/// Ours.
pub const OURS: &str = "seawall RetryStrategy";

const BASE_NS: u64 = 100_000_000;
const CAP_NS: u64 = 10_000_000_000;

/// One section.
#[must_use]
pub fn sections() -> Vec<Section> {
    let config = RetryConfig {
        base_delay: Duration::from_nanos(BASE_NS),
        factor_percent: 200,
        max_delay: Duration::from_nanos(CAP_NS),
        jitter: Jitter::Full,
        ..RetryConfig::DEFAULT
    };
    let is_in_range = |delay: Duration| delay <= Duration::from_nanos(CAP_NS);
    let rows = vec![
        Row::new(
            Kind::Floor,
            FASTRAND,
            (BASE_NS, CAP_NS),
            |_, thread| (fastrand::Rng::with_seed(thread as u64), 0_u32),
            move |&(base, cap), (random, attempt), _| {
                *attempt = (*attempt + 1) % 4;
                is_in_range(Duration::from_nanos(random.u64(0..=(base << *attempt).min(cap))))
            },
        ),
        Row::ours(
            "RetryStrategy",
            RetryStrategy::new(config).expect("the configuration is legal"),
            |_, thread| (Random::from_seed(thread as u64), 0_u32),
            move |strategy, (random, attempt), _| {
                *attempt = (*attempt + 1) % 4;
                is_in_range(strategy.next_delay(*attempt + 1, None, random.next_u64()))
            },
        ),
        Row::peer(
            "backon, exponential with jitter",
            "adds its jitter to the delay, so that nobody is earlier",
            (),
            |(), _| {
                backon::ExponentialBuilder::default()
                    .with_jitter()
                    .with_jitter_seed(7)
                    .with_min_delay(Duration::from_nanos(BASE_NS))
                    .with_max_delay(Duration::from_nanos(CAP_NS))
                    .without_max_times()
                    .build()
            },
            |(), delays, _| delays.next().is_some(),
        ),
    ];
    vec![Section {
        name: "retry delay",
        call: "the delay before the next attempt, with its random number",
        reference: FASTRAND,
        rows,
        alone: true,
        together: 0,
    }]
}
