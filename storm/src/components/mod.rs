//! Each mechanism alone, as a lesson of a few lines, on a clock that is moved by hand.
//!
//! What is printed is what the mechanism answered just now, not what it should have answered.

mod aimd_controller;
mod circuit_breaker;
mod concurrency_limit;
mod guard;
mod keyed_buckets;
mod recorder;
mod retry_budget;
mod retry_strategy;
mod sliding_window;
mod token_bucket;
mod warm_up;

use std::fmt::Write;
use std::time::Duration;

/// A mechanism and what it is good for.
struct Lesson {
    name: &'static str,
    teaches: &'static str,
    show: fn(&mut Board) -> anyhow::Result<()>,
}

/// The lessons, in the order in which a service takes the mechanisms up.
const LESSONS: [Lesson; 11] = [
    token_bucket::LESSON,
    warm_up::LESSON,
    retry_strategy::LESSON,
    retry_budget::LESSON,
    circuit_breaker::LESSON,
    concurrency_limit::LESSON,
    sliding_window::LESSON,
    aimd_controller::LESSON,
    keyed_buckets::LESSON,
    guard::LESSON,
    recorder::LESSON,
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

    /// What a lesson wrote.
    fn written(lesson: &Lesson) -> String {
        let mut board = Board::default();
        (lesson.show)(&mut board).unwrap();
        board.0
    }

    /// A lesson wrote all of this, in this order.
    fn teaches(lesson: &Lesson, facts: &[&str]) {
        let text = written(lesson);
        let mut rest = text.as_str();
        for fact in facts {
            let Some((_, after)) = rest.split_once(fact) else { panic!("no {fact:?} in its place:\n{text}") };
            rest = after;
        }
    }

    #[test]
    fn the_token_bucket_saves_up_a_burst_and_never_more() {
        teaches(
            &token_bucket::LESSON,
            &[
                "3 go at once",
                "in 100ms",
                "1 goes",
                "50 go",
                "3 go at once, and not the 600",
                "0 go at once, 2 in 20 ms",
            ],
        );
    }

    #[test]
    fn a_warm_up_begins_at_a_tenth_and_ends_at_the_target() {
        let facts = ["none 40   linear  9   doubling  6   step  4", "none 40   linear 40   doubling 40   step 40"];
        teaches(&warm_up::LESSON, &facts);
    }

    #[test]
    fn two_clients_wait_by_two_schedules_and_never_less_than_the_server_says() {
        let text = written(&retry_strategy::LESSON);
        let waits = |client| text.lines().find_map(|line| line.trim().strip_prefix(client));
        assert_ne!(waits("one client"), waits("another"));
        teaches(&retry_strategy::LESSON, &["all attempts are made", "all attempts are made", "so it waits 7s"]);
    }

    #[test]
    fn a_service_that_is_down_earns_no_retries() {
        let facts = ["5 retries for 100 calls, 0 refused", "the service is down: 8 retries for 100 calls, 92 refused"];
        teaches(&retry_budget::LESSON, &facts);
    }

    #[test]
    fn the_breaker_opens_probes_and_closes_again() {
        let facts = ["closed -> open", "open -> half-open", "half-open -> closed", "refused without a packet"];
        teaches(&circuit_breaker::LESSON, &facts);
    }

    #[test]
    fn the_limit_grows_while_answers_are_fast_and_yields_when_they_are_slow() {
        let text = written(&concurrency_limit::LESSON);
        let limits: Vec<u32> = text.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        assert!(limits[0] > limits[1] && limits[1] < limits[2], "{text}");
    }

    #[test]
    fn the_window_counts_exactly_and_forgets_what_is_old() {
        teaches(&sliding_window::LESSON, &["500 calls, 10 errors", "p95 230 ms", "0 calls, 0 errors; p50 none"]);
    }

    #[test]
    fn the_controller_steps_up_while_all_is_well_and_is_cut_by_errors() {
        teaches(&aimd_controller::LESSON, &["5.0/s -> 6.0/s: healthy", "8.0/s -> 4.0/s: errors", "-> 5.0/s: healthy"]);
    }

    #[test]
    fn the_guard_says_who_holds_a_call_and_drains_when_the_service_is_back() {
        teaches(
            &guard::LESSON,
            &["all is well: 30 sent, 30 done", "Retry-After", "by the pause", "down", "by the circuit breaker", "back"],
        );
        let text = written(&guard::LESSON);
        let back = text.lines().find(|line| line.contains("it is back")).unwrap();
        assert!(back.ends_with("0 given up, 0 wait"), "{text}");
        // Down for 3 s with 10 calls a second: a few attempts ask, not thirty.
        let down = text.lines().find(|line| line.contains("is down")).unwrap();
        let sent: u32 = down.split("down: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((1..=15).contains(&sent), "{text}");
    }
}
