//! Backoff and jitter.

use std::time::Duration;

use seawall::{AttemptFailure, ErrorClass, Random, RetryConfig, RetryDecision, RetryStrategy};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Retry strategy",
    teaches: "Wait longer after each failure, and not as long as everybody else: two clients, one fate, two schedules.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let strategy = RetryStrategy::new(RetryConfig { max_attempts: 6, ..RetryConfig::DEFAULT })?;
    for (client, seed) in [("one client", 17), ("another", 23)] {
        let mut random = Random::from_seed(seed);
        let mut previous = None;
        let mut waits = Vec::new();
        for attempt in 1.. {
            let failure =
                AttemptFailure { previous_delay: previous, ..AttemptFailure::new(attempt, ErrorClass::Retryable) };
            match strategy.decide(failure, random.next_u64()) {
                RetryDecision::RetryAfter(wait) => {
                    waits.push(format!("{} ms", wait.as_millis()));
                    previous = Some(wait);
                }
                RetryDecision::GiveUp(reason) => {
                    board.say(format!("{client} waits {}, then gives up: {reason}", waits.join(", ")));
                    break;
                }
            }
        }
    }
    let asked =
        AttemptFailure { retry_after: Some(Duration::from_secs(7)), ..AttemptFailure::new(1, ErrorClass::Retryable) };
    if let RetryDecision::RetryAfter(wait) = strategy.decide(asked, 0) {
        board.say(format!("the server says Retry-After: 7, so it waits {wait:?}, never less"));
    }
    Ok(())
}
