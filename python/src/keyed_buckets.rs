//! `KeyedBuckets`: a token bucket for each key.

use pyo3::exceptions::{PyRuntimeError, PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use seawall::{
    Clock, KeyedBucketsView, KeyedChangeError, KeyedConfig, KeyedConfigError, Rate, Reason, Refused, WhenFull,
};

use crate::clock::{PyManualClock, Timer};
use crate::errors::{exception, no_pickle};
use crate::part::Part;
use crate::rate_check::PyRateCheck;
use crate::values::{Tokens, as_per_second, as_seconds, bad, bad_text, count, instant, rate};
use crate::views::zeroed;

/// Keys of a group: what the core says to plan for.
const KEYS: u32 = 4;
/// Keys of the largest table.
const MOST_KEYS: u32 = 2_396_744 * KEYS;
const RATES: &str = "0 to 1,000,000 per second";

/// A token bucket for each user, connection or tenant: `rate` tokens a second, `burst` at once, for each key by itself.
///
/// The rate is a number per second, a text like "100/min", or a pair (count, seconds). The burst is one second of the rate
/// if it is not given, at least 1. A key is a str, bytes, or an int from 0 to 2**64 - 1; it needs no registration, begins
/// with a full bucket, and is forgotten when its bucket is full again.
///
/// The memory is bounded, and allocated once: 32 bytes a key, for `capacity` keys that are busy at the same time, that is
/// within burst / rate of each other; sys.getsizeof tells. A new key that finds no place passes without a limit and is
/// counted in `let_through` (when_full="open", for a limit that keeps shares fair), or is refused with the reason
/// "no_place" (when_full="closed", for one that must never be passed).
///
/// Texts and bytes are hashed with a secret salt, another one in each process: who makes up keys cannot choose them so that
/// they crowd out others. Numbers are for what you give out yourself, as ids; keys that strangers make up are texts.
///
/// >>> import seawall
/// >>> users = seawall.KeyedBuckets("100/min", burst=2, clock=seawall.ManualClock())
/// >>> [users.try_take("alice") for _ in range(3)]
/// [True, True, False]
/// >>> users.try_take("bob")
/// True
/// >>> users.check("alice")
/// RateCheck(allowed=False, limit=2, remaining=0, retry_after=0.6, reset_after=1.2, reason='not_yet')
///
/// One object serves all threads and event loops: no call waits for another. A refusal writes nothing.
///
/// Source: the generic cell rate algorithm (ITU-T I.371) in a table of two choices (Azar, Broder, Karlin and Upfal).
#[pyclass(frozen, weakref, module = "seawall", name = "KeyedBuckets")]
pub(crate) struct PyKeyedBuckets {
    table: Part<KeyedBucketsView>,
    timer: Timer,
}

/// A table for so many keys at once; one more group costs 128 bytes.
pub(crate) fn table(
    config: KeyedConfig,
    capacity: u32,
    salt: u64,
    timer: &Timer,
) -> PyResult<Result<Box<KeyedBucketsView>, KeyedConfigError>> {
    let mut table = zeroed::<KeyedBucketsView>(capacity.div_ceil(KEYS) as usize)?;
    Ok(table.renew(config, salt, timer.now()).map(|()| table))
}

/// How many keys a table is for: the argument `name`.
pub(crate) fn capacity(name: &str, given: &Bound<'_, PyAny>) -> PyResult<u32> {
    count(name, given, 1, MOST_KEYS)
}

/// The number of a key: an int itself, a text or bytes `of_bytes`.
#[inline]
pub(crate) fn key_of(key: &Bound<'_, PyAny>, of_bytes: impl Fn(&[u8]) -> u64) -> PyResult<u64> {
    if let Ok(text) = key.cast::<PyString>() {
        match text.to_str() {
            Ok(text) => Ok(of_bytes(text.as_bytes())),
            Err(error) => Ok(of_bytes(escaped(text, error)?.as_bytes())),
        }
    } else if let Ok(bytes) = key.cast::<PyBytes>() {
        Ok(of_bytes(bytes.as_bytes()))
    } else {
        key.extract().map_err(|_| bad("key", key, "a str, bytes, or an integer from 0 to 2**64 - 1"))
    }
}

/// A text that is no UTF-8, as of `os.fsdecode`, is a key as well.
#[cold]
fn escaped<'py>(text: &Bound<'py, PyString>, error: PyErr) -> PyResult<Bound<'py, PyBytes>> {
    if !error.is_instance_of::<PyUnicodeEncodeError>(text.py()) {
        return Err(error);
    }
    Ok(text.call_method1("encode", ("utf-8", "surrogatepass"))?.cast_into()?)
}

pub(crate) fn when_full_of(given: &str) -> PyResult<WhenFull> {
    match given {
        "open" => Ok(WhenFull::FailOpen),
        "closed" => Ok(WhenFull::FailClosed),
        _ => Err(PyValueError::new_err(format!("when_full must be \"open\" or \"closed\", not {given:?}"))),
    }
}

/// An error of the core's, with the argument that it is about.
#[cold]
fn refused(error: KeyedConfigError, rate: &Bound<'_, PyAny>) -> PyErr {
    match error {
        KeyedConfigError::RateTooFast => bad_text("rate", rate, RATES),
        error => PyValueError::new_err(error.message()),
    }
}

impl PyKeyedBuckets {
    /// Those of a guard, for example.
    pub(crate) fn new_of(table: Part<KeyedBucketsView>, timer: Timer) -> Self {
        Self { table, timer }
    }

    #[inline]
    fn key(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        key_of(key, |bytes| self.table.key_of(bytes))
    }

    fn rate_in_force(&self) -> Rate {
        self.table.config().rate
    }
}

#[pymethods]
impl PyKeyedBuckets {
    #[new]
    #[pyo3(
        signature = (rate, burst = None, *, capacity = None, when_full = "open", salt = None, clock = None),
        text_signature = "(rate, burst=None, *, capacity=1024, when_full='open', salt=None, clock=None)"
    )]
    fn new(
        rate: &Bound<'_, PyAny>,
        burst: Option<&Bound<'_, PyAny>>,
        capacity: Option<&Bound<'_, PyAny>>,
        when_full: &str,
        salt: Option<&Bound<'_, PyAny>>,
        clock: Option<&Bound<'_, PyManualClock>>,
    ) -> PyResult<Self> {
        let mut config = KeyedConfig::new(crate::values::rate("rate", rate)?, when_full_of(when_full)?);
        if let Some(burst) = burst {
            config = config.burst(count("burst", burst, 1, u32::MAX)?);
        }
        let capacity = capacity.map_or(Ok(1024), |given| self::capacity("capacity", given))?;
        let salt = match salt {
            None => seawall::entropy(),
            Some(salt) => salt.extract().map_err(|_| bad("salt", salt, "an integer from 0 to 2**64 - 1"))?,
        };
        let timer = Timer::of(clock);
        match table(config, capacity, salt, &timer)? {
            Ok(table) => Ok(Self::new_of(Part::Own(table), timer)),
            Err(error) => Err(refused(error, rate)),
        }
    }

    /// Takes `n` tokens of `key` if they are there: True, or False and nothing taken. It never waits.
    #[inline]
    #[pyo3(signature = (key, n = Tokens::ONE, /), text_signature = "($self, key, n=1, /)")]
    fn try_take(&self, key: &Bound<'_, PyAny>, n: Tokens) -> PyResult<bool> {
        Ok(self.table.try_take(self.key(key)?, n.0, self.timer.now()).is_ok())
    }

    /// What `try_take` would meet: None, or the refusal, with its `retry_after`. Takes nothing.
    #[pyo3(signature = (key, n = Tokens::ONE, /), text_signature = "($self, key, n=1, /)")]
    fn peek<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>, n: Tokens) -> PyResult<Option<Bound<'py, PyAny>>> {
        let refused = self.table.peek(self.key(key)?, n.0, self.timer.now()).err();
        refused.map(|refused| exception(py, refused)).transpose()
    }

    /// As `try_take`, with all that the headers of an answer say, at one reading of the clock: whether it was allowed, the
    /// limit, what remains, when to try again, and when the bucket is full.
    #[pyo3(signature = (key, n = Tokens::ONE, /), text_signature = "($self, key, n=1, /)")]
    fn check(&self, key: &Bound<'_, PyAny>, n: Tokens) -> PyResult<PyRateCheck> {
        let (key, now) = (self.key(key)?, self.timer.now());
        let taken = self.table.try_take(key, n.0, now);
        let limit = self.table.config().burst;
        let has_place = taken.err().is_none_or(|refused| refused.reason() != Reason::NoPlace);
        // When all of the burst is there.
        let full = self.table.peek(key, limit, now);
        Ok(PyRateCheck {
            allowed: taken.is_ok(),
            limit,
            remaining: if has_place { self.table.available(key, now) } else { 0 },
            retry_after: taken.err().and_then(Refused::retry_after).map(as_seconds),
            reset_after: full.err().map_or(Some(0.0), |refused| refused.retry_after().map(as_seconds)),
            reason: taken.err().map(Refused::reason),
        })
    }

    /// Tokens of `key` that are there now; all of the burst for a key that was never seen.
    #[pyo3(signature = (key, /))]
    fn available(&self, key: &Bound<'_, PyAny>) -> PyResult<u32> {
        Ok(self.table.available(self.key(key)?, self.timer.now()))
    }

    /// Gives `n` tokens of `key` back that were taken and not used: False where its bucket is full, so that nothing is
    /// given back.
    #[pyo3(signature = (key, n = Tokens::ONE, /), text_signature = "($self, key, n=1, /)")]
    fn refund(&self, key: &Bound<'_, PyAny>, n: Tokens) -> PyResult<bool> {
        Ok(self.table.refund(self.key(key)?, n.0, self.timer.now()))
    }

    /// Changes the rate of every key while others take. What they have now stays, and so does the burst. Raises ValueError
    /// for a rate over 15,258 a second and over a thousand times the first one.
    #[pyo3(signature = (rate, /))]
    fn set_rate(&self, rate: &Bound<'_, PyAny>) -> PyResult<()> {
        let changed = self.table.set_rate(self::rate("rate", rate)?, self.timer.now());
        changed.map_err(|error| match error {
            KeyedChangeError::Config(error) => refused(error, rate),
            error => change_error(error),
        })
    }

    /// Changes the burst of every key while others take. What they have now stays, but not more than the new burst; the
    /// tokens of a larger one are earned.
    #[pyo3(signature = (burst, /))]
    fn set_burst(&self, burst: &Bound<'_, PyAny>) -> PyResult<()> {
        self.table.set_burst(count("burst", burst, 1, u32::MAX)?, self.timer.now()).map_err(change_error)
    }

    /// Changes what becomes of a new key while there is no place for it: "open" or "closed".
    #[pyo3(signature = (when_full, /))]
    fn set_when_full(&self, when_full: &str) -> PyResult<()> {
        self.table.set_when_full(when_full_of(when_full)?, self.timer.now()).map_err(change_error)
    }

    /// Begins anew: every bucket is full, and every place free.
    fn reset(&self) -> PyResult<()> {
        self.table.reset(self.timer.now()).map_err(change_error)
    }

    /// Goes on at `new` as it stood at `old`, two readings of its clock: for a clock that was set. The system's never is.
    #[pyo3(signature = (old, new, /))]
    fn rebase(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        self.table.rebase(instant("old", old)?, instant("new", new)?).map_err(change_error)
    }

    /// Tokens a second of each key.
    #[getter]
    fn rate(&self) -> f64 {
        as_per_second(self.rate_in_force())
    }

    /// The most that a key can take at once.
    #[getter]
    fn burst(&self) -> u32 {
        self.table.config().burst
    }

    /// What becomes of a new key while there is no place for it: "open", it passes; "closed", it is refused.
    #[getter]
    fn when_full(&self) -> &'static str {
        match self.table.config().when_full {
            WhenFull::FailOpen => "open",
            WhenFull::FailClosed => "closed",
        }
    }

    /// For how many busy keys it was made, rounded up to a multiple of 4. That many find a place.
    #[getter]
    fn capacity(&self) -> usize {
        self.table.groups() * KEYS as usize
    }

    /// How many keys fit at most: 7 for each 4 of the capacity, of which the last ones are hard to find.
    #[getter]
    fn places(&self) -> usize {
        self.table.places()
    }

    /// How many keys have less than a full bucket now, and so a place. Reads the whole table.
    #[getter]
    fn occupied(&self) -> usize {
        self.table.occupied(self.timer.now())
    }

    /// How many calls passed without a limit, as there was no place for their key.
    #[getter]
    fn let_through(&self) -> u64 {
        self.table.let_through()
    }

    fn __len__(&self) -> usize {
        self.occupied()
    }

    /// An empty one is there as well.
    fn __bool__(&self) -> bool {
        true
    }

    fn __sizeof__(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.table)
    }

    fn __repr__(&self) -> String {
        let (rate, burst, capacity) = (self.rate(), self.burst(), self.capacity());
        format!("KeyedBuckets(rate={rate}, burst={burst}, capacity={capacity}, when_full='{}')", self.when_full())
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(no_pickle::<Self>(py))
    }
}

/// Why a running table was not changed.
#[cold]
fn change_error(error: KeyedChangeError) -> PyErr {
    match error {
        KeyedChangeError::Config(_) | KeyedChangeError::RateTooFarUp => PyValueError::new_err(error.to_string()),
        error => PyRuntimeError::new_err(error.to_string()),
    }
}
