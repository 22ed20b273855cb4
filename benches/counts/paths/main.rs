//! One function for each path that is counted: what it is given is made before the counting starts.
//!
//! `limits.toml` beside this folder says what each may cost. A count is that of the whole function, less what
//! [`floor::nothing`] takes.

mod breaker;
mod bucket;
mod floor;
mod guard;
mod keyed;
mod limit;
mod retry;
mod window;

use gungraun::{Callgrind, LibraryBenchmarkConfig, main};
use seawall::Instant;

use breaker::breaker_paths;
use bucket::bucket_paths;
use floor::floor_paths;
use guard::guard_paths;
use keyed::keyed_paths;
use limit::limit_paths;
use retry::retry_paths;
use window::window_paths;

const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// A state that lives as long as a `static`, which is what a program has.
fn leaked<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--collect-bus=yes", "--cache-sim=no"])),
    library_benchmark_groups =
        [floor_paths, bucket_paths, breaker_paths, window_paths, limit_paths, keyed_paths, retry_paths, guard_paths]
);
