use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{ConcurrencyLimit, LimitChange, LimitConfig, LimitPermit, Outcome, Refused};

use crate::{NOW, leaked};

/// At its ceiling, with so many calls in flight.
fn with_held(ceiling: u32, held: u32) -> &'static ConcurrencyLimit<64> {
    let limit = ConcurrencyLimit::new(LimitConfig { start: ceiling, ceiling, ..LimitConfig::DEFAULT }).unwrap();
    for _ in 0..1_000 {
        let permit = limit.try_attempt(NOW).unwrap();
        let _ = limit.finish(permit, Outcome::Success, NOW);
    }
    for _ in 0..held {
        let _ = limit.try_attempt(NOW).unwrap();
    }
    leaked(limit)
}

#[library_benchmark]
#[bench::of_8(with_held(8, 2))]
#[bench::of_64(with_held(64, 16))]
fn limit_pair(limit: &'static ConcurrencyLimit<64>) -> Option<LimitChange> {
    let permit = limit.try_attempt(NOW).unwrap();
    limit.finish(permit, Outcome::Success, NOW)
}

#[library_benchmark]
#[bench::of_8(with_held(8, 8))]
#[bench::of_64(with_held(64, 64))]
fn limit_refused(limit: &'static ConcurrencyLimit<64>) -> Result<LimitPermit, Refused> {
    limit.try_attempt(NOW)
}

library_benchmark_group!(name = limit_paths, benchmarks = [limit_pair, limit_refused]);
