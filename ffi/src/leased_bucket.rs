//! `seawall_leased_bucket_t`: a token bucket for many cores; and `seawall_owned_lease_t`, a shard of it with one user.

use core::ffi::c_void;
use core::mem::ManuallyDrop;

use seawall::{BucketConfig, LeasedBucketView, LeasedConfig, OwnedLease};

use crate::decision::{decide, seawall_decision_t};
use crate::object::{Kind, check_place, check_wanted, done, tell};
use crate::status::{
    Misuse, SEAWALL_E_PERMIT, SEAWALL_E_VALUE, SEAWALL_OK, SEAWALL_TAKEN, SEAWALL_VOID, Status, check, seawall_status_t,
};
use crate::token_bucket::{SEAWALL_FILL_FULL, fill_of};
use crate::values::{instant, seawall_rate_t, seawall_warm_up_t};
use crate::versioned::{Versioned, read, write};
use crate::workspace::{self, InWorkspace, attach, give, make, view};

/// A token bucket for many cores: each shard takes tokens in batches and spends them alone. It lies in a workspace; this is
/// its handle.
pub struct seawall_leased_bucket_t {
    _opaque: [u64; 1],
}

// SAFETY: the length stays what it was; atomics and words only.
unsafe impl InWorkspace for LeasedBucketView {
    type Handle = seawall_leased_bucket_t;
    const KIND: Kind = Kind::LeasedBucket;

    fn at(start: *mut u8, length: usize) -> *mut Self {
        core::ptr::slice_from_raw_parts_mut(start, length) as *mut Self
    }
}

/// Batches of 64, or of as many tokens as keep what may lie in all shards within a thirty-second of the burst; at least 1,
/// and with 1 it is a plain bucket.
pub const SEAWALL_BATCH_BY_BURST: u32 = u32::MAX;

/// As many shards as `seawall_leased_bucket_config_for` chooses.
const SHARDS: u32 = 8;

/// Rate, burst, first fill and warm-up of all shards together, and how they share. Begin with
/// `SEAWALL_LEASED_BUCKET_CONFIG_INIT`: 8 shards, ten a second, ten at once, full, no warm-up; or with
/// `seawall_leased_bucket_config_for`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_leased_bucket_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// How many shards there are, one a core or a worker: 1 to 32,768, 64 bytes each.
    pub shards: u32,
    /// What all earn together: 0 to one a nanosecond.
    pub rate: seawall_rate_t,
    /// The most tokens that all hold together: over `shards` x (`batch` - 1).
    pub burst: u32,
    /// How many tokens a shard takes at once: 1 to 65,536, or `SEAWALL_BATCH_BY_BURST`.
    pub batch: u32,
    /// The tokens at the start, at most the burst; `SEAWALL_FILL_FULL` for all.
    pub fill_tokens: u32,
    /// 0.
    pub reserved: u32,
    /// How the rate climbs after the start.
    pub warm_up: seawall_warm_up_t,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 16 + 4 x 4 + 32 bytes.
unsafe impl Versioned for seawall_leased_bucket_config_t {
    const FIRST: usize = 72;
}

impl seawall_leased_bucket_config_t {
    fn to_config(self) -> Result<LeasedConfig, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        let bucket = BucketConfig {
            rate: self.rate.to_rate()?,
            burst: self.burst,
            fill: fill_of(self.fill_tokens),
            warm_up: self.warm_up.to_warm_up()?,
        };
        Ok(LeasedConfig { bucket, batch: (self.batch != SEAWALL_BATCH_BY_BURST).then_some(self.batch) })
    }
}

/// What the view takes with as many shards as `config` says.
fn size_of_view(config: &seawall_leased_bucket_config_t) -> Option<usize> {
    LeasedBucketView::size_for(config.shards as usize)
}

/// A shard of a leased bucket that one worker owns. A value of the caller's, for one thread at a time; lost, its shard
/// stays owned, and less than a batch of tokens with it. It may be moved; a copy that is used beside it spends its
/// tokens twice.
#[repr(C)]
pub struct seawall_owned_lease_t {
    /// The library's own. `seawall_owned_lease_release` zeroes it.
    pub opaque: [u64; 4],
}

impl seawall_owned_lease_t {
    fn of(lease: OwnedLease<'_>) -> Self {
        let [shard, standing, left] = lease.into_words();
        Self { opaque: [u64::from(Kind::OwnedLease.tag()), shard, standing, left] }
    }
}

/// The lease of `bucket` that stands in `place`, if it is still one. It is not ended by being dropped, as it goes on there.
///
/// # Safety
/// `place` is NULL or points to a lease that nobody else uses.
unsafe fn lease_of(
    bucket: &LeasedBucketView,
    place: *mut seawall_owned_lease_t,
) -> Result<Option<ManuallyDrop<OwnedLease<'_>>>, Misuse> {
    check_place(place)?;
    // SAFETY: checked, and the caller's word.
    let [tag, words @ ..] = unsafe { (*place).opaque };
    if tag != u64::from(Kind::OwnedLease.tag()) {
        return Err(Misuse(SEAWALL_E_PERMIT));
    }
    Ok(bucket.lease_from_words(words).map(ManuallyDrop::new))
}

/// Fills a configuration for `rate`: 8 shards, a burst of one second of it (at least 1), full at the start, no warm-up.
/// `config->struct_size` has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_config_for(
    config: *mut seawall_leased_bucket_config_t,
    rate: seawall_rate_t,
) -> seawall_status_t {
    let bucket = BucketConfig::new(check!(rate.to_rate()));
    let value = seawall_leased_bucket_config_t {
        struct_size: size_of::<seawall_leased_bucket_config_t>() as u32,
        shards: SHARDS,
        rate,
        burst: bucket.burst,
        batch: SEAWALL_BATCH_BY_BURST,
        fill_tokens: SEAWALL_FILL_FULL,
        reserved: 0,
        warm_up: seawall_warm_up_t::from_warm_up(bucket.warm_up),
    };
    // SAFETY: the caller's word.
    unsafe { write(config, value) }.status()
}

/// How many bytes a workspace must have for a bucket of `config->shards`, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_required_size(
    config: *const seawall_leased_bucket_config_t,
    size: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    // SAFETY: as above.
    unsafe { workspace::required_size(size_of_view(&config), size) }
}

/// Makes a bucket that begins to earn at `now_ns` in a workspace of `size` bytes, and gives its handle.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where the shards are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATE_ZERO_PERIOD`, or a
/// `SEAWALL_E_BUCKET_…` that names the field. What was in the workspace may be gone then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_init(
    workspace: *mut c_void,
    size: usize,
    config: *const seawall_leased_bucket_config_t,
    now_ns: u64,
    bucket: *mut *mut seawall_leased_bucket_t,
) -> seawall_status_t {
    check!(check_place(bucket));
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    let (needed, shards, rules) = (size_of_view(&config), config.shards as usize, check!(config.to_config()));
    let renew = |view: &mut LeasedBucketView| view.renew(rules, instant(now_ns));
    // SAFETY: as above; the size is that of so many shards.
    let made = unsafe { make(workspace, size, needed, shards, renew) };
    // SAFETY: checked, and the caller's word.
    unsafe { give(bucket, check!(made)) }
}

/// The handle of a bucket that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_attach(
    workspace: *mut c_void,
    size: usize,
    bucket: *mut *mut seawall_leased_bucket_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { attach::<LeasedBucketView>(workspace, size, LeasedBucketView::size_for, bucket) }
}

/// Ends a bucket: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_fini(bucket: *mut seawall_leased_bucket_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { workspace::end::<LeasedBucketView>(bucket) }.status()
}

/// Takes `n` tokens, all or none, for the caller's shard: the number of its worker or core, modulo the number of shards. 0
/// always succeeds and changes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time, for any shard; signal handlers too. Lock-free: one exchange on the shard's own line to
/// admit, three for the one call of a batch that brings it; loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`; `SEAWALL_NEVER` where `n` is over the burst less what may lie in shards;
/// `SEAWALL_CLOCK_STEPPED` where `now_ns` lies so far behind that a full burst owed does not explain it; or an object
/// mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_try_take(
    bucket: *mut seawall_leased_bucket_t,
    shard: u32,
    n: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    check!(check_wanted(decision));
    let now = instant(now_ns);
    // SAFETY: checked, and the caller's word.
    unsafe { decide(bucket.try_take(shard, n, now), decision, || bucket.available(now)) }
}

/// Whether `seawall_leased_bucket_try_take` would succeed, for any shard. Takes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the tokens in between.
/// Returns: as `seawall_leased_bucket_try_take`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_peek(
    bucket: *mut seawall_leased_bucket_t,
    n: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    check!(check_wanted(decision));
    let now = instant(now_ns);
    // SAFETY: checked, and the caller's word.
    unsafe { decide(bucket.peek(n, now), decision, || bucket.available(now)) }
}

/// Gives `n` tokens back that were taken and never used.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where giving back could admit too many: the tokens stay spent; or an
/// object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_refund(
    bucket: *mut seawall_leased_bucket_t,
    n: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    done(bucket.refund(n, instant(now_ns)))
}

/// How many whole tokens are in the bucket and its shards, without those that owners hold: `*tokens`.
///
/// Threads: any, at the same time; signal handlers too. Loads only; reads each shard.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_available(
    bucket: *mut seawall_leased_bucket_t,
    now_ns: u64,
    tokens: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above.
    unsafe { tell(tokens, || bucket.available(instant(now_ns))) }
}

/// The rate in force, which a warm-up may not have reached yet.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_rate(
    bucket: *mut seawall_leased_bucket_t,
    rate: *mut seawall_rate_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above.
    unsafe { tell(rate, || seawall_rate_t::from_rate(bucket.rate())) }
}

/// The burst in force, of the bucket and its shards.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_burst(
    bucket: *mut seawall_leased_bucket_t,
    burst: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above.
    unsafe { tell(burst, || bucket.burst()) }
}

/// How many tokens a shard takes at once: `*tokens`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_batch(
    bucket: *mut seawall_leased_bucket_t,
    tokens: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above.
    unsafe { tell(tokens, || bucket.batch()) }
}

/// How many shards it has: `*shards`.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_shards(
    bucket: *mut seawall_leased_bucket_t,
    shards: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above; at most 32,768.
    unsafe { tell(shards, || bucket.shards() as u32) }
}

/// Changes the rate from `now_ns` on: what was earned until then stays, in shards too.
///
/// Threads: any, at the same time as takers, who never wait for it; three changes at once. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_RATE_TOO_FAST`; or an object mistake. On all but the first the bucket is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_set_rate(
    bucket: *mut seawall_leased_bucket_t,
    rate: seawall_rate_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    bucket.set_rate(check!(rate.to_rate()), instant(now_ns)).status()
}

/// Changes the burst from `now_ns` on; tokens over a smaller burst are gone. The batch stays.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_BUCKET_ZERO_BURST`;
/// `SEAWALL_E_BUCKET_BURST_UNDER_LEASES`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_set_burst(
    bucket: *mut seawall_leased_bucket_t,
    burst: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    bucket.set_burst(burst, instant(now_ns)).status()
}

/// Starts a warm-up at `now_ns`; the tokens on hand stay.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_VALUE`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_WARM_UP_TOO_LONG`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_start_warm_up(
    bucket: *mut seawall_leased_bucket_t,
    warm_up: seawall_warm_up_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    bucket.start_warm_up(check!(warm_up.to_warm_up()), instant(now_ns)).status()
}

/// Moves the bucket to a clock that reads `new_now_ns` where the old one read `old_now_ns`. Tokens in shards have no time:
/// they stay.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_rebase(
    bucket: *mut seawall_leased_bucket_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    bucket.rebase(instant(old_now_ns), instant(new_now_ns)).status()
}

/// Begins anew at `now_ns` with this fill and this warm-up, at the rate and burst in force. All that was leased is void.
///
/// Threads: as `seawall_leased_bucket_set_rate`.
/// Returns: as `seawall_leased_bucket_start_warm_up`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_reset(
    bucket: *mut seawall_leased_bucket_t,
    fill_tokens: u32,
    warm_up: seawall_warm_up_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    bucket.reset(fill_of(fill_tokens), check!(warm_up.to_warm_up()), instant(now_ns)).status()
}

/// Discards the tokens over `keep`, so that what follows a pause begins slowly; `*discarded` says how many whole ones, but
/// for those that owners held, which are void too.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: an exchange for each shard.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_drain_to(
    bucket: *mut seawall_leased_bucket_t,
    keep: u32,
    now_ns: u64,
    discarded: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above.
    unsafe { tell(discarded, || bucket.drain_to(keep, instant(now_ns))) }
}

/// Makes the caller the only one who leases to this shard (modulo the number of shards), with what lies in it: `*lease`.
/// Others may still call for the shard; they then take from the bucket.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_TAKEN` where somebody owns it; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_leased_bucket_own(
    bucket: *mut seawall_leased_bucket_t,
    shard: u32,
    lease: *mut seawall_owned_lease_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    check!(check_place(lease));
    let Some(owned) = bucket.own(shard) else { return SEAWALL_TAKEN };
    // SAFETY: checked, and the caller's word.
    unsafe { lease.write(seawall_owned_lease_t::of(owned)) };
    SEAWALL_OK
}

/// As `seawall_leased_bucket_try_take`, from what this owner has, then with it from `bucket`, whose lease it is.
/// `decision->remaining` is what this owner has left.
///
/// Threads: any, each with a lease of its own; signal handlers too, but not one that interrupts a call with the same lease.
/// Lock-free: loads for what the owner has, one exchange for a batch; loads only to refuse.
/// Returns: as `seawall_leased_bucket_try_take`; `SEAWALL_VOID` where nobody owns the shard any more; `SEAWALL_E_PERMIT`
/// where it is no lease.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_lease_try_take(
    bucket: *mut seawall_leased_bucket_t,
    lease: *mut seawall_owned_lease_t,
    n: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    check!(check_wanted(decision));
    // SAFETY: the caller's word.
    let Some(mut owned) = check!(unsafe { lease_of(bucket, lease) }) else { return SEAWALL_VOID };
    let (answer, left) = (owned.try_take(n, instant(now_ns)), owned.tokens());
    // SAFETY: checked by `lease_of`, and the caller's word.
    unsafe { lease.write(seawall_owned_lease_t::of(ManuallyDrop::into_inner(owned))) };
    // SAFETY: checked, and the caller's word.
    unsafe { decide(answer, decision, || left) }
}

/// How many tokens this owner has without asking: `*tokens`. Advisory: a drain or a reset may have made them void.
///
/// Threads: any, each with a lease of its own. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID`, `SEAWALL_E_PERMIT` as `seawall_owned_lease_try_take`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_lease_tokens(
    bucket: *mut seawall_leased_bucket_t,
    lease: *mut seawall_owned_lease_t,
    tokens: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above.
    let Some(owned) = check!(unsafe { lease_of(bucket, lease) }) else { return SEAWALL_VOID };
    // SAFETY: as above.
    unsafe { tell(tokens, || owned.tokens()) }
}

/// Ends an ownership and zeroes the lease; the tokens that are left lie in the shard for everybody.
///
/// Threads: any, each with a lease of its own. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where nobody owned the shard any more; `SEAWALL_E_PERMIT` where it is no lease; or
/// an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_owned_lease_release(
    bucket: *mut seawall_leased_bucket_t,
    lease: *mut seawall_owned_lease_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { view::<LeasedBucketView>(bucket) });
    // SAFETY: as above.
    let owned = check!(unsafe { lease_of(bucket, lease) });
    // SAFETY: checked by `lease_of`, and the caller's word.
    unsafe { lease.write(seawall_owned_lease_t { opaque: [0; 4] }) };
    let Some(owned) = owned else { return SEAWALL_VOID };
    drop(ManuallyDrop::into_inner(owned));
    SEAWALL_OK
}
