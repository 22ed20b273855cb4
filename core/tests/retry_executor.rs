//! What the retry executors promise.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall::{
    Classification, Clock, ErrorClass, GiveUpReason, Instant, ManualClock, Random, RetryBudget, RetryBudgetConfig,
    RetryConfig, RetryCost, RetryError, RetryStrategy, RetryTokens,
};

const SECOND: Duration = Duration::from_secs(1);

fn clock() -> ManualClock {
    ManualClock::starting_at(Instant::ORIGIN)
}

fn budget(tokens: u32) -> RetryBudget {
    let amount = RetryTokens::whole(tokens);
    let config = RetryBudgetConfig { initial: amount, floor: amount, ..RetryBudgetConfig::DEFAULT };
    RetryBudget::new(config, Instant::ORIGIN).unwrap()
}

fn retryable(_: &&str) -> ErrorClass {
    ErrorClass::Retryable
}

/// Polls once; the sleeps of these tests are ready at once or never.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn it_sends_as_often_as_allowed_and_never_waits_after_the_last() {
    let (clock, waits, sent) = (clock(), RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let sleep = |delay| {
        waits.borrow_mut().push(delay);
        clock.advance(delay);
    };
    let mut retry = RetryStrategy::GUIDE.executor(&clock, Random::from_seed(1), sleep);
    let result = retry.execute(
        |attempt| {
            sent.borrow_mut().push(attempt);
            Err::<(), _>("down")
        },
        retryable,
    );
    assert_eq!(result, Err(RetryError { attempts: 8, reason: GiveUpReason::AttemptsExhausted, error: "down" }));
    assert_eq!(*sent.borrow(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(waits.borrow().len(), 7);
}

#[test]
fn it_reports_the_attempts_really_made() {
    let clock = clock();
    let mut retry = RetryStrategy::GUIDE.executor(&clock, Random::from_seed(1), |delay| clock.advance(delay));
    let stopped = retry.execute(|_| Err::<(), _>("no such user"), |_| ErrorClass::Permanent).unwrap_err();
    assert_eq!((stopped.attempts, stopped.reason), (1, GiveUpReason::Permanent));
    let third =
        retry.execute(Err::<(), _>, |attempt| if *attempt < 3 { ErrorClass::Retryable } else { ErrorClass::Permanent });
    let third = third.unwrap_err();
    assert_eq!((third.attempts, third.reason, third.error), (3, GiveUpReason::Permanent, 3));
}

#[test]
fn a_pause_that_the_server_asked_for_is_kept_and_too_long_a_one_ends_the_call() {
    let (clock, waits) = (clock(), RefCell::new(Vec::new()));
    let mut retry = RetryStrategy::GUIDE.executor(&clock, Random::from_seed(1), |delay| {
        waits.borrow_mut().push(delay);
        clock.advance(delay);
    });
    let result = retry.execute(
        |attempt| Err::<(), _>(Duration::from_secs(if attempt < 3 { 60 } else { 301 })),
        |wait| (ErrorClass::Throttled, Some(*wait)),
    );
    let error = result.unwrap_err();
    assert_eq!((error.attempts, error.reason), (3, GiveUpReason::RetryAfterTooLong));
    assert_eq!(waits.borrow().len(), 2);
    // Not five attempts in five seconds.
    assert!(waits.borrow().iter().all(|wait| *wait >= Duration::from_secs(60)));
}

#[test]
fn a_decorrelated_delay_grows_from_the_one_before() {
    let config = RetryConfig { max_attempts: 200, jitter: seawall::Jitter::Decorrelated, ..RetryConfig::GUIDE };
    let waits = RefCell::new(vec![config.base_delay]);
    let clock = clock();
    let mut retry = RetryStrategy::new(config)
        .unwrap()
        .executor(&clock, Random::from_seed(1), |delay| waits.borrow_mut().push(delay));
    assert!(retry.execute(|_| Err::<(), _>("down"), retryable).is_err());
    let waits = waits.borrow();
    assert!(waits.windows(2).all(|pair| pair[1] <= 3 * pair[0]));
    assert!(waits.iter().any(|wait| *wait > 100 * config.base_delay));
}

#[test]
fn a_dead_backend_costs_no_more_than_the_budget_end_to_end() {
    let (clock, budget, mut sent) = (clock(), budget(10), 0);
    let mut retry = RetryStrategy::DEFAULT
        .executor(&clock, Random::from_seed(1), |delay| clock.advance(delay))
        .with_budget(&budget);
    let mut refused = 0;
    for _ in 0..1_000 {
        let error = retry
            .execute(
                |_| {
                    sent += 1;
                    Err::<(), _>("down")
                },
                retryable,
            )
            .unwrap_err();
        refused += u32::from(error.reason == GiveUpReason::BudgetSpent);
    }
    assert_eq!(sent, 1_010);
    assert!(refused >= 990);
}

#[test]
fn retries_are_at_most_the_share_of_the_successes_at_every_rate_of_errors() {
    const CALLS: u32 = 10_000;
    for percent in (0..=100).step_by(10) {
        let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, Instant::ORIGIN).unwrap();
        let (clock, mut errors) = (clock(), Random::from_seed(5));
        let mut retry = RetryStrategy::DEFAULT.executor(&clock, Random::from_seed(6), |_| {}).with_budget(&budget);
        let (mut sent, mut good_at_once) = (0, 0);
        for _ in 0..CALLS {
            clock.advance(SECOND / 20);
            let _ = retry.execute(
                |attempt| {
                    sent += 1;
                    let bad = errors.next_u64() % 100 < percent;
                    good_at_once += u32::from(!bad && attempt == 1);
                    if bad { Err("down") } else { Ok(()) }
                },
                retryable,
            );
        }
        let retries = sent - CALLS;
        assert!(retries <= 1 + good_at_once / 10, "{percent} % errors: {retries} retries");
        // Nor is the budget so tight that stray errors go unrepaired: 10 % of errors are all paid for.
        let wanted = CALLS / 100 * u32::try_from(percent).unwrap();
        assert!(percent > 10 || retries * 100 >= wanted * 75, "{percent} % errors: only {retries} retries");
    }
}

#[test]
fn a_fleet_of_small_clients_begins_its_storm_with_one_retry_each() {
    let rate = seawall::Rate::per_minute(18);
    let mut sent = 0;
    for client in 0..500 {
        let clock = clock();
        let budget = RetryBudget::new(RetryBudgetConfig::from_rate(rate, SECOND), clock.now()).unwrap();
        let mut retry = RetryStrategy::DEFAULT
            .executor(&clock, Random::from_seed(client), |delay| clock.advance(delay))
            .with_budget(&budget);
        // An hour of health, then ten calls into the outage.
        for _ in 0..1_080 {
            clock.advance(SECOND * 10 / 3);
            assert_eq!(retry.execute(|_| Ok::<_, &str>(()), retryable), Ok(()));
        }
        for _ in 0..10 {
            clock.advance(SECOND * 10 / 3);
            let count = |_| {
                sent += 1;
                Err::<(), _>("down")
            };
            assert!(retry.execute(count, retryable).is_err());
        }
    }
    assert_eq!(sent, 500 * (10 + 1));
}

#[test]
fn only_a_first_try_that_succeeds_pays_in() {
    let (clock, budget) = (clock(), budget(5));
    let mut retry = RetryStrategy::DEFAULT
        .executor(&clock, Random::from_seed(1), |delay| clock.advance(delay))
        .with_budget(&budget);
    let first = retry.execute(|_| Ok::<_, &str>(()), retryable);
    assert_eq!(first, Ok(()));
    assert_eq!(budget.balance(clock.now()), RetryTokens::from_millionths(5_100_000));
    let second = retry.execute(|attempt| if attempt < 2 { Err("once") } else { Ok(()) }, |_| Classification::TIMEOUT);
    assert_eq!(second, Ok(()));
    assert_eq!(budget.balance(clock.now()), RetryTokens::from_millionths(3_100_000));
}

#[test]
fn the_budget_is_asked_before_the_wait() {
    let (clock, budget) = (clock(), budget(0));
    let mut retry = RetryStrategy::DEFAULT
        .executor(&clock, Random::from_seed(1), |_| panic!("waited without having paid"))
        .with_budget(&budget);
    let error = retry.execute(|_| Err::<(), _>("down"), retryable).unwrap_err();
    assert_eq!((error.attempts, error.reason), (1, GiveUpReason::BudgetSpent));
}

#[test]
fn a_call_past_its_deadline_is_never_sent_and_its_token_goes_back() {
    let config = RetryConfig { total_deadline: Some(SECOND), ..RetryConfig::DEFAULT };
    let (clock, budget) = (clock(), budget(3));
    // A sleep that oversleeps.
    let mut retry = RetryStrategy::new(config)
        .unwrap()
        .executor(&clock, Random::from_seed(1), |_| clock.advance(SECOND))
        .with_budget(&budget);
    let error = retry.execute(|_| Err::<(), _>("down"), retryable).unwrap_err();
    assert_eq!((error.attempts, error.reason), (1, GiveUpReason::DeadlineExceeded));
    assert_eq!(budget.balance(clock.now()), RetryTokens::whole(3));
}

#[test]
fn a_future_that_is_dropped_while_it_waits_gives_its_token_back() {
    let (clock, budget) = (clock(), budget(3));
    let mut retry = RetryStrategy::DEFAULT
        .executor(&clock, Random::from_seed(1), |_| {
            assert_eq!(budget.balance(clock.now()), RetryTokens::whole(1), "the retry that waits is paid for");
            std::future::pending::<()>()
        })
        .with_budget(&budget);
    let waiting = poll(retry.execute_async(async |_| Err::<(), _>("late"), |_| Classification::TIMEOUT));
    assert_eq!(waiting, Poll::Pending);
    assert_eq!(budget.balance(clock.now()), RetryTokens::whole(3));
}

#[test]
fn the_futures_do_as_the_blocking_calls_do() {
    for failures in 0..10 {
        let run = |asynchronous: bool| {
            let (clock, budget) = (clock(), budget(5));
            let wait = |delay| clock.advance(delay);
            let outcome = |attempt| if attempt <= failures { Err("down") } else { Ok(attempt) };
            let result = if asynchronous {
                let sleep = |delay| {
                    wait(delay);
                    std::future::ready(())
                };
                let mut retry = RetryStrategy::GUIDE.executor(&clock, Random::from_seed(9), sleep).with_budget(&budget);
                let polled = poll(retry.execute_async(async |attempt| outcome(attempt), retryable));
                let Poll::Ready(result) = polled else { panic!("nothing is pending here") };
                result
            } else {
                let mut retry = RetryStrategy::GUIDE.executor(&clock, Random::from_seed(9), wait).with_budget(&budget);
                retry.execute(outcome, retryable)
            };
            (result, clock.now(), budget.balance(clock.now()))
        };
        assert_eq!(run(true), run(false), "{failures} failures");
    }
}

#[test]
fn the_future_may_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
    async fn fetch(attempt: u32) -> Result<u32, String> {
        std::future::ready(()).await;
        Ok(attempt)
    }
    let future = is_send(async {
        let mut retry = RetryStrategy::DEFAULT.executor(&CLOCK, Random::from_seed(1), |_| std::future::ready(()));
        retry.execute_async(fetch, |_: &String| ErrorClass::Retryable).await
    });
    assert_eq!(poll(future), Poll::Ready(Ok(1)));

    // So it may with closures that borrow their surroundings.
    let future = is_send(async {
        let (name, sent) = (String::from("url"), std::sync::atomic::AtomicU32::new(0));
        let mut retry = RetryStrategy::DEFAULT.executor(&CLOCK, Random::from_seed(1), |_| std::future::ready(()));
        let operation = async |attempt| {
            let sent = sent.fetch_add(attempt, std::sync::atomic::Ordering::Relaxed) + attempt;
            std::future::ready(()).await;
            if attempt < 3 { Err(name.len()) } else { Ok(sent) }
        };
        retry.execute_async(operation, |_: &usize| ErrorClass::Retryable).await
    });
    assert_eq!(poll(future), Poll::Ready(Ok(6)));
}

#[test]
fn the_error_says_how_often_and_why() {
    let error = RetryError { attempts: 3, reason: GiveUpReason::BudgetSpent, error: std::fmt::Error };
    assert!(error.to_string().starts_with("given up after 3 attempt(s), the retry budget is spent: "));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
#[cfg(feature = "std")]
fn the_blocking_executor_waits_on_the_real_clock() {
    let config = RetryConfig { jitter: seawall::Jitter::None, base_delay: SECOND / 50, ..RetryConfig::DEFAULT };
    let began = std::time::Instant::now();
    let mut retry = RetryStrategy::new(config).unwrap().blocking_executor(seawall::MonotonicClock::new());
    let error = retry.execute(|_| Err::<(), _>("down"), retryable).unwrap_err();
    assert_eq!(error.attempts, 3);
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[test]
fn a_cost_is_refunded_as_it_was_taken() {
    let budget = budget(6);
    for cost in [RetryCost::Error, RetryCost::Timeout, RetryCost::Hedge] {
        budget.try_withdraw(cost, Instant::ORIGIN).unwrap();
        budget.refund(cost, Instant::ORIGIN);
        assert_eq!(budget.balance(Instant::ORIGIN), RetryTokens::whole(6));
    }
}
