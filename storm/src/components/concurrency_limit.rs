//! The concurrency limit.

use std::collections::VecDeque;
use std::time::Duration;

use seawall::{Clock, ConcurrencyLimit, Instant, LimitConfig, LimitPermit, ManualClock, Outcome};

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
    let mut in_flight = VecDeque::new();
    let phases = [("answers in 50 ms", 50, 1), ("answers in 800 ms", 800, 5), ("answers in 50 ms again", 50, 2)];
    for (phase, takes, seconds) in phases {
        let end = clock.now().saturating_add(Duration::from_secs(seconds));
        // There is always more to send than is let through, a call every 5 ms.
        while clock.now() < end {
            in_flight.extend(limit.try_attempt(clock.now()).ok());
            clock.advance(Duration::from_millis(5));
            let is_answered = |permit: &LimitPermit| {
                clock.now().saturating_duration_since(permit.started()) >= Duration::from_millis(takes)
            };
            while in_flight.front().is_some_and(is_answered)
                && let Some(permit) = in_flight.pop_front()
            {
                let _change = limit.finish(permit, Outcome::Success, clock.now());
            }
        }
        board.at(since(clock.now()), format!("{phase}: after {seconds} s the limit is {}", limit.limit()));
    }
    Ok(())
}
