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
//! are. Keys that strangers make up, and go on choosing by what they see, are for [`key_of`](KeyedBucketsView::key_of): SipHash-1-3.
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

mod change;
mod config;
mod place;
mod settings;
mod spread;
mod table;
mod terms;
mod view;

use core::fmt;
use core::ops::{Deref, DerefMut};

pub use config::{KeyedChangeError, KeyedConfig, KeyedConfigError, WhenFull};
pub use view::KeyedBucketsView;

use crate::rate::Rate;
use crate::sync::{atomic_array, const_constructor};
use crate::time::Instant;
use place::{Group, MOST_GROUPS, WAYS};

/// Token buckets of one rate and burst for many keys, in `GROUPS` groups of seven places: 128 bytes a group.
///
/// Choose 1 group for each 4 keys that are busy at the same time, that is within (burst / rate) of each other: 32 bytes
/// a key. What happens when there are more is [`WhenFull`].
///
/// All that it does are methods of [`KeyedBucketsView`], to which it dereferences, as an array to its slice. As a stage of
/// a guard: [`Guard::with_keyed`](crate::Guard::with_keyed).
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
pub struct KeyedBuckets<const GROUPS: usize>(KeyedBucketsView<[Group; GROUPS]>);

impl<const GROUPS: usize> KeyedBuckets<GROUPS> {
    /// The fastest rate of a key: one token a microsecond.
    pub const FASTEST: Rate = KeyedBucketsView::FASTEST;
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
            const { assert!(GROUPS >= 1 && GROUPS <= MOST_GROUPS, "a table of buckets has 1 to 2,396,744 groups") }
            match KeyedBucketsView::of_groups(config, salt, start, atomic_array!(Group::new(), GROUPS)) {
                Ok(table) => Ok(Self(table)),
                Err(error) => Err(error),
            }
        }
    }
}

impl<const GROUPS: usize> Deref for KeyedBuckets<GROUPS> {
    type Target = KeyedBucketsView;

    #[inline(always)]
    fn deref(&self) -> &KeyedBucketsView {
        &self.0
    }
}

impl<const GROUPS: usize> DerefMut for KeyedBuckets<GROUPS> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut KeyedBucketsView {
        &mut self.0
    }
}

impl<const GROUPS: usize> fmt::Debug for KeyedBuckets<GROUPS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
