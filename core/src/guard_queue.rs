//! [`GuardQueue`]: waiting for a [`Guard`]'s leave in a line, and the whole life of a call in one.
//!
//! The guard refuses and never waits. Here who is refused may wait, `max_wait` at most, where waiting helps:
//! [`Refused::worth_waiting`] says where.
//!
//! # Invariant
//! While anybody waits, only the head of the line asks the guard. So who comes later does not pass by who waits, a call
//! that needs much is not starved by those that need little, and a slot that is freed wakes one waiter and no herd.
//! Who waits holds nothing: no slot, no token, no probe. Who leaves, by whatever way, has nothing to give back but its
//! turn.
//!
//! A call waits for its own instant, that of its last [`Verdict::RetryAt`], outside of the line: nobody waits behind a
//! backoff.
//!
//! # No polling
//! The head sleeps until the instant that the refusal named, or until a report or a cancellation through the queue wakes
//! it; everybody else sleeps until it is the head. What happens past the queue wakes nobody: a slot that is freed at the
//! guard itself, a lease that lapses, a limit or a rate that is raised. So the head also looks again each
//! [`GuardQueue::REVIEW`].
//!
//! # Orderings
//! A slot is freed before the news of it is told, and the head hears the news before it asks: see `waiting_line.rs`.
//!
//! # Limits
//! * With nobody in line an attempt costs a load more than the guard's, a report an addition.
//! * The order is that of arrival in the line. Who asks while nobody waits takes no place; who asks the guard itself
//!   passes the line by.
//! * A call that is not bound by the pause, the limit or the bucket, as their modes are, does not stand in line: a stage
//!   in shadow delays nobody.
//! * A future that is neither polled nor dropped keeps its place, and all behind it wait, until each runs out of
//!   patience.
//! * Time that stands still: nobody's patience ends, and a freed slot still wakes the head.
//! * Behind feature `std`: the line is a mutex that is held for a few instructions, and it allocates a place for each
//!   waiter. Not for interrupt or signal handlers: they ask the guard, which is lock-free whatever the line does.

mod execute;
mod waiter;

use core::future::Future;
use core::ops::Deref;
use core::time::Duration;

use crate::clock::Clock;
use crate::guard::{Admission, Call, Finished, Guard, GuardView, KeyedStage, Permit, Request};
use crate::outcome::Outcome;
use crate::refused::Refused;
use crate::sync::{AtomicU32, const_constructor};
use crate::time::Instant;
use crate::waiting_line::Line;

pub use execute::GuardError;
use waiter::Desk;

/// A line in front of a [`Guard`]: threads and futures wait in it for leave to send, first come, first served.
///
/// The guard is a reference, an `Arc` or anything else that leads to one, or to the parts of one: [`AnyGuard`]. [`execute`](Self::execute) is the whole life of
/// a call: wait, send, report, back off and send again.
///
/// Reports go through the queue too, so that the head hears of a slot that is free; one that goes to the guard itself is
/// noticed within [`REVIEW`](Self::REVIEW).
///
/// ```
/// use core::time::Duration;
/// use seawall::{BucketConfig, Clock, Guard, GuardConfig, GuardQueue, MonotonicClock, Outcome, Rate, Request};
///
/// let clock = MonotonicClock::new();
/// let expected = Rate::per_second(200);
/// let config = GuardConfig {
///     bucket: BucketConfig::new(expected).burst(1),
///     ..GuardConfig::for_service(expected, Duration::from_secs(1))
/// };
/// let guard = Guard::<64>::new(config, seawall::entropy(), clock.now())?;
/// let queue = GuardQueue::new(&guard, clock);
///
/// for _ in 0..3 {
///     // One token is there: the others are waited for, 5 ms each.
///     let mut call = queue.begin(Request::DEFAULT);
///     let permit = queue.attempt(&mut call, Duration::from_secs(1))?.permit;
///     let _ = queue.finish(&mut call, permit, Outcome::Success); // sent, and answered
/// }
/// assert!(clock.now().as_nanos() >= 5_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GuardQueue<G, C> {
    guard: G,
    clock: C,
    line: Line,
    /// The stage that the head waits for, by its number.
    kept_by: AtomicU32,
}

impl<G, C> GuardQueue<G, C> {
    /// How long the head waits, at most, before it looks again: for what no report tells it. A look is a few loads.
    pub const REVIEW: Duration = waiter::REVIEW;

    const_constructor! {
        /// An empty line in front of `guard`. `clock` is the one whose readings the guard gets from everybody.
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate, Request};
        /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
        /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
        /// let queue = GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN));
        /// assert!(queue.attempt(&mut queue.begin(Request::DEFAULT), Duration::ZERO).is_ok());
        /// # Ok::<(), seawall::GuardConfigError>(())
        /// ```
        #[must_use]
        pub fn new(guard: G, clock: C) -> Self {
            Self { guard, clock, line: Line::new(), kept_by: AtomicU32::new(0) }
        }
    }

    /// How many wait. Advisory: others come and go meanwhile.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN)).waiting(), 0);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.line.waiting()
    }
}

impl<G, C> GuardQueue<G, C>
where
    G: Deref,
    G::Target: AnyGuard + Sized,
    C: Clock,
{
    /// The guard, to look at it, to change it, and for who never waits.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN));
    /// assert_eq!(queue.guard().limit().in_flight(Instant::ORIGIN), 0);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn guard(&self) -> &G::Target {
        &self.guard
    }

    /// A logical call begins: [`Guard::begin`], by the queue's clock.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN));
    /// assert_eq!(queue.begin(Request::DEFAULT).attempts(), 0);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn begin(&self, request: Request) -> Call {
        self.guard.begin(request, self.clock.now())
    }

    /// Asks to send the next attempt of `call`, and blocks the thread while it waits for leave: `max_wait` at most, the
    /// line and the call's own backoff included, and never up to the call's deadline.
    ///
    /// With a `max_wait` of zero it does not wait, and while nobody else waits the answer is that of
    /// [`Guard::try_attempt`]. While somebody waits, what the guard would admit is refused in the name of the stage that
    /// the head of the line waits for.
    ///
    /// # Errors
    /// The guard's own [`Refused`]: at once where it is not [worth waiting](Refused::worth_waiting), or is known to
    /// outlast what is left; and after `max_wait`. Nothing is held and nothing was spent.
    ///
    /// # Concurrency
    /// Admitted while nobody waits: as [`Guard::try_attempt`], and a load. Else it takes a place in the line.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Clock, Guard, GuardConfig, GuardQueue, MonotonicClock, Outcome, Rate, Request, Stage};
    /// let clock = MonotonicClock::new();
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, clock.now())?;
    /// let queue = GuardQueue::new(&guard, clock);
    /// let (mut first, mut second) = (queue.begin(Request::DEFAULT), queue.begin(Request::DEFAULT));
    /// let permit = queue.attempt(&mut first, Duration::ZERO)?.permit;
    /// // One in flight is the limit: who comes next waits for its end.
    /// let refused = queue.attempt(&mut second, Duration::from_millis(2)).unwrap_err();
    /// assert_eq!(refused.stage(), Stage::ConcurrencyLimit);
    /// let _ = queue.finish(&mut first, permit, Outcome::Success);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attempt(&self, call: &mut Call, max_wait: Duration) -> Result<Admission, Refused> {
        self.desk().attempt(call, max_wait)
    }

    /// As [`attempt`](Self::attempt), as a future. It needs no runtime: `sleep` is the caller's, and called only when
    /// there is something to wait for. Dropped, it leaves the line, holds nothing, and passes its turn on.
    ///
    /// # Errors
    /// As [`attempt`](Self::attempt).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate, Request};
    /// let clock = ManualClock::starting_at(Instant::ORIGIN);
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, &clock);
    /// // With tokio: `queue.attempt_async(&mut call, max_wait, tokio::time::sleep).await`.
    /// let sleep = |delay| {
    ///     clock.advance(delay);
    ///     core::future::ready(())
    /// };
    /// let two = async {
    ///     let _first = queue.attempt_async(&mut queue.begin(Request::DEFAULT), Duration::ZERO, sleep).await?;
    ///     queue.attempt_async(&mut queue.begin(Request::DEFAULT), Duration::from_secs(1), sleep).await
    /// };
    /// # use seawall::Clock;
    /// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    /// # assert!(matches!(core::pin::pin!(two).poll(&mut context), core::task::Poll::Ready(Ok(_))));
    /// assert!(clock.now() > Instant::ORIGIN); // the second waited for its token
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub async fn attempt_async<D: Future<Output = ()>>(
        &self,
        call: &mut Call,
        max_wait: Duration,
        mut sleep: impl FnMut(Duration) -> D,
    ) -> Result<Admission, Refused> {
        self.desk().attempt_async(call, max_wait, &mut sleep).await
    }

    /// Reports how an attempt ended, as [`Guard::finish`] does, and wakes the head of the line: a slot is free.
    ///
    /// # Concurrency
    /// While nobody waits: as [`Guard::finish`], and one addition. Else it wakes one waiter.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Outcome, Rate, Request, Verdict};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN));
    /// let mut call = queue.begin(Request::DEFAULT);
    /// let permit = queue.attempt(&mut call, Duration::ZERO)?.permit;
    /// assert_eq!(queue.finish(&mut call, permit, Outcome::Success).verdict, Verdict::Done);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish(&self, call: &mut Call, permit: Permit, outcome: Outcome) -> Finished {
        self.desk().finish(call, permit, outcome)
    }

    /// Gives an admitted attempt back that was never sent, as [`Guard::cancel`] does, and wakes the head of the line.
    /// Returns whether the permit was still good.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN));
    /// let mut call = queue.begin(Request::DEFAULT);
    /// let permit = queue.attempt(&mut call, Duration::ZERO)?.permit;
    /// assert!(queue.cancel(permit));
    /// assert!(queue.attempt(&mut call, Duration::ZERO).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self, permit: Permit) -> bool {
        self.desk().cancel(permit)
    }

    /// Wakes the head of the line: for who has reported or cancelled at the guard itself, with a reading of the clock that it
    /// had already.
    ///
    /// # Concurrency
    /// While nobody waits: one addition. Else it wakes one waiter.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Outcome, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN));
    /// let mut call = queue.begin(Request::DEFAULT);
    /// let permit = queue.attempt(&mut call, Duration::ZERO)?.permit;
    /// let _ = guard.finish(&mut call, permit, Outcome::Success, Instant::from_nanos(5));
    /// queue.tell(); // a slot is free
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tell(&self) {
        self.line.tell();
    }

    /// The call is not sent again: [`Guard::abandon`], by the queue's clock.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardQueue, Instant, ManualClock, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let queue = GuardQueue::new(&guard, ManualClock::starting_at(Instant::ORIGIN));
    /// let mut call = queue.begin(Request::DEFAULT);
    /// queue.abandon(&mut call);
    /// assert!(queue.attempt(&mut call, Duration::from_secs(1)).is_err());
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn abandon(&self, call: &mut Call) {
        self.guard.abandon(call, self.clock.now());
    }

    fn desk(&self) -> Desk<'_, G::Target, C> {
        Desk { guard: &self.guard, clock: &self.clock, line: &self.line, kept_by: &self.kept_by }
    }
}

/// What a [`GuardQueue`] may stand before: a [`Guard`] of any size, or whatever holds the parts of a [`GuardView`].
///
/// ```
/// use core::time::Duration;
/// use seawall::{AnyGuard, CircuitBreaker, ConcurrencyLimit, GuardConfig, GuardQueue, GuardState, GuardView};
/// use seawall::{Instant, ManualClock, Rate, Request, RetryBudget, TokenBucket};
///
/// /// With as many breakers as the program was told.
/// struct Parts {
///     state: GuardState,
///     bucket: TokenBucket,
///     budget: RetryBudget,
///     breakers: Vec<CircuitBreaker>,
///     limit: ConcurrencyLimit<64>,
/// }
///
/// impl AnyGuard for Parts {
///     fn view(&self) -> GuardView<'_> {
///         GuardView::new(&self.state, &self.bucket, &self.budget, &self.breakers, &self.limit, None)
///             .expect("1 to 65,535 breakers")
///     }
/// }
///
/// let (shards, seed, now) = (3, 7, Instant::ORIGIN);
/// let config = GuardConfig::for_shards(Rate::per_second(20), Duration::from_secs(1), shards);
/// let breakers = (0..shards).map(|_| CircuitBreaker::new(config.breaker)).collect::<Result<_, _>>()?;
/// let guard = Parts {
///     state: GuardState::new(config, seed, now)?,
///     bucket: config.token_bucket(seed, now)?,
///     budget: RetryBudget::new(config.budget, now)?,
///     breakers,
///     limit: ConcurrencyLimit::new(config.limit)?,
/// };
/// let queue = GuardQueue::new(&guard, ManualClock::starting_at(now));
/// let mut call = queue.begin(Request { shard: 2, ..Request::DEFAULT });
/// assert!(queue.attempt(&mut call, Duration::ZERO).is_ok());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub trait AnyGuard {
    /// The guard. It is asked at each call, so that it should only put references together.
    fn view(&self) -> GuardView<'_>;

    #[doc(hidden)]
    fn begin(&self, request: Request, now: Instant) -> Call {
        self.view().begin(request, now)
    }

    #[doc(hidden)]
    fn peek(&self, call: &Call, now: Instant) -> Result<(), Refused> {
        self.view().peek(call, now)
    }

    #[doc(hidden)]
    fn try_attempt(&self, call: &mut Call, now: Instant) -> Result<Admission, Refused> {
        self.view().try_attempt(call, now)
    }

    #[doc(hidden)]
    fn finish(&self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Finished {
        self.view().finish(call, permit, outcome, now)
    }

    #[doc(hidden)]
    fn cancel(&self, permit: Permit, now: Instant) -> bool {
        self.view().cancel(permit, now)
    }

    #[doc(hidden)]
    fn abandon(&self, call: &mut Call, now: Instant) {
        self.view().abandon(call, now);
    }
}

// Not through the view: a guard whose sizes the compiler knows is quicker.
impl<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage> AnyGuard for Guard<SLOTS, SHARDS, Keyed> {
    fn view(&self) -> GuardView<'_> {
        self.view()
    }

    fn begin(&self, request: Request, now: Instant) -> Call {
        self.begin(request, now)
    }

    fn peek(&self, call: &Call, now: Instant) -> Result<(), Refused> {
        self.peek(call, now)
    }

    fn try_attempt(&self, call: &mut Call, now: Instant) -> Result<Admission, Refused> {
        self.try_attempt(call, now)
    }

    fn finish(&self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Finished {
        self.finish(call, permit, outcome, now)
    }

    fn cancel(&self, permit: Permit, now: Instant) -> bool {
        self.cancel(permit, now)
    }

    fn abandon(&self, call: &mut Call, now: Instant) {
        self.abandon(call, now);
    }
}
