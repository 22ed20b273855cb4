//! The whole guard: a call that is well, and one that is refused, by whichever stage.

use std::time::Duration;

use governor::clock::FakeRelativeClock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use recloser::Recloser;
use seawall::{
    BucketConfig, Guard, GuardConfig, Instant, KeyedBuckets, KeyedConfig, KeyedStage, LimitConfig, OneWriter, Outcome,
    Rate, Recorder, Refused, Request, Stage, Verdict, WhenFull, WindowConfig,
};
use tokio::sync::Semaphore;

use crate::row::{Now, Row, Section};
use crate::sections::{floors, token_bucket};

/// Ours, without a recorder.
pub const OURS: &str = "seawall Guard";
/// What one composes by hand.
pub const BY_HAND: &str = "by hand: Semaphore, governor, recloser";

const DAY: Duration = Duration::from_secs(86_400);

/// A guard that allows as much as comes.
fn ample() -> GuardConfig {
    let config = GuardConfig::for_service(Rate::per_second(1_000), Duration::from_secs(1));
    GuardConfig { bucket: token_bucket::ample(), limit: LimitConfig { lease: DAY, ..config.limit }, ..config }
}

fn guard(config: GuardConfig) -> Guard<64> {
    Guard::new(config, 7, Instant::ORIGIN).expect("the configuration is legal")
}

fn users(rate: Rate, burst: u32) -> KeyedBuckets<64> {
    let config = KeyedConfig::new(rate, WhenFull::FailClosed).burst(burst);
    KeyedBuckets::new(config, 7, Instant::ORIGIN).expect("the configuration is legal")
}

/// One call, from its beginning to its success.
#[inline(always)]
fn deliver<K: KeyedStage>(guard: &Guard<64, 1, K>, now: &mut Now) -> bool {
    let mut call = guard.begin(Request::DEFAULT, now.tick());
    match guard.try_attempt(&mut call, now.tick()) {
        Ok(admission) => {
            guard.finish(&mut call, admission.permit, Outcome::Success, now.tick()).verdict == Verdict::Done
        }
        Err(_) => false,
    }
}

/// One call, and what refuses it.
#[inline(always)]
fn refused<K: KeyedStage>(guard: &Guard<64, 1, K>, request: Request, now: &mut Now) -> Option<Refused> {
    let mut call = guard.begin(request, now.tick());
    guard.try_attempt(&mut call, now.tick()).err()
}

/// Well and refused.
#[must_use]
pub fn sections() -> Vec<Section> {
    vec![healthy(), refuse()]
}

fn healthy() -> Section {
    // Each thread has one of its own, which lives as long as the program.
    let recorder = || {
        let recorder = Recorder::<16, 512, OneWriter>::for_owner(WindowConfig::DEFAULT).expect("legal");
        Box::leak(Box::new(recorder)).own().expect("nobody has it")
    };
    let quota = Quota::with_period(Duration::from_nanos(1)).expect("not zero");
    let limiter = RateLimiter::direct_with_clock(
        quota.allow_burst(u32::MAX.try_into().expect("not zero")),
        FakeRelativeClock::default(),
    );
    let breaker = Recloser::custom().error_rate(0.5).closed_len(100).build();
    let rows = vec![
        floors::load_cas(),
        Row::ours("Guard", guard(ample()), |_, _| (), |guard, (), now| deliver(guard, now)),
        Row::ours(
            "Guard, with an owned recorder a thread",
            guard(ample()),
            move |_, _| recorder(),
            |guard, recorder, now| {
                let began = now.tick();
                let (mut call, mut record) = (guard.begin(Request::DEFAULT, began), recorder.begun(began));
                let asked = now.tick();
                let answer = guard.try_attempt(&mut call, asked);
                recorder.attempted(&mut record, &answer, asked);
                let Ok(admission) = answer else { return false };
                let ended = now.tick();
                let finished = guard.finish(&mut call, admission.permit, Outcome::Success, ended);
                recorder.finished(&mut record, Outcome::Success, &finished, ended);
                finished.verdict == Verdict::Done
            },
        ),
        Row::ours(
            "Guard, with a bucket a key",
            guard(ample()).with_keyed(users(KeyedBuckets::<64>::FASTEST, u32::MAX)),
            |_, _| (),
            |guard, (), now| deliver(guard, now),
        ),
        Row::peer(
            BY_HAND,
            "no retries, budget, deadline, pause, leases or learning",
            (Semaphore::new(64), limiter, breaker),
            |_, _| (),
            |(semaphore, limiter, breaker), (), _| {
                let permit = semaphore.try_acquire();
                permit.is_ok() && limiter.check().is_ok() && breaker.call(|| Ok::<(), ()>(())).is_ok()
            },
        ),
    ];
    Section {
        name: "guard healthy",
        call: "begin, attempt and finish of a call that succeeds",
        reference: floors::LOAD_CAS,
        rows,
        alone: true,
        together: 2,
    }
}

/// The name of the row for the guard that this stage refuses.
#[must_use]
pub fn refused_by(stage: Stage) -> String {
    format!("seawall Guard, refused by {}", stage.name())
}

fn row<K: KeyedStage + Sync + 'static>(guard: Guard<64, 1, K>, request: Request, stage: Stage) -> Row {
    let first = refused(&guard, request, &mut Now::start());
    assert_eq!(first.map(Refused::stage), Some(stage), "another stage refuses");
    let name = refused_by(stage);
    let name = name.strip_prefix("seawall ").expect("its name begins so");
    Row::ours(name, guard, |_, _| (), move |guard, (), now| refused(guard, request, now).is_some())
}

fn refuse() -> Section {
    let start = Instant::ORIGIN;
    let spent = |guard: &Guard<64>| {
        let mut call = guard.begin(Request::DEFAULT, start);
        let permit = guard.try_attempt(&mut call, start).expect("the first is allowed").permit;
        (call, permit)
    };
    let none = Rate::new(1, DAY).expect("legal");

    let late = Request { deadline: Some(start), ..Request::DEFAULT };
    let paused = guard(ample());
    let (mut call, permit) = spent(&paused);
    let _ = paused.finish(&mut call, permit, Outcome::Throttled(Some(Duration::from_secs(120))), start);
    let open = guard(ample());
    open.breaker(0).force_open(start).expect("it was closed");
    let keyed = guard(ample()).with_keyed(users(none, 1));
    keyed.keyed().try_take(0, 1, start).expect("it begins full");
    let full = guard(GuardConfig { limit: LimitConfig { start: 1, lease: DAY, ..LimitConfig::DEFAULT }, ..ample() });
    let _ = spent(&full);
    let empty = guard(GuardConfig { bucket: BucketConfig::new(none), ..ample() });
    let (mut call, permit) = spent(&empty);
    let _ = empty.finish(&mut call, permit, Outcome::Success, start);

    let limiter = || {
        let limiter =
            RateLimiter::direct_with_clock(Quota::with_period(DAY).expect("not zero"), FakeRelativeClock::default());
        assert!(limiter.check().is_ok(), "it begins full");
        limiter
    };
    let by_key: DefaultKeyedRateLimiter<u64> = RateLimiter::keyed(Quota::with_period(DAY).expect("not zero"));
    assert!(by_key.check_key(&0).is_ok(), "it begins full");
    let rows = vec![
        floors::load_compare(),
        row(guard(ample()), late, Stage::Deadline),
        row(paused, Request::DEFAULT, Stage::Pause),
        row(open, Request::DEFAULT, Stage::CircuitBreaker),
        row(keyed, Request::DEFAULT, Stage::KeyedBucket),
        row(full, Request::DEFAULT, Stage::ConcurrencyLimit),
        row(empty, Request::DEFAULT, Stage::TokenBucket),
        Row::peer(
            "by hand: governor asked first",
            "one stage",
            limiter(),
            |_, _| (),
            |limiter, (), _| limiter.check().is_err(),
        ),
        Row::peer(
            "by hand: Semaphore, then governor",
            "takes a place to be told no",
            (Semaphore::new(64), limiter()),
            |_, _| (),
            |(semaphore, limiter), (), _| {
                let permit = semaphore.try_acquire();
                permit.is_ok() && limiter.check().is_err()
            },
        ),
        Row::peer(
            "by hand: governor by key asked first",
            "one stage",
            by_key,
            |_, _| (),
            |limiter, (), _| limiter.check_key(&0).is_err(),
        ),
    ];
    Section {
        name: "guard refused",
        call: "begin and attempt of a call that is refused",
        reference: floors::LOAD_COMPARE,
        rows,
        alone: true,
        together: 2,
    }
}
