//! [`LeasedBucket`]: a token bucket from which shards take in batches, so that allowing scales with cores.
//!
//! One word that every core writes does not scale, whatever is done to it. Here a shard, a core's or a worker's, takes a
//! batch of tokens from a [`TokenBucket`](crate::TokenBucket) in one exchange, and spends them from a word on a cache line of its own.
//!
//! # Invariant
//! Tokens are debited when they are leased, and what lies in shards is part of the burst: the inner bucket has the burst
//! less (batch - 1) for each shard, and no shard ever has more than that, on the way to it included, for only one caller
//! at a time may bring a batch, and only as many as fit. So a window admits what was debited in it, and what lay in shards
//! at its start: the burst and what the rate emits, exactly as of a bucket without shards. A token in a shard needs no
//! deadline.
//!
//! ```text
//! bucket        a TokenBucket of (burst - SHARDS x (batch - 1))
//! shard[i]      bits 63..18 term     17 owned     16 filling     15..0 tokens, at most batch - 1
//! ```
//! *Filling* is one caller on its way from the bucket with a batch; others take from the bucket what they need and leave
//! nothing. *Owned* is the same for longer: the tokens are with the [`OwnedLease`]. A new *term* voids what is on its way
//! to the shard or with its owner: a drain and a reset begin one, and so does an owner.
//!
//! # Orderings
//! * Term: `Release` exchange after the inner bucket was changed, paired with the `Acquire` load of who is to fill. What it
//!   then takes from the bucket is what the change left. Its exchanges may be `Relaxed`: they continue the sequence.
//! * Owner: `Acquire` exchange, paired with the `Release` exchange of the owner before.
//! * Tokens: `Relaxed`, they publish nothing. An owner's look at its term too: who takes from what it has comes before a
//!   drain that it does not see.
//!
//! # Limits
//! * Those of [`TokenBucket`](crate::TokenBucket) hold for the inner one. After a long rest it is full, and shards are as they were: so of
//!   what lies idle, at most SHARDS x (batch - 1), a thirty-second of the burst by default, may be missing.
//! * Tokens for one call come from one place: its shard, or the bucket, or another shard; an owner's from both of its own.
//!   One token is refused only where there is none, but for what is with owners or on its way. More than one may be
//!   refused where only shards together have as many; the wait is then that of the inner bucket. More than the inner
//!   bucket's burst is `Never`.
//! * A caller that is stopped for ever with a batch on its way, or as an owner, costs that: at most batch - 1 tokens, once.
//!   Its shard then takes token by token, until a drain, a reset or an owner begins a new term; nobody waits for it.
//! * An owner's call that is under way while the bucket is reset may still be granted by what it had, less than a batch.
//! * A term comes again after 2^46 others.
//!
//! # Source
//! Leases of a shared quota, as every hierarchical limiter has them; that their sum is taken out of the burst is ours.

mod change;
mod config;
mod owned;
mod shard_word;
mod view;

use core::fmt;
use core::ops::{Deref, DerefMut};

pub use config::LeasedConfig;
pub use owned::OwnedLease;
pub use view::LeasedBucketView;

use crate::sync::const_constructor;
use crate::time::Instant;
use crate::token_bucket::BucketConfigError;
use view::{MOST_SHARDS, Shard};

/// A [`TokenBucket`](crate::TokenBucket) for many cores: each shard takes tokens in batches and spends them alone.
///
/// All that it does are methods of [`LeasedBucketView`], to which it dereferences, as an array to its slice.
///
/// The caller says which shard is its own: the number of a worker, or of its core; with feature `std`
/// [`try_take_here`](LeasedBucketView::try_take_here) goes by the thread. Any number of callers may share a shard.
///
/// ```
/// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
///
/// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1_000_000)));
/// let bucket = LeasedBucket::<8>::new(config, Instant::ORIGIN)?;
/// let worker = 3;
/// assert!(bucket.try_take(worker, 1, Instant::ORIGIN).is_ok());
/// # Ok::<(), seawall::BucketConfigError>(())
/// ```
#[repr(C)]
pub struct LeasedBucket<const SHARDS: usize>(LeasedBucketView<[Shard; SHARDS]>);

impl<const SHARDS: usize> LeasedBucket<SHARDS> {
    const_constructor! {
        /// A bucket that begins to earn at `start`; a first fill that the inner bucket does not hold lies in the shards.
        ///
        /// # Errors
        /// [`BucketConfigError`] as of [`TokenBucket::new`](crate::TokenBucket::new); for a batch of 0 or over 65,536; for a burst that is not over
        /// what may lie in shards.
        ///
        /// ```
        /// use seawall::{BucketConfig, BucketConfigError, Instant, LeasedBucket, LeasedConfig, Rate};
        /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100))).batch(26);
        /// assert!(LeasedBucket::<3>::new(config, Instant::ORIGIN).is_ok());
        /// let error = LeasedBucket::<4>::new(config, Instant::ORIGIN).unwrap_err();
        /// assert_eq!(error, BucketConfigError::BurstUnderLeases);
        /// ```
        pub fn new(config: LeasedConfig, start: Instant) -> Result<Self, BucketConfigError> {
            const { assert!(SHARDS > 0 && SHARDS <= MOST_SHARDS, "a leased bucket has 1 to 32,768 shards") };
            match LeasedBucketView::of_shards(config, start) {
                Ok(bucket) => Ok(Self(bucket)),
                Err(error) => Err(error),
            }
        }
    }
}

impl<const SHARDS: usize> Deref for LeasedBucket<SHARDS> {
    type Target = LeasedBucketView;

    #[inline(always)]
    fn deref(&self) -> &LeasedBucketView {
        &self.0
    }
}

impl<const SHARDS: usize> DerefMut for LeasedBucket<SHARDS> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut LeasedBucketView {
        &mut self.0
    }
}

impl<const SHARDS: usize> fmt::Debug for LeasedBucket<SHARDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
