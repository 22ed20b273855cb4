//! The AIMD controller.

use std::time::Duration;

use seawall::{AimdConfig, AimdController, Clock, Instant, ManualClock, Ratio};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "AIMD controller",
    teaches: "Finds the rate that nobody told it: a step up while all is well, a cut when errors or the p95 say so.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let controller = AimdController::new(AimdConfig::DEFAULT)?;
    let rate = |rate: seawall::Rate| format!("{:.1}/s", rate.count() as f64 / rate.period().as_secs_f64());
    board.at(Duration::ZERO, format!("starts at {}", rate(controller.current_rate())));
    for tick in 1..=6u32 {
        clock.advance(AimdConfig::DEFAULT.interval);
        let (errors, p95) = if tick == 4 { (30, 900) } else { (0, 80) };
        let heard = (Some(Ratio::percent(errors)?), Some(Duration::from_millis(p95)));
        let change = controller.update(heard.0, heard.1, clock.now());
        let outcome = change.map_or("no change".to_owned(), |change| {
            format!("{} -> {}: {}", rate(change.from), rate(change.to), change.reason.name())
        });
        let now = clock.now().saturating_duration_since(Instant::ORIGIN);
        board.at(now, format!("{errors} % errors, p95 {p95} ms: {outcome}"));
    }
    Ok(())
}
