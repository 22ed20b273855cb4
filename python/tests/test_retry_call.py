"""A call by hand, as transports make it."""

from __future__ import annotations

import pytest

import seawall


@pytest.fixture
def budget(clock: seawall.ManualClock) -> seawall.RetryBudget:
    return seawall.RetryBudget(initial=9, floor=9, clock=clock)


@pytest.fixture
def strategy(clock: seawall.ManualClock, budget: seawall.RetryBudget) -> seawall.RetryStrategy:
    return seawall.RetryStrategy(3, 1.0, jitter="none", clock=clock, budget=budget)


def test_whoever_sleeps_by_himself_is_given_the_delays(
    strategy: seawall.RetryStrategy, budget: seawall.RetryBudget
) -> None:
    call = strategy.begin()
    assert (call.attempts, call.give_up_reason) == (1, None)
    assert call.failed("retryable") == 1.0
    assert call.failed("timeout") == 2.0
    assert (call.attempts, budget.balance) == (2, 6.0)
    assert call.failed(ConnectionError()) is None
    assert (call.attempts, call.give_up_reason) == (3, "attempts_exhausted")
    assert repr(call) == "RetryCall(attempts=3, give_up_reason='attempts_exhausted')"
    # What is over stays so.
    assert call.failed("retryable") is None
    call.succeeded()
    call.abandon()
    assert (call.attempts, call.give_up_reason, budget.balance) == (3, "attempts_exhausted", 6.0)


def test_only_a_first_attempt_that_succeeds_earns(strategy: seawall.RetryStrategy, budget: seawall.RetryBudget) -> None:
    budget.try_withdraw(5)
    strategy.begin().succeeded()
    assert budget.balance == 4.1
    call = strategy.begin()
    call.failed("retryable")
    call.succeeded()
    call.succeeded()
    assert budget.balance == 3.1


def test_a_retry_that_is_not_sent_gives_its_tokens_back(
    strategy: seawall.RetryStrategy, budget: seawall.RetryBudget
) -> None:
    call = strategy.begin()
    call.failed("timeout")
    assert budget.balance == 7.0
    call.abandon()
    call.abandon()
    assert (budget.balance, call.give_up_reason, call.wait_blocking()) == (9.0, None, False)


def test_a_wait_ends_at_the_instant_that_was_promised_however_late_it_begins(clock: seawall.ManualClock) -> None:
    call = seawall.RetryStrategy(jitter="none", clock=clock).begin()
    assert call.failed("throttled", retry_after=10.0) == 10.0
    clock.advance(10.0)
    assert call.wait_blocking()
    assert call.attempts == 2
    # There is nothing to wait for: it is under way.
    assert call.wait_blocking()
    assert call.attempts == 2


@pytest.mark.anyio
async def test_a_task_waits_for_it(clock: seawall.ManualClock) -> None:
    call = seawall.RetryStrategy(2, clock=seawall.ManualClock(autojump=True)).begin()
    assert await call.wait()
    call.failed("retryable")
    assert await call.wait()
    call.failed("retryable")
    assert not await call.wait()
    assert call.give_up_reason == "attempts_exhausted"


def test_why_it_was_given_up_is_said_in_a_word(clock: seawall.ManualClock) -> None:
    for settings, error, retry_after, reason in (
        ({}, "permanent", None, "permanent"),
        ({}, "ignored", None, None),
        ({}, KeyboardInterrupt(), None, None),
        ({"max_attempts": 1}, "retryable", None, "attempts_exhausted"),
        ({"deadline": 1.0}, "retryable", 1.0, "deadline_exceeded"),
        ({"retry_after_cap": 1.0}, "throttled", 1.5, "retry_after_too_long"),
        ({"budget": seawall.RetryBudget(cap=1)}, "timeout", None, "budget_spent"),
    ):
        call = seawall.RetryStrategy(clock=clock, **settings).begin()
        assert call.failed(error, retry_after) is None  # type: ignore[arg-type]
        assert call.give_up_reason == reason


def test_what_the_caller_says_of_the_server_outweighs_the_error(clock: seawall.ManualClock) -> None:
    call = seawall.RetryStrategy(jitter="none", clock=clock, on=lambda error: 5.0).begin()
    assert call.failed(ConnectionError()) == 5.0
    assert call.failed(ConnectionError(), retry_after=7.0) == 7.0


def test_what_is_no_error_is_refused(strategy: seawall.RetryStrategy) -> None:
    call = strategy.begin()
    for wrong in ("bad", "success", 5, None, ConnectionError):
        with pytest.raises((ValueError, TypeError), match="error must be an exception, "):
            call.failed(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="retry_after must be"):
        call.failed("throttled", -1)
    assert call.attempts == 1


def test_an_attempt_that_is_over_says_nothing_of_the_next(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(initial=9, floor=9, clock=clock)
    strategy = seawall.RetryStrategy(3, 0, clock=clock, budget=budget)
    attempts = iter(strategy)
    first = next(attempts)
    with first:
        raise ConnectionError
    second = next(attempts)
    with pytest.raises(ConnectionError), first:
        raise ConnectionError
    assert (second.number, budget.balance) == (2, 8.0)
    with first:
        pass
    with second:
        raise ConnectionError
    assert next(attempts).number == 3
