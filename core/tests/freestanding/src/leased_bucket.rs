//! The bucket that shards lease from, its owners and its changes.

use core::hint::black_box;

use seawall::{BucketConfig, Fill, Instant, LeasedBucket, LeasedBucketView, LeasedConfig, Rate, WarmUp};

static LEASED: LeasedBucket<3> =
    match LeasedBucket::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(5_000))), Instant::ORIGIN) {
        Ok(bucket) => bucket,
        Err(_) => panic!("five thousand a second is legal, or this does not compile"),
    };

crate::proofs! {
    fn proof_leased_take(a, b, c) {
        let now = Instant::from_nanos(c);
        LEASED.try_take(a as u32, b as u32, now).is_ok() as u64 + LEASED.peek(b as u32, now).is_ok() as u64
            + LEASED.available(now) as u64 + LEASED.burst() as u64 + LEASED.refund(a as u32, now) as u64
    }

    fn proof_leased_own(a, b, c) {
        match LEASED.own(a as u32) {
            Some(mut lease) => lease.try_take(b as u32, Instant::from_nanos(c)).is_ok() as u64 + lease.tokens() as u64,
            None => 0,
        }
    }

    fn proof_leased_words(a, b, c) {
        match LEASED.lease_from_words([a, b, c]) {
            Some(lease) => lease.into_words()[1],
            None => 0,
        }
    }

    fn proof_leased_new(a, b, c) {
        let config = LeasedConfig { bucket: BucketConfig::new(Rate::per_second(a)).burst(b as u32), batch: Some(c as u32) };
        LeasedBucket::<2>::new(config, Instant::from_nanos(c)).is_ok() as u64
    }

    fn proof_leased_change(a, b, c) {
        let now = Instant::from_nanos(c);
        LEASED.set_rate(Rate::per_second(a), now).is_ok() as u64
            + LEASED.set_burst(b as u32, now).is_ok() as u64
            + LEASED.start_warm_up(WarmUp::GUIDE, now).is_ok() as u64
            + LEASED.rebase(Instant::from_nanos(a), now).is_ok() as u64
            + LEASED.reset(Fill::Tokens(a as u32), WarmUp::NONE, now).is_ok() as u64
            + LEASED.drain_to(b as u32, now) as u64
    }

    fn proof_renewed_leased(a, b, c) {
        let config = |n: u64| LeasedConfig {
            bucket: BucketConfig::new(Rate::per_second(n)).burst(b as u32), batch: Some(c as u32)
        };
        let now = Instant::from_nanos(c);
        let Ok(mut bucket) = LeasedBucket::<2>::new(config(a), now) else { return 0 };
        // The compiler must not know the size.
        let bucket: &mut LeasedBucketView = black_box(&mut *bucket);
        let renewed = bucket.renew(config(c), now).is_ok() as u64;
        let owned = bucket.own(a as u32).map_or(0, |mut lease| lease.try_take(b as u32, now).is_ok() as u64);
        renewed + owned + bucket.try_take(a as u32, b as u32, now).is_ok() as u64
            + bucket.peek(b as u32, now).is_ok() as u64 + bucket.set_burst(a as u32, now).is_ok() as u64
            + bucket.reset(Fill::Tokens(a as u32), WarmUp::NONE, now).is_ok() as u64
            + bucket.drain_to(b as u32, now) as u64 + bucket.available(now) as u64 + bucket.batch() as u64
            + LeasedBucketView::size_for(a as usize).map_or(0, |bytes| bytes as u64) + bucket.shards() as u64
    }
}
