//! `seawall_retry_strategy_t`: whether to send again, and when.

use core::time::Duration;

use seawall::{AttemptFailure, Jitter, RetryConfig, RetryDecision, RetryStrategy};

use crate::classification::error_class_of;
use crate::object::{Kind, Object, check_pointer, check_wanted, end, get, put, tell, tell_wanted};
use crate::status::{
    Misuse, SEAWALL_E_NULL, SEAWALL_E_VALUE, SEAWALL_GIVE_UP, SEAWALL_OK, Status, check, seawall_status_t,
};
use crate::values::{SEAWALL_UNKNOWN, known, nanos, nanos_or_unknown};
use crate::versioned::{Versioned, read, write};

/// No random part: clients that failed together come back together. For one client alone, or for tests.
pub const SEAWALL_JITTER_NONE: u32 = 0;
/// The exponential term and up to one base delay more: nearly the exponential curve, a narrow spread.
pub const SEAWALL_JITTER_ADDITIVE: u32 = 1;
/// Between half of the term and all of it: a guaranteed wait, half of the spread.
pub const SEAWALL_JITTER_EQUAL: u32 = 2;
/// Anywhere up to the term: the least work for the server, or level with the least.
pub const SEAWALL_JITTER_FULL: u32 = 3;
/// Anywhere between the base and three times the previous delay; ignores factor and attempt.
pub const SEAWALL_JITTER_DECORRELATED: u32 = 4;

/// The error is permanent: the same request would fail again.
pub const SEAWALL_GIVE_UP_PERMANENT: u32 = 1;
/// All attempts are made.
pub const SEAWALL_GIVE_UP_ATTEMPTS_EXHAUSTED: u32 = 2;
/// The next attempt would start at or after the deadline.
pub const SEAWALL_GIVE_UP_DEADLINE_EXCEEDED: u32 = 3;
/// The server asked for a longer pause than `retry_after_cap_ns`.
pub const SEAWALL_GIVE_UP_RETRY_AFTER_TOO_LONG: u32 = 4;
/// The retry budget is spent: the service fails too much of what it gets.
pub const SEAWALL_GIVE_UP_BUDGET_SPENT: u32 = 5;
/// The attempt was reported to a guard with a permit that was void.
pub const SEAWALL_GIVE_UP_PERMIT_VOID: u32 = 6;
/// The circuit breaker of a guard is not closed, or too many calls in a row have failed.
pub const SEAWALL_GIVE_UP_SERVICE_FAILING: u32 = 7;

/// A retry strategy: a value that never changes, for any number of calls and threads. It knows neither clock nor calls;
/// what it has to know of them its functions are told. Backoff alone does not end an overload, it only defers it: give
/// every strategy a `seawall_retry_budget_t`.
#[repr(C)]
pub struct seawall_retry_strategy_t {
    /// The library's own.
    pub opaque: [u64; 16],
}

// SAFETY: integers without pointers; the C type is an array of words.
unsafe impl Object for RetryStrategy {
    type Storage = seawall_retry_strategy_t;
    const KIND: Kind = Kind::RetryStrategy;
}

/// What a retry strategy is made of. Begin with `SEAWALL_RETRY_STRATEGY_CONFIG_INIT`, for a user who waits: three
/// sends, 100 ms doubling up to 20 s, full jitter; or with `SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE`, for a message that
/// must arrive and that nobody waits for: eight sends, 1 s doubling up to 300 s, each with up to a second on top.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_retry_strategy_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// How often one call is sent in all, the first time included; 1 (never again) and more.
    pub max_attempts: u32,
    /// How long the call may take in all, waits included: no attempt starts at or after it. 1 and more;
    /// `SEAWALL_UNKNOWN`: as long as the attempts take.
    pub total_deadline_ns: u64,
    /// The delay after the first failure, before jitter: 0 (at once) to `max_delay_ns`.
    pub base_delay_ns: u64,
    /// By how much the delay grows with each failure, in per cent: 200 doubles, 100 keeps it. 100 and more.
    pub factor_percent: u32,
    /// How clients are kept apart, a `SEAWALL_JITTER_…`.
    pub jitter: u32,
    /// The longest delay of our own, jitter included. A server may ask for more.
    pub max_delay_ns: u64,
    /// The longest pause of a server's that is waited for; at a longer one the call is given up.
    pub retry_after_cap_ns: u64,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 2 x 8 + 2 x 4 + 2 x 8 bytes.
unsafe impl Versioned for seawall_retry_strategy_config_t {
    const FIRST: usize = 48;
}

impl seawall_retry_strategy_config_t {
    pub(crate) fn to_config(self) -> Result<RetryConfig, Misuse> {
        Ok(RetryConfig {
            max_attempts: self.max_attempts,
            total_deadline: known(self.total_deadline_ns),
            base_delay: Duration::from_nanos(self.base_delay_ns),
            factor_percent: self.factor_percent,
            max_delay: Duration::from_nanos(self.max_delay_ns),
            jitter: match self.jitter {
                SEAWALL_JITTER_NONE => Jitter::None,
                SEAWALL_JITTER_ADDITIVE => Jitter::Additive,
                SEAWALL_JITTER_EQUAL => Jitter::Equal,
                SEAWALL_JITTER_FULL => Jitter::Full,
                SEAWALL_JITTER_DECORRELATED => Jitter::Decorrelated,
                _ => return Err(Misuse(SEAWALL_E_VALUE)),
            },
            retry_after_cap: Duration::from_nanos(self.retry_after_cap_ns),
        })
    }

    pub(crate) fn from_config(config: RetryConfig) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            max_attempts: config.max_attempts,
            total_deadline_ns: nanos_or_unknown(config.total_deadline),
            base_delay_ns: nanos(config.base_delay),
            factor_percent: config.factor_percent,
            jitter: config.jitter as u32,
            max_delay_ns: nanos(config.max_delay),
            retry_after_cap_ns: nanos(config.retry_after_cap),
        }
    }
}

const _: () = assert!(
    Jitter::None as u32 == SEAWALL_JITTER_NONE
        && Jitter::Additive as u32 == SEAWALL_JITTER_ADDITIVE
        && Jitter::Equal as u32 == SEAWALL_JITTER_EQUAL
        && Jitter::Full as u32 == SEAWALL_JITTER_FULL
        && Jitter::Decorrelated as u32 == SEAWALL_JITTER_DECORRELATED,
    "the header has other numbers"
);

/// One failed attempt, as `seawall_retry_strategy_decide` needs to know it. Begin with
/// `SEAWALL_ATTEMPT_FAILURE_INIT(attempt, error_class)`: at once, without a previous delay and a pause of the server's.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_attempt_failure_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// How many attempts have been made, this one included; 0 counts as 1.
    pub attempt: u32,
    /// Since the call began: all attempts and waits.
    pub elapsed_ns: u64,
    /// What was waited before this attempt; `SEAWALL_UNKNOWN` at the first. Only `SEAWALL_JITTER_DECORRELATED` looks at it.
    pub previous_delay_ns: u64,
    /// What kind of failure it was, a `SEAWALL_ERROR_CLASS_…`.
    pub error_class: u32,
    /// 0.
    pub reserved: u32,
    /// How long the server asked to be spared, from now on; `SEAWALL_UNKNOWN` where it did not say.
    pub retry_after_ns: u64,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + 2 x 8 + 2 x 4 + 8 bytes.
unsafe impl Versioned for seawall_attempt_failure_t {
    const FIRST: usize = 40;
}

impl seawall_attempt_failure_t {
    fn to_failure(self) -> Result<AttemptFailure, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        Ok(AttemptFailure {
            attempt: self.attempt,
            elapsed: Duration::from_nanos(self.elapsed_ns),
            previous_delay: known(self.previous_delay_ns),
            class: error_class_of(self.error_class)?,
            retry_after: known(self.retry_after_ns),
        })
    }
}

/// Fills a configuration with the defaults, those of `SEAWALL_RETRY_STRATEGY_CONFIG_INIT`. `config->struct_size` has to be
/// set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_config_default(
    config: *mut seawall_retry_strategy_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_retry_strategy_config_t::from_config(RetryConfig::DEFAULT)) });
    SEAWALL_OK
}

/// Fills a configuration for a message that must arrive and that nobody waits for, that of
/// `SEAWALL_RETRY_STRATEGY_CONFIG_GUIDE`. `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_config_guide(
    config: *mut seawall_retry_strategy_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_retry_strategy_config_t::from_config(RetryConfig::GUIDE)) });
    SEAWALL_OK
}

/// Makes a strategy.
///
/// Threads: exclusive; hand the strategy to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the
/// jitter is none; or a `SEAWALL_E_RETRY_…` that names the field; the storage is then as it was.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_init(
    strategy: *mut seawall_retry_strategy_t,
    config: *const seawall_retry_strategy_config_t,
) -> seawall_status_t {
    check!(check_pointer(strategy));
    // SAFETY: the caller's word.
    let config = check!(check!(unsafe { read(config) }).to_config());
    let value = check!(RetryStrategy::new(config));
    // SAFETY: the caller's word.
    check!(unsafe { put(strategy, value) });
    SEAWALL_OK
}

/// Ends a strategy: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_fini(strategy: *mut seawall_retry_strategy_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { end::<RetryStrategy>(strategy) }.status()
}

/// How often one call is sent in all, the first time included.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_max_attempts(
    strategy: *mut seawall_retry_strategy_t,
    max_attempts: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let strategy = check!(unsafe { get::<RetryStrategy>(strategy) });
    // SAFETY: the caller's word.
    unsafe { tell(max_attempts, || strategy.max_attempts()) }
}

/// How long a call may take in all; `SEAWALL_UNKNOWN` where there is no deadline.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_total_deadline(
    strategy: *mut seawall_retry_strategy_t,
    total_deadline_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let strategy = check!(unsafe { get::<RetryStrategy>(strategy) });
    // SAFETY: the caller's word.
    unsafe { tell(total_deadline_ns, || nanos_or_unknown(strategy.total_deadline())) }
}

/// The delay after failed attempt number `attempt` (from 1; 0 counts as 1), jitter included: never above `max_delay_ns`.
/// Asks neither the number of attempts nor the deadline: `seawall_retry_strategy_decide` does. `previous_delay_ns` is the
/// delay before that attempt, for `SEAWALL_JITTER_DECORRELATED`; `SEAWALL_UNKNOWN` at the first. `random` is a number drawn
/// from all of `uint64_t`, a fresh one each time.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_next_delay(
    strategy: *mut seawall_retry_strategy_t,
    attempt: u32,
    previous_delay_ns: u64,
    random: u64,
    delay_ns: *mut u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let strategy = check!(unsafe { get::<RetryStrategy>(strategy) });
    // SAFETY: the caller's word.
    unsafe { tell(delay_ns, || nanos(strategy.next_delay(attempt, known(previous_delay_ns), random))) }
}

/// What to do after a failure: send again in `*delay_ns`, budget and gates permitting, or give up, for the reason
/// `*give_up`, a `SEAWALL_GIVE_UP_…`. `random` as in `seawall_retry_strategy_next_delay`; `give_up` may be NULL.
///
/// The checks in their order: a permanent error, the number of attempts, a pause of the server's over
/// `retry_after_cap_ns`, the deadline. A pause within the cap is waited for in full, then up to a quarter of it more
/// (or up to the term of our own backoff, if that is longer), so that a fleet that was sent away as one does not return
/// as one.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`, and `*give_up` is 0; `SEAWALL_GIVE_UP`, and `*delay_ns` is `SEAWALL_UNKNOWN`;
/// `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the class is none, or the reserved field is not 0; or an object
/// mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_strategy_decide(
    strategy: *mut seawall_retry_strategy_t,
    failure: *const seawall_attempt_failure_t,
    random: u64,
    delay_ns: *mut u64,
    give_up: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let strategy = check!(unsafe { get::<RetryStrategy>(strategy) });
    if delay_ns.is_null() {
        return SEAWALL_E_NULL;
    }
    check!(check_wanted(delay_ns));
    check!(check_wanted(give_up));
    // SAFETY: the caller's word.
    let failure = check!(check!(unsafe { read(failure) }).to_failure());
    let (status, delay, reason) = match strategy.decide(failure, random) {
        RetryDecision::RetryAfter(delay) => (SEAWALL_OK, nanos(delay), 0),
        RetryDecision::GiveUp(reason) => (SEAWALL_GIVE_UP, SEAWALL_UNKNOWN, reason as u32),
    };
    // SAFETY: both are checked, and the caller's word.
    unsafe {
        delay_ns.write(delay);
        tell_wanted(give_up, reason);
    }
    status
}
