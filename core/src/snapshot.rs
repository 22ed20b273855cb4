//! [`Snapshot`]: a guard and its recorders at one moment, as plain values and in words.
//!
//! # The invariant
//! A snapshot decides nothing and changes nothing: it is made of loads. Counts are merged exactly, quantiles from merged
//! histograms, so that many workers read as one.
//!
//! # The words
//! [`Snapshot::explain`] says in sentences what was refused lately and by what, what would refuse an attempt now, what
//! would make it pass, and when. A text has the size that the caller chose: what does not fit is left out from the
//! first sentence on that does not fit, and no sentence is ever cut in two. Waits are rounded up, so that nobody who
//! waits as told comes early. No float, no allocation, and none of the machinery of `core::fmt`.
//!
//! # Limits
//! While others call there is no single instant to be seen: the parts are read one after the other. What a snapshot says
//! of a stage holds for the moment at which it was read, and another thread may take the token in between.

mod explain;
mod words;

use core::time::Duration;

use crate::circuit_breaker::CircuitBreaker;
use crate::guard::{Guard, GuardView, KeyedStage, Mode};
use crate::keyed_buckets::KeyedConfig;
use crate::rate::Rate;
use crate::ratio::Ratio;
use crate::recorder::{Change, Counts, Recorder, reading_order};
use crate::refused::{Refused, Stage};
use crate::retry_budget::RetryTokens;
use crate::sliding_window::{WindowSnapshot, WindowSummary};
use crate::time::Instant;
use crate::transition::{Cause, State};
use crate::writers::Writers;

/// A guard and its recorders at one moment: made by [`Guard::snapshot`].
///
/// ```
/// use core::time::Duration;
/// use seawall::{Guard, GuardConfig, Instant, Outcome, Rate, Recorder, Request, State, WindowConfig};
///
/// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
/// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
/// let workers = [Recorder::<4, 32>::new(WindowConfig::DEFAULT)?, Recorder::new(WindowConfig::DEFAULT)?];
///
/// for (worker, millis) in [(0, 0), (1, 1), (0, 60)] {
///     let now = Instant::ORIGIN.saturating_add(Duration::from_millis(millis));
///     let (mut call, mut record) = (guard.begin(Request::DEFAULT, now), workers[worker].begun(now));
///     let answer = guard.try_attempt(&mut call, now);
///     workers[worker].attempted(&mut record, &answer, now);
///     if let Ok(admission) = answer {
///         let finished = guard.finish(&mut call, admission.permit, Outcome::Success, now);
///         workers[worker].finished(&mut record, Outcome::Success, &finished, now);
///     }
/// }
/// let snapshot = guard.snapshot(&workers, Instant::ORIGIN.saturating_add(Duration::from_millis(60)));
/// assert_eq!((snapshot.breaker, snapshot.in_flight), (State::Closed, 0));
/// assert_eq!((snapshot.recent.refused(), snapshot.total.delivered(), snapshot.total.begun()), (1, 2, 3));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was made.
    pub now: Instant,
    /// What was counted in the windows of the recorders.
    pub recent: Counts,
    /// The time that `recent` stands for: less than a window at first, and at least a slice of one.
    pub observed: Duration,
    /// What was counted since the recorders were made.
    pub total: Counts,
    /// The attempts that ended in the windows: throughput, error rate, latencies. Ignored ones are not among them.
    pub attempts: WindowSummary,
    /// The calls that were delivered in the windows: as latencies, the times from the beginning of the call to its end,
    /// over all its attempts and waits.
    pub deliveries: WindowSummary,
    /// The state of the circuit breaker; of several, of the first that is open, or else half-open.
    pub breaker: State,
    /// The shard whose breaker that is.
    pub shard: u32,
    /// Why it is in that state; `None` if no recorder was told.
    pub breaker_cause: Option<Cause>,
    /// For how long it is in that state, to a millisecond and a bit; `None` if no recorder was told.
    pub breaker_for: Option<Duration>,
    /// How many attempts may be in flight.
    pub limit: u32,
    /// How many are.
    pub in_flight: u32,
    /// The rate of the token bucket, or the one that its warm-up climbs to.
    pub rate: Rate,
    /// The most tokens that it holds.
    pub burst: u32,
    /// The whole tokens that it holds.
    pub tokens: u32,
    /// What the retry budget holds.
    pub budget: RetryTokens,
    /// Rate and burst of each key, of a guard that has [buckets by key](Guard::with_keyed).
    pub keyed: Option<KeyedConfig>,
    /// How many attempts passed without a limit of their key, as there was no place for it. Since the start.
    pub keyed_let_through: u64,
    /// Pause, breaker, limit, bucket: what each says to an attempt of one token.
    refusals: [Option<Refused>; 4],
}

impl Snapshot {
    /// How `stage` would refuse an attempt of one token, if it would. The stages that judge a call and not the service,
    /// the deadline, the retry budget and the bucket of a key, refuse nobody beforehand.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Stage, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// guard.bucket().try_take(1, Instant::ORIGIN).unwrap();
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let refusal = guard.snapshot([&recorder], Instant::ORIGIN).refusal(Stage::TokenBucket);
    /// // It earns 320 a second. The first of them is up to an interval later, by the seed.
    /// let wait = refusal.and_then(|refused| refused.retry_after()).unwrap();
    /// assert!(wait >= Duration::from_micros(3_125) && wait <= Duration::from_micros(6_250));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn refusal(&self, stage: Stage) -> Option<Refused> {
        self.refusals.iter().flatten().find(|refused| refused.stage() == stage).copied()
    }

    /// How an attempt of one token would be refused at this moment, by the first stage that would; `None`: it passes.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, Stage, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(guard.snapshot([&recorder], Instant::ORIGIN).first_refusal(), None);
    /// guard.breaker(0).force_open(Instant::ORIGIN);
    /// let refused = guard.snapshot([&recorder], Instant::ORIGIN).first_refusal().unwrap();
    /// assert_eq!(refused.stage(), Stage::CircuitBreaker);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn first_refusal(&self) -> Option<Refused> {
        self.refusals.iter().flatten().next().copied()
    }

    /// The share of all calls that began which were delivered, over the lifetime of the recorders; `None` if none began.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Ratio, Recorder, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// assert_eq!(guard.snapshot([&recorder], Instant::ORIGIN).delivered_share(), None);
    /// recorder.abandoned(recorder.begun(Instant::ORIGIN), Instant::ORIGIN);
    /// assert_eq!(guard.snapshot([&recorder], Instant::ORIGIN).delivered_share(), Some(Ratio::ZERO));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn delivered_share(&self) -> Option<Ratio> {
        match self.total.begun() {
            0 => None,
            begun => Some(Ratio::of(self.total.delivered(), begun)),
        }
    }
}

/// What recorders say together.
struct Recorded {
    recent: Counts,
    observed: Duration,
    total: Counts,
    attempts: WindowSummary,
    deliveries: WindowSummary,
    change: Option<Change>,
}

impl Recorded {
    fn of<'a, const SLICES: usize, const CELLS: usize, W: Writers>(
        recorders: impl Iterator<Item = &'a Recorder<SLICES, CELLS, W>> + Clone,
        now: Instant,
    ) -> Self {
        let mut change: Option<Change> = None;
        let mut recent = Counts::ZERO;
        let mut observed_ns = 0;
        // The windows before the totals: no window then holds more than its total.
        for recorder in recorders.clone() {
            observed_ns = observed_ns.max(recorder.add_recent(&mut recent, now));
            change = match (change, recorder.last_change()) {
                (Some(one), Some(other)) if one.at >= other.at => Some(one),
                (one, other) => other.or(one),
            };
        }
        let attempts = summary(recorders.clone(), |recorder, snapshot| recorder.add_attempts(snapshot, now));
        let deliveries = summary(recorders.clone(), |recorder, snapshot| recorder.add_deliveries(snapshot, now));
        let mut total = Counts::ZERO;
        for counter in reading_order() {
            for recorder in recorders.clone() {
                recorder.add_total(counter, &mut total);
            }
        }
        let outcomes = total.outcomes();
        Self {
            recent,
            observed: Duration::from_nanos(observed_ns),
            attempts: WindowSummary {
                total_count: outcomes.success.saturating_add(outcomes.bad()),
                total_errors: outcomes.bad(),
                ..attempts
            },
            deliveries: WindowSummary { total_count: total.delivered(), ..deliveries },
            total,
            change,
        }
    }
}

/// The windows of all recorders as one. Not inlined: the page of counts leaves the stack again.
#[inline(never)]
fn summary<'a, const SLICES: usize, const CELLS: usize, W: Writers>(
    recorders: impl Iterator<Item = &'a Recorder<SLICES, CELLS, W>>,
    add: impl Fn(&Recorder<SLICES, CELLS, W>, &mut WindowSnapshot<CELLS>),
) -> WindowSummary {
    let mut snapshot = WindowSnapshot::empty();
    for recorder in recorders {
        add(recorder, &mut snapshot);
    }
    snapshot.summary()
}

impl<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage> Guard<SLOTS, SHARDS, Keyed> {
    /// This guard and what `recorders` counted and measured beside it, at `now`: every figure that there is, and
    /// [`Snapshot::explain`] to say it in words. A recorder that is given twice counts twice.
    ///
    /// # Complexity
    /// For each recorder one load a counter and slice, and the cells in use of its windows. `CELLS` words of stack.
    ///
    /// # Concurrency
    /// Wait-free but for the breaker, which is read anew while it changes; loads only. See [`Snapshot`] for what can be
    /// seen beside callers: no end without its beginning, no window over its total.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, RetryTokens, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorders = [Recorder::<4, 32>::new(WindowConfig::DEFAULT)?, Recorder::new(WindowConfig::DEFAULT)?];
    /// let snapshot = guard.snapshot(&recorders, Instant::ORIGIN);
    /// assert_eq!((snapshot.rate, snapshot.burst, snapshot.tokens), (Rate::per_second(320), 20, 1));
    /// assert_eq!((snapshot.limit, snapshot.budget), (4, RetryTokens::ONE));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot<'a, const SLICES: usize, const CELLS: usize, W: Writers>(
        &self,
        recorders: impl IntoIterator<Item = &'a Recorder<SLICES, CELLS, W>, IntoIter: Clone>,
        now: Instant,
    ) -> Snapshot {
        of(self.view(), recorders.into_iter(), now)
    }
}

impl<B: AsRef<CircuitBreaker>> GuardView<'_, B> {
    /// As [`Guard::snapshot`].
    ///
    /// # Complexity
    /// As [`Guard::snapshot`].
    ///
    /// # Concurrency
    /// As [`Guard::snapshot`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Recorder, WindowConfig};
    /// let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    /// let guard = Guard::<64>::new(config, 7, Instant::ORIGIN)?;
    /// let recorder = Recorder::<4, 32>::new(WindowConfig::DEFAULT)?;
    /// let snapshot = guard.view().snapshot([&recorder], Instant::ORIGIN);
    /// assert_eq!(snapshot, guard.snapshot([&recorder], Instant::ORIGIN));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot<'a, const SLICES: usize, const CELLS: usize, W: Writers>(
        &self,
        recorders: impl IntoIterator<Item = &'a Recorder<SLICES, CELLS, W>, IntoIter: Clone>,
        now: Instant,
    ) -> Snapshot {
        of(*self, recorders.into_iter(), now)
    }
}

/// What [`Guard::snapshot`] says, of a guard of any kind.
fn of<'a, const SLICES: usize, const CELLS: usize, W: Writers>(
    guard: GuardView<'_, impl AsRef<CircuitBreaker>>,
    recorders: impl Iterator<Item = &'a Recorder<SLICES, CELLS, W>> + Clone,
    now: Instant,
) -> Snapshot {
    let Recorded { recent, observed, total, attempts, deliveries, change } = Recorded::of(recorders, now);
    let pause =
        guard.paused_until(now).map(|end| Refused::not_yet(Stage::Pause, Some(end.saturating_duration_since(now))));
    let (shard, breaker) = worst_shard(guard, now);
    let keyed = guard.keyed().map(|keyed| (keyed.config(), keyed.let_through()));
    // What was heard of another state is older than this one.
    let change =
        change.filter(|change| change.to == breaker && (guard.shards() == 1 || change.shard == shard.min(255)));
    Snapshot {
        now,
        recent,
        observed,
        total,
        attempts,
        deliveries,
        breaker,
        shard,
        breaker_cause: change.map(|change| change.cause),
        breaker_for: change.map(|change| now.saturating_duration_since(change.at)),
        limit: guard.limit().limit(),
        in_flight: guard.limit().in_flight(now),
        rate: guard.bucket().rate(),
        burst: guard.bucket().burst(),
        tokens: guard.bucket().available(now),
        budget: guard.budget().balance(now),
        keyed: keyed.map(|(config, _)| config),
        keyed_let_through: keyed.map_or(0, |(_, let_through)| let_through),
        refusals: [
            pause,
            guard.breaker(shard).peek(now).err(),
            guard.limit().peek(now).err(),
            guard.bucket().peek(1, now).err(),
        ]
        .map(|refused| refused.filter(|refused| refuses(guard, refused.stage()))),
    }
}

/// Whether a stage refuses anybody: in shadow and off it does not.
fn refuses(guard: GuardView<'_, impl AsRef<CircuitBreaker>>, stage: Stage) -> bool {
    !matches!(guard.mode(stage), Mode::Shadow | Mode::Off)
}

/// The first shard whose breaker is open, or else half-open, or else the first, and the state of its breaker.
fn worst_shard(guard: GuardView<'_, impl AsRef<CircuitBreaker>>, now: Instant) -> (u32, State) {
    let badness = |state| match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    };
    let mut worst = (0, guard.breaker(0).state(now));
    for shard in 1..guard.shards() {
        let state = guard.breaker(shard).state(now);
        if badness(state) > badness(worst.1) {
            worst = (shard, state);
        }
    }
    worst
}
