use std::time::Duration;

use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{
    Instant, Random, Refused, RetryBudget, RetryBudgetConfig, RetryConfig, RetryCost, RetryStrategy, RetryTokens,
};

use crate::{NOW, leaked};

fn strategy() -> (&'static RetryStrategy, Random) {
    (leaked(RetryStrategy::new(RetryConfig::DEFAULT).unwrap()), Random::from_seed(7))
}

fn budget(tokens: u32) -> &'static RetryBudget {
    let initial = RetryTokens::whole(tokens);
    leaked(RetryBudget::new(RetryBudgetConfig { initial, ..RetryBudgetConfig::DEFAULT }, Instant::ORIGIN).unwrap())
}

/// The same by hand, with the fastest generator that there is.
fn by_hand() -> (u64, u64, fastrand::Rng) {
    (100_000_000, 10_000_000_000, fastrand::Rng::with_seed(7))
}

#[library_benchmark]
#[bench::is(by_hand())]
fn full_jitter_by_hand((base, cap, mut random): (u64, u64, fastrand::Rng)) -> Duration {
    Duration::from_nanos(random.u64(0..=(base << 2).min(cap)))
}

#[library_benchmark]
#[bench::is(strategy())]
fn full_jitter((strategy, mut random): (&'static RetryStrategy, Random)) -> Duration {
    strategy.next_delay(3, None, random.next_u64())
}

#[library_benchmark]
#[bench::is(budget(1))]
fn budget_deposit(budget: &'static RetryBudget) {
    budget.deposit(NOW);
}

#[library_benchmark]
#[bench::is(budget(0))]
fn budget_refused(budget: &'static RetryBudget) -> Result<(), Refused> {
    budget.try_withdraw(RetryCost::Timeout, NOW)
}

library_benchmark_group!(
    name = retry_paths,
    benchmarks = [full_jitter_by_hand, full_jitter, budget_deposit, budget_refused]
);
