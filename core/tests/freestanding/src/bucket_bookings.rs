//! What the token bucket books, takes in part, drains, moves to another clock and begins anew.

use core::time::Duration;

use seawall::{BucketConfig, Fill, Instant, Rate, TokenBucket, WarmUp};

static BUCKET: TokenBucket = match TokenBucket::new(BucketConfig::new(Rate::per_second(5)), Instant::ORIGIN) {
    Ok(bucket) => bucket,
    Err(_) => panic!("five a second is legal, or this does not compile"),
};

crate::proofs! {
    fn proof_bucket_new(a, b, c) {
        let rate = Rate::new(a, Duration::from_nanos(b)).unwrap_or(Rate::ZERO);
        let config = BucketConfig::new(rate).burst(c as u32).fill(Fill::Tokens(a as u32));
        let config = config.warm_up(WarmUp::linear(rate, Duration::from_nanos(c)));
        TokenBucket::new(config, Instant::from_nanos(a)).as_ref().map_or(0, |bucket| u64::from(bucket.burst()) + bucket.rate().count())
    }
    fn proof_bucket_reserve(a, b, c) {
        let now = Instant::from_nanos(c);
        match BUCKET.reserve(a as u32, Duration::from_nanos(b), now) {
            Ok(booked) => {
                let wait = booked.wait(now).as_nanos() as u64 + booked.ready_at().as_nanos() + u64::from(booked.tokens());
                wait + u64::from(BUCKET.cancel(booked, now))
            }
            Err(refused) => refused.retry_after().map_or(0, |wait| wait.as_nanos() as u64),
        }
    }
    fn proof_bucket_take_up_to(a, b, _c) { BUCKET.take_up_to(a as u32, Instant::from_nanos(b)).into() }
    fn proof_bucket_drain_to(a, b, _c) { BUCKET.drain_to(a as u32, Instant::from_nanos(b)).into() }
    fn proof_bucket_rebase(a, b, _c) { BUCKET.rebase(Instant::from_nanos(a), Instant::from_nanos(b)).is_ok().into() }
    fn proof_bucket_reset(a, b, c) {
        let warm_up = WarmUp::exponential(Rate::per_day(b), Duration::from_nanos(a));
        BUCKET.reset(Fill::Tokens(c as u32), warm_up, Instant::from_nanos(b)).is_ok().into()
    }
}
