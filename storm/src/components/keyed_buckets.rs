//! Buckets by key.

use std::time::Duration;

use seawall::{Clock, Instant, KeyedBuckets, KeyedConfig, ManualClock, Rate, WhenFull};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Buckets by key",
    teaches: "A bucket for each user in a table of fixed size: who sends in a loop spends its own, and an idle user takes \
              no room.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let each = KeyedConfig::new(Rate::per_second(2), WhenFull::FailClosed).burst(3);
    let users = KeyedBuckets::<8>::new(each, 1, clock.now())?;
    board.say("each may send 2 a second, 3 at once; alice sends 10 times a second, bob once:");
    let (alice, bob) = (users.key_of(b"alice"), users.key_of(b"bob"));
    let mut sent = [0; 2];
    for step in 0..50 {
        sent[0] += u32::from(users.try_take(alice, 1, clock.now()).is_ok());
        if step % 10 == 0 {
            sent[1] += u32::from(users.try_take(bob, 1, clock.now()).is_ok());
        }
        clock.advance(Duration::from_millis(100));
    }
    let since = |clock: &ManualClock| clock.now().saturating_duration_since(Instant::ORIGIN);
    board.at(
        since(&clock),
        format!("alice sent {} of 50, bob {} of 5; places taken: {}", sent[0], sent[1], users.occupied(clock.now())),
    );
    clock.advance(Duration::from_secs(2));
    board.at(since(&clock), format!("both idle; places taken: {}", users.occupied(clock.now())));
    Ok(())
}
