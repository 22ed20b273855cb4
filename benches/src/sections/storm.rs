//! A storm: all cores are refused, by real clocks, while a trickle is allowed.
//!
//! What is allowed is written by one core and read by all others, so that this is what a refusal costs where it counts.

use std::time::Duration;

use failsafe::{CircuitBreaker as _, backoff, failure_policy};
use governor::clock::QuantaClock;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use recloser::Recloser;
use seawall::{
    BreakerConfig, BucketConfig, CircuitBreaker, Guard, GuardConfig, Instant, KeyedBuckets, KeyedConfig, Outcome, Rate,
    Ratio, Request, TokenBucket, TripRule, WhenFull,
};
use tokio::sync::Semaphore;

use crate::crew::cores;
use crate::row::{Row, Section};
use crate::sections::clock::Quanta;
use crate::sections::floors;
use crate::sections::keyed_buckets::{OurHash, keyed};

/// So many are allowed a second,
const TRICKLE: u32 = 100_000;
/// in bursts of at most so many.
const BURST: u32 = 100;
/// How long a breaker stays open between two probes, which fail.
const OPEN: Duration = Duration::from_millis(1);

/// A row of which at most half of the calls are allowed.
fn mostly_refused(row: Row) -> Row {
    row.with_share(0.0..=0.5)
}

fn quota() -> Quota {
    Quota::per_second(TRICKLE.try_into().expect("not zero")).allow_burst(BURST.try_into().expect("not zero"))
}

fn config() -> BucketConfig {
    BucketConfig::new(Rate::per_second(u64::from(TRICKLE))).burst(BURST)
}

fn section(name: &'static str, call: &'static str, mut rows: Vec<Row>) -> Section {
    rows = rows.into_iter().map(mostly_refused).collect();
    rows.insert(0, floors::load_compare());
    Section { name, call, reference: floors::LOAD_COMPARE, rows, alone: false, together: cores() }
}

/// One bucket, one breaker, one key, one guard.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![bucket(), breaker(), hot_key(), guard()]
}

fn bucket() -> Section {
    let ours = TokenBucket::new(config(), Instant::ORIGIN).expect("the configuration is legal");
    let ratelimit = ratelimit::Ratelimiter::builder(u64::from(TRICKLE)).max_tokens(u64::from(BURST)).build();
    let better = better_bucket::BucketBuilder::new().capacity(BURST).refill(TRICKLE, Duration::from_secs(1)).build();
    let rows = vec![
        Row::ours(
            "TokenBucket",
            (ours, Quanta::default()),
            |_, _| (),
            |(bucket, clock), (), _| bucket.try_take(1, clock.now()).is_ok(),
        ),
        Row::peer(
            "governor",
            "no live change of the rate",
            RateLimiter::direct_with_clock(quota(), QuantaClock::default()),
            |_, _| (),
            |limiter, (), _| limiter.check().is_ok(),
        ),
        Row::peer(
            "better-bucket",
            "no live change of the rate",
            better.expect("legal"),
            |_, _| (),
            |bucket, (), _| bucket.try_acquire(1),
        ),
        Row::peer("ratelimit", "", ratelimit.expect("legal"), |_, _| (), |limiter, (), _| limiter.try_wait().is_ok()),
        Row::peer(
            "by hand: parking_lot Mutex<bucket>",
            "blocks",
            (Mutex::new((f64::from(BURST), 0_u64)), Quanta::default()),
            |_, _| (),
            |(bucket, clock), (), _| {
                let now = clock.now().as_nanos();
                let mut bucket = bucket.lock();
                let earned = now.saturating_sub(bucket.1) as f64 * f64::from(TRICKLE) / 1e9;
                bucket.1 = bucket.1.max(now);
                bucket.0 = (bucket.0 + earned).min(f64::from(BURST));
                let is_allowed = bucket.0 >= 1.0;
                if is_allowed {
                    bucket.0 -= 1.0;
                }
                is_allowed
            },
        ),
    ];
    section("storm, one bucket", "all cores ask a bucket that earns 100,000 tokens a second, by the clock", rows)
}

fn breaker() -> Section {
    let config = BreakerConfig {
        rule: TripRule::Consecutive(1),
        open_for: OPEN,
        open_growth_percent: 100,
        open_cap: 2 * OPEN,
        probes: 1,
        close_share: Ratio::ONE,
        ramp: Duration::ZERO,
        ..BreakerConfig::DEFAULT
    };
    let ours = CircuitBreaker::new(config).expect("the configuration is legal");
    ours.trip(Instant::ORIGIN, 7).expect("it was closed");
    let recloser = Recloser::custom().error_rate(0.5).closed_len(1).half_open_len(1).open_wait(OPEN).build();
    for _ in 0..2 {
        let _ = recloser.call(|| Err::<(), ()>(()));
    }
    let policy = failure_policy::consecutive_failures(1, backoff::constant(OPEN));
    let rows = vec![
        Row::ours(
            "CircuitBreaker",
            (ours, Quanta::default()),
            |_, _| (),
            |(breaker, clock), (), _| {
                let now = clock.now();
                match breaker.try_attempt(now) {
                    Ok(admission) => {
                        let _ = breaker.finish(admission.permit, Outcome::Failure, now, now.as_nanos());
                        true
                    }
                    Err(_) => false,
                }
            },
        ),
        Row::peer(
            "recloser",
            "no jitter of the interval",
            recloser,
            |_, _| (),
            |breaker, (), _| matches!(breaker.call(|| Err::<(), ()>(())), Err(recloser::Error::Inner(()))),
        ),
        Row::peer(
            "failsafe",
            "takes a lock",
            failsafe::Config::new().failure_policy(policy).build(),
            |_, _| (),
            |breaker, (), _| matches!(breaker.call(|| Err::<(), ()>(())), Err(failsafe::Error::Inner(()))),
        ),
    ];
    section("storm, one breaker", "all cores ask an open breaker, by the clock; a probe each millisecond fails", rows)
}

fn hot_key() -> Section {
    let config = KeyedConfig::new(Rate::per_second(u64::from(TRICKLE)), WhenFull::FailClosed).burst(BURST);
    let ours = KeyedBuckets::<64>::new(config, 7, Instant::ORIGIN).expect("the configuration is legal");
    let rows = vec![
        Row::ours(
            "KeyedBuckets",
            (ours, Quanta::default()),
            |_, _| (),
            |(table, clock), (), _| table.try_take(7, 1, clock.now()).is_ok(),
        ),
        Row::peer(
            "governor DashMap, seawall's hash",
            "takes a lock a call",
            keyed::<_, OurHash>(quota(), QuantaClock::default()),
            |_, _| (),
            |limiter, (), _| limiter.check_key(&7).is_ok(),
        ),
        Row::peer(
            "governor DashMap, its default hash",
            "takes a lock a call",
            keyed::<_, std::hash::RandomState>(quota(), QuantaClock::default()),
            |_, _| (),
            |limiter, (), _| limiter.check_key(&7).is_ok(),
        ),
    ];
    section("storm, one hot key", "all cores ask for one key of many, by the clock", rows)
}

fn guard() -> Section {
    let service = GuardConfig::for_service(Rate::per_second(u64::from(TRICKLE)), Duration::from_secs(1));
    let ours = Guard::<64>::new(GuardConfig { bucket: config(), ..service }, 7, Instant::ORIGIN).expect("legal");
    let by_hand = || (Semaphore::new(64), RateLimiter::direct(quota()), Recloser::custom().build());
    let rows = vec![
        Row::ours(
            "Guard",
            (ours, Quanta::default()),
            |_, _| (),
            |(guard, clock), (), _| {
                let now = clock.now();
                let mut call = guard.begin(Request::DEFAULT, now);
                match guard.try_attempt(&mut call, now) {
                    Ok(admission) => {
                        let _ = guard.finish(&mut call, admission.permit, Outcome::Success, now);
                        true
                    }
                    Err(_) => false,
                }
            },
        ),
        Row::peer(
            "by hand: governor, Semaphore, recloser",
            "no retries, budget, deadline, pause, leases or learning",
            by_hand(),
            |_, _| (),
            |(semaphore, limiter, breaker), (), _| {
                limiter.check().is_ok() && semaphore.try_acquire().is_ok() && breaker.call(|| Ok::<(), ()>(())).is_ok()
            },
        ),
        Row::peer(
            "by hand: Semaphore, governor, recloser",
            "takes a place to be told no",
            by_hand(),
            |_, _| (),
            |(semaphore, limiter, breaker), (), _| {
                let permit = semaphore.try_acquire();
                permit.is_ok() && limiter.check().is_ok() && breaker.call(|| Ok::<(), ()>(())).is_ok()
            },
        ),
    ];
    section("storm, one guard", "all cores begin calls and ask a guard, by the clock", rows)
}
