//! [`KeyedBuckets`]: a token bucket for each user, connection or tenant, in a table of fixed size.
//!
//! # Invariant
//! All keys earn alike, so one *level*, what a key has earned by now, serves them all; a key is one word, its
//! *position*: what it has taken, on the same scale. `level(now) - position` are the units on hand, at most a burst; a
//! unit is 2^-k tokens. **A key whose position lies a burst or more below the level has a full bucket, and that is what
//! a key without an entry has**: such a place is free, for whoever comes. So nothing is swept, and nobody loses tokens
//! that it did not have: what limits a key is removed only when it no longer does.
//!
//! A key has at most one entry that counts, and an entry of another key is never debited or credited for it. So a key
//! never gets more than its burst and what the rate emits.
//!
//! # The table
//! A key lies in one of two groups of seven places, chosen by a hash of the key under the salt: its home, and a second
//! choice. A newcomer goes to its home, and where that has fewer than four free places to the emptier one. Without the
//! salt nobody can choose keys that crowd one group: for any two keys each pair of groups is as likely as any other. The
//! hash is a multiplication and a mixing of bits (`spread.rs`), enough for numbers that are given out, as ids and addresses
//! are. Keys that strangers make up, and go on choosing by what they see, are for [`KeyedBuckets::key_of`]: SipHash-1-3.
//! ```text
//! group    head, 7 x owner; removed, 7 x state: two cache lines, and a look for a key reads the first
//! owner    bits 63..52 generation   51..0 identity: the lowest 52 bits of the hash
//! state    bits 63..52 generation   51 tentative    50..0 position in units
//! head     bits 63..36 turn         35..24 generation   23..0 place + 1
//! removed  at least the level at which any entry was removed from this group
//! ```
//! The place is the owner's whose generation is the state's. Who has an entry takes by one exchange of its state; as
//! every new owner is a new generation, a stalled taker's exchange fails. Such a call looks at the owners of a group
//! without a branch for each, and then at one state; what that does not settle is looked at once more with care.
//!
//! A newcomer takes a free place by one exchange of its state, with what it takes already in it, *tentative*, and writes
//! itself in as the owner. Then it exchanges the head of its home, which names the entry and thereby admits it. The head
//! was read before both groups were looked through, so the exchange succeeds only if no entry of this key was admitted
//! since: of two that enter the same key in two places, one is admitted, and the other finds it and withdraws. Who
//! meets an entry whose owner is stopped admits it and goes on; before the head moves on, what it names is written into
//! the place. So nobody waits for anybody.
//!
//! A call whose reading is old must not take a removed entry for a bucket that was full at that reading: the remover
//! raises `removed` first, and a newcomer counts as of the newest of its reading and these marks.
//!
//! # How full it may be
//! Share of the keys that find no place, by counting (`core/tests/keyed_buckets.rs`, 1,024 groups, all keys live):
//!
//! | places asked for | 50 % | 60 % | 70 % | 80 % | 90 % | 100 % |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | keys without a place | none | none | 24 in a million | 0.13 % | 1.3 % | 5.0 % |
//!
//! So four keys a group, 57 %, is the load to plan for: 32 bytes a key.
//!
//! # Orderings
//! * Entering: `AcqRel` exchange of the state, after the mark, and of the owner; read by `Acquire` loads, owner first. Who
//!   misses its own entry by a later state of the place also sees the mark.
//! * Admitting: `AcqRel` exchange of the head, `Acquire` load before the look. Who sees the admission sees the entry, and
//!   that all earlier ones are settled.
//! * Taking: `Relaxed`, as it continues the release sequence of the entering.
//! * Terms: four cells, `Release` stores and `Acquire` loads, and a second look at the word that says which one is live.
//!
//! # Limits
//! * Rate 0 to 10^6 a second, right to 2^-63; burst 1 to `u32::MAX`; time 0 to `u64::MAX`; 1 to 2,396,744 groups.
//! * A place is held until the bucket is full again: (what is missing from the burst) / rate. At rate 0, for ever.
//! * Positions end at 2^51 units. A unit is at least 1 us of the first rate, so they last 62 years at that rate, and
//!   shorter by as much as the rate is raised. Afterwards nothing is earned.
//! * A token is there up to one unit early: 1 us of the first rate, or 2^-16 tokens where that is longer.
//! * Two keys share a bucket if 52 bits of their hashes are equal: for a given pair 2^-52.
//! * An older `now` earns nothing. A change with a `now` older than what was granted meanwhile counts early by at most
//!   (difference of the rates) x (staleness), and never more than a burst. A call that overlaps with a change goes by
//!   the one or the other.
//! * A stopped thread holds at most one place, and only until that has earned what it would have taken.
//! * Generations wrap at 4,096: a taker is fooled only if a place changes hands so often while it is stopped, and is then
//!   at the very same position.
//!
//! # Source
//! The generic cell rate algorithm (ITU-T I.371) on the scale of [`TokenBucket`](crate::TokenBucket); two choices as in
//! Azar, Broder, Karlin and Upfal, *Balanced allocations* (1999).

mod config;
mod place;
mod settings;
mod spread;
mod terms;
mod view;

use core::convert::Infallible;
use core::fmt;

pub use config::{KeyedChangeError, KeyedConfig, KeyedConfigError, WhenFull};

use crate::rate::Rate;
use crate::refused::Refused;
use crate::sip_hash::SipHash;
use crate::sync::{AtomicU64, Ordering, atomic_array, const_constructor};
use crate::time::Instant;
use place::{Group, MOST_PLACES, WAYS};
use settings::Settings;
use spread::Spread;
use view::View;

/// Token buckets of one rate and burst for many keys, in `GROUPS` groups of seven places: 128 bytes a group.
///
/// Choose 1 group for each 4 keys that are busy at the same time, that is within (burst / rate) of each other: 32 bytes
/// a key. What happens when there are more is [`WhenFull`].
///
/// As a stage of a guard: [`Guard::with_keyed`](crate::Guard::with_keyed).
///
/// # Concurrency
/// Every call is lock-free: a step is retried only because another thread made one. A key that has a place costs one
/// exchange when admitted; a newcomer four to six; a refusal writes nothing. No call panics or allocates.
///
/// # Complexity
/// A call of a key in its home, as six of seven are at four keys a group, reads the owners of 7 places and one state: two
/// neighbouring cache lines. One in its second choice reads as much there. The wait of who is refused is a multiplication.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
///
/// // In a program the salt is `seawall::entropy()`, or any secret random number.
/// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailClosed).burst(2);
/// let users = KeyedBuckets::<64>::new(config, 0x5EED, Instant::ORIGIN)?;
///
/// let now = Instant::ORIGIN;
/// let alice = users.key_of(b"alice");
/// assert!(users.try_take(alice, 2, now).is_ok());
/// let refused = users.try_take(alice, 1, now).unwrap_err();
/// assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
/// // Others do not notice.
/// assert!(users.try_take(users.key_of(b"bob"), 1, now).is_ok());
/// # Ok::<(), seawall::KeyedConfigError>(())
/// ```
#[repr(C)]
pub struct KeyedBuckets<const GROUPS: usize> {
    settings: Settings,
    hash: SipHash,
    spread: Spread,
    groups: [Group; GROUPS],
    let_through: AtomicU64,
}

impl<const GROUPS: usize> KeyedBuckets<GROUPS> {
    /// The fastest rate of a key: one token a microsecond.
    pub const FASTEST: Rate = Rate::per_second(1_000_000);
    /// How many keys fit at most: seven a group.
    pub const PLACES: usize = GROUPS * WAYS;

    const_constructor! {
        /// A table in which every key is full, that begins to earn at `start`. `GROUPS` is 1 to 2,396,744, checked at
        /// compile time.
        ///
        /// `salt` is a secret random number, another one in each process: `seawall::entropy()` where there is `std`.
        /// Who knows it can choose keys that crowd out others.
        ///
        /// # Errors
        /// [`KeyedConfigError`] for a burst of 0 or a rate over [`FASTEST`](Self::FASTEST).
        ///
        /// ```
        /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
        /// const CONFIG: KeyedConfig = KeyedConfig::new(Rate::per_second(10), WhenFull::FailOpen);
        /// static USERS: KeyedBuckets<256> = match KeyedBuckets::new(CONFIG, 0x5EED, Instant::ORIGIN) {
        ///     Ok(users) => users,
        ///     Err(_) => panic!("refused at compile time"),
        /// };
        /// ```
        pub fn new(config: KeyedConfig, salt: u64, start: Instant) -> Result<Self, KeyedConfigError> {
            const { assert!(GROUPS >= 1 && GROUPS * 7 < MOST_PLACES, "a table of buckets has 1 to 2,396,744 groups") }
            if let Err(error) = terms::check(&config) {
                return Err(error);
            }
            Ok(Self {
                settings: Settings::new(&config, start.as_nanos()),
                hash: SipHash::from_salt(salt),
                spread: Spread::from_salt(salt),
                groups: atomic_array!(Group::new(), GROUPS),
                let_through: AtomicU64::new(0),
            })
        }
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
    #[inline]
    pub fn try_take(&self, key: u64, n: u32, now: Instant) -> Result<(), Refused> {
        let hash = self.spread.of(key);
        match self.view().try_take_at_once(hash, n, now) {
            Some(answer) => answer,
            None => self.try_take_slowly(hash, n, now),
        }
    }

    /// As [`try_take`](Self::try_take), and whether the tokens were taken from a bucket: who was let through without a
    /// place has nothing to give back.
    #[inline]
    pub(crate) fn try_charge(&self, key: u64, n: u32, now: Instant) -> Result<bool, Refused> {
        let hash = self.spread.of(key);
        match self.view().try_take_at_once(hash, n, now) {
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
    #[inline]
    pub fn peek(&self, key: u64, n: u32, now: Instant) -> Result<(), Refused> {
        let hash = self.spread.of(key);
        match self.view().peek_at_once(hash, n, now) {
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
        self.view().available(self.spread.of(key), now)
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
        self.view().refund(self.spread.of(key), n, now)
    }

    /// Changes the rate of every key from `now` on. The tokens at that instant are the same before and after; the burst
    /// stays.
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// Lock-free for three at once; takers never wait for it. One exchange, however many keys there are.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(1), WhenFull::FailOpen).burst(100);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.try_take(42, 100, Instant::ORIGIN).unwrap();
    /// let later = Instant::ORIGIN.saturating_add(Duration::from_secs(10));
    /// users.set_rate(Rate::per_second(50), later)?;
    /// assert_eq!(users.available(42, later), 10); // not 100
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate, now: Instant) -> Result<(), KeyedChangeError> {
        self.change(now, now, |old| KeyedConfig { rate, ..old })
    }

    /// Changes rate, burst and what happens when the table is full, from `now` on. The tokens at that instant are the
    /// same before and after, but those over a smaller burst are gone; under a larger burst every key earns the
    /// difference, those without an entry too.
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// As [`set_rate`](Self::set_rate).
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(3), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.set_config(config.burst(1), Instant::ORIGIN)?;
    /// assert_eq!(users.available(42, Instant::ORIGIN), 1);
    /// users.set_config(config, Instant::ORIGIN)?;
    /// assert_eq!(users.available(42, Instant::ORIGIN), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_config(&self, config: KeyedConfig, now: Instant) -> Result<(), KeyedChangeError> {
        self.change(now, now, |_| config)
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
        self.view().occupied(now)
    }

    /// Moves the table to a clock that reads `new_now` where the old one read `old_now`: what each key has on hand is the
    /// same before and after. For a clock that was set, or state that outlived the machine's boot; `old_now` is the
    /// newest reading that the table was given.
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// As [`set_rate`](Self::set_rate): one exchange, no key is touched.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, Reason, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// let hour = Instant::ORIGIN.saturating_add(Duration::from_secs(3600));
    /// users.try_take(42, 1, hour).unwrap();
    /// assert_eq!(users.try_take(42, 1, Instant::ORIGIN).unwrap_err().reason(), Reason::ClockStepped);
    ///
    /// users.rebase(hour, Instant::ORIGIN)?;
    /// let refused = users.try_take(42, 1, Instant::ORIGIN).unwrap_err();
    /// assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) -> Result<(), KeyedChangeError> {
        self.change(old_now, new_now, |old| old)
    }

    /// As [`rebase`](Self::rebase), after `first`, and only if that succeeds. `first` is not begun where this cannot be
    /// done; only another change that spends the range in between could still fail it.
    pub(crate) fn rebase_after<E>(
        &self,
        first: impl FnOnce() -> Result<(), E>,
        old_now: Instant,
        new_now: Instant,
    ) -> Result<Result<(), E>, KeyedChangeError> {
        self.change_after(first, old_now, new_now, |old| old)
    }

    /// Begins anew at `now`, with every bucket full and every place free, at the configuration in force. The count of
    /// what was let through goes on. For operators and tests, and for a clock that stepped by an unknown time.
    ///
    /// # Errors
    /// [`KeyedChangeError::Contended`]; the table is then as it was.
    ///
    /// # Concurrency
    /// Lock-free; not one step: what others take meanwhile may count or not.
    ///
    /// # Complexity
    /// Writes the whole table.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.try_take(42, 1, Instant::MAX).unwrap();
    /// users.reset(Instant::ORIGIN)?;
    /// assert!(users.try_take(42, 1, Instant::ORIGIN).is_ok());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reset(&self, now: Instant) -> Result<(), KeyedChangeError> {
        self.reset_after(unconditionally, now).map(|_| ())
    }

    /// As [`reset`](Self::reset), after `first`, and only if that succeeds. `first` is not begun where this cannot be
    /// done.
    pub(crate) fn reset_after<E>(
        &self,
        first: impl FnOnce() -> Result<(), E>,
        now: Instant,
    ) -> Result<Result<(), E>, KeyedChangeError> {
        let done = self.settings.change_after(first, |old| Ok(old.anew(now.as_nanos())))?;
        if done.is_ok() {
            self.view().clear();
        }
        Ok(done)
    }

    fn change(
        &self,
        now: Instant,
        new_now: Instant,
        to: impl Fn(KeyedConfig) -> KeyedConfig,
    ) -> Result<(), KeyedChangeError> {
        self.change_after(unconditionally, now, new_now, to).map(|_| ())
    }

    fn change_after<E>(
        &self,
        first: impl FnOnce() -> Result<(), E>,
        now: Instant,
        new_now: Instant,
        to: impl Fn(KeyedConfig) -> KeyedConfig,
    ) -> Result<Result<(), E>, KeyedChangeError> {
        self.settings.change_after(first, |old| old.next(&to(old.config()), now.as_nanos(), new_now.as_nanos()))
    }

    #[cold]
    #[inline(never)]
    fn try_take_slowly(&self, hash: u64, n: u32, now: Instant) -> Result<(), Refused> {
        self.view().try_take(hash, n, now).map(|_| ())
    }

    #[cold]
    #[inline(never)]
    fn try_charge_slowly(&self, hash: u64, n: u32, now: Instant) -> Result<bool, Refused> {
        self.view().try_take(hash, n, now)
    }

    #[cold]
    #[inline(never)]
    fn peek_slowly(&self, hash: u64, n: u32, now: Instant) -> Result<(), Refused> {
        self.view().peek(hash, n, now)
    }

    #[inline]
    fn view(&self) -> View<'_> {
        View { settings: &self.settings, let_through: &self.let_through, groups: &self.groups }
    }
}

/// What comes before a change that follows nothing.
const fn unconditionally() -> Result<(), Infallible> {
    Ok(())
}

impl<const GROUPS: usize> fmt::Debug for KeyedBuckets<GROUPS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBuckets").field("config", &self.config()).finish_non_exhaustive()
    }
}
