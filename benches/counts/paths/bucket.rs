use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{BucketConfig, Instant, Rate, Refused, TokenBucket};

use crate::{NOW, leaked};

fn with_tokens(tokens: u32) -> &'static TokenBucket {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(10)).burst(100), Instant::ORIGIN).unwrap();
    // A change has been made, as in a bucket that is in use.
    bucket.set_rate(Rate::per_second(20), Instant::ORIGIN).unwrap();
    bucket.try_take(100 - tokens, NOW).unwrap();
    leaked(bucket)
}

#[library_benchmark]
#[bench::is(with_tokens(50))]
fn bucket_allowed(bucket: &'static TokenBucket) -> Result<(), Refused> {
    bucket.try_take(1, NOW)
}

#[library_benchmark]
#[bench::is(with_tokens(0))]
fn bucket_refused(bucket: &'static TokenBucket) -> Result<(), Refused> {
    bucket.try_take(1, NOW)
}

library_benchmark_group!(name = bucket_paths, benchmarks = [bucket_allowed, bucket_refused]);
