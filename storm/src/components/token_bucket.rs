//! The token bucket.

use std::time::Duration;

use seawall::{BucketConfig, Clock, Instant, ManualClock, Rate, TokenBucket};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Token bucket",
    teaches: "So many a second, and after a quiet time a small burst, never more; who is refused is told when to come.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let bucket = TokenBucket::new(BucketConfig::new(Rate::per_second(10)).burst(3), clock.now())?;
    // Takes until it is refused: how many went, and how long the next has to wait.
    let take_all = || {
        let mut went = 0;
        loop {
            match bucket.try_take(1, clock.now()) {
                Ok(()) => went += 1,
                Err(refused) => return (went, refused.retry_after().unwrap_or_default()),
            }
        }
    };
    let since = || clock.now().saturating_duration_since(Instant::ORIGIN);

    let (went, wait) = take_all();
    board.at(since(), format!("10 a second, burst 3: {went} go at once, the next is told to come in {wait:?}"));
    clock.advance(wait);
    board.at(since(), format!("it comes when it was told: {} goes", take_all().0));
    let mut polled = 0;
    for _ in 0..5_000 {
        clock.advance(Duration::from_millis(1));
        polled += take_all().0;
    }
    board.at(since(), format!("asked every millisecond for 5 s: {polled} go; asking more often earns no more"));
    clock.advance(Duration::from_secs(60));
    board.at(since(), format!("after a minute of silence {} go at once, and not the 600 of that minute", take_all().0));
    bucket.set_rate(Rate::per_second(100), clock.now())?;
    let now = take_all().0;
    clock.advance(Duration::from_millis(20));
    board.at(
        since(),
        format!("from now on 100 a second: {now} go at once, {} in 20 ms; the past is not repriced", take_all().0),
    );
    Ok(())
}
