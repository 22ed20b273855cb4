//! What a controller is told, what is refused, and what it keeps of it.

use core::fmt;
use core::time::Duration;

use crate::rate::Rate;
use crate::ratio::Ratio;
use crate::time::{SECOND, nanos};

/// How an [`AimdController`](crate::AimdController) behaves.
///
/// ```
/// use seawall::{AimdConfig, AimdController, Rate};
///
/// let config = AimdConfig { max_rate: Rate::per_second(500), step: Rate::per_second(5), ..AimdConfig::DEFAULT };
/// assert!(AimdController::new(config).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AimdConfig {
    /// The rate to start from, `min_rate` to `max_rate`.
    pub initial_rate: Rate,
    /// The floor: never cut below this. At least 10^-6 per second: a cut to zero would end all evidence and never be
    /// undone.
    pub min_rate: Rate,
    /// The ceiling, at most 10^12 per second.
    pub max_rate: Rate,
    /// What the rate grows by, an interval; at least 10^-6 per second.
    pub step: Rate,
    /// What the rate is multiplied by in a cut, 0 to 0.999999; 0 cuts to the floor.
    pub factor: Ratio,
    /// A larger share of failures than this, over the baseline, is an overload. 0 to 1; 1 means that errors never are.
    pub error_threshold: Ratio,
    /// A p95 over this is an overload. `Duration::MAX`: slowness never is.
    pub latency_threshold: Duration,
    /// At most one change in so long: longer than an overload takes to show, and a cut to help. At least a nanosecond.
    pub interval: Duration,
    /// No judgement on fewer samples than this; until then they add up. At least 1.
    pub minimum_samples: u64,
    /// The largest share of failures that can be learned as healthy, 0 to 1. 0: the threshold holds as it stands.
    pub error_baseline_max: Ratio,
    /// The longest p95 that can be learned as healthy. 0: the threshold holds as it stands.
    pub latency_baseline_max: Duration,
}

impl AimdConfig {
    /// From 5 per second between 1 and 100, + 1 or × 0.5 every 30 s, on 5 % errors or a p95 of 400 ms, judged on 10
    /// samples or more; up to 20 % failures and a p95 of one second can be learned as healthy.
    pub const DEFAULT: Self = Self {
        initial_rate: Rate::per_second(5),
        min_rate: Rate::per_second(1),
        max_rate: Rate::per_second(100),
        step: Rate::per_second(1),
        factor: Ratio::HALF,
        error_threshold: Ratio::ppm(50_000),
        latency_threshold: Duration::from_millis(400),
        interval: Duration::from_secs(30),
        minimum_samples: 10,
        error_baseline_max: Ratio::ppm(200_000),
        latency_baseline_max: Duration::from_secs(1),
    };
}

/// Why an [`AimdConfig`] was not accepted.
///
/// ```
/// use seawall::{AimdConfig, AimdConfigError, AimdController, Ratio};
/// let error = AimdController::new(AimdConfig { factor: Ratio::ONE, ..AimdConfig::DEFAULT }).unwrap_err();
/// assert_eq!(error, AimdConfigError::FactorTooLarge);
/// assert_eq!(error.to_string(), "factor is 1, so that a cut would not cut: allowed are 0 to 0.999999");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AimdConfigError {
    /// `min_rate` was under 10^-6 per second.
    MinRateTooLow,
    /// `max_rate` was over 10^12 per second.
    MaxRateTooHigh,
    /// `initial_rate` was not between `min_rate` and `max_rate`.
    RatesOutOfOrder,
    /// `step` was under 10^-6 per second.
    StepTooSmall,
    /// `factor` was 1: a cut would not cut.
    FactorTooLarge,
    /// `interval` was zero.
    ZeroInterval,
    /// `minimum_samples` was zero.
    ZeroMinimumSamples,
}

impl AimdConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::AimdConfigError;
    /// assert!(AimdConfigError::ZeroInterval.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::MinRateTooLow => "min_rate is under 0.000001 per second: allowed is that up to initial_rate",
            Self::MaxRateTooHigh => "max_rate is over 10^12 per second: allowed is initial_rate up to that",
            Self::RatesOutOfOrder => {
                "initial_rate is not between min_rate and max_rate: allowed are min_rate to max_rate"
            }
            Self::StepTooSmall => "step is under 0.000001 per second: allowed is that and more",
            Self::FactorTooLarge => "factor is 1, so that a cut would not cut: allowed are 0 to 0.999999",
            Self::ZeroInterval => "interval is zero: allowed is 1 ns and more",
            Self::ZeroMinimumSamples => "minimum_samples is zero: allowed is 1 and more",
        }
    }
}

impl fmt::Display for AimdConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for AimdConfigError {}

/// A config that was accepted. Rates in millionths per second.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Settings {
    pub(super) initial: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) step: u64,
    pub(super) latency_ns: u64,
    pub(super) interval_ns: u64,
    pub(super) minimum_samples: u64,
    pub(super) latency_baseline_max_us: u64,
    pub(super) factor: Ratio,
    pub(super) error_ppm: u32,
    pub(super) error_baseline_max_ppm: u32,
}

/// The highest rate: 10^12 per second, in millionths.
const HIGHEST: u64 = 1_000_000_000_000_000_000;

impl Settings {
    pub(super) const fn new(config: AimdConfig) -> Result<Self, AimdConfigError> {
        let settings = Self {
            initial: millionths(config.initial_rate),
            min: millionths(config.min_rate),
            max: millionths(config.max_rate),
            step: millionths(config.step),
            latency_ns: nanos(config.latency_threshold),
            interval_ns: nanos(config.interval),
            minimum_samples: config.minimum_samples,
            latency_baseline_max_us: nanos(config.latency_baseline_max) / 1_000,
            factor: config.factor,
            error_ppm: config.error_threshold.as_ppm(),
            error_baseline_max_ppm: config.error_baseline_max.as_ppm(),
        };
        if settings.min == 0 {
            Err(AimdConfigError::MinRateTooLow)
        } else if settings.max > HIGHEST {
            Err(AimdConfigError::MaxRateTooHigh)
        } else if settings.initial < settings.min || settings.initial > settings.max {
            Err(AimdConfigError::RatesOutOfOrder)
        } else if settings.step == 0 {
            Err(AimdConfigError::StepTooSmall)
        } else if config.factor.as_ppm() >= Ratio::ONE.as_ppm() {
            Err(AimdConfigError::FactorTooLarge)
        } else if settings.interval_ns == 0 {
            Err(AimdConfigError::ZeroInterval)
        } else if settings.minimum_samples == 0 {
            Err(AimdConfigError::ZeroMinimumSamples)
        } else {
            Ok(settings)
        }
    }
}

const MILLION: u64 = 1_000_000;

/// A rate in millionths per second, to the nearest; saturates.
pub(super) const fn millionths(rate: Rate) -> u64 {
    let period = rate.period_ns() as u128;
    // At most 2^64 * 10^15 + 2^63: under 2^114.
    let millionths = (rate.count() as u128 * (MILLION as u128 * SECOND as u128) + period / 2) / period;
    if millionths > u64::MAX as u128 { u64::MAX } else { millionths as u64 }
}

/// And back.
pub(super) const fn to_rate(millionths: u64) -> Rate {
    if millionths.is_multiple_of(MILLION) {
        return Rate::per_second(millionths / MILLION);
    }
    match Rate::new(millionths, Duration::from_secs(MILLION)) {
        Ok(rate) => rate,
        // A million seconds are a legal period.
        Err(_) => Rate::ZERO,
    }
}
