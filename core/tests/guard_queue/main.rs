//! What waiting for a guard in a line promises, and a call that is executed there.
#![cfg(feature = "std")]

mod executing;
mod waiting;

use core::future::{Future, pending};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

use portable_atomic::{AtomicUsize, Ordering};
use seawall::{
    Admission, BucketConfig, Call, Fill, Guard, GuardConfig, GuardQueue, Instant, Jitter, LimitConfig, ManualClock,
    Permit, Rate, Refused, Request, RetryBudgetConfig, RetryConfig, RetryTokens, State,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

/// Room for `slots` in flight and `tokens` on hand, and a token a second; a breaker that opens at three in a row.
fn config(slots: u32, tokens: u32) -> GuardConfig {
    let base = GuardConfig::for_service(Rate::per_second(20), SECOND);
    GuardConfig {
        bucket: BucketConfig::new(Rate::per_second(1)).burst(100).fill(Fill::Tokens(tokens)),
        limit: LimitConfig { start: slots, floor: slots, ceiling: slots, lease: 10 * SECOND, ..base.limit },
        budget: RetryBudgetConfig { initial: RetryTokens::whole(2), ..base.budget },
        retry: RetryConfig { max_attempts: 3, jitter: Jitter::None, base_delay: SECOND, ..base.retry },
        ..base
    }
}

/// Reset at the origin, its bucket has no phase: each token comes at a whole second.
fn guard(config: GuardConfig) -> Guard<8> {
    let guard = Guard::new(config, 7, Instant::ORIGIN).expect("legal");
    guard.reset(Instant::ORIGIN).expect("nobody else changes it");
    guard
}

type Queue<'a> = GuardQueue<&'a Guard<8>, &'a ManualClock>;

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// How often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll_as<F: Future + ?Sized>(future: Pin<&mut F>, woken: &Arc<Woken>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(woken.clone())))
}

fn never(_: Duration) -> impl Future<Output = ()> {
    pending()
}

/// An attempt that must not wait.
fn now<'a>(queue: &Queue<'a>, call: &mut Call) -> Result<Admission, Refused> {
    match poll(pin!(queue.attempt_async(call, Duration::ZERO, never))) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

fn take(queue: &Queue<'_>) -> (Call, Permit) {
    let mut call = queue.begin(Request::DEFAULT);
    let permit = now(queue, &mut call).expect("admitted").permit;
    (call, permit)
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(Call, Admission), Refused>> + 'a>>;

/// A call that waits, with no other sleep than what the line wakes it from.
fn waiting<'a>(queue: &'a Queue<'_>, request: Request, max_wait: Duration) -> Waiting<'a> {
    Box::pin(async move {
        let mut call = queue.begin(request);
        let admission = queue.attempt_async(&mut call, max_wait, never).await?;
        Ok((call, admission))
    })
}

/// All that a waiter could have left behind.
fn state(guard: &Guard<8>, now: Instant) -> (u32, u32, State, RetryTokens) {
    (
        guard.bucket().available(now),
        guard.limit().in_flight(now),
        guard.breaker(0).state(now),
        guard.budget().balance(now),
    )
}
