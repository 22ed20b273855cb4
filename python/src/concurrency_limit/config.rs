//! The settings of a concurrency limit by keyword.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall::{LimitConfig, Ratio};

use crate::options::Options;
use crate::values::{as_seconds, bad, count, positive_seconds, ratio};

pub(super) const NAMES: [&str; 10] = [
    "start",
    "floor",
    "ceiling",
    "slow_after",
    "tolerance",
    "saturated_after",
    "timeout",
    "slow_factor",
    "timeout_factor",
    "lease",
];

/// The most that a ceiling can be.
const MOST_SLOTS: u32 = u16::MAX as u32;
const MOST_SATURATION: u32 = 60;

/// `base` with what is given. `of` is who has the settings, as in an error.
pub(crate) fn config(of: &str, base: LimitConfig, given: Option<&Bound<'_, PyDict>>) -> PyResult<LimitConfig> {
    let options = Options::new(of, given, &NAMES)?;
    let ceiling = options.or("ceiling", base.ceiling, |name, given| count(name, given, 1, MOST_SLOTS))?;
    let floor = options.or("floor", base.floor.min(ceiling), |name, given| count(name, given, 1, ceiling))?;
    let config = LimitConfig {
        floor,
        ceiling,
        start: options
            .or("start", base.start.clamp(floor, ceiling), |name, given| count(name, given, floor, ceiling))?,
        slow_after: options.or("slow_after", base.slow_after, positive_seconds)?,
        tolerance_percent: options.or("tolerance", base.tolerance_percent, tolerance)?,
        saturated_after: options
            .or("saturated_after", base.saturated_after, |name, given| count(name, given, 0, MOST_SATURATION))?,
        timeout: options.or("timeout", base.timeout, positive_seconds)?,
        slow_factor: options.or("slow_factor", base.slow_factor, factor)?,
        timeout_factor: options.or("timeout_factor", base.timeout_factor, factor)?,
        lease: options.or("lease", base.lease, positive_seconds)?,
    };
    at_least("timeout", config.timeout, "slow_after", config.slow_after)?;
    at_least("lease", config.lease, "timeout", config.timeout)?;
    Ok(config)
}

/// The defaults for calls that take at most `timeout`: what is slow, and how long a lease lasts, go with it.
pub(super) fn for_timeout(timeout: Duration) -> LimitConfig {
    let default = LimitConfig::DEFAULT;
    LimitConfig {
        timeout,
        slow_after: (timeout / 4).max(Duration::from_nanos(1)),
        lease: timeout.saturating_mul(5),
        ..default
    }
}

fn at_least(name: &str, given: Duration, of: &str, least: Duration) -> PyResult<()> {
    if given >= least {
        return Ok(());
    }
    let (given, least) = (as_seconds(given), as_seconds(least));
    Err(PyValueError::new_err(format!("{name} must be at least {of}, {least} seconds, not {given}")))
}

/// What a cut leaves.
fn factor(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Ratio> {
    match ratio(name, given)? {
        Ratio::ONE => Err(bad(name, given, "a factor from 0.0 to less than 1.0")),
        factor => Ok(factor),
    }
}

/// How many times the usual latency is tolerated, in percent.
fn tolerance(name: &str, given: &Bound<'_, PyAny>) -> PyResult<u32> {
    match given.extract::<f64>() {
        Ok(times) if times == 0.0 || (1.0..=100.0).contains(&times) => Ok((times * 100.0).round() as u32),
        _ => Err(bad(name, given, "a factor from 1.0 to 100.0, or 0, which learns nothing")),
    }
}
