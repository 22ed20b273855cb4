//! Probes: how many pass, on what lease, and whose report counts.

use super::*;

#[test]
fn exactly_k_probes_pass_at_the_end_of_the_open_interval() {
    const THREADS: usize = 64;
    for probes in [1, 3, 8] {
        for round in 0..20 {
            let breaker = opened(BreakerConfig { probes, ..PLAIN });
            let (passed, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let barrier = Barrier::new(THREADS);
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (breaker, passed, told, barrier) = (&breaker, &passed, &told, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        // Readings differ from thread to thread.
                        for turn in 0..10 {
                            if let Ok(admission) = breaker.try_attempt(ms(1001 + (thread as u64 + turn + round) % 7)) {
                                passed.fetch_add(1, Ordering::Relaxed);
                                told.fetch_add(usize::from(admission.transition.is_some()), Ordering::Relaxed);
                            }
                        }
                    });
                }
            });
            assert_eq!(passed.into_inner(), probes as usize);
            assert_eq!(told.into_inner(), 1);
        }
    }
}

#[test]
fn never_more_than_k_probes_are_out_while_threads_report_and_cancel() {
    let breaker = opened(BreakerConfig { probes: 2, close_share: Ratio::ONE, ..PLAIN });
    let (out, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (breaker, out, most) = (&breaker, &out, &most);
            scope.spawn(move || {
                let mut random = Random::from_seed(thread);
                for _ in 0..20_000 {
                    // Within a lease, so that none lapses.
                    let now = ms(1001 + random.next_u64() % 900);
                    let Ok(admission) = breaker.try_attempt(now) else { continue };
                    assert!(admission.permit.is_probe());
                    most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    if random.next_u64().is_multiple_of(4) {
                        std::thread::yield_now();
                    }
                    out.fetch_sub(1, Ordering::SeqCst);
                    breaker.cancel(admission.permit, now);
                }
            });
        }
    });
    assert!(most.into_inner() <= 2);
    assert_eq!(breaker.state(ms(1500)), State::HalfOpen);
    // And no place was lost: with none out there are two, at the latest when the numbers start anew.
    let has_two = |_| {
        let first = permit(&breaker, ms(1901));
        let second = breaker.try_attempt(ms(1901));
        assert!(breaker.try_attempt(ms(1901)).is_err());
        breaker.cancel(first, ms(1901));
        second.map(|second| breaker.cancel(second.permit, ms(1901))).is_ok()
    };
    assert!((0..2).any(has_two));
}

#[test]
fn a_probe_that_never_reports_lapses_and_its_late_report_is_ignored() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    let lost = permit(&breaker, ms(1001));
    assert!(breaker.try_attempt(ms(3000)).is_err());
    let second = permit(&breaker, ms(3002));
    assert!(second.is_probe());
    assert!(breaker.try_attempt(ms(3002)).is_err());
    assert_eq!(breaker.finish(lost, Outcome::Failure, ms(3003), 0), None);
    assert_eq!(breaker.state(ms(3003)), State::HalfOpen);
    assert_eq!(breaker.finish(second, Outcome::Success, ms(3003), 0).map(|t| t.to), Some(State::Closed));
}

#[test]
fn a_lapsed_probe_counts_until_another_takes_its_place() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    let late = permit(&breaker, ms(1001));
    assert_eq!(breaker.finish(late, Outcome::Failure, ms(60_000), 0).map(|t| t.cause), Some(Cause::ProbesFailed));
}

#[test]
fn reports_outlive_the_renewal_of_the_lease() {
    let breaker = opened(PLAIN);
    let probes = [0; 3].map(|_| permit(&breaker, ms(1001)));
    assert_eq!(breaker.finish(probes[0], Outcome::Success, ms(1002), 0), None);
    // Two hang; after the lease two more may go, and one success is enough for two of three.
    let fourth = permit(&breaker, ms(3002));
    let _fifth = permit(&breaker, ms(3002));
    assert!(breaker.try_attempt(ms(3002)).is_err());
    assert_eq!(breaker.finish(fourth, Outcome::Success, ms(3003), 0).map(|t| t.to), Some(State::Closed));
}

#[test]
fn an_ignored_or_cancelled_probe_frees_its_place_without_a_verdict() {
    let breaker = opened(BreakerConfig { probes: 1, ..PLAIN });
    for turn in 0..1000 {
        let probe = permit(&breaker, ms(1001));
        assert!(breaker.try_attempt(ms(1001)).is_err());
        if turn % 2 == 0 {
            breaker.cancel(probe, ms(1001));
        } else {
            assert_eq!(breaker.finish(probe, Outcome::Ignored, ms(1001), 0), None);
        }
        assert_eq!(breaker.state(ms(1001)), State::HalfOpen);
        // What was given back is void.
        assert_eq!(breaker.finish(probe, Outcome::Failure, ms(1001), 0), None);
    }
}

#[test]
fn a_second_result_of_one_probe_is_ignored() {
    let breaker = opened(PLAIN);
    let probe = permit(&breaker, ms(1001));
    assert_eq!(breaker.finish(probe, Outcome::Success, ms(1001), 0), None);
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Failure] {
        assert_eq!(breaker.finish(probe, outcome, ms(1001), 0), None);
        assert_eq!(breaker.state(ms(1001)), State::HalfOpen);
    }
}
