//! The parts of a guard, in one place that whoever holds one of them keeps alive.

use std::any::Any;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use seawall::{
    AnyGuard, CircuitBreaker, ConcurrencyLimitView, GuardConfig, GuardState, GuardView, Instant, KeyedBucketsView,
    KeyedConfig, LimitConfig, Random, Rate, RetryBudget, TokenBucket, WhenFull,
};

use crate::circuit_breaker::BreakerTerms;
use crate::part::Part;
use crate::settings::Settings;
use crate::views::zeroed;

/// What a guard is to be made of.
pub(crate) struct Plan {
    pub(crate) config: GuardConfig,
    pub(crate) shards: u32,
    pub(crate) slots: u32,
    /// What each key may do, and for how many keys there is room.
    pub(crate) keyed: Option<(KeyedConfig, usize)>,
}

pub(crate) struct Whole {
    pub(crate) state: GuardState,
    pub(crate) bucket: TokenBucket,
    pub(crate) budget: RetryBudget,
    pub(crate) breakers: Box<[CircuitBreaker]>,
    pub(crate) limit: Box<ConcurrencyLimitView>,
    /// What breakers and limit were last set to.
    breaker_terms: Box<[Arc<BreakerTerms>]>,
    pub(crate) limit_settings: Arc<Settings<LimitConfig>>,
    /// The buckets by key. A guard without them has one place here, to make numbers of names: the canaries go by those.
    keys: Box<KeyedBucketsView>,
    is_keyed: bool,
}

fn value_error(message: &'static str) -> PyErr {
    PyValueError::new_err(message)
}

/// The number of the seed's streams that salts the keys: not those that the guard draws from.
const SALT: u64 = 0x5A17_0F5E_ED5A_17ED;
const PLACES_OF_A_GROUP: usize = 4;

impl Whole {
    pub(crate) fn new(plan: &Plan, seed: u64, now: Instant) -> PyResult<Self> {
        let Plan { config, shards, slots, keyed } = plan;
        let mut limit = zeroed::<ConcurrencyLimitView>(*slots as usize)?;
        limit.renew(config.limit).map_err(|error| value_error(error.message()))?;
        let each = keyed.map_or(KeyedConfig::new(Rate::ZERO, WhenFull::FailOpen).burst(1), |(each, _)| each);
        let places = keyed.map_or(1, |(_, places)| places);
        let mut keys = zeroed::<KeyedBucketsView>(places.div_ceil(PLACES_OF_A_GROUP))?;
        let salt = Random::from_seed(seed ^ SALT).next_u64();
        keys.renew(each, salt, now).map_err(|error| value_error(error.message()))?;
        let breaker = |_| CircuitBreaker::new(config.breaker).map_err(|error| value_error(error.message()));
        Ok(Self {
            state: GuardState::new(*config, seed, now).map_err(|error| value_error(error.message()))?,
            bucket: config.token_bucket(seed, now).map_err(|error| value_error(error.message()))?,
            budget: RetryBudget::new(config.budget, now).map_err(|error| value_error(error.message()))?,
            breakers: (0..*shards).map(breaker).collect::<PyResult<_>>()?,
            limit,
            breaker_terms: (0..*shards).map(|_| Arc::new(BreakerTerms::new(config.breaker))).collect(),
            limit_settings: Arc::new(Settings::new(config.limit)),
            keys,
            is_keyed: keyed.is_some(),
        })
    }

    /// The buckets by key, if it has them.
    #[inline]
    pub(crate) fn keyed(&self) -> Option<&KeyedBucketsView> {
        if self.is_keyed { Some(&self.keys) } else { None }
    }

    pub(crate) fn keys(&self) -> &KeyedBucketsView {
        &self.keys
    }

    /// The number of a key that has a name.
    pub(crate) fn key_of(&self, name: &[u8]) -> u64 {
        self.keys.key_of(name)
    }
}

impl AnyGuard for Whole {
    #[inline]
    fn view(&self) -> GuardView<'_> {
        GuardView::new(&self.state, &self.bucket, &self.budget, &self.breakers, &self.limit, self.keyed())
            .expect("it was made with 1 to 65,535 shards")
    }
}

/// A part of a guard, for the class of that part.
pub(crate) fn part<T: ?Sized>(whole: &Arc<Whole>, find: fn(&(dyn Any + Send + Sync)) -> &T) -> Part<T> {
    Part::Of(Arc::clone(whole) as Arc<dyn Any + Send + Sync>, find)
}

/// What [`part`] gave its finder.
pub(crate) fn whole(any: &(dyn Any + Send + Sync)) -> &Whole {
    any.downcast_ref().expect("a part of a guard is looked for in a guard")
}

/// The breaker of a shard: a finder has no number of its own.
pub(crate) struct BreakerOf {
    whole: Arc<Whole>,
    shard: usize,
}

impl BreakerOf {
    /// The breaker of a shard, of which there are more, and what it was set to.
    pub(crate) fn part(whole: &Arc<Whole>, shard: usize) -> (Part<CircuitBreaker>, Arc<BreakerTerms>) {
        let terms = Arc::clone(&whole.breaker_terms[shard]);
        let breaker = Arc::new(Self { whole: Arc::clone(whole), shard });
        (Part::Of(breaker, Self::find), terms)
    }

    fn find(any: &(dyn Any + Send + Sync)) -> &CircuitBreaker {
        let Self { whole, shard } = any.downcast_ref().expect("it is of this kind");
        &whole.breakers[*shard]
    }
}
