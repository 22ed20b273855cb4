//! What a leased bucket is told: [`LeasedConfig`].

use crate::leased_bucket::shard_word::MOST;
use crate::token_bucket::{BucketConfig, BucketConfigError};

/// A [`BucketConfig`], and how many tokens a shard takes at once.
///
/// ```
/// use seawall::{BucketConfig, LeasedConfig, Rate};
/// const CONFIG: LeasedConfig = LeasedConfig::new(BucketConfig::new(Rate::per_second(100_000))).batch(16);
/// assert_eq!(CONFIG.batch, Some(16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasedConfig {
    /// Rate, burst, first fill and warm-up of all shards together.
    pub bucket: BucketConfig,
    /// How many tokens a shard takes from the bucket at once: 1 to 65,536, and so that what may lie in shards, (batch - 1)
    /// in each, is less than the burst. `None` is 64 or as many as keep that within a thirty-second of the burst, at least
    /// 1; with 1 it is a plain bucket.
    pub batch: Option<u32>,
}

impl LeasedConfig {
    /// `bucket` in batches of the default size.
    ///
    /// ```
    /// use seawall::{BucketConfig, LeasedConfig, Rate};
    /// assert_eq!(LeasedConfig::new(BucketConfig::new(Rate::per_second(5))).batch, None);
    /// ```
    #[must_use]
    pub const fn new(bucket: BucketConfig) -> Self {
        Self { bucket, batch: None }
    }

    /// With batches of this size.
    #[must_use]
    pub const fn batch(mut self, batch: u32) -> Self {
        self.batch = Some(batch);
        self
    }

    /// The batch for so many shards.
    pub(super) const fn batch_for(&self, shards: usize) -> Result<u32, BucketConfigError> {
        match self.batch {
            None => {
                // Over 2^27 shards there is none; so the division is of small numbers, and not by zero.
                let idle = (self.bucket.burst / 32) as u64 / if shards == 0 { 1 } else { shards as u64 };
                Ok(1 + if idle > 63 { 63 } else { idle as u32 })
            }
            Some(0) => Err(BucketConfigError::ZeroBatch),
            Some(batch) if batch - 1 > MOST => Err(BucketConfigError::BatchTooLarge),
            Some(batch) => Ok(batch),
        }
    }
}
