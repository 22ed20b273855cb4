//! The circuit breaker under the schedules that loom explores: trips, probes, leases and reports that race, with
//! clocks that differ.

use core::time::Duration;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use seawall::{
    BreakerAdmission, BreakerConfig, Cause, CircuitBreaker, Instant, Outcome, Ratio, Refused, State, Transition,
    TripRule,
};

use crate::harness::{Preemptions, check, must_fail};

const SECOND: u64 = 1_000_000_000;

/// Trips at one failure; open 1 s; one probe on a lease of 2 s; no jitter, no ramp.
const PLAIN: BreakerConfig = BreakerConfig {
    rule: TripRule::Consecutive(1),
    open_jitter: Ratio::ZERO,
    open_growth_percent: 100,
    probes: 1,
    close_share: Ratio::ONE,
    probe_lease: Duration::from_secs(2),
    ramp: Duration::ZERO,
    ..BreakerConfig::DEFAULT
};

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * SECOND)
}

fn breaker(config: BreakerConfig) -> Arc<CircuitBreaker> {
    Arc::new(CircuitBreaker::new(config).unwrap())
}

/// An open breaker whose interval ends at one second.
fn opened(config: BreakerConfig) -> Arc<CircuitBreaker> {
    let breaker = breaker(config);
    assert!(breaker.trip(at(0), 0).is_some());
    breaker
}

/// Runs `work` on a breaker in a thread of its own.
fn spawn<T: 'static>(
    breaker: &Arc<CircuitBreaker>,
    work: impl FnOnce(&CircuitBreaker) -> T + 'static,
) -> thread::JoinHandle<T> {
    let breaker = breaker.clone();
    thread::spawn(move || work(&breaker))
}

fn attempt(breaker: &Arc<CircuitBreaker>, now: Instant) -> thread::JoinHandle<Result<BreakerAdmission, Refused>> {
    spawn(breaker, move |breaker| breaker.try_attempt(now))
}

/// Each told transition starts where the one before it ended.
fn assert_chain(first: State, mut told: Vec<Transition>) -> State {
    told.sort_by_key(|transition| transition.generation);
    told.iter().fold(first, |state, transition| {
        assert_eq!(state, transition.from, "{told:?}");
        transition.to
    })
}

/// Two calls fail at once, with clocks that differ: one of them trips, and the interval is whole.
fn racing_failures() {
    let breaker = breaker(BreakerConfig { rule: TripRule::Consecutive(2), ..PLAIN });
    let permits = [1, 4].map(|second| (breaker.try_attempt(at(0)).unwrap().permit, at(second)));
    let [first, second] =
        permits.map(|(permit, now)| spawn(&breaker, move |breaker| breaker.finish(permit, Outcome::Failure, now, 0)));
    let told: Vec<_> = [first.join().unwrap(), second.join().unwrap()].into_iter().flatten().collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].from, told[0].to, told[0].cause), (State::Closed, State::Open, Cause::ConsecutiveFailures));
    // The end is that of the one or the other; nothing is shorter than what the earlier reading asked for.
    assert!(breaker.try_attempt(at(1)).is_err());
    assert_eq!(breaker.state(at(6)), State::HalfOpen);
}

/// The interval is over for two threads, whose clocks differ: one probe passes, one transition is told.
fn probe_race() {
    let breaker = opened(PLAIN);
    let threads = [attempt(&breaker, at(2)), attempt(&breaker, at(3))];
    let admitted: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect();
    assert_eq!(admitted.len(), 1);
    assert_eq!(admitted[0].transition.map(|transition| transition.to), Some(State::HalfOpen));
}

/// Three threads, two probes, and one thread whose clock is behind.
fn probe_race_of_three() {
    let breaker = opened(BreakerConfig { probes: 2, ..PLAIN });
    let threads = [attempt(&breaker, at(2)), attempt(&breaker, at(2))];
    let mut admitted: Vec<_> = vec![breaker.try_attempt(at(1))];
    admitted.extend(threads.map(|thread| thread.join().unwrap()));
    let admitted: Vec<_> = admitted.into_iter().flatten().collect();
    assert_eq!(admitted.len(), 2);
    assert_eq!(admitted.iter().filter_map(|admission| admission.transition).count(), 1);
    assert_ne!(admitted[0].permit, admitted[1].permit);
}

/// A thread asks while another trips: it passes as a call of the closed breaker, or is told the interval's rest.
fn ask_while_tripping() {
    let breaker = opened(PLAIN);
    breaker.reset(at(0));
    let thread = attempt(&breaker, at(4));
    let told = breaker.trip(at(4), 0);
    match thread.join().unwrap() {
        Ok(admission) => assert!(!admission.permit.is_probe()),
        Err(refused) => {
            let wait = refused.retry_after().unwrap();
            assert!(wait >= Duration::from_secs(1) && wait < Duration::from_millis(1001), "{wait:?}");
        }
    }
    assert!(told.is_some());
}

/// A trip that is stopped anywhere, while another thread trips, resets and trips: what is in force stays in force.
fn a_stalled_trip() {
    let breaker = breaker(PLAIN);
    let stalled = spawn(&breaker, |breaker| breaker.trip(at(1), 0));
    let mut told: Vec<_> =
        [breaker.trip(at(10), 0), breaker.reset(at(10)), breaker.trip(at(10), 0)].into_iter().flatten().collect();
    told.extend(stalled.join().unwrap());
    assert_eq!(assert_chain(State::Closed, told), State::Open);
    assert!(breaker.peek(at(2)).is_err());
    assert!(breaker.peek(at(12)).is_ok());
}

/// A lease lapses while the probe reports, on a clock that a third thread moves: either the report decides, or the
/// probe is replaced and the report is void.
fn late_report() {
    let breaker = opened(PLAIN);
    let clock = Arc::new(AtomicU64::new(2));
    let late = breaker.try_attempt(at(2)).unwrap().permit;
    let hand = {
        let clock = clock.clone();
        thread::spawn(move || clock.store(5, Ordering::Relaxed))
    };
    let reporter = {
        let clock = clock.clone();
        spawn(&breaker, move |breaker| breaker.finish(late, Outcome::Success, at(clock.load(Ordering::Relaxed)), 0))
    };
    let second = breaker.try_attempt(at(clock.load(Ordering::Relaxed)));
    hand.join().unwrap();
    match (reporter.join().unwrap(), second) {
        // The report decided; a call after it finds the breaker closed.
        (Some(closed), asked) => {
            assert_eq!(closed.cause, Cause::ProbesSucceeded);
            assert!(asked.is_err() || !asked.unwrap().permit.is_probe());
        }
        // The probe was replaced; the new one decides.
        (None, asked) => {
            let probe = asked.expect("one of the two got through").permit;
            assert!(probe.is_probe());
            assert_eq!(breaker.finish(probe, Outcome::Failure, at(5), 0).map(|t| t.cause), Some(Cause::ProbesFailed));
        }
    }
}

/// One permit is reported by two threads: it counts once.
fn double_report() {
    let breaker = opened(BreakerConfig { probes: 2, ..PLAIN });
    let permit = breaker.try_attempt(at(2)).unwrap().permit;
    let threads = [0, 1].map(|_| spawn(&breaker, move |breaker| breaker.finish(permit, Outcome::Success, at(2), 0)));
    for thread in threads {
        assert_eq!(thread.join().unwrap(), None);
    }
    assert_eq!(breaker.state(at(2)), State::HalfOpen);
    // One success is missing, and one place is free.
    let other = breaker.try_attempt(at(2)).unwrap().permit;
    assert!(breaker.try_attempt(at(2)).is_err());
    assert_eq!(breaker.finish(other, Outcome::Success, at(2), 0).map(|t| t.to), Some(State::Closed));
}

/// A permit is reported by one thread and cancelled by another: one of the two happens.
fn report_and_cancel() {
    let breaker = opened(PLAIN);
    let permit = breaker.try_attempt(at(2)).unwrap().permit;
    let thread = spawn(&breaker, move |breaker| breaker.finish(permit, Outcome::Failure, at(2), 0));
    breaker.cancel(permit, at(2));
    match thread.join().unwrap() {
        Some(_) => assert!(breaker.try_attempt(at(2)).is_err()),
        None => assert!(breaker.try_attempt(at(2)).unwrap().permit.is_probe()),
    }
}

/// The leases have lapsed; one thread takes a cancelled probe's place, another renews: nobody who was admitted just
/// now is replaced.
fn join_and_renewal() {
    let breaker = opened(BreakerConfig { probes: 2, ..PLAIN });
    let old = [2, 2].map(|now| breaker.try_attempt(at(now)).unwrap().permit);
    let thread = attempt(&breaker, at(6));
    breaker.cancel(old[1], at(6));
    let second = breaker.try_attempt(at(6));
    let fresh: Vec<_> = [thread.join().unwrap(), second].into_iter().flatten().collect();
    assert!(!fresh.is_empty());
    // All that were admitted now report well; two good reports close.
    let told = fresh.iter().filter_map(|fresh| breaker.finish(fresh.permit, Outcome::Success, at(6), 0)).count();
    assert_eq!(told, usize::from(fresh.len() == 2));
    if fresh.len() == 1 {
        assert_eq!(breaker.finish(old[0], Outcome::Success, at(6), 0).map(|t| t.to), Some(State::Closed));
    }
}

/// A failure from before a trip and a reset, against both: it trips before them or judges nothing after them.
fn stale_generation() {
    let breaker = breaker(PLAIN);
    let old = breaker.try_attempt(at(0)).unwrap().permit;
    let thread = spawn(&breaker, move |breaker| breaker.finish(old, Outcome::Failure, at(3), 0));
    let mut told: Vec<_> = [breaker.trip(at(0), 0), breaker.reset(at(0))].into_iter().flatten().collect();
    told.extend(thread.join().unwrap());
    assert_eq!(assert_chain(State::Closed, told), State::Closed);
    assert_eq!(breaker.state(at(3)), State::Closed);
}

/// The success of a probe, against a reset, a trip and the probe that has its number then: it closes before them or
/// is no verdict on the new probe.
fn stale_probe() {
    let breaker = opened(PLAIN);
    let old = breaker.try_attempt(at(2)).unwrap().permit;
    let thread = spawn(&breaker, move |breaker| breaker.finish(old, Outcome::Success, at(3), 0));
    breaker.reset(at(2));
    breaker.trip(at(2), 0);
    let probe = breaker.try_attempt(at(4)).unwrap().permit;
    thread.join().unwrap();
    assert_eq!(breaker.state(at(4)), State::HalfOpen);
    assert_eq!(breaker.finish(probe, Outcome::Failure, at(4), 0).map(|t| t.cause), Some(Cause::ProbesFailed));
}

/// Forced open while a probe's report would close: the chain holds, and forced wins in the end.
fn forced_against_a_verdict() {
    let breaker = opened(PLAIN);
    let probe = breaker.try_attempt(at(2)).unwrap().permit;
    let thread = spawn(&breaker, move |breaker| breaker.finish(probe, Outcome::Success, at(2), 0));
    let mut told: Vec<_> = breaker.force_open(at(2)).into_iter().collect();
    told.extend(thread.join().unwrap());
    assert_eq!(assert_chain(State::HalfOpen, told), State::Open);
    assert!(breaker.peek(at(100)).is_err());
}

/// Two probes bring opposite reports, one of which is enough to close: it closes once, whoever comes first.
fn opposite_reports() {
    let breaker = opened(BreakerConfig { probes: 2, close_share: Ratio::HALF, ..PLAIN });
    let permits = [2, 2].map(|now| breaker.try_attempt(at(now)).unwrap().permit);
    let thread = spawn(&breaker, move |breaker| breaker.finish(permits[0], Outcome::Success, at(2), 0));
    let mut told: Vec<_> = breaker.finish(permits[1], Outcome::Failure, at(2), 0).into_iter().collect();
    told.extend(thread.join().unwrap());
    assert_eq!(told.len(), 1);
    assert_eq!(assert_chain(State::HalfOpen, told), State::Closed);
    // The failure of a probe is no evidence in the closed state, or it would have tripped.
    assert_eq!(breaker.state(at(2)), State::Closed);
}

/// A late failure, a renewal that succeeds and a third attempt, each with a clock of its own, around a lapsed lease:
/// what was told is a chain, and ends in the state that is found.
fn three_around_a_lapsed_lease() {
    let breaker = opened(PLAIN);
    let late = breaker.try_attempt(at(2)).unwrap().permit;
    let failing = spawn(&breaker, move |breaker| breaker.finish(late, Outcome::Failure, at(4), 0));
    let renewing = spawn(&breaker, |breaker| {
        let admission = breaker.try_attempt(at(6)).ok()?;
        assert_eq!(admission.permit.started(), at(6));
        let closed = breaker.finish(admission.permit, Outcome::Success, at(6), 0);
        Some([admission.transition, closed])
    });
    let third = breaker.try_attempt(at(5)).ok();
    let mut told: Vec<_> = third.and_then(|admission| admission.transition).into_iter().collect();
    told.extend(failing.join().unwrap());
    told.extend(renewing.join().unwrap().into_iter().flatten().flatten());
    let state = assert_chain(State::HalfOpen, told);
    assert_eq!(breaker.state(at(4)), state);
    // Whatever happened, nothing is stuck: in a while a call passes.
    assert!(breaker.try_attempt(at(20)).is_ok());
}

#[test]
fn circuit_breaker_racing_failures_trip_once() {
    check("circuit_breaker racing failures", Preemptions::Unbounded, racing_failures);
}

#[test]
fn circuit_breaker_probe_race_admits_exactly_k() {
    check("circuit_breaker probe race", Preemptions::Unbounded, probe_race);
    check("circuit_breaker probe race of three", Preemptions::AtMost(3), probe_race_of_three);
}

#[test]
fn circuit_breaker_ask_while_tripping_finds_the_interval() {
    check("circuit_breaker ask while tripping", Preemptions::Unbounded, ask_while_tripping);
}

#[test]
fn circuit_breaker_stalled_trip_overwrites_nothing() {
    check("circuit_breaker stalled trip", Preemptions::AtMost(4), a_stalled_trip);
}

#[test]
fn circuit_breaker_late_report_is_void_once_replaced() {
    check("circuit_breaker late report", Preemptions::AtMost(3), late_report);
    check("circuit_breaker three around a lapsed lease", Preemptions::AtMost(3), three_around_a_lapsed_lease);
}

#[test]
fn circuit_breaker_reports_count_once() {
    check("circuit_breaker double report", Preemptions::Unbounded, double_report);
    check("circuit_breaker opposite reports", Preemptions::Unbounded, opposite_reports);
    check("circuit_breaker report and cancel", Preemptions::Unbounded, report_and_cancel);
}

#[test]
fn circuit_breaker_renewal_replaces_no_fresh_probe() {
    check("circuit_breaker join and renewal", Preemptions::few(4), join_and_renewal);
}

#[test]
fn circuit_breaker_stale_generation_judges_nothing() {
    check("circuit_breaker stale generation", Preemptions::Unbounded, stale_generation);
    check("circuit_breaker stale probe", Preemptions::Unbounded, stale_probe);
    check("circuit_breaker forced against a verdict", Preemptions::Unbounded, forced_against_a_verdict);
}

#[test]
fn circuit_breaker_exchange_is_needed() {
    let fault = "circuit_breaker: the state word is stored, not exchanged";
    must_fail("circuit_breaker racing failures", fault, Preemptions::Unbounded, racing_failures);
    must_fail("circuit_breaker probe race", fault, Preemptions::Unbounded, probe_race);
    must_fail("circuit_breaker probe race of three", fault, Preemptions::AtMost(3), probe_race_of_three);
    let bound = Preemptions::AtMost(3);
    must_fail("circuit_breaker three around a lapsed lease", fault, bound, three_around_a_lapsed_lease);
    must_fail("circuit_breaker opposite reports", fault, Preemptions::Unbounded, opposite_reports);
    must_fail("circuit_breaker report and cancel", fault, Preemptions::Unbounded, report_and_cancel);
    must_fail("circuit_breaker forced against a verdict", fault, Preemptions::Unbounded, forced_against_a_verdict);
}

#[test]
fn circuit_breaker_publishing_is_needed() {
    // The reader finds the phase and never the moment that belongs to it: the model ends at its bound of branches.
    let fault = "circuit_breaker: the phase publishes no moment";
    must_fail("circuit_breaker ask while tripping", fault, Preemptions::Unbounded, ask_while_tripping);
}

#[test]
fn circuit_breaker_second_look_is_needed() {
    // The moment in force is overwritten, and no later look finds one: here too the bound of branches ends it.
    let fault = "circuit_breaker: no second look at the state";
    must_fail("circuit_breaker stalled trip", fault, Preemptions::Unbounded, a_stalled_trip);
}

#[test]
fn circuit_breaker_generation_is_needed() {
    let fault = "circuit_breaker: results of any generation count";
    must_fail("circuit_breaker late report", fault, Preemptions::AtMost(3), late_report);
    must_fail("circuit_breaker stale generation", fault, Preemptions::Unbounded, stale_generation);
    must_fail("circuit_breaker stale probe", fault, Preemptions::Unbounded, stale_probe);
}

#[test]
fn circuit_breaker_probe_bit_is_needed() {
    let fault = "circuit_breaker: a probe may report twice";
    must_fail("circuit_breaker double report", fault, Preemptions::Unbounded, double_report);
}

#[test]
fn circuit_breaker_protection_of_a_prolonged_lease_is_needed() {
    let fault = "circuit_breaker: a lease is renewed that was just prolonged";
    must_fail("circuit_breaker join and renewal", fault, Preemptions::Unbounded, join_and_renewal);
    let fault = "circuit_breaker: a lease is taken back from a renewal";
    must_fail("circuit_breaker join and renewal", fault, Preemptions::Unbounded, join_and_renewal);
}
