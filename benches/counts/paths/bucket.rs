use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, OwnedLease, Rate, Refused, TokenBucket};

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

/// Two shards, each with tokens of a batch of 64.
fn leased() -> &'static LeasedBucket<2> {
    let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1_000_000)));
    let bucket = LeasedBucket::new(config, Instant::ORIGIN).unwrap();
    assert_eq!(bucket.batch(), 64);
    for shard in 0..2 {
        bucket.try_take(shard, 1, NOW).unwrap();
    }
    leaked(bucket)
}

fn spent() -> &'static LeasedBucket<2> {
    let bucket = leased();
    while bucket.try_take(0, 1, NOW).is_ok() {}
    bucket
}

fn owned() -> OwnedLease<'static> {
    let bucket = leased();
    let mut lease = bucket.own(1).unwrap();
    lease.try_take(1, NOW).unwrap();
    lease
}

#[library_benchmark]
#[bench::is(leased())]
fn lease_of_a_shard(bucket: &'static LeasedBucket<2>) -> Result<(), Refused> {
    bucket.try_take(0, 1, NOW)
}

#[library_benchmark]
#[bench::is(&mut *Box::leak(Box::new(owned())))]
fn lease_of_an_owner(lease: &'static mut OwnedLease<'static>) -> Result<(), Refused> {
    lease.try_take(1, NOW)
}

#[library_benchmark]
#[bench::is(spent())]
fn lease_refused(bucket: &'static LeasedBucket<2>) -> Result<(), Refused> {
    bucket.try_take(0, 1, NOW)
}

library_benchmark_group!(
    name = bucket_paths,
    benchmarks = [bucket_allowed, bucket_refused, lease_of_a_shard, lease_of_an_owner, lease_refused]
);
