//! `seawall_guard_config_t`: the parts of a guard, and the defaults for what a user knows.
//!
//! # How it grows
//! The configuration of each part lies in it by value, with room behind it: a field that is added to a part takes the place
//! of room, so that all that follows stays where it is. A part says its own size, and the room behind what this library knows
//! has to be 0, as with every struct that grows.

use core::time::Duration;

use seawall::{GuardConfig, GuardModes, KeyedConfig, Mode, Ratio, Stage};

use crate::circuit_breaker::seawall_circuit_breaker_config_t;
use crate::concurrency_limit::seawall_concurrency_limit_config_t;
use crate::keyed_buckets::seawall_keyed_buckets_config_t;
use crate::retry_budget::seawall_retry_budget_config_t;
use crate::retry_strategy::seawall_retry_strategy_config_t;
use crate::status::{Misuse, SEAWALL_E_STRUCT_SIZE, SEAWALL_E_VALUE, SEAWALL_OK, check, seawall_status_t};
use crate::token_bucket::seawall_token_bucket_config_t;
use crate::values::{nanos, one_of, ratio, seawall_rate_t, seawall_warm_up_t};
use crate::versioned::{Versioned, read, write};

/// The stage refuses.
pub const SEAWALL_MODE_ENFORCE: u32 = 1;
/// The stage says what it would refuse, and lets it pass.
pub const SEAWALL_MODE_SHADOW: u32 = 2;
/// The stage refuses calls of `share_ppm` of the keys, and is in shadow for the others.
pub const SEAWALL_MODE_CANARY: u32 = 3;
/// The stage is neither read nor written.
pub const SEAWALL_MODE_OFF: u32 = 4;

/// What a stage of a guard does with the calls that it would refuse. What holds for a call is decided when it begins, and
/// holds for all its attempts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_mode_t {
    /// A `SEAWALL_MODE_…`.
    pub mode: u32,
    /// `SEAWALL_MODE_CANARY` only: the share of the keys, 0 to 1,000,000; who is in a small share is in a larger one.
    /// Else 0.
    pub share_ppm: u32,
}

impl seawall_mode_t {
    pub(crate) fn to_mode(self) -> Result<Mode, Misuse> {
        match (self.mode, self.share_ppm) {
            (SEAWALL_MODE_ENFORCE, 0) => Ok(Mode::Enforce),
            (SEAWALL_MODE_SHADOW, 0) => Ok(Mode::Shadow),
            (SEAWALL_MODE_CANARY, share) => Ok(Mode::Canary(ratio(share)?)),
            (SEAWALL_MODE_OFF, 0) => Ok(Mode::Off),
            _ => Err(Misuse(SEAWALL_E_VALUE)),
        }
    }

    pub(crate) fn from_mode(mode: Mode) -> Self {
        let (mode, share) = match mode {
            Mode::Enforce => (SEAWALL_MODE_ENFORCE, Ratio::ZERO),
            Mode::Shadow => (SEAWALL_MODE_SHADOW, Ratio::ZERO),
            Mode::Canary(share) => (SEAWALL_MODE_CANARY, share),
            Mode::Off => (SEAWALL_MODE_OFF, Ratio::ZERO),
        };
        Self { mode, share_ppm: share.as_ppm() }
    }
}

/// A stage from its number.
pub(crate) fn stage_of(stage: u32) -> Result<Stage, Misuse> {
    one_of(&Stage::ALL, stage, |stage| stage as u32)
}

/// The mode of each stage of a guard that has one: all but the deadline of a call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_guard_modes_t {
    /// The pause that the server asked for. Off: a Retry-After counts for its own call only.
    pub pause: seawall_mode_t,
    /// The circuit breakers.
    pub breaker: seawall_mode_t,
    /// The limit of the calls in flight. Enforced, its slot tells whether a permit is good.
    pub limit: seawall_mode_t,
    /// The token bucket.
    pub bucket: seawall_mode_t,
    /// The retry budget. Off: retries are free, up to `retry.max_attempts`.
    pub budget: seawall_mode_t,
    /// The buckets by key, of a guard that has them; any other heeds no mode here.
    pub keyed: seawall_mode_t,
}

impl seawall_guard_modes_t {
    fn to_modes(self) -> Result<GuardModes, Misuse> {
        Ok(GuardModes {
            pause: self.pause.to_mode()?,
            breaker: self.breaker.to_mode()?,
            limit: self.limit.to_mode()?,
            bucket: self.bucket.to_mode()?,
            budget: self.budget.to_mode()?,
            keyed: self.keyed.to_mode()?,
        })
    }

    fn from_modes(modes: GuardModes) -> Self {
        Self {
            pause: seawall_mode_t::from_mode(modes.pause),
            breaker: seawall_mode_t::from_mode(modes.breaker),
            limit: seawall_mode_t::from_mode(modes.limit),
            bucket: seawall_mode_t::from_mode(modes.bucket),
            budget: seawall_mode_t::from_mode(modes.budget),
            keyed: seawall_mode_t::from_mode(modes.keyed),
        }
    }
}

/// `retry_streak` of a guard that bounds the failures in a row by nothing but its breaker.
pub const SEAWALL_NO_STREAK: u32 = u32::MAX;

/// What a guard is made of. Fill it by `seawall_guard_config_for_service` or `seawall_guard_config_for_shards`, from
/// what you know of the service, and change what you know better; or begin with `SEAWALL_GUARD_CONFIG_INIT`, which is
/// that of a service with one shard to which this process sends 20 calls a second, each with a time-out of a second. It
/// has no buckets by key until `keyed.groups` is over 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_guard_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// Of how many parts the service is made that fail one by one: each has a breaker; 1 to 65,535.
    pub shards: u32,
    /// How long an attempt may take: a failure that took as long was a time-out, and its retry costs the budget more; 1 and
    /// more.
    pub call_timeout_ns: u64,
    /// How many failures in a row the breaker counts for a first attempt that timed out; 1 and more.
    pub timeout_weight: u32,
    /// A retry is promised only while the breaker of its shard is closed, and fewer than so many failures of first attempts
    /// stand in a row, its own among them. 0: never. `SEAWALL_NO_STREAK`: whatever the breaker counts.
    pub retry_streak: u32,
    /// How the rate climbs after a pause that the server asked for and after a breaker has closed again; at most a year. In
    /// both cases the tokens restart at one, whatever it is.
    pub ramp: seawall_warm_up_t,
    /// Which stages refuse, and which only say that they would.
    pub modes: seawall_guard_modes_t,
    /// How fast attempts are sent.
    pub bucket: seawall_token_bucket_config_t,
    /// 0: room for what later versions add to the part.
    pub bucket_room: [u64; 4],
    /// When a part of the service counts as down.
    pub breaker: seawall_circuit_breaker_config_t,
    /// 0.
    pub breaker_room: [u64; 4],
    /// How many attempts are in flight. `limit.slots` are what the guard has.
    pub limit: seawall_concurrency_limit_config_t,
    /// 0.
    pub limit_room: [u64; 4],
    /// When a failed call is sent again.
    pub retry: seawall_retry_strategy_config_t,
    /// 0.
    pub retry_room: [u64; 4],
    /// What share of the traffic may be retries.
    pub budget: seawall_retry_budget_config_t,
    /// 0.
    pub budget_room: [u64; 4],
    /// How fast each key may send. `keyed.groups` 0: there are no buckets by key, and nothing else of it is looked at.
    pub keyed: seawall_keyed_buckets_config_t,
    /// 0.
    pub keyed_room: [u64; 4],
    /// A secret random number for the buckets by key, another one in each process; over 0. Without buckets by key it is not
    /// looked at.
    pub keyed_salt: u64,
}

/// Room of one part.
const ROOM: usize = size_of::<[u64; 4]>();

// SAFETY: `repr(C)`, integers and structs of them only, no padding: 4 + 4 + 8 + 4 + 4 + 32 + 48 bytes, six parts of whole words
// that are each followed by 32, and 8.
unsafe impl Versioned for seawall_guard_config_t {
    const FIRST: usize = 104
        + size_of::<seawall_token_bucket_config_t>()
        + size_of::<seawall_circuit_breaker_config_t>()
        + size_of::<seawall_concurrency_limit_config_t>()
        + size_of::<seawall_retry_strategy_config_t>()
        + size_of::<seawall_retry_budget_config_t>()
        + size_of::<seawall_keyed_buckets_config_t>()
        + 6 * ROOM
        + 8;
}

const _: () = assert!(seawall_guard_config_t::FIRST == size_of::<seawall_guard_config_t>(), "it has padding");

/// What a configuration says, in the words of the core.
pub(crate) struct Plan {
    pub(crate) config: GuardConfig,
    pub(crate) slots: u32,
    pub(crate) shards: u32,
    /// Of the buckets by key: what each has, how many groups, and the salt.
    pub(crate) keyed: Option<(KeyedConfig, u32, u64)>,
}

/// The configuration of a part, with the room behind it.
///
/// # Safety
/// Behind `part` are [`ROOM`] bytes that may be read.
unsafe fn part<T: Versioned>(part: *const T) -> Result<T, Misuse> {
    // SAFETY: every part begins with its size.
    let size = unsafe { part.cast::<u32>().read() } as usize;
    if size > size_of::<T>() + ROOM {
        return Err(Misuse(SEAWALL_E_STRUCT_SIZE));
    }
    for index in size / 8..(size_of::<T>() + ROOM) / 8 {
        // SAFETY: within the part and its room. What the part does not claim has to be 0 too: else it was set for nothing.
        if index >= size_of::<T>() / 8 && unsafe { part.cast::<u64>().add(index).read() } != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
    }
    // SAFETY: `size` bytes of it may be read.
    unsafe { read(part) }
}

impl seawall_guard_config_t {
    pub(crate) fn plan(&self) -> Result<Plan, Misuse> {
        let from = &raw const *self;
        // SAFETY: all are fields of `self` with their room behind them.
        let (bucket, breaker, limit, retry, budget) = unsafe {
            (
                part(&raw const (*from).bucket)?,
                part(&raw const (*from).breaker)?,
                part(&raw const (*from).limit)?,
                part(&raw const (*from).retry)?,
                part(&raw const (*from).budget)?,
            )
        };
        let keyed = if self.keyed.groups == 0 {
            None
        } else {
            // SAFETY: as above.
            let keyed = unsafe { part(&raw const (*from).keyed)? };
            if self.keyed_salt == 0 {
                return Err(Misuse(SEAWALL_E_VALUE));
            }
            Some((keyed.to_config()?, keyed.groups, self.keyed_salt))
        };
        let config = GuardConfig {
            bucket: bucket.to_config()?,
            breaker: breaker.to_config()?,
            limit: limit.to_config()?,
            retry: retry.to_config()?,
            budget: budget.to_config()?,
            call_timeout: Duration::from_nanos(self.call_timeout_ns),
            timeout_weight: self.timeout_weight,
            retry_streak: (self.retry_streak != SEAWALL_NO_STREAK).then_some(self.retry_streak),
            ramp: self.ramp.to_warm_up()?,
            modes: self.modes.to_modes()?,
        };
        Ok(Plan { config, slots: limit.slots, shards: self.shards, keyed })
    }

    fn from_config(config: GuardConfig, shards: u32) -> Self {
        let room = [0; 4];
        Self {
            struct_size: size_of::<Self>() as u32,
            shards,
            call_timeout_ns: nanos(config.call_timeout),
            timeout_weight: config.timeout_weight,
            retry_streak: config.retry_streak.unwrap_or(SEAWALL_NO_STREAK),
            ramp: seawall_warm_up_t::from_warm_up(config.ramp),
            modes: seawall_guard_modes_t::from_modes(config.modes),
            bucket: seawall_token_bucket_config_t::from_config(config.bucket),
            bucket_room: room,
            breaker: seawall_circuit_breaker_config_t::from_config(config.breaker),
            breaker_room: room,
            limit: seawall_concurrency_limit_config_t::from_config(config.limit, config.limit.ceiling),
            limit_room: room,
            retry: seawall_retry_strategy_config_t::from_config(config.retry),
            retry_room: room,
            budget: seawall_retry_budget_config_t::from_config(config.budget),
            budget_room: room,
            keyed: seawall_keyed_buckets_config_t::from_config(EACH, 0),
            keyed_room: room,
            keyed_salt: 0,
        }
    }
}

/// What stands in the configuration of the keys until they have buckets.
const EACH: KeyedConfig = KeyedConfig::new(seawall::Rate::per_second(10), seawall::WhenFull::FailOpen);

/// Fills a configuration for a process that sends up to `expected` calls to a service, and gives each attempt
/// `call_timeout_ns`: 64 slots, one shard, every stage enforced, no buckets by key. `config->struct_size` has to be set, as
/// by the `_INIT` macro.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`. A
/// time-out of 0 is found by `seawall_guard_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_config_for_service(
    config: *mut seawall_guard_config_t,
    expected: seawall_rate_t,
    call_timeout_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { seawall_guard_config_for_shards(config, expected, call_timeout_ns, 1) }
}

/// As `seawall_guard_config_for_service`, for a service of `shards` parts that fail one by one, each with its share of the
/// expected calls. 0 counts as 1.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: as `seawall_guard_config_for_service`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_guard_config_for_shards(
    config: *mut seawall_guard_config_t,
    expected: seawall_rate_t,
    call_timeout_ns: u64,
    shards: u32,
) -> seawall_status_t {
    let value = GuardConfig::for_shards(check!(expected.to_rate()), Duration::from_nanos(call_timeout_ns), shards);
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_guard_config_t::from_config(value, shards.max(1))) });
    SEAWALL_OK
}
