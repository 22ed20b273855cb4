//! `seawall_random_t` and `seawall_shared_random_t`: small seeded generators.

use seawall::{Random, SharedRandom};

use crate::object::{Kind, Object, end, get, get_mut, put, tell};
use crate::status::{SEAWALL_OK, Status, check, seawall_status_t};

/// A seeded stream of random numbers with one owner: a thread, or what one thread at a time uses. Not for secrets.
///
/// There is no seed but yours, as a common one would make a fleet that is to be spread draw as one: take it from the
/// operating system (`getrandom`), and a new one after `fork`.
#[repr(C)]
pub struct seawall_random_t {
    /// The library's own.
    pub opaque: [u64; 4],
}

// SAFETY: an integer; the C type is an array of words.
unsafe impl Object for Random {
    type Storage = seawall_random_t;
    const KIND: Kind = Kind::Random;
}

/// A seeded stream of random numbers that threads share: no two callers get the same number of it. See `seawall_random_t`.
#[repr(C)]
pub struct seawall_shared_random_t {
    /// The library's own.
    pub opaque: [u64; 4],
}

// SAFETY: an atomic; the C type is an array of words.
unsafe impl Object for SharedRandom {
    type Storage = seawall_shared_random_t;
    const KIND: Kind = Kind::SharedRandom;
}

/// Begins the stream of `seed`. Every seed is good, 0 too; two streams of one seed are the same.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_random_init(random: *mut seawall_random_t, seed: u64) -> seawall_status_t {
    // SAFETY: the caller's word.
    check!(unsafe { put(random, Random::from_seed(seed)) });
    SEAWALL_OK
}

/// Ends a stream: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_random_fini(random: *mut seawall_random_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { end::<Random>(random) }.status()
}

/// The next number, uniform over all of `uint64_t`.
///
/// Threads: exclusive: for one thread at a time, and for no signal handler that may interrupt it here. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake; the stream has then not moved.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_random_next_u64(random: *mut seawall_random_t, number: *mut u64) -> seawall_status_t {
    // SAFETY: the caller's word, that nobody else uses it too.
    let random = check!(unsafe { get_mut::<Random>(random) });
    // SAFETY: the caller's word.
    unsafe { tell(number, || random.next_u64()) }
}

/// Begins the stream of `seed`, the same as that of `seawall_random_init`.
///
/// Threads: exclusive; hand the stream to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_shared_random_init(
    random: *mut seawall_shared_random_t,
    seed: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    check!(unsafe { put(random, SharedRandom::from_seed(seed)) });
    SEAWALL_OK
}

/// Ends a stream, as `seawall_random_fini`.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_shared_random_fini(random: *mut seawall_shared_random_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { end::<SharedRandom>(random) }.status()
}

/// Goes on with the stream of another seed: for a process that was forked, which would else draw what its parent draws.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_shared_random_reseed(
    random: *mut seawall_shared_random_t,
    seed: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let random = check!(unsafe { get::<SharedRandom>(random) });
    random.reseed(seed);
    SEAWALL_OK
}

/// The next number, uniform over all of `uint64_t`. Each caller gets its own.
///
/// Threads: any, at the same time; signal handlers too. Wait-free: one atomic addition.
/// Returns: `SEAWALL_OK`, or an object mistake; the stream has then not moved.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_shared_random_next_u64(
    random: *mut seawall_shared_random_t,
    number: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let random = check!(unsafe { get::<SharedRandom>(random) });
    // SAFETY: the caller's word.
    unsafe { tell(number, || random.next_u64()) }
}
