//! The whole life of a call, and what is left of it wherever it ends.

use core::cell::RefCell;
use core::future::{pending, ready};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use seawall::{
    BreakerConfig, Classification, Clock, ErrorClass, GiveUpReason, Guard, GuardConfig, GuardError, GuardQueue,
    Instant, ManualClock, MonotonicClock, Outcome, Rate, Request, RetryBudgetConfig, RetryConfig, RetryError,
    RetryTokens, Stage, State, TripRule,
};

use crate::{SECOND, Woken, at, config, guard, never, poll, poll_as, state, take, waiting};

/// Retries at once that a budget pays for, on the real clock.
fn quick() -> GuardConfig {
    let base = config(2, 100);
    let retry = RetryConfig { base_delay: Duration::from_millis(1), ..base.retry };
    let tokens = RetryTokens::whole(8);
    let budget = RetryBudgetConfig { cap: tokens, initial: tokens, floor: tokens, ..base.budget };
    GuardConfig { retry, budget, retry_streak: None, ..base }
}

/// A breaker that a single failure opens: closed, it has heard of none.
fn touchy() -> GuardConfig {
    let base = quick();
    let breaker = BreakerConfig { rule: TripRule::Consecutive(1), ..base.breaker };
    GuardConfig { breaker, ..base }
}

#[test]
fn a_call_is_sent_until_it_succeeds_and_the_guard_hears_of_each_attempt() {
    let clock = MonotonicClock::new();
    let guard = Guard::<8>::new(quick(), 7, clock.now()).expect("legal");
    let queue = GuardQueue::new(&guard, clock);
    let mut numbers = Vec::new();
    let answer = queue.execute(
        Request::DEFAULT,
        SECOND,
        |attempt| {
            numbers.push((attempt, guard.limit().in_flight(clock.now())));
            if attempt < 3 { Err("no answer") } else { Ok(42) }
        },
        |_| ErrorClass::Retryable,
    );
    assert_eq!((answer, numbers), (Ok(42), vec![(1, 1), (2, 1), (3, 1)]));
    assert_eq!(guard.limit().in_flight(clock.now()), 0);
    // Given up: the last error, and why.
    let answer = queue.execute(Request::DEFAULT, SECOND, Err::<(), _>, |attempt| match attempt {
        1 => ErrorClass::Retryable,
        _ => ErrorClass::Permanent,
    });
    let error = RetryError { attempts: 2, reason: GiveUpReason::Permanent, error: 2 };
    assert_eq!(answer, Err(GuardError::GaveUp(error)));
    assert_eq!(guard.limit().in_flight(clock.now()), 0);
}

#[test]
fn a_call_that_is_refused_says_by_what_and_with_which_error() {
    let clock = ManualClock::starting_at(at(0));
    let guard = guard(GuardConfig { retry_streak: None, ..config(1, 2) });
    let queue = GuardQueue::new(&guard, &clock);
    let retryable = |_: &&str| ErrorClass::Retryable;
    let advance = |delay| {
        clock.advance(delay);
        ready(())
    };
    // Never sent.
    guard.breaker(0).force_open(at(0));
    let answer = queue.execute(Request::DEFAULT, SECOND, |_| -> Result<(), _> { panic!("sent") }, retryable);
    let Err(GuardError::Refused { refused, attempts: 0, error: None }) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.stage(), Stage::CircuitBreaker);
    guard.breaker(0).force_close(at(0));
    guard.breaker(0).reset(at(0));
    // Refused at its retry, which goes back to the budget.
    let balance = guard.budget().balance(at(0));
    let send = |_| {
        guard.bucket().drain_to(0, clock.now());
        guard.bucket().set_rate(Rate::ZERO, clock.now()).expect("one setter");
        ready(Err::<(), _>("down"))
    };
    let Poll::Ready(answer) = poll(pin!(queue.execute_async(Request::DEFAULT, SECOND, send, retryable, advance)))
    else {
        panic!("it waits")
    };
    let Err(GuardError::Refused { refused, attempts: 1, error: Some("down") }) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.stage(), Stage::TokenBucket);
    assert!(guard.budget().balance(clock.now()) >= balance);
    // The backoff ran past the deadline.
    guard.bucket().set_rate(Rate::per_second(100), clock.now()).expect("one setter");
    clock.advance(SECOND);
    let request = Request { deadline: Some(clock.now().saturating_add(5 * SECOND)), ..Request::DEFAULT };
    let oversleep = |delay| advance(delay + 10 * SECOND);
    let call = queue.execute_async(request, SECOND, |_| ready(Err::<(), _>("slow")), retryable, oversleep);
    let error = RetryError { attempts: 1, reason: GiveUpReason::DeadlineExceeded, error: "slow" };
    assert_eq!(poll(pin!(call)), Poll::Ready(Err(GuardError::GaveUp(error))));
    assert_eq!(guard.limit().in_flight(clock.now()), 0);
}

#[test]
fn the_future_sends_as_the_blocking_call_does() {
    let clock = ManualClock::starting_at(at(0));
    let guard = guard(quick());
    let queue = GuardQueue::new(&guard, &clock);
    let slept = RefCell::new(Vec::new());
    let sleep = |delay| {
        slept.borrow_mut().push(delay);
        clock.advance(delay);
        ready(())
    };
    let call = queue.execute_async(
        Request::DEFAULT,
        SECOND,
        async |attempt| if attempt < 3 { Err("no answer") } else { Ok(attempt) },
        |_| ErrorClass::Retryable,
        sleep,
    );
    assert_eq!(poll(pin!(call)), Poll::Ready(Ok(3)));
    assert_eq!(*slept.borrow(), [1, 2].map(Duration::from_millis));
}

#[test]
fn what_the_server_asks_for_pauses_every_call() {
    let clock = ManualClock::starting_at(at(0));
    let guard = guard(quick());
    let queue = GuardQueue::new(&guard, &clock);
    let sleep = |delay| {
        clock.advance(delay);
        ready(())
    };
    let pause = Duration::from_secs(3);
    let send = async |attempt| {
        if attempt == 1 {
            return Err(pause);
        }
        assert!(clock.now() >= Instant::ORIGIN.saturating_add(pause));
        Ok(attempt)
    };
    let mut call = pin!(queue.execute_async(
        Request::DEFAULT,
        SECOND,
        send,
        |wait| Classification::throttled(Some(*wait)),
        |delay| {
            assert!(guard.paused_until(clock.now()).is_some());
            sleep(delay)
        }
    ));
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(2)));
}

#[test]
fn a_future_that_is_dropped_owes_the_guard_nothing_wherever_it_is() {
    let clock = ManualClock::starting_at(at(0));
    let guard = guard(quick());
    let queue = GuardQueue::new(&guard, &clock);
    let retryable = |_: &&str| ErrorClass::Retryable;
    let before = state(&guard, at(0));
    // While it is sent: the slot is free, the token spent, and nothing is judged.
    {
        let send = |_| pending::<Result<(), &str>>();
        let mut call = pin!(queue.execute_async(Request::DEFAULT, SECOND, send, retryable, never));
        assert!(poll(call.as_mut()).is_pending());
        assert_eq!(guard.limit().in_flight(at(0)), 1);
    }
    assert_eq!(state(&guard, at(0)), (before.0 - 1, 0, State::Closed, before.3));
    // While it backs off: its payment goes back.
    {
        let send = |_| ready(Err::<(), _>("down"));
        let mut call = pin!(queue.execute_async(Request::DEFAULT, SECOND, send, retryable, never));
        assert!(poll(call.as_mut()).is_pending());
        assert!(guard.budget().balance(at(0)) < before.3);
    }
    assert_eq!(state(&guard, at(0)), (before.0 - 2, 0, State::Closed, before.3));
    // While it waits for leave.
    let permits = [take(&queue).1, take(&queue).1];
    {
        let send = |_| -> core::future::Ready<Result<(), &str>> { panic!("sent") };
        let mut call = pin!(queue.execute_async(Request::DEFAULT, SECOND, send, retryable, never));
        assert!(poll(call.as_mut()).is_pending());
        assert_eq!(queue.waiting(), 1);
    }
    assert_eq!(queue.waiting(), 0);
    assert!(permits.map(|permit| queue.cancel(permit)).iter().all(|is_good| *is_good));
    assert_eq!(state(&guard, at(0)), (before.0 - 2, 0, State::Closed, before.3));
}

#[test]
fn a_panic_frees_the_slot_and_says_nothing_of_the_service() {
    let clock = ManualClock::starting_at(at(0));
    let guard = guard(touchy());
    let queue = GuardQueue::new(&guard, &clock);
    let tokens = guard.bucket().available(at(0));
    let panics = |work: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
    let free = |spent| {
        assert_eq!((guard.limit().in_flight(at(0)), guard.bucket().available(at(0))), (0, tokens - spent));
        assert_eq!((guard.breaker(0).state(at(0)), queue.waiting()), (State::Closed, 0));
    };
    // Who waits is woken by it.
    let (_, held) = take(&queue);
    let woken = Arc::new(Woken::default());
    let (mut first, permit) = take(&queue);
    let mut waiter = waiting(&queue, Request::DEFAULT, SECOND);
    assert!(poll_as(waiter.as_mut(), &woken).is_pending());
    let _ = queue.finish(&mut first, permit, Outcome::Success);
    assert_eq!(woken.times(), 1);
    drop(waiter);
    assert!(queue.cancel(held));
    free(1);
    let classify = |_: &()| ErrorClass::Retryable;
    panics(&|| {
        let _ = queue.execute(Request::DEFAULT, SECOND, |_| -> Result<(), ()> { panic!("in the operation") }, classify);
    });
    free(2);
    panics(&|| {
        let classify = |_: &()| -> ErrorClass { panic!("in the classification") };
        let _ = queue.execute(Request::DEFAULT, SECOND, |_| Err::<(), _>(()), classify);
    });
    free(3);
    panics(&|| {
        let send = async |_| -> Result<(), ()> { panic!("in the future") };
        let _ = poll(pin!(queue.execute_async(Request::DEFAULT, SECOND, send, classify, never)));
    });
    free(4);
    // Before there is a future, nothing was sent: the token comes back.
    panics(&|| {
        let send = |_| -> core::future::Ready<Result<(), ()>> { panic!("before the future") };
        let _ = poll(pin!(queue.execute_async(Request::DEFAULT, SECOND, send, classify, never)));
    });
    free(4);
}

#[test]
fn a_retry_that_panics_stays_paid_for_unless_it_panics_before_it_is_sent() {
    for is_sent in [false, true] {
        let clock = ManualClock::starting_at(at(0));
        let guard = guard(quick());
        let queue = GuardQueue::new(&guard, &clock);
        let panics = catch_unwind(AssertUnwindSafe(|| {
            let advance = |delay| {
                clock.advance(delay);
                ready(())
            };
            let send = |attempt| {
                assert!(attempt == 1 || is_sent, "before there is a future");
                async move {
                    assert!(attempt == 1, "in the future");
                    Err::<(), _>(())
                }
            };
            let retryable = |_: &()| ErrorClass::Retryable;
            let _ = poll(pin!(queue.execute_async(Request::DEFAULT, SECOND, send, retryable, advance)));
        }));
        assert!(panics.is_err());
        let left = RetryTokens::whole(if is_sent { 7 } else { 8 });
        assert_eq!(guard.budget().balance(clock.now()), left, "{is_sent}");
        assert_eq!(guard.limit().in_flight(clock.now()), 0);
    }
}

#[test]
fn the_futures_may_move_between_threads_and_a_queue_may_be_a_static() {
    static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
    static GUARD: Guard = {
        let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
        match Guard::new(config, 7, Instant::ORIGIN) {
            Ok(guard) => guard,
            Err(_) => panic!("legal"),
        }
    };
    static QUEUE: GuardQueue<&Guard, &ManualClock> = GuardQueue::new(&GUARD, &CLOCK);
    fn moves<T: Send>(it: T) -> T {
        it
    }
    let mut call = QUEUE.begin(Request::DEFAULT);
    drop(moves(QUEUE.attempt_async(&mut call, SECOND, |_| ready(()))));
    let send = |_| ready(Ok::<_, ErrorClass>(42));
    let call = moves(QUEUE.execute_async(Request::DEFAULT, SECOND, send, |class| *class, |_| ready(())));
    assert_eq!(poll(pin!(call)), Poll::Ready(Ok(42)));
}
