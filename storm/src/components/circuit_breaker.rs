//! The circuit breaker.

use std::time::Duration;

use seawall::{BreakerConfig, CircuitBreaker, Clock, Instant, ManualClock, Outcome, Random};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Circuit breaker",
    teaches: "A service that is down is left alone; then a few probes, and never a crowd, ask whether it is back.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let breaker = CircuitBreaker::new(BreakerConfig::DEFAULT)?;
    let mut random = Random::from_seed(1);
    let since = |now: Instant| now.saturating_duration_since(Instant::ORIGIN);
    let (mut sent, mut refused) = (0, 0);
    // 20 calls a second for 6 s; the service is down for the first 3.
    for call in 0..120 {
        let now = clock.now();
        match breaker.try_attempt(now) {
            Ok(admission) => {
                sent += 1;
                let outcome = if call < 60 { Outcome::Failure } else { Outcome::Success };
                let ended = breaker.finish(admission.permit, outcome, now, random.next_u64());
                for transition in admission.transition.into_iter().chain(ended) {
                    let (from, to) = (transition.from.name(), transition.to.name());
                    board.at(since(now), format!("{from} -> {to}: {}", transition.cause.name()));
                }
            }
            Err(_) => refused += 1,
        }
        clock.advance(Duration::from_millis(50));
    }
    board.say(format!("of 120 calls {sent} were sent and {refused} refused without a packet"));
    Ok(())
}
