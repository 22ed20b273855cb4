//! What sharded structures share: a cache line for each shard, the claim of the one who owns it, and a number for each
//! thread.
//!
//! A structure of which each core writes its own part scales with cores; one word that all write does not, whatever
//! its algorithm. A part is a *shard*: it lies on a cache line of its own ([`CacheLine`]), so that who writes it takes
//! nothing out of another core's cache. Anybody may use any shard at any time; who promises to be the only one on a shard
//! ([`claim`]) may replace its read-modify-writes by plain loads and stores.
//!
//! ```text
//! claim    even: free        odd: owned        grows by one with each claim and each release
//! ```
//!
//! # Orderings
//! * Claim: `Acquire` comparison, paired with the `Release` store that frees it. The next owner sees all that the one
//!   before wrote to the shard.
//!
//! # Limits
//! * An owner that is lost (forgotten, or its process killed) keeps its shard for ever: no clock tells it from one that
//!   is slow, and a second owner would lose what the first writes. Shards are plenty; others go on.
//! * The numbers of threads wrap after 2^32 threads, and threads that are gone keep theirs.

use core::ops::Deref;

#[cfg(all(feature = "std", not(seawall_loom)))]
use crate::sync::AtomicU32;
use crate::sync::{AtomicU64, Ordering, fault};

/// A value that shares its cache line with no other.
///
/// 64 bytes are the line of x86-64 and of most ARM cores.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct CacheLine<T>(pub(crate) T);

impl<T> Deref for CacheLine<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Makes the caller the owner of the shard that `word` is the claim of, until it drops what it gets; `None` where there is
/// one. The word belongs into the shard's own line, where only its owners write.
///
/// A look comes first: who comes in vain writes nothing.
pub(crate) fn claim(word: &AtomicU64) -> Option<Claimed<'_>> {
    let seen = word.load(Ordering::Relaxed);
    let two = fault("shard: a claim may have two owners");
    if is_owned(seen) && !two {
        return None;
    }
    // Wraps after 2^63 owners.
    let number = seen.wrapping_add(1);
    let is_mine = word.compare_exchange(seen, number, Ordering::Acquire, Ordering::Relaxed).is_ok();
    // Made only where it is true: dropped, it frees the shard.
    let claimed = || Claimed { word, number };
    if fault("shard: a claim in vain frees the shard") {
        return Some(claimed()).filter(|_| is_mine);
    }
    (is_mine || two).then(claimed)
}

const fn is_owned(claim: u64) -> bool {
    claim & 1 != 0
}

/// A shard that the holder owns; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    word: &'a AtomicU64,
    number: u64,
}

impl<'a> Claimed<'a> {
    /// Keeps the shard as a number, which [`again`](Self::again) makes this of.
    pub(crate) fn into_number(self) -> u64 {
        core::mem::ManuallyDrop::new(self).number
    }

    /// What [`into_number`](Self::into_number) kept; `None` if the shard was freed since, or is another's.
    #[inline]
    pub(crate) fn again(word: &'a AtomicU64, number: u64) -> Option<Self> {
        // Relaxed: whoever was given the number was given what its owner saw.
        let is_mine = is_owned(number) && word.load(Ordering::Relaxed) == number;
        if is_mine { Some(Self { word, number }) } else { None }
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        // Release: the next owner sees what this one wrote.
        let order = crate::sync::ordering(Ordering::Release, "shard: a claim is freed unseen", Ordering::Relaxed);
        self.word.store(self.number.wrapping_add(1), order);
    }
}

/// A number for the calling thread, to choose its shard by: 0, 1, 2 and so on in the order in which threads ask first,
/// the same for a thread for as long as it lives. Take it modulo the number of shards.
///
/// Costs a load of a thread-local after the first time; no operating system is asked, no memory allocated.
///
/// ```
/// use seawall::thread_shard;
/// let mine = thread_shard();
/// assert_eq!(thread_shard(), mine);
/// assert_ne!(std::thread::spawn(thread_shard).join().unwrap(), mine);
/// ```
#[cfg(all(feature = "std", not(seawall_loom)))]
#[must_use]
#[inline]
pub fn thread_shard() -> u32 {
    // Not a number of a thread until 2^32 - 1 threads have asked.
    const NONE: u32 = u32::MAX;
    std::thread_local! {
        // Constant and without a destructor: reading it is one load, at any time of a thread's life.
        static NUMBER: core::cell::Cell<u32> = const { core::cell::Cell::new(NONE) };
    }

    #[cold]
    fn number() -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: the number publishes nothing.
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    let mine = NUMBER.get();
    if mine != NONE {
        return mine;
    }
    let mine = number();
    NUMBER.set(mine);
    mine
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_shard_lies_on_a_line_of_its_own() {
        assert_eq!((size_of::<CacheLine<u8>>(), align_of::<CacheLine<u8>>()), (64, 64));
    }

    #[test]
    fn a_claim_has_one_owner_at_a_time_and_one_that_is_forgotten_keeps_it() {
        let word = AtomicU64::new(0);
        let owner = claim(&word);
        assert!(owner.is_some() && claim(&word).is_none());
        drop(owner);
        core::mem::forget(claim(&word).expect("free again"));
        assert!(claim(&word).is_none());
    }

    #[test]
    fn a_number_is_its_owner_s_until_the_shard_is_free_and_nobody_s_then() {
        let word = AtomicU64::new(0);
        let number = claim(&word).expect("free").into_number();
        assert!(claim(&word).is_none());
        drop(Claimed::again(&word, number).expect("its owner's"));
        assert!(Claimed::again(&word, number).is_none());
        let next = claim(&word).expect("free again");
        assert!(Claimed::again(&word, number).is_none());
        for alien in [0, 2, next.number + 1, u64::MAX] {
            assert!(Claimed::again(&word, alien).is_none());
        }
        assert!(claim(&word).is_none(), "it is still owned");
    }
}
