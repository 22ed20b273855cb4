//! A shard with one user: [`OwnedLease`].

use core::mem::ManuallyDrop;

use crate::leased_bucket::shard_word::{ShardWord, Standing};
use crate::leased_bucket::view::{LeasedBucketView, Shard, steal};
use crate::refused::Refused;
use crate::time::Instant;
use crate::token_bucket::TokenBucket;

/// A shard of a [`LeasedBucket`](crate::LeasedBucket) that one worker owns: its tokens are a plain number, and a take is a subtraction, but for
/// one exchange a batch. Dropped, its tokens lie in the shard for everybody.
///
/// Forgotten, or lost with its process, it keeps its shard, and at most a batch less one of tokens; so does an owner that
/// never calls again.
///
/// ```
/// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
/// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100_000)));
/// let bucket = LeasedBucket::<4>::new(config, Instant::ORIGIN)?;
/// let mut lease = bucket.own(0).expect("nobody owns it");
/// assert!(bucket.own(0).is_none());
/// assert!(lease.try_take(1, Instant::ORIGIN).is_ok());
/// # Ok::<(), seawall::BucketConfigError>(())
/// ```
#[derive(Debug)]
#[must_use = "dropped, the shard is free again"]
pub struct OwnedLease<'a> {
    home: &'a ShardWord,
    index: u32,
    standing: Standing,
    /// At most a batch less one.
    left: u32,
    most_idle: u32,
    bucket: &'a TokenBucket,
    shards: &'a [Shard],
}

impl LeasedBucketView {
    /// Makes the caller the only one who leases to this shard, with what lies in it; `None` where there is one already.
    /// `shard` is taken modulo the number of shards. Others may still call for the shard: they then take from the bucket.
    ///
    /// # Concurrency
    /// Lock-free.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100_000)));
    /// let bucket = LeasedBucket::<4>::new(config, Instant::ORIGIN)?;
    /// drop(bucket.own(2));
    /// assert!(bucket.own(2).is_some());
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub fn own(&self, shard: u32) -> Option<OwnedLease<'_>> {
        let index = self.index_of(shard)?;
        let (standing, left) = self.shards.get(index as usize)?.word().claim()?;
        self.lease(index, standing, left)
    }

    #[inline]
    fn lease(&self, index: u32, standing: Standing, left: u32) -> Option<OwnedLease<'_>> {
        let home = self.shards.get(index as usize)?.word();
        let (most_idle, bucket, shards) = (self.most_idle, &self.bucket, &self.shards);
        Some(OwnedLease { home, index, standing, left, most_idle, bucket, shards })
    }

    /// The lease of this bucket that [`OwnedLease::into_words`] took apart: one that went on, not a second one. `None` of
    /// words that are none, or where nobody owns the shard any more.
    ///
    /// Words that are turned back a second time are not always found out. They spend what they hold once more, less than a
    /// batch, and may end the ownership of who owns the shard by then, whose tokens are void.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100_000)));
    /// let bucket = LeasedBucket::<4>::new(config, Instant::ORIGIN)?;
    /// let words = bucket.own(0).expect("nobody owns it").into_words();
    /// drop(bucket.lease_from_words(words).expect("it is owned by these words"));
    /// assert!(bucket.lease_from_words(words).is_none() && bucket.lease_from_words([0; 3]).is_none());
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn lease_from_words(&self, [index, standing, left]: [u64; 3]) -> Option<OwnedLease<'_>> {
        let standing = Standing::of_owner(standing)?;
        let (index, left) = (u32::try_from(index).ok()?, u32::try_from(left).ok()?);
        let lease = ManuallyDrop::new(self.lease(index, standing, left)?);
        // Not dropped where it is none: that would end another's.
        let is_one = left <= self.most_idle && lease.home.load().is_owned();
        is_one.then(|| ManuallyDrop::into_inner(lease))
    }
}

impl OwnedLease<'_> {
    /// As [`LeasedBucketView::try_take`], from what this owner has, then with it from the bucket.
    ///
    /// # Errors
    /// As [`LeasedBucketView::try_take`]; the wait is for what is missing beside the tokens of this owner.
    ///
    /// # Concurrency
    /// Lock-free. One load for what it has, one exchange for a batch; loads only to refuse.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1)).burst(100)).batch(10);
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// let mut lease = bucket.own(0).expect("nobody owns it");
    /// assert_eq!((0..200).filter(|_| lease.try_take(1, Instant::ORIGIN).is_ok()).count(), 100);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[inline]
    pub fn try_take(&mut self, n: u32, now: Instant) -> Result<(), Refused> {
        if self.left >= n && self.home.stands(self.standing) {
            self.left -= n;
            return Ok(());
        }
        self.try_take_more(n, now)
    }

    #[cold]
    #[inline(never)]
    fn try_take_more(&mut self, n: u32, now: Instant) -> Result<(), Refused> {
        let standing = self.home.renewed();
        if standing != self.standing {
            // Drained or reset by another: what was leased before is void.
            (self.standing, self.left) = (standing, 0);
        }
        loop {
            // More than are left, or none of a void lease: then it is for nothing, and always there.
            let missing = n.saturating_sub(self.left);
            if missing == 0 {
                self.left -= n;
                return Ok(());
            }
            // No look first: the line that others write is asked for once.
            let taken = self.bucket.take_between(missing, missing.saturating_add(self.most_idle), now);
            if taken >= missing {
                // At most a batch less one.
                self.left = taken - missing;
                return Ok(());
            }
            if let Err(refused) = self.bucket.peek(missing, now) {
                return steal(self.shards, n).ok_or(refused);
            }
        }
    }

    /// The tokens that this owner has without asking; advisory, as they may be void by now.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1)).burst(100)).batch(10);
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// assert_eq!(bucket.own(1).expect("nobody owns it").tokens(), 9);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub const fn tokens(&self) -> u32 {
        self.left
    }

    /// The lease as plain words, to keep it where no Rust value can be kept: the shard stays owned, and the words are
    /// turned back with [`LeasedBucketView::lease_from_words`] once.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1)).burst(100)).batch(10);
    /// let bucket = LeasedBucket::<2>::new(config, Instant::ORIGIN)?;
    /// let words = bucket.own(1).expect("nobody owns it").into_words();
    /// assert!(bucket.own(1).is_none());
    /// assert_eq!(bucket.lease_from_words(words).map(|lease| lease.tokens()), Some(9));
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use = "without them the shard stays owned for ever"]
    #[inline]
    pub fn into_words(self) -> [u64; 3] {
        let lease = ManuallyDrop::new(self);
        [lease.index.into(), lease.standing.word(), lease.left.into()]
    }
}

impl Drop for OwnedLease<'_> {
    fn drop(&mut self) {
        self.home.release(self.standing, self.left);
    }
}
