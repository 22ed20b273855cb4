use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

use seawall::{
    BreakerConfig, CircuitBreaker, Clock, Instant, ManualClock, Outcome, Ratio, State, Transition, TripRule,
};

use crate::race::Timer;

/// One failure opens it, one probe judges: every call is likely to change the state.
static BREAKER: CircuitBreaker = match CircuitBreaker::new(BreakerConfig {
    rule: TripRule::Consecutive(1),
    open_for: Duration::from_micros(1),
    open_jitter: Ratio::ZERO,
    probes: 1,
    close_share: Ratio::ONE,
    ramp: Duration::ZERO,
    ..BreakerConfig::DEFAULT
}) {
    Ok(breaker) => breaker,
    Err(_) => panic!("refused at compile time"),
};
static CLOCK: ManualClock = ManualClock::starting_at(Instant::ORIGIN);
static PROBE_IS_OUT: AtomicBool = AtomicBool::new(false);
/// Transitions to closed, to open and to half-open, of the main loop and of the handler: each has one writer.
static IN_MAIN: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
static IN_HANDLER: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];

pub fn one_probe_and_one_author_for_each_transition(timer: &mut Timer) {
    timer.race(10_000, || attempt(&IN_MAIN), || attempt(&IN_HANDLER));
    let told = |state: State| {
        let [main, handler] = [&IN_MAIN, &IN_HANDLER].map(|side| side[state as usize].load(Ordering::SeqCst));
        assert!(main > 100 && handler > 100, "both sides change the state: {main} and {handler} times");
        main + handler
    };
    // The states follow each other in a ring, so each transition was told once, to one side or the other.
    let (opened, probed, closed) = (told(State::Open), told(State::HalfOpen), told(State::Closed));
    let after_close = [closed, closed, closed];
    let after_open = [closed + 1, closed, closed];
    let after_probe = [closed + 1, closed + 1, closed];
    assert!([after_close, after_open, after_probe].contains(&[opened, probed, closed]), "{opened} {probed} {closed}");
}

/// A call in the closed state fails, a probe succeeds.
fn attempt(told: &[AtomicU32; 3]) {
    CLOCK.advance(Duration::from_micros(1));
    let Ok(admission) = BREAKER.try_attempt(CLOCK.now()) else { return };
    tell(told, admission.transition);
    let probe = admission.permit.is_probe();
    if probe {
        // Set before the report and after the admission: so a second probe would be seen here.
        assert!(!PROBE_IS_OUT.load(Ordering::SeqCst), "two probes are out");
        PROBE_IS_OUT.store(true, Ordering::SeqCst);
        core::hint::black_box(CLOCK.now());
        PROBE_IS_OUT.store(false, Ordering::SeqCst);
    }
    let outcome = if probe { Outcome::Success } else { Outcome::Failure };
    tell(told, BREAKER.finish(admission.permit, outcome, CLOCK.now(), 0));
}

fn tell(told: &[AtomicU32; 3], transition: Option<Transition>) {
    if let Some(transition) = transition {
        let count = &told[transition.to as usize];
        count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    }
}
