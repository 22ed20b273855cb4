//! The parts of a guard, as objects of their own types: in the guard's own workspace, and for the functions of those types.

use crate::circuit_breaker::seawall_circuit_breaker_t;
use crate::concurrency_limit::seawall_concurrency_limit_t;
use crate::guard::{found, seawall_guard_t};
use crate::keyed_buckets::seawall_keyed_buckets_t;
use crate::object::{check_place, tell};
use crate::retry_budget::seawall_retry_budget_t;
use crate::status::{SEAWALL_NONE, check, seawall_status_t};
use crate::token_bucket::seawall_token_bucket_t;
use crate::workspace::give;

/// The token bucket of a guard, for every `seawall_token_bucket_…` but `_init` and `_fini`. It lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_bucket(
    guard: *mut seawall_guard_t,
    bucket: *mut *mut seawall_token_bucket_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let found = check!(unsafe { found(guard) });
    check!(check_place(bucket));
    // SAFETY: the body is there; checked, and the caller's word.
    unsafe { give(bucket, (&raw mut (*found.body()).bucket).cast()) }
}

/// The retry budget of a guard, for every `seawall_retry_budget_…` but `_init` and `_fini`. It lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_budget(
    guard: *mut seawall_guard_t,
    budget: *mut *mut seawall_retry_budget_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let found = check!(unsafe { found(guard) });
    check!(check_place(budget));
    // SAFETY: the body is there; checked, and the caller's word.
    unsafe { give(budget, (&raw mut (*found.body()).budget).cast()) }
}

/// The circuit breaker of a shard, for every `seawall_circuit_breaker_…` but `_init` and `_fini`. `shard` is taken
/// modulo the number of shards; what the breaker tells names shard 0. It lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_breaker(
    guard: *mut seawall_guard_t,
    shard: u32,
    breaker: *mut *mut seawall_circuit_breaker_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let found = check!(unsafe { found(guard) });
    check!(check_place(breaker));
    let at = found.breakers().wrapping_add(shard as usize % found.shards.max(1));
    // SAFETY: checked, and the caller's word.
    unsafe { give(breaker, at.cast()) }
}

/// The limit of the calls in flight, for every `seawall_concurrency_limit_…` but `_init`, `_attach` and `_fini`. It
/// lives as long as the guard.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_limit(
    guard: *mut seawall_guard_t,
    limit: *mut *mut seawall_concurrency_limit_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let found = check!(unsafe { found(guard) });
    check!(check_place(limit));
    // SAFETY: checked, and the caller's word.
    unsafe { give(limit, found.limit().cast()) }
}

/// The buckets by key, for every `seawall_keyed_buckets_…` but `_init`, `_attach` and `_fini`; `_key_of` makes the key of a
/// request of a name. They live as long as the guard.
///
/// Threads: any, at the same time. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where the guard has none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_keyed(
    guard: *mut seawall_guard_t,
    keyed: *mut *mut seawall_keyed_buckets_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let found = check!(unsafe { found(guard) });
    check!(check_place(keyed));
    let Some(at) = found.keyed() else { return SEAWALL_NONE };
    // SAFETY: checked, and the caller's word.
    unsafe { give(keyed, at.cast()) }
}

/// How many shards the guard has.
///
/// Threads: any, at the same time. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_shards(guard: *mut seawall_guard_t, shards: *mut u32) -> seawall_status_t {
    // SAFETY: the caller's word.
    let found = check!(unsafe { found(guard) });
    // SAFETY: the caller's word.
    unsafe { tell(shards, || found.shards as u32) }
}
