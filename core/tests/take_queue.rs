//! What waiting in a line promises.
#![cfg(feature = "std")]

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, ready};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

use portable_atomic::{AtomicU64, AtomicUsize, Ordering};
use seawall::{
    BucketConfig, Clock, Fill, Instant, ManualClock, MonotonicClock, Rate, Reason, Refused, TakeQueue, TokenBucket,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN.saturating_add(SECOND * seconds as u32)
}

/// A bucket of one token a second, empty.
fn empty(burst: u32) -> TokenBucket {
    let config = BucketConfig::new(Rate::per_second(1)).burst(burst).fill(Fill::Tokens(0));
    TokenBucket::new(config, Instant::ORIGIN).expect("legal")
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// How often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_comes_first_is_served_first() {
    let (bucket, clock) = (empty(1), ManualClock::starting_at(at(0)));
    let queue = TakeQueue::new(&bucket, &clock);
    let served = RefCell::new(Vec::new());
    let sleeping = Cell::new(0);
    let sleep = |_| {
        sleeping.set(sleeping.get() + 1);
        let mut polled = false;
        // Pending once: the test moves the clock.
        std::future::poll_fn(
            move |_| if core::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending },
        )
    };
    let mut waiters: Vec<_> = (0..5)
        .map(|name| {
            let (queue, served) = (&queue, &served);
            Box::pin(async move {
                queue.take_async(1, sleep).await.expect("served");
                served.borrow_mut().push((name, queue.bucket().available(at(0))));
            })
        })
        .collect();
    for second in 0..=5 {
        clock.set(at(second));
        // Whoever is polled first: the order is that of arrival.
        for waiter in waiters.iter_mut().rev().filter(|_| second > 0) {
            let _ = poll(waiter.as_mut());
        }
        if second == 0 {
            for waiter in &mut waiters {
                assert!(poll(waiter.as_mut()).is_pending());
            }
            assert_eq!(sleeping.get(), 1, "only the head books and sleeps");
        }
        waiters.truncate(5);
        assert!(served.borrow().len() <= second as usize, "never more than was earned");
        if served.borrow().len() == 5 {
            break;
        }
        let done = served.borrow().len();
        waiters.drain(..done.saturating_sub(5 - waiters.len()));
    }
    assert!(served.borrow().iter().map(|(name, _)| *name).is_sorted(), "{:?}", served.borrow());
}

#[test]
fn a_waiter_that_leaves_costs_nothing_and_wakes_nobody_for_nothing() {
    let (bucket, clock) = (empty(1), ManualClock::starting_at(at(0)));
    let queue = TakeQueue::new(&bucket, &clock);
    let sleep = |_| pending::<()>();
    let woken = [(); 3].map(|()| Arc::new(Woken::default()));
    let mut waiters = [(); 3].map(|()| Box::pin(queue.take_async(1, sleep)));
    for (waiter, woken) in waiters.iter_mut().zip(&woken) {
        let waker = Waker::from(woken.clone());
        assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let [head, middle, last] = waiters;
    let counts = || woken.each_ref().map(|woken| woken.0.load(Ordering::Relaxed));
    drop(middle);
    assert_eq!(counts(), [0, 0, 0]);
    // The head's booking goes back exactly, and the next in line is told: it passes over who left.
    drop(head);
    assert_eq!(counts(), [0, 0, 1]);
    assert_eq!(bucket.reserve(1, Duration::MAX, at(0)).map(|booked| booked.ready_at()), Ok(at(1)));
    drop(last);
}

#[test]
fn a_wait_that_is_too_long_is_refused_at_once_by_the_head_and_in_time_by_the_rest() {
    let (bucket, clock) = (empty(1), ManualClock::starting_at(at(0)));
    let queue = TakeQueue::new(&bucket, &clock);
    let advance = |delay| {
        clock.advance(delay);
        ready(())
    };
    let refused = poll(pin!(queue.take_within_async(1, SECOND / 2, |_| pending::<()>())));
    assert_eq!(refused.map(|result| result.unwrap_err().retry_after()), Poll::Ready(Some(SECOND / 2)));
    let mut head = pin!(queue.take_async(1, |_| pending::<()>()));
    assert!(poll(head.as_mut()).is_pending());
    let refused = poll(pin!(queue.take_within_async(1, SECOND / 2, advance)));
    assert_eq!(refused.map(|result| result.unwrap_err().reason()), Poll::Ready(Reason::NotYet));
    assert_eq!(clock.now(), Instant::ORIGIN.saturating_add(SECOND / 2));
}

#[test]
fn more_than_a_burst_is_never_waited_for() {
    let (bucket, clock) = (empty(3), ManualClock::starting_at(at(0)));
    let queue = TakeQueue::new(&bucket, &clock);
    assert_eq!(queue.take(4).map_err(Refused::reason), Err(Reason::Never));
    let never = poll(pin!(queue.take_async(4, |_| pending::<()>())));
    assert_eq!(never.map(|result| result.map_err(Refused::reason)), Poll::Ready(Err(Reason::Never)));
}

#[test]
fn a_new_rate_counts_for_who_waits_already() {
    let clock = ManualClock::starting_at(at(0));
    let config = BucketConfig::new(Rate::per_day(1)).fill(Fill::Tokens(0));
    for slow in [Rate::per_day(1), Rate::ZERO] {
        clock.set(at(0));
        let bucket = TokenBucket::new(BucketConfig { rate: slow, ..config }, at(0)).expect("legal");
        let queue = TakeQueue::new(&bucket, &clock);
        let mut slept = 0;
        let sleep = |delay| {
            slept += 1;
            clock.advance(delay);
            if slept == 3 {
                bucket.set_rate(Rate::per_second(1_000), clock.now()).expect("one setter");
            }
            ready(())
        };
        assert_eq!(poll(pin!(queue.take_async(1, sleep))), Poll::Ready(Ok(())));
        assert!(clock.now() <= at(4), "{:?}", clock.now());
    }
}

#[test]
fn nothing_is_called_to_wait_for_what_is_there() {
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(3)), at(0)).expect("legal");
    let clock = ManualClock::starting_at(at(0));
    let queue = TakeQueue::new(&bucket, &clock);
    let sleep = |delay| -> core::future::Ready<()> { panic!("slept for {delay:?}") };
    for _ in 0..3 {
        assert_eq!(poll(pin!(queue.take_async(1, sleep))), Poll::Ready(Ok(())));
    }
}

#[test]
fn threads_that_wait_get_the_rate_and_not_more() {
    let clock = MonotonicClock::new();
    let config = BucketConfig::new(Rate::per_second(500)).burst(1).fill(Fill::Tokens(0));
    let bucket = Arc::new(TokenBucket::new(config, clock.now()).expect("legal"));
    let queue = TakeQueue::new(Arc::clone(&bucket), clock);
    let last = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    queue.take(1).expect("served");
                    last.fetch_max(clock.now().as_nanos(), Ordering::Relaxed);
                }
            });
        }
    });
    // The eightieth token is there after 160 ms, and no thread got one that was not.
    assert!(last.into_inner() >= 159_999_000);
    assert!(bucket.available(clock.now()) <= 1);
}

#[test]
fn a_thread_that_runs_out_of_patience_leaves_the_line_whole() {
    let clock = MonotonicClock::new();
    let config = BucketConfig::new(Rate::per_second(20)).burst(1).fill(Fill::Tokens(0));
    let bucket = TokenBucket::new(config, clock.now()).expect("legal");
    let queue = TakeQueue::new(&bucket, clock);
    std::thread::scope(|scope| {
        let patient: Vec<_> = (0..4).map(|_| scope.spawn(|| queue.take(1))).collect();
        let impatient: Vec<_> =
            (0..8).map(|_| scope.spawn(|| queue.take_within(1, Duration::from_millis(1)))).collect();
        assert!(patient.into_iter().all(|thread| thread.join().expect("no panic").is_ok()));
        for thread in impatient {
            // At most one of them came first, with its token a moment away.
            if let Err(refused) = thread.join().expect("no panic") {
                assert_eq!(refused.reason(), Reason::NotYet);
            }
        }
    });
}
