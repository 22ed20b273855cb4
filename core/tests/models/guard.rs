//! The guard under the schedules that loom explores: attempts that lose a place between the two passes, reports that
//! race, pauses and restarts, with readings of the clock that differ. Sizes are one or two of everything.

use core::time::Duration;

use loom::sync::Arc;
use loom::thread;

use seawall::{
    BreakerConfig, BucketConfig, Call, Guard, GuardConfig, Instant, Jitter, LimitConfig, Outcome, Permit, Rate, Ratio,
    Request, RetryBudgetConfig, RetryConfig, RetryTokens, State, TripRule, Verdict, WarmUp,
};

use crate::harness::{Preemptions, check, must_fail};

pub(super) type Small = Guard<2>;
pub(super) const BOUND: Preemptions = Preemptions::AtMost(3);

pub(super) fn at(seconds: u64) -> Instant {
    Instant::ORIGIN.saturating_add(Duration::from_secs(seconds))
}

/// A token a day, so that nothing is earned; one probe; one failure opens for a second; one retry in hand, at once.
pub(super) fn config(limit: u32, burst: u32) -> GuardConfig {
    GuardConfig {
        bucket: BucketConfig::new(Rate::per_day(1)).burst(burst),
        breaker: BreakerConfig {
            rule: TripRule::Consecutive(1),
            open_for: Duration::from_secs(1),
            open_jitter: Ratio::ZERO,
            open_growth_percent: 100,
            probes: 1,
            close_share: Ratio::ONE,
            probe_lease: Duration::from_secs(1_000),
            ramp: Duration::ZERO,
            ..BreakerConfig::DEFAULT
        },
        limit: LimitConfig {
            start: limit,
            floor: limit,
            ceiling: limit,
            lease: Duration::from_secs(1_000),
            // The limit does not move; what moves it has models of its own.
            tolerance_percent: 0,
            saturated_after: 0,
            ..LimitConfig::DEFAULT
        },
        retry: RetryConfig { base_delay: Duration::ZERO, jitter: Jitter::None, ..RetryConfig::DEFAULT },
        budget: RetryBudgetConfig {
            cap: RetryTokens::whole(4),
            initial: RetryTokens::whole(4),
            floor: RetryTokens::whole(4),
            ..RetryBudgetConfig::DEFAULT
        },
        call_timeout: Duration::from_secs(1_000),
        timeout_weight: 1,
        retry_streak: None,
        ramp: WarmUp::NONE,
        modes: seawall::GuardModes::ENFORCE,
    }
}

pub(super) fn guard(config: GuardConfig) -> Arc<Small> {
    Arc::new(Guard::new(config, 7, at(0)).expect("legal"))
}

pub(super) fn attempt(guard: &Small, now: Instant) -> Option<(Call, Permit)> {
    let mut call = guard.begin(Request::DEFAULT, now);
    let admission = guard.try_attempt(&mut call, now).ok()?;
    Some((call, admission.permit))
}

pub(super) fn spawn<T: 'static>(guard: &Arc<Small>, work: impl FnOnce(&Small) -> T + 'static) -> thread::JoinHandle<T> {
    let guard = guard.clone();
    thread::spawn(move || work(&guard))
}

/// Two threads, one with an older reading, ask for what is there once: one gets it, and the other leaves no trace.
fn one_place(limit: u32, burst: u32, half_open: bool) {
    let guard = guard(config(limit, burst));
    if half_open {
        assert!(guard.breaker(0).trip(at(0), 0).is_some());
    }
    let other = spawn(&guard, |guard| attempt(guard, at(2)));
    let mine = attempt(&guard, at(3));
    let mut admitted: Vec<_> = [mine, other.join().expect("no panic")].into_iter().flatten().collect();
    assert_eq!(admitted.len(), 1);
    assert_eq!(guard.limit().in_flight(at(2)), 1, "only the slot of the admitted one is held");
    assert_eq!(guard.bucket().available(at(3)), burst - 1, "only the token of the admitted one is spent");
    let (mut call, permit) = admitted.remove(0);
    assert_eq!(guard.finish(&mut call, permit, Outcome::Success, at(3)).verdict, Verdict::Done);
    assert_eq!((guard.limit().in_flight(at(2)), guard.breaker(0).state(at(3))), (0, State::Closed));
}

fn one_slot() {
    one_place(1, 2, false);
}

fn one_token() {
    one_place(2, 1, false);
}

fn one_probe() {
    one_place(2, 2, true);
}

/// A thread sends and cancels while another sends and finishes: what was not sent is there again, to a token.
fn cancel_beside_finish() {
    let guard = guard(config(2, 2));
    let other = spawn(&guard, |guard| {
        attempt(guard, at(2)).map(|(mut call, permit)| guard.finish(&mut call, permit, Outcome::Success, at(1)).verdict)
    });
    let (_, permit) = attempt(&guard, at(2)).expect("two of everything");
    assert!(guard.cancel(permit, at(2)));
    assert_eq!(other.join().expect("no panic"), Some(Verdict::Done));
    assert_eq!((guard.limit().in_flight(at(1)), guard.bucket().available(at(2))), (0, 1));
}

/// The report of a probe by one thread, through a copy by another: it counts once, and closes the breaker.
fn double_report() {
    let guard = guard(config(2, 2));
    assert!(guard.breaker(0).trip(at(0), 0).is_some());
    let (call, permit) = attempt(&guard, at(2)).expect("the interval is over");
    let report = move |guard: &Small| {
        let mut call = call;
        guard.finish(&mut call, permit, Outcome::Success, at(2)).transition
    };
    let other = spawn(&guard, report);
    let told: Vec<_> = [report(&guard), other.join().expect("no panic")].into_iter().flatten().collect();
    assert_eq!(told.len(), 1);
    assert_eq!((guard.breaker(0).state(at(2)), guard.limit().in_flight(at(2))), (State::Closed, 0));
}

/// A failure that is reported twice: it is paid for once.
fn double_failure() {
    let guard = guard(GuardConfig {
        breaker: BreakerConfig { rule: TripRule::Consecutive(2), ..config(2, 2).breaker },
        ..config(2, 2)
    });
    let (call, permit) = attempt(&guard, at(1)).expect("two of everything");
    let report = move |guard: &Small| {
        let mut call = call;
        guard.finish(&mut call, permit, Outcome::Failure, at(1)).verdict
    };
    let other = spawn(&guard, report);
    let verdicts = [report(&guard), other.join().expect("no panic")];
    assert_eq!(verdicts.iter().filter(|verdict| matches!(verdict, Verdict::RetryAt(_))).count(), 1, "{verdicts:?}");
    assert_eq!(guard.budget().balance(at(1)), RetryTokens::whole(3));
    assert_eq!(guard.breaker(0).state(at(1)), State::Closed);
}

/// A report and a cancellation of one permit: one of the two happens, whole.
fn report_and_cancel() {
    let guard = guard(config(2, 2));
    let (mut call, permit) = attempt(&guard, at(1)).expect("two of everything");
    let (_, second) = attempt(&guard, at(1)).expect("two of everything");
    let other = spawn(&guard, move |guard| guard.finish(&mut call, permit, Outcome::Failure, at(1)).transition);
    let cancelled = guard.cancel(permit, at(2));
    let opened = other.join().expect("no panic").is_some();
    assert_ne!(cancelled, opened);
    assert_eq!(guard.bucket().available(at(2)), u32::from(cancelled));
    assert!(guard.cancel(second, at(2)));
    assert_eq!(guard.bucket().available(at(2)), 1 + u32::from(cancelled));
}

/// A failure is reported as its lease lapses, while another thread, whose clock is ahead, asks for the only slot: the
/// report counts, or the slot has gone and it is void.
fn late_report() {
    let guard = guard(config(1, 2));
    let (mut call, permit) = attempt(&guard, at(1)).expect("one slot");
    let other = spawn(&guard, |guard| attempt(guard, at(2_000)));
    let finished = guard.finish(&mut call, permit, Outcome::Failure, at(900));
    let taken = other.join().expect("no panic");
    match finished.verdict {
        Verdict::RetryAt(_) => assert!(finished.transition.is_some()),
        _ => assert!(taken.is_some() && finished.transition.is_none()),
    }
    let opened = finished.transition.is_some();
    assert_eq!(guard.budget().balance(at(1)), RetryTokens::whole(if opened { 3 } else { 4 }));
    assert_eq!(guard.limit().in_flight(at(2_000)), u32::from(taken.is_some()));
    assert!(!guard.cancel(permit, at(2_000)), "the token of the first was spent");
}

/// Three threads, one of them with an old reading, for one slot.
fn three_for_a_slot() {
    let guard = guard(config(1, 4));
    let others = [3, 2].map(|now| spawn(&guard, move |guard| attempt(guard, at(now)).is_some()));
    let mine = attempt(&guard, at(3)).is_some();
    let admitted = others.map(|other| other.join().expect("no panic"));
    assert_eq!(u32::from(mine) + admitted.map(u32::from).iter().sum::<u32>(), 1);
    assert_eq!((guard.limit().in_flight(at(3)), guard.bucket().available(at(3))), (1, 3));
}

/// Two Retry-After at once: the longer one holds.
fn two_pauses() {
    let guard = guard(config(2, 2));
    let throttle = |seconds| {
        move |guard: &Small, (mut call, permit): (Call, Permit)| {
            let wait = Outcome::Throttled(Some(Duration::from_secs(seconds)));
            let _ = guard.finish(&mut call, permit, wait, at(1));
        }
    };
    let calls = [1, 1].map(|now| attempt(&guard, at(now)).expect("two of everything"));
    let other = spawn(&guard, move |guard| throttle(4)(guard, calls[0]));
    throttle(100)(&guard, calls[1]);
    other.join().expect("no panic");
    assert!(guard.paused_until(at(1)).expect("a pause") >= at(101));
}

/// A pause of a second or a little more from `at(0)` on, over a full bucket of three.
fn paused(ramp: WarmUp) -> Arc<Small> {
    let guard = guard(GuardConfig { ramp, ..config(2, 4) });
    let (mut call, permit) = attempt(&guard, at(0)).expect("four tokens");
    let _ = guard.finish(&mut call, permit, Outcome::Throttled(Some(Duration::from_secs(1))), at(0));
    // The breaker took it for a failure; this model is about the pause alone.
    assert!(guard.breaker(0).reset(at(0)).is_some());
    assert!(attempt(&guard, at(1)).is_none());
    assert_eq!(guard.bucket().available(at(3)), 3);
    guard
}

/// How many of `times` are sent, one after the other.
fn send(guard: &Small, times: u32, now: Instant) -> u32 {
    let mut sent = 0;
    for _ in 0..times {
        if let Some((mut call, permit)) = attempt(guard, now) {
            let _ = guard.finish(&mut call, permit, Outcome::Ignored, now);
            sent += 1;
        }
    }
    sent
}

/// The pause is over for two threads, with readings that differ: of the three tokens one is left, and one is sent.
fn restart_beside_takers(ramp: WarmUp, times: u32) {
    let guard = paused(ramp);
    let other = spawn(&guard, move |guard| send(guard, times, at(3)));
    let sent = send(&guard, 1, at(4)) + other.join().expect("no panic");
    assert!(sent <= 1, "{sent} sent");
    assert_eq!((sent, send(&guard, 1, at(4))), (1, 0));
    assert_eq!(guard.paused_until(at(1)), None, "it is settled");
}

fn restart() {
    restart_beside_takers(WarmUp::NONE, 2);
}

fn restart_with_a_ramp() {
    restart_beside_takers(WarmUp::linear(Rate::ZERO, Duration::from_secs(60)), 1);
}

/// A pause that has ended is settled by one thread while another is told a new one: the new one holds, and so does the
/// restart at its end.
fn restart_beside_a_pause() {
    let bucket = BucketConfig::new(Rate::per_second(1)).burst(4);
    let guard = guard(GuardConfig { bucket, ..config(2, 4) });
    let [first, second] = [0, 0].map(|now| attempt(&guard, at(now)).expect("four tokens"));
    let throttle = |guard: &Small, (mut call, permit): (Call, Permit), now| {
        let _ = guard.finish(&mut call, permit, Outcome::Throttled(Some(Duration::from_secs(1))), now);
    };
    throttle(&guard, first, at(0));
    assert!(guard.breaker(0).reset(at(0)).is_some());
    let other = spawn(&guard, move |guard| throttle(guard, second, at(3)));
    let _ = attempt(&guard, at(3));
    other.join().expect("no panic");
    assert!(guard.paused_until(at(3)).expect("a pause") >= at(4));
    // One token when it ends, after four seconds or a little more, and one for each second since then.
    let _ = guard.breaker(0).reset(at(4));
    assert!(send(&guard, 4, at(6)) <= 2);
}

/// A probe closes the breaker while a thread asks: whoever passes the closed breaker meets one token.
fn restart_after_a_close() {
    let guard = guard(config(2, 4));
    assert!(guard.breaker(0).trip(at(0), 0).is_some());
    let (mut call, permit) = attempt(&guard, at(2)).expect("the interval is over");
    let other = spawn(&guard, |guard| send(guard, 1, at(3)));
    let told = guard.finish(&mut call, permit, Outcome::Success, at(3)).transition;
    assert_eq!(told.map(|told| told.to), Some(State::Closed));
    let sent = other.join().expect("no panic");
    assert_eq!(sent + send(&guard, 2, at(3)), 1);
}

#[test]
fn guard_one_place_is_given_once_and_the_loser_leaves_no_trace() {
    check("guard one slot", BOUND, one_slot);
    check("guard one token", BOUND, one_token);
    check("guard one probe", BOUND, one_probe);
    check("guard three for a slot", Preemptions::AtMost(2), three_for_a_slot);
}

#[test]
fn guard_what_was_not_sent_is_there_again() {
    check("guard cancel beside finish", BOUND, cancel_beside_finish);
}

#[test]
fn guard_one_permit_acts_once() {
    check("guard double report of a probe", BOUND, double_report);
    check("guard double failure", BOUND, double_failure);
    check("guard report and cancel", BOUND, report_and_cancel);
}

#[test]
fn guard_a_late_report_counts_or_is_void() {
    check("guard late report", BOUND, late_report);
}

#[test]
fn guard_a_race_shortens_no_pause() {
    check("guard two pauses", Preemptions::AtMost(3), two_pauses);
}

#[test]
fn guard_after_a_pause_or_a_close_the_tokens_restart_at_one() {
    check("guard restart beside takers", Preemptions::AtMost(2), restart);
    check("guard restart with a ramp", Preemptions::AtMost(2), restart_with_a_ramp);
    check("guard restart after a close", Preemptions::AtMost(2), restart_after_a_close);
}

#[test]
fn guard_settling_a_pause_ends_no_other() {
    check("guard restart beside a pause", BOUND, restart_beside_a_pause);
}

#[test]
fn guard_the_order_of_a_restart_is_needed() {
    let fault = "guard: a restart is cleared before the tokens are gone";
    must_fail("guard restart beside takers", fault, Preemptions::AtMost(2), restart);
    let fault = "guard: a restart is marked after the breaker has closed";
    must_fail("guard restart after a close", fault, Preemptions::AtMost(2), restart_after_a_close);
    let fault = "guard: a restart is looked for before the stages";
    must_fail("guard restart after a close", fault, Preemptions::AtMost(2), restart_after_a_close);
    let fault = "guard: an ended pause is cleared unseen";
    must_fail("guard restart beside a pause", fault, BOUND, restart_beside_a_pause);
}

#[test]
fn guard_giving_back_after_a_lost_race_is_needed() {
    let fault = "guard: the slot stays held when a later stage refuses";
    must_fail("guard one token", fault, BOUND, one_token);
    must_fail("guard one probe", fault, BOUND, one_probe);
    let fault = "guard: the tokens stay spent when the breaker refuses";
    must_fail("guard one probe", fault, BOUND, one_probe);
}

#[test]
fn guard_one_permit_acting_once_is_needed() {
    let fault = "guard: a void permit is heard";
    must_fail("guard double failure", fault, BOUND, double_failure);
    let fault = "guard: a void permit gives the probe back";
    must_fail("guard double report of a probe", fault, BOUND, double_report);
    let fault = "guard: a void permit refunds";
    must_fail("guard report and cancel", fault, BOUND, report_and_cancel);
}

#[test]
fn guard_raising_the_pause_is_needed() {
    let fault = "guard: the pause is stored, not raised";
    must_fail("guard two pauses", fault, Preemptions::AtMost(3), two_pauses);
}
