//! What a guard is made of, from the keywords that Python gives.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall::{BucketConfig, Fill, GuardConfig, GuardModes, KeyedConfig, Mode, Rate, Stage, WhenFull};

use crate::guard::arguments;
use crate::guard::whole::Plan;
use crate::options::Options;
use crate::values::{count, positive_seconds, rate};
use crate::warm_up::PyWarmUp;

/// What None is a value of, too.
pub(crate) struct Given<'py>(pub(crate) Option<Bound<'py, PyAny>>);

impl<'py> FromPyObject<'_, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(Some(object.to_owned())))
    }
}

type Any<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
type Dict<'a, 'py> = Option<&'a Bound<'py, PyDict>>;

pub(crate) struct Settings<'a, 'py> {
    pub(crate) rate: &'a Bound<'py, PyAny>,
    pub(crate) timeout: &'a Bound<'py, PyAny>,
    pub(crate) shards: Any<'a, 'py>,
    pub(crate) quota: Any<'a, 'py>,
    pub(crate) warm_up: Option<&'a Bound<'py, PyWarmUp>>,
    pub(crate) max_in_flight: Any<'a, 'py>,
    pub(crate) per_key: Any<'a, 'py>,
    pub(crate) per_key_burst: Any<'a, 'py>,
    pub(crate) keys: Any<'a, 'py>,
    pub(crate) when_full: Option<&'a str>,
    pub(crate) mode: Any<'a, 'py>,
    pub(crate) modes: Dict<'a, 'py>,
    pub(crate) bucket: Dict<'a, 'py>,
    pub(crate) breaker: Dict<'a, 'py>,
    pub(crate) limit: Dict<'a, 'py>,
    pub(crate) retry: Dict<'a, 'py>,
    pub(crate) budget: Dict<'a, 'py>,
    pub(crate) timeout_weight: Any<'a, 'py>,
    pub(crate) retry_streak: Any<'a, 'py>,
    pub(crate) ramp: Option<&'a Bound<'py, PyWarmUp>>,
}

impl Settings<'_, '_> {
    pub(crate) fn plan(&self) -> PyResult<Plan> {
        let expected = rate("rate", self.rate)?;
        if expected.is_zero() {
            return Err(PyValueError::new_err("rate must be over 0: it is how many calls a second are expected"));
        }
        let timeout = positive_seconds("timeout", self.timeout)?;
        let shards = self.shards.map_or(Ok(1), |shards| count("shards", shards, 1, 65_535))?;
        let mut config = GuardConfig::for_shards(expected, timeout, shards);
        if let Some(quota) = self.quota {
            config.bucket = BucketConfig::new(rate("quota", quota)?).fill(Fill::Tokens(1));
        }
        if let Some(warm_up) = self.warm_up {
            config.bucket = config.bucket.warm_up(warm_up.get().0);
        }
        config.bucket = bucket(config.bucket, self.bucket)?;
        config.breaker = crate::circuit_breaker::config("a guard's breaker", config.breaker, self.breaker)?;
        config.retry = crate::retry_strategy::config("a guard's retry", config.retry, self.retry)?;
        config.budget = crate::retry_budget::config("a guard's budget", config.budget, self.budget)?;
        if let Some(most) = self.max_in_flight {
            config.limit.ceiling = count("max_in_flight", most, 1, 65_535)?;
            config.limit.start = config.limit.start.min(config.limit.ceiling);
        }
        config.limit = crate::concurrency_limit::config("a guard's limit", config.limit, self.limit)?;
        if let Some(weight) = self.timeout_weight {
            config.timeout_weight = count("timeout_weight", weight, 1, u32::MAX)?;
        }
        match self.retry_streak {
            Some(none) if none.is_none() => config.retry_streak = None,
            Some(streak) => config.retry_streak = Some(count("retry_streak", streak, 0, u32::MAX)?),
            None => {}
        }
        if let Some(ramp) = self.ramp {
            config.ramp = ramp.get().0;
        }
        let keyed = self.keyed()?;
        config.modes = self.modes(keyed.is_some())?;
        Ok(Plan { config, shards, slots: config.limit.ceiling.min(65_535), keyed })
    }

    fn keyed(&self) -> PyResult<Option<(KeyedConfig, usize)>> {
        let Some(each) = self.per_key else {
            return match self.per_key_burst.is_some() || self.keys.is_some() || self.when_full.is_some() {
                true => {
                    Err(PyTypeError::new_err("per_key_burst, keys and when_full need a per_key, the rate of each key"))
                }
                false => Ok(None),
            };
        };
        // The total is held by the other stages, whatever a key does.
        let when_full = self.when_full.map_or(Ok(WhenFull::FailOpen), crate::keyed_buckets::when_full_of)?;
        let mut config = KeyedConfig::new(rate("per_key", each)?, when_full);
        if let Some(burst) = self.per_key_burst {
            config = config.burst(count("per_key_burst", burst, 1, u32::MAX)?);
        }
        let places = self.keys.map_or(Ok(1024), |keys| crate::keyed_buckets::capacity("keys", keys))?;
        Ok(Some((config, places as usize)))
    }

    fn modes(&self, is_keyed: bool) -> PyResult<GuardModes> {
        let mut modes = GuardModes::all(self.mode.map_or(Ok(Mode::Enforce), |mode| arguments::mode("mode", mode))?);
        for (stage, mode) in self.modes.into_iter().flat_map(|modes| modes.iter()) {
            let stage = arguments::stage("a stage of modes", &stage)?;
            let mode = arguments::mode(&format!("the mode of the {}", stage.name()), &mode)?;
            let place = match stage {
                Stage::Pause => &mut modes.pause,
                Stage::CircuitBreaker => &mut modes.breaker,
                Stage::ConcurrencyLimit => &mut modes.limit,
                Stage::TokenBucket => &mut modes.bucket,
                Stage::RetryBudget => &mut modes.budget,
                _ if is_keyed => &mut modes.keyed,
                _ => return Err(PyValueError::new_err("modes names the keyed bucket, but there is no per_key")),
            };
            *place = mode;
        }
        Ok(modes)
    }
}

/// `bucket={...}`: the settings of a `TokenBucket`.
fn bucket(base: BucketConfig, given: Dict<'_, '_>) -> PyResult<BucketConfig> {
    let options = Options::new("a guard's bucket", given, &["rate", "burst", "initial", "warm_up"])?;
    let given_rate = options.or("rate", None, |name, given| rate(name, given).map(Some))?;
    let mut config = given_rate.map_or(base, |rate: Rate| BucketConfig::new(rate).fill(Fill::Tokens(1)));
    if let Some(burst) = options.or("burst", None, |name, given| count(name, given, 1, u32::MAX).map(Some))? {
        config = config.burst(burst);
    }
    if let Some(initial) = options.or("initial", None, |name, given| count(name, given, 0, u32::MAX).map(Some))? {
        config = config.fill(Fill::Tokens(initial));
    }
    options.or("warm_up", config, |_, given| Ok(config.warm_up(given.cast::<PyWarmUp>()?.get().0)))
}
