//! The retry budget under the schedules that loom explores: nothing is overdrawn, nothing is lost, time passes once.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use seawall::{Instant, Ratio, RetryBudget, RetryBudgetConfig, RetryCost, RetryTokens};
use std::time::Duration;

use crate::harness::{Preemptions, check, must_fail};

const TICK: u64 = 10_000_000;
const SECOND_STEP: &str = "retry_budget: check and take are two steps";
const CLOCK_BACK: &str = "retry_budget: a stale reading turns the clock back";
const FORGETS: &str = "retry_budget: a settlement forgets its instant";

/// Half a token a deposit, no floor, sixteen ticks of 10 ms.
fn budget(cap: u32, initial: u32) -> Arc<RetryBudget> {
    let config = RetryBudgetConfig {
        share: Ratio::HALF,
        cap: RetryTokens::whole(cap),
        initial: RetryTokens::whole(initial),
        floor: RetryTokens::ZERO,
        lifetime: Duration::from_nanos(16 * TICK),
    };
    Arc::new(RetryBudget::new(config, Instant::ORIGIN).unwrap())
}

fn at(tick: u64) -> Instant {
    Instant::from_nanos(tick * TICK)
}

fn take(budget: &RetryBudget, now: Instant) -> u32 {
    u32::from(budget.try_withdraw(RetryCost::Error, now).is_ok())
}

fn tokens(budget: &RetryBudget, now: Instant) -> u32 {
    budget.balance(now).as_millionths()
}

/// `threads` takers, one token less than they want.
fn takers(threads: usize) -> impl Fn() + Send + Sync + 'static {
    move || {
        let budget = budget(10, threads as u32 - 1);
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let budget = budget.clone();
                thread::spawn(move || take(&budget, at(0)))
            })
            .collect();
        let own = take(&budget, at(0));
        let granted = own + others.into_iter().map(|other| other.join().unwrap()).sum::<u32>();
        assert_eq!(granted, threads as u32 - 1, "one taker too many, or one too few");
        assert_eq!(tokens(&budget, at(0)), 0);
    }
}

/// Two deposits and two withdrawals at once: the account balances.
fn earning_and_spending() {
    let budget = budget(10, 1);
    let depositor = {
        let budget = budget.clone();
        thread::spawn(move || {
            budget.deposit(at(0));
            budget.deposit(at(0));
        })
    };
    let granted = take(&budget, at(0)) + take(&budget, at(0));
    depositor.join().unwrap();
    assert!(granted >= 1);
    assert_eq!(tokens(&budget, at(0)), 2_000_000 - 1_000_000 * granted);
}

/// A taker, a depositor and a clock that ticks; readings grow stale between the look at the clock and its use.
fn a_moving_clock() {
    let budget = budget(10, 4);
    let clock = Arc::new(AtomicU64::new(0));
    let (depositor, hand) = {
        let (budget, clock, ticking) = (budget.clone(), clock.clone(), clock.clone());
        (
            thread::spawn(move || budget.deposit(at(clock.load(Ordering::Relaxed)))),
            thread::spawn(move || {
                ticking.store(1, Ordering::Relaxed);
                ticking.store(2, Ordering::Relaxed);
            }),
        )
    };
    let granted = take(&budget, at(clock.load(Ordering::Relaxed)));
    depositor.join().unwrap();
    hand.join().unwrap();
    assert_eq!(granted, 1);
    let left = tokens(&budget, at(2));
    // All at the start, then two ticks of decay; or two ticks of decay of the four, and all at the end.
    let aged = |amount: u32| amount - amount.div_ceil(16);
    assert!(left >= aged(aged(4_000_000)) - 1_000_000 + aged(aged(500_000)), "{left}: time passed twice");
    assert!(left <= aged(aged(3_000_000)) + 500_000, "{left}: time did not pass");
}

/// One thread is at tick 3, the other brings readings of tick 0: the second must not make the first's time pass again.
fn a_stale_reading() {
    let budget = budget(10, 8);
    let stale = {
        let budget = budget.clone();
        thread::spawn(move || {
            budget.deposit(at(0));
            budget.deposit(at(0));
        })
    };
    budget.deposit(at(3));
    stale.join().unwrap();
    let aged = |amount: u32| (0..3).fold(amount, |left, _| left - left.div_ceil(16));
    let left = tokens(&budget, at(3));
    assert!(left >= aged(9_000_000) + 500_000, "{left}: three ticks counted more than once");
    assert!(left <= aged(8_000_000) + 1_500_000, "{left}: three ticks did not count");
}

/// Refunds and withdrawals at the cap: never above it, never lost below it.
fn refunds_at_the_cap() {
    let budget = budget(2, 2);
    let refunder = {
        let budget = budget.clone();
        thread::spawn(move || {
            let granted = take(&budget, at(0));
            budget.refund(RetryCost::Error, at(0));
            granted
        })
    };
    let own = take(&budget, at(0));
    let seen = tokens(&budget, at(0));
    assert!(seen <= 2_000_000);
    assert_eq!((own, refunder.join().unwrap()), (1, 1));
    assert_eq!(tokens(&budget, at(0)), 1_000_000);
}

/// The clock steps back and is re-anchored while another thread, still on the old clock, spends.
fn a_rebase() {
    let budget = budget(10, 4);
    budget.deposit(at(100));
    budget.refund(RetryCost::Tokens(RetryTokens::whole(4)), at(100));
    let before = tokens(&budget, at(100));
    let spender = {
        let budget = budget.clone();
        thread::spawn(move || take(&budget, at(100)))
    };
    budget.rebase(at(100), at(5));
    let granted = spender.join().unwrap();
    let after = tokens(&budget, at(5));
    assert!(after <= before - 1_000_000 * granted, "a step of the clock brought tokens in");
}

/// A reset while two others spend the only token: at most that of before and that of after are spent.
fn a_reset() {
    let budget = budget(10, 1);
    let spender = {
        let budget = budget.clone();
        thread::spawn(move || take(&budget, at(0)))
    };
    let resetter = {
        let budget = budget.clone();
        thread::spawn(move || budget.reset(at(5)))
    };
    let granted = take(&budget, at(0)) + spender.join().unwrap();
    resetter.join().unwrap();
    let left = tokens(&budget, at(5)) / 1_000_000;
    assert!((1..=2).contains(&(granted + left)), "{granted} spent and {left} left of one and one");
}

#[test]
fn retry_budget_two_takers_never_overdraw() {
    check("retry_budget_two_takers", Preemptions::Unbounded, takers(2));
}

#[test]
fn retry_budget_three_takers_never_overdraw() {
    check("retry_budget_three_takers", Preemptions::AtMost(3), takers(3));
}

#[test]
fn retry_budget_account_balances() {
    check("retry_budget_earning_and_spending", Preemptions::Unbounded, earning_and_spending);
}

#[test]
fn retry_budget_time_passes_once() {
    check("retry_budget_moving_clock", Preemptions::AtMost(3), a_moving_clock);
    check("retry_budget_stale_reading", Preemptions::Unbounded, a_stale_reading);
}

#[test]
fn retry_budget_refunds_stay_under_the_cap() {
    check("retry_budget_refunds", Preemptions::Unbounded, refunds_at_the_cap);
}

#[test]
fn retry_budget_rebase_brings_nothing_in() {
    check("retry_budget_rebase", Preemptions::Unbounded, a_rebase);
}

#[test]
fn retry_budget_reset_brings_in_the_initial_tokens_alone() {
    check("retry_budget_reset", Preemptions::AtMost(3), a_reset);
}

#[test]
fn retry_budget_one_step_is_needed() {
    must_fail("retry_budget_reset", SECOND_STEP, Preemptions::Unbounded, a_reset);
    must_fail("retry_budget_two_takers", SECOND_STEP, Preemptions::Unbounded, takers(2));
    must_fail("retry_budget_three_takers", SECOND_STEP, Preemptions::AtMost(3), takers(3));
    must_fail("retry_budget_earning_and_spending", SECOND_STEP, Preemptions::Unbounded, earning_and_spending);
    must_fail("retry_budget_refunds", SECOND_STEP, Preemptions::Unbounded, refunds_at_the_cap);
    must_fail("retry_budget_rebase", SECOND_STEP, Preemptions::Unbounded, a_rebase);
}

#[test]
fn retry_budget_the_instant_of_settlement_is_needed() {
    must_fail("retry_budget_stale_reading", CLOCK_BACK, Preemptions::Unbounded, a_stale_reading);
    must_fail("retry_budget_stale_reading", FORGETS, Preemptions::Unbounded, a_stale_reading);
    must_fail("retry_budget_moving_clock", CLOCK_BACK, Preemptions::AtMost(3), a_moving_clock);
    must_fail("retry_budget_moving_clock", FORGETS, Preemptions::AtMost(3), a_moving_clock);
}
