//! [`LeasedBucket`]: a token bucket from which shards take in batches, so that allowing scales with cores.
//!
//! One word that every core writes does not scale, whatever is done to it. Here a shard, a core's or a worker's, takes a
//! batch of tokens from a [`TokenBucket`] in one exchange, and spends them from a word on a cache line of its own.
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
//! * Those of [`TokenBucket`] hold for the inner one. After a long rest it is full, and shards are as they were: so of
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

pub use config::LeasedConfig;
pub use owned::OwnedLease;

use crate::rate::Rate;
use crate::refused::Refused;
use crate::shard::CacheLine;
use crate::sync::{atomic_array, const_constructor};
use crate::time::Instant;
use crate::token_bucket::{BucketConfig, BucketConfigError, Fill, TokenBucket};
use shard_word::{Seen, ShardWord};

/// A [`TokenBucket`] for many cores: each shard takes tokens in batches and spends them alone.
///
/// The caller says which shard is its own: the number of a worker, or of its core; with feature `std`
/// [`try_take_here`](Self::try_take_here) goes by the thread. Any number of callers may share a shard.
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
#[derive(Debug)]
#[repr(C)]
pub struct LeasedBucket<const SHARDS: usize> {
    bucket: TokenBucket,
    batch: u32,
    shards: [CacheLine<ShardWord>; SHARDS],
}

impl<const SHARDS: usize> LeasedBucket<SHARDS> {
    const_constructor! {
        /// A bucket that begins to earn at `start`; a first fill that the inner bucket does not hold lies in the shards.
        ///
        /// # Errors
        /// [`BucketConfigError`] as of [`TokenBucket::new`]; for a batch of 0 or over 65,536; for a burst that is not over
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
            const { assert!(SHARDS > 0 && SHARDS <= 1 << 15, "a leased bucket has 1 to 32,768 shards") };
            let batch = match config.batch_for(SHARDS) {
                Ok(batch) => batch,
                Err(error) => return Err(error),
            };
            let (burst, idle) = (config.bucket.burst, Self::most_idle(batch));
            if burst > 0 && burst <= idle {
                return Err(BucketConfigError::BurstUnderLeases);
            }
            // A burst of 0 is the bucket's own error.
            let inner = burst.saturating_sub(idle);
            let tokens = config.bucket.fill.tokens(burst);
            let (inside, mut rest) = if tokens > inner { (inner, tokens - inner) } else { (tokens, 0) };
            let bucket = BucketConfig { burst: inner, fill: Fill::Tokens(inside), ..config.bucket };
            let bucket = match TokenBucket::new(bucket, start) {
                Ok(bucket) => bucket,
                Err(error) => return Err(error),
            };
            let mut shards: [CacheLine<ShardWord>; SHARDS] = atomic_array!(CacheLine(ShardWord::holding(0)), SHARDS);
            let mut shard = 0;
            while shard < SHARDS {
                let share = if rest < batch - 1 { rest } else { batch - 1 };
                rest -= share;
                shards[shard] = CacheLine(ShardWord::holding(share));
                shard += 1;
            }
            Ok(Self { bucket, batch, shards })
        }
    }

    /// The most that may lie in shards.
    const fn most_idle(batch: u32) -> u32 {
        // Below 2^31: at most 2^15 shards of under 2^16.
        SHARDS as u32 * (batch - 1)
    }

    #[inline]
    fn home(&self, shard: u32) -> &ShardWord {
        // The remainder is below SHARDS, which is over 0.
        &self.shards[shard as usize % SHARDS].0
    }

    /// Takes `n` tokens, all or none, for the caller's shard, which is taken modulo the number of shards. Taking 0 always
    /// succeeds and changes nothing.
    ///
    /// # Errors
    /// [`Refused`] as of [`TokenBucket::try_take`], for the inner bucket; see the limits of this type.
    ///
    /// # Concurrency
    /// Lock-free. One exchange on the shard's line to admit, three for the one call of a batch that brings it; loads only to
    /// refuse, but where others take what it was on its way to.
    ///
    /// # Complexity
    /// Who is refused, or takes the last tokens, looks at each shard.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1)).burst(100)).batch(10);
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// // What lies in the other shard is not lost to this one.
    /// assert_eq!((0..200).filter(|_| bucket.try_take(0, 1, Instant::ORIGIN).is_ok()).count(), 100);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[inline]
    pub fn try_take(&self, shard: u32, n: u32, now: Instant) -> Result<(), Refused> {
        let home = self.home(shard);
        let seen = home.load();
        if n == 0 || seen.tokens() >= n && home.take(seen, n).is_ok() {
            return Ok(());
        }
        self.try_take_more(home, n, now)
    }

    /// As [`try_take`](Self::try_take), with the shard of the calling [thread](crate::thread_shard).
    ///
    /// # Errors
    /// As [`try_take`](Self::try_take).
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let bucket = LeasedBucket::<8>::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(9))), Instant::ORIGIN)?;
    /// assert!(bucket.try_take_here(1, Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[cfg(all(feature = "std", not(seawall_loom)))]
    #[inline]
    pub fn try_take_here(&self, n: u32, now: Instant) -> Result<(), Refused> {
        self.try_take(crate::shard::thread_shard(), n, now)
    }

    #[cold]
    #[inline(never)]
    fn try_take_more(&self, home: &ShardWord, n: u32, now: Instant) -> Result<(), Refused> {
        let mut seen = home.load();
        loop {
            // A turn follows only when another thread made progress: lock-free.
            if seen.tokens() >= n {
                match home.take(seen, n) {
                    Ok(()) => return Ok(()),
                    Err(now) => seen = now,
                }
                continue;
            }
            if let Err(refused) = self.bucket.peek(n, now) {
                return steal(&self.shards, n).ok_or(refused);
            }
            if self.take_from_bucket(home, seen, n, now) {
                return Ok(());
            }
            seen = home.load();
        }
    }

    /// Takes `n` from the bucket, and as many as fit for the shard; `false` where the bucket has less than `n` by now.
    fn take_from_bucket(&self, home: &ShardWord, seen: Seen, n: u32, now: Instant) -> bool {
        // What fits now fits later: nobody else brings any.
        let room = (self.batch - 1).saturating_sub(seen.tokens());
        let filling = if seen.is_taken() || room == 0 { None } else { home.begin_filling(seen) };
        let most = n.saturating_add(if filling.is_some() { room } else { 0 });
        let taken = self.bucket.take_between(n, most, now);
        if let Some(standing) = filling {
            home.end_filling(standing, taken.saturating_sub(n));
        }
        taken >= n
    }

    /// Gives `n` tokens back that were taken and never used, to the inner bucket: see
    /// [`TokenBucket::refund`].
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let bucket = LeasedBucket::<2>::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(9))), Instant::ORIGIN)?;
    /// bucket.try_take(0, 9, Instant::ORIGIN)?;
    /// assert!(bucket.refund(9, Instant::ORIGIN));
    /// assert_eq!(bucket.available(Instant::ORIGIN), 9);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn refund(&self, n: u32, now: Instant) -> bool {
        self.bucket.refund(n, now)
    }

    /// Whether [`try_take`](Self::try_take) would succeed, for any shard: loads only, takes nothing.
    ///
    /// # Errors
    /// As [`try_take`](Self::try_take).
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let bucket = LeasedBucket::<2>::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(9))), Instant::ORIGIN)?;
    /// assert!(bucket.peek(9, Instant::ORIGIN).is_ok() && bucket.peek(10, Instant::ORIGIN).is_err());
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    pub fn peek(&self, n: u32, now: Instant) -> Result<(), Refused> {
        match self.bucket.peek(n, now) {
            Err(refused) if self.shards.iter().all(|shard| shard.load().tokens() < n) => Err(refused),
            _ => Ok(()),
        }
    }

    /// Whole tokens in the bucket and in its shards, without those that owners hold; advisory.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100_000)));
    /// let bucket = LeasedBucket::<4>::new(config, Instant::ORIGIN)?;
    /// assert_eq!(bucket.available(Instant::ORIGIN), 100_000);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn available(&self, now: Instant) -> u32 {
        let in_shards = self.shards.iter().map(|shard| shard.load().tokens()).fold(0, u32::saturating_add);
        self.bucket.available(now).saturating_add(in_shards)
    }

    /// The rate in force, the target's during a warm-up.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let bucket = LeasedBucket::<2>::new(LeasedConfig::new(BucketConfig::new(Rate::per_second(9))), Instant::ORIGIN)?;
    /// assert_eq!(bucket.rate(), Rate::per_second(9));
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.bucket.rate()
    }

    /// The burst in force, of the bucket and its shards.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100_000)));
    /// assert_eq!(LeasedBucket::<4>::new(config, Instant::ORIGIN)?.burst(), 100_000);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.bucket.burst().saturating_add(Self::most_idle(self.batch))
    }

    /// How many tokens a shard takes at once.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let batch_for = |burst| {
    ///     let bucket = BucketConfig::new(Rate::per_second(1)).burst(burst);
    ///     LeasedBucket::<4>::new(LeasedConfig::new(bucket), Instant::ORIGIN).unwrap().batch()
    /// };
    /// assert_eq!((batch_for(100), batch_for(1_000), batch_for(100_000)), (1, 8, 64));
    /// ```
    #[must_use]
    pub const fn batch(&self) -> u32 {
        self.batch
    }
}

/// Takes `n` tokens out of the first shard that has as many; writes only there.
fn steal(shards: &[CacheLine<ShardWord>], n: u32) -> Option<()> {
    shards.iter().find_map(|shard| {
        let mut seen = shard.load();
        while seen.tokens() >= n {
            match shard.take(seen, n) {
                Ok(()) => return Some(()),
                Err(now) => seen = now,
            }
        }
        None
    })
}
