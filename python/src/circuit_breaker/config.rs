//! The settings of a circuit breaker by keyword.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall::{BreakerConfig, BreakerConfigError, CircuitBreaker, Ratio, TripRule};

use crate::options::Options;
use crate::values::{bad, count, positive_seconds, ratio, seconds};

const NAMES: [&str; 14] = [
    "failure_threshold",
    "failure_share",
    "slow_share",
    "slower_than",
    "window",
    "minimum",
    "open_for",
    "open_jitter",
    "open_growth",
    "open_cap",
    "probes",
    "probe_lease",
    "close_share",
    "ramp",
];

/// The longest window of a share rule, in calls, and how many calls it judges where nothing is said.
const MOST_WINDOW: u32 = 32;
const WINDOW: u32 = 20;
const MINIMUM: u32 = 5;
const MOST_PROBES: u32 = 8;

/// `base` with what is given. `of` is who has the settings, as in an error.
pub(crate) fn config(of: &str, base: BreakerConfig, given: Option<&Bound<'_, PyDict>>) -> PyResult<BreakerConfig> {
    let options = Options::new(of, given, &NAMES)?;
    let open_for = options.or("open_for", base.open_for, positive_seconds)?;
    let config = BreakerConfig {
        rule: rule(&options, base.rule)?,
        open_for,
        open_jitter: options.or("open_jitter", base.open_jitter, |name, given| match ratio(name, given)? {
            Ratio::ONE => Err(bad(name, given, "a share from 0.0 to less than 1.0")),
            share => Ok(share),
        })?,
        open_growth_percent: options.or("open_growth", base.open_growth_percent, growth)?,
        // Who names only the interval has not asked for a cap below it.
        open_cap: options.or("open_cap", base.open_cap.max(open_for), positive_seconds)?,
        probes: options.or("probes", base.probes, |name, given| count(name, given, 1, MOST_PROBES))?,
        probe_lease: options.or("probe_lease", base.probe_lease, positive_seconds)?,
        close_share: options.or("close_share", base.close_share, positive_share)?,
        ramp: options.or("ramp", base.ramp, seconds)?,
    };
    match CircuitBreaker::new(config) {
        Ok(_) => Ok(config),
        Err(error) => Err(refusal(error)),
    }
}

/// What two settings together cannot be.
fn refusal(error: BreakerConfigError) -> PyErr {
    let name = match error {
        BreakerConfigError::Minimum => "minimum: ",
        BreakerConfigError::OpenCap => "open_cap: ",
        _ => "",
    };
    PyValueError::new_err(format!("{name}{}", error.message()))
}

/// One rule. What names another than the one that there is begins it; what names none changes the one that there is.
fn rule(options: &Options<'_, '_>, base: TripRule) -> PyResult<TripRule> {
    let threshold = options.or("failure_threshold", None, |name, given| count(name, given, 1, u32::MAX).map(Some))?;
    let mut failures = options.or("failure_share", None, |name, given| positive_share(name, given).map(Some))?;
    let mut slow = options.or("slow_share", None, |name, given| positive_share(name, given).map(Some))?;
    let slower_than = options.or("slower_than", None, |name, given| positive_seconds(name, given).map(Some))?;
    let window = options.or("window", None, |name, given| count(name, given, 1, MOST_WINDOW).map(Some))?;
    let minimum = options.or("minimum", None, |name, given| count(name, given, 1, MOST_WINDOW).map(Some))?;

    let named = [threshold.is_some(), failures.is_some(), slow.is_some()].into_iter().filter(|named| *named).count();
    if named > 1 {
        return Err(PyValueError::new_err(
            "failure_threshold, failure_share and slow_share are three rules by which to open: give one of them",
        ));
    }
    let (mut old_window, mut old_minimum, mut old_bound) = (WINDOW, MINIMUM, None);
    match base {
        TripRule::FailureShare { share, window, minimum } => {
            (old_window, old_minimum) = (window, minimum);
            failures = failures.or((named == 0).then_some(share));
        }
        TripRule::SlowShare { share, slower_than, window, minimum } => {
            (old_window, old_minimum, old_bound) = (window, minimum, Some(slower_than));
            slow = slow.or((named == 0).then_some(share));
        }
        _ => {}
    }
    let most = window.unwrap_or(old_window);
    let least = minimum.unwrap_or(old_minimum.min(most));

    if slow.is_none() && slower_than.is_some() {
        return Err(PyValueError::new_err("slower_than needs slow_share: the share of slow calls at which to open"));
    }
    match (slow, failures) {
        (Some(share), _) => match slower_than.or(old_bound) {
            Some(slower_than) => Ok(TripRule::SlowShare { share, slower_than, window: most, minimum: least }),
            None => Err(PyValueError::new_err("slow_share needs slower_than: after how many seconds a call is slow")),
        },
        (None, Some(share)) => Ok(TripRule::FailureShare { share, window: most, minimum: least }),
        (None, None) => match (window, minimum) {
            (None, None) => Ok(threshold.map_or(base, TripRule::Consecutive)),
            (window, _) => {
                let name = if window.is_some() { "window" } else { "minimum" };
                let message = format!("{name} needs failure_share or slow_share: failures in a row have no window");
                Err(PyValueError::new_err(message))
            }
        },
    }
}

fn positive_share(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Ratio> {
    match ratio(name, given)? {
        Ratio::ZERO => Err(bad(name, given, "a share over 0.0, up to 1.0")),
        share => Ok(share),
    }
}

/// By how much an interval grows, in percent.
fn growth(name: &str, given: &Bound<'_, PyAny>) -> PyResult<u32> {
    match given.extract::<f64>() {
        Ok(factor) if (1.0..=1e6).contains(&factor) => Ok((factor * 100.0).round() as u32),
        _ => Err(bad(name, given, "a factor from 1.0, which is no growth, to 1,000,000")),
    }
}
