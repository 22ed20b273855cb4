//! The retry budget.

use std::time::Duration;

use seawall::{Clock, Instant, ManualClock, RetryBudget, RetryBudgetConfig, RetryCost};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Retry budget",
    teaches: "Retries are paid for by successes: when nothing succeeds, nothing is sent again.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, clock.now())?;
    for second in 1..=4u64 {
        clock.advance(Duration::from_secs(1));
        let (calls, succeed) = (100, second != 3);
        let (mut retried, mut refused) = (0, 0);
        for call in 0..calls {
            if succeed && call % 20 != 0 {
                budget.deposit(clock.now());
            } else if budget.try_withdraw(RetryCost::Error, clock.now()).is_ok() {
                retried += 1;
            } else {
                refused += 1;
            }
        }
        let service = if succeed { "5 % fail" } else { "the service is down" };
        let outcome = format!("{service}: {retried} retries for {calls} calls, {refused} refused");
        board.at(Duration::from_secs(second), outcome);
    }
    Ok(())
}
