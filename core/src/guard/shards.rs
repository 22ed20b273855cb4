//! The breakers of a guard, one for each shard.

use crate::circuit_breaker::{BreakerConfig, BreakerConfigError, CircuitBreaker};
use crate::guard::{Guard, KeyedStage};
use crate::transition::Transition;

#[cfg(not(seawall_loom))]
pub(super) const fn breakers<const SHARDS: usize>(
    config: BreakerConfig,
) -> Result<[CircuitBreaker; SHARDS], BreakerConfigError> {
    // One that is legal for certain, until each has its own: a constant cannot be made of an argument.
    let mut breakers = [const {
        match CircuitBreaker::new(BreakerConfig::DEFAULT) {
            Ok(breaker) => breaker,
            Err(_) => panic!("the default is legal, or this does not compile"),
        }
    }; SHARDS];
    let mut shard = 0;
    while shard < SHARDS {
        breakers[shard] = match CircuitBreaker::new(config) {
            Ok(breaker) => breaker,
            Err(error) => return Err(error),
        };
        shard += 1;
    }
    Ok(breakers)
}

#[cfg(seawall_loom)]
pub(super) fn breakers<const SHARDS: usize>(
    config: BreakerConfig,
) -> Result<[CircuitBreaker; SHARDS], BreakerConfigError> {
    CircuitBreaker::new(config)?;
    Ok(core::array::from_fn(|_| CircuitBreaker::new(config).expect("legal, as the first was")))
}

/// A breaker does not know whose it is.
pub(super) fn of_shard(transition: Option<Transition>, shard: u32) -> Option<Transition> {
    transition.map(|transition| Transition { shard, ..transition })
}

impl<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage> Guard<SLOTS, SHARDS, Keyed> {
    /// The circuit breaker of a shard, to look at it, to trip it on evidence of the caller's own or to hold it. `shard` is
    /// taken modulo the number of shards, as in [`Request::shard`](crate::Request::shard). What it tells names shard 0.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, Rate, Request, Stage};
    /// let config = GuardConfig::for_shards(Rate::per_second(5), Duration::from_secs(1), 4);
    /// let guard = Guard::<64, 4>::new(config, 7, Instant::ORIGIN)?;
    /// guard.breaker(2).force_open(Instant::ORIGIN);
    /// let mut call = guard.begin(Request { shard: 2, ..Request::DEFAULT }, Instant::ORIGIN);
    /// assert_eq!(guard.try_attempt(&mut call, Instant::ORIGIN).unwrap_err().stage(), Stage::CircuitBreaker);
    /// let mut call = guard.begin(Request { shard: 3, ..Request::DEFAULT }, Instant::ORIGIN);
    /// assert!(guard.try_attempt(&mut call, Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::GuardConfigError>(())
    /// ```
    #[must_use]
    pub const fn breaker(&self, shard: u32) -> &CircuitBreaker {
        // The remainder is under SHARDS, which is over 0.
        &self.breakers[shard as usize % SHARDS]
    }
}
