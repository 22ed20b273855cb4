//! Changes of a leased bucket while others take from it.
//!
//! # Invariant
//! The inner bucket is changed first, then each shard where that is needed: what is leased in between came from what the
//! change left, so that it can only be too little.

use crate::leased_bucket::view::LeasedBucketView;
use crate::rate::Rate;
use crate::time::Instant;
use crate::token_bucket::{BucketConfigError, ChangeError, Fill};
use crate::warm_up::WarmUp;

impl LeasedBucketView {
    /// Changes the rate from `now` on, as [`TokenBucket::set_rate`](crate::TokenBucket::set_rate) does: the tokens at that
    /// instant are the same before and after, those in shards too.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(5)).burst(100));
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// bucket.set_rate(Rate::per_second(50), Instant::ORIGIN)?;
    /// assert_eq!((bucket.rate(), bucket.available(Instant::ORIGIN)), (Rate::per_second(50), 100));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate, now: Instant) -> Result<(), ChangeError> {
        self.bucket.set_rate(rate, now)
    }

    /// Changes the burst from `now` on; tokens over a smaller burst are gone. The batch stays.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was: [`BucketConfigError::BurstUnderLeases`] where the burst is not over
    /// what may lie in shards.
    ///
    /// ```
    /// use seawall::{BucketConfig, BucketConfigError, ChangeError, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(5)).burst(100)).batch(10);
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// bucket.set_burst(50, Instant::ORIGIN)?;
    /// assert_eq!(bucket.burst(), 50);
    /// let error = bucket.set_burst(18, Instant::ORIGIN).unwrap_err();
    /// assert_eq!(error, ChangeError::Config(BucketConfigError::BurstUnderLeases));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_burst(&self, burst: u32, now: Instant) -> Result<(), ChangeError> {
        if burst <= self.all_idle() {
            let error = if burst == 0 { BucketConfigError::ZeroBurst } else { BucketConfigError::BurstUnderLeases };
            return Err(error.into());
        }
        self.bucket.set_burst(burst - self.all_idle(), now)
    }

    /// Starts a warm-up at `now`; the tokens on hand stay.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Fill, Instant, LeasedBucket, LeasedConfig, Rate, WarmUp};
    /// let bucket = BucketConfig::new(Rate::per_second(10)).burst(100).fill(Fill::Tokens(0));
    /// let bucket = LeasedBucket::<2>::new(LeasedConfig::new(bucket), Instant::ORIGIN)?;
    /// bucket.start_warm_up(WarmUp::GUIDE, Instant::ORIGIN)?;
    /// assert_eq!(bucket.available(Instant::ORIGIN.saturating_add(Duration::from_secs(61))), 70);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn start_warm_up(&self, warm_up: WarmUp, now: Instant) -> Result<(), ChangeError> {
        self.bucket.start_warm_up(warm_up, now)
    }

    /// Moves the bucket to another clock, as [`TokenBucket::rebase`](crate::TokenBucket::rebase) does. Tokens in shards
    /// have no time: they stay.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let bucket = LeasedBucket::<2>::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(9))), Instant::ORIGIN)?;
    /// let hour = Instant::ORIGIN.saturating_add(Duration::from_secs(3600));
    /// bucket.try_take(0, 9, hour)?;
    /// bucket.rebase(hour, Instant::ORIGIN)?;
    /// assert_eq!(bucket.available(Instant::ORIGIN.saturating_add(Duration::from_secs(1))), 9);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) -> Result<(), ChangeError> {
        self.bucket.rebase(old_now, new_now)
    }

    /// Begins anew at `now`, as [`TokenBucket::reset`](crate::TokenBucket::reset) does. All that was leased is void.
    ///
    /// # Errors
    /// [`ChangeError`]; the bucket is then as it was.
    ///
    /// ```
    /// use seawall::{BucketConfig, Fill, Instant, LeasedBucket, LeasedConfig, Rate, WarmUp};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100)));
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// bucket.reset(Fill::Tokens(1), WarmUp::NONE, Instant::ORIGIN)?;
    /// assert_eq!(bucket.available(Instant::ORIGIN), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reset(&self, fill: Fill, warm_up: WarmUp, now: Instant) -> Result<(), ChangeError> {
        let burst = self.bucket.burst();
        // What does not fit the inner bucket lies in the shards.
        let mut rest = fill.tokens(burst.saturating_add(self.all_idle())).saturating_sub(burst);
        self.bucket.reset(fill, warm_up, now)?;
        for shard in &self.shards {
            // None where there is an owner: it begins with nothing, and the next shard gets more.
            let (_, share) = shard.word().begin_term(|_| rest.min(self.most_idle));
            rest -= share;
        }
        Ok(())
    }

    /// Discards the tokens over `keep`, so that what follows a pause begins slowly; says how many whole ones, but for those
    /// that owners of shards held, which are void too.
    ///
    /// # Concurrency
    /// Lock-free; an exchange for each shard.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100)));
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// assert_eq!(bucket.drain_to(1, Instant::ORIGIN), 99);
    /// assert_eq!(bucket.available(Instant::ORIGIN), 1);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub fn drain_to(&self, keep: u32, now: Instant) -> u32 {
        let mut drained = self.bucket.drain_to(keep, now);
        let mut rest = keep.saturating_sub(self.bucket.available(now));
        for shard in &self.shards {
            let (held, kept) = shard.word().begin_term(|tokens| tokens.min(rest));
            // Each is at most what it is taken from.
            rest -= kept;
            drained = drained.saturating_add(held - kept);
        }
        drained
    }
}
