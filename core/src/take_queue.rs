//! [`TakeQueue`]: waiting for tokens in a line, without polling and in the order of arrival.
//!
//! # Invariant
//! Only the head of the line books: it reserves its tokens, waits until they are earned, and then makes room for the
//! next. So at most one booking stands, it is the newest, and whoever leaves the line gives back all that it held: a
//! waiter that is not at the head holds nothing, and the head's booking is undone exactly.
//!
//! # Limits
//! * The order is that of arrival among those who wait here. Who takes from the bucket directly passes them by where
//!   tokens are on hand, and never where one is booked.
//! * A booking for later than [`TakeQueue::REVIEW`] is looked at anew after each such time, so that a rate that was
//!   raised, a burst that was set or a clock that stepped counts for those who wait already.
//! * A future that is neither polled nor dropped keeps its place, and all behind it wait.
//! * Behind feature `std`: the line is a mutex that is held for a few instructions, and it allocates a place for each
//!   waiter. Not for interrupt or signal handlers: they use [`TokenBucket::try_take`] and
//!   [`TokenBucket::reserve`], which are lock-free whatever the line does.

use core::future::{Future, pending, poll_fn};
use core::ops::Deref;
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crate::clock::Clock;
use crate::refused::{Reason, Refused, Stage};
use crate::sync::{const_constructor, park_timeout};
use crate::time::Instant;
use crate::token_bucket::{Reservation, TokenBucket};
use crate::waiting_line::{Line, unparking};

/// A line in front of a [`TokenBucket`]: threads and futures wait in it for their tokens, first come, first served.
///
/// The bucket is a reference, an `Arc` or anything else that leads to one, and stays open to who does not wait.
///
/// ```
/// use core::time::Duration;
/// use seawall::{BucketConfig, Clock, MonotonicClock, Rate, TakeQueue, TokenBucket};
///
/// let clock = MonotonicClock::new();
/// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(200)).burst(1), clock.now())?;
/// let queue = TakeQueue::new(&bucket, clock);
/// queue.take(1)?; // at once
/// queue.take(1)?; // 5 ms later
/// assert!(clock.now().as_nanos() >= 5_000_000);
///
/// // The bucket can never hold two.
/// assert_eq!(queue.take(2).unwrap_err().reason(), seawall::Reason::Never);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TakeQueue<B, C> {
    bucket: B,
    clock: C,
    line: Line,
}

impl<B, C> TakeQueue<B, C> {
    /// How long the head waits before it looks at its booking anew.
    pub const REVIEW: Duration = Duration::from_secs(1);

    /// How many wait, the head included. Advisory: others come and go meanwhile. Who takes from the bucket itself only
    /// while it is 0 passes nobody by.
    ///
    /// ```
    /// use seawall::{BucketConfig, Clock, MonotonicClock, Rate, TakeQueue, TokenBucket};
    /// let clock = MonotonicClock::new();
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(5)), clock.now())?;
    /// assert_eq!(TakeQueue::new(&bucket, clock).waiting(), 0);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.line.waiting()
    }
}

impl<B: Deref<Target = TokenBucket>, C: Clock> TakeQueue<B, C> {
    const_constructor! {
        /// An empty line in front of `bucket`. `clock` is the one whose readings the bucket gets from everybody.
        ///
        /// ```
        /// use std::sync::Arc;
        /// use seawall::{BucketConfig, Clock, MonotonicClock, Rate, TakeQueue, TokenBucket};
        /// let clock = MonotonicClock::new();
        /// let bucket = Arc::new(TokenBucket::new(BucketConfig::new(Rate::per_second(5)), clock.now())?);
        /// let queue = TakeQueue::new(Arc::clone(&bucket), clock);
        /// assert!(queue.bucket().try_take(5, clock.now()).is_ok());
        /// # Ok::<(), seawall::BucketConfigError>(())
        /// ```
        #[must_use]
        pub fn new(bucket: B, clock: C) -> Self {
            Self { bucket, clock, line: Line::new() }
        }
    }

    /// The bucket, for who does not wait and for changes of its rate.
    ///
    /// ```
    /// # use seawall::{BucketConfig, Clock, MonotonicClock, Rate, TakeQueue, TokenBucket};
    /// # let clock = MonotonicClock::new();
    /// # let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(5)), clock.now())?;
    /// let queue = TakeQueue::new(&bucket, clock);
    /// queue.bucket().set_rate(Rate::per_second(50), clock.now())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bucket(&self) -> &TokenBucket {
        &self.bucket
    }

    /// Takes `n` tokens, and blocks the thread until they are there.
    ///
    /// While the rate is zero it waits for another one.
    ///
    /// # Errors
    /// [`Refused`]: `Never` where `n` is over the burst; `ClockStepped` as in [`TokenBucket::try_take`].
    ///
    /// ```
    /// use seawall::{BucketConfig, Clock, MonotonicClock, Rate, TakeQueue, TokenBucket};
    /// let clock = MonotonicClock::new();
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(1000)), clock.now())?;
    /// TakeQueue::new(&bucket, clock).take(1)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take(&self, n: u32) -> Result<(), Refused> {
        self.take_within(n, Duration::MAX)
    }

    /// As [`take`](Self::take), where a wait of over `max_wait`, the line included, is refused.
    ///
    /// # Errors
    /// As [`take`](Self::take), and `NotYet`: at once for the head of the line, which knows its wait; after `max_wait`
    /// for who has not become the head by then. No token is spent.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Clock, MonotonicClock, Rate, Reason, TakeQueue, TokenBucket};
    /// let clock = MonotonicClock::new();
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), clock.now())?;
    /// let queue = TakeQueue::new(&bucket, clock);
    /// queue.take(1)?;
    /// let refused = queue.take_within(1, Duration::from_secs(10)).unwrap_err();
    /// assert_eq!(refused.reason(), Reason::NotYet);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_within(&self, n: u32, max_wait: Duration) -> Result<(), Refused> {
        let until = self.until(n, max_wait)?;
        let turn = self.line.join();
        let waker = unparking();
        while turn.poll(None, &waker).is_pending() {
            match until.saturating_duration_since(self.clock.now()) {
                Duration::ZERO => return Err(Refused::not_yet(Stage::TokenBucket, None)),
                // Woken early, it looks again.
                left => park_timeout(left),
            }
        }
        let mut head = Head { queue: self, n, until, held: Held::Nothing };
        while let Some(wait) = head.next_wait()? {
            std::thread::sleep(wait);
        }
        Ok(())
    }

    /// As [`take`](Self::take), as a future. It needs no runtime: `sleep` is the caller's, and called only when there
    /// is something to wait for. Dropped, it leaves the line and gives its booking back.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, ManualClock, Rate, TakeQueue, TokenBucket};
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), Instant::ORIGIN)?;
    /// let queue = TakeQueue::new(&bucket, &clock);
    /// // With tokio: `queue.take_async(1, tokio::time::sleep).await`.
    /// let sleep = |delay| {
    ///     clock.advance(delay);
    ///     core::future::ready(())
    /// };
    /// let two = async {
    ///     queue.take_async(1, sleep).await?;
    ///     queue.take_async(1, sleep).await
    /// };
    /// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    /// # assert_eq!(core::pin::pin!(two).poll(&mut context), core::task::Poll::Ready(Ok(())));
    /// # use seawall::Clock;
    /// assert_eq!(clock.now().as_nanos(), 60_000_000_000);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub async fn take_async<D: Future<Output = ()>>(
        &self,
        n: u32,
        sleep: impl FnMut(Duration) -> D,
    ) -> Result<(), Refused> {
        self.take_within_async(n, Duration::MAX, sleep).await
    }

    /// As [`take_within`](Self::take_within), as a future on the terms of [`take_async`](Self::take_async).
    ///
    /// # Errors
    /// As [`take_within`](Self::take_within).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, ManualClock, Rate, TakeQueue, TokenBucket};
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// let bucket = TokenBucket::new(BucketConfig::new(Rate::per_minute(1)), Instant::ORIGIN)?;
    /// let queue = TakeQueue::new(&bucket, &clock);
    /// let sleep = |_| core::future::pending::<()>();
    /// let both = async {
    ///     queue.take_async(1, sleep).await?;
    ///     queue.take_within_async(1, Duration::from_secs(59), sleep).await
    /// };
    /// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    /// # let core::task::Poll::Ready(result) = core::pin::pin!(both).poll(&mut context) else { panic!("refused at once") };
    /// # let refused = result.unwrap_err();
    /// assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub async fn take_within_async<D: Future<Output = ()>>(
        &self,
        n: u32,
        max_wait: Duration,
        mut sleep: impl FnMut(Duration) -> D,
    ) -> Result<(), Refused> {
        let until = self.until(n, max_wait)?;
        let turn = self.line.join();
        {
            // Not begun before the turn was found to be another's.
            let patience = async {
                match until {
                    Instant::MAX => pending().await,
                    _ => sleep(until.saturating_duration_since(self.clock.now())).await,
                }
            };
            let mut patience = pin!(patience);
            let mut patient = |context: &mut Context<'_>| match turn.poll(None, context.waker()) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => patience.as_mut().poll(context).map(|()| false),
            };
            if !poll_fn(&mut patient).await {
                return Err(Refused::not_yet(Stage::TokenBucket, None));
            }
        }
        let mut head = Head { queue: self, n, until, held: Held::Nothing };
        while let Some(wait) = head.next_wait()? {
            sleep(wait).await;
        }
        Ok(())
    }

    /// When a wait that begins now has to be over; refused where it would be in vain.
    fn until(&self, n: u32, max_wait: Duration) -> Result<Instant, Refused> {
        let now = self.clock.now();
        match self.bucket.peek(n, now) {
            Err(refused) if refused.reason() != Reason::NotYet => Err(refused),
            _ => Ok(now.saturating_add(max_wait)),
        }
    }
}

/// Who is at the head of the line: books, and gives back what it did not get to use.
struct Head<'a, B: Deref<Target = TokenBucket>, C: Clock> {
    queue: &'a TakeQueue<B, C>,
    n: u32,
    until: Instant,
    held: Held,
}

enum Held {
    Nothing,
    Booked(Reservation),
    /// Booked, and somebody booked past the line since: it stands.
    Fixed(Instant),
}

impl<B: Deref<Target = TokenBucket>, C: Clock> Head<'_, B, C> {
    /// How long to sleep before the next look; `None` once the tokens are taken.
    fn next_wait(&mut self) -> Result<Option<Duration>, Refused> {
        let TakeQueue { bucket, clock, .. } = self.queue;
        let now = clock.now();
        let ready_at = match core::mem::replace(&mut self.held, Held::Nothing) {
            Held::Fixed(ready_at) => ready_at,
            Held::Booked(booked) if booked.ready_at() <= now => return Ok(None),
            Held::Booked(booked) => {
                let ready_at = booked.ready_at();
                if bucket.cancel(booked, now) {
                    return self.book(now);
                }
                ready_at
            }
            Held::Nothing => return self.book(now),
        };
        if ready_at <= now {
            return Ok(None);
        }
        self.held = Held::Fixed(ready_at);
        Ok(Some(ready_at.saturating_duration_since(now)))
    }

    fn book(&mut self, now: Instant) -> Result<Option<Duration>, Refused> {
        let left = self.until.saturating_duration_since(now);
        let wait = match self.queue.bucket.reserve(self.n, left, now) {
            Ok(booked) if booked.ready_at() <= now => return Ok(None),
            Ok(booked) => {
                let wait = booked.wait(now);
                self.held = Held::Booked(booked);
                wait
            }
            Err(refused) if refused.reason() == Reason::NotYet && !self.is_in_vain(left, now) => {
                refused.retry_after().unwrap_or(left).min(left)
            }
            Err(refused) => return Err(refused),
        };
        if wait.is_zero() {
            return Err(Refused::not_yet(Stage::TokenBucket, None));
        }
        Ok(Some(wait.min(TakeQueue::<B, C>::REVIEW)))
    }

    /// Whether the tokens come only after the time that is left. Where that cannot be known, as the rate is zero, or
    /// where others booked a burst past the line, it may yet change.
    fn is_in_vain(&self, left: Duration, now: Instant) -> bool {
        let refused = self.queue.bucket.peek(self.n, now).err();
        refused.and_then(Refused::retry_after).is_some_and(|wait| wait > left)
    }
}

impl<B: Deref<Target = TokenBucket>, C: Clock> Drop for Head<'_, B, C> {
    fn drop(&mut self) {
        if let Held::Booked(booked) = core::mem::replace(&mut self.held, Held::Nothing) {
            self.queue.bucket.cancel(booked, self.queue.clock.now());
        }
    }
}
