use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, Refused, WhenFull};

use crate::{NOW, leaked};

type Keyed = KeyedBuckets<256>;

const KEY: u64 = 500;

/// Half of its places are held; `KEY` has so many tokens of ten left.
fn with_tokens(tokens: u32) -> &'static Keyed {
    let config = KeyedConfig { burst: 10, ..KeyedConfig::new(Rate::per_minute(1), WhenFull::FailClosed) };
    let keyed = Keyed::new(config, 0x5EA1, Instant::ORIGIN).unwrap();
    for key in 0..1_024 {
        keyed.try_take(key, 5, NOW).unwrap();
    }
    keyed.try_take(KEY, 5 - tokens, NOW).unwrap();
    leaked(keyed)
}

#[library_benchmark]
#[bench::is(with_tokens(2))]
fn keyed_allowed(keyed: &'static Keyed) -> Result<(), Refused> {
    keyed.try_take(KEY, 1, NOW)
}

#[library_benchmark]
#[bench::is(with_tokens(0))]
fn keyed_refused(keyed: &'static Keyed) -> Result<(), Refused> {
    keyed.try_take(KEY, 1, NOW)
}

library_benchmark_group!(name = keyed_paths, benchmarks = [keyed_allowed, keyed_refused]);
