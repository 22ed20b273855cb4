//! The table of buckets.

use core::hint::black_box;
use core::time::Duration;

use seawall::{Instant, KeyedBuckets, KeyedBucketsView, KeyedChangeError, KeyedConfig, Rate, WhenFull};

const CONFIG: KeyedConfig = KeyedConfig::new(Rate::per_second(5), WhenFull::FailClosed);
static TABLE: KeyedBuckets<16> = match KeyedBuckets::new(CONFIG, 7, Instant::ORIGIN) {
    Ok(table) => table,
    Err(_) => panic!("five a second are legal, or this does not compile"),
};

fn config(a: u64, b: u64, c: u64) -> KeyedConfig {
    let rate = Rate::new(a, Duration::from_nanos(b)).unwrap_or(Rate::ZERO);
    KeyedConfig::new(rate, if c & 1 == 0 { WhenFull::FailOpen } else { WhenFull::FailClosed }).burst(c as u32)
}

fn told(result: Result<(), KeyedChangeError>) -> u64 {
    result.is_ok().into()
}

crate::proofs! {
    fn proof_keyed_new(a, b, c) {
        KeyedBuckets::<2>::new(config(a, b, c), a, Instant::from_nanos(b)).map_or(0, |table| table.let_through())
    }
    fn proof_keyed_key_of(a, b, c) {
        let bytes = [a.to_le_bytes(), b.to_le_bytes()];
        TABLE.key_of(bytes.as_flattened().get(..c as usize).unwrap_or(&[]))
    }
    fn proof_keyed_hash_of(a, _b, _c) { TABLE.hash_of(a) }
    fn proof_keyed_try_take(a, b, c) {
        match TABLE.try_take(a, b as u32, Instant::from_nanos(c)) {
            Ok(()) => 0,
            Err(refused) => refused.reason() as u64,
        }
    }
    fn proof_keyed_peek(a, b, c) { TABLE.peek(a, b as u32, Instant::from_nanos(c)).is_ok().into() }
    fn proof_keyed_refund(a, b, c) { TABLE.refund(a, b as u32, Instant::from_nanos(c)).into() }
    fn proof_keyed_numbers(a, b, _c) {
        let now = Instant::from_nanos(b);
        u64::from(TABLE.available(a, now)) + TABLE.occupied(now) as u64 + u64::from(TABLE.config().burst)
    }
    fn proof_keyed_set_rate(a, b, c) { told(TABLE.set_rate(config(a, b, c).rate, Instant::from_nanos(c))) }
    fn proof_keyed_set_config(a, b, c) { told(TABLE.set_config(config(a, b, c), Instant::from_nanos(c))) }
    fn proof_keyed_set_burst(a, b, c) {
        let now = Instant::from_nanos(b);
        told(TABLE.set_burst(a as u32, now)) + told(TABLE.set_when_full(config(a, b, c).when_full, now))
    }
    fn proof_keyed_rebase(a, b, _c) { told(TABLE.rebase(Instant::from_nanos(a), Instant::from_nanos(b))) }
    fn proof_keyed_reset(a, _b, _c) { told(TABLE.reset(Instant::from_nanos(a))) }
    fn proof_renewed_keyed(a, b, c) {
        let Ok(mut table) = KeyedBuckets::<2>::new(config(a, b, c), a, Instant::from_nanos(b)) else { return 0 };
        // The compiler must not know the size.
        let table: &mut KeyedBucketsView = black_box(&mut *table);
        let (now, key) = (Instant::from_nanos(c), b);
        let renewed = table.renew(config(b, c, a), c, now).is_ok();
        u64::from(renewed) + u64::from(table.try_take(key, a as u32, now).is_ok())
            + u64::from(table.peek(key, c as u32, now).is_ok()) + u64::from(table.refund(key, a as u32, now))
            + u64::from(table.available(key, now)) + table.occupied(now) as u64 + told(table.reset(now))
            + told(table.set_config(config(c, a, b), now)) + told(table.rebase(now, Instant::from_nanos(a)))
            + KeyedBucketsView::size_for(a as usize).map_or(0, |bytes| bytes as u64) + table.places() as u64
            + table.groups() as u64
    }
}
