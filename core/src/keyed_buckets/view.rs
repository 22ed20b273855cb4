//! [`KeyedBucketsView`]: what a table of buckets does, with any number of groups.

use core::fmt;
use core::mem::offset_of;

use crate::keyed_buckets::config::{KeyedConfig, KeyedConfigError};
use crate::keyed_buckets::place::{Group, MOST_GROUPS, State, WAYS};
use crate::keyed_buckets::settings::Settings;
use crate::keyed_buckets::spread::Spread;
use crate::keyed_buckets::terms;
use crate::layout::bytes_with_tail;
use crate::rate::Rate;
use crate::refused::Refused;
use crate::shard::CacheLine;
use crate::sip_hash::SipHash;
use crate::sync::{AtomicU64, Ordering, const_constructor};
use crate::time::Instant;

/// A [`KeyedBuckets`](crate::KeyedBuckets) whose number of groups is known when the program runs: as a slice to an array.
/// The sized one dereferences to it, and all that it does is done here.
///
/// # Storage
/// [`size_for`](Self::size_for) bytes at a multiple of [`ALIGNMENT`](Self::ALIGNMENT), all zero, are a view: one that
/// refuses every key for good, and is not changed, until [`renew`](Self::renew) makes it what `new` would. A face that is
/// given such storage makes the pointer as
/// `core::ptr::slice_from_raw_parts_mut(storage, groups) as *mut KeyedBucketsView`. The state is a `repr(C)` of words
/// without a pointer: it may be mapped, moved while nobody calls, and shared by processes. It holds the salt.
///
/// `S` is only there for the sized type; elsewhere leave it away.
///
/// ```
/// use seawall::{Instant, KeyedBuckets, KeyedBucketsView, KeyedConfig, Rate, WhenFull};
/// fn may_say(users: &KeyedBucketsView, name: &str, now: Instant) -> bool {
///     users.try_take(users.key_of(name.as_bytes()), 1, now).is_ok()
/// }
/// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailClosed);
/// let users = KeyedBuckets::<64>::new(config, 0x5EED, Instant::ORIGIN)?;
/// assert!(may_say(&users, "alice", Instant::ORIGIN) && !may_say(&users, "alice", Instant::ORIGIN));
/// # Ok::<(), seawall::KeyedConfigError>(())
/// ```
#[repr(C)]
pub struct KeyedBucketsView<S: ?Sized = [Group]> {
    pub(super) settings: Settings,
    hash: SipHash,
    spread: Spread,
    /// Away from what every taker reads: it is written by who is let through.
    pub(super) let_through: CacheLine<AtomicU64>,
    pub(super) groups: S,
}

impl<const GROUPS: usize> KeyedBucketsView<[Group; GROUPS]> {
    const_constructor! {
        pub(super) fn of_groups(
            config: KeyedConfig,
            salt: u64,
            start: Instant,
            groups: [Group; GROUPS],
        ) -> Result<Self, KeyedConfigError> {
            if let Err(error) = terms::check(&config) {
                return Err(error);
            }
            Ok(Self {
                settings: Settings::new(&config, start.as_nanos()),
                hash: SipHash::from_salt(salt),
                spread: Spread::from_salt(salt),
                let_through: CacheLine(AtomicU64::new(0)),
                groups,
            })
        }
    }
}

impl KeyedBucketsView {
    /// The fastest rate of a key: one token a microsecond.
    pub const FASTEST: Rate = Rate::per_second(1_000_000);
    /// What the address of its storage is a multiple of, in bytes.
    pub const ALIGNMENT: usize = align_of::<KeyedBucketsView<[Group; 0]>>();

    /// The bytes of one with so many groups, 128 for each; `None` where there is none, as it has 1 to 2,396,744.
    ///
    /// ```
    /// use seawall::{KeyedBuckets, KeyedBucketsView};
    /// assert_eq!(KeyedBucketsView::size_for(64), Some(size_of::<KeyedBuckets<64>>()));
    /// assert_eq!(KeyedBucketsView::size_for(0), None);
    /// ```
    #[must_use]
    pub const fn size_for(groups: usize) -> Option<usize> {
        if groups == 0 || groups > MOST_GROUPS {
            return None;
        }
        let offset = offset_of!(KeyedBucketsView<[Group; 0]>, groups);
        bytes_with_tail(offset, size_of::<Group>(), groups, Self::ALIGNMENT)
    }

    /// Makes it anew, as [`new`](crate::KeyedBuckets::new) would with as many groups as it has: every key is full, and
    /// what was let through is counted from 0.
    ///
    /// # Errors
    /// [`KeyedConfigError`], as of `new`; [`KeyedConfigError::Groups`] where it has none, or over 2,396,744. It is then as
    /// it was.
    ///
    /// # Complexity
    /// Writes the whole table.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedBucketsView, KeyedConfig, KeyedConfigError, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailClosed);
    /// let mut storage = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// let users: &mut KeyedBucketsView = &mut storage;
    /// users.try_take(42, 1, Instant::ORIGIN).unwrap();
    /// users.renew(config.burst(2), 8, Instant::ORIGIN)?;
    /// assert_eq!((users.available(42, Instant::ORIGIN), users.groups()), (2, 8));
    ///
    /// assert_eq!(users.renew(config.burst(0), 8, Instant::ORIGIN), Err(KeyedConfigError::ZeroBurst));
    /// assert_eq!(users.config(), config.burst(2));
    /// # Ok::<(), KeyedConfigError>(())
    /// ```
    pub fn renew(&mut self, config: KeyedConfig, salt: u64, start: Instant) -> Result<(), KeyedConfigError> {
        if self.groups.is_empty() || self.groups.len() > MOST_GROUPS {
            return Err(KeyedConfigError::Groups);
        }
        terms::check(&config)?;
        self.settings = Settings::new(&config, start.as_nanos());
        (self.hash, self.spread) = (SipHash::from_salt(salt), Spread::from_salt(salt));
        self.let_through = CacheLine(AtomicU64::new(0));
        self.groups.fill_with(Group::new);
        Ok(())
    }

    /// How many groups of seven places it has.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(10), WhenFull::FailOpen);
    /// assert_eq!(KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?.groups(), 8);
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How many keys fit at most: seven a group.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(10), WhenFull::FailOpen);
    /// assert_eq!(KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?.places(), KeyedBuckets::<8>::PLACES);
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[must_use]
    pub const fn places(&self) -> usize {
        self.groups.len().saturating_mul(WAYS)
    }

    /// The key of a name, an address, a token: its SipHash-1-3 under the salt.
    ///
    /// Two names share a key with a chance of 2^-64, and nobody who does not know the salt finds such a pair faster than
    /// by trying. Keys of one table mean nothing in another.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(10), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// assert_eq!(users.key_of(b"alice"), users.key_of(b"alice"));
    /// assert_ne!(users.key_of(b"alice"), users.key_of(b"bob"));
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[must_use]
    pub fn key_of(&self, bytes: &[u8]) -> u64 {
        self.hash.of_bytes(bytes)
    }

    /// The number by which the table places `key`: all 64 bits are uniform under a random salt, and those of any two keys
    /// independent. To compare the table with another one under the same hash; keep it as secret as the salt.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(10), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// assert_ne!(users.hash_of(1), users.hash_of(2));
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[inline]
    #[must_use]
    pub const fn hash_of(&self, key: u64) -> u64 {
        self.spread.of(key)
    }

    /// Takes `n` tokens of `key`, all or none. Any number is a key; see [`key_of`](Self::key_of) for keys that strangers
    /// make up. Taking 0 always succeeds and changes nothing.
    ///
    /// # Errors
    /// [`Refused`]: `NotYet` with the time until the tokens are there; `Never` where `n` is over the burst; `NoPlace`
    /// where the table is full and fails closed; `ClockStepped` where `now` lies further behind what the key, or the
    /// table for a new key, has seen than a burst and a second explain.
    ///
    /// # Concurrency
    /// Lock-free; loads only to refuse. One exchange for a key that has a place, four to six for a newcomer; where it
    /// fails open without a place, one addition to the count.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, Reason, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailClosed);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// assert!(users.try_take(42, 1, Instant::ORIGIN).is_ok());
    /// assert_eq!(users.try_take(42, 1, Instant::ORIGIN).unwrap_err().reason(), Reason::NotYet);
    /// assert_eq!(users.try_take(42, 2, Instant::ORIGIN).unwrap_err().reason(), Reason::Never);
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    // A call would not know the number of groups of a sized table, which saves a multiplication and bounds.
    #[inline(always)]
    pub fn try_take(&self, key: u64, n: u32, now: Instant) -> Result<(), Refused> {
        let hash = self.spread.of(key);
        match self.try_take_at_once(hash, n, now) {
            Some(answer) => answer,
            None => self.try_take_slowly(hash, n, now),
        }
    }

    /// As [`try_take`](Self::try_take), and whether the tokens were taken from a bucket: who was let through without a
    /// place has nothing to give back.
    // A call would not know the number of groups of a sized table, which saves a multiplication and bounds.
    #[inline(always)]
    pub(crate) fn try_charge(&self, key: u64, n: u32, now: Instant) -> Result<bool, Refused> {
        let hash = self.spread.of(key);
        match self.try_take_at_once(hash, n, now) {
            Some(answer) => answer.map(|()| true),
            None => self.try_charge_slowly(hash, n, now),
        }
    }

    /// Whether [`try_take`](Self::try_take) would succeed: loads only, takes nothing, counts nothing.
    ///
    /// # Errors
    /// As [`try_take`](Self::try_take). Advisory, as others may take meanwhile.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(3), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// assert!(users.peek(42, 3, Instant::ORIGIN).is_ok());
    /// assert_eq!(users.available(42, Instant::ORIGIN), 3);
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    // A call would not know the number of groups of a sized table, which saves a multiplication and bounds.
    #[inline(always)]
    pub fn peek(&self, key: u64, n: u32, now: Instant) -> Result<(), Refused> {
        let hash = self.spread.of(key);
        match self.peek_at_once(hash, n, now) {
            Some(answer) => answer,
            None => self.peek_slowly(hash, n, now),
        }
    }

    /// Whole tokens of `key` on hand; all of its burst for a key that has no entry, also where there is no place for
    /// one. Advisory, as others may take them meanwhile.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(3), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.try_take(42, 1, Instant::ORIGIN).unwrap();
    /// assert_eq!(users.available(42, Instant::ORIGIN), 2);
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[must_use]
    pub fn available(&self, key: u64, now: Instant) -> u32 {
        self.available_by_hash(self.spread.of(key), now)
    }

    /// Gives back `n` tokens that were taken of `key` and not used, up to its burst. `false` where its bucket is full,
    /// so that nothing is given back.
    ///
    /// # Concurrency
    /// Lock-free; one exchange, or loads only where nothing is given back.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.try_take(42, 1, Instant::ORIGIN).unwrap();
    /// assert!(users.refund(42, 1, Instant::ORIGIN));
    /// assert!(!users.refund(42, 1, Instant::ORIGIN));
    /// assert!(users.try_take(42, 1, Instant::ORIGIN).is_ok());
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    pub fn refund(&self, key: u64, n: u32, now: Instant) -> bool {
        self.refund_by_hash(self.spread.of(key), n, now)
    }

    /// The configuration in force.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(3), WhenFull::FailOpen);
    /// assert_eq!(KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?.config(), config);
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[must_use]
    pub fn config(&self) -> KeyedConfig {
        self.settings.terms().config()
    }

    /// How many calls passed without a limit because the table was full. Exact; it wraps at 2^64.
    ///
    /// What is refused for want of a place is told to the caller, as [`Reason::NoPlace`](crate::Reason::NoPlace), and
    /// counted by nobody: a refusal writes nothing.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<1>::new(config, 7, Instant::ORIGIN)?;
    /// for user in 0..10 {
    ///     assert!(users.try_take(user, 1, Instant::ORIGIN).is_ok());
    /// }
    /// assert_eq!((users.occupied(Instant::ORIGIN), users.let_through()), (7, 3));
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[must_use]
    pub fn let_through(&self) -> u64 {
        self.let_through.load(Ordering::Relaxed)
    }

    /// How many places are held by keys whose buckets are not full. Advisory while others call.
    ///
    /// # Complexity
    /// Reads the whole table.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.try_take(42, 1, Instant::ORIGIN).unwrap();
    /// let minute = Instant::ORIGIN.saturating_add(Duration::from_secs(60));
    /// assert_eq!((users.occupied(Instant::ORIGIN), users.occupied(minute)), (1, 0));
    /// # Ok::<(), seawall::KeyedConfigError>(())
    /// ```
    #[must_use]
    pub fn occupied(&self, now: Instant) -> usize {
        let terms = self.settings.growth();
        let floor = terms.floor(terms.level_at(now.as_nanos()));
        let is_held = |state: &&AtomicU64| State(state.load(Ordering::Relaxed)).position() > floor;
        self.groups.iter().flat_map(|group| &group.states).filter(is_held).count()
    }

    #[cold]
    #[inline(never)]
    fn try_take_slowly(&self, hash: u64, n: u32, now: Instant) -> Result<(), Refused> {
        self.charge_by_hash(hash, n, now).map(|_| ())
    }

    #[cold]
    #[inline(never)]
    fn try_charge_slowly(&self, hash: u64, n: u32, now: Instant) -> Result<bool, Refused> {
        self.charge_by_hash(hash, n, now)
    }

    #[cold]
    #[inline(never)]
    fn peek_slowly(&self, hash: u64, n: u32, now: Instant) -> Result<(), Refused> {
        self.peek_by_hash(hash, n, now)
    }
}

impl fmt::Debug for KeyedBucketsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBuckets").field("config", &self.config()).finish_non_exhaustive()
    }
}
