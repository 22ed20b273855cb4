//! The warm-up.

use std::time::Duration;

use seawall::{BucketConfig, Clock, Fill, Instant, ManualClock, Rate, TokenBucket, WarmUp};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Warm-up",
    teaches: "A process that restarts with a full outbox begins slowly, and a bad start is noticed while it is small.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let (first, target, climb) = (Rate::per_second(4), Rate::per_second(40), Duration::from_secs(4));
    let schedules = [
        ("none", WarmUp::NONE),
        ("linear", WarmUp::linear(first, climb)),
        ("doubling", WarmUp::exponential(first, climb)),
        ("step", WarmUp::step(first, climb)),
    ];
    let mut buckets = Vec::new();
    for (name, schedule) in schedules {
        let config = BucketConfig::new(target).burst(1).fill(Fill::Tokens(1)).warm_up(schedule);
        buckets.push((name, TokenBucket::new(config, clock.now())?));
    }
    board.say("400 messages wait, 40 a second is the target; sent in each second after the start:");
    for _ in 1..=5 {
        let mut sent = vec![0; buckets.len()];
        for _ in 0..1_000 {
            for (sent, (_, bucket)) in sent.iter_mut().zip(&buckets) {
                *sent += u32::from(bucket.try_take(1, clock.now()).is_ok());
            }
            clock.advance(Duration::from_millis(1));
        }
        let cells: Vec<String> =
            sent.iter().zip(&buckets).map(|(sent, (name, _))| format!("{name} {sent:>2}")).collect();
        board.at(clock.now().saturating_duration_since(Instant::ORIGIN), cells.join("   "));
    }
    Ok(())
}
