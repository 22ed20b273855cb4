//! `seawall_keyed_buckets_t`: a token bucket for each user, connection or tenant.

use core::ffi::c_void;

use seawall::{KeyedBucketsView, KeyedConfig, WhenFull};

use crate::decision::{decide, seawall_decision_t};
use crate::object::{Kind, check_place, check_wanted, done, tell};
use crate::status::{Misuse, SEAWALL_E_NULL, SEAWALL_E_SIZE, SEAWALL_E_VALUE, Status, check, seawall_status_t};
use crate::values::{instant, seawall_rate_t};
use crate::versioned::{Versioned, read, write};
use crate::workspace::{self, InWorkspace, attach, give, make, view};

/// A table of buckets by key. It lies in a workspace; this is its handle.
pub struct seawall_keyed_buckets_t {
    _opaque: [u64; 1],
}

// SAFETY: the length stays what it was; atomics and words only.
unsafe impl InWorkspace for KeyedBucketsView {
    type Handle = seawall_keyed_buckets_t;
    const KIND: Kind = Kind::KeyedBuckets;

    fn at(start: *mut u8, length: usize) -> *mut Self {
        core::ptr::slice_from_raw_parts_mut(start, length) as *mut Self
    }
}

/// A new key passes without a limit while the table has no place for it, and is counted: for a limit that keeps shares
/// fair, beside one that holds the total.
pub const SEAWALL_FAIL_OPEN: u32 = 1;
/// A new key is refused with `SEAWALL_NO_PLACE` while the table has no place for it: for a limit that must never be passed.
/// Who makes up keys can then keep newcomers out.
pub const SEAWALL_FAIL_CLOSED: u32 = 2;

/// As many groups as `seawall_keyed_buckets_config_for` chooses: for 256 keys that are busy at once.
const GROUPS: u32 = 64;

/// Rate and burst of each key, and the size of the table. Begin with `SEAWALL_KEYED_BUCKETS_CONFIG_INIT`: ten a second, ten
/// at once, 64 groups, open when full; or with `seawall_keyed_buckets_config_for`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_keyed_buckets_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// The most tokens that a key holds, and that one call may take: 1 and more. A key begins with all of it.
    pub burst: u32,
    /// What each key earns: 0 to one a microsecond. At 0 a key has its burst once, and its place is never free again.
    pub rate: seawall_rate_t,
    /// How many groups of seven places there are: 1 to 2,396,744, 128 bytes each. One for each 4 keys that are busy at
    /// once, that is within `burst` / `rate` of each other. What it was made with stays.
    pub groups: u32,
    /// What becomes of a new key while the table has no place for it: `SEAWALL_FAIL_OPEN` or `SEAWALL_FAIL_CLOSED`.
    pub when_full: u32,
}

// SAFETY: `repr(C)`, integers only, no padding: 4 + 4 + 16 + 4 + 4 bytes.
unsafe impl Versioned for seawall_keyed_buckets_config_t {
    const FIRST: usize = 32;
}

fn when_full_of(number: u32) -> Result<WhenFull, Misuse> {
    match number {
        SEAWALL_FAIL_OPEN => Ok(WhenFull::FailOpen),
        SEAWALL_FAIL_CLOSED => Ok(WhenFull::FailClosed),
        _ => Err(Misuse(SEAWALL_E_VALUE)),
    }
}

impl seawall_keyed_buckets_config_t {
    pub(crate) fn to_config(self) -> Result<KeyedConfig, Misuse> {
        Ok(KeyedConfig::new(self.rate.to_rate()?, when_full_of(self.when_full)?).burst(self.burst))
    }

    pub(crate) fn from_config(config: KeyedConfig, groups: u32) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            burst: config.burst,
            rate: seawall_rate_t::from_rate(config.rate),
            groups,
            when_full: match config.when_full {
                WhenFull::FailOpen => SEAWALL_FAIL_OPEN,
                WhenFull::FailClosed => SEAWALL_FAIL_CLOSED,
            },
        }
    }
}

/// What the view takes with as many groups as `config` says.
fn size_of_view(config: &seawall_keyed_buckets_config_t) -> Option<usize> {
    KeyedBucketsView::size_for(config.groups as usize)
}

/// Fills a configuration for `rate`: a burst of one second of it (at least 1), 64 groups. `config->struct_size` has to be
/// set, as by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_VALUE` where `when_full` is neither `SEAWALL_FAIL_OPEN` nor `SEAWALL_FAIL_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_config_for(
    config: *mut seawall_keyed_buckets_config_t,
    rate: seawall_rate_t,
    when_full: u32,
) -> seawall_status_t {
    let value = KeyedConfig::new(check!(rate.to_rate()), check!(when_full_of(when_full)));
    // SAFETY: the caller's word.
    unsafe { write(config, seawall_keyed_buckets_config_t::from_config(value, GROUPS)) }.status()
}

/// How many bytes a workspace must have for a table of `config->groups`, wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_required_size(
    config: *const seawall_keyed_buckets_config_t,
    size: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    // SAFETY: as above.
    unsafe { workspace::required_size(size_of_view(&config), size) }
}

/// Makes a table in which every key is full, that begins to earn at `now_ns`, in a workspace of `size` bytes, and gives its
/// handle. `salt` is a secret random number, another one in each process: who knows it can choose keys that crowd out
/// others. The workspace holds it.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where the groups are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATE_ZERO_PERIOD`,
/// `SEAWALL_E_KEYED_ZERO_BURST`, `SEAWALL_E_KEYED_RATE_TOO_FAST`. What was in the workspace may be gone then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_init(
    workspace: *mut c_void,
    size: usize,
    config: *const seawall_keyed_buckets_config_t,
    salt: u64,
    now_ns: u64,
    buckets: *mut *mut seawall_keyed_buckets_t,
) -> seawall_status_t {
    check!(check_place(buckets));
    // SAFETY: the caller's word.
    let config = check!(unsafe { read(config) });
    let (needed, groups, rules) = (size_of_view(&config), config.groups as usize, check!(config.to_config()));
    let renew = |view: &mut KeyedBucketsView| view.renew(rules, salt, instant(now_ns));
    // SAFETY: as above; the size is that of so many groups.
    let made = unsafe { make(workspace, size, needed, groups, renew) };
    // SAFETY: checked, and the caller's word.
    unsafe { give(buckets, check!(made)) }
}

/// The handle of a table that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_attach(
    workspace: *mut c_void,
    size: usize,
    buckets: *mut *mut seawall_keyed_buckets_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { attach::<KeyedBucketsView>(workspace, size, KeyedBucketsView::size_for, buckets) }
}

/// Ends a table: every call on it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the caller's.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_fini(buckets: *mut seawall_keyed_buckets_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { workspace::end::<KeyedBucketsView>(buckets) }.status()
}

/// The key of a name, an address, a token of `length` bytes: `*key`, its SipHash-1-3 under the salt. For what strangers
/// make up; numbers that are given out, as descriptors and user ids are, are keys as they stand. Keys of one table mean
/// nothing in another. `bytes` may be NULL where `length` is 0.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE` where `length` is over the half of all addresses; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_key_of(
    buckets: *mut seawall_keyed_buckets_t,
    bytes: *const c_void,
    length: usize,
    key: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    if length > isize::MAX as usize {
        return SEAWALL_E_SIZE;
    }
    let bytes: &[u8] = match (length, bytes.is_null()) {
        (0, _) => &[],
        (_, true) => return SEAWALL_E_NULL,
        // SAFETY: not NULL, and the caller's word.
        _ => unsafe { core::slice::from_raw_parts(bytes.cast(), length) },
    };
    // SAFETY: as above.
    unsafe { tell(key, || buckets.key_of(bytes)) }
}

/// The number by which the table places `key`: `*hash`, uniform under a random salt. To compare the table with another one
/// under the same hash; keep it as secret as the salt.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_hash_of(
    buckets: *mut seawall_keyed_buckets_t,
    key: u64,
    hash: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    // SAFETY: as above.
    unsafe { tell(hash, || buckets.hash_of(key)) }
}

/// Takes `n` tokens of `key`, all or none. Any number is a key. 0 always succeeds and changes nothing. `decision` may be
/// NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one exchange for a key that has a place, four to six for
/// a newcomer, loads only to refuse.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`; `SEAWALL_NEVER` where `n` is over the burst; `SEAWALL_NO_PLACE` where the
/// table is full and fails closed; `SEAWALL_CLOCK_STEPPED` where `now_ns` lies further behind than a burst and a second
/// explain; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_try_take(
    buckets: *mut seawall_keyed_buckets_t,
    key: u64,
    n: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    check!(check_wanted(decision));
    let now = instant(now_ns);
    // SAFETY: checked, and the caller's word.
    unsafe { decide(buckets.try_take(key, n, now), decision, || buckets.available(key, now)) }
}

/// Whether `seawall_keyed_buckets_try_take` would succeed. Takes and counts nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take the tokens in between.
/// Returns: as `seawall_keyed_buckets_try_take`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_peek(
    buckets: *mut seawall_keyed_buckets_t,
    key: u64,
    n: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    check!(check_wanted(decision));
    let now = instant(now_ns);
    // SAFETY: checked, and the caller's word.
    unsafe { decide(buckets.peek(key, n, now), decision, || buckets.available(key, now)) }
}

/// How many whole tokens `key` has: `*tokens`. All of its burst for a key that has no entry.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_available(
    buckets: *mut seawall_keyed_buckets_t,
    key: u64,
    now_ns: u64,
    tokens: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    // SAFETY: as above.
    unsafe { tell(tokens, || buckets.available(key, instant(now_ns))) }
}

/// Gives `n` tokens back that were taken of `key` and never used, up to its burst.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where its bucket is full already; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_refund(
    buckets: *mut seawall_keyed_buckets_t,
    key: u64,
    n: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    done(buckets.refund(key, n, instant(now_ns)))
}

/// Changes the rate of every key from `now_ns` on: what each has at that instant stays, and so does the burst.
///
/// Threads: any, at the same time as takers, who never wait for it; three changes at once. Lock-free: one exchange, however
/// many keys there are.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; `SEAWALL_E_RATE_ZERO_PERIOD`;
/// `SEAWALL_E_KEYED_RATE_TOO_FAST`; `SEAWALL_E_KEYED_RATE_TOO_FAR_UP`; or an object mistake. On all but the first the table
/// is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_set_rate(
    buckets: *mut seawall_keyed_buckets_t,
    rate: seawall_rate_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    buckets.set_rate(check!(rate.to_rate()), instant(now_ns)).status()
}

/// Changes rate, burst and what happens when the table is full, from `now_ns` on. Tokens over a smaller burst are gone;
/// under a larger one every key earns the difference. `groups` has to be what the table was made with.
///
/// Threads: as `seawall_keyed_buckets_set_rate`.
/// Returns: as `seawall_keyed_buckets_set_rate`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`,
/// `SEAWALL_E_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_KEYED_ZERO_BURST`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_set_config(
    buckets: *mut seawall_keyed_buckets_t,
    config: *const seawall_keyed_buckets_config_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    // SAFETY: as above.
    let config = check!(unsafe { read(config) });
    if config.groups as usize != buckets.groups() {
        return SEAWALL_E_SIZE;
    }
    buckets.set_config(check!(config.to_config()), instant(now_ns)).status()
}

/// The configuration in force. `config->struct_size` has to be set.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_config(
    buckets: *mut seawall_keyed_buckets_t,
    config: *mut seawall_keyed_buckets_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    // At most 2,396,744 groups.
    let value = seawall_keyed_buckets_config_t::from_config(buckets.config(), buckets.groups() as u32);
    // SAFETY: as above.
    unsafe { write(config, value) }.status()
}

/// How many calls passed without a limit because the table was full: `*calls`. Exact.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_let_through(
    buckets: *mut seawall_keyed_buckets_t,
    calls: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    // SAFETY: as above.
    unsafe { tell(calls, || buckets.let_through()) }
}

/// How many places are held by keys whose buckets are not full: `*places`. Reads the whole table.
///
/// Threads: any, at the same time; signal handlers too. Loads only; advisory while others call.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_occupied(
    buckets: *mut seawall_keyed_buckets_t,
    now_ns: u64,
    places: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    // SAFETY: as above; under 2^24.
    unsafe { tell(places, || buckets.occupied(instant(now_ns)) as u32) }
}

/// How many keys fit at most: `*places`, seven a group.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_places(
    buckets: *mut seawall_keyed_buckets_t,
    places: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    // SAFETY: as above; under 2^24.
    unsafe { tell(places, || buckets.places() as u32) }
}

/// Moves the table to a clock that reads `new_now_ns` where the old one read `old_now_ns`: what each key has stays the
/// same. For a clock that stepped back, `old_now_ns` is the newest reading that the table was given.
///
/// Threads: as `seawall_keyed_buckets_set_rate`.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_rebase(
    buckets: *mut seawall_keyed_buckets_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    buckets.rebase(instant(old_now_ns), instant(new_now_ns)).status()
}

/// Begins anew at `now_ns`, with every bucket full and every place free, at the configuration in force. The count of what
/// was let through goes on. Writes the whole table.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step: what others take meanwhile may count or
/// not.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_keyed_buckets_reset(
    buckets: *mut seawall_keyed_buckets_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let buckets = check!(unsafe { view::<KeyedBucketsView>(buckets) });
    buckets.reset(instant(now_ns)).status()
}
