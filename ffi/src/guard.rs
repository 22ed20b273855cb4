//! `seawall_guard_t`: every mechanism in one place, for the calls to one service.
//!
//! ```text
//! workspace  |...|header: 128|body|breakers: shards|...|header: 128|limit: slots|...|header: 128|keys: groups|
//!                ^ the handle                          ^ the limit's handle         ^ that of the buckets by key
//! ```
//! Every part lies as an object of its own type would, with its tag before it: so that its handle is taken by the functions
//! of that type. The body holds the token bucket and the retry budget, and what is no part: `GuardState`, and the guard's
//! number, by which its calls and permits are known.
//!
//! `lengths` of the header: slots, shards, groups, and where limit and keys begin, 32 bits each.

use core::ffi::c_void;

use seawall::{
    CircuitBreaker, ConcurrencyLimitView, GuardState, GuardView, KeyedBucketsView, Random, RetryBudget, TokenBucket,
};

use crate::guard_config::seawall_guard_config_t;
use crate::object::{self, Held, Kind, check_place, check_pointer};
use crate::status::{Misuse, SEAWALL_E_SIZE, SEAWALL_OK, check, seawall_status_t};
use crate::values::instant;
use crate::versioned::read;
use crate::workspace::{self, ALIGNMENT, Header, InWorkspace, begin, give, make, place};

/// Guards the calls to one service. It lies in a workspace; this is its handle.
///
/// How a call goes: `seawall_guard_begin`. Then `seawall_guard_try_attempt`: refused with `SEAWALL_NOT_YET` or
/// `SEAWALL_NO_PLACE`, ask again after `decision->retry_after_ns`; otherwise refused, or no longer wanted,
/// `seawall_guard_abandon`. Admitted, send it, wait for at most the time-out that the guard was made for, and say by
/// `seawall_guard_finish` how it ended: `SEAWALL_VERDICT_RETRY_AT` is to ask again at `finished->retry_at_ns`, any other
/// verdict ends the call.
pub struct seawall_guard_t {
    _opaque: [u64; 1],
}

/// What a guard has once.
#[repr(C)]
pub(crate) struct Body {
    /// Drawn when it is made; never 0.
    number: u64,
    state: GuardState,
    pub(crate) bucket: Held<TokenBucket>,
    pub(crate) budget: Held<RetryBudget>,
}

const _: () = assert!(align_of::<Body>() <= ALIGNMENT && !core::mem::needs_drop::<Body>());

/// Where the parts lie, in bytes from the header.
struct Places {
    limit: usize,
    /// 0: there are none.
    keyed: usize,
    /// Of all, the header included.
    size: usize,
}

const BODY: usize = size_of::<Header>();
const BREAKERS: usize = (BODY + size_of::<Body>()).next_multiple_of(align_of::<Held<CircuitBreaker>>());
/// No more fit the number of a shard.
const MOST_SHARDS: u32 = 65_535;

impl Places {
    /// `None` where there is no guard of these sizes.
    fn of(slots: usize, shards: usize, groups: usize) -> Option<Self> {
        if shards == 0 || shards > MOST_SHARDS as usize {
            return None;
        }
        let breakers = BREAKERS.checked_add(shards.checked_mul(size_of::<Held<CircuitBreaker>>())?)?;
        let limit = breakers.checked_next_multiple_of(ALIGNMENT)?;
        let size = limit.checked_add(size_of::<Header>())?.checked_add(ConcurrencyLimitView::size_for(slots)?)?;
        if groups == 0 {
            return Some(Self { limit, keyed: 0, size });
        }
        let keyed = size.checked_next_multiple_of(ALIGNMENT)?;
        let size = keyed.checked_add(size_of::<Header>())?.checked_add(KeyedBucketsView::size_for(groups)?)?;
        Some(Self { limit, keyed, size })
    }

    /// Both fit: 65,535 breakers and slots are under 2^24 bytes.
    fn word(&self) -> u64 {
        self.limit as u64 | (self.keyed as u64) << 32
    }

    /// What follows the header.
    fn behind(&self) -> usize {
        self.size - size_of::<Header>()
    }
}

/// A guard whose tag was right.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    start: *mut u8,
    slots: usize,
    pub(crate) shards: usize,
    groups: usize,
    limit: usize,
    keyed: usize,
}

impl Found {
    #[inline(always)]
    pub(crate) fn body(self) -> *mut Body {
        self.start.wrapping_add(BODY).cast()
    }

    #[inline(always)]
    pub(crate) fn breakers(self) -> *mut Held<CircuitBreaker> {
        self.start.wrapping_add(BREAKERS).cast()
    }

    #[inline(always)]
    pub(crate) fn limit(self) -> *mut u8 {
        self.start.wrapping_add(self.limit)
    }

    #[inline(always)]
    pub(crate) fn keyed(self) -> Option<*mut u8> {
        (self.keyed != 0).then_some(self.start.wrapping_add(self.keyed))
    }
}

/// What lies behind a handle.
///
/// # Safety
/// `handle` is NULL or was given by `seawall_guard_init` or `seawall_guard_attach`, and its workspace is there.
#[inline(always)]
pub(crate) unsafe fn found(handle: *mut seawall_guard_t) -> Result<Found, Misuse> {
    check_pointer(handle)?;
    let header = handle.cast::<Header>();
    // SAFETY: not NULL, aligned, and the caller's word that it is a handle.
    unsafe { &(*header).tag }.check(Kind::Guard)?;
    // SAFETY: the tag says that it was made completely, and the lengths never change.
    let [slots, shards, groups, places] = unsafe { (*header).lengths };
    Ok(Found {
        start: handle.cast(),
        slots: slots as usize,
        shards: shards as usize,
        groups: groups as usize,
        limit: places as u32 as usize,
        keyed: (places >> 32) as usize,
    })
}

/// A guard of the core over the parts in a workspace, and its number.
pub(crate) struct Guard<'a> {
    pub(crate) core: GuardView<'a, Held<CircuitBreaker>>,
    pub(crate) number: u64,
}

/// The guard behind a handle.
///
/// # Safety
/// As [`found`]; the workspace lives through `'a`, and nobody makes, ends or writes to the guard but through this library
/// while it is used.
#[inline(always)]
pub(crate) unsafe fn guard<'a>(handle: *mut seawall_guard_t) -> Result<Guard<'a>, Misuse> {
    // SAFETY: the caller's word.
    let found = unsafe { found(handle)? };
    // SAFETY: the tag says that all parts were made, of these lengths and at these places.
    unsafe {
        let body = &*found.body();
        let breakers = core::slice::from_raw_parts(found.breakers(), found.shards);
        let limit = &*ConcurrencyLimitView::at(found.limit().wrapping_add(size_of::<Header>()), found.slots);
        let keyed = found.keyed().map(|keyed| {
            let keyed: &KeyedBucketsView =
                &*KeyedBucketsView::at(keyed.wrapping_add(size_of::<Header>()), found.groups);
            keyed
        });
        let core = GuardView::new(&body.state, body.bucket.as_ref(), body.budget.as_ref(), breakers, limit, keyed);
        // It has a shard, or it was not made here.
        let core = core.ok_or(Misuse(SEAWALL_E_SIZE))?;
        Ok(Guard { core, number: body.number })
    }
}

/// How many bytes a workspace must have for a guard of `config->limit.slots`, `config->shards` and `config->keyed.groups`,
/// wherever it begins: `*size`.
///
/// Threads: any. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_SIZE`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`; or a mistake
/// of the configuration, as `seawall_guard_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_required_size(
    config: *const seawall_guard_config_t,
    size: *mut usize,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let plan = check!(check!(unsafe { read(config) }).plan());
    let groups = plan.keyed.map_or(0, |(_, groups, _)| groups as usize);
    let places = Places::of(plan.slots as usize, plan.shards as usize, groups);
    // SAFETY: as above.
    unsafe { workspace::required_size(places.map(|places| places.behind()), size) }
}

/// Makes a guard that begins at `now_ns`, in a workspace of `size` bytes, and gives its handle. `seed` is a random
/// number that tells this process from others of its fleet: the same for all of them would lead them to the same
/// instants.
///
/// Threads: exclusive; hand the handle to others afterwards. Writes the whole workspace.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`; `SEAWALL_E_SIZE` where slots, shards or groups are out of their range;
/// `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`, `SEAWALL_E_RATE_ZERO_PERIOD`,
/// `SEAWALL_E_RATIO`, or what names the field: a `SEAWALL_E_GUARD_…`, or one of the part. What was in the workspace may be
/// gone then.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_init(
    workspace: *mut c_void,
    size: usize,
    config: *const seawall_guard_config_t,
    seed: u64,
    now_ns: u64,
    guard: *mut *mut seawall_guard_t,
) -> seawall_status_t {
    check!(check_place(guard));
    // SAFETY: the caller's word.
    let plan = check!(check!(unsafe { read(config) }).plan());
    let (slots, shards) = (plan.slots as usize, plan.shards as usize);
    let groups = plan.keyed.map_or(0, |(_, groups, _)| groups as usize);
    let Some(places) = Places::of(slots, shards, groups) else { return SEAWALL_E_SIZE };
    let header = check!(place(workspace, size, Some(places.behind())));
    let (config, now) = (plan.config, instant(now_ns));
    let body = Body {
        number: Random::from_seed(seed ^ now_ns.rotate_left(32) ^ (header.addr() as u64).rotate_left(16)).next_u64()
            | 1,
        state: check!(GuardState::new(config, seed, now)),
        bucket: Held::new(check!(config.token_bucket(seed, now))),
        budget: Held::new(check!(RetryBudget::new(config.budget, now).map_err(seawall::GuardConfigError::Budget))),
    };
    let found = Found { start: header.cast(), slots, shards, groups, limit: places.limit, keyed: places.keyed };
    // SAFETY: `place` has seen that header and parts lie in the workspace, which is the caller's.
    unsafe {
        begin(header, [slots as u64, shards as u64, groups as u64, places.word()]);
        found.body().write(body);
        for shard in 0..shards {
            found.breakers().add(shard).write(Held::new(check!(CircuitBreaker::new(config.breaker))));
        }
        let limit_size = ConcurrencyLimitView::size_for(slots);
        let room = places.behind();
        let renew = |view: &mut ConcurrencyLimitView| view.renew(config.limit);
        check!(make(found.limit().cast(), room, limit_size, slots, renew));
        if let (Some(at), Some((each, _, salt))) = (found.keyed(), plan.keyed) {
            let renew = |view: &mut KeyedBucketsView| view.renew(each, salt, now);
            check!(make(at.cast(), room, KeyedBucketsView::size_for(groups), groups, renew));
        }
        (*header).tag.publish(Kind::Guard);
        give(guard, header.cast())
    }
}

/// The handle of a guard that is in a workspace already: made by another process that shares it, or before a restart.
///
/// Threads: any; where another makes it in memory of zeros, it is `SEAWALL_E_UNINITIALISED` until it is made. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_WORKSPACE`, `SEAWALL_E_SIZE`; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_attach(
    workspace: *mut c_void,
    size: usize,
    guard: *mut *mut seawall_guard_t,
) -> seawall_status_t {
    check!(check_place(guard));
    let header = check!(place(workspace, size, Some(0)));
    // SAFETY: `place` has seen that the header lies in the workspace.
    let found = check!(unsafe { found(header.cast()) });
    let places = Places::of(found.slots, found.shards, found.groups);
    let Some(places) = places.filter(|places| places.limit == found.limit && places.keyed == found.keyed) else {
        return SEAWALL_E_SIZE;
    };
    check!(place(workspace, size, Some(places.behind())));
    // SAFETY: checked, and the caller's word.
    unsafe { give(guard, header.cast()) }
}

/// Ends a guard: every call on it or on a part of it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace
/// is the caller's.
///
/// Threads: exclusive, its parts too. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_fini(guard: *mut seawall_guard_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    let found = check!(unsafe { found(guard) });
    // SAFETY: there is a header, and the parts that it tells of. A part that the caller has ended already stays so.
    unsafe {
        (*guard.cast::<Header>()).tag.clear();
        let _ = object::end::<TokenBucket>((&raw mut (*found.body()).bucket).cast());
        let _ = object::end::<RetryBudget>((&raw mut (*found.body()).budget).cast());
        for shard in 0..found.shards {
            let _ = object::end::<CircuitBreaker>(found.breakers().add(shard).cast());
        }
        let _ = workspace::end::<ConcurrencyLimitView>(found.limit().cast());
        if let Some(keyed) = found.keyed() {
            let _ = workspace::end::<KeyedBucketsView>(keyed.cast());
        }
    }
    SEAWALL_OK
}
