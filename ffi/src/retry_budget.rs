//! `seawall_retry_budget_t`: the share of the traffic that may be retries.

use core::time::Duration;

use seawall::{RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens};

use crate::decision::{decide, seawall_decision_t};
use crate::object::{Kind, Object, check_pointer, check_wanted, end, get, put, tell};
use crate::status::{Misuse, SEAWALL_E_VALUE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{instant, nanos, ratio, seawall_rate_t};
use crate::versioned::{Versioned, read, write};

/// What a retry takes where the attempt was answered with an error: one token.
pub const SEAWALL_RETRY_COST_ERROR: u32 = 1_000_000;
/// Where the attempt was not answered in time: two tokens, for its work is still going on in the server.
pub const SEAWALL_RETRY_COST_TIMEOUT: u32 = 2_000_000;
/// A second send while the first is still under way (a hedge): one token, as it is load like any retry.
pub const SEAWALL_RETRY_COST_HEDGE: u32 = 1_000_000;

const _: () = assert!(
    RetryCost::Error.tokens().as_millionths() == SEAWALL_RETRY_COST_ERROR
        && RetryCost::Timeout.tokens().as_millionths() == SEAWALL_RETRY_COST_TIMEOUT
        && RetryCost::Hedge.tokens().as_millionths() == SEAWALL_RETRY_COST_HEDGE,
    "the header has other prices"
);

/// A retry budget: every first try that succeeds earns a fraction of a token, every retry and every hedge takes a whole one
/// or more, before its backoff starts. Its size is the same for every configuration; `seawall_retry_budget_init` makes it.
/// Amounts are millionths of a token.
#[repr(C)]
pub struct seawall_retry_budget_t {
    /// The library's own.
    pub opaque: [u64; 16],
}

// SAFETY: words and atomics without pointers; the C type is an array of words.
unsafe impl Object for RetryBudget {
    type Storage = seawall_retry_budget_t;
    const KIND: Kind = Kind::RetryBudget;
}

/// What a retry budget is made of. Begin with `SEAWALL_RETRY_BUDGET_CONFIG_INIT`: one retry per ten successes, at most ten
/// saved, one to begin with, ten seconds of memory; or with `seawall_retry_budget_config_for`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_retry_budget_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// What a first try that succeeds earns: the share of retries that a healthy service can sustain, 0 to 1,000,000.
    pub share_ppm: u32,
    /// The most that the budget ever holds: 0 (never a retry) to 1,000,000,000.
    pub cap_millionths: u32,
    /// What the budget holds when it is new: 0 to the cap.
    pub initial_millionths: u32,
    /// Up to where the balance decays: what is left after any idle time. It does not rise to it. 0 to the cap.
    pub floor_millionths: u32,
    /// 0.
    pub reserved: u32,
    /// How long a token beyond the floor lives in the mean: 100 ms and more. `UINT64_MAX`: for ever, or nearly.
    pub lifetime_ns: u64,
}

// SAFETY: `repr(C)`, integers only, no padding: 6 x 4 + 8 bytes.
unsafe impl Versioned for seawall_retry_budget_config_t {
    const FIRST: usize = 32;
}

impl seawall_retry_budget_config_t {
    pub(crate) fn to_config(self) -> Result<RetryBudgetConfig, Misuse> {
        if self.reserved != 0 {
            return Err(Misuse(SEAWALL_E_VALUE));
        }
        Ok(RetryBudgetConfig {
            share: ratio(self.share_ppm)?,
            cap: RetryTokens::from_millionths(self.cap_millionths),
            initial: RetryTokens::from_millionths(self.initial_millionths),
            floor: RetryTokens::from_millionths(self.floor_millionths),
            lifetime: Duration::from_nanos(self.lifetime_ns),
        })
    }

    pub(crate) fn from_config(config: RetryBudgetConfig) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            share_ppm: config.share.as_ppm(),
            cap_millionths: config.cap.as_millionths(),
            initial_millionths: config.initial.as_millionths(),
            floor_millionths: config.floor.as_millionths(),
            reserved: 0,
            lifetime_ns: nanos(config.lifetime),
        }
    }
}

/// What costs so much.
fn cost(millionths: u32) -> RetryCost {
    RetryCost::Tokens(RetryTokens::from_millionths(millionths))
}

/// Fills a configuration with the defaults, those of `SEAWALL_RETRY_BUDGET_CONFIG_INIT`: for unknown traffic.
/// `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_config_default(
    config: *mut seawall_retry_budget_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_retry_budget_config_t::from_config(RetryBudgetConfig::DEFAULT)) });
    SEAWALL_OK
}

/// Fills a configuration for a process that expects `rate` calls and gives each `timeout_ns`: a cap of the calls that can
/// be lost before the first of them is noticed, but 1 to 10 tokens; a share of 12 %; a lifetime of sixty time-outs, but 1 s
/// to an hour; one initial token. `config->struct_size` has to be set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_RATE_ZERO_PERIOD`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_config_for(
    config: *mut seawall_retry_budget_config_t,
    rate: seawall_rate_t,
    timeout_ns: u64,
) -> seawall_status_t {
    let made = RetryBudgetConfig::from_rate(check!(rate.to_rate()), Duration::from_nanos(timeout_ns));
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_retry_budget_config_t::from_config(made)) });
    SEAWALL_OK
}

/// Makes a budget that begins at `now_ns` with its initial tokens.
///
/// Threads: exclusive; hand the budget to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`, `SEAWALL_E_VALUE`,
/// `SEAWALL_E_RATIO`, or a `SEAWALL_E_BUDGET_…` that names the field; the storage is then as it was.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_init(
    budget: *mut seawall_retry_budget_t,
    config: *const seawall_retry_budget_config_t,
    now_ns: u64,
) -> seawall_status_t {
    check!(check_pointer(budget));
    // SAFETY: the caller's word.
    let config = check!(check!(unsafe { read(config) }).to_config());
    let value = check!(RetryBudget::new(config, instant(now_ns)));
    // SAFETY: the caller's word.
    check!(unsafe { put(budget, value) });
    SEAWALL_OK
}

/// Ends a budget: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_fini(budget: *mut seawall_retry_budget_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { end::<RetryBudget>(budget) }.status()
}

/// A call succeeded at its first try: the budget earns its share of a token. Not for a retry that succeeded, or retries
/// would pay for retries.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; a full budget is not written.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_deposit(
    budget: *mut seawall_retry_budget_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    budget.deposit(instant(now_ns));
    SEAWALL_OK
}

/// Takes what a retry costs, a `SEAWALL_RETRY_COST_…` or any other amount, all or nothing. To be called before the backoff
/// starts, so that retries that still wait are paid for. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; a refusal writes nothing that is shared.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`: give the call up, as successes decide when there is a token again, and
/// `decision->retry_after_ns` is `SEAWALL_UNKNOWN`; `SEAWALL_NEVER` where the cost is over the cap; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_try_withdraw(
    budget: *mut seawall_retry_budget_t,
    cost_millionths: u32,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    check!(check_wanted(decision));
    // SAFETY: checked, and the caller's word.
    unsafe { decide(budget.try_withdraw(cost(cost_millionths), instant(now_ns)), decision, || 0) }
}

/// Gives back what a retry took that was never sent. At most the cap; what decayed meanwhile is not taken off.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_refund(
    budget: *mut seawall_retry_budget_t,
    cost_millionths: u32,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    budget.refund(cost(cost_millionths), instant(now_ns));
    SEAWALL_OK
}

/// What the budget holds, in millionths of a token.
///
/// Threads: any, at the same time; signal handlers too. Loads only; others may take it before the caller does.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_balance(
    budget: *mut seawall_retry_budget_t,
    now_ns: u64,
    millionths: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    // SAFETY: the caller's word.
    unsafe { tell(millionths, || budget.balance(instant(now_ns)).as_millionths()) }
}

/// Changes what the next deposits earn; those made stand.
///
/// Threads: any, at the same time; signal handlers too. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_RATIO`, and the share stays; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_set_share(
    budget: *mut seawall_retry_budget_t,
    share_ppm: u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    budget.set_share(check!(ratio(share_ppm)));
    SEAWALL_OK
}

/// Changes the cap. Tokens over a lower cap are cut off by the next call that moves tokens; until then they cannot be seen
/// or taken, but a cap that is raised again uncovers them. A floor over the cap counts as the cap.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; a call that is under way may still go by the old cap.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_BUDGET_CAP_TOO_LARGE`, and the cap stays; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_set_cap(
    budget: *mut seawall_retry_budget_t,
    cap_millionths: u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    budget.set_cap(RetryTokens::from_millionths(cap_millionths)).status()
}

/// Moves the budget to a clock that reads `new_now_ns` where the old one read `old_now_ns`: the balance is as it was then.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; who still comes with a reading of the old clock may cost
/// tokens beyond the floor or stop their decay, and brings in none.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_rebase(
    budget: *mut seawall_retry_budget_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    budget.rebase(instant(old_now_ns), instant(new_now_ns));
    SEAWALL_OK
}

/// As if new at `now_ns`: the initial tokens, at most the cap. Share and cap stay as they were set.
///
/// Threads: any, at the same time; signal handlers too. Wait-free; what others earn or take meanwhile may be forgotten.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_retry_budget_reset(
    budget: *mut seawall_retry_budget_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let budget = check!(unsafe { get::<RetryBudget>(budget) });
    budget.reset(instant(now_ns));
    SEAWALL_OK
}
