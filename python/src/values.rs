//! Python's numbers as the core's values, and back. Who gives a bad one is told its name, what it was, and what is allowed.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyString, PyTuple};
use seawall::{Instant, Rate, Ratio};

const NANOS: f64 = 1e9;
/// 2^64 nanoseconds, 584 years: the next float over what the farthest clock shows, which is a reading as well.
const LONGEST: f64 = 18_446_744_073.709_553;

/// How many tokens: `n`. 0 are always there.
#[derive(Clone, Copy)]
pub(crate) struct Tokens(pub(crate) u32);

impl Tokens {
    pub(crate) const ONE: Self = Self(1);
}

impl<'py> FromPyObject<'_, 'py> for Tokens {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|_: PyErr| bad("n", &object, "an integer from 0 to 4,294,967,295"))
    }
}

/// "n must be ..., not ...": a `ValueError` for a number, a `TypeError` for what is none.
#[cold]
pub(crate) fn bad(name: &str, given: &Bound<'_, PyAny>, allowed: &str) -> PyErr {
    let message = complaint(name, given, allowed);
    if given.extract::<f64>().is_ok() { PyValueError::new_err(message) } else { PyTypeError::new_err(message) }
}

/// As [`bad`], where a text may be right too.
#[cold]
pub(crate) fn bad_text(name: &str, given: &Bound<'_, PyAny>, allowed: &str) -> PyErr {
    if given.is_instance_of::<PyString>() {
        PyValueError::new_err(complaint(name, given, allowed))
    } else {
        bad(name, given, allowed)
    }
}

fn complaint(name: &str, given: &Bound<'_, PyAny>, allowed: &str) -> String {
    let shown = given.repr().map_or_else(|_| "something else".into(), |text| text.to_string());
    format!("{name} must be {allowed}, not {shown}")
}

/// A whole number from `least` to `most`.
pub(crate) fn count(name: &str, given: &Bound<'_, PyAny>, least: u32, most: u32) -> PyResult<u32> {
    match given.extract::<u32>() {
        Ok(count) if (least..=most).contains(&count) => Ok(count),
        _ => Err(bad(name, given, &format!("an integer from {least} to {most}"))),
    }
}

/// Seconds, or a `timedelta`, to the nearest nanosecond. Infinity is the longest.
pub(crate) fn seconds(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    // A number first: the look for a timedelta imports `datetime`.
    let value = match given.extract::<f64>() {
        Err(_) if given.is_instance_of::<PyDelta>() => given.call_method0("total_seconds")?.extract::<f64>(),
        value => value,
    };
    match value {
        Ok(f64::INFINITY) => Ok(Duration::MAX),
        // Exact up to 104 days, as both are under 2^53; a float has no more to say beyond.
        Ok(value) if (0.0..=LONGEST).contains(&value) => Ok(Duration::from_nanos((value * NANOS).round() as u64)),
        _ => Err(bad(name, given, "0 to 18,446,744,073 seconds, or a timedelta")),
    }
}

/// A reading of an object's clock, in seconds.
pub(crate) fn instant(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Instant> {
    Ok(Instant::ORIGIN.saturating_add(seconds(name, given)?))
}

/// As [`seconds`], and over 0.
pub(crate) fn positive_seconds(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    match seconds(name, given) {
        Ok(Duration::ZERO) => Err(bad(name, given, "over 0 seconds")),
        duration => duration,
    }
}

/// A duration in seconds; what was for ever is `inf`.
pub(crate) fn as_seconds(duration: Duration) -> f64 {
    if duration == Duration::MAX { f64::INFINITY } else { duration.as_nanos() as f64 / NANOS }
}

/// A seed: 64 bits. Without one, the operating system's chance.
pub(crate) fn seed(given: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
    match given {
        None => Ok(seawall::entropy()),
        Some(given) => given.extract().map_err(|_| bad("seed", given, "an integer from 0 to 2**64 - 1")),
    }
}

/// A share from 0 to 1, to the nearest millionth.
pub(crate) fn ratio(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Ratio> {
    match given.extract::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => {
            // 0 to a million, so that it is no error.
            Ratio::from_ppm((share * 1e6).round() as u32).map_err(|error| PyValueError::new_err(error.message()))
        }
        _ => Err(bad(name, given, "a share from 0.0 to 1.0")),
    }
}

/// A share as a float.
pub(crate) fn as_share(ratio: Ratio) -> f64 {
    f64::from(ratio.as_ppm()) / 1e6
}

const RATES: &str = "0 to 1,000,000,000 per second as a number, a text like \"100/s\", \"5/min\" or \"3/10s\", or a pair \
                     (count, seconds)";

/// A rate: a number per second, a text like `"100/s"`, or a pair of a count and its seconds, which is exact.
pub(crate) fn rate(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Rate> {
    let rate = if let Ok(count) = given.extract::<u64>() {
        Some(Rate::per_second(count))
    } else if let Ok(per_second) = given.extract::<f64>() {
        rate_of_float(per_second)
    } else if let Ok(text) = given.cast::<PyString>() {
        rate_of_text(&text.to_cow()?)
    } else if let Ok(pair) = given.cast::<PyTuple>()
        && let Ok((count, period)) = pair.extract::<(u64, Bound<'_, PyAny>)>()
    {
        Rate::new(count, positive_seconds("the seconds of a rate", &period)?).ok()
    } else {
        None
    };
    match rate {
        Some(rate) if u128::from(rate.count()) <= rate.period().as_nanos() => Ok(rate),
        _ => Err(bad_text(name, given, RATES)),
    }
}

/// To 1 part in 2 x 10^9.
fn rate_of_float(per_second: f64) -> Option<Rate> {
    if !(0.0..=NANOS).contains(&per_second) {
        None
    } else if per_second.fract() == 0.0 {
        Some(Rate::per_second(per_second as u64))
    } else if per_second < 1.0 {
        // One in so many nanoseconds; slower than one in 584 years is none.
        let period = 1.0 / per_second;
        if period > LONGEST {
            Some(Rate::ZERO)
        } else {
            Rate::new(1, Duration::from_nanos((period * NANOS).round() as u64)).ok()
        }
    } else {
        Rate::new((per_second * NANOS).round() as u64, Duration::from_secs(1_000_000_000)).ok()
    }
}

/// `COUNT/[N]UNIT`.
fn rate_of_text(text: &str) -> Option<Rate> {
    let (count, period) = text.split_once('/')?;
    let count = count.trim().replace('_', "").parse::<u64>().ok()?;
    let period = period.trim();
    let digits = period.find(|letter: char| !letter.is_ascii_digit())?;
    let (times, unit) = period.split_at(digits);
    let times = if times.is_empty() { 1 } else { times.parse::<u64>().ok()? };
    let nanos: u64 = match unit.trim() {
        "ms" => 1_000_000,
        "s" | "sec" | "second" | "seconds" => 1_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "d" | "day" | "days" => 86_400_000_000_000,
        _ => return None,
    };
    Rate::new(count, Duration::from_nanos(nanos.checked_mul(times)?)).ok()
}

/// A rate per second.
pub(crate) fn as_per_second(rate: Rate) -> f64 {
    rate.count() as f64 * NANOS / rate.period().as_nanos() as f64
}
