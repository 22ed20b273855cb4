//! A guard with several shards: each has a breaker of its own, and what else there is they share.

#[allow(unreachable_pub, reason = "a module of a test program")]
mod support;

use std::time::Duration;

use seawall::{
    Call, Fill, Guard, GuardConfig, Instant, LimitConfig, Outcome, Rate, Refused, Request, Stage, State, Verdict,
};
use support::guards::{T, ms};

type Four = Guard<64, 4>;

/// A hundred a second, sixteen tokens, four of them in flight, all of it there.
fn guard() -> Four {
    let base = GuardConfig::for_service(Rate::per_second(100), T);
    let bucket = base.bucket.burst(16).fill(Fill::Full);
    Guard::new(GuardConfig { bucket, limit: LimitConfig { start: 4, ..base.limit }, ..base }, 7, ms(0)).unwrap()
}

fn begin(guard: &Four, shard: u32, now: Instant) -> Call {
    guard.begin(Request { shard, ..Request::DEFAULT }, now)
}

fn attempt(guard: &Four, shard: u32, outcome: Outcome, now: Instant) -> Result<seawall::Finished, Refused> {
    let mut call = begin(guard, shard, now);
    let permit = guard.try_attempt(&mut call, now)?.permit;
    Ok(guard.finish(&mut call, permit, outcome, now))
}

/// Opens the breaker of `shard` by failures.
fn open(guard: &Four, shard: u32, now: Instant) {
    while guard.breaker(shard).state(now) == State::Closed {
        let _ = attempt(guard, shard, Outcome::Failure, now).expect("closed");
    }
}

#[test]
fn one_dead_shard_costs_its_own_calls_and_none_of_the_others() {
    let guard = guard();
    let (mut healthy, mut dead) = (0, 0);
    for at in (0..60_000).step_by(20) {
        let (now, shard) = (ms(at), (at / 20 % 4) as u32);
        let outcome = if shard == 1 { Outcome::Failure } else { Outcome::Success };
        match attempt(&guard, shard, outcome, now) {
            Ok(_) if shard == 1 => dead += 1,
            Ok(_) => healthy += 1,
            Err(refused) => assert_eq!((refused.stage(), shard), (Stage::CircuitBreaker, 1)),
        }
    }
    assert_eq!(healthy, 2_250, "every call to a shard that is well");
    // A probe for each open interval of a tenth of a second, give or take 30 %, but only as often as it is asked for.
    assert!(dead < 800, "{dead} of 750 asked for");
    let probes = 60_000 / 70;
    assert!(dead <= 4 + probes);
}

#[test]
fn any_number_names_a_shard() {
    let guard = guard();
    guard.breaker(3).force_open(ms(0));
    for shard in [3, 7, 4_294_967_295] {
        assert_eq!(attempt(&guard, shard, Outcome::Success, ms(0)).unwrap_err().stage(), Stage::CircuitBreaker);
    }
    for shard in [0, 4, 2, 4_294_967_294] {
        assert!(attempt(&guard, shard, Outcome::Success, ms(0)).is_ok());
    }
}

#[test]
fn a_transition_says_of_which_shard_it_is() {
    let guard = guard();
    let told: Vec<_> = (0..4).filter_map(|_| attempt(&guard, 6, Outcome::Failure, ms(0)).unwrap().transition).collect();
    assert_eq!(told.iter().map(|told| (told.shard, told.to)).collect::<Vec<_>>(), [(2, State::Open)]);
    let mut call = begin(&guard, 2, ms(500));
    let admission = guard.try_attempt(&mut call, ms(500)).unwrap();
    assert_eq!(admission.transition.map(|told| (told.shard, told.to)), Some((2, State::HalfOpen)));
    let closed = guard.finish(&mut call, admission.permit, Outcome::Success, ms(501)).transition;
    assert_eq!(closed.map(|told| (told.shard, told.to)), Some((2, State::Closed)));
}

#[test]
fn a_retry_goes_to_the_shard_of_its_call() {
    let guard = guard();
    let mut call = begin(&guard, 1, ms(0));
    let permit = guard.try_attempt(&mut call, ms(0)).unwrap().permit;
    let Verdict::RetryAt(at) = guard.finish(&mut call, permit, Outcome::Failure, ms(0)).verdict else { panic!() };
    guard.breaker(1).force_open(ms(0));
    assert_eq!(guard.try_attempt(&mut call, at).unwrap_err().stage(), Stage::CircuitBreaker);
}

#[test]
fn a_probes_place_is_given_back_to_its_own_shard() {
    let guard = guard();
    open(&guard, 1, ms(0));
    open(&guard, 2, ms(0));
    let [first, _second] = [1, 2].map(|shard| guard.try_attempt(&mut begin(&guard, shard, ms(500)), ms(500)).unwrap());
    assert!(guard.cancel(first.permit, ms(500)));
    assert!(guard.breaker(1).peek(ms(500)).is_ok() && guard.breaker(2).peek(ms(500)).is_err());
}

#[test]
fn a_shard_that_comes_back_takes_no_tokens_from_those_that_are_well() {
    let guard = guard();
    open(&guard, 1, ms(0));
    let _ = attempt(&guard, 1, Outcome::Success, ms(500)).unwrap();
    assert_eq!(guard.breaker(1).state(ms(500)), State::Closed);
    let _ = attempt(&guard, 0, Outcome::Success, ms(500)).unwrap();
    assert_eq!(guard.bucket().available(ms(500)), 14);

    // With all of them open the service was spared: then the first that closes restarts the tokens.
    (0..4).for_each(|shard| assert!(guard.breaker(shard).trip(ms(600), 0).is_some()));
    let _ = attempt(&guard, 3, Outcome::Success, ms(1_000)).unwrap();
    assert!(attempt(&guard, 3, Outcome::Success, ms(1_000)).is_ok());
    assert_eq!(attempt(&guard, 3, Outcome::Success, ms(1_000)).unwrap_err().stage(), Stage::TokenBucket);
}

#[test]
fn the_limit_the_bucket_the_budget_and_the_pause_are_shared() {
    let guard = guard();
    let held = [0, 1, 2, 3].map(|shard| guard.try_attempt(&mut begin(&guard, shard, ms(0)), ms(0)).unwrap().permit);
    assert_eq!(attempt(&guard, 0, Outcome::Success, ms(0)).unwrap_err().stage(), Stage::ConcurrencyLimit);
    assert_eq!(guard.bucket().available(ms(0)), 12);
    assert!(held.into_iter().all(|permit| guard.cancel(permit, ms(0))));
    let _ = attempt(&guard, 2, Outcome::Throttled(Some(T)), ms(0)).unwrap();
    assert_eq!(attempt(&guard, 1, Outcome::Success, ms(0)).unwrap_err().stage(), Stage::Pause);
}

#[test]
fn a_reset_and_a_rebase_reach_every_shard() {
    let guard = guard();
    for shard in [1, 3] {
        guard.breaker(shard).force_open(ms(0));
    }
    let told = guard.reset(ms(0)).unwrap().map(|told| told.map(|told| (told.shard, told.to)));
    assert_eq!(told, [None, Some((1, State::Closed)), None, Some((3, State::Closed))]);
    let far = ms(1 << 40);
    (0..4).for_each(|shard| assert!(guard.breaker(shard).trip(far, 0).is_some()));
    guard.rebase(far, ms(0)).unwrap();
    for shard in 0..4 {
        assert_eq!(guard.breaker(shard).state(ms(0)), State::Open);
        assert_eq!(guard.breaker(shard).state(ms(500)), State::HalfOpen);
    }
}

#[test]
fn a_shard_more_is_a_breaker_more() {
    let breaker = size_of::<seawall::CircuitBreaker>();
    println!("{} bytes, and {breaker} for each shard more", size_of::<Guard>());
    assert_eq!(breaker, 96);
    assert!(size_of::<Guard>() <= 1_472, "{} bytes", size_of::<Guard>());
    assert_eq!(size_of::<Four>(), size_of::<Guard>() + 3 * breaker);
    static SHARDED: Four = match Guard::new(GuardConfig::for_service(Rate::per_second(20), T), 7, Instant::ORIGIN) {
        Ok(guard) => guard,
        Err(_) => panic!("refused at compile time"),
    };
    assert!(attempt(&SHARDED, 3, Outcome::Success, ms(0)).is_ok());
}

#[test]
fn a_default_guard_takes_any_rate_any_time_out_and_any_number_of_shards() {
    let nanoseconds = Duration::from_nanos;
    let most = Rate::new(u64::MAX, nanoseconds(1)).unwrap();
    let rates = [most, Rate::new(1, nanoseconds(u64::MAX)).unwrap(), Rate::new(0, nanoseconds(u64::MAX)).unwrap()];
    for rate in rates {
        for timeout in [nanoseconds(50), Duration::from_secs(1), nanoseconds(u64::MAX / 7), Duration::MAX] {
            for shards in [0, 1, 2, u32::MAX] {
                let config = GuardConfig::for_shards(rate, timeout, shards);
                for now in [Instant::ORIGIN, Instant::MAX] {
                    assert_eq!(Guard::<64>::new(config, 7, now).err(), None, "{rate:?} {timeout:?} {shards}");
                }
            }
        }
    }
}
