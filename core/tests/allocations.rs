//! No path of the core allocates: each is run under an allocator that counts, thread by thread.
//!
//! To add a mechanism, add a line to [`paths`]: a name and what to run. What it needs is built before the counting
//! starts; what it does is run twice and must not touch the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use seawall::{
    AimdConfig, AimdController, AttemptFailure, BreakerConfig, BucketConfig, Call, CircuitBreaker, Clock,
    ConcurrencyLimit, ConcurrencyLimitView, ErrorClass, Fill, Guard, GuardConfig, GuardState, Instant, Jitter,
    KeyedBuckets, KeyedBucketsView, KeyedConfig, LeasedBucket, LeasedBucketView, LeasedConfig, LimitConfig,
    ManualClock, Mode, OneWriter, Outcome, Permit, Random, Rate, Ratio, Recorder, Refused, Request, RetryBudget,
    RetryBudgetConfig, RetryConfig, RetryCost, RetryStrategy, RetryTokens, ShardedWindow, SharedRandom, SlidingWindow,
    Snapshot, Stage, State, TokenBucket, TripRule, Verdict, WarmUp, WhenFull, WindowConfig, retry_after_seconds,
};

struct Counting;

thread_local! {
    // Constant and without a destructor: reading it allocates nothing.
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

fn touched() {
    TOUCHED.set(TOUCHED.get() + 1);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touched();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        touched();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        touched();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` called the allocator on this thread.
fn count(run: impl FnOnce()) -> u64 {
    let before = TOUCHED.get();
    run();
    TOUCHED.get() - before
}

static BUDGET: RetryBudget = match RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN) {
    Ok(budget) => budget,
    Err(_) => panic!("the default is legal"),
};
static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
static RANDOM: SharedRandom = SharedRandom::from_seed(1);

const STEP: Duration = Duration::from_millis(700);

fn decide_with_every_jitter() {
    for jitter in [Jitter::None, Jitter::Additive, Jitter::Equal, Jitter::Full, Jitter::Decorrelated] {
        let strategy = RetryStrategy::new(RetryConfig { jitter, factor_percent: 150, ..RetryConfig::GUIDE });
        for attempt in [1, 7, u32::MAX] {
            let failure =
                AttemptFailure { retry_after: Some(STEP), ..AttemptFailure::new(attempt, ErrorClass::Throttled) };
            let _ = black_box(strategy.unwrap().decide(failure, RANDOM.next_u64()));
        }
    }
}

fn earn_and_spend() {
    CLOCK.advance(STEP);
    let now = CLOCK.now();
    BUDGET.deposit(now);
    for cost in [RetryCost::Error, RetryCost::Timeout, RetryCost::Tokens(RetryTokens::whole(11))] {
        if BUDGET.try_withdraw(cost, now).is_ok() {
            BUDGET.refund(cost, now);
        }
    }
    BUDGET.set_share(Ratio::HALF);
    black_box(BUDGET.set_cap(RetryTokens::whole(10)).is_ok());
    BUDGET.rebase(now, now);
    black_box(BUDGET.balance(now));
}

fn execute_with_budget() {
    let sleep = |delay| CLOCK.advance(delay);
    let mut retry = RetryStrategy::GUIDE.executor(&CLOCK, Random::from_seed(1), sleep).with_budget(&BUDGET);
    for good in [1, 2, 9] {
        let outcome = |attempt| if attempt < good { Err(attempt) } else { Ok(attempt) };
        black_box(retry.execute(outcome, |_| ErrorClass::Retryable).is_ok());
    }
}

fn execute_asynchronously() {
    let sleep = |delay| {
        CLOCK.advance(delay);
        std::future::ready(())
    };
    let mut retry = RetryStrategy::GUIDE.executor(&CLOCK, Random::from_seed(1), sleep).with_budget(&BUDGET);
    let call = retry.execute_async(async |attempt| Err::<(), _>(attempt), |_| ErrorClass::Retryable);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(call).poll(&mut context).is_ready());
}

static BUCKET: TokenBucket = match TokenBucket::new(BucketConfig::new(Rate::per_second(5)), Instant::ORIGIN) {
    Ok(bucket) => bucket,
    Err(_) => panic!("five a second is legal"),
};

static LEASED: LeasedBucket<2> =
    match LeasedBucket::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(500))).batch(4), Instant::ORIGIN) {
        Ok(bucket) => bucket,
        Err(_) => panic!("five hundred a second is legal"),
    };

fn lease_steal_own_and_change() {
    CLOCK.advance(STEP);
    let now = CLOCK.now();
    while LEASED.try_take(0, 1, now).is_ok() {}
    assert!(LEASED.peek(1, now).is_err() && LEASED.drain_to(0, now) == 0);
    let _ = black_box((LEASED.set_rate(Rate::per_second(400), now), LEASED.set_burst(400, now)));
    LEASED.reset(Fill::Full, WarmUp::NONE, now).unwrap();
    let mut lease = LEASED.own(1).unwrap();
    while lease.try_take(1, now).is_ok() {}
    assert!(LEASED.refund(1, now) && LEASED.available(now) == 1);
}

fn take_refund_and_change() {
    let now = CLOCK.now();
    black_box(BUCKET.try_take(1, now).is_ok() && BUCKET.refund(1, now));
    assert!(BUCKET.try_take(6, now).is_err());
    assert!(BUCKET.set_rate(Rate::per_second(5), now).is_ok());
    assert!(BUCKET.start_warm_up(WarmUp::exponential(Rate::per_second(1), STEP), now).is_ok());
}

static GUARD: Guard = match Guard::new(
    GuardConfig {
        ramp: WarmUp::linear(Rate::ZERO, STEP),
        ..GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1))
    },
    7,
    Instant::ORIGIN,
) {
    Ok(guard) => guard,
    Err(_) => panic!("the defaults are legal"),
};

/// Every verdict, every stage that can refuse here, and every operation on all parts.
fn guard_calls() {
    let pause = Outcome::Throttled(Some(STEP));
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Failure, pause, Outcome::Ignored, Outcome::Success] {
        CLOCK.advance(STEP + STEP);
        let now = CLOCK.now();
        let mut call = GUARD.begin(Request::DEFAULT, now);
        black_box(GUARD.peek(&call, now).err().and_then(|refused| refused.worth_waiting(STEP)));
        if let Ok(admission) = GUARD.try_attempt(&mut call, now) {
            if let Verdict::RetryAt(at) = GUARD.finish(&mut call, admission.permit, outcome, now).verdict {
                black_box(GUARD.try_attempt(&mut call, at).map(|admission| GUARD.cancel(admission.permit, at)).is_ok());
            }
            black_box(GUARD.finish(&mut call, admission.permit, outcome, now).transition.is_some());
            GUARD.abandon(&mut call, now);
        }
        black_box(GUARD.paused_until(now).is_some());
    }
    let now = CLOCK.now();
    assert!(GUARD.rebase(now, now).is_ok() && GUARD.reset(now).is_ok());
}

static SHARDED: Guard<64, 4> =
    match Guard::new(GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1)), 7, Instant::ORIGIN) {
        Ok(guard) => guard,
        Err(_) => panic!("the defaults are legal"),
    };

fn guard_of_four_shards() {
    for shard in 0..9 {
        CLOCK.advance(STEP);
        let now = CLOCK.now();
        let mut call = SHARDED.begin(Request { shard, ..Request::DEFAULT }, now);
        if let Ok(admission) = SHARDED.try_attempt(&mut call, now) {
            black_box(SHARDED.finish(&mut call, admission.permit, Outcome::Failure, now).transition);
        }
        black_box(SHARDED.breaker(shard).state(now));
    }
    let now = CLOCK.now();
    assert!(SHARDED.rebase(now, now).is_ok() && SHARDED.reset(now).is_ok());
}

/// Every mode of every stage, a shadow that would refuse among them.
fn guard_in_all_modes() {
    for mode in [Mode::Shadow, Mode::Canary(Ratio::HALF), Mode::Off, Mode::Enforce] {
        for stage in
            [Stage::Pause, Stage::CircuitBreaker, Stage::ConcurrencyLimit, Stage::TokenBucket, Stage::RetryBudget]
        {
            assert!(GUARD.set_mode(stage, mode).is_ok() && GUARD.mode(stage) == mode);
            guard_calls();
            let now = CLOCK.now();
            for key in 0..20 {
                let mut call = GUARD.begin(Request { key, ..Request::DEFAULT }, now);
                if let Ok(admission) = GUARD.try_attempt(&mut call, now) {
                    black_box(GUARD.finish(&mut call, admission.permit, Outcome::Failure, now).shadow_refusal);
                }
            }
        }
    }
    assert!(GUARD.set_mode(Stage::Deadline, Mode::Off).is_err());
}

fn book_take_what_there_is_and_move() {
    let now = CLOCK.now();
    assert!(BUCKET.reset(Fill::Full, WarmUp::NONE, now).is_ok());
    assert_eq!((BUCKET.take_up_to(2, now), BUCKET.drain_to(1, now), BUCKET.take_up_to(9, now)), (2, 2, 1));
    let booked = BUCKET.reserve(1, STEP, now).unwrap();
    assert!(BUCKET.reserve(6, Duration::MAX, now).is_err() && BUCKET.reserve(1, Duration::ZERO, now).is_err());
    assert!(BUCKET.cancel(booked, now));
    assert!(BUCKET.rebase(now, now).is_ok());
}

const FRAGILE: BreakerConfig = BreakerConfig { rule: TripRule::Consecutive(1), ..BreakerConfig::DEFAULT };
static BREAKER: CircuitBreaker = match CircuitBreaker::new(FRAGILE) {
    Ok(breaker) => breaker,
    Err(_) => panic!("one failure is legal"),
};

fn trip_refuse_probe_and_close() {
    black_box(BREAKER.reset(CLOCK.now()));
    let permit = BREAKER.try_attempt(CLOCK.now()).unwrap().permit;
    assert!(BREAKER.finish(permit, Outcome::Failure, CLOCK.now(), RANDOM.next_u64()).is_some());
    assert!(BREAKER.try_attempt(CLOCK.now()).is_err() && BREAKER.peek(CLOCK.now()).is_err());
    CLOCK.advance(FRAGILE.open_cap);
    let probes = [(); 3].map(|()| BREAKER.try_attempt(CLOCK.now()).unwrap().permit);
    assert!(BREAKER.try_attempt(CLOCK.now()).is_err(), "all probes are out");
    BREAKER.cancel(probes[0], CLOCK.now());
    assert!(BREAKER.finish(probes[1], Outcome::Success, CLOCK.now(), 1).is_none());
    assert!(BREAKER.finish(probes[2], Outcome::Success, CLOCK.now(), 1).is_some(), "two of three suffice");
    assert_eq!(BREAKER.state(CLOCK.now()), State::Closed);
    // In the ramp some pass and some are refused.
    for _ in 0..20 {
        CLOCK.advance(FRAGILE.ramp / 30);
        black_box(BREAKER.try_attempt(CLOCK.now()).is_ok());
    }
}

fn force_trip_and_configure() {
    let now = CLOCK.now();
    black_box((BREAKER.force_open(now), BREAKER.force_close(now), BREAKER.reset(now), BREAKER.trip(now, 1)));
    black_box((BREAKER.on_failure(now, 1), BREAKER.on_success(now), BREAKER.should_block(now)));
    BREAKER.rebase(now, now);
    assert!(BREAKER.set_config(BreakerConfig { probes: 0, ..FRAGILE }).is_err());
    assert!(BREAKER.set_config(FRAGILE).is_ok());
}

static LIMIT: ConcurrencyLimit<8> = match ConcurrencyLimit::new(LimitConfig { ceiling: 8, ..LimitConfig::DEFAULT }) {
    Ok(limit) => limit,
    Err(_) => panic!("eight of eight slots are legal"),
};

fn fill_refuse_grow_and_cut() {
    LIMIT.reset();
    black_box(LIMIT.set_limit(2));
    let started = CLOCK.now();
    let permits = [LIMIT.try_attempt(started).unwrap(), LIMIT.try_attempt(started).unwrap()];
    assert!(LIMIT.try_attempt(started).is_err() && LIMIT.peek(started).is_err());
    assert!(LIMIT.finish(permits[0], Outcome::Success, started).is_none());
    LIMIT.cancel(permits[0], started);
    CLOCK.advance(LimitConfig::DEFAULT.timeout);
    assert!(LIMIT.finish(permits[1], Outcome::Failure, CLOCK.now()).is_some());
    LIMIT.rebase(CLOCK.now(), CLOCK.now());
    assert!(LIMIT.set_config(LimitConfig { floor: 0, ..LimitConfig::DEFAULT }).is_err());
    black_box((LIMIT.limit(), LIMIT.in_flight(CLOCK.now())));
}

const KEYED: KeyedConfig = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen).burst(2);
static KEYS: KeyedBuckets<1> = match KeyedBuckets::new(KEYED, 7, Instant::ORIGIN) {
    Ok(keys) => keys,
    Err(_) => panic!("two a minute are legal"),
};

fn limit_let_through_and_remove_keys() {
    let now = CLOCK.now();
    assert!(KEYS.reset(now).is_ok());
    let alice = KEYS.key_of(b"alice");
    assert!(KEYS.try_take(alice, 2, now).is_ok() && KEYS.try_take(alice, 1, now).is_err());
    assert!(KEYS.peek(alice, 1, now).is_err() && KEYS.refund(alice, 1, now));
    (0..9).for_each(|key| assert!(KEYS.try_take(key, 1, now).is_ok()));
    assert!(KEYS.let_through() >= 3 && KEYS.occupied(now) == 7);
    assert!(KEYS.set_when_full(WhenFull::FailClosed, now).is_ok() && KEYS.set_burst(KEYED.burst, now).is_ok());
    assert!(KEYS.try_take(100, 1, now).is_err() && KEYS.set_rate(Rate::per_minute(9), now).is_ok());
    CLOCK.advance(Duration::from_secs(60));
    assert!(KEYS.try_take(100, 1, CLOCK.now()).is_ok(), "another was full again");
    assert!(KEYS.rebase(CLOCK.now(), CLOCK.now()).is_ok() && KEYS.set_config(KEYED, CLOCK.now()).is_ok());
    black_box(KEYS.available(alice, CLOCK.now()));
}

/// What has a size of run time is made in place; what its storage takes is not counted.
fn make_anew_in_place() {
    let now = CLOCK.now();
    let mut limit = ConcurrencyLimit::<8>::new(LimitConfig { ceiling: 8, ..LimitConfig::DEFAULT }).unwrap();
    let mut keys = KeyedBuckets::<1>::new(KEYED, 7, now).unwrap();
    let mut leased = LeasedBucket::<2>::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(500))), now).unwrap();
    let (limit, keys, leased): (&mut ConcurrencyLimitView, &mut KeyedBucketsView, &mut LeasedBucketView) =
        black_box((&mut *limit, &mut *keys, &mut *leased));
    assert!(limit.renew(LimitConfig { ceiling: 4, ..LimitConfig::DEFAULT }).is_ok());
    assert!(
        keys.renew(KEYED, 8, now).is_ok()
            && leased.renew(LeasedConfig::new(BucketConfig::new(Rate::per_second(9))), now).is_ok()
    );
    let lease = leased.own(1).unwrap().into_words();
    assert!(leased.lease_from_words(lease).is_some() && keys.try_take(7, 1, now).is_ok());
    let permit = limit.try_attempt(now).unwrap();
    assert!(limit.report(&permit, Outcome::Success, now).is_some());
    black_box((ConcurrencyLimitView::size_for(8), KeyedBucketsView::size_for(8), LeasedBucketView::size_for(8)));
}

static BY_KEY: Guard<64, 1, KeyedBuckets<1>> = match (
    Guard::<64>::new(GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1)), 7, Instant::ORIGIN),
    KeyedBuckets::new(KEYED, 7, Instant::ORIGIN),
) {
    (Ok(guard), Ok(keys)) => guard.with_keyed(keys),
    _ => panic!("the defaults are legal"),
};

/// Admitted, refused, given back, let through, in every mode, and made by hand.
fn guard_by_key() {
    for mode in [Mode::Shadow, Mode::Canary(Ratio::HALF), Mode::Off, Mode::Enforce] {
        assert!(BY_KEY.set_mode(Stage::KeyedBucket, mode).is_ok());
        for key in (0..9).flat_map(|key| [key; 4]) {
            CLOCK.advance(STEP);
            let now = CLOCK.now();
            let mut call = BY_KEY.begin(Request { key, ..Request::DEFAULT }, now);
            if let Ok(admission) = BY_KEY.try_attempt(&mut call, now) {
                black_box(BY_KEY.cancel(admission.permit, now));
            }
            if let Ok(admission) = BY_KEY.try_attempt(&mut call, now) {
                black_box(BY_KEY.finish(&mut call, admission.permit, Outcome::Success, now).shadow_refusal);
            }
        }
    }
    let now = CLOCK.now();
    assert!(BY_KEY.rebase(now, now).is_ok() && BY_KEY.reset(now).is_ok());
    let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    let made = Guard::<64>::new(config, 7, now).ok().zip(KeyedBuckets::<1>::new(KEYED, 7, now).ok());
    assert!(made.is_some_and(|(guard, keys)| guard.with_keyed(keys).keyed().let_through() == 0));
}

/// A guard of run-time sizes, with calls and permits as words, and its text in memory of the caller's.
fn guard_by_view() {
    let guard = BY_KEY.view();
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Throttled(Some(STEP)), Outcome::Ignored] {
        CLOCK.advance(STEP + STEP);
        let now = CLOCK.now();
        let call = guard.begin(Request::DEFAULT, now).to_words();
        let Some(mut call) = Call::from_words(call) else { continue };
        black_box(guard.peek(&call, now).is_ok());
        if let Ok(admission) = guard.try_attempt(&mut call, now) {
            let permit = Permit::from_words(admission.permit.to_words()).unwrap();
            black_box(guard.finish(&mut call, permit, outcome, now).transition.is_some());
            black_box(guard.cancel(permit, now));
        }
        guard.abandon(&mut call, now);
        black_box((guard.paused_until(now), guard.mode(Stage::KeyedBucket), guard.breaker(3).state(now)));
    }
    let now = CLOCK.now();
    let snapshot = guard.snapshot(core::iter::empty::<&Recorder<2, 32>>(), now);
    black_box(snapshot.explain_into(&mut [0; 300]).len());
    assert!(guard.rebase(now, now).is_ok() && guard.reset(now, |told| _ = black_box(told)).is_ok());
    let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    black_box((GuardState::new(config, 7, now).is_ok(), config.token_bucket(7, now).is_ok()));
}

static WINDOW: SlidingWindow = match SlidingWindow::new(WindowConfig::DEFAULT) {
    Ok(window) => window,
    Err(_) => panic!("the default is legal"),
};

fn record_and_read() {
    // Into a slice of its own, into a reused one, and too late for its own.
    for now in [CLOCK.now(), CLOCK.now().saturating_add(WINDOW.window()), CLOCK.now()] {
        WINDOW.record(STEP, true, now);
        WINDOW.record(STEP, false, now);
    }
    let mut snapshot = WINDOW.snapshot(CLOCK.now());
    snapshot.merge(&WINDOW.snapshot(CLOCK.now()));
    black_box((snapshot.summary(), snapshot.mean(), snapshot.quantile(Ratio::HALF)));
    black_box((WINDOW.summary(CLOCK.now()).throughput(), WINDOW.error_rate(CLOCK.now())));
    black_box((WINDOW.total_count(), WINDOW.total_errors(), WINDOW.total_late()));
    WINDOW.mark(CLOCK.now());
    WINDOW.rebase(CLOCK.now(), CLOCK.now());
}

static SHARDED_WINDOW: ShardedWindow<2, 8, 64> = match ShardedWindow::new(WindowConfig::DEFAULT) {
    Ok(window) => window,
    Err(_) => panic!("the default is legal"),
};
static OWNED_WINDOW: ShardedWindow<2, 8, 64, OneWriter> = match ShardedWindow::for_owners(WindowConfig::DEFAULT) {
    Ok(window) => window,
    Err(_) => panic!("the default is legal"),
};

fn record_and_read_shards() {
    let Some(mut mine) = OWNED_WINDOW.own(1) else { return };
    for now in [CLOCK.now(), CLOCK.now().saturating_add(SHARDED_WINDOW.window()), CLOCK.now()] {
        for ok in [true, false] {
            SHARDED_WINDOW.record(1, STEP, ok, now);
            mine.record(STEP, ok, now);
        }
    }
    let now = CLOCK.now();
    black_box((
        SHARDED_WINDOW.snapshot(now),
        SHARDED_WINDOW.summary(now),
        SHARDED_WINDOW.quantile(Ratio::HALF, now),
        SHARDED_WINDOW.error_rate(now),
    ));
    black_box((
        OWNED_WINDOW.snapshot(now),
        OWNED_WINDOW.summary(now),
        OWNED_WINDOW.quantile(Ratio::HALF, now),
        OWNED_WINDOW.error_rate(now),
    ));
    black_box((OWNED_WINDOW.total_count(), OWNED_WINDOW.total_errors(), OWNED_WINDOW.total_late()));
    SHARDED_WINDOW.mark(now);
    OWNED_WINDOW.rebase(now, now);
}

static OWNED_RECORDER: Recorder<8, 64, OneWriter> = match Recorder::for_owner(WindowConfig::DEFAULT) {
    Ok(recorder) => recorder,
    Err(_) => panic!("the default is legal"),
};

fn record_calls_as_an_owner() {
    let Some(mut mine) = OWNED_RECORDER.own() else { return };
    CLOCK.advance(STEP + STEP);
    let now = CLOCK.now();
    let (mut call, mut record) = (GUARD.begin(Request::DEFAULT, now), mine.begun(now));
    let answer = GUARD.try_attempt(&mut call, now);
    mine.attempted(&mut record, &answer, now);
    if let Ok(admission) = answer {
        let finished = GUARD.finish(&mut call, admission.permit, Outcome::Success, now);
        mine.finished(&mut record, Outcome::Success, &finished, now);
        mine.attempted(&mut record, &answer, now);
        mine.cancelled(&mut record, now);
    }
    mine.attempted(&mut record, &Err(Refused::never(Stage::Deadline)), now);
    mine.abandoned(record, now);
    black_box((GUARD.snapshot([&OWNED_RECORDER], now), OWNED_RECORDER.totals(), OWNED_RECORDER.recent(now)));
}

static RECORDERS: [Recorder<8, 64>; 2] = [const {
    match Recorder::new(WindowConfig::DEFAULT) {
        Ok(recorder) => recorder,
        Err(_) => panic!("the default is legal"),
    }
}; 2];

fn record_calls_and_explain_them() {
    let [one, other] = &RECORDERS;
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Throttled(None), Outcome::Ignored] {
        CLOCK.advance(STEP + STEP);
        let now = CLOCK.now();
        let (mut call, mut record) = (GUARD.begin(Request::DEFAULT, now), one.begun(now));
        let answer = GUARD.try_attempt(&mut call, now);
        one.attempted(&mut record, &answer, now);
        if let Ok(admission) = answer {
            let finished = GUARD.finish(&mut call, admission.permit, outcome, now);
            other.finished(&mut record, outcome, &finished, now);
            other.attempted(&mut record, &answer, now);
            other.cancelled(&mut record, now);
        }
        one.attempted(&mut record, &Err(Refused::never(Stage::Deadline)), now);
        one.abandoned(record, now);
        let snapshot = GUARD.snapshot(&RECORDERS, now);
        black_box(snapshot.explain::<{ Snapshot::LONGEST_EXPLANATION }>());
        black_box((snapshot.explain_refusal::<256>(Refused::never(Stage::Pause)), snapshot.delivered_share()));
        black_box((one.totals(), other.recent(now)));
    }
    if let Some(transition) = GUARD.breaker(0).force_open(CLOCK.now()) {
        one.changed(transition, CLOCK.now());
    }
    one.rebase(CLOCK.now(), CLOCK.now());
    assert!(GUARD.reset(CLOCK.now()).is_ok());
}

static CONTROLLER: AimdController = match AimdController::new(AimdConfig::DEFAULT) {
    Ok(controller) => controller,
    Err(_) => panic!("the default is legal"),
};

fn judge_cut_and_grow() {
    CONTROLLER.reset(CLOCK.now());
    let now = || {
        CLOCK.advance(AimdConfig::DEFAULT.interval);
        CLOCK.now()
    };
    assert!(CONTROLLER.observe(&WINDOW.summary(CLOCK.now()), now()).is_none());
    for _ in 0..20 {
        WINDOW.record(STEP, false, CLOCK.now());
    }
    assert!(CONTROLLER.observe(&WINDOW.summary(CLOCK.now()), now()).is_some(), "all calls failed");
    assert!(CONTROLLER.update(Some(Ratio::ZERO), Some(STEP / 10), now()).is_some());
    assert!(CONTROLLER.update(Some(Ratio::ZERO), None, CLOCK.now()).is_none(), "it is not time");
    black_box((CONTROLLER.set_rate(Rate::per_minute(1)), CONTROLLER.current_rate(), CONTROLLER.due_at()));
    black_box((CONTROLLER.error_baseline(), CONTROLLER.latency_baseline()));
    CONTROLLER.rebase(CLOCK.now(), CLOCK.now());
}

/// Every hot path of the core, one line each.
fn paths() -> Vec<(&'static str, fn())> {
    vec![
        ("Clock::now, ManualClock::advance", || CLOCK.advance(CLOCK.now().saturating_duration_since(Instant::MAX))),
        ("Random, SharedRandom", || assert_ne!(Random::from_seed(2).next_u64(), RANDOM.next_u64())),
        ("Rate, Ratio", || assert_eq!(Rate::per_second(10).count_in(STEP), Ratio::HALF.share_of(14))),
        ("ErrorClass, retry_after_seconds", || assert!(retry_after_seconds(b"12").is_some())),
        ("RetryStrategy::decide", decide_with_every_jitter),
        ("RetryBudget", earn_and_spend),
        ("RetryExecutor::execute", execute_with_budget),
        ("RetryExecutor::execute_async", execute_asynchronously),
        ("TokenBucket", take_refund_and_change),
        ("LeasedBucket, shared and owned", lease_steal_own_and_change),
        ("Guard", guard_calls),
        ("Guard of four shards", guard_of_four_shards),
        ("Guard, in all modes", guard_in_all_modes),
        ("Guard, with buckets by key", guard_by_key),
        ("GuardView", guard_by_view),
        ("TokenBucket, bookings, drains and clocks", book_take_what_there_is_and_move),
        ("CircuitBreaker, its trips, refusals, probes and ramp", trip_refuse_probe_and_close),
        ("CircuitBreaker, forced, tripped and configured", force_trip_and_configure),
        ("ConcurrencyLimit", fill_refuse_grow_and_cut),
        ("KeyedBuckets", limit_let_through_and_remove_keys),
        ("ConcurrencyLimitView, KeyedBucketsView, LeasedBucketView, made in place", make_anew_in_place),
        ("SlidingWindow, WindowSnapshot", record_and_read),
        ("ShardedWindow, OwnedWindow", record_and_read_shards),
        ("Recorder, Snapshot, explain", record_calls_and_explain_them),
        ("OwnedRecorder", record_calls_as_an_owner),
        ("AimdController", judge_cut_and_grow),
        #[cfg(feature = "std")]
        ("MonotonicClock", || assert!(seawall::MonotonicClock::new().now() < Instant::MAX)),
    ]
}

#[test]
fn no_path_of_the_core_allocates() {
    for (name, path) in paths() {
        // Twice: neither the first call nor a later one.
        for round in 1..=2 {
            assert_eq!(count(path), 0, "{name} calls the allocator in round {round}");
        }
    }
}

#[test]
fn the_audit_notices_one_allocation() {
    assert_eq!(count(|| drop(black_box(Box::new(7)))), 2);
    let mut list = vec![1];
    assert_eq!(count(|| list.reserve(100)), 1);
}

#[test]
fn the_audit_does_not_count_other_threads() {
    let (started, go) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            started.wait();
            drop(black_box(vec![1]));
            go.wait();
        });
        assert_eq!(
            count(|| {
                started.wait();
                go.wait();
            }),
            0
        );
    });
}
