//! What sharded structures share: a cache line for each shard, the claim of the one who owns it, and a number for each
//! thread.
//!
//! A structure of which each core writes its own part scales with cores; one word that all write does not, whatever
//! its algorithm. A part is a *shard*: it lies on a cache line of its own ([`CacheLine`]), so that who writes it takes
//! nothing out of another core's cache. Anybody may use any shard at any time; who promises to be the only one on a shard
//! ([`Claim`]) may replace its read-modify-writes by plain loads and stores.
//!
//! ```text
//! claim    0 free        1 owned
//! ```
//!
//! # Orderings
//! * Claim: `Acquire` exchange, paired with the `Release` store that frees it. The next owner sees all that the one
//!   before wrote to the shard.
//!
//! # Limits
//! * An owner that is lost (forgotten, or its process killed) keeps its shard for ever: no clock tells it from one that
//!   is slow, and a second owner would lose what the first writes. Shards are plenty; others go on.
//! * The numbers of threads wrap after 2^32 threads, and threads that are gone keep theirs.

use core::ops::Deref;

use crate::sync::{AtomicU32, Ordering, const_constructor, fault};

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

/// Who owns a shard: at most one. It belongs into the shard's own line, where only its owners write.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Claim(AtomicU32);

impl Claim {
    const_constructor! {
        /// Free.
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Makes the caller the owner until it drops what it gets; `None` where there is one.
    ///
    /// A look comes first: who comes in vain writes nothing.
    pub(crate) fn claim(&self) -> Option<Claimed<'_>> {
        if self.0.load(Ordering::Relaxed) != 0 && !fault("shard: a claim may have two owners") {
            return None;
        }
        (self.0.swap(1, Ordering::Acquire) == 0 || fault("shard: a claim may have two owners"))
            .then_some(Claimed { claim: self })
    }
}

/// A shard that the holder owns; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    claim: &'a Claim,
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        // Release: the next owner sees what this one wrote.
        let order = crate::sync::ordering(Ordering::Release, "shard: a claim is freed unseen", Ordering::Relaxed);
        self.claim.0.store(0, order);
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
        let claim = Claim::new();
        let owner = claim.claim();
        assert!(owner.is_some() && claim.claim().is_none());
        drop(owner);
        core::mem::forget(claim.claim().expect("free again"));
        assert!(claim.claim().is_none());
    }
}
