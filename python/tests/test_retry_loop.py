"""`for attempt in strategy: with attempt:`, and `async for`."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

import seawall
from test_retry_strategy import said


@pytest.fixture
def clock() -> seawall.ManualClock:
    return seawall.ManualClock(autojump=True)


def test_a_block_is_run_again_until_it_ends_without_an_exception(clock: seawall.ManualClock) -> None:
    numbers = []
    for attempt in seawall.RetryStrategy(5, 1.0, jitter="none", clock=clock):
        with attempt as entered:
            assert entered is attempt
            numbers.append(attempt.number)
            if attempt.number < 4:
                raise ConnectionError
    assert (numbers, clock.now()) == ([1, 2, 3, 4], 7.0)


def test_an_exception_is_swallowed_only_when_another_attempt_follows(clock: seawall.ManualClock) -> None:
    numbers = []
    with pytest.raises(ConnectionError, match="3") as caught:
        for attempt in seawall.RetryStrategy(3, clock=clock):
            with attempt:
                numbers.append(attempt.number)
                raise ConnectionError(attempt.number)
    assert numbers == [1, 2, 3]
    said(caught.value, "seawall: given up after 3 attempts: all attempts are made")
    with pytest.raises(ValueError, match="no") as unlike:
        for attempt in seawall.RetryStrategy(3, clock=clock, on=OSError):
            with attempt:
                raise ValueError("no")
    said(unlike.value, "seawall: given up after 1 attempt: the error is permanent")


def test_what_is_no_exception_leaves_the_loop(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(clock=clock)
    with pytest.raises(KeyboardInterrupt):
        for attempt in seawall.RetryStrategy(clock=clock, budget=budget):
            with attempt:
                raise KeyboardInterrupt
    assert budget.balance == 1.0


def test_return_break_and_continue_in_the_block_are_successes(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(clock=clock)
    strategy = seawall.RetryStrategy(clock=clock, budget=budget)

    def returns() -> int:
        for attempt in strategy:
            with attempt:
                return 5
        raise AssertionError

    assert returns() == 5
    times = 0
    for attempt in strategy:
        with attempt:
            times += 1
            break
    for attempt in strategy:
        with attempt:
            times += 1
            continue
    assert (times, budget.balance) == (2, 1.3)


def test_a_loop_that_is_left_before_the_retry_that_was_paid_for_has_its_token_back(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(clock=clock)
    for attempt in seawall.RetryStrategy(clock=clock, budget=budget):
        with attempt:
            raise ConnectionError
        assert budget.balance == 0.0
        break
    del attempt
    assert budget.balance == 1.0


def test_a_block_without_with_runs_once(clock: seawall.ManualClock) -> None:
    assert [attempt.number for attempt in seawall.RetryStrategy(clock=clock)] == [1]


def test_loops_over_one_strategy_do_not_meet(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(3, clock=clock)
    seen = []
    with pytest.raises(ConnectionError):
        for outer in strategy:
            with outer:
                for inner in strategy:
                    with inner:
                        seen.append((outer.number, inner.number))
                        raise ConnectionError
    assert seen == [(outer, inner) for outer in (1, 2, 3) for inner in (1, 2, 3)]


def test_a_report_says_what_no_exception_says(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(initial=9, floor=9, clock=clock)
    strategy = seawall.RetryStrategy(5, 1.0, jitter="none", clock=clock, budget=budget)
    waits = []
    for attempt in strategy:
        waits.append(clock.now())
        with attempt:
            match attempt.number:
                case 1:
                    attempt.report("failure")
                case 2:
                    attempt.report("throttled", 60)
                case 3:
                    attempt.report("timeout")
                case 4:
                    attempt.report("success")
    assert waits == [0.0, 1.0, 61.0, 65.0]
    assert budget.balance == 9.0 - 1 - 1 - 2


def test_reports_that_nothing_can_cure_end_the_loop_without_an_exception(clock: seawall.ManualClock) -> None:
    for outcome in ("permanent", "ignored"):
        numbers = []
        for attempt in seawall.RetryStrategy(5, clock=clock):
            with attempt:
                numbers.append(attempt.number)
                attempt.report(outcome)
        assert numbers == [1]
    numbers = []
    for attempt in seawall.RetryStrategy(3, clock=clock):
        with attempt:
            numbers.append(attempt.number)
            attempt.report("failure")
    assert numbers == [1, 2, 3]


def test_a_report_outweighs_the_class_of_the_exception(clock: seawall.ManualClock) -> None:
    for attempt in seawall.RetryStrategy(2, 1.0, clock=clock):
        with attempt:
            if attempt.number == 1:
                attempt.report("throttled", 100)
                raise ConnectionError
    assert clock.now() >= 100.0
    with pytest.raises(ConnectionError):
        for attempt in seawall.RetryStrategy(clock=clock):
            with attempt:
                attempt.report("permanent")
                raise ConnectionError


def test_a_wrong_report_is_refused(clock: seawall.ManualClock) -> None:
    attempt = next(iter(seawall.RetryStrategy(clock=clock)))
    with pytest.raises(ValueError, match='outcome must be "success", "failure"'):
        attempt.report("bad")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="retry_after must be 0 to"):
        attempt.report("throttled", -1)


def test_a_wait_that_ends_after_the_deadline_raises_the_last_error() -> None:
    class Late(ConnectionError):
        pass

    clock = seawall.ManualClock()
    strategy = seawall.RetryStrategy(5, 1.0, jitter="none", deadline=5.0, clock=clock)
    attempts = iter(strategy)
    with next(attempts):
        raise Late
    clock.advance(5.0)
    with pytest.raises(Late) as caught:
        next(attempts)
    said(caught.value, "seawall: given up after 1 attempt: the deadline would be passed")
    with pytest.raises(StopIteration):
        next(attempts)
    silent = iter(strategy)
    with next(silent) as attempt:
        attempt.report("failure")
    clock.advance(5.0)
    with pytest.raises(StopIteration):
        next(silent)


@pytest.mark.anyio
async def test_a_wait_that_ends_after_the_deadline_raises_the_last_error_in_a_task_too() -> None:
    clock = seawall.ManualClock()
    strategy = seawall.RetryStrategy(5, 1.0, jitter="none", deadline=5.0, clock=clock)
    attempts = aiter(strategy)
    with await anext(attempts):
        raise ConnectionError
    clock.advance(5.0)
    with pytest.raises(ConnectionError):
        await anext(attempts)
    silent = aiter(strategy)
    with await anext(silent) as attempt:
        attempt.report("failure")
    clock.advance(5.0)
    with pytest.raises(StopAsyncIteration):
        await anext(silent)


@pytest.mark.anyio
async def test_a_block_in_a_task_is_run_again_until_it_ends_without_an_exception(clock: seawall.ManualClock) -> None:
    numbers = []
    strategy = seawall.RetryStrategy(5, 60.0, jitter="none", max_delay=600, clock=clock)
    async for attempt in strategy:
        with attempt:
            numbers.append(attempt.number)
            if attempt.number < 4:
                raise ConnectionError
    assert (numbers, clock.now()) == ([1, 2, 3, 4], 420.0)
    with pytest.raises(ConnectionError) as caught:
        async for attempt in strategy:
            with attempt:
                raise ConnectionError
    said(caught.value, "seawall: given up after 5 attempts: all attempts are made")

    async def results() -> AsyncIterator[int]:
        async for attempt in strategy:
            with attempt:
                yield attempt.number

    assert [number async for number in results()] == [1]


def test_a_loop_that_is_left_while_it_waits_leaves_nothing_behind(clock: seawall.ManualClock) -> None:
    class Witness(ConnectionError):
        pass

    def loop() -> weakref.ref[Witness]:
        attempts: Any = iter(seawall.RetryStrategy(clock=clock))
        with next(attempts):
            error = Witness()
            gone = weakref.ref(error)
            raise error
        return gone

    gone = loop()
    gc.collect()
    assert gone() is None


def test_an_attempt_counts_once(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(clock=clock)
    attempts = iter(seawall.RetryStrategy(5, clock=clock, budget=budget))
    first = next(attempts)
    with first:
        pass
    assert budget.balance == 1.1
    with pytest.raises(ConnectionError), first:
        raise ConnectionError
    assert budget.balance == 1.1
    assert list(attempts) == []
