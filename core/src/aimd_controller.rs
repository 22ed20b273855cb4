//! [`AimdController`]: finds the rate that a service can bear, from what its callers see.
//!
//! Additive increase, multiplicative decrease: as long as all is well the rate grows by a step an
//! interval; errors or slowness over a threshold multiply it by a factor, once. The plain rule has known
//! traps, and [`observe`](AimdController::observe) closes them:
//!
//! | trap of the plain rule | here |
//! | --- | --- |
//! | N failures of one blip cut N times | one change an interval, told to one caller |
//! | too few samples at the floor to ever leave it | samples add up until there are enough |
//! | errors that were always there look like overload | a learned baseline of errors and latency is no overload |
//! | two failures of thirty look like overload | errors must exceed the threshold by more than chance |
//! | an empty window looks healthy, an idle client grows | no evidence, no change; growth to 2 x the measured rate at most |
//!
//! # The invariant
//! The rate is between the floor and the ceiling at every moment, and of all calls whose `now` lies within
//! one interval at most one changes it.
//!
//! # The words
//! ```text
//!  rate        millionths of a request per second : 64
//!  judged_at   instant of the last judgement, all ones for never : 64
//!  changed_at  instant of the last change, all ones for never : 64
//!  judged      | samples judged so far : 32 | errors among them : 32 |   all ones: not anchored yet
//!  baseline    | known : 1 | last judged an overload : 1 | error rate, ppm : 20 | p95, microseconds : 42 |
//! ```
//! A judgement is one exchange of `judged_at`, from the value on which it stands to `now`: that is where calls are
//! ordered, and who loses it has nothing to do. The winner then notes what it judged and applies the change to the
//! rate in a second exchange, so that a [`set_rate`](AimdController::set_rate) in between is not overwritten.
//!
//! # Orderings
//! All `Relaxed`: each word is complete by itself, and nothing is published through it. What one caller judged
//! reaches the others with the next interval at the latest; were it to take longer, the same samples would be
//! judged twice.
//!
//! # Limits
//! * Rates are kept to a millionth per second, 10^-6 to 10^12 per second.
//! * `now` at 0 and at `u64::MAX` is legal. An older `now` means that no time has passed. A reading from the
//!   future, if it is judged, stops all judgements until then: [`due_at`](AimdController::due_at) shows it,
//!   [`rebase`](AimdController::rebase) heals it.
//! * Idle for a year: no evidence, no change; then the next interval is judged on what is then in the window.
//! * A winner that is stopped for ever before it applies its change loses that change; the next interval decides
//!   anew.
//! * Over 2^31 samples between two judgements (half an hour at 1.2 million a second) count modulo 2^32, and as none
//!   in the upper half: that judgement comes late.
//!
//! Source: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in Computer
//! Networks", 1989. One decrease per event is TCP's. The cap at twice the measured rate is AWS's adaptive retry mode;
//! a baseline that falls fast and rises slowly is Shopify semian's.

mod config;
mod verdict;

use core::time::Duration;

pub use self::config::{AimdConfig, AimdConfigError};
use self::config::{Settings, to_rate};
use self::verdict::{Baseline, Evidence, Verdict};
use crate::rate::Rate;
use crate::ratio::Ratio;
use crate::sliding_window::WindowSummary;
use crate::sync::{AtomicU64, Ordering, const_constructor, fault};
use crate::time::{Instant, nanos};

/// `judged_at` and `changed_at` before the first time.
const NEVER: u64 = u64::MAX;

/// `judged` before the first observation.
const NOT_ANCHORED: u64 = u64::MAX;

/// Why a rate changed.
///
/// ```
/// assert_eq!(seawall::RateChangeReason::Latency.name(), "latency");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum RateChangeReason {
    /// Decreased: too many calls failed.
    Errors = 1,
    /// Decreased: calls took too long.
    Latency = 2,
    /// Increased: all is well, and the rate is in use.
    Healthy = 3,
}

impl RateChangeReason {
    /// The reason in words, as in metrics and logs.
    ///
    /// ```
    /// assert_eq!(seawall::RateChangeReason::Errors.name(), "errors");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Healthy => "healthy",
        }
    }
}

/// A change of the rate, told to the one caller that brought it about.
///
/// ```
/// use seawall::{AimdConfig, AimdController, Instant, Rate, RateChangeReason, Ratio};
/// let controller = AimdController::new(AimdConfig::DEFAULT)?;
/// let change = controller.update(Some(Ratio::ONE), None, Instant::ORIGIN).expect("nothing was judged before");
/// assert_eq!((change.from, change.to), (Rate::per_second(5), Rate::new(5, core::time::Duration::from_secs(2)).unwrap()));
/// assert_eq!(change.reason, RateChangeReason::Errors);
/// # Ok::<(), seawall::AimdConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the limiter does not know of the change yet"]
pub struct RateChange {
    /// The rate until now.
    pub from: Rate,
    /// The rate from now on.
    pub to: Rate,
    /// Why.
    pub reason: RateChangeReason,
}

/// Finds the rate that a service can bear: grows it step by step, and cuts it when calls fail or take too long.
///
/// Feed it the figures of a [`SlidingWindow`](crate::SlidingWindow) every second or so, and hand each change to the
/// rate limiter. It judges at most once an interval, however often and from however many threads it is asked.
///
/// # Concurrency
/// Every method may be called from any thread, signal or interrupt handler at any time. Judging is lock-free: a bounded
/// number of steps, but for the exchange of the rate, which repeats only after another caller has changed it.
///
/// ```
/// use core::time::Duration;
/// use seawall::{AimdConfig, AimdController, Instant, Rate, RateChangeReason, SlidingWindow, WindowConfig};
///
/// static CONTROLLER: AimdController = match AimdController::new(AimdConfig::DEFAULT) {
///     Ok(controller) => controller,
///     Err(_) => panic!("the default is legal"),
/// };
///
/// let window = SlidingWindow::<8, 128>::new(WindowConfig::DEFAULT)?;
/// let second = |n| Instant::ORIGIN.saturating_add(Duration::from_secs(n));
/// assert_eq!(CONTROLLER.observe(&window.summary(second(0)), second(0)), None);
///
/// // Five calls a second, all well: the limit of 5 is in use and may grow.
/// for n in 0..25 {
///     window.record(Duration::from_millis(20), true, second(n / 5));
/// }
/// let change = CONTROLLER.observe(&window.summary(second(5)), second(5)).expect("it is time");
/// assert_eq!((change.from, change.to), (Rate::per_second(5), Rate::per_second(6)));
/// assert_eq!(change.reason, RateChangeReason::Healthy);
///
/// // Within the interval nothing else happens, then everything fails.
/// for n in 0..60 {
///     window.record(Duration::from_millis(20), false, second(6 + n / 6));
/// }
/// assert_eq!(CONTROLLER.observe(&window.summary(second(16)), second(16)), None);
/// let change = CONTROLLER.observe(&window.summary(second(35)), second(35)).expect("an interval has passed");
/// assert_eq!((change.to, change.reason), (Rate::per_second(3), RateChangeReason::Errors));
/// # Ok::<(), seawall::WindowConfigError>(())
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct AimdController {
    settings: Settings,
    rate: AtomicU64,
    judged_at: AtomicU64,
    changed_at: AtomicU64,
    judged: AtomicU64,
    baseline: AtomicU64,
}

impl AimdController {
    const_constructor! {
        /// A controller at `config.initial_rate`.
        ///
        /// # Errors
        /// [`AimdConfigError`] says what is wrong with `config` and what is allowed.
        ///
        /// ```
        /// use seawall::{AimdConfig, AimdController, Rate};
        /// static CONTROLLER: AimdController = match AimdController::new(AimdConfig::DEFAULT) {
        ///     Ok(controller) => controller,
        ///     Err(_) => panic!("refused at compile time"),
        /// };
        /// assert_eq!(CONTROLLER.current_rate(), Rate::per_second(5));
        /// ```
        pub fn new(config: AimdConfig) -> Result<Self, AimdConfigError> {
            match Settings::new(config) {
                Ok(settings) => Ok(Self {
                    rate: AtomicU64::new(settings.initial),
                    judged_at: AtomicU64::new(NEVER),
                    changed_at: AtomicU64::new(NEVER),
                    judged: AtomicU64::new(NOT_ANCHORED),
                    baseline: AtomicU64::new(Baseline::UNKNOWN.pack()),
                    settings,
                }),
                Err(error) => Err(error),
            }
        }
    }

    /// Judges what a window saw, and changes the rate if it is time and there is reason to.
    ///
    /// 1. The first call after [`new`](Self::new) or [`reset`](Self::reset) only notes where the totals of the window
    ///    stand. Later ones judge the samples since the last judgement, and wait for `minimum_samples` of them,
    ///    however long that takes.
    /// 2. The first judgement takes what it finds for the service's baseline, within `error_baseline_max` and
    ///    `latency_baseline_max`: p95 as it is, errors with two more failures and two more successes than were seen, so
    ///    that a few samples do not promise too much. The baseline falls where the service turns out to be better
    ///    (errors by a half of the way, p95 by an eighth), and rises by a quarter of it where a cut did not help or
    ///    nothing is left to cut: what stays then does not come from the rate.
    /// 3. **Cut** (× `factor`, not below `min_rate`) if errors exceed baseline + `error_threshold` by more than two
    ///    standard deviations of so many samples, or p95 exceeds both `latency_threshold` and 1.5 × its baseline.
    ///    A p95 of which a part is older than the last change has been answered by that change: it holds the rate, and
    ///    cuts it once the window has been renewed. Let the window be no longer than the interval.
    /// 4. **Hold** if errors exceed baseline + `error_threshold` by less than that.
    /// 5. Else **grow** by `step`, not over `max_rate` nor over twice the throughput measured: a limit that is not in use
    ///    says nothing about the service.
    ///
    /// `summary` is [`SlidingWindow::summary`](crate::SlidingWindow::summary), with the lifetime totals; where windows are
    /// merged, add up their totals. Use one window with one controller.
    ///
    /// # Concurrency
    /// Lock-free. If several callers judge at once, one changes the rate and is told.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{AimdConfig, AimdController, Instant, RateChangeReason, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// let controller = AimdController::new(AimdConfig::DEFAULT).expect("the default is legal");
    /// let now = Instant::ORIGIN;
    /// // The first call notes where the totals stand.
    /// assert_eq!(controller.observe(&window.summary(now), now), None);
    /// for _ in 0..10 {
    ///     window.record(Duration::from_millis(20), false, now);
    /// }
    /// let change = controller.observe(&window.summary(now), now).expect("ten calls failed");
    /// assert_eq!(change.reason, RateChangeReason::Errors);
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    pub fn observe(&self, summary: &WindowSummary, now: Instant) -> Option<RateChange> {
        let judged_at = self.judged_at.load(Ordering::Relaxed);
        if !self.is_due(judged_at, now) {
            return None;
        }
        // The low halves on purpose: only differences count.
        let total = u64::from(summary.total_count as u32) << 32 | u64::from(summary.total_errors as u32);
        let judged = self.judged.load(Ordering::Relaxed);
        if judged == NOT_ANCHORED {
            // Lost only to a caller that has anchored it.
            let _ = self.judged.compare_exchange(NOT_ANCHORED, total, Ordering::Relaxed, Ordering::Relaxed);
            return None;
        }
        let samples = difference(total >> 32, judged >> 32);
        let errors = difference(total, judged).min(samples);
        if samples == 0 || u64::from(samples) < self.settings.minimum_samples {
            return None;
        }
        let rate = self.rate.load(Ordering::Relaxed);
        let evidence = Evidence {
            samples,
            // Parts per million fit 32 bits.
            error_ppm: Ratio::of(errors.into(), samples.into()).as_ppm(),
            p95_us: summary.p95.map(|p95| nanos(p95) / 1_000),
            p95_is_fresh: has_passed(self.changed_at.load(Ordering::Relaxed), now, nanos(summary.observed)),
            measured: config::millionths(summary.throughput()),
        };
        let baseline = Baseline::unpack(self.baseline.load(Ordering::Relaxed));
        let (verdict, baseline) = verdict::judge(&self.settings, baseline, rate, evidence);
        if !self.claim(judged_at, now) {
            return None;
        }
        self.judged.store(total, Ordering::Relaxed);
        self.baseline.store(baseline.pack(), Ordering::Relaxed);
        self.apply(verdict, now)
    }

    /// The plain rule, for callers that measure by themselves: cut if `error_rate` or `p95` exceeds its threshold, else
    /// grow by a step. At most once an interval; without either figure there is no evidence and no change.
    ///
    /// It knows neither samples nor the rate in use nor a baseline: errors over the threshold that are always there
    /// hold it at the floor. [`observe`](Self::observe) has no such trap.
    ///
    /// # Concurrency
    /// As [`observe`](Self::observe).
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{AimdConfig, AimdController, Instant, Rate, Ratio};
    ///
    /// let controller = AimdController::new(AimdConfig::DEFAULT)?;
    /// let second = |n| Instant::ORIGIN.saturating_add(Duration::from_secs(n));
    /// let p95 = Some(Duration::from_millis(120));
    /// assert_eq!(controller.update(None, None, second(0)), None);
    /// assert!(controller.update(Some(Ratio::ZERO), p95, second(0)).is_some());
    /// assert_eq!(controller.current_rate(), Rate::per_second(6));
    /// assert!(controller.update(Some(Ratio::HALF), p95, second(29)).is_none());
    /// assert!(controller.update(Some(Ratio::HALF), p95, second(30)).is_some());
    /// assert_eq!(controller.current_rate(), Rate::per_second(3));
    /// # Ok::<(), seawall::AimdConfigError>(())
    /// ```
    pub fn update(&self, error_rate: Option<Ratio>, p95: Option<Duration>, now: Instant) -> Option<RateChange> {
        let judged_at = self.judged_at.load(Ordering::Relaxed);
        if (error_rate.is_none() && p95.is_none()) || !self.is_due(judged_at, now) {
            return None;
        }
        let verdict = if error_rate.is_some_and(|rate| rate.as_ppm() > self.settings.error_ppm) {
            Verdict::Cut(RateChangeReason::Errors)
        } else if p95.is_some_and(|p95| nanos(p95) > self.settings.latency_ns) {
            Verdict::Cut(RateChangeReason::Latency)
        } else {
            Verdict::Grow { at_most: u64::MAX }
        };
        // A rate that is where it has to be is no change, and takes no interval.
        let rate = self.rate.load(Ordering::Relaxed);
        if verdict.applied_to(rate, &self.settings) == rate || !self.claim(judged_at, now) {
            return None;
        }
        self.apply(verdict, now)
    }

    /// The rate in force. The limiter of who was told a change may follow a moment later.
    ///
    /// ```
    /// use seawall::{AimdConfig, AimdController, Rate};
    /// assert_eq!(AimdController::new(AimdConfig::DEFAULT)?.current_rate(), Rate::per_second(5));
    /// # Ok::<(), seawall::AimdConfigError>(())
    /// ```
    #[must_use]
    pub fn current_rate(&self) -> Rate {
        to_rate(self.rate.load(Ordering::Relaxed))
    }

    /// Sets the rate by hand, and gives the rate that holds now: `rate` between the floor and the ceiling, to a millionth
    /// per second. The next judgement is due when it was.
    ///
    /// # Concurrency
    /// Wait-free. A cut or growth that is decided at the same moment applies before it or after it.
    ///
    /// ```
    /// use seawall::{AimdConfig, AimdController, Rate};
    /// let controller = AimdController::new(AimdConfig::DEFAULT)?;
    /// assert_eq!(controller.set_rate(Rate::per_second(40)), Rate::per_second(40));
    /// assert_eq!(controller.set_rate(Rate::ZERO), AimdConfig::DEFAULT.min_rate);
    /// # Ok::<(), seawall::AimdConfigError>(())
    /// ```
    pub fn set_rate(&self, rate: Rate) -> Rate {
        let rate = config::millionths(rate).max(self.settings.min).min(self.settings.max);
        // A swap, so that it has its place in the chain of exchanges of the rate: a store may be mistaken by loom for an
        // older one.
        self.rate.swap(rate, Ordering::Relaxed);
        to_rate(rate)
    }

    /// Starts anew: the initial rate, no baseline, no samples; the first judgement is due an interval after
    /// `now`.
    ///
    /// # Concurrency
    /// Wait-free. A judgement at work meanwhile may still apply its change.
    ///
    /// ```
    /// use seawall::{AimdConfig, AimdController, Instant, Rate};
    /// let controller = AimdController::new(AimdConfig::DEFAULT)?;
    /// controller.set_rate(Rate::per_second(40));
    /// controller.reset(Instant::ORIGIN);
    /// assert_eq!(controller.current_rate(), AimdConfig::DEFAULT.initial_rate);
    /// # Ok::<(), seawall::AimdConfigError>(())
    /// ```
    pub fn reset(&self, now: Instant) {
        self.judged_at.store(not_never(now), Ordering::Relaxed);
        self.changed_at.store(NEVER, Ordering::Relaxed);
        self.judged.store(NOT_ANCHORED, Ordering::Relaxed);
        self.baseline.store(Baseline::UNKNOWN.pack(), Ordering::Relaxed);
        self.rate.store(self.settings.initial, Ordering::Relaxed);
    }

    /// Goes on with another clock, or with one that stepped: what was `old_now` is `new_now` from here on. The wait for
    /// the next judgement goes on as it was; a last one later than `old_now` counts as one at `old_now`.
    ///
    /// # Concurrency
    /// Wait-free. Must not run beside calls with readings of both clocks.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{AimdConfig, AimdController, Instant, Ratio};
    ///
    /// let controller = AimdController::new(AimdConfig::DEFAULT)?;
    /// let _ = controller.update(Some(Ratio::ZERO), None, Instant::MAX);
    /// controller.rebase(Instant::MAX, Instant::ORIGIN);
    /// assert_eq!(controller.due_at(), Instant::ORIGIN.saturating_add(Duration::from_secs(30)));
    /// # Ok::<(), seawall::AimdConfigError>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) {
        for word in [&self.judged_at, &self.changed_at] {
            let then = word.load(Ordering::Relaxed);
            if then != NEVER {
                let moved = not_never(new_now).saturating_sub(not_never(old_now).saturating_sub(then));
                // Lost only to a judgement, which has a reading of its own.
                let _ = word.compare_exchange(then, moved, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }

    /// When the next judgement may come; [`Instant::ORIGIN`] before the first.
    ///
    /// ```
    /// use seawall::{AimdConfig, AimdController, Instant, Ratio};
    /// let controller = AimdController::new(AimdConfig::DEFAULT)?;
    /// assert_eq!(controller.due_at(), Instant::ORIGIN);
    /// let _ = controller.update(Some(Ratio::ONE), None, Instant::from_nanos(7));
    /// assert_eq!(controller.due_at(), Instant::from_nanos(30_000_000_007));
    /// # Ok::<(), seawall::AimdConfigError>(())
    /// ```
    #[must_use]
    pub fn due_at(&self) -> Instant {
        match self.judged_at.load(Ordering::Relaxed) {
            NEVER => Instant::ORIGIN,
            judged_at => Instant::from_nanos(judged_at.saturating_add(self.settings.interval_ns)),
        }
    }

    /// The share of failed calls that is taken for healthy; `None` before the first judgement.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{AimdConfig, AimdController, Instant, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// let controller = AimdController::new(AimdConfig::DEFAULT).expect("the default is legal");
    /// let now = Instant::ORIGIN;
    /// let _ = controller.observe(&window.summary(now), now);
    /// assert_eq!(controller.error_baseline(), None);
    /// for _ in 0..10 {
    ///     window.record(Duration::from_millis(20), true, now);
    /// }
    /// let _ = controller.observe(&window.summary(now), now);
    /// // No failure of ten: two of fourteen, as a few samples do not promise too much.
    /// assert_eq!(controller.error_baseline().map(|share| share.as_ppm()), Some(142_857));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn error_baseline(&self) -> Option<Ratio> {
        let baseline = Baseline::unpack(self.baseline.load(Ordering::Relaxed));
        // Refused only over a million, which no baseline is.
        if baseline.known { Some(Ratio::from_ppm(baseline.error_ppm).unwrap_or(Ratio::ONE)) } else { None }
    }

    /// The p95 that is taken for healthy, to a microsecond; `None` before the first judgement.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{AimdConfig, AimdController, Instant, SlidingWindow, WindowConfig};
    ///
    /// let window = SlidingWindow::<8, 64>::new(WindowConfig::DEFAULT)?;
    /// let controller = AimdController::new(AimdConfig::DEFAULT).expect("the default is legal");
    /// let now = Instant::ORIGIN;
    /// let _ = controller.observe(&window.summary(now), now);
    /// assert_eq!(controller.latency_baseline(), None);
    /// for _ in 0..10 {
    ///     window.record(Duration::from_millis(20), true, now);
    /// }
    /// let _ = controller.observe(&window.summary(now), now);
    /// let healthy = controller.latency_baseline().expect("ten calls were judged");
    /// assert!(healthy.abs_diff(Duration::from_millis(20)) < Duration::from_millis(5));
    /// # Ok::<(), seawall::WindowConfigError>(())
    /// ```
    #[must_use]
    pub fn latency_baseline(&self) -> Option<Duration> {
        let baseline = Baseline::unpack(self.baseline.load(Ordering::Relaxed));
        if baseline.known { Some(Duration::from_micros(baseline.p95_us)) } else { None }
    }

    fn is_due(&self, judged_at: u64, now: Instant) -> bool {
        has_passed(judged_at, now, self.settings.interval_ns)
    }

    /// Takes the interval for the judgement that stands on `judged_at`.
    fn claim(&self, judged_at: u64, now: Instant) -> bool {
        if fault("aimd_controller: an interval is claimed without a comparison") {
            self.judged_at.store(not_never(now), Ordering::Relaxed);
            return true;
        }
        // The value cannot come back: it grows by an interval at least.
        self.judged_at.compare_exchange(judged_at, not_never(now), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn apply(&self, verdict: Verdict, now: Instant) -> Option<RateChange> {
        let reason = match verdict {
            Verdict::Hold => return None,
            Verdict::Cut(reason) => reason,
            Verdict::Grow { .. } => RateChangeReason::Healthy,
        };
        self.changed_at.store(not_never(now), Ordering::Relaxed);
        let mut from = self.rate.load(Ordering::Relaxed);
        loop {
            let to = verdict.applied_to(from, &self.settings);
            if to == from {
                return None;
            }
            if fault("aimd_controller: the rate is changed without a comparison") {
                self.rate.store(to, Ordering::Relaxed);
                return Some(RateChange { from: to_rate(from), to: to_rate(to), reason });
            }
            // Lock-free: lost only to another caller that changed the rate.
            match self.rate.compare_exchange_weak(from, to, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(RateChange { from: to_rate(from), to: to_rate(to), reason }),
                Err(seen) => from = seen,
            }
        }
    }
}

/// An instant as these words hold it: the very last one counts as the one before.
const fn not_never(now: Instant) -> u64 {
    if now.as_nanos() == NEVER { NEVER - 1 } else { now.as_nanos() }
}

/// Whether so many nanoseconds have passed since `then`.
const fn has_passed(then: u64, now: Instant, nanos: u64) -> bool {
    // Saturating: an older `now` means that no time has passed.
    then == NEVER || now.as_nanos().saturating_sub(then) >= nanos
}

/// How far the low half of `later` is ahead of that of `earlier`, modulo 2^32; 0 where it lies behind, as it does for a
/// moment while a window reuses its cells.
const fn difference(later: u64, earlier: u64) -> u32 {
    let ahead = (later as u32).wrapping_sub(earlier as u32);
    if ahead > u32::MAX / 2 { 0 } else { ahead }
}
