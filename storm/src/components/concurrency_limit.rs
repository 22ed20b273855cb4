//! The concurrency limit.

use std::time::Duration;

use seawall::{Clock, ConcurrencyLimit, Instant, LimitConfig, ManualClock, Outcome};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Concurrency limit",
    teaches: "As many calls in flight as the service answers quickly: it grows while answers are fast and yields when \
              they are slow, before anything fails.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let limit = ConcurrencyLimit::<64>::new(LimitConfig::DEFAULT)?;
    let since = |now: Instant| now.saturating_duration_since(Instant::ORIGIN);
    let phases = [("answers in 50 ms", 50), ("answers in 800 ms", 800), ("answers in 50 ms again", 50)];
    for (phase, takes) in phases {
        for _round in 0..8 {
            let permits: Vec<_> = (0..64).map_while(|_| limit.try_attempt(clock.now()).ok()).collect();
            clock.advance(Duration::from_millis(takes));
            for permit in permits {
                let _change = limit.finish(permit, Outcome::Success, clock.now());
            }
        }
        board.at(since(clock.now()), format!("{phase}, eight rounds: the limit is {}", limit.limit()));
    }
    Ok(())
}
