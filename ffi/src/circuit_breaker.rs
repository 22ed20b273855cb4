//! `seawall_circuit_breaker_t`: leaves a service alone that fails, and finds out with a few probes when it is well again.

use core::time::Duration;

use seawall::{BreakerConfig, CircuitBreaker, Transition, TripRule};

use crate::breaker_permit::seawall_breaker_permit_t;
use crate::decision::{decide, seawall_decision_t};
use crate::object::{Kind, Object, check_place, check_pointer, check_wanted, done, end, get, put, tell, tell_wanted};
use crate::status::{Misuse, SEAWALL_E_VALUE, SEAWALL_OK, Status, check, seawall_status_t};
use crate::values::{SEAWALL_UNKNOWN, instant, nanos, outcome_of, ratio, seawall_transition_t, state_number};
use crate::versioned::{Versioned, read, write};

/// Opens after `threshold` failures in a row. Nothing is written while all is well.
pub const SEAWALL_TRIP_CONSECUTIVE: u32 = 1;
/// Opens on a share of failures among the last calls. Nothing is written while all of a full window succeeded.
pub const SEAWALL_TRIP_FAILURE_SHARE: u32 = 2;
/// Opens on a share of slow calls among the last calls. A failure counts as slow, however fast it came.
pub const SEAWALL_TRIP_SLOW_SHARE: u32 = 3;

/// A circuit breaker. Its size is the same for every configuration; `seawall_circuit_breaker_init` makes it. Let it judge
/// whole calls, not each attempt: with one shard of four down a quarter of the calls fail, but more than half of the
/// attempts.
#[repr(C)]
pub struct seawall_circuit_breaker_t {
    /// The library's own.
    pub opaque: [u64; 24],
}

// SAFETY: words and atomics without pointers; the C type is an array of words.
unsafe impl Object for CircuitBreaker {
    type Storage = seawall_circuit_breaker_t;
    const KIND: Kind = Kind::CircuitBreaker;
}

/// How a circuit breaker judges. Begin with `SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT`: ten failures in a row; open for 1 s
/// +- 30 %, growing by half to at most 5 s; three probes on a lease of 5 s, two of which must succeed; a ramp of 1 s.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_circuit_breaker_config_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// On what evidence it opens, a `SEAWALL_TRIP_…`. Only a bad call opens it, never a good one.
    pub rule: u32,
    /// `SEAWALL_TRIP_CONSECUTIVE` only: so many failures in a row, 1 and more.
    pub threshold: u32,
    /// Both shares only: opens when at least this share was bad, 1 to 1,000,000.
    pub share_ppm: u32,
    /// Both shares only: how many of the last calls are judged, 1 to 32. For more keep a sliding window, and call
    /// `seawall_circuit_breaker_trip`.
    pub window: u32,
    /// Both shares only: how many calls must have ended before there is a verdict, 1 to `window`. A client with few calls
    /// needs a small one: at 0.3 calls a second, twenty are more than a minute.
    pub minimum: u32,
    /// `SEAWALL_TRIP_SLOW_SHARE` only: a call that took longer than this is slow; 1 and more.
    pub slower_than_ns: u64,
    /// How long it stays open, 1 and more: the class of the call's own time-out. A long interval refuses good calls long
    /// after the service is well again.
    pub open_for_ns: u64,
    /// How far the open interval is drawn up or down, as a share of it, 0 to 999,999: so that a fleet that tripped together
    /// does not come back together. The cap holds after the draw.
    pub open_jitter_ppm: u32,
    /// To how many per cent of itself the interval grows at each failed verdict of the probes in a row, 100 (no growth) and
    /// more. At most fifteen steps.
    pub open_growth_percent: u32,
    /// The longest open interval, jitter included; `open_for_ns` and more.
    pub open_cap_ns: u64,
    /// How many probes judge the service when the interval is over, 1 to 8. No more than so many are ever out.
    pub probes: u32,
    /// The share of the probes that must succeed, 1 to 1,000,000; rounded up to whole probes.
    pub close_share_ppm: u32,
    /// How long a probe may stay out before another may take its place, 1 and more. Longer than the call's time-out, or
    /// probes are replaced before they can report.
    pub probe_lease_ns: u64,
    /// How long after the re-close the share of calls that pass rises, from an eighth to all of them; 0 is at once.
    pub ramp_ns: u64,
}

// SAFETY: `repr(C)`, integers only, no padding: 6 x 4 + 2 x 8 + 2 x 4 + 8 + 2 x 4 + 2 x 8 bytes.
unsafe impl Versioned for seawall_circuit_breaker_config_t {
    const FIRST: usize = 80;
}

impl seawall_circuit_breaker_config_t {
    pub(crate) fn to_config(self) -> Result<BreakerConfig, Misuse> {
        // What a rule does not look at is not judged.
        let rule = match self.rule {
            SEAWALL_TRIP_CONSECUTIVE => TripRule::Consecutive(self.threshold),
            SEAWALL_TRIP_FAILURE_SHARE => {
                TripRule::FailureShare { share: ratio(self.share_ppm)?, window: self.window, minimum: self.minimum }
            }
            SEAWALL_TRIP_SLOW_SHARE => TripRule::SlowShare {
                share: ratio(self.share_ppm)?,
                slower_than: Duration::from_nanos(self.slower_than_ns),
                window: self.window,
                minimum: self.minimum,
            },
            _ => return Err(Misuse(SEAWALL_E_VALUE)),
        };
        Ok(BreakerConfig {
            rule,
            open_for: Duration::from_nanos(self.open_for_ns),
            open_jitter: ratio(self.open_jitter_ppm)?,
            open_growth_percent: self.open_growth_percent,
            open_cap: Duration::from_nanos(self.open_cap_ns),
            probes: self.probes,
            probe_lease: Duration::from_nanos(self.probe_lease_ns),
            close_share: ratio(self.close_share_ppm)?,
            ramp: Duration::from_nanos(self.ramp_ns),
        })
    }

    pub(crate) fn from_config(config: BreakerConfig) -> Self {
        let (rule, threshold, share_ppm, window, minimum, slower_than_ns) = match config.rule {
            TripRule::FailureShare { share, window, minimum } => {
                (SEAWALL_TRIP_FAILURE_SHARE, 0, share.as_ppm(), window, minimum, 0)
            }
            TripRule::SlowShare { share, slower_than, window, minimum } => {
                (SEAWALL_TRIP_SLOW_SHARE, 0, share.as_ppm(), window, minimum, nanos(slower_than))
            }
            TripRule::Consecutive(threshold) => (SEAWALL_TRIP_CONSECUTIVE, threshold, 0, 0, 0, 0),
            // One that is added later needs a number of its own; this one is then refused.
            _ => (0, 0, 0, 0, 0, 0),
        };
        Self {
            struct_size: size_of::<Self>() as u32,
            rule,
            threshold,
            share_ppm,
            window,
            minimum,
            slower_than_ns,
            open_for_ns: nanos(config.open_for),
            open_jitter_ppm: config.open_jitter.as_ppm(),
            open_growth_percent: config.open_growth_percent,
            open_cap_ns: nanos(config.open_cap),
            probes: config.probes,
            close_share_ppm: config.close_share.as_ppm(),
            probe_lease_ns: nanos(config.probe_lease),
            ramp_ns: nanos(config.ramp),
        }
    }
}

/// Fills a configuration with the defaults, those of `SEAWALL_CIRCUIT_BREAKER_CONFIG_INIT`. `config->struct_size` has to be
/// set.
///
/// Threads: any, for a struct of the caller's own. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_config_default(
    config: *mut seawall_circuit_breaker_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    check!(unsafe { write(config, seawall_circuit_breaker_config_t::from_config(BreakerConfig::DEFAULT)) });
    SEAWALL_OK
}

/// Makes a closed breaker without evidence.
///
/// Threads: exclusive; hand the breaker to others afterwards. Wait-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_NULL`, `SEAWALL_E_ALIGNMENT`, `SEAWALL_E_STRUCT_SIZE`; `SEAWALL_E_VALUE` where the
/// rule is none; `SEAWALL_E_RATIO`, or a `SEAWALL_E_BREAKER_…` that names the field; the storage is then as it was.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_init(
    breaker: *mut seawall_circuit_breaker_t,
    config: *const seawall_circuit_breaker_config_t,
) -> seawall_status_t {
    check!(check_pointer(breaker));
    // SAFETY: the caller's word.
    let config = check!(check!(unsafe { read(config) }).to_config());
    let value = check!(CircuitBreaker::new(config));
    // SAFETY: the caller's word.
    check!(unsafe { put(breaker, value) });
    SEAWALL_OK
}

/// Ends a breaker: every call on it is then answered with `SEAWALL_E_UNINITIALISED`. There is nothing to free, so this is
/// only for those who want later calls to be found.
///
/// Threads: exclusive. Wait-free. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_fini(breaker: *mut seawall_circuit_breaker_t) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { end::<CircuitBreaker>(breaker) }.status()
}

/// Asks to send one call. Admitted, `*permit` is for `seawall_circuit_breaker_finish`, or for
/// `seawall_circuit_breaker_cancel`; refused, it is zeroed. When the open interval is over, the first attempt makes the
/// breaker half-open: `*transition` says so; it is all zeros where this call changed nothing. `transition` and `decision`
/// may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free: one load when closed, two when refused, one or two
/// exchanges for a probe. A refusal writes nothing that is shared.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOT_YET`: open, with the rest of the interval in `decision->retry_after_ns`; or held
/// open, half-open with all probes out, or kept back by the ramp, with `SEAWALL_UNKNOWN` there, as a report may change
/// that at any time; or an object mistake.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_try_attempt(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    permit: *mut seawall_breaker_permit_t,
    transition: *mut seawall_transition_t,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    check!(check_place(permit));
    check!(check_wanted(transition));
    check!(check_wanted(decision));
    let (answer, given, told) = match breaker.try_attempt(instant(now_ns)) {
        Ok(admission) => (Ok(()), seawall_breaker_permit_t::of(admission.permit), admission.transition),
        Err(refused) => (Err(refused), seawall_breaker_permit_t::NONE, None),
    };
    // SAFETY: all three are checked, and the caller's word.
    unsafe {
        permit.write(given);
        tell_wanted(transition, seawall_transition_t::of(told));
        decide(answer, decision, || 0)
    }
}

/// Whether `seawall_circuit_breaker_try_attempt` would succeed. Takes nothing and changes nothing. `decision` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Loads only; another may take the last probe in between.
/// Returns: as `seawall_circuit_breaker_try_attempt`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_peek(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    decision: *mut seawall_decision_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    check!(check_wanted(decision));
    // SAFETY: checked, and the caller's word.
    unsafe { decide(breaker.peek(instant(now_ns)), decision, || 0) }
}

/// Reports how an admitted call ended, a `SEAWALL_OUTCOME_…`, and zeroes the permit. The latency is `now_ns` less the
/// instant of its admission. `random` is a drawn number, used only if this call opens the breaker.
/// `SEAWALL_OUTCOME_IGNORED` frees a probe's place and says nothing. A result of an earlier generation, or a second one
/// of the same probe, is ignored. `*transition` is the change that this call made, all zeros where it made none;
/// `transition` may be NULL.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free; a success of a healthy
/// service loads only.
/// Returns: `SEAWALL_OK`; `SEAWALL_E_PERMIT` where it is none; `SEAWALL_E_VALUE` where the outcome is none, and the permit
/// stays; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_finish(
    breaker: *mut seawall_circuit_breaker_t,
    permit: *mut seawall_breaker_permit_t,
    outcome: u32,
    now_ns: u64,
    random: u64,
    transition: *mut seawall_transition_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    check!(check_wanted(transition));
    // How long the service asked to be spared is nothing to a breaker.
    let outcome = check!(outcome_of(outcome, SEAWALL_UNKNOWN));
    // SAFETY: the caller's word.
    let given = check!(unsafe { seawall_breaker_permit_t::at(permit) });
    // SAFETY: checked, and the caller's word.
    unsafe { permit.write(seawall_breaker_permit_t::NONE) };
    let told = breaker.finish(given, outcome, instant(now_ns), random);
    // SAFETY: checked, and the caller's word.
    unsafe { tell_wanted(transition, seawall_transition_t::of(told)) };
    SEAWALL_OK
}

/// Gives a permit back, and zeroes it: the call was not sent, or says nothing of the service. Frees a probe's place.
///
/// Threads: any, at the same time, each with a permit of its own; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, also where the permit was void; `SEAWALL_E_PERMIT` where it is none; or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_cancel(
    breaker: *mut seawall_circuit_breaker_t,
    permit: *mut seawall_breaker_permit_t,
    now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    // SAFETY: the caller's word.
    let given = check!(unsafe { seawall_breaker_permit_t::at(permit) });
    // SAFETY: checked, and the caller's word.
    unsafe { permit.write(seawall_breaker_permit_t::NONE) };
    breaker.cancel(given, instant(now_ns));
    SEAWALL_OK
}

/// The state that an attempt at `now_ns` would meet, a `SEAWALL_STATE_…`: an open interval that is over reads as half-open.
///
/// Threads: any, at the same time; signal handlers too. Loads only.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_state(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    state: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    // SAFETY: the caller's word.
    unsafe { tell(state, || state_number(breaker.state(instant(now_ns)))) }
}

/// Has a breaker change by `make`, and tells the transition, if that is wanted.
///
/// # Safety
/// Both pointers are NULL or point to what they say, and the transition may be written.
unsafe fn change(
    breaker: *mut seawall_circuit_breaker_t,
    transition: *mut seawall_transition_t,
    make: impl FnOnce(&CircuitBreaker) -> Option<Transition>,
) -> Result<Option<Transition>, Misuse> {
    // SAFETY: the caller's word.
    let breaker = unsafe { get::<CircuitBreaker>(breaker)? };
    check_wanted(transition)?;
    let told = make(breaker);
    // SAFETY: checked, and the caller's word.
    unsafe { tell_wanted(transition, seawall_transition_t::of(told)) };
    Ok(told)
}

/// Opens a closed breaker on evidence of the caller's own, as a percentile over a sliding window. The interval is drawn
/// with `random`, and the probes follow. A breaker that is not closed, or is held closed, stays as it is: then the
/// probes judge, not older evidence. `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`; `SEAWALL_NOTHING_DONE` where it stays as it is, and `*transition` is all zeros; or an object
/// mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_trip(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    random: u64,
    transition: *mut seawall_transition_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let told = check!(unsafe { change(breaker, transition, |breaker| breaker.trip(instant(now_ns), random)) });
    done(told.is_some())
}

/// Holds the breaker open, whatever happens, until `seawall_circuit_breaker_force_close` or
/// `seawall_circuit_breaker_reset`. `*transition` is all zeros where it was open; `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_force_open(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    transition: *mut seawall_transition_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { change(breaker, transition, |breaker| breaker.force_open(instant(now_ns))) }.map(drop).status()
}

/// Holds the breaker closed, whatever happens, until `seawall_circuit_breaker_force_open` or
/// `seawall_circuit_breaker_reset`. All calls pass and none is judged: it is switched off. `*transition` is all zeros
/// where it was closed; `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_force_close(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    transition: *mut seawall_transition_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { change(breaker, transition, |breaker| breaker.force_close(instant(now_ns))) }.map(drop).status()
}

/// Closes the breaker, holds it no more, forgets all evidence and voids all permits. There is no ramp. `*transition` is all
/// zeros where it was closed; `transition` may be NULL.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_reset(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    transition: *mut seawall_transition_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { change(breaker, transition, |breaker| breaker.reset(instant(now_ns))) }.map(drop).status()
}

/// Changes the configuration while others call. State, generation and permits stay. Calls that have ended keep their
/// verdict; a shorter window keeps the newest of them. A change between a count and a share starts the evidence anew.
/// An interval, lease or ramp that runs keeps its end, unless that lies more than twice the new length ahead.
///
/// Threads: any, at the same time; signal handlers too. Wait-free. A call that overlaps with it may judge by some old and
/// some new fields; of two changes at once each field comes from one or the other.
/// Returns: as `seawall_circuit_breaker_init`, and `SEAWALL_E_UNINITIALISED`, `SEAWALL_E_TYPE`; on all but the first
/// nothing has changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_set_config(
    breaker: *mut seawall_circuit_breaker_t,
    config: *const seawall_circuit_breaker_config_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    // SAFETY: the caller's word.
    breaker.set_config(check!(check!(unsafe { read(config) }).to_config())).status()
}

/// Moves the breaker to a clock that reads `new_now_ns` where the old one read `old_now_ns`: what ended so long after
/// the one ends as long after the other. Permits keep the old clock's instant, so that their latency is not to be
/// trusted.
///
/// Threads: any, at the same time; signal handlers too. Lock-free; not one step: a call under way may meet ends of either
/// clock. Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_rebase(
    breaker: *mut seawall_circuit_breaker_t,
    old_now_ns: u64,
    new_now_ns: u64,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    breaker.rebase(instant(old_now_ns), instant(new_now_ns));
    SEAWALL_OK
}

/// Whether a call must not be sent, without a permit: `*blocked` is 1, or 0. A 0 in the half-open state takes a probe's
/// place, so that each must be followed by `seawall_circuit_breaker_on_success` or
/// `seawall_circuit_breaker_on_failure`. Prefer permits: without them a result from before the trip is taken for a
/// probe's, no latency is known, and the change to half-open is not told.
///
/// Threads: any, at the same time; signal handlers too. As `seawall_circuit_breaker_try_attempt`.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_should_block(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    blocked: *mut u32,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    let breaker = check!(unsafe { get::<CircuitBreaker>(breaker) });
    // SAFETY: the caller's word.
    unsafe { tell(blocked, || u32::from(breaker.should_block(instant(now_ns)))) }
}

/// A call without a permit went well. In the half-open state it counts for the oldest probe that is out. `*transition`
/// is as in `seawall_circuit_breaker_finish`.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_on_success(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    transition: *mut seawall_transition_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { change(breaker, transition, |breaker| breaker.on_success(instant(now_ns))) }.map(drop).status()
}

/// A call without a permit failed. `random` is a drawn number, used only if this call opens the breaker. All else as
/// `seawall_circuit_breaker_on_success`.
///
/// Threads: any, at the same time; signal handlers too. Lock-free.
/// Returns: `SEAWALL_OK`, or an object mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn seawall_circuit_breaker_on_failure(
    breaker: *mut seawall_circuit_breaker_t,
    now_ns: u64,
    random: u64,
    transition: *mut seawall_transition_t,
) -> seawall_status_t {
    // SAFETY: the caller's word.
    unsafe { change(breaker, transition, |breaker| breaker.on_failure(instant(now_ns), random)) }.map(drop).status()
}
