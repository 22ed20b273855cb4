//! Shards that lease from one bucket, their owners, thieves and drains, with a clock that moves.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};

use crate::harness::{Preemptions, check, must_fail};

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN.saturating_add(Duration::from_secs(seconds))
}

/// One token a second; the burst with what may lie in shards.
fn bucket<const SHARDS: usize>(burst: u32, batch: u32) -> Arc<LeasedBucket<SHARDS>> {
    let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1)).burst(burst)).batch(batch);
    Arc::new(LeasedBucket::new(config, at(0)).expect("legal"))
}

fn taken<const SHARDS: usize>(bucket: &LeasedBucket<SHARDS>, shard: u32, now: Instant) -> u32 {
    u32::from(bucket.try_take(shard, 1, now).is_ok())
}

/// Two shards, of which each takes what lies in the other when the bucket is empty: the burst, and none is lost.
fn two_shards_and_a_steal() {
    let shared = bucket::<2>(4, 2);
    let other = shared.clone();
    let taker = thread::spawn(move || (0..3).map(|_| taken(&other, 1, at(0))).sum::<u32>());
    let sum = (0..2).map(|_| taken(&shared, 0, at(0))).sum::<u32>() + taker.join().expect("no panic");
    assert!(sum <= 4, "{sum} of a burst of 4");
    let rest = (0..5).map(|_| taken(&shared, 0, at(0))).sum::<u32>();
    assert_eq!(sum + rest, 4, "what was leased is there for everybody");
}

/// The same under a clock that moves while it is read, with shards that begin empty.
fn a_moving_clock() {
    let shared = bucket::<2>(4, 2);
    // The bucket by itself holds two, and has room for what is earned.
    assert_eq!(shared.drain_to(1, at(0)), 3);
    let clock = Arc::new(AtomicU64::new(0));
    let (other, others_clock) = (shared.clone(), clock.clone());
    let taker =
        thread::spawn(move || (0..2).map(|_| taken(&other, 1, at(others_clock.load(Ordering::Relaxed)))).sum::<u32>());
    clock.store(1, Ordering::Relaxed);
    let sum = taken(&shared, 0, at(1)) + taken(&shared, 0, at(clock.load(Ordering::Relaxed)));
    let sum = sum + taker.join().expect("no panic");
    assert!((1..=2).contains(&sum), "{sum} of 1 and 1 earned");
    let rest = (0..3).map(|_| taken(&shared, 0, at(1))).sum::<u32>();
    assert_eq!(sum + rest, 2, "what was leased is there for everybody");
}

/// Two callers of one shard that is empty: one brings a batch, and nothing is lost or doubled.
fn two_callers_of_a_shard() {
    let shared = bucket::<1>(6, 3);
    assert!(shared.try_take(0, 2, at(0)).is_ok(), "what lay in the shard");
    let other = shared.clone();
    let taker = thread::spawn(move || taken(&other, 0, at(0)));
    let sum = taken(&shared, 0, at(0)) + taker.join().expect("no panic");
    assert_eq!(sum + shared.available(at(0)), 4, "none is lost");
    assert!(shared.own(0).expect("free").tokens() <= 2, "no more than belongs in a shard");
}

/// A caller brings a batch while another drains: none of it is there afterwards.
fn a_drain_while_a_batch_is_on_its_way() {
    let shared = bucket::<1>(6, 3);
    assert!(shared.try_take(0, 2, at(0)).is_ok(), "what lay in the shard");
    let other = shared.clone();
    let drainer = thread::spawn(move || other.drain_to(0, at(0)));
    let _ = taken(&shared, 0, at(0));
    drainer.join().expect("no panic");
    assert_eq!((shared.available(at(0)), taken(&shared, 0, at(0))), (0, 0), "what was drained is gone");
}

/// An owner while another drains: what it had is void as soon as it can know.
fn a_drain_beside_an_owner() {
    let shared = bucket::<1>(6, 3);
    let drained = Arc::new(AtomicU64::new(0));
    let (other, is_drained) = (shared.clone(), drained.clone());
    let drainer = thread::spawn(move || {
        other.drain_to(0, at(0));
        is_drained.store(1, Ordering::Release);
    });
    let mut lease = shared.own(0).expect("nobody owns it");
    let _ = lease.try_take(1, at(0));
    if drained.load(Ordering::Acquire) == 1 {
        assert!(lease.try_take(1, at(0)).is_err(), "what was drained is gone");
    }
    drop(lease);
    drainer.join().expect("no panic");
    assert_eq!(shared.available(at(0)), 0, "what was drained is gone");
}

/// A drain to what fits the bucket and one shard, while another begins to own a shard: so many are left, with the owner
/// or for everybody.
fn a_drain_beside_a_new_owner() {
    let shared = bucket::<2>(8, 3);
    let other = shared.clone();
    let drainer = thread::spawn(move || other.drain_to(6, at(0)));
    let lease = shared.own(0).expect("nobody owns it");
    let drained = drainer.join().expect("no panic");
    drop(lease);
    // What the owner had when its term ended is void, and not told.
    assert_eq!(shared.available(at(0)), 6, "as many as were to be kept, {drained} drained");
}

/// Two who want to own a shard, and what the first leaves.
fn owners() {
    let shared = bucket::<1>(4, 3);
    let other = shared.clone();
    let own =
        |bucket: &LeasedBucket<1>| bucket.own(0).map_or(0, |mut lease| u32::from(lease.try_take(1, at(0)).is_ok()));
    let owner = thread::spawn(move || own(&other));
    let sum = own(&shared) + owner.join().expect("no panic");
    assert!((1..=2).contains(&sum), "somebody owned it");
    assert_eq!(sum + shared.available(at(0)), 4, "none is lost, and none made");
}

#[test]
fn leased_bucket_two_shards_and_a_steal() {
    check("leased_bucket_two_shards_and_a_steal", Preemptions::AtMost(3), two_shards_and_a_steal);
}

#[test]
fn leased_bucket_under_a_moving_clock() {
    check("leased_bucket_under_a_moving_clock", Preemptions::AtMost(3), a_moving_clock);
}

#[test]
fn leased_bucket_two_callers_of_a_shard() {
    check("leased_bucket_two_callers_of_a_shard", Preemptions::AtMost(3), two_callers_of_a_shard);
}

#[test]
fn leased_bucket_what_is_drained_does_not_come_back() {
    let name = "leased_bucket_what_is_drained_does_not_come_back";
    check(name, Preemptions::AtMost(3), a_drain_while_a_batch_is_on_its_way);
    check(name, Preemptions::AtMost(3), a_drain_beside_an_owner);
}

#[test]
fn leased_bucket_a_drain_keeps_what_it_is_told_to() {
    check("leased_bucket_a_drain_keeps_what_it_is_told_to", Preemptions::AtMost(3), a_drain_beside_a_new_owner);
}

#[test]
fn leased_bucket_a_shard_has_one_owner() {
    check("leased_bucket_a_shard_has_one_owner", Preemptions::AtMost(3), owners);
}

#[test]
fn leased_bucket_the_exchange_is_needed() {
    let fault = "leased bucket: a take is a store";
    must_fail("two_shards_and_a_steal", fault, Preemptions::AtMost(2), two_shards_and_a_steal);
}

#[test]
fn leased_bucket_one_who_brings_is_needed() {
    let fault = "leased bucket: two may bring a batch";
    must_fail("two_callers_of_a_shard", fault, Preemptions::AtMost(2), two_callers_of_a_shard);
}

#[test]
fn leased_bucket_terms_are_needed() {
    let fault = "leased bucket: a batch outlives its term";
    must_fail(
        "a_drain_while_a_batch_is_on_its_way",
        fault,
        Preemptions::AtMost(2),
        a_drain_while_a_batch_is_on_its_way,
    );
    let fault = "leased bucket: an owner overlooks its term";
    must_fail("a_drain_beside_an_owner", fault, Preemptions::AtMost(2), a_drain_beside_an_owner);
}
