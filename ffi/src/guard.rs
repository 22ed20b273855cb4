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
    CircuitBreaker, ConcurrencyLimitView, GuardState, GuardView, KeyedBucketsView, Random, Refused, RetryBudget,
    TokenBucket,
};

use crate::call::{seawall_admission_t, seawall_call_t, seawall_finished_t, seawall_permit_t, seawall_request_t};
use crate::circuit_breaker::seawall_circuit_breaker_t;
use crate::concurrency_limit::seawall_concurrency_limit_t;
use crate::decision::{check_decision, decide, seawall_decision_t};
use crate::guard_config::{seawall_guard_config_t, seawall_mode_t, stage_of};
use crate::keyed_buckets::seawall_keyed_buckets_t;
use crate::object::{self, Held, Kind, check_pointer, check_wanted, tell, tell_wanted};
use crate::retry_budget::seawall_retry_budget_t;
use crate::status::{
    Misuse, SEAWALL_E_GUARD_STAGE_WITHOUT_MODE, SEAWALL_E_NULL, SEAWALL_E_SIZE, SEAWALL_NONE, SEAWALL_OK, SEAWALL_VOID,
    Status, check, seawall_status_t,
};
use crate::token_bucket::seawall_token_bucket_t;
use crate::values::{instant, outcome_of, seawall_transition_t};
use crate::versioned::read;
use crate::workspace::{self, ALIGNMENT, Header, InWorkspace, begin, check_place, give, make, place};

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
struct Body {
    /// Drawn when it is made; never 0.
    number: u64,
    state: GuardState,
    bucket: Held<TokenBucket>,
    budget: Held<RetryBudget>,
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
struct Found {
    start: *mut u8,
    slots: usize,
    shards: usize,
    groups: usize,
    limit: usize,
    keyed: usize,
}

impl Found {
    #[inline(always)]
    fn body(self) -> *mut Body {
        self.start.wrapping_add(BODY).cast()
    }

    #[inline(always)]
    fn breakers(self) -> *mut Held<CircuitBreaker> {
        self.start.wrapping_add(BREAKERS).cast()
    }

    #[inline(always)]
    fn limit(self) -> *mut u8 {
        self.start.wrapping_add(self.limit)
    }

    #[inline(always)]
    fn keyed(self) -> Option<*mut u8> {
        (self.keyed != 0).then_some(self.start.wrapping_add(self.keyed))
    }
}

/// What lies behind a handle.
///
/// # Safety
/// `handle` is NULL or was given by `seawall_guard_init` or `seawall_guard_attach`, and its workspace is there.
#[inline(always)]
unsafe fn found(handle: *mut seawall_guard_t) -> Result<Found, Misuse> {
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
    number: u64,
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
    let needed = check!(workspace::required_size(places.map(|places| places.behind())));
    // SAFETY: as above.
    unsafe { tell(size, || needed) }
}

/// Makes a guard that begins at `now_ns`, in a workspace of `size` bytes, and gives its handle. `seed` is a random number that
/// tells this process from others of its fleet: the same for all of them would lead them to the same instants.
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

/// Ends a guard: every call on it or on a part of it is then answered with `SEAWALL_E_UNINITIALISED`, and the workspace is the
/// caller's.
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

/// A logical call begins: `*call`. Takes nothing: that is the work of `seawall_guard_try_attempt`. Its deadline is the
/// request's, or the end of the retry strategy's total deadline where that is earlier; the modes that hold for it are those
/// of this moment. `request` may be NULL: `SEAWALL_REQUEST_INIT`.
///
/// Threads: any, at the same time, each with a call of its own; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_begin(
    guard: *mut seawall_guard_t,
    request: *const seawall_request_t,
    now_ns: u64,
    call: *mut seawall_call_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    check!(check_pointer(call));
    let request = if request.is_null() {
        seawall::Request::DEFAULT
    } else {
        // SAFETY: the caller's word.
        check!(check!(unsafe { read(request) }).to_request())
    };
    let begun = guard.core.begin(request, instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { call.write(seawall_call_t::of(begun, guard.number)) };
    SEAWALL_OK
}

/// Asks to send the next attempt of `call`. Admitted, the caller sends it and reports with `seawall_guard_finish`, or gives
/// back with `seawall_guard_cancel` what it did not send; refused, `*permit` is zeroed. `admission` and `decision` may be
/// NULL.
///
/// Threads: any, at the same time, each with a call and a permit of its own; signal handlers too. Lock-free. Refused, nothing
/// that is shared is written, but where another thread took a place meanwhile, or where the bucket refuses the first attempt
/// after a pause or a close.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`, `SEAWALL_NEVER`, `SEAWALL_CLOCK_STEPPED`, `SEAWALL_NO_PLACE` with the stage in
/// `decision->stage`: the deadline has passed or the call is over (`SEAWALL_NEVER`), its backoff is not over
/// (`SEAWALL_STAGE_RETRY_BUDGET`), or as the stage itself refuses; `SEAWALL_E_PERMIT` where `call` is none of this guard; or
/// an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_try_attempt(
    guard: *mut seawall_guard_t,
    call: *mut seawall_call_t,
    now_ns: u64,
    permit: *mut seawall_permit_t,
    admission: *mut seawall_admission_t,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    // SAFETY: the caller's word.
    let mut taken = check!(unsafe { seawall_call_t::at(call, guard.number) });
    check!(check_pointer(permit));
    check!(check_wanted(admission));
    check!(check_decision(decision));
    // To ask changes nothing of a call: it need not be written back.
    let answer = guard.core.try_attempt(&mut taken, instant(now_ns));
    let given = match &answer {
        Ok(admission) => seawall_permit_t::of(admission.permit, guard.number),
        Err(_) => seawall_permit_t::NONE,
    };
    // SAFETY: all three are checked, and the caller's word.
    unsafe {
        permit.write(given);
        if !admission.is_null() {
            admission.write(seawall_admission_t::of(answer.as_ref().ok()));
        }
        decide(answer.map(|_| ()), decision, || 0)
    }
}

/// What `seawall_guard_try_attempt` would answer now, taking nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; another may take the place first.
/// Returns: as `seawall_guard_try_attempt`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_peek(
    guard: *mut seawall_guard_t,
    call: *const seawall_call_t,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    // SAFETY: the caller's word.
    let call = check!(unsafe { seawall_call_t::at(call, guard.number) });
    check!(check_decision(decision));
    let answer: Result<(), Refused> = guard.core.peek(&call, instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { decide(answer, decision, || 0) }
}

/// Reports how an attempt ended, a `SEAWALL_OUTCOME_…`, and zeroes the permit; `retry_after_ns` counts for one that was
/// throttled only (`SEAWALL_UNKNOWN` where the service did not say). `*finished` is what it led to; its verdict says whether
/// and when to ask again, and a retry is paid for by then.
///
/// An attempt is reported or given back once. A copy of a permit that was used changes nothing, and gets the verdict of the
/// first report; through a copy of the call that does not know of that, or with a slot that went to another after its lease,
/// a failure is given up with `SEAWALL_GIVE_UP_PERMIT_VOID`.
///
/// Threads: any, at the same time, each with a call and a permit of its own; signal handlers too. Lock-free. Transition and
/// change are told if and only if this report made them.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where `call` or `permit` is none of this guard; `SEAWALL_E_VALUE` where the outcome
/// is none, and the permit stays; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_finish(
    guard: *mut seawall_guard_t,
    call: *mut seawall_call_t,
    permit: *mut seawall_permit_t,
    outcome: u32,
    retry_after_ns: u64,
    now_ns: u64,
    finished: *mut seawall_finished_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    let outcome = check!(outcome_of(outcome, retry_after_ns));
    check!(check_pointer(finished));
    // SAFETY: the caller's word.
    let mut ended = check!(unsafe { seawall_call_t::at(call, guard.number) });
    // SAFETY: the caller's word.
    let given = check!(unsafe { seawall_permit_t::at(permit, guard.number) });
    // SAFETY: checked, and the caller's word.
    unsafe { permit.write(seawall_permit_t::NONE) };
    let told = guard.core.finish(&mut ended, given, outcome, instant(now_ns));
    // SAFETY: all are checked, and the caller's word.
    unsafe {
        call.write(seawall_call_t::of(ended, guard.number));
        finished.write(seawall_finished_t::of(&told));
    }
    SEAWALL_OK
}

/// Gives an admitted attempt back that was never sent, and zeroes the permit: slot and probe are free, the tokens are refunded
/// where that cannot admit too many. The call may ask again; a retry stays paid for.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free. Of copies, reports included,
/// one acts.
/// Returns: `SEAWALL_OK`; `SEAWALL_VOID` where it was used before, or so late that its slot went to another, and where the
/// attempt had no slot, as the limit is off or in shadow: then the tokens stay spent; `SEAWALL_E_PERMIT` where it is none of
/// this guard; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_cancel(
    guard: *mut seawall_guard_t,
    permit: *mut seawall_permit_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    // SAFETY: the caller's word.
    let given = check!(unsafe { seawall_permit_t::at(permit, guard.number) });
    // SAFETY: checked, and the caller's word.
    unsafe { permit.write(seawall_permit_t::NONE) };
    if guard.core.cancel(given, instant(now_ns)) { SEAWALL_OK } else { SEAWALL_VOID }
}

/// The call is not sent again, whatever its verdict was: a retry that was paid for goes back to the budget. Every later
/// attempt of it is refused. Again, it does nothing.
///
/// Threads: any, at the same time, each with a call of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is no call of this guard; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_abandon(
    guard: *mut seawall_guard_t,
    call: *mut seawall_call_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    // SAFETY: the caller's word.
    let mut ended = check!(unsafe { seawall_call_t::at(call, guard.number) });
    guard.core.abandon(&mut ended, instant(now_ns));
    // SAFETY: checked, and the caller's word.
    unsafe { call.write(seawall_call_t::of(ended, guard.number)) };
    SEAWALL_OK
}

/// Until when the server asked to be spared, with the spread, if that is still to come.
///
/// Threads: any, at the same time; signal handlers too. One load.
/// Returns: `SEAWALL_OK`; `SEAWALL_NONE` where there is no pause; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_paused_until(
    guard: *mut seawall_guard_t,
    now_ns: u64,
    until_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    check!(check_pointer(until_ns));
    let Some(end) = guard.core.paused_until(instant(now_ns)) else { return SEAWALL_NONE };
    // SAFETY: checked, and the caller's word.
    unsafe { tell(until_ns, || end.as_nanos()) }
}

/// The mode of a stage, a `SEAWALL_STAGE_…`. The deadline of a call always holds; the keyed bucket of a guard that has none is
/// off. A canary of all calls is told as enforced, one of none as a shadow.
///
/// Threads: any, at the same time; signal handlers too. One load.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_VALUE` where the stage is none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_mode(
    guard: *mut seawall_guard_t,
    stage: u32,
    mode: *mut seawall_mode_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    let stage = check!(stage_of(stage));
    // SAFETY: the caller's word.
    unsafe { tell(mode, || seawall_mode_t::from_mode(guard.core.mode(stage))) }
}

/// Sets the mode of a stage, for the calls that begin from now on. What the stage holds stays: one that was off goes on from
/// where it stood.
///
/// Threads: any, at the same time; signal handlers too. Wait-free, one store.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_GUARD_STAGE_WITHOUT_MODE`: the deadline, or a stage that is not there; `SEAWALL_E_VALUE`,
/// `SEAWALL_E_RATIO`; or an object mistake. On all but the first nothing has changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_set_mode(
    guard: *mut seawall_guard_t,
    stage: u32,
    mode: seawall_mode_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    let (stage, mode) = (check!(stage_of(stage)), check!(mode.to_mode()));
    match guard.core.set_mode(stage, mode) {
        Ok(()) => SEAWALL_OK,
        Err(_) => SEAWALL_E_GUARD_STAGE_WITHOUT_MODE,
    }
}

/// Moves all parts to a clock that reads `new_now_ns` where the old one read `old_now_ns`. Calls keep instants of the old
/// clock, and permits that are out are void: each call is to begin anew.
///
/// Threads: one at a time, at the same time as all else; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake. On all but the first nothing has
/// changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_rebase(
    guard: *mut seawall_guard_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    guard.core.rebase(instant(old_now_ns), instant(new_now_ns)).status()
}

/// As if new at `now_ns`; rates, limits and configurations that were set stay, and so does what the limit has learned. Permits
/// that are out are void. The transitions of the breakers that this call closed go to `transitions`, by the numbers of their
/// shards, as many as `room` has; `*told` says how many there were. `transitions` may be NULL where `room` is 0; `told` may
/// be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step.
/// Returns: `SEAWALL_OK`; `SEAWALL_CONTENDED`; `SEAWALL_RANGE_SPENT`; or an object mistake. On all but the first nothing has
/// changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_reset(
    guard: *mut seawall_guard_t,
    now_ns: u64,
    transitions: *mut seawall_transition_t,
    room: usize,
    told: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let guard = check!(unsafe { self::guard(guard) });
    check!(check_wanted(transitions));
    check!(check_wanted(told));
    if transitions.is_null() && room != 0 {
        return SEAWALL_E_NULL;
    }
    let mut count = 0_u32;
    let result = guard.core.reset(instant(now_ns), |transition| {
        if (count as usize) < room {
            // SAFETY: within the room, and the caller's word.
            unsafe { transitions.add(count as usize).write(seawall_transition_t::of(Some(transition))) };
        }
        // At most 65,535 shards.
        count = count.saturating_add(1);
    });
    check!(result);
    // SAFETY: checked, and the caller's word.
    unsafe { tell_wanted(told, count) };
    SEAWALL_OK
}

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

/// The circuit breaker of a shard, for every `seawall_circuit_breaker_…` but `_init` and `_fini`. `shard` is taken modulo the
/// number of shards; what the breaker tells names shard 0. It lives as long as the guard.
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

/// The limit of the calls in flight, for every `seawall_concurrency_limit_…` but `_init`, `_attach` and `_fini`. It lives as
/// long as the guard.
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
