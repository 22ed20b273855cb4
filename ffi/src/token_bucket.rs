//! `seawall_token_bucket_t`: how fast to send.

use seawall::{BucketConfig, Fill, Instant, Reservation, TokenBucket};

use crate::decision::{decide, seawall_decision_t};
use crate::object::{Kind, Object, check_place, check_pointer, check_wanted, done, end, get, put, tell};
use crate::status::{Misuse, SEAWALL_E_PERMIT, SEAWALL_E_VALUE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{instant, known, seawall_rate_t, seawall_warm_up_t};
use crate::versioned::{Versioned, read, write};

/// All of the tokens that the bucket holds.
pub const SEAWALL_FILL_FULL: u32 = u32::MAX;

/// A token bucket. Its size is the same for every configuration; `seawall_token_bucket_init` makes it.
#[repr(C)]
pub struct seawall_token_bucket_t {
    /// The library's own.
    pub opaque: [u64; 80],
}

// SAFETY: words and atomics without pointers; the C type is an array of words.
unsafe impl Object for TokenBucket {
    type Storage = seawall_token_bucket_t;
    const KIND: Kind = Kind::TokenBucket;
}

/// Rate, burst, first fill and warm-up of a token bucket. Begin with `SEAWALL_TOKEN_BUCKET_CONFIG_INIT`: ten a second, ten
/// at once, full, no warm-up; or with `seawall_token_bucket_config_for`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_token_bucket_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// The most tokens that the bucket holds, and that one call may take: 1 and more.
    pub burst: u32,
    /// What is earned: 0 to one a nanosecond.
    pub rate: seawall_rate_t,
    /// The tokens at the start, at most the burst; `SEAWALL_FILL_FULL` for all.
    pub fill_tokens: u32,
    /// 0.
    pub reserved: u32,
    /// How the rate climbs after the start.
    pub warm_up: seawall_warm_up_t,
}

// SAFETY: `repr(C)`, integers only, no padding: 4 + 4 + 16 + 4 + 4 + 32 bytes.
unsafe impl Versioned for seawall_token_bucket_config_t {
    const FIRST: usize = 64;
}

impl seawall_token_bucket_config_t {
    pub(crate) fn to_config(self) -> Result<BucketConfig, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        Ok(BucketConfig {
            rate: self.rate.to_rate()?,
            burst: self.burst,
            fill: fill_of(self.fill_tokens),
            warm_up: self.warm_up.to_warm_up()?,
        })
    }

    pub(crate) fn from_config(config: BucketConfig) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            burst: config.burst,
            rate: seawall_rate_t::from_rate(config.rate),
            fill_tokens: match config.fill {
                Fill::Full => SEAWALL_FILL_FULL,
                Fill::Tokens(tokens) => tokens,
            },
            reserved: 0,
            warm_up: seawall_warm_up_t::from_warm_up(config.warm_up),
        }
    }
}

pub(crate) fn fill_of(tokens: u32) -> Fill {
    if tokens == SEAWALL_FILL_FULL { Fill::Full } else { Fill::Tokens(tokens) }
}

/// Tokens that were booked ahead. A value of the caller's: forgotten, its tokens stay spent.
#[repr(C)]
pub struct seawall_reservation_t {
    /// The library's own. `seawall_token_bucket_cancel` zeroes it.
    pub opaque: [u64; 4],
}

/// Fills a configuration for `rate`: a burst of one second of it (at least 1), full at the start, no warm-up.
/// `config->struct_size` has to be set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_config_for(
    config: *mut seawall_token_bucket_config_t,
    rate: seawall_rate_t,
) -> seawall_status_t {
    let rate = check!(rate.to_rate());
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_token_bucket_config_t::from_config(BucketConfig::new(rate))) });
    SEAWALL_OK
}

/// Makes a bucket that begins to earn at `now_ns`.
///
/// Threads: exclusive; hand the bucket to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`,
/// `SEAWALL_E_RATE_ZERO_PERIOD`, or a `SEAWALL_E_BUCKET_…` that names the field; the storage is then as it was.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_init(
    bucket: *mut seawall_token_bucket_t,
    config: *const seawall_token_bucket_config_t,
    now_ns: u64,
) -> seawall_status_t {
    check!(check_pointer(bucket));
    // SAFETY: the caller's word.
    let config = check!(check!(unsafe { read(config) }).to_config());
    let value = check!(TokenBucket::new(config, instant(now_ns)));
    // SAFETY: the caller's word.
    check!(unsafe { put(bucket, value) });
    SEAWALL_OK
}

/// Ends a bucket: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_fini(bucket: *mut seawall_token_bucket_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { end::<TokenBucket>(bucket) }.status()
}

/// Takes `n` tokens, all or none. 0 always succeeds and changes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one exchange to admit, loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`; `SEAWALL_NEVER` where `n` is over the burst; `SEAWALL_CLOCK_STEPPED` where
/// `now_ns` lies so far behind that a full burst owed does not explain it; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_try_take(
    bucket: *mut seawall_token_bucket_t,
    n: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    let now = instant(now_ns);
    if (n ^ 1) as usize | decision.addr() == 0 {
        // One token and no decision, which is what is asked for mostly: it goes by itself, so that nothing is worked out, or
        // kept in a register, that nobody wants.
        return bucket.try_take(1, now).status();
    }
    check!(check_wanted(decision));
    // SAFETY: checked, and the caller's word.
    unsafe { take_and_tell(bucket, n, now, decision) }
}

/// Any number of tokens. Cold only so that it does not stand in the way of the one above.
///
/// # Safety
/// As [`decide`].
#[cold]
#[inline(never)]
unsafe fn take_and_tell(
    bucket: &TokenBucket,
    n: u32,
    now: Instant,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { decide(bucket.try_take(n, now), decision, || bucket.available(now)) }
}

/// Takes as many tokens as there are, at most `n`; `*taken` says how many, 0 among them.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_take_up_to(
    bucket: *mut seawall_token_bucket_t,
    n: u32,
    now_ns: u64,
    taken: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    // SAFETY: as above.
    unsafe { tell(taken, || bucket.take_up_to(n, instant(now_ns))) }
}

/// Discards the tokens over `keep`, so that what follows a pause begins slowly; `*discarded` says how many whole ones.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_drain_to(
    bucket: *mut seawall_token_bucket_t,
    keep: u32,
    now_ns: u64,
    discarded: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    // SAFETY: as above.
    unsafe { tell(discarded, || bucket.drain_to(keep, instant(now_ns))) }
}

/// Whether `seawall_token_bucket_try_take` would succeed. Takes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the tokens in between.
/// Returns: as `seawall_token_bucket_try_take`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_peek(
    bucket: *mut seawall_token_bucket_t,
    n: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    check!(check_wanted(decision));
    let now = instant(now_ns);
    // SAFETY: checked, and the caller's word.
    unsafe { decide(bucket.peek(n, now), decision, || bucket.available(now)) }
}

/// Books `n` tokens for the earliest instant, at most `max_wait_ns` ahead (`SEAWALL_UNKNOWN`: however long), so that
/// who waits need not poll. Booked, `*reservation` is for `seawall_token_bucket_cancel`, and `*ready_at_ns` says from
/// when on the tokens may be used; refused, the one is zeroed and the other is as it was. Of several reservations only
/// the newest can be taken back exactly: keep a line, and book for its head. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: as `seawall_token_bucket_try_take`; `SEAWALL_NOT_YET` where the wait would be longer.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_reserve(
    bucket: *mut seawall_token_bucket_t,
    n: u32,
    max_wait_ns: u64,
    now_ns: u64,
    reservation: *mut seawall_reservation_t,
    ready_at_ns: *mut u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    check!(check_place(reservation));
    check!(check_place(ready_at_ns));
    check!(check_wanted(decision));
    let now = instant(now_ns);
    let (answer, opaque) = match bucket.reserve(n, known(max_wait_ns).unwrap_or(core::time::Duration::MAX), now) {
        Ok(booked) => {
            // SAFETY: checked, and the caller's word.
            unsafe { ready_at_ns.write(booked.ready_at().as_nanos()) };
            let [first, second, third] = booked.into_words();
            (Ok(()), [u64::from(Kind::Reservation.tag()), first, second, third])
        }
        Err(refused) => (Err(refused), [0; 4]),
    };
    // SAFETY: both are checked, and the caller's word.
    unsafe {
        reservation.write(seawall_reservation_t { opaque });
        decide(answer, decision, || bucket.available(now))
    }
}

/// Gives the tokens of a reservation back that were not used, and zeroes it.
///
/// Threads: any, at the same time, each with a reservation of its own. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where others booked after it and what it holds is owed to them: the tokens
/// stay spent; `SEAWALL_E_PERMIT` where it is none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_cancel(
    bucket: *mut seawall_token_bucket_t,
    reservation: *mut seawall_reservation_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    check!(check_place(reservation));
    // No reference: what is no reservation may be anything, the bucket too.
    // SAFETY: checked, and the caller's word.
    let [tag, words @ ..] = unsafe { (*reservation).opaque };
    if tag != u64::from(Kind::Reservation.tag()) {
        return SEAWALL_E_PERMIT;
    }
    // SAFETY: as above.
    unsafe { (*reservation).opaque = [0; 4] };
    done(bucket.cancel(Reservation::from_words(words), instant(now_ns)))
}

/// Gives `n` tokens back that were taken and never used.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where giving back could admit too many: the tokens stay spent; or an
/// object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_refund(
    bucket: *mut seawall_token_bucket_t,
    n: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    done(bucket.refund(n, instant(now_ns)))
}

/// How many whole tokens are there.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_available(
    bucket: *mut seawall_token_bucket_t,
    now_ns: u64,
    tokens: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    // SAFETY: as above.
    unsafe { tell(tokens, || bucket.available(instant(now_ns))) }
}

/// The rate in force, which a warm-up may not have reached yet.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_rate(
    bucket: *mut seawall_token_bucket_t,
    rate: *mut seawall_rate_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    // SAFETY: as above.
    unsafe { tell(rate, || seawall_rate_t::from_rate(bucket.rate())) }
}

/// The burst in force.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_burst(
    bucket: *mut seawall_token_bucket_t,
    burst: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    // SAFETY: as above.
    unsafe { tell(burst, || bucket.burst()) }
}

/// Changes the rate from `now_ns` on: what was earned until then stays, and nothing of the past is counted anew. A
/// warm-up goes on towards the new rate; the burst stays.
///
/// Threads: any, at the same time as takers, who never wait for it; three changes at once. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_RATE_TOO_FAST`; or an object mistake. On all but the first the bucket is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_set_rate(
    bucket: *mut seawall_token_bucket_t,
    rate: seawall_rate_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    bucket.set_rate(check!(rate.to_rate()), instant(now_ns)).status()
}

/// Changes the burst from `now_ns` on; tokens over a smaller burst are gone.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_BUCKET_ZERO_BURST`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_set_burst(
    bucket: *mut seawall_token_bucket_t,
    burst: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    bucket.set_burst(burst, instant(now_ns)).status()
}

/// Starts a warm-up at `now_ns`, for instance after an outage; the tokens on hand stay.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_VALUE`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_BUCKET_WARM_UP_TOO_LONG`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_start_warm_up(
    bucket: *mut seawall_token_bucket_t,
    warm_up: seawall_warm_up_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    bucket.start_warm_up(check!(warm_up.to_warm_up()), instant(now_ns)).status()
}

/// Moves the bucket to a clock that reads `new_now_ns` where the old one read `old_now_ns`: tokens, what is owed and
/// what is left of a warm-up stay the same. For a clock that stepped back, `old_now_ns` is the newest reading that it
/// was given.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_rebase(
    bucket: *mut seawall_token_bucket_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    bucket.rebase(instant(old_now_ns), instant(new_now_ns)).status()
}

/// Begins anew at `now_ns` with this fill and this warm-up, at the rate and burst in force. What is owed is forgotten, and
/// refunds of earlier takes may still come, so that more than a burst may pass around a reset.
///
/// Threads: as `seawall_token_bucket_set_rate`.
/// Returns: as `seawall_token_bucket_start_warm_up`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_token_bucket_reset(
    bucket: *mut seawall_token_bucket_t,
    fill_tokens: u32,
    warm_up: seawall_warm_up_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let bucket = check!(unsafe { get::<TokenBucket>(bucket) });
    bucket.reset(fill_of(fill_tokens), check!(warm_up.to_warm_up()), instant(now_ns)).status()
}
