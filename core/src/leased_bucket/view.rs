//! [`LeasedBucketView`]: what a leased bucket does, with any number of shards.

use core::fmt;
use core::mem::offset_of;

use crate::layout::bytes_with_tail;
use crate::leased_bucket::config::LeasedConfig;
use crate::leased_bucket::shard_word::{Seen, ShardWord};
use crate::rate::Rate;
use crate::refused::Refused;
use crate::shard::CacheLine;
use crate::sync::{atomic_array, const_constructor};
use crate::time::Instant;
use crate::token_bucket::{BucketConfig, BucketConfigError, Fill, TokenBucket};

/// The most shards.
pub(super) const MOST_SHARDS: usize = 1 << 15;

/// What lies in one shard, on a line of its own.
#[derive(Debug)]
#[repr(transparent)]
pub struct Shard(CacheLine<ShardWord>);

impl Shard {
    const_constructor! {
        pub(super) fn holding(tokens: u32) -> Self {
            Self(CacheLine(ShardWord::holding(tokens)))
        }
    }

    #[inline]
    pub(super) fn word(&self) -> &ShardWord {
        &self.0
    }
}

/// A [`LeasedBucket`](crate::LeasedBucket) whose number of shards is known when the program runs: as a slice to an array.
/// The sized one dereferences to it, and all that it does is done here.
///
/// # Storage
/// [`size_for`](Self::size_for) bytes at a multiple of [`ALIGNMENT`](Self::ALIGNMENT), all zero, are a view: one without
/// a token until [`renew`](Self::renew) makes it what `new` would. A face that is given such storage makes the pointer as
/// `core::ptr::slice_from_raw_parts_mut(storage, shards) as *mut LeasedBucketView`. The state is a `repr(C)` of words
/// without a pointer: it may be mapped, moved while nobody calls, and shared by processes.
///
/// `S` is only there for the sized type; elsewhere leave it away.
///
/// ```
/// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedBucketView, LeasedConfig, Rate};
/// fn may_send(bucket: &LeasedBucketView, worker: u32, now: Instant) -> bool {
///     bucket.try_take(worker, 1, now).is_ok()
/// }
/// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(1)));
/// let bucket = LeasedBucket::<8>::new(config, Instant::ORIGIN)?;
/// assert!(may_send(&bucket, 3, Instant::ORIGIN) && !may_send(&bucket, 5, Instant::ORIGIN));
/// # Ok::<(), seawall::BucketConfigError>(())
/// ```
#[repr(C)]
pub struct LeasedBucketView<S: ?Sized = [Shard]> {
    pub(super) bucket: TokenBucket,
    /// The most that may lie in a shard: a batch less one.
    pub(super) most_idle: u32,
    pub(super) shards: S,
}

/// What a bucket begins with.
struct Beginning {
    bucket: TokenBucket,
    most_idle: u32,
    /// The tokens of the first fill that lie in shards.
    rest: u32,
}

/// The most that may lie in so many shards together.
const fn idle_in(shards: usize, most_idle: u32) -> u32 {
    // Below 2^31: at most 2^15 shards of under 2^16. Saturating for storage that was damaged.
    (shards as u32).saturating_mul(most_idle)
}

impl Beginning {
    const_constructor! {
        fn new(config: LeasedConfig, shards: usize, start: Instant) -> Result<Self, BucketConfigError> {
            if shards == 0 || shards > MOST_SHARDS {
                return Err(BucketConfigError::Shards);
            }
            let most_idle = match config.batch_for(shards) {
                Ok(batch) => batch - 1,
                Err(error) => return Err(error),
            };
            let (burst, idle) = (config.bucket.burst, idle_in(shards, most_idle));
            if burst > 0 && burst <= idle {
                return Err(BucketConfigError::BurstUnderLeases);
            }
            // A burst of 0 is the bucket's own error.
            let inner = burst.saturating_sub(idle);
            let tokens = config.bucket.fill.tokens(burst);
            let (inside, rest) = if tokens > inner { (inner, tokens - inner) } else { (tokens, 0) };
            let bucket = BucketConfig { burst: inner, fill: Fill::Tokens(inside), ..config.bucket };
            match TokenBucket::new(bucket, start) {
                Ok(bucket) => Ok(Self { bucket, most_idle, rest }),
                Err(error) => Err(error),
            }
        }
    }
}

/// What the next shard begins with of the `rest`, and what is left of it.
const fn share_of(rest: u32, most_idle: u32) -> (u32, u32) {
    let share = if rest < most_idle { rest } else { most_idle };
    (share, rest - share)
}

impl<const SHARDS: usize> LeasedBucketView<[Shard; SHARDS]> {
    const_constructor! {
        pub(super) fn of_shards(config: LeasedConfig, start: Instant) -> Result<Self, BucketConfigError> {
            let Beginning { bucket, most_idle, mut rest } = match Beginning::new(config, SHARDS, start) {
                Ok(beginning) => beginning,
                Err(error) => return Err(error),
            };
            let mut shards: [Shard; SHARDS] = atomic_array!(Shard::holding(0), SHARDS);
            let mut shard = 0;
            while shard < SHARDS {
                let (share, left) = share_of(rest, most_idle);
                (shards[shard], rest) = (Shard::holding(share), left);
                shard += 1;
            }
            Ok(Self { bucket, most_idle, shards })
        }
    }
}

impl LeasedBucketView {
    /// What the address of its storage is a multiple of, in bytes.
    pub const ALIGNMENT: usize = align_of::<LeasedBucketView<[Shard; 0]>>();

    /// The bytes of one with so many shards, 64 for each; `None` where there is none, as it has 1 to 32,768.
    ///
    /// ```
    /// use seawall::{LeasedBucket, LeasedBucketView};
    /// assert_eq!(LeasedBucketView::size_for(8), Some(size_of::<LeasedBucket<8>>()));
    /// assert_eq!(LeasedBucketView::size_for(0), None);
    /// ```
    #[must_use]
    pub const fn size_for(shards: usize) -> Option<usize> {
        if shards == 0 || shards > MOST_SHARDS {
            return None;
        }
        let offset = offset_of!(LeasedBucketView<[Shard; 0]>, shards);
        bytes_with_tail(offset, size_of::<Shard>(), shards, Self::ALIGNMENT)
    }

    /// Makes it anew, as [`new`](crate::LeasedBucket::new) would with as many shards as it has.
    ///
    /// # Errors
    /// [`BucketConfigError`], as of `new`; [`BucketConfigError::Shards`] where it has none, or over 32,768. It is then as
    /// it was.
    ///
    /// ```
    /// use seawall::{BucketConfig, BucketConfigError, Instant, LeasedBucket, LeasedBucketView, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100)));
    /// let mut storage = LeasedBucket::<4>::new(config, Instant::ORIGIN)?;
    /// let bucket: &mut LeasedBucketView = &mut storage;
    /// bucket.renew(config.batch(25), Instant::ORIGIN)?;
    /// assert_eq!((bucket.batch(), bucket.shards(), bucket.available(Instant::ORIGIN)), (25, 4, 100));
    ///
    /// let error = bucket.renew(config.batch(26), Instant::ORIGIN);
    /// assert_eq!((error, bucket.batch()), (Err(BucketConfigError::BurstUnderLeases), 25));
    /// # Ok::<(), BucketConfigError>(())
    /// ```
    pub fn renew(&mut self, config: LeasedConfig, start: Instant) -> Result<(), BucketConfigError> {
        let Beginning { bucket, most_idle, mut rest } = Beginning::new(config, self.shards.len(), start)?;
        (self.bucket, self.most_idle) = (bucket, most_idle);
        for shard in &mut self.shards {
            let (share, left) = share_of(rest, most_idle);
            (*shard, rest) = (Shard::holding(share), left);
        }
        Ok(())
    }

    /// How many shards it has.
    ///
    /// ```
    /// use seawall::{BucketConfig, Instant, LeasedBucket, LeasedConfig, Rate};
    /// let config = LeasedConfig::new(BucketConfig::new(Rate::per_second(100)));
    /// assert_eq!(LeasedBucket::<4>::new(config, Instant::ORIGIN)?.shards(), 4);
    /// # Ok::<(), seawall::BucketConfigError>(())
    /// ```
    #[must_use]
    pub const fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The most that may lie in all shards.
    pub(super) const fn all_idle(&self) -> u32 {
        idle_in(self.shards.len(), self.most_idle)
    }

    /// The place of a shard, taken modulo their number; none only where a view has no shard at all.
    #[inline]
    pub(super) fn index_of(&self, shard: u32) -> Option<u32> {
        // Of 32 bits, as a division of 64 costs more: there are at most 2^15.
        shard.checked_rem(self.shards.len() as u32)
    }

    /// The caller's shard.
    #[inline]
    fn home(&self, shard: u32) -> Option<&ShardWord> {
        Some(self.shards.get(self.index_of(shard)? as usize)?.word())
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
        let Some(home) = self.home(shard) else { return self.bucket.try_take(n, now) };
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
        let room = self.most_idle.saturating_sub(seen.tokens());
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
            Err(refused) if self.shards.iter().all(|shard| shard.word().load().tokens() < n) => Err(refused),
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
        let in_shards = self.shards.iter().map(|shard| shard.word().load().tokens()).fold(0, u32::saturating_add);
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
        self.bucket.burst().saturating_add(self.all_idle())
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
        self.most_idle.saturating_add(1)
    }
}

/// Takes `n` tokens out of the first shard that has as many; writes only there.
pub(super) fn steal(shards: &[Shard], n: u32) -> Option<()> {
    shards.iter().find_map(|shard| {
        let shard = shard.word();
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

impl fmt::Debug for LeasedBucketView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedBucket")
            .field("bucket", &self.bucket)
            .field("batch", &self.batch())
            .field("shards", &&self.shards)
            .finish()
    }
}
