//! Limits, tables and leased buckets whose sizes are known when the program runs: their storage, and what they are in it.

#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use std::time::Duration;

use seawall::{
    BucketConfig, BucketConfigError, ChangeError, ConcurrencyLimit, ConcurrencyLimitView, Fill, Instant, KeyedBuckets,
    KeyedBucketsView, KeyedChangeError, KeyedConfig, KeyedConfigError, LeasedBucket, LeasedBucketView, LeasedConfig,
    LimitConfig, LimitConfigError, LimitPermit, Outcome, OwnedLease, Random, Rate, Reason, WarmUp, WhenFull,
};
use support::storage::Storage;

const KEYED: KeyedConfig = KeyedConfig::new(Rate::per_second(5), WhenFull::FailClosed);
const LEASED: LeasedConfig = LeasedConfig::new(BucketConfig::new(Rate::per_second(1_000)));
/// Times and numbers that must not break anything.
const ODD: [u64; 7] = [0, 1, 7, 1 << 31, u32::MAX as u64, 1 << 62, u64::MAX];

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// The bytes where the length is legal, else those of the fixed part and the tail.
fn limit(slots: usize) -> Storage<ConcurrencyLimitView> {
    let one = ConcurrencyLimitView::size_for(1).unwrap();
    let bytes = ConcurrencyLimitView::size_for(slots).unwrap_or(one - 8 + 8 * slots);
    let cast = |storage: *mut [u8]| storage as *mut ConcurrencyLimitView;
    // SAFETY: so many bytes hold such a view, and all zero is a value of it.
    unsafe { Storage::zeroed(bytes, ConcurrencyLimitView::ALIGNMENT, slots, cast) }
}

fn keyed(groups: usize) -> Storage<KeyedBucketsView> {
    let one = KeyedBucketsView::size_for(1).unwrap();
    let bytes = KeyedBucketsView::size_for(groups).unwrap_or(one - 128 + 128 * groups);
    let cast = |storage: *mut [u8]| storage as *mut KeyedBucketsView;
    // SAFETY: so many bytes hold such a view, and all zero is a value of it.
    unsafe { Storage::zeroed(bytes, KeyedBucketsView::ALIGNMENT, groups, cast) }
}

fn leased(shards: usize) -> Storage<LeasedBucketView> {
    let one = LeasedBucketView::size_for(1).unwrap();
    let bytes = LeasedBucketView::size_for(shards).unwrap_or(one - 64 + 64 * shards);
    let cast = |storage: *mut [u8]| storage as *mut LeasedBucketView;
    // SAFETY: so many bytes hold such a view, and all zero is a value of it.
    unsafe { Storage::zeroed(bytes, LeasedBucketView::ALIGNMENT, shards, cast) }
}

#[test]
fn the_bytes_that_a_size_needs_are_those_of_the_sized_type() {
    macro_rules! sizes {
        ($($n:literal)*) => { $(
            assert_eq!(ConcurrencyLimitView::size_for($n), Some(size_of::<ConcurrencyLimit<$n>>()));
            assert_eq!(KeyedBucketsView::size_for($n), Some(size_of::<KeyedBuckets<$n>>()));
            assert_eq!(LeasedBucketView::size_for($n), Some(size_of::<LeasedBucket<$n>>()));
        )* };
    }
    sizes!(1 2 3 7 8 64 1000 32768);
    assert_eq!(ConcurrencyLimitView::size_for(65_535), Some(size_of::<ConcurrencyLimit<65_535>>()));
    assert_eq!(KeyedBucketsView::size_for(2_396_744), Some(size_of::<KeyedBuckets<2_396_744>>()));
    for over in [usize::MAX, usize::MAX / 8, isize::MAX as usize, 2_396_745] {
        assert_eq!(ConcurrencyLimitView::size_for(over), None);
        assert_eq!(KeyedBucketsView::size_for(over), None);
        assert_eq!(LeasedBucketView::size_for(over), None);
    }
    assert_eq!((ConcurrencyLimitView::size_for(65_536), LeasedBucketView::size_for(32_769)), (None, None));
}

#[test]
fn a_length_out_of_its_range_is_a_typed_error_and_the_storage_stays_as_it_was() {
    for slots in [0, 65_536] {
        let mut limit = limit(slots);
        assert_eq!(limit.renew(LimitConfig::DEFAULT), Err(LimitConfigError::Slots));
        assert_eq!((limit.limit(), limit.slots()), (0, slots));
    }
    for groups in [0, 2_396_745] {
        let mut keyed = keyed(groups);
        assert_eq!(keyed.renew(KEYED, 7, at(0)), Err(KeyedConfigError::Groups));
        assert_eq!((keyed.config().burst, keyed.groups(), keyed.places()), (0, groups, 7 * groups));
    }
    for shards in [0, 32_769] {
        let mut leased = leased(shards);
        assert_eq!(leased.renew(LEASED, at(0)), Err(BucketConfigError::Shards));
        assert_eq!((leased.burst(), leased.shards()), (0, shards));
    }
}

#[test]
fn a_configuration_that_is_refused_leaves_the_storage_as_it_was() {
    let mut limit = limit(8);
    limit.renew(LimitConfig { start: 3, ceiling: 8, ..LimitConfig::DEFAULT }).unwrap();
    let permit = limit.try_attempt(at(0)).unwrap();
    assert_eq!(limit.renew(LimitConfig { ceiling: 9, ..LimitConfig::DEFAULT }), Err(LimitConfigError::Ceiling));
    assert_eq!((limit.limit(), limit.in_flight(at(0))), (3, 1));
    assert!(limit.cancel(permit, at(0)));

    let mut keyed = keyed(2);
    keyed.renew(KEYED, 7, at(0)).unwrap();
    keyed.try_take(42, 2, at(0)).unwrap();
    assert_eq!(keyed.renew(KEYED.burst(0), 8, at(0)), Err(KeyedConfigError::ZeroBurst));
    assert_eq!((keyed.available(42, at(0)), keyed.hash_of(42)), (3, table().hash_of(42)));

    let mut leased = leased(2);
    leased.renew(LEASED, at(0)).unwrap();
    leased.try_take(1, 100, at(0)).unwrap();
    assert_eq!(leased.renew(LEASED.batch(0), at(0)), Err(BucketConfigError::ZeroBatch));
    assert_eq!(leased.available(at(0)), 900);
}

fn table() -> KeyedBuckets<2> {
    KeyedBuckets::new(KEYED, 7, at(0)).unwrap()
}

#[test]
fn what_was_there_before_it_was_made_anew_is_gone() {
    let mut limit = limit(8);
    let config = LimitConfig { start: 3, ceiling: 8, ..LimitConfig::DEFAULT };
    limit.renew(config).unwrap();
    let permit = limit.try_attempt(at(0)).unwrap();
    limit.renew(config).unwrap();
    assert_eq!((limit.in_flight(at(0)), limit.cancel(permit, at(0))), (0, false));

    let mut keyed = keyed(1);
    keyed.renew(KeyedConfig::new(Rate::ZERO, WhenFull::FailOpen), 7, at(0)).unwrap();
    (0..9).for_each(|key| keyed.try_take(key, 1, at(0)).unwrap());
    assert_eq!((keyed.occupied(at(0)), keyed.let_through()), (7, 2));
    keyed.renew(KEYED, 8, at(0)).unwrap();
    assert_eq!((keyed.occupied(at(0)), keyed.let_through(), keyed.config()), (0, 0, KEYED));
    assert!((0..9).all(|key| keyed.available(key, at(0)) == 5 && keyed.hash_of(key) != table().hash_of(key)));

    let mut leased = leased(2);
    leased.renew(LEASED, at(0)).unwrap();
    // An owner that is lost keeps its shard, but not over a new beginning.
    std::mem::forget(leased.own(0));
    assert!(leased.own(0).is_none());
    leased.renew(LEASED.batch(1), at(5)).unwrap();
    assert_eq!((leased.available(at(5)), leased.batch()), (1_000, 1));
    assert!(leased.own(0).is_some());
}

#[test]
fn zeroed_storage_grants_nothing_and_no_number_or_time_breaks_it() {
    for length in [0, 1, 3] {
        let limit = limit(length);
        let permits = ODD.map(|word| LimitPermit::from_words([word; 3]));
        for now in ODD {
            let now = at(now);
            assert_eq!(limit.try_attempt(now).unwrap_err().reason(), Reason::NotYet);
            assert!(limit.peek(now).is_err() && limit.in_flight(now) == 0 && limit.limit() == 0);
            for permit in permits {
                assert_eq!(limit.finish(permit, Outcome::Throttled(None), now), None);
                assert!(!limit.cancel(permit, now));
            }
            assert_eq!((limit.set_limit(7), limit.slow_after()), (None, Duration::ZERO));
            limit.rebase(now, at(7));
            limit.reset();
        }

        let keyed = keyed(length);
        for now in ODD {
            let now = at(now);
            for key in ODD {
                assert_eq!(keyed.try_take(key, (key as u32).max(1), now).unwrap_err().reason(), Reason::Never);
                assert!(keyed.peek(key, 1, now).is_err() && keyed.available(key, now) == 0);
                assert!(!keyed.refund(key, key as u32, now));
            }
            let zero = Err(KeyedChangeError::Config(KeyedConfigError::ZeroBurst));
            assert_eq!((keyed.set_rate(Rate::per_second(1), now), keyed.rebase(now, at(7))), (zero, zero));
            assert_eq!((keyed.set_config(KEYED, now), keyed.reset(now)), (zero, Ok(())));
            assert_eq!((keyed.occupied(now), keyed.let_through(), keyed.config().burst), (0, 0, 0));
        }

        let leased = leased(length);
        for now in ODD {
            let now = at(now);
            for n in ODD.map(|n| (n as u32).max(1)) {
                assert!(leased.try_take(n, n, now).is_err() && leased.peek(n, now).is_err());
                assert!(!leased.refund(n, now));
                if let Some(mut lease) = leased.own(n) {
                    assert!(lease.try_take(n, now).is_err() && lease.tokens() == 0);
                }
            }
            assert_eq!((leased.available(now), leased.burst(), leased.rate()), (0, 0, Rate::ZERO));
            assert_eq!((leased.drain_to(3, now), leased.batch()), (0, 1));
            let zero = Err(ChangeError::Config(BucketConfigError::ZeroBurst));
            assert_eq!((leased.set_rate(Rate::per_second(1), now), leased.rebase(now, at(7))), (zero, zero));
            assert_eq!((leased.set_burst(0, now), leased.start_warm_up(WarmUp::GUIDE, now)), (zero, zero));
            assert_eq!(leased.reset(Fill::Full, WarmUp::NONE, now), zero);
        }
    }
}

/// Two leased buckets, one of which is made in storage: any calls, and what both answer.
#[test]
fn a_leased_bucket_of_a_run_time_size_answers_as_the_sized_one_does() {
    const SHARDS: usize = 3;
    for seed in 0..40 {
        let mut random = Random::from_seed(seed);
        let mut below = move |bound: u64| random.next_u64() % bound;
        let bucket = BucketConfig::new(Rate::per_second(1 + below(50))).burst(40 + below(60) as u32);
        let config = LeasedConfig::new(bucket.fill(Fill::Tokens(below(100) as u32))).batch(1 + below(12) as u32);
        let sized = LeasedBucket::<SHARDS>::new(config, at(seed)).unwrap();
        let mut storage = leased(SHARDS);
        storage.renew(config, at(seed)).unwrap();
        let buckets: [&LeasedBucketView; 2] = [&sized, &storage];
        let mut leases: [[Option<OwnedLease<'_>>; SHARDS]; 2] = [const { [const { None }; SHARDS] }; 2];
        let mut now = seed;
        for step in 0..400 {
            now += [0, 1, 3_000_000, 200_000_000][below(4) as usize];
            let (what, shard, n, to) = (below(16), below(SHARDS as u64) as usize, below(20) as u32, below(90));
            let answers = [0, 1].map(|side: usize| {
                let (bucket, lease, time) = (buckets[side], &mut leases[side][shard], at(now));
                match what {
                    0 => *lease = bucket.own(shard as u32).or(lease.take()),
                    1 => *lease = None,
                    _ => (),
                }
                let done = match what {
                    2 => bucket.refund(n, time),
                    3 => bucket.drain_to(n, time) > 0,
                    4 => bucket.set_rate(Rate::per_second(to), time).is_ok(),
                    5 => bucket.set_burst(to as u32, time).is_ok(),
                    6 => bucket.reset(Fill::Tokens(to as u32), WarmUp::NONE, time).is_ok(),
                    7 => bucket.rebase(time, at(to)).is_ok(),
                    8..11 => lease.as_mut().is_some_and(|lease| lease.try_take(n, time).is_ok()),
                    _ => true,
                };
                let took = if what > 10 { bucket.try_take(shard as u32, n % 4, time) } else { bucket.peek(n, time) };
                let left = lease.as_ref().map(OwnedLease::tokens);
                (done, took, left, bucket.available(time), bucket.burst(), bucket.rate(), bucket.batch())
            });
            if what == 7 {
                now = to;
            }
            assert_eq!(answers[0], answers[1], "step {step} of {seed}");
        }
    }
}
