use std::time::Duration;

use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{
    Admission, Call, Finished, GuardConfig, Instant, KeyedBuckets, KeyedConfig, OneWriter, Outcome, OwnedRecorder,
    Rate, Refused, Request, Stage, WhenFull, WindowConfig,
};

use crate::leaked;

type Guard = seawall::Guard<64>;
type GuardByKey = seawall::Guard<64, 1, KeyedBuckets<64>>;

const NOW: Instant = Instant::from_nanos(10_000_000_000);
const ANSWERED: Instant = Instant::from_nanos(10_003_141_592);

fn config() -> GuardConfig {
    GuardConfig::for_service(Rate::per_second(200), Duration::from_secs(1))
}

/// One that has made 2,000 calls, one after the other: 200 a second, of 3 ms and a little.
fn used() -> &'static Guard {
    let guard = Guard::new(config(), 7, Instant::ORIGIN).unwrap();
    for number in 0..2_000_u64 {
        let began = Instant::from_nanos(number * 5_000_000);
        let mut call = guard.begin(Request::DEFAULT, began);
        let permit = guard.try_attempt(&mut call, began).unwrap().permit;
        let answered = began.saturating_add(Duration::from_nanos(3_000_000 + number * 7_919 % 1_000_000));
        let _ = guard.finish(&mut call, permit, Outcome::Success, answered);
    }
    leaked(guard)
}

/// A call that has begun, and is refused by this stage.
fn refused_by(stage: Stage) -> (&'static Guard, Call) {
    let guard = used();
    let mut call = guard.begin(Request::DEFAULT, NOW);
    match stage {
        Stage::Pause => {
            let permit = guard.try_attempt(&mut call, NOW).unwrap().permit;
            let _ = guard.finish(&mut call, permit, Outcome::Throttled(Some(Duration::from_secs(1))), NOW);
        }
        Stage::CircuitBreaker => _ = guard.breaker(0).force_open(NOW),
        Stage::ConcurrencyLimit => while guard.limit().try_attempt(NOW).is_ok() {},
        Stage::TokenBucket => _ = guard.bucket().drain_to(0, NOW),
        _ => unreachable!(),
    }
    let mut call = guard.begin(Request::DEFAULT, NOW);
    assert_eq!(guard.try_attempt(&mut call, NOW).unwrap_err().stage(), stage);
    (guard, call)
}

/// A call whose key has no token.
fn refused_by_key() -> (&'static GuardByKey, Call) {
    let keyed = KeyedConfig { burst: 1, ..KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen) };
    let keyed = KeyedBuckets::new(keyed, 7, Instant::ORIGIN).unwrap();
    let guard = leaked(Guard::new(config(), 7, Instant::ORIGIN).unwrap().with_keyed(keyed));
    guard.keyed().try_take(5, 1, NOW).unwrap();
    (guard, guard.begin(Request { key: 5, ..Request::DEFAULT }, NOW))
}

#[library_benchmark]
#[bench::is(used())]
fn guard_healthy(guard: &'static Guard) -> Finished {
    let mut call = guard.begin(Request::DEFAULT, NOW);
    let permit = guard.try_attempt(&mut call, NOW).unwrap().permit;
    guard.finish(&mut call, permit, Outcome::Success, ANSWERED)
}

/// With a recorder of the worker's own, in which the same call was recorded before.
fn recorded() -> (&'static Guard, &'static mut OwnedRecorder<'static>) {
    let recorder = leaked(seawall::Recorder::<8, 512, OneWriter>::for_owner(WindowConfig::DEFAULT).unwrap());
    let recorder = Box::leak(Box::new(recorder.own().unwrap()));
    let guard = used();
    for _ in 0..2 {
        let _ = recorded_call(guard, recorder);
    }
    (guard, recorder)
}

fn recorded_call(guard: &Guard, recorder: &mut OwnedRecorder<'static>) -> Finished {
    let (mut call, mut record) = (guard.begin(Request::DEFAULT, NOW), recorder.begun(NOW));
    let answer = guard.try_attempt(&mut call, NOW);
    recorder.attempted(&mut record, &answer, NOW);
    let finished = guard.finish(&mut call, answer.unwrap().permit, Outcome::Success, ANSWERED);
    recorder.finished(&mut record, Outcome::Success, &finished, ANSWERED);
    finished
}

#[library_benchmark]
#[bench::is(recorded())]
fn guard_recorded((guard, recorder): (&'static Guard, &'static mut OwnedRecorder<'static>)) -> Finished {
    recorded_call(guard, recorder)
}

#[library_benchmark]
#[bench::by_pause(refused_by(Stage::Pause))]
#[bench::by_breaker(refused_by(Stage::CircuitBreaker))]
#[bench::by_limit(refused_by(Stage::ConcurrencyLimit))]
#[bench::by_bucket(refused_by(Stage::TokenBucket))]
fn guard_refused((guard, mut call): (&'static Guard, Call)) -> Result<Admission, Refused> {
    guard.try_attempt(&mut call, NOW)
}

#[library_benchmark]
#[bench::by_key(refused_by_key())]
fn guard_with_keys_refused((guard, mut call): (&'static GuardByKey, Call)) -> Result<Admission, Refused> {
    guard.try_attempt(&mut call, NOW)
}

library_benchmark_group!(
    name = guard_paths,
    benchmarks = [guard_healthy, guard_recorded, guard_refused, guard_with_keys_refused]
);
