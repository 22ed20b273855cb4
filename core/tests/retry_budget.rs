//! What `RetryBudget` promises.

#![allow(unreachable_pub, reason = "the modules of a test program")]

use portable_atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use seawall::{
    Instant, Rate, Ratio, Reason, RetryBudget, RetryBudgetConfig, RetryBudgetError, RetryCost, RetryTokens, Stage,
};

#[path = "oracle/retry_budget.rs"]
mod oracle;
mod support;

use oracle::{Oracle, TOKEN};

const SECOND: u64 = 1_000_000_000;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn millionths(amount: u64) -> RetryTokens {
    RetryTokens::from_millionths(u32::try_from(amount).expect("an amount of 32 bits"))
}

fn budget(share: u64, cap: u64, initial: u64, floor: u64, lifetime_ns: u64, origin: u64) -> RetryBudget {
    let config = RetryBudgetConfig {
        share: Ratio::from_ppm(share as u32).unwrap(),
        cap: millionths(cap),
        initial: millionths(initial),
        floor: millionths(floor),
        lifetime: Duration::from_nanos(lifetime_ns),
    };
    RetryBudget::new(config, at(origin)).unwrap()
}

fn balance(budget: &RetryBudget, now: u64) -> u64 {
    budget.balance(at(now)).as_millionths().into()
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Deposit,
    Withdraw(u64),
    Refund(u64),
    Look,
}

fn calls() -> impl Strategy<Value = Vec<(Call, u64)>> {
    let amount = prop_oneof![Just(TOKEN), Just(2 * TOKEN), 1..3_000_000_u64, Just(u64::from(u32::MAX))];
    let call = prop_oneof![
        4 => Just(Call::Deposit),
        2 => amount.clone().prop_map(Call::Withdraw),
        1 => amount.prop_map(Call::Refund),
        3 => Just(Call::Look),
    ];
    // Readings that run ahead, fall behind and jump to the ends of the range.
    let now = prop_oneof![12 => 0..60 * SECOND, 4 => 0..10_000 * SECOND, 1 => any::<u64>(), 1 => Just(u64::MAX)];
    proptest::collection::vec((call, now), 1..60)
}

proptest! {
    #[test]
    fn every_balance_is_the_one_of_the_oracle_whoever_looked_in_between(
        share in 1..=TOKEN, amounts in (0..=1_000 * TOKEN, 0..=1_000_u64, 0..=1_000_u64),
        lifetime in prop_oneof![SECOND / 10..100 * SECOND, SECOND / 10..=u64::MAX], origin in 0..20 * SECOND,
        calls in calls(), sorted in any::<bool>(),
    ) {
        let (cap, initial, floor) = (amounts.0, amounts.0 * amounts.1 / 1_000, amounts.0 * amounts.2 / 1_000);
        let mut oracle = Oracle::new(share, cap, initial, floor, lifetime, origin);
        let product = budget(share, cap, initial, floor, lifetime, origin);
        let mut calls = calls;
        if sorted {
            calls.sort_by_key(|(_, now)| *now);
        }
        for (call, now) in calls {
            match call {
                Call::Deposit => {
                    oracle.deposit(now);
                    product.deposit(at(now));
                }
                Call::Refund(amount) => {
                    oracle.refund(amount, now);
                    product.refund(RetryCost::Tokens(millionths(amount)), at(now));
                }
                Call::Withdraw(amount) => {
                    let got = product.try_withdraw(RetryCost::Tokens(millionths(amount)), at(now));
                    prop_assert_eq!(got.is_ok(), oracle.withdraw(amount, now).is_ok(), "{} at {}", amount, now);
                }
                Call::Look => {}
            }
            prop_assert_eq!(balance(&product, now), oracle.balance(now), "{:?} at {}", call, now);
        }
    }
}

#[test]
fn a_share_of_six_tenths_pays_for_exactly_six_retries_of_ten() {
    for (percent, paid) in [(60, 6_000), (10, 1_000), (33, 3_300), (100, 10_000), (1, 100), (0, 0)] {
        let budget = budget(percent * 10_000, 10 * TOKEN, 0, 0, u64::MAX, 0);
        let mut granted = 0;
        for _ in 0..10_000 {
            budget.deposit(at(0));
            granted += u32::from(budget.try_withdraw(RetryCost::Error, at(0)).is_ok());
        }
        assert_eq!(granted, paid, "{percent} per cent");
    }
}

#[test]
fn a_dead_service_is_sent_no_more_retries_than_the_budget_holds() {
    let budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, at(0)).unwrap();
    for second in 0..1_000 {
        for _ in 0..100 {
            budget.deposit(at(second * SECOND));
        }
    }
    let granted = (0..1_000_000)
        .filter(|n| budget.try_withdraw(RetryCost::Error, at(1_000 * SECOND + n * 1_000)).is_ok())
        .count();
    // The cap, less what a second of decay took.
    assert!((8..=10).contains(&granted), "{granted}");
}

#[test]
fn costs_differ_by_kind_and_a_hedge_costs_as_much_as_a_retry() {
    for (cost, tokens) in [
        (RetryCost::Error, 1),
        (RetryCost::Hedge, 1),
        (RetryCost::Timeout, 2),
        (RetryCost::Tokens(RetryTokens::whole(3)), 3),
    ] {
        let budget = budget(0, 6 * TOKEN, 6 * TOKEN, 6 * TOKEN, u64::MAX, 0);
        let granted = (0..10).filter(|_| budget.try_withdraw(cost, at(0)).is_ok()).count();
        assert_eq!(granted, 6 / tokens, "{cost:?}");
    }
}

#[test]
fn the_standing_balance_follows_the_traffic_that_is_really_seen() {
    // share x rate x lifetime beyond the floor: 0.1 x r x 10 s.
    for (per_second, expected) in [(1_u64, 1.0), (5, 5.0), (40, 40.0)] {
        let budget = budget(100_000, 100 * TOKEN, TOKEN, TOKEN, 10 * SECOND, 0);
        let mut now = 0;
        while now < 200 * SECOND {
            budget.deposit(at(now));
            now += SECOND / per_second;
        }
        let beyond = balance(&budget, now) as f64 / TOKEN as f64 - 1.0;
        assert!((beyond / expected - 1.0).abs() < 0.11, "{per_second}/s: {beyond} beyond the floor");
    }
}

#[test]
fn tokens_beyond_the_floor_are_gone_after_a_long_idle_time_and_those_below_it_stay() {
    let rich = budget(0, 1_000 * TOKEN, 1_000 * TOKEN, TOKEN, SECOND / 10, 0);
    let mut last = balance(&rich, 0);
    for tenth in 1..=25 {
        let now = balance(&rich, tenth * SECOND / 10);
        assert!(now < last || now == TOKEN);
        last = now;
    }
    // A mean lifetime takes 1 - (15/16)^16 = 64 per cent.
    let exact = 999 * u128::from(TOKEN) * 15_u128.pow(16) / 16_u128.pow(16);
    let after_one = u128::from(balance(&rich, SECOND / 10) - TOKEN);
    assert!(after_one <= exact && after_one + 16 >= exact, "one lifetime: {after_one} instead of {exact}");
    assert_eq!(balance(&rich, 365 * 86_400 * SECOND), TOKEN);
    let poor = budget(0, 10 * TOKEN, TOKEN / 2, TOKEN, SECOND / 10, 0);
    assert_eq!(balance(&poor, u64::MAX), TOKEN / 2);
}

#[test]
fn an_older_reading_means_that_no_time_has_passed() {
    let budget = budget(100_000, 100 * TOKEN, 50 * TOKEN, 0, SECOND, 0);
    budget.deposit(at(5 * SECOND));
    let then = balance(&budget, 5 * SECOND);
    assert_eq!(balance(&budget, 0), then);
    budget.deposit(at(0));
    assert_eq!(balance(&budget, 5 * SECOND), then + 100_000);
}

#[test]
fn one_absurd_reading_costs_no_more_than_the_tokens_beyond_the_floor() {
    let budget = budget(500_000, 10 * TOKEN, 10 * TOKEN, TOKEN, SECOND, 0);
    budget.deposit(at(u64::MAX));
    assert_eq!(balance(&budget, SECOND), TOKEN + 500_000);
    // It still earns and spends; only the decay waits for the clock, or for `rebase`.
    budget.deposit(at(SECOND));
    assert!(budget.try_withdraw(RetryCost::Timeout, at(SECOND)).is_ok());
    budget.refund(RetryCost::Timeout, at(SECOND));
    assert_eq!(balance(&budget, 2 * SECOND), 2 * TOKEN);
    budget.rebase(at(u64::MAX), at(2 * SECOND));
    assert_eq!(balance(&budget, 2 * SECOND), 2 * TOKEN);
    assert!(balance(&budget, 3 * SECOND) < 2 * TOKEN);
}

#[test]
fn rebase_keeps_the_balance_in_both_directions() {
    for (old, new) in [(100 * SECOND, 0), (0, 100 * SECOND), (u64::MAX, 7), (7, u64::MAX - 10 * SECOND)] {
        let budget = budget(0, 10 * TOKEN, 10 * TOKEN, 0, 4 * SECOND, old);
        let next = old.saturating_add(SECOND);
        let before = balance(&budget, next);
        budget.rebase(at(next), at(new));
        assert_eq!(balance(&budget, new), before);
        assert!(balance(&budget, new + SECOND) < before);
    }
}

#[test]
fn a_refusal_says_who_and_why_and_changes_nothing() {
    let budget = budget(0, 2 * TOKEN, TOKEN, 0, 16 * SECOND, 0);
    let refused = budget.try_withdraw(RetryCost::Timeout, at(0)).unwrap_err();
    assert_eq!((refused.stage(), refused.reason(), refused.retry_after()), (Stage::RetryBudget, Reason::NotYet, None));
    let never = budget.try_withdraw(RetryCost::Tokens(RetryTokens::whole(3)), at(0)).unwrap_err();
    assert_eq!((never.stage(), never.reason()), (Stage::RetryBudget, Reason::Never));
    // A refusal at a late instant that had settled the state would show at an early one.
    assert!(budget.try_withdraw(RetryCost::Timeout, at(100 * SECOND)).is_err());
    assert_eq!(balance(&budget, 0), TOKEN);
}

#[test]
fn a_look_answers_as_a_withdrawal_would_and_takes_nothing() {
    let budget = budget(100_000, 5 * TOKEN, 2 * TOKEN, 0, SECOND, 0);
    for (cost, now) in [(0, 0), (2 * TOKEN, 0), (2 * TOKEN + 1, 0), (5 * TOKEN, 0), (5 * TOKEN + 1, 0), (TOKEN, SECOND)]
    {
        let cost = RetryCost::Tokens(millionths(cost));
        let before = budget.balance(at(now));
        let seen = budget.peek(cost, at(now));
        assert_eq!(budget.balance(at(now)), before);
        let answer = budget.try_withdraw(cost, at(now));
        assert_eq!(seen, answer, "{cost:?} at {now}");
        if answer.is_ok() {
            budget.refund(cost, at(now));
        }
    }
    assert_eq!((budget.share(), budget.cap()), (Ratio::from_ppm(100_000).unwrap(), millionths(5 * TOKEN)));
}

#[test]
fn a_new_share_or_cap_holds_from_now_on_and_does_not_touch_the_past() {
    let budget = budget(100_000, 10 * TOKEN, 5 * TOKEN, TOKEN, u64::MAX, 0);
    budget.set_share(Ratio::ONE);
    assert_eq!(balance(&budget, 0), 5 * TOKEN);
    budget.deposit(at(0));
    assert_eq!(balance(&budget, 0), 6 * TOKEN);
    budget.set_cap(RetryTokens::whole(2)).unwrap();
    assert_eq!(balance(&budget, 0), 2 * TOKEN);
    budget.deposit(at(0));
    budget.set_cap(RetryTokens::whole(10)).unwrap();
    assert_eq!(balance(&budget, 0), 2 * TOKEN);
    assert_eq!(budget.set_cap(RetryTokens::whole(1_001)), Err(RetryBudgetError::CapTooLarge));
    budget.set_cap(RetryTokens::ZERO).unwrap();
    assert_eq!(budget.try_withdraw(RetryCost::Error, at(0)).unwrap_err().reason(), Reason::Never);
}

#[test]
fn a_floor_over_the_cap_counts_as_the_cap() {
    let budget = budget(0, 10 * TOKEN, 8 * TOKEN, 8 * TOKEN, SECOND, 0);
    budget.set_cap(RetryTokens::whole(3)).unwrap();
    assert_eq!(balance(&budget, 1_000 * SECOND), 3 * TOKEN);
    budget.try_withdraw(RetryCost::Error, at(1_000 * SECOND)).unwrap();
    budget.set_cap(RetryTokens::whole(10)).unwrap();
    assert_eq!(balance(&budget, 1_000 * SECOND), 2 * TOKEN);
}

#[test]
fn a_client_so_small_that_its_cap_is_one_token_retries_errors_and_never_time_outs() {
    let config = RetryBudgetConfig::from_rate(Rate::per_minute(1), Duration::from_secs(1));
    let budget = RetryBudget::new(config, at(0)).unwrap();
    assert_eq!(budget.try_withdraw(RetryCost::Timeout, at(0)).unwrap_err().reason(), Reason::Never);
    assert!(budget.try_withdraw(RetryCost::Error, at(0)).is_ok());
}

#[test]
fn a_wrong_configuration_is_an_error_that_says_what_is_allowed() {
    let right = RetryBudgetConfig::DEFAULT;
    let wrong = [
        (RetryBudgetConfig { cap: RetryTokens::whole(1_001), ..right }, RetryBudgetError::CapTooLarge),
        (RetryBudgetConfig { initial: RetryTokens::whole(11), ..right }, RetryBudgetError::InitialOverCap),
        (RetryBudgetConfig { floor: RetryTokens::whole(11), ..right }, RetryBudgetError::FloorOverCap),
        (RetryBudgetConfig { lifetime: Duration::from_millis(99), ..right }, RetryBudgetError::LifetimeTooShort),
    ];
    for (config, error) in wrong {
        assert_eq!(RetryBudget::new(config, at(0)).unwrap_err(), error);
        assert!(error.to_string().contains("allowed are"), "{error}");
    }
}

#[test]
fn what_a_user_knows_of_the_traffic_makes_a_budget_for_every_size() {
    let of = |count, period: u64, timeout: u64| {
        let rate = Rate::new(count, Duration::from_secs(period)).unwrap();
        let config = RetryBudgetConfig::from_rate(rate, Duration::from_millis(timeout));
        assert!(RetryBudget::new(config, at(0)).is_ok(), "{config:?}");
        (config.cap.as_millionths(), config.initial.as_millionths(), config.lifetime.as_secs())
    };
    assert_eq!(of(3, 10, 1_000), (1_000_000, 1_000_000, 60), "0.3/s");
    assert_eq!(of(5, 1, 1_000), (5_000_000, 1_000_000, 60), "5/s");
    assert_eq!(of(15, 1, 500), (7_500_000, 1_000_000, 30), "15/s at half a second");
    assert_eq!(of(20, 1, 1_000), (10_000_000, 1_000_000, 60), "20/s");
    assert_eq!(of(1_000, 1, 1_000), (10_000_000, 1_000_000, 60), "1000/s");
    assert_eq!(of(0, 1, 0), (1_000_000, 1_000_000, 1), "nothing known");
    assert_eq!(of(1, 1, 365_000), (10_000_000, 1_000_000, 3_600), "six minutes of time-out");
    assert_eq!(of(u64::MAX, 1, u64::MAX), (10_000_000, 1_000_000, 3_600), "everything");
}

#[test]
fn threads_never_overdraw_and_nothing_is_lost() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 20_000;
    // Nothing decays and the cap is out of reach: the account has to balance to the millionth.
    let budget = budget(70_001, 1_000 * TOKEN, 3 * TOKEN, 0, u64::MAX, 0);
    let (deposited, withdrawn) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (budget, deposited, withdrawn) = (&budget, &deposited, &withdrawn);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    // Readings of four clocks that disagree.
                    let now = at(round * 1_000 + thread * 50_000);
                    if round % 4 < 2 {
                        budget.deposit(now);
                        deposited.fetch_add(70_001, Ordering::Relaxed);
                    } else if budget.try_withdraw(RetryCost::Error, now).is_ok() {
                        if round % 8 == 3 {
                            budget.refund(RetryCost::Error, now);
                        } else {
                            withdrawn.fetch_add(TOKEN, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let (deposited, withdrawn) = (deposited.into_inner(), withdrawn.into_inner());
    assert_eq!(balance(&budget, 0), 3 * TOKEN + deposited - withdrawn);
    assert!(withdrawn > 0);
}

#[test]
fn threads_never_overdraw_while_time_passes_unevenly() {
    const ROUNDS: u64 = 20_000;
    let budget = budget(250_000, 5 * TOKEN, 5 * TOKEN, TOKEN, SECOND / 10, 0);
    let withdrawn = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            let (budget, withdrawn) = (&budget, &withdrawn);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    // Four clocks of different speed, and now and then a reading from the beginning.
                    let now = at(if round % 97 == 0 { 0 } else { round * thread * 10_000 });
                    if round % 2 == 0 {
                        budget.deposit(now);
                    } else if budget.try_withdraw(RetryCost::Error, now).is_ok() {
                        withdrawn.fetch_add(TOKEN, Ordering::Relaxed);
                    }
                    assert!(budget.balance(now) <= RetryTokens::whole(5));
                }
            });
        }
    });
    let earned = 5 * TOKEN + 4 * ROUNDS / 2 * 250_000;
    let (withdrawn, left) = (withdrawn.into_inner(), balance(&budget, 0));
    assert!(withdrawn + left <= earned, "{withdrawn} withdrawn and {left} left of {earned}");
    assert!(withdrawn > earned / 2);
}

fn vector_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for (share, cap, initial, floor, lifetime, origin) in [
        (100_000, 10 * TOKEN, TOKEN, TOKEN, 10 * SECOND, 0),
        (600_000, 1_000 * TOKEN, 0, 0, SECOND / 10, 5 * SECOND),
        (333_333, 3 * TOKEN, 3 * TOKEN, TOKEN / 2, 7_654_321_987, 1),
        (1, 0, 0, 0, u64::MAX, u64::MAX),
    ] {
        let mut oracle = Oracle::new(share, cap, initial, floor, lifetime, origin);
        lines.push(format!(
            "new share_ppm={share} cap={cap} initial={initial} floor={floor} lifetime_ns={lifetime} now={origin} -> ok"
        ));
        let mut seed = share;
        for step in 0..120_u64 {
            // Any fixed sequence will do: a linear congruence, independent of the product's generator.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let dice = seed >> 33;
            let late = if step == 110 { u64::MAX } else { step * SECOND / 7 };
            let now = if dice % 11 == 0 { late / 2 } else { late };
            match dice % 7 {
                0..=3 => {
                    oracle.deposit(now);
                    lines.push(format!("deposit now={now} -> ok"));
                }
                4 | 5 => {
                    let cost = TOKEN * (1 + dice % 2);
                    let decision = match oracle.withdraw(cost, now) {
                        Ok(()) => "ok".into(),
                        Err(reason) => format!("refused reason={reason}"),
                    };
                    lines.push(format!("try_withdraw cost={cost} now={now} -> {decision}"));
                }
                _ => {
                    oracle.refund(TOKEN, now);
                    lines.push(format!("refund cost={TOKEN} now={now} -> ok"));
                }
            }
            lines.push(format!("balance now={now} -> tokens={}", oracle.balance(now)));
        }
    }
    lines
}

#[test]
fn the_vectors_replay() {
    let mut budget = RetryBudget::new(RetryBudgetConfig::DEFAULT, at(0)).unwrap();
    support::vectors::check("retry_budget", &vector_lines(), |step| {
        let now = at(step.number("now"));
        let cost = || RetryCost::Tokens(millionths(step.number("cost")));
        match step.operation {
            "new" => {
                let config = RetryBudgetConfig {
                    share: Ratio::from_ppm(step.number("share_ppm") as u32).unwrap(),
                    cap: millionths(step.number("cap")),
                    initial: millionths(step.number("initial")),
                    floor: millionths(step.number("floor")),
                    lifetime: Duration::from_nanos(step.number("lifetime_ns")),
                };
                budget = RetryBudget::new(config, now).unwrap();
            }
            "deposit" => budget.deposit(now),
            "refund" => budget.refund(cost(), now),
            "try_withdraw" => {
                if let Err(refused) = budget.try_withdraw(cost(), now) {
                    let reason = if refused.reason() == Reason::Never { "never" } else { "not_yet" };
                    return format!("refused reason={reason}");
                }
            }
            "balance" => return format!("tokens={}", budget.balance(now).as_millionths()),
            other => panic!("no operation {other}"),
        }
        "ok".into()
    });
}

#[test]
fn a_reset_is_as_a_new_budget_but_for_what_was_set() {
    let budget = budget(TOKEN / 2, 5 * TOKEN, 2 * TOKEN, TOKEN, SECOND, 0);
    let late = at(u64::MAX);
    assert!(budget.try_withdraw(RetryCost::Error, late).is_ok());
    budget.reset(at(SECOND));
    assert_eq!(budget.balance(at(SECOND)), millionths(2 * TOKEN));
    // It decays on the new clock: a sixteenth of the one token beyond the floor in a sixteenth of a second.
    assert_eq!(budget.balance(at(SECOND + SECOND / 16)), millionths(2 * TOKEN - TOKEN / 16));
    budget.set_cap(RetryTokens::ONE).unwrap();
    budget.reset(at(0));
    assert_eq!(budget.balance(at(0)), RetryTokens::ONE);
}
