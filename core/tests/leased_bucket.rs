//! What a leased bucket promises, one promise a test: in any order of calls, and under threads.

#[path = "oracle/leased_bucket.rs"]
#[allow(dead_code, unreachable_pub, reason = "a test program exports nothing, and another uses the rest")]
mod oracle;

use std::array;
use std::time::Duration;

use oracle::{Leased, No};
use proptest::prelude::*;
use seawall::{
    BucketConfig, BucketConfigError, ChangeError, Fill, Instant, LeasedBucket, LeasedConfig, OwnedLease, Rate, Reason,
    Refused, WarmUp,
};

const SECOND: u64 = 1_000_000_000;
/// Every rate of whole tokens a minute earns whole 2048ths of a token in it: then a bucket rounds nothing.
const GRID: u64 = 60 * SECOND / 2048;
const SHARDS: usize = 3;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn per_minute(count: u64) -> Rate {
    Rate::new(count, Duration::from_secs(60)).unwrap()
}

fn no(refused: Refused) -> No {
    match refused.reason() {
        Reason::Never => No::Never,
        Reason::ClockStepped => No::ClockStepped,
        _ => No::NotYet(refused.retry_after().map(|wait| wait.as_nanos() as u64)),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Take(usize, u32),
    Own(usize),
    OwnerTakes(usize, u32),
    Release(usize),
    DrainTo(u32),
    Refund(u32),
    Rate(u64),
    Burst(u32),
    Rebase(u64),
    Reset(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..200_u64).prop_map(Step::Wait),
        9 => (0..SHARDS, 0..9_u32).prop_map(|(shard, n)| Step::Take(shard, n)),
        9 => (0..SHARDS, 0..2_u32).prop_map(|(shard, n)| Step::Take(shard, n)),
        2 => (0..SHARDS).prop_map(Step::Own),
        6 => (0..SHARDS, 0..9_u32).prop_map(|(shard, n)| Step::OwnerTakes(shard, n)),
        1 => (0..SHARDS).prop_map(Step::Release),
        1 => (0..20_u32).prop_map(Step::DrainTo),
        1 => (0..5_u32).prop_map(Step::Refund),
        1 => (0..60_000_u64).prop_map(Step::Rate),
        1 => (0..80_u32).prop_map(Step::Burst),
        1 => (0..1_000_u64).prop_map(Step::Rebase),
        1 => (0..90_u32).prop_map(Step::Reset),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn every_decision_is_the_oracles_whoever_owns_steals_drains_or_changes(
        rate in 1..60_000_u64, burst in 30..80_u32, tokens in 0..90_u32, batch in 1..10_u32, steps in steps(),
    ) {
        let config = BucketConfig::new(per_minute(rate)).burst(burst).fill(Fill::Tokens(tokens));
        let bucket = LeasedBucket::<SHARDS>::new(LeasedConfig::new(config).batch(batch), at(0)).unwrap();
        let mut oracle = Leased::new(rate.into(), burst, tokens.min(burst), batch, SHARDS as u32, 0);
        let mut leases: [Option<OwnedLease<'_>>; SHARDS] = array::from_fn(|_| None);
        let mut now = 0;
        for step in steps {
            match step {
                Step::Wait(by) => now += by * GRID,
                Step::Take(shard, n) => {
                    let peeked = bucket.peek(n, at(now));
                    let in_one_place = n == 0 || oracle.heaps.iter().any(|heap| *heap >= n);
                    let took = bucket.try_take(shard as u32, n, at(now));
                    prop_assert_eq!(peeked.is_ok(), took.is_ok());
                    prop_assert!(took.is_ok() || !in_one_place, "refused while enough lies in one shard");
                    let expected = if n == 0 { Ok(()) } else { oracle.try_take(shard, n, now) };
                    prop_assert_eq!(took.map_err(no), expected);
                }
                Step::Own(shard) => {
                    let lease = bucket.own(shard as u32);
                    prop_assert_eq!(lease.is_some(), oracle.own(shard));
                    leases[shard] = lease.or(leases[shard].take());
                }
                Step::OwnerTakes(shard, n) => if let Some(lease) = &mut leases[shard] {
                    let took = lease.try_take(n, at(now));
                    prop_assert_eq!(took.map_err(no), oracle.owner_takes(shard, n, now));
                    prop_assert!(lease.tokens() < batch);
                },
                Step::Release(shard) => if leases[shard].take().is_some() {
                    oracle.release(shard);
                },
                Step::DrainTo(keep) => prop_assert_eq!(bucket.drain_to(keep, at(now)), oracle.drain_to(keep, now)),
                Step::Refund(n) => if bucket.try_take(0, n, at(now)).is_ok() {
                    if n > 0 {
                        oracle.try_take(0, n, now).unwrap();
                    }
                    prop_assert_eq!(bucket.refund(n, at(now)), n == 0 || oracle.inner.refund(n, now));
                },
                Step::Rate(rate) => {
                    let before = bucket.available(at(now));
                    bucket.set_rate(per_minute(rate), at(now)).unwrap();
                    prop_assert_eq!((bucket.available(at(now)), bucket.rate()), (before, per_minute(rate)));
                    oracle.inner.set_rate(rate.into(), now);
                }
                Step::Burst(burst) => {
                    let legal = burst > oracle.idle();
                    prop_assert_eq!(bucket.set_burst(burst, at(now)).is_ok(), legal);
                    if legal {
                        oracle.inner.set_burst(burst - oracle.idle(), now);
                        prop_assert_eq!(bucket.burst(), burst);
                    }
                }
                Step::Rebase(to) => {
                    let before = bucket.available(at(now));
                    bucket.rebase(at(now), at(to * GRID)).unwrap();
                    oracle.inner.rebase(now, to * GRID);
                    now = to * GRID;
                    prop_assert_eq!(bucket.available(at(now)), before);
                }
                Step::Reset(tokens) => {
                    bucket.reset(Fill::Tokens(tokens), WarmUp::NONE, at(now)).unwrap();
                    oracle.reset(tokens, now);
                }
            }
            prop_assert_eq!(bucket.available(at(now)), oracle.available(now));
        }
    }

    #[test]
    fn no_window_admits_more_than_the_burst_and_what_the_rate_emits(
        per_second in 1..2_000_u64, burst in 40..100_u32, batch in 1..10_u32,
        steps in proptest::collection::vec((prop_oneof![6 => 0..SECOND / 20, 1 => 0..300 * SECOND], 0..SHARDS, 1..10_u32, 0..11_u32), 1..120),
    ) {
        let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(per_second)).burst(burst)).batch(batch);
        let bucket = LeasedBucket::<SHARDS>::new(config, at(0)).unwrap();
        let mut leases: [Option<OwnedLease<'_>>; SHARDS] = array::from_fn(|_| None);
        let (mut now, mut sent) = (0, Vec::new());
        for (wait, shard, n, how) in steps {
            now += wait;
            let sends = match (how, &mut leases[shard]) {
                (0, lease) => { *lease = None; false }
                (1, lease @ None) => { *lease = bucket.own(shard as u32); false }
                (2, _) => { bucket.drain_to(n, at(now)); false }
                // All that there is, wherever it lies.
                (3, lease) => {
                    while bucket.try_take(shard as u32, 1, at(now)).is_ok()
                        || lease.as_mut().is_some_and(|lease| lease.try_take(1, at(now)).is_ok())
                    {
                        sent.push((now, 1));
                    }
                    false
                }
                (4..=6, Some(lease)) => lease.try_take(n, at(now)).is_ok(),
                _ => bucket.try_take(shard as u32, n, at(now)).is_ok(),
            };
            sent.extend(sends.then_some((now, n)));
        }
        for (first, (from, _)) in sent.iter().enumerate() {
            let mut sum = 0;
            for (to, n) in &sent[first..] {
                sum += u128::from(*n);
                let emitted = u128::from(to - from) * u128::from(per_second) / u128::from(SECOND);
                prop_assert!(sum <= u128::from(burst) + emitted + 1, "{sum} from {from} to {to}, {emitted} emitted");
            }
        }
    }

    #[test]
    fn no_time_number_batch_or_burst_panics(
        start: u64, per_second in 0..1_000_000_001_u64, burst: u32, batch in proptest::option::of(0..70_000_u32),
        calls in proptest::collection::vec((any::<u64>(), any::<u32>(), any::<u32>(), 0..9_u32), 1..20),
    ) {
        let config = BucketConfig::new(Rate::per_second(per_second)).burst(burst);
        if let Ok(bucket) = LeasedBucket::<2>::new(LeasedConfig { bucket: config, batch }, at(start)) {
            for (now, n, shard, how) in calls {
                let now = at(now);
                match how {
                    0 | 1 => drop(bucket.try_take(shard, n, now)),
                    2 => drop(bucket.own(shard).map(|mut lease| lease.try_take(n, now))),
                    3 => drop(bucket.drain_to(n, now)),
                    4 => drop(bucket.set_burst(n, now)),
                    5 => drop(bucket.reset(Fill::Tokens(n), WarmUp::NONE, now)),
                    6 => drop(bucket.refund(n, now)),
                    7 => drop(bucket.rebase(now, at(n.into()))),
                    _ => drop(bucket.peek(n, now)),
                }
                prop_assert!(bucket.available(now) <= bucket.burst());
            }
        }
    }
}

#[test]
fn wrong_batches_and_bursts_are_typed_errors_that_change_nothing() {
    let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100)));
    let error = |config: LeasedConfig| LeasedBucket::<4>::new(config, at(0)).unwrap_err();
    assert_eq!(error(config.batch(0)), BucketConfigError::ZeroBatch);
    assert_eq!(error(config.batch(65_537)), BucketConfigError::BatchTooLarge);
    assert_eq!(error(config.batch(26)), BucketConfigError::BurstUnderLeases);
    let none = LeasedConfig::new(BucketConfig::new(Rate::per_second(100)).burst(0));
    assert_eq!(error(none), BucketConfigError::ZeroBurst);
    assert!(error(config.batch(26)).to_string().contains("allowed are shards x (batch - 1) + 1"));

    let bucket = LeasedBucket::<4>::new(config.batch(25), at(0)).unwrap();
    assert_eq!(bucket.set_burst(96, at(0)), Err(ChangeError::Config(BucketConfigError::BurstUnderLeases)));
    assert_eq!(bucket.set_burst(0, at(0)), Err(ChangeError::Config(BucketConfigError::ZeroBurst)));
    assert_eq!((bucket.burst(), bucket.available(at(0))), (100, 100));
}

#[test]
fn by_default_at_most_a_thirty_second_of_the_burst_lies_idle_and_a_small_bucket_is_a_plain_one() {
    for burst in (1..5_000).chain([100_000, u32::MAX]) {
        let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1)).burst(burst));
        let bucket = LeasedBucket::<4>::new(config, at(0)).unwrap();
        let (batch, idle) = (bucket.batch(), 4 * (bucket.batch() - 1));
        assert!(idle <= burst / 32 && (batch == 64 || 4 * batch > burst / 32), "{batch} of {burst}");
        assert!((burst >= 128 || batch == 1) && bucket.burst() == burst);
    }
}

#[test]
fn a_bucket_of_batches_of_one_is_a_plain_bucket() {
    let config = BucketConfig::new(Rate::per_second(10)).burst(10);
    let leased = LeasedBucket::<4>::new(LeasedConfig::new(config), at(0)).unwrap();
    let plain = seawall::TokenBucket::new(config, at(0)).unwrap();
    for step in 0..200 {
        let (now, n) = (at(step * SECOND / 17), step as u32 % 4);
        assert_eq!(leased.try_take(step as u32, n, now), plain.try_take(n, now));
        assert_eq!(leased.available(now), plain.available(now));
    }
}

#[test]
fn a_reset_fills_the_shards_that_nobody_owns() {
    let config = LeasedConfig::new(BucketConfig::new(Rate::ZERO).burst(100)).batch(10);
    let bucket = LeasedBucket::<3>::new(config, at(0)).unwrap();
    let lease = bucket.own(0).unwrap();
    bucket.reset(Fill::Tokens(73 + 9), WarmUp::NONE, at(0)).unwrap();
    assert_eq!(bucket.available(at(0)), 73 + 9);
    drop(lease);
    assert_eq!(bucket.available(at(0)), 73 + 9, "and what the owner had is void");
}

#[test]
fn an_owner_that_never_calls_again_keeps_less_than_a_batch() {
    let config = LeasedConfig::new(BucketConfig::new(Rate::ZERO).burst(100)).batch(10);
    let bucket = LeasedBucket::<2>::new(config, at(0)).unwrap();
    let mut lost = bucket.own(0).unwrap();
    lost.try_take(9, at(0)).unwrap();
    lost.try_take(1, at(0)).unwrap();
    std::mem::forget(lost);
    assert_eq!((0..100).filter(|_| bucket.try_take(0, 1, at(0)).is_ok()).count(), 100 - 10 - 9);
    assert!(bucket.own(0).is_none(), "and its shard");
}

#[test]
fn threads_take_exactly_the_burst_whether_they_own_share_or_steal() {
    for round in 0..20 {
        let config = LeasedConfig::new(BucketConfig::new(Rate::ZERO).burst(5_000)).batch(32);
        let bucket = LeasedBucket::<4>::new(config, at(0)).unwrap();
        let take = |worker: u32| {
            // Two own a shard for a while, and two share one.
            let mut sum = 0;
            if let Some(mut lease) = (worker < 2).then(|| bucket.own(worker)).flatten() {
                sum += (0..300 + round).filter(|_| lease.try_take(1, at(0)).is_ok()).count();
            }
            let mut n = 3;
            while n > 0 {
                match bucket.try_take(worker.min(2), n, at(0)) {
                    Ok(()) => sum += n as usize,
                    Err(_) => n -= 1,
                }
            }
            sum
        };
        let take = &take;
        let sum: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|worker| scope.spawn(move || take(worker))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        let rest = (0..5_000).filter(|_| bucket.try_take(3, 1, at(0)).is_ok()).count();
        assert_eq!(sum + rest, 5_000);
    }
}

#[test]
fn a_lease_that_is_kept_as_words_goes_on_and_no_words_make_a_token() {
    let config = LeasedConfig::new(BucketConfig::new(Rate::ZERO).burst(100)).batch(10);
    let bucket = LeasedBucket::<3>::new(config, at(0)).unwrap();
    let mut words = bucket.own(1).unwrap().into_words();
    let mut taken = 0;
    for _ in 0..300 {
        let mut lease = bucket.lease_from_words(words).expect("it is owned");
        taken += u32::from(lease.try_take(1, at(0)).is_ok());
        words = lease.into_words();
    }
    assert_eq!((taken, bucket.available(at(0))), (100, 0));
    assert!(bucket.own(1).is_none());

    // Any words: a lease, or none; and what it grants was never more than there was.
    let bucket = LeasedBucket::<3>::new(config, at(0)).unwrap();
    let [shard, standing, left] = bucket.own(1).unwrap().into_words();
    let odd = [0, 1, 3, 1 << 16, 1 << 17, 1 << 18, u64::from(u32::MAX), 1 << 32 | 1, u64::MAX];
    let is_none = |words| bucket.lease_from_words(words).map(OwnedLease::into_words).is_none();
    assert!(!is_none([shard, standing, left]));
    assert!(is_none([0, standing, left]), "nobody owns that shard");
    assert!(odd.iter().filter(|word| **word != shard).all(|word| is_none([*word, standing, left])));
    assert!(odd.iter().filter(|word| **word != 1 << 17).all(|word| is_none([shard, *word, left])));
    assert!(odd.iter().filter(|word| **word > 9).all(|word| is_none([shard, standing, *word])));
    // Whose term has ended: the tokens are void.
    bucket.drain_to(0, at(0));
    let mut lease = bucket.lease_from_words([shard, standing, left]).unwrap();
    assert!(lease.try_take(1, at(0)).is_err());
    drop(lease);
    assert!(is_none([shard, standing, left]));
}
