//! What the records of the face have in common: plain values that compare, hash, print and pickle as such.

use pyo3::prelude::*;

use crate::values::bad;

/// A float as a record keeps it: not negative, no NaN, and no -0.0, so that equal ones have equal bits.
pub(crate) fn figure(name: &str, given: &Bound<'_, PyAny>) -> PyResult<f64> {
    match given.extract::<f64>() {
        Ok(figure) if figure >= 0.0 => Ok(figure + 0.0),
        _ => Err(bad(name, given, "a number from 0 on")),
    }
}

/// As [`figure`], or None.
pub(crate) fn figure_or_none(name: &str, given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<f64>> {
    given.map(|given| figure(name, given)).transpose()
}

/// A whole number as a record keeps it.
pub(crate) fn whole(name: &str, given: &Bound<'_, PyAny>) -> PyResult<u64> {
    given.extract().map_err(|_| bad(name, given, "an integer from 0 to 2**64 - 1"))
}

/// As Python shows it.
pub(crate) fn shown<T: std::fmt::Debug>(value: Option<T>) -> String {
    value.map_or_else(|| "None".into(), |value| format!("{value:?}"))
}
