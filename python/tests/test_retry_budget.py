"""What `RetryBudget` promises."""

from __future__ import annotations

import inspect
import threading

import pytest

import seawall
from seawall import RetryBudget


def test_successes_earn_a_share_and_retries_spend_it(clock: seawall.ManualClock) -> None:
    budget = RetryBudget(0.25, cap=3, initial=0, clock=clock)
    assert not budget.try_withdraw()
    for _ in range(20):
        budget.deposit()
    assert budget.balance == 3.0
    assert budget.try_withdraw("timeout")
    assert not budget.try_withdraw("timeout")
    assert budget.try_withdraw("hedge")
    assert not budget.try_withdraw(0.000001)
    assert budget.try_withdraw(0)
    budget.refund(0.5)
    assert budget.balance == 0.5
    budget.refund("timeout")
    assert budget.balance == 2.5


def test_what_lies_beyond_the_floor_decays(clock: seawall.ManualClock) -> None:
    budget = RetryBudget(cap=10, initial=10, floor=2, lifetime=10, clock=clock)
    clock.advance(10)
    assert 4.0 < budget.balance < 6.0
    clock.advance(1_000)
    assert budget.balance == 2.0


def test_a_look_takes_nothing_and_says_why(clock: seawall.ManualClock) -> None:
    budget = RetryBudget(initial=1, clock=clock)
    assert budget.peek() is None
    assert budget.peek() is None
    refused = budget.peek(2)
    assert isinstance(refused, seawall.RetryBudgetSpent)
    assert (refused.stage, refused.reason, refused.retry_after) == ("retry_budget", "not_yet", None)
    never = budget.peek(10.5)
    assert never is not None
    assert never.reason == "never"


def test_share_and_cap_change_while_others_call(clock: seawall.ManualClock) -> None:
    budget = RetryBudget(clock=clock)
    budget.set_share(0.5)
    budget.deposit()
    assert (budget.share, budget.balance) == (0.5, 1.5)
    budget.set_cap(1.25)
    assert (budget.cap, budget.balance) == (1.25, 1.25)
    budget.set_cap(0)
    assert not budget.try_withdraw()
    budget.reset()
    assert budget.balance == 0.0


def test_a_clock_that_was_set_can_be_followed(clock: seawall.ManualClock) -> None:
    clock.set(1_000_000)
    budget = RetryBudget(initial=5, clock=clock)
    clock.set(5)
    budget.rebase(1_000_000, 5)
    assert budget.balance == 5.0
    clock.advance(1_000)
    assert budget.balance == 1.0


def test_a_budget_is_made_of_what_is_known_of_the_traffic(clock: seawall.ManualClock) -> None:
    budget = RetryBudget.for_rate(20, 1.0, clock=clock)
    assert (budget.share, budget.cap, budget.balance) == (0.12, 10.0, 1.0)
    small = RetryBudget.for_rate("18/min", 1.0, clock=clock)
    assert small.cap == 1.0
    assert small.peek("timeout") is not None
    assert RetryBudget.for_rate(20, 1.0, share=0.5, cap=3, initial=2).balance == 2.0


def test_a_cap_of_nothing_means_never_a_retry() -> None:
    budget = RetryBudget(cap=0)
    assert (budget.balance, budget.try_withdraw()) == (0.0, False)


def test_bad_settings_are_named_with_what_is_allowed() -> None:
    for settings, kind, message in (
        ({"share": 1.1}, ValueError, "share must be a share from 0.0 to 1.0, not 1.1"),
        ({"share": "all"}, TypeError, "share must be"),
        ({"cap": 1001}, ValueError, "cap must be 0 to 1,000 tokens, not 1001"),
        ({"initial": 11}, ValueError, "the initial tokens of a retry budget are over its cap"),
        ({"floor": -1}, ValueError, "floor must be 0 to 1,000 tokens"),
        ({"floor": 11}, ValueError, "the floor of a retry budget is over its cap"),
        ({"lifetime": 0.05}, ValueError, "the lifetime in a retry budget is under 100 ms"),
        ({"size": 1}, TypeError, "RetryBudget has no setting 'size'"),
    ):
        with pytest.raises(kind, match=message):
            RetryBudget(**settings)
    for cost in (-1, float("nan"), "much", 10_000, None):
        if cost is not None:
            with pytest.raises((ValueError, TypeError), match='cost must be "error", "timeout", "hedge"'):
                RetryBudget().try_withdraw(cost)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout must be over 0"):
        RetryBudget.for_rate(1, 0)


def test_it_shows_its_settings() -> None:
    assert repr(RetryBudget(0.5, cap=4)) == "RetryBudget(share=0.5, cap=4, balance=1)"
    assert str(inspect.signature(RetryBudget)) == (
        "(share=0.1, *, cap=10, initial=1, floor=1, lifetime=10.0, clock=None)"
    )


def test_threads_never_overdraw_it(clock: seawall.ManualClock) -> None:
    budget = RetryBudget(0.1, cap=1000, initial=0, clock=clock)
    withdrawn: list[int] = []

    def work() -> None:
        count = 0
        for _ in range(5_000):
            budget.deposit()
            count += budget.try_withdraw()
        withdrawn.append(count)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert round(sum(withdrawn) + budget.balance, 6) == 2_000.0
