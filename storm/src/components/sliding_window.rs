//! The sliding window.

use std::time::Duration;

use seawall::{Clock, Instant, ManualClock, Ratio, SlidingWindow, WindowConfig};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Sliding window",
    teaches: "What the last 30 s were like: counts are exact, quantiles within 3.2 %, and old news expires.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let window: Box<SlidingWindow> = Box::new(SlidingWindow::new(WindowConfig::DEFAULT)?);
    for call in 0..500u64 {
        let latency = Duration::from_millis(if call % 10 == 0 { 230 } else { 30 });
        window.record(latency, call % 50 != 0, clock.now());
        clock.advance(Duration::from_millis(10));
    }
    for wait in [0, 30] {
        clock.advance(Duration::from_secs(wait));
        let now = clock.now();
        let summary = window.summary(now);
        let quantile = |percent| -> anyhow::Result<String> {
            let quantile = window.quantile(Ratio::percent(percent)?, now);
            Ok(quantile.map_or("none".to_owned(), |latency| format!("{} ms", latency.as_millis())))
        };
        let line = format!(
            "{} calls, {} errors; p50 {}, p95 {}; {} since the start",
            summary.count,
            summary.errors,
            quantile(50)?,
            quantile(95)?,
            summary.total_count,
        );
        board.at(now.saturating_duration_since(Instant::ORIGIN), line);
    }
    Ok(())
}
