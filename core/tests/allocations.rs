//! No path of the core allocates: each is run under an allocator that counts, thread by thread.
//!
//! To add a mechanism, add a line to [`paths`]: a name and what to run. What it needs is built before the counting
//! starts; what it does is run twice and must not touch the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use seawall::{
    AttemptFailure, BucketConfig, Clock, ErrorClass, Guard, GuardConfig, Instant, Jitter, ManualClock, Outcome, Random,
    Rate, Ratio, Request, RetryBudget, RetryBudgetConfig, RetryConfig, RetryCost, RetryStrategy, RetryTokens,
    SharedRandom, TokenBucket, Verdict, WarmUp, retry_after_seconds,
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
        ("Guard", guard_calls),
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
