//! [`KeyedStage`]: the buckets by key as a stage of a guard, or none.
//!
//! A guard has the stage as a type, so that one without it has no state for it, never asks it and cannot be told to.
//! Only calls and permits carry their key all the same, eight bytes each.
//!
//! # Invariant
//! A permit says what was taken of its key, and whoever may give the rest of it back gives this back too, once. A call
//! that was let through without a place has taken nothing.
//!
//! # Limits
//! Tokens that come back to a key that is full again are lost, and to one that was full meanwhile and has spent its burst
//! since they are there besides: as with the bucket that all share.

use crate::guard::Guard;
use crate::keyed_buckets::{KeyedBuckets, KeyedBucketsView};
use crate::sync::const_constructor;

/// What a [`Guard`] knows of the keys of its calls: nothing, which is `()`, or a bucket each, which is
/// [`KeyedBuckets`]. Nothing else is.
///
/// ```
/// use seawall::{Guard, KeyedStage};
/// // For code that takes any guard.
/// fn slots<const SLOTS: usize, const SHARDS: usize, Keyed: KeyedStage>(_: &Guard<SLOTS, SHARDS, Keyed>) -> usize {
///     SLOTS
/// }
/// ```
pub trait KeyedStage: sealed::KeyedPart {}

impl KeyedStage for () {}
impl<const GROUPS: usize> KeyedStage for KeyedBuckets<GROUPS> {}

pub(super) mod sealed {
    use super::KeyedBucketsView;

    /// Out of reach, so that no other type is one.
    pub trait KeyedPart {
        fn buckets(&self) -> Option<&KeyedBucketsView>;
    }
}

impl sealed::KeyedPart for () {
    #[inline(always)]
    fn buckets(&self) -> Option<&KeyedBucketsView> {
        None
    }
}

impl<const GROUPS: usize> sealed::KeyedPart for KeyedBuckets<GROUPS> {
    #[inline(always)]
    fn buckets(&self) -> Option<&KeyedBucketsView> {
        Some(self)
    }
}

impl<const SLOTS: usize, const SHARDS: usize> Guard<SLOTS, SHARDS> {
    const_constructor! {
        /// The same guard, with a bucket for each [`Request::key`](crate::Request::key) as a stage: so that one user,
        /// connection or tenant of this process leaves something to the others.
        ///
        /// All that the guard counts is shared by its keys. Without this stage one of them that retries in a loop or
        /// sends ten times as much as all others takes nearly all of the tokens and slots, and the others are refused
        /// with it. Here it is refused by its own bucket, before it has taken anything that is shared.
        ///
        /// Every attempt pays, retries too. Calls that name no key share the bucket of key 0.
        /// [`GuardConfig::modes`](crate::GuardConfig::modes) and [`Guard::set_mode`] hold for this stage as for the
        /// others.
        ///
        /// What to choose for `buckets`:
        /// - a rate over what a user needs and well under what all of them share; those of all users may sum up to more,
        ///   as the total is held by the other stages;
        /// - a burst of what a user sends at once. With it and the rate comes a bound on the calls of a user that are in
        ///   flight: the burst, and what the rate emits while a call takes. Where that is under the limit, one user
        ///   alone never holds all slots;
        /// - [`WhenFull::FailOpen`](crate::WhenFull::FailOpen), as the total is held whatever a key does;
        /// - a group for each four keys that are busy at once, and a salt that is secret.
        ///
        /// The guard is then as large as both: 1.4 KiB, 0.6 KiB and 128 bytes a group.
        ///
        /// ```
        /// use core::time::Duration;
        /// use seawall::{Guard, GuardConfig, Instant, KeyedBuckets, KeyedConfig, Rate, Request, Stage, WhenFull};
        ///
        /// // The process may send 200 calls a second, and each user two a second, five at once.
        /// let config = GuardConfig::for_service(Rate::per_second(200), Duration::from_secs(1));
        /// let each = KeyedConfig::new(Rate::per_second(2), WhenFull::FailOpen).burst(5);
        /// let now = Instant::ORIGIN;
        /// // In a program the salt is `seawall::entropy()`, or any secret random number.
        /// let users = KeyedBuckets::<64>::new(each, 0x5EED, now)?;
        /// let guard: Guard<64, 1, KeyedBuckets<64>> = Guard::<64>::new(config, 7, now)?.with_keyed(users);
        ///
        /// let noisy = Request { key: guard.keyed().key_of(b"mallory"), ..Request::DEFAULT };
        /// let now = now.saturating_add(Duration::from_secs(1));
        /// let mut admitted = 0;
        /// let refused = loop {
        ///     match guard.try_attempt(&mut guard.begin(noisy, now), now) {
        ///         Ok(_) => admitted += 1,
        ///         Err(refused) => break refused,
        ///     }
        /// };
        /// assert_eq!((admitted, refused.stage()), (5, Stage::KeyedBucket));
        /// assert_eq!(refused.retry_after(), Some(Duration::from_millis(500)));
        ///
        /// let other = Request { key: guard.keyed().key_of(b"alice"), ..Request::DEFAULT };
        /// assert!(guard.try_attempt(&mut guard.begin(other, now), now).is_ok());
        /// # Ok::<(), Box<dyn core::error::Error>>(())
        /// ```
        #[must_use]
        pub fn with_keyed<const GROUPS: usize>(
            self,
            buckets: KeyedBuckets<GROUPS>,
        ) -> Guard<SLOTS, SHARDS, KeyedBuckets<GROUPS>> {
            let Self { state, bucket, budget, breakers, limit, keyed: () } = self;
            Guard { state, bucket, budget, breakers, limit, keyed: buckets }
        }
    }
}

impl<const SLOTS: usize, const SHARDS: usize, const GROUPS: usize> Guard<SLOTS, SHARDS, KeyedBuckets<GROUPS>> {
    /// The buckets by key, to make a key of a name, to look at one or to change their rate.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Guard, GuardConfig, Instant, KeyedBuckets, KeyedConfig, Rate, Request, WhenFull};
    /// let now = Instant::ORIGIN;
    /// let config = GuardConfig::for_service(Rate::per_second(200), Duration::from_secs(1));
    /// let users = KeyedBuckets::<8>::new(KeyedConfig::new(Rate::per_second(2), WhenFull::FailOpen), 0x5EED, now)?;
    /// let guard = Guard::<64>::new(config, 7, now)?.with_keyed(users);
    /// let request = Request { key: guard.keyed().key_of(b"alice"), ..Request::DEFAULT };
    /// assert!(guard.try_attempt(&mut guard.begin(request, now), now).is_ok());
    /// assert_eq!(guard.keyed().available(request.key, now), 1);
    /// guard.keyed().set_rate(Rate::per_second(5), now)?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn keyed(&self) -> &KeyedBuckets<GROUPS> {
        &self.keyed
    }
}
