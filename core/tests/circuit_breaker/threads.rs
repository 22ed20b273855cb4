//! Real threads: what was told is a chain of transitions, each told once.

use super::*;

/// Four threads that call, beside whatever `other` does; all that was told, in the order of its generations.
fn told_by_callers(
    breaker: &CircuitBreaker,
    other: impl Fn(&CircuitBreaker, Instant) -> Option<Transition> + Sync,
) -> Vec<Transition> {
    let start = std::time::Instant::now();
    let now = || Instant::from_nanos(start.elapsed().as_nanos() as u64);
    let call = |seed| {
        let (mut random, mut told) = (Random::from_seed(seed), Vec::new());
        for _ in 0..50_000 {
            let Ok(admission) = breaker.try_attempt(now()) else { continue };
            told.extend(admission.transition);
            let drawn = random.next_u64();
            let outcome = [Outcome::Success, Outcome::Failure, Outcome::Ignored][(drawn % 5 % 3) as usize];
            if drawn >> 60 != 0 {
                told.extend(breaker.finish(admission.permit, outcome, now(), drawn));
            }
        }
        told
    };
    let mut told: Vec<Transition> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|seed| scope.spawn(move || call(seed))).collect();
        let other = scope.spawn(|| (0..5_000).filter_map(|_| other(breaker, now())).collect::<Vec<_>>());
        callers.into_iter().chain([other]).flat_map(|thread| thread.join().unwrap()).collect()
    });
    told.sort_by_key(|transition| transition.generation);
    told
}

fn assert_chain(told: &[Transition], last: State) {
    assert!(told.len() > 10, "{}", told.len());
    assert_eq!(told[0].from, State::Closed);
    for pair in told.windows(2) {
        assert!(pair[0].generation < pair[1].generation, "{pair:?}");
        assert_eq!(pair[0].to, pair[1].from, "{pair:?}");
    }
    assert_eq!(told.last().unwrap().to, last);
}

/// Opens and lapses many times in a test.
const QUICK: BreakerConfig =
    BreakerConfig { open_for: Duration::from_micros(50), probe_lease: Duration::from_micros(200), ..PLAIN };

#[test]
fn racing_reports_tell_each_transition_once_and_in_a_chain() {
    let breaker = breaker(QUICK);
    let told = told_by_callers(&breaker, |_, _| None);
    // At the origin an open interval is not over, so this reads the state as it is.
    assert_chain(&told, breaker.state(Instant::ORIGIN));
}

#[test]
fn forcing_resetting_and_tripping_among_callers_keep_the_chain() {
    let breaker = breaker(QUICK);
    let turn = AtomicUsize::new(0);
    let told = told_by_callers(&breaker, |breaker, now| match turn.fetch_add(1, Ordering::Relaxed) % 5 {
        0 => breaker.force_open(now),
        1 => breaker.force_close(now),
        2 | 4 => breaker.reset(now),
        _ => breaker.trip(now, 7),
    });
    assert!(told.iter().any(|transition| transition.cause == Cause::Forced));
    assert_chain(&told, breaker.state(Instant::ORIGIN));
}

#[test]
fn a_setter_among_callers_keeps_the_chain() {
    let breaker = breaker(QUICK);
    let turn = AtomicUsize::new(0);
    let rules = [
        TripRule::Consecutive(2),
        TripRule::FailureShare { share: percent(40), window: 9, minimum: 3 },
        TripRule::SlowShare { share: percent(60), slower_than: Duration::from_micros(1), window: 32, minimum: 5 },
    ];
    let told = told_by_callers(&breaker, |breaker, _| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let ramp = Duration::from_micros(turn as u64 % 20);
        let config = BreakerConfig { rule: rules[turn % 3], probes: 1 + turn as u32 % 8, ramp, ..QUICK };
        assert_eq!(breaker.set_config(config), Ok(()));
        None
    });
    assert_chain(&told, breaker.state(Instant::ORIGIN));
}
