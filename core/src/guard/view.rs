//! [`GuardView`]: a guard without its sizes.

use core::fmt;

use crate::circuit_breaker::CircuitBreaker;
use crate::concurrency_limit::ConcurrencyLimitView;
use crate::guard::state::GuardState;
use crate::guard::work::{Parts, Work};
use crate::guard::{Admission, Call, Finished, Guard, KeyedStage, Mode, ModeError, Permit, Request};
use crate::keyed_buckets::KeyedBucketsView;
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::retry_budget::RetryBudget;
use crate::time::Instant;
use crate::token_bucket::{ChangeError, TokenBucket};
use crate::transition::Transition;

/// A guard whose sizes are not part of its type: of any [`Guard`] as [`Guard::view`] gives it, or made of parts that lie
/// wherever they lie.
///
/// Its calls are those of the guard, and do and promise the same; a call that began at the guard may go on at its view. It
/// is some references, to be copied and made anew for each call as you like. A call costs a little more than that of a `Guard`:
/// the sizes are read where those are known.
///
/// The parts belong together: who gives the breakers of one guard to another has one guard that judges by both. `B` is what
/// the breakers lie in, where a face keeps something beside each; elsewhere leave it away.
///
/// ```
/// use core::time::Duration;
/// use seawall::{
///     CircuitBreaker, ConcurrencyLimit, GuardConfig, GuardState, GuardView, Instant, Outcome, Rate, Request, RetryBudget,
///     Verdict,
/// };
///
/// let shards = 3; // from a file, say
/// let config = GuardConfig::for_shards(Rate::per_second(20), Duration::from_secs(1), shards);
/// let (seed, now) = (7, Instant::ORIGIN);
/// let state = GuardState::new(config, seed, now)?;
/// let (bucket, budget) = (config.token_bucket(seed, now)?, RetryBudget::new(config.budget, now)?);
/// let breakers = (0..shards).map(|_| CircuitBreaker::new(config.breaker)).collect::<Result<Vec<_>, _>>()?;
/// let limit = ConcurrencyLimit::<64>::new(config.limit)?;
/// let guard = GuardView::new(&state, &bucket, &budget, &breakers, &limit, None).unwrap();
///
/// let mut call = guard.begin(Request { shard: 2, ..Request::DEFAULT }, now);
/// let permit = guard.try_attempt(&mut call, now).unwrap().permit;
/// assert_eq!(guard.finish(&mut call, permit, Outcome::Success, now).verdict, Verdict::Done);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct GuardView<'a, B = CircuitBreaker> {
    state: &'a GuardState,
    bucket: &'a TokenBucket,
    budget: &'a RetryBudget,
    /// There is one at least.
    first: &'a B,
    breakers: &'a [B],
    limit: &'a ConcurrencyLimitView,
    keyed: Option<&'a KeyedBucketsView>,
}

impl<B> Clone for GuardView<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for GuardView<'_, B> {}

impl<B: AsRef<CircuitBreaker>> Parts for GuardView<'_, B> {
    #[inline(always)]
    fn state(&self) -> &GuardState {
        self.state
    }

    #[inline(always)]
    fn bucket(&self) -> &TokenBucket {
        self.bucket
    }

    #[inline(always)]
    fn budget(&self) -> &RetryBudget {
        self.budget
    }

    #[inline(always)]
    fn shards(&self) -> u32 {
        // At most 65,535.
        self.breakers.len() as u32
    }

    #[inline(always)]
    fn breaker(&self, shard: u32) -> &CircuitBreaker {
        GuardView::breaker(*self, shard)
    }

    #[inline(always)]
    fn limit(&self) -> &ConcurrencyLimitView {
        self.limit
    }

    #[inline(always)]
    fn keyed(&self) -> Option<&KeyedBucketsView> {
        self.keyed
    }
}

impl<'a, B: AsRef<CircuitBreaker>> GuardView<'a, B> {
    /// The guard that these parts are, with a breaker for each shard; `None` unless there are 1 to 65,535 of them.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{CircuitBreaker, ConcurrencyLimit, GuardConfig, GuardState, GuardView, Instant, Rate, RetryBudget};
    /// let (seed, now) = (7, Instant::ORIGIN);
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let state = GuardState::new(config, seed, now)?;
    /// let (bucket, budget) = (config.token_bucket(seed, now)?, RetryBudget::new(config.budget, now)?);
    /// let limit = ConcurrencyLimit::<64>::new(config.limit)?;
    /// let of = |breakers: &[CircuitBreaker]| GuardView::new(&state, &bucket, &budget, breakers, &limit, None).is_some();
    /// assert!(of(&[CircuitBreaker::new(config.breaker)?]) && !of(&[]));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(
        state: &'a GuardState,
        bucket: &'a TokenBucket,
        budget: &'a RetryBudget,
        breakers: &'a [B],
        limit: &'a ConcurrencyLimitView,
        keyed: Option<&'a KeyedBucketsView>,
    ) -> Option<Self> {
        match breakers {
            [first, ..] if breakers.len() <= 65_535 => {
                Some(Self { state, bucket, budget, first, breakers, limit, keyed })
            }
            _ => None,
        }
    }

    /// As [`Guard::begin`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let call = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// assert_eq!(call, guard.begin(Request::DEFAULT, Instant::ORIGIN));
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn begin(&self, request: Request, now: Instant) -> Call {
        Work::begin(self, request, now)
    }

    /// As [`Guard::try_attempt`].
    ///
    /// # Errors
    /// As [`Guard::try_attempt`].
    ///
    /// # Concurrency
    /// As [`Guard::try_attempt`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// let mut other = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// assert!(guard.view().try_attempt(&mut call, Instant::ORIGIN).is_ok());
    /// let refused = guard.view().try_attempt(&mut other, Instant::ORIGIN).unwrap_err();
    /// assert_eq!(refused.stage(), Stage::ConcurrencyLimit);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn try_attempt(&self, call: &mut Call, now: Instant) -> Result<Admission, Refused> {
        Work::try_attempt(self, call, now)
    }

    /// As [`Guard::finish`].
    ///
    /// # Concurrency
    /// As [`Guard::finish`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Request, Verdict};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// let permit = guard.view().try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    /// let finished = guard.view().finish(&mut call, permit, Outcome::Success, Instant::ORIGIN);
    /// assert_eq!(finished.verdict, Verdict::Done);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn finish(&self, call: &mut Call, permit: Permit, outcome: Outcome, now: Instant) -> Finished {
        Work::finish(self, call, permit, outcome, now)
    }

    /// As [`Guard::cancel`].
    ///
    /// # Concurrency
    /// As [`Guard::cancel`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// let permit = guard.view().try_attempt(&mut call, Instant::ORIGIN).unwrap().permit;
    /// assert!(guard.view().cancel(permit, Instant::ORIGIN));
    /// assert!(!guard.cancel(permit, Instant::ORIGIN));
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn cancel(&self, permit: Permit, now: Instant) -> bool {
        Work::cancel(self, permit, now)
    }

    /// As [`Guard::abandon`].
    ///
    /// # Concurrency
    /// As [`Guard::abandon`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let mut call = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// guard.view().abandon(&mut call, Instant::ORIGIN);
    /// assert!(guard.view().try_attempt(&mut call, Instant::ORIGIN).is_err());
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn abandon(&self, call: &mut Call, now: Instant) {
        Work::abandon(self, call, now);
    }

    /// As [`Guard::peek`].
    ///
    /// # Errors
    /// As [`Guard::try_attempt`].
    ///
    /// # Concurrency
    /// As [`Guard::peek`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let call = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// assert!(guard.view().peek(&call, Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn peek(&self, call: &Call, now: Instant) -> Result<(), Refused> {
        Work::peek(self, call, now)
    }

    /// As [`Guard::paused_until`].
    ///
    /// # Concurrency
    /// As [`Guard::paused_until`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(guard.view().paused_until(Instant::ORIGIN), None);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn paused_until(&self, now: Instant) -> Option<Instant> {
        Work::paused_until(self, now)
    }

    /// What the guard draws from here on is of another seed: for a process that was forked, whose retries would else come at
    /// the same instants as its parent's. Who is in a [canary](crate::Mode::Canary) stays what it was.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// guard.view().reseed(8); // `entropy()`, in the child
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    pub fn reseed(&self, seed: u64) {
        self.state.random.reseed(seed);
    }

    /// As [`Guard::rebase`].
    ///
    /// # Errors
    /// [`ChangeError`]; then nothing has changed. [`ChangeError::Contended`]: try again.
    ///
    /// # Concurrency
    /// As [`Guard::rebase`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let old_now = Instant::from_nanos(1 << 60);
    /// let guard = Guard::<64>::new(config, 7, old_now)?;
    /// guard.view().rebase(old_now, Instant::ORIGIN)?;
    /// let mut call = guard.view().begin(Request::DEFAULT, Instant::ORIGIN);
    /// assert!(guard.view().try_attempt(&mut call, Instant::ORIGIN).is_ok());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) -> Result<(), ChangeError> {
        Work::rebase(self, old_now, new_now)
    }

    /// As [`Guard::reset`]; `tell` hears the transition of each shard's breaker that this call closed, by the numbers of
    /// the shards.
    ///
    /// # Errors
    /// [`ChangeError`]; then nothing has changed. [`ChangeError::Contended`]: try again.
    ///
    /// # Concurrency
    /// As [`Guard::reset`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, State};
    /// let config = GuardConfig::for_shards(Rate::per_second(5), Duration::from_secs(1), 3);
    /// let guard = Guard::<64, 3>::new(config, 7, Instant::ORIGIN)?;
    /// guard.breaker(1).force_open(Instant::ORIGIN);
    /// let mut told = Vec::new();
    /// guard.view().reset(Instant::ORIGIN, |transition| told.push((transition.shard, transition.to)))?;
    /// assert_eq!(told, [(1, State::Closed)]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reset(&self, now: Instant, tell: impl FnMut(Transition)) -> Result<(), ChangeError> {
        Work::reset(self, now, tell)
    }

    /// As [`Guard::mode`].
    ///
    /// # Concurrency
    /// One load.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Mode, Rate, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(guard.view().mode(Stage::TokenBucket), Mode::Enforce);
    /// assert_eq!(guard.view().mode(Stage::KeyedBucket), Mode::Off);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn mode(&self, stage: Stage) -> Mode {
        Work::mode(self, stage)
    }

    /// As [`Guard::set_mode`].
    ///
    /// # Errors
    /// [`ModeError`]: the deadline has no mode, and no stage that is not there. Then nothing has changed.
    ///
    /// # Concurrency
    /// Wait-free, one store. A call that begins meanwhile goes by the old mode or the new.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Mode, Rate, Stage};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// guard.view().set_mode(Stage::TokenBucket, Mode::Shadow)?;
    /// assert_eq!(guard.mode(Stage::TokenBucket), Mode::Shadow);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_mode(&self, stage: Stage, mode: Mode) -> Result<(), ModeError> {
        Work::set_mode(self, stage, mode)
    }

    /// The number of shards.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_shards(Rate::per_second(5), Duration::from_secs(1), 3);
    /// assert_eq!(Guard::<64, 3>::new(config, 7, Instant::ORIGIN)?.view().shards(), 3);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn shards(&self) -> u32 {
        // At most 65,535.
        self.breakers.len() as u32
    }

    /// The circuit breaker of a shard, as [`Guard::breaker`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, State};
    /// let config = GuardConfig::for_shards(Rate::per_second(5), Duration::from_secs(1), 3);
    /// let guard = Guard::<64, 3>::new(config, 7, Instant::ORIGIN)?;
    /// guard.view().breaker(5).force_open(Instant::ORIGIN);
    /// assert_eq!(guard.breaker(2).state(Instant::ORIGIN), State::Open);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn breaker(self, shard: u32) -> &'a CircuitBreaker {
        self.breakers.get(shard as usize % self.breakers.len().max(1)).unwrap_or(self.first).as_ref()
    }

    /// The token bucket, as [`Guard::bucket`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(5), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// guard.view().bucket().set_rate(Rate::per_second(8), Instant::ORIGIN)?;
    /// assert_eq!(guard.bucket().rate(), Rate::per_second(8));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn bucket(self) -> &'a TokenBucket {
        self.bucket
    }

    /// The concurrency limit, as [`Guard::limit`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(guard.view().limit().limit(), 4);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn limit(self) -> &'a ConcurrencyLimitView {
        self.limit
    }

    /// The retry budget, as [`Guard::budget`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, RetryTokens};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(guard.view().budget().balance(Instant::ORIGIN), RetryTokens::ONE);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn budget(self) -> &'a RetryBudget {
        self.budget
    }

    /// The buckets by key, if there are any, as [`Guard::keyed`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let now = Instant::ORIGIN;
    /// let guard = Guard::<64>::new(GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1)), 7, now)?;
    /// assert!(guard.view().keyed().is_none());
    /// let users = KeyedBuckets::<8>::new(KeyedConfig::new(Rate::per_second(2), WhenFull::FailOpen), 0x5EED, now)?;
    /// let guard = guard.with_keyed(users);
    /// assert_eq!(guard.view().keyed().map(|users| users.available(5, now)), Some(2));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn keyed(self) -> Option<&'a KeyedBucketsView> {
        self.keyed
    }
}

impl<B> fmt::Debug for GuardView<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardView").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage> Guard<SLOTS, SHARDS, Keyed> {
    /// This guard without its sizes: for code that takes any guard, or one whose sizes are known only at run time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, GuardView, Instant, Rate};
    /// fn in_flight(guard: GuardView<'_>, now: Instant) -> u32 {
    ///     guard.limit().in_flight(now)
    /// }
    /// let config = GuardConfig::for_shards(Rate::per_second(20), Duration::from_secs(1), 3);
    /// assert_eq!(in_flight(Guard::<64, 3>::new(config, 7, Instant::ORIGIN)?.view(), Instant::ORIGIN), 0);
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub fn view(&self) -> GuardView<'_> {
        let Self { state, bucket, budget, breakers, limit, keyed } = self;
        GuardView { state, bucket, budget, first: Guard::breaker(self, 0), breakers, limit, keyed: keyed.buckets() }
    }
}
