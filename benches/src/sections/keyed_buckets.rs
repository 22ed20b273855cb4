//! A bucket for each key: a million keys that are allowed, and one hot key that is refused.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::InMemoryState;
use governor::{Quota, RateLimiter};
use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};

use crate::row::{Kind, Row, Section};
use crate::sections::floors;

/// Ours.
pub const OURS: &str = "seawall KeyedBuckets";
/// Governor's map with the hash of ours.
pub const GOVERNOR: &str = "governor DashMap, seawall's hash";
/// The reference of a large table.
pub const RANDOM_LINE: &str = "CAS at a random line of a flat table";

/// Keys that are busy at once, and the groups that are meant for them.
pub const MANY: usize = 1 << 20;
const GROUPS: usize = MANY / 4;
const SALT: u64 = 0x5EED;
const DAY: Duration = Duration::from_secs(86_400);
const NO_BOUND: &str = "grows without bound, allocates, takes a lock a call, no live change of the rate";

/// What a key takes: a table for two million keys less one for a million, by a million.
#[must_use]
pub fn bytes_a_key() -> f64 {
    (size_of::<KeyedBuckets<{ 2 * GROUPS }>>() - size_of::<KeyedBuckets<GROUPS>>()) as f64 / MANY as f64
}

/// The hash by which seawall places a key, as a hasher for other maps.
#[derive(Clone, Copy, Default)]
pub struct OurHash;

/// The state of [`OurHash`] for one key.
pub struct OneKey(u64);

static SALTED: KeyedBuckets<1> =
    match KeyedBuckets::new(KeyedConfig::new(Rate::per_second(1), WhenFull::FailClosed), SALT, Instant::ORIGIN) {
        Ok(table) => table,
        Err(_) => panic!("the configuration is legal"),
    };

impl BuildHasher for OurHash {
    type Hasher = OneKey;

    fn build_hasher(&self) -> OneKey {
        OneKey(0)
    }
}

impl Hasher for OneKey {
    /// For keys of bytes, which are none of the rows.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = SALTED.hash_of(SALTED.key_of(bytes));
    }

    #[inline(always)]
    fn write_u64(&mut self, key: u64) {
        self.0 = SALTED.hash_of(key);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A stream of keys in no order, the same for all rows.
struct Keys {
    state: u64,
    bits: u32,
}

impl Keys {
    fn new(bits: u32, thread: usize) -> Self {
        Self { state: thread as u64, bits }
    }

    #[inline(always)]
    fn index(&mut self) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> (64 - self.bits)) as usize
    }

    #[inline(always)]
    fn next(&mut self) -> u64 {
        key(self.index())
    }
}

const fn key(index: usize) -> u64 {
    (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A governor by key.
pub type Keyed<C, S> =
    RateLimiter<u64, dashmap::DashMap<u64, InMemoryState, S>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A governor by key with this hash.
pub fn keyed<C: Clock, S: BuildHasher + Clone + Default>(quota: Quota, clock: C) -> Keyed<C, S> {
    RateLimiter::dashmap_with_clock_and_hasher(quota, clock, S::default())
}

/// A row for governor with this hash.
fn governor<S: BuildHasher + Clone + Default + Send + Sync + 'static>(name: &str, bits: u32) -> Row {
    let quota = Quota::with_period(Duration::from_secs(1)).expect("not zero");
    let limiter =
        keyed::<_, S>(quota.allow_burst(1_000_000.try_into().expect("not zero")), FakeRelativeClock::default());
    for index in 0..1 << bits {
        assert!(limiter.check_key(&key(index)).is_ok(), "it begins full");
    }
    let new = move |thread| Keys::new(bits, thread);
    Row::peer(
        name,
        NO_BOUND,
        limiter,
        move |_, thread| new(thread),
        |limiter, keys, _| limiter.check_key(&keys.next()).is_ok(),
    )
}

/// Many keys, few, and one.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![
        allow::<GROUPS>("keyed, a million keys", "a token is taken from the bucket of one of 2^20 keys", 20),
        allow::<256>("keyed, a thousand keys", "a token is taken from the bucket of one of 2^10 keys", 10),
        hot_key(),
    ]
}

fn allow<const SIZE: usize>(name: &'static str, call: &'static str, bits: u32) -> Section {
    let config = KeyedConfig::new(Rate::per_second(1), WhenFull::FailClosed).burst(1_000_000);
    let table = Box::new(KeyedBuckets::<SIZE>::new(config, SALT, Instant::ORIGIN).expect("legal"));
    for index in 0..1 << bits {
        table.try_take(key(index), 1, Instant::ORIGIN).expect("there is a place for each");
    }
    let flat: Vec<[AtomicU64; 4]> = (0..1 << bits).map(|_| [const { AtomicU64::new(1) }; 4]).collect();
    let rows = vec![
        Row::new(
            Kind::Floor,
            RANDOM_LINE,
            flat,
            move |_, thread| Keys::new(bits, thread),
            |flat, keys, _| {
                let word = &flat[keys.index()][0];
                let seen = word.load(Relaxed);
                word.compare_exchange(seen, seen + 1, Relaxed, Relaxed).is_ok()
            },
        )
        // Two threads may meet.
        .with_share(0.9..=1.0),
        Row::ours(
            "KeyedBuckets",
            table,
            move |_, thread| Keys::new(bits, thread),
            |table, keys, now| {
                let now = now.tick();
                table.try_take(keys.next(), 1, now).is_ok()
            },
        ),
        governor::<OurHash>(GOVERNOR, bits),
        governor::<RandomState>("governor DashMap, its default hash (SipHash)", bits),
        governor::<foldhash::fast::RandomState>("governor DashMap, foldhash", bits),
    ];
    Section { name, call, reference: RANDOM_LINE, rows, alone: true, together: 2 }
}

fn spent<S: BuildHasher + Clone + Default + Send + Sync + 'static>(name: &str) -> Row {
    let limiter = keyed::<_, S>(Quota::with_period(DAY).expect("not zero"), FakeRelativeClock::default());
    assert!(limiter.check_key(&7).is_ok(), "it begins full");
    Row::peer(name, NO_BOUND, limiter, |_, _| (), |limiter, (), _| limiter.check_key(&7).is_err())
}

fn hot_key() -> Section {
    let config = KeyedConfig::new(Rate::new(1, DAY).expect("legal"), WhenFull::FailClosed).burst(1);
    let table = KeyedBuckets::<64>::new(config, SALT, Instant::ORIGIN).expect("legal");
    table.try_take(7, 1, Instant::ORIGIN).expect("it begins full");
    let rows = vec![
        floors::load_compare(),
        Row::ours("KeyedBuckets", table, |_, _| (), |table, (), now| table.try_take(7, 1, now.tick()).is_err()),
        spent::<OurHash>(GOVERNOR),
        spent::<RandomState>("governor DashMap, its default hash (SipHash)"),
        spent::<foldhash::fast::RandomState>("governor DashMap, foldhash"),
    ];
    Section {
        name: "keyed, one hot key refused",
        call: "the same key again and again, its bucket empty",
        reference: floors::LOAD_COMPARE,
        rows,
        alone: true,
        together: 2,
    }
}
