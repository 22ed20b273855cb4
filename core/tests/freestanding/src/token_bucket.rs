//! The token bucket and its changes.

use core::time::Duration;

use seawall::{BucketConfig, Instant, Rate, TokenBucket, WarmUp};

static BUCKET: TokenBucket = match TokenBucket::new(BucketConfig::new(Rate::per_second(5)), Instant::ORIGIN) {
    Ok(bucket) => bucket,
    Err(_) => panic!("five a second is legal, or this does not compile"),
};

crate::proofs! {
    fn proof_bucket_take(a, b, c) {
        BUCKET.try_take(a as u32, Instant::from_nanos(b)).is_ok() as u64 + BUCKET.peek(c as u32, Instant::from_nanos(b)).is_ok() as u64
    }

    fn proof_bucket_refund(a, b, _c) {
        BUCKET.refund(a as u32, Instant::from_nanos(b)) as u64 + BUCKET.available(Instant::from_nanos(b)) as u64
    }

    fn proof_bucket_change(a, b, c) {
        let now = Instant::from_nanos(c);
        BUCKET.set_rate(Rate::per_second(a), now).is_ok() as u64
            + BUCKET.set_burst(b as u32, now).is_ok() as u64
            + BUCKET.start_warm_up(WarmUp::exponential(Rate::per_day(b), Duration::from_nanos(a)), now).is_ok() as u64
    }
}
