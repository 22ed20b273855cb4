//! One bucket that all share: what it costs to be allowed, and to be refused.

use std::sync::OnceLock;
use std::time::Duration;

use better_bucket::BucketCore;
use governor::clock::FakeRelativeClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use seawall::{BucketConfig, Clock as _, Instant, LeasedBucket, LeasedConfig, MonotonicClock, Rate, TokenBucket};

use crate::row::{Kind, Row, Section};
use crate::sections::clock::Quanta;
use crate::sections::floors;

/// Ours where the caller brings the time.
pub const OURS: &str = "seawall TokenBucket";
/// Ours, a shard for each thread.
pub const LEASED: &str = "seawall LeasedBucket, a shard a thread";
/// Ours, a shard for each thread that belongs to it alone.
pub const OWNED: &str = "seawall LeasedBucket, owned leases of 64";
/// Ours with the clock that governor reads.
pub const OURS_QUANTA: &str = "seawall TokenBucket, governor's clock";
/// Governor with the clock that it reads unless told otherwise.
pub const GOVERNOR_QUANTA: &str = "governor, its own clock (quanta)";

const NO_RATE_CHANGE: &str = "no live change of the rate";
const DAY: Duration = Duration::from_secs(86_400);

/// Earns as fast as two threads take, a token each 8 ns, and holds more than they can: every call is allowed.
pub fn ample() -> BucketConfig {
    BucketConfig::new(Rate::per_second(125_000_000)).burst(1 << 30)
}

fn bucket(config: BucketConfig) -> TokenBucket {
    TokenBucket::new(config, Instant::ORIGIN).expect("the configuration is legal")
}

/// As ample, in batches of 64.
fn leased() -> LeasedBucket<8> {
    LeasedBucket::new(LeasedConfig::new(ample()).batch(64), Instant::ORIGIN).expect("the configuration is legal")
}

/// One token a day, and it is gone.
fn empty_bucket() -> TokenBucket {
    let bucket = bucket(BucketConfig::new(Rate::new(1, DAY).expect("a day is legal")));
    bucket.try_take(1, Instant::ORIGIN).expect("it begins full");
    bucket
}

fn ample_quota() -> Quota {
    Quota::with_period(Duration::from_nanos(8)).expect("not zero").allow_burst((1 << 30).try_into().expect("not zero"))
}

fn empty_governor<C: governor::clock::Clock>(
    clock: C,
) -> RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>> {
    let limiter = RateLimiter::direct_with_clock(Quota::with_period(DAY).expect("not zero"), clock);
    assert!(limiter.check().is_ok(), "it begins full");
    limiter
}

/// For ratelimit: a clock that stands still.
pub struct Stopped;

impl ratelimit::Clock for Stopped {
    fn elapsed(&self) -> Duration {
        Duration::from_secs(1)
    }
}

fn ratelimiter<C: ratelimit::Clock>(clock: C, is_ample: bool) -> ratelimit::Ratelimiter<C> {
    let rate = if is_ample { 125_000_000 } else { 1 };
    let builder = ratelimit::Builder::with_clock(rate, clock);
    let builder = if is_ample {
        builder.max_tokens(1 << 40).initial_available(1 << 40)
    } else {
        builder.period(DAY).max_tokens(1).initial_available(0)
    };
    builder.build().expect("the configuration is legal")
}

/// leaky-bucket reads the clock of tokio.
fn leaky_bucket(is_ample: bool) -> leaky_bucket::RateLimiter {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME
        .get_or_init(|| tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts"));
    let _inside = runtime.enter();
    let mut builder = leaky_bucket::RateLimiter::builder();
    if is_ample {
        builder.max(1 << 40).initial(1 << 40).refill(1 << 20).interval(Duration::from_millis(1)).build()
    } else {
        builder.max(1).initial(0).refill(1).interval(DAY).build()
    }
}

fn better_bucket(is_ample: bool) -> BucketCore {
    let builder = better_bucket::BucketBuilder::new();
    let builder = if is_ample {
        builder.capacity(1 << 30).refill(125_000_000, Duration::from_secs(1)).initial(1 << 30)
    } else {
        builder.capacity(1).refill(1, DAY).initial(0)
    };
    BucketCore::new(builder.build_config().expect("the configuration is legal"), Duration::ZERO)
}

fn semaphore(permits: usize) -> tokio::sync::Semaphore {
    tokio::sync::Semaphore::new(permits)
}

/// What one writes by hand: two numbers under a lock.
pub struct ByHand {
    tokens: f64,
    last_ns: u64,
    per_ns: f64,
    burst: f64,
}

impl ByHand {
    fn with(tokens: f64, per_ns: f64, burst: f64) -> Mutex<Self> {
        Mutex::new(Self { tokens, last_ns: 0, per_ns, burst })
    }

    fn take(&mut self, now_ns: u64) -> bool {
        let passed = now_ns.saturating_sub(self.last_ns);
        self.last_ns = self.last_ns.max(now_ns);
        self.tokens = (self.tokens + passed as f64 * self.per_ns).min(self.burst);
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= 1.0;
        }
        is_allowed
    }
}

/// Allowed, refused, and each with a clock.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![allow(), refuse(), allow_with_a_clock(), refuse_with_a_clock()]
}

fn allow() -> Section {
    let rows = vec![
        floors::load_cas(),
        Row::ours("TokenBucket", bucket(ample()), |_, _| (), |bucket, (), now| bucket.try_take(1, now.tick()).is_ok()),
        Row::ours(
            "LeasedBucket, a shard a thread",
            leased(),
            |_, thread| thread as u32,
            |bucket, shard, now| bucket.try_take(*shard, 1, now.tick()).is_ok(),
        ),
        Row::ours(
            "LeasedBucket, owned leases of 64",
            leased(),
            |bucket, thread| bucket.own(thread as u32).expect("a shard for each thread"),
            |_, lease, now| lease.try_take(1, now.tick()).is_ok(),
        ),
        Row::peer(
            "better-bucket, time given",
            NO_RATE_CHANGE,
            better_bucket(true),
            |_, _| (),
            |bucket, (), now| bucket.try_acquire_at(1, Duration::from_nanos(now.tick_ns())),
        ),
        Row::peer(
            "governor, a clock that stands still",
            NO_RATE_CHANGE,
            RateLimiter::direct_with_clock(ample_quota(), FakeRelativeClock::default()),
            |_, _| (),
            |limiter, (), _| limiter.check().is_ok(),
        ),
        Row::peer(
            "ratelimit, a clock that stands still",
            "",
            ratelimiter(Stopped, true),
            |_, _| (),
            |limiter, (), _| limiter.try_wait().is_ok(),
        ),
        Row::peer(
            "leaky-bucket, its own clock",
            NO_RATE_CHANGE,
            leaky_bucket(true),
            |_, _| (),
            |limiter, (), _| limiter.try_acquire(1),
        ),
        Row::peer(
            "tokio Semaphore, forgotten permits",
            "earns nothing: no rate at all",
            semaphore(tokio::sync::Semaphore::MAX_PERMITS),
            |_, _| (),
            |semaphore, (), _| semaphore.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok(),
        )
        .beside(),
        Row::peer(
            "by hand: parking_lot Mutex<bucket>, time given",
            "blocks",
            ByHand::with(1e9, 0.125, 1e9),
            |_, _| (),
            |bucket, (), now| bucket.lock().take(now.tick_ns()),
        ),
    ];
    Section {
        name: "bucket allow",
        call: "a token is taken, by the time that is given",
        reference: floors::LOAD_CAS,
        rows,
        alone: true,
        together: 2,
    }
}

fn refuse() -> Section {
    let rows = vec![
        floors::load_compare(),
        Row::ours("TokenBucket", empty_bucket(), |_, _| (), |bucket, (), now| bucket.try_take(1, now.tick()).is_err()),
        Row::peer(
            "better-bucket, time given",
            NO_RATE_CHANGE,
            better_bucket(false),
            |_, _| (),
            |bucket, (), now| !bucket.try_acquire_at(1, Duration::from_nanos(now.tick_ns())),
        ),
        Row::peer(
            "governor, a clock that stands still",
            NO_RATE_CHANGE,
            empty_governor(FakeRelativeClock::default()),
            |_, _| (),
            |limiter, (), _| limiter.check().is_err(),
        ),
        Row::peer(
            "ratelimit, a clock that stands still",
            "",
            ratelimiter(Stopped, false),
            |_, _| (),
            |limiter, (), _| limiter.try_wait().is_err(),
        ),
        Row::peer(
            "leaky-bucket, its own clock",
            NO_RATE_CHANGE,
            leaky_bucket(false),
            |_, _| (),
            |limiter, (), _| !limiter.try_acquire(1),
        ),
        Row::peer(
            "tokio Semaphore",
            "earns nothing: no rate at all",
            semaphore(0),
            |_, _| (),
            |semaphore, (), _| semaphore.try_acquire().is_err(),
        )
        .beside(),
        Row::peer(
            "by hand: parking_lot Mutex<bucket>, time given",
            "blocks",
            ByHand::with(0.0, 0.0, 1.0),
            |_, _| (),
            |bucket, (), now| !bucket.lock().take(now.tick_ns()),
        ),
    ];
    Section {
        name: "bucket refuse",
        call: "no token is there: refused, with the time until there is one",
        reference: floors::LOAD_COMPARE,
        rows,
        alone: true,
        together: 2,
    }
}

const FLOOR_QUANTA: &str = "load + CAS + governor's clock";
const FLOOR_COMPARE_QUANTA: &str = "load + compare + governor's clock";

fn allow_with_a_clock() -> Section {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let rows = vec![
        Row::new(
            Kind::Floor,
            FLOOR_QUANTA,
            (AtomicU64::new(0), Quanta::default()),
            |_, _| (),
            |(word, clock), (), _| {
                let (now, seen) = (clock.now().as_nanos(), word.load(Relaxed));
                word.compare_exchange(seen, seen.max(now), Relaxed, Relaxed).is_ok()
            },
        ),
        Row::ours(
            "TokenBucket, governor's clock",
            (bucket(ample()), Quanta::default()),
            |_, _| (),
            |(bucket, clock), (), _| bucket.try_take(1, clock.now()).is_ok(),
        ),
        Row::ours(
            "TokenBucket, MonotonicClock (std Instant)",
            (bucket(ample()), MonotonicClock::new()),
            |_, _| (),
            |(bucket, clock), (), _| bucket.try_take(1, clock.now()).is_ok(),
        ),
        Row::peer(
            GOVERNOR_QUANTA,
            NO_RATE_CHANGE,
            RateLimiter::direct_with_clock(ample_quota(), governor::clock::QuantaClock::default()),
            |_, _| (),
            |limiter, (), _| limiter.check().is_ok(),
        ),
        Row::peer(
            "ratelimit, its own clock (std Instant)",
            "",
            ratelimiter(ratelimit::StdClock::new(), true),
            |_, _| (),
            |limiter, (), _| limiter.try_wait().is_ok(),
        ),
        Row::peer(
            "leaky-bucket, its own clock",
            NO_RATE_CHANGE,
            leaky_bucket(true),
            |_, _| (),
            |limiter, (), _| limiter.try_acquire(1),
        ),
        Row::peer(
            "better-bucket, its own clock",
            NO_RATE_CHANGE,
            better_bucket::Bucket::per_second(125_000_000),
            |_, _| (),
            |bucket, (), _| bucket.try_acquire(1),
        ),
    ];
    Section {
        name: "bucket allow with a clock",
        call: "the clock is read and a token is taken",
        reference: FLOOR_QUANTA,
        rows,
        alone: true,
        together: 0,
    }
}

fn refuse_with_a_clock() -> Section {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let rows = vec![
        Row::new(
            Kind::Floor,
            FLOOR_COMPARE_QUANTA,
            (AtomicU64::new(u64::MAX), Quanta::default()),
            |_, _| (),
            |(word, clock), (), _| clock.now().as_nanos() < word.load(Relaxed),
        ),
        Row::ours(
            "TokenBucket, governor's clock",
            (empty_bucket(), Quanta::default()),
            |_, _| (),
            |(bucket, clock), (), _| bucket.try_take(1, clock.now()).is_err(),
        ),
        Row::peer(
            GOVERNOR_QUANTA,
            NO_RATE_CHANGE,
            empty_governor(governor::clock::QuantaClock::default()),
            |_, _| (),
            |limiter, (), _| limiter.check().is_err(),
        ),
        Row::peer(
            "ratelimit, its own clock (std Instant)",
            "",
            ratelimiter(ratelimit::StdClock::new(), false),
            |_, _| (),
            |limiter, (), _| limiter.try_wait().is_err(),
        ),
    ];
    Section {
        name: "bucket refuse with a clock",
        call: "the clock is read and no token is there",
        reference: FLOOR_COMPARE_QUANTA,
        rows,
        alone: true,
        together: 0,
    }
}
