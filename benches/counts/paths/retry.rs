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

library_benchmark_group!(name = retry_paths, benchmarks = [full_jitter, budget_deposit, budget_refused]);
