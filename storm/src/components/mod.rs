//! Each mechanism alone, as a lesson of a few lines, on a clock that is moved by hand.
//!
//! What is printed is what the mechanism answered just now, not what it should have answered.

mod aimd_controller;
mod circuit_breaker;
mod concurrency_limit;
mod retry_budget;
mod retry_strategy;
mod sliding_window;

use std::fmt::Write;
use std::time::Duration;

/// A mechanism and what it is good for.
struct Lesson {
    name: &'static str,
    teaches: &'static str,
    show: fn(&mut Board) -> anyhow::Result<()>,
}

/// The lessons, in the order in which a service takes the mechanisms up.
const LESSONS: [Lesson; 6] = [
    retry_strategy::LESSON,
    retry_budget::LESSON,
    circuit_breaker::LESSON,
    concurrency_limit::LESSON,
    sliding_window::LESSON,
    aimd_controller::LESSON,
];

/// What a lesson writes on.
#[derive(Debug, Default)]
struct Board(String);

impl Board {
    /// A line of what happened at `at`.
    fn at(&mut self, at: Duration, what: impl std::fmt::Display) {
        let _ = writeln!(self.0, "  {:>7.1} s  {what}", at.as_secs_f64());
    }

    /// A line beside the clock.
    fn say(&mut self, what: impl std::fmt::Display) {
        let _ = writeln!(self.0, "             {what}");
    }
}

/// All lessons as text.
pub(crate) fn lessons() -> anyhow::Result<String> {
    let mut text = String::new();
    for lesson in LESSONS {
        let mut board = Board::default();
        (lesson.show)(&mut board)?;
        writeln!(text, "{}\n{}\n{}", lesson.name, lesson.teaches, board.0)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_says_something_and_the_same_every_time() {
        let first = lessons().unwrap();
        assert!(LESSONS.iter().all(|lesson| first.contains(lesson.name)));
        assert_eq!(first, lessons().unwrap());
    }
}
