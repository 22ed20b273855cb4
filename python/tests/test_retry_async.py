"""What `RetryStrategy` promises to coroutines, in asyncio and in trio."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

import seawall
from test_retry_strategy import Flaky, notes, said


def jumping() -> seawall.ManualClock:
    return seawall.ManualClock(autojump=True)


class FlakyAsync(Flaky):
    async def fetch(self, *args: Any, **kwargs: Any) -> Any:
        await anyio.sleep(0)
        return self(*args, **kwargs)


@pytest.mark.anyio
async def test_a_coroutine_function_is_awaited_again_after_a_wait() -> None:
    clock = jumping()
    strategy = seawall.RetryStrategy(5, 60.0, jitter="none", max_delay=3600, clock=clock)
    flaky = FlakyAsync(3)
    assert await strategy.execute(flaky.fetch, 1, two=2) == ((1,), {"two": 2})
    assert (flaky.calls, clock.now()) == (4, 60.0 + 120.0 + 240.0)


@pytest.mark.anyio
async def test_whatever_returns_something_to_await_is_awaited() -> None:
    class Request:
        """As the context managers of requests that may be awaited too."""

        def __init__(self, flaky: Flaky) -> None:
            self.flaky = flaky

        def __await__(self) -> Any:
            return FlakyAsync.fetch(self.flaky).__await__()  # type: ignore[arg-type]

    strategy = seawall.RetryStrategy(clock=jumping())
    assert await strategy.execute(Request, flaky := Flaky(2)) == ((), {})
    assert flaky.calls == 3
    partial = functools.partial(FlakyAsync(2).fetch, 1)
    assert await strategy.execute(partial) == ((1,), {})
    flaky_async = FlakyAsync(2)
    assert await strategy.execute(lambda: flaky_async.fetch(1)) == ((1,), {})


@pytest.mark.anyio
async def test_what_fails_before_it_gives_a_coroutine_is_tried_again_too() -> None:
    first = Flaky(1)
    second = FlakyAsync(1)

    def fetch() -> Any:
        first()
        return second.fetch(5)

    assert await seawall.RetryStrategy(clock=jumping()).execute(fetch) == ((5,), {})
    assert (first.calls, second.calls) == (3, 2)


@pytest.mark.anyio
async def test_a_bucket_that_admits_at_once_is_no_coroutine_and_succeeds() -> None:
    budget = seawall.RetryBudget()
    strategy = seawall.RetryStrategy(budget=budget)
    admitted = strategy.execute(seawall.TokenBucket(10).take)
    assert not inspect.iscoroutine(admitted)
    assert budget.balance == 1.1
    await admitted


@pytest.mark.anyio
async def test_only_a_first_attempt_that_succeeds_earns() -> None:
    clock = jumping()
    budget = seawall.RetryBudget(clock=clock)
    strategy = seawall.RetryStrategy(clock=clock, base_delay=0, budget=budget)
    for function in (strategy.execute, lambda fetch: strategy(fetch)()):
        before = budget.balance
        await function(FlakyAsync(0).fetch)
        assert round(budget.balance - before, 6) == 0.1
        await function(FlakyAsync(1).fetch)
        assert round(budget.balance - before, 6) == -0.9
        budget.refund()


@pytest.mark.anyio
async def test_the_last_error_is_raised_as_it_is_from_a_coroutine_too() -> None:
    errors = [ConnectionError(number) for number in range(9)]
    left = iter(errors)
    budget = seawall.RetryBudget(initial=1)
    strategy = seawall.RetryStrategy(budget=budget, clock=jumping())
    with pytest.raises(ConnectionError) as caught:
        await strategy.execute(FlakyAsync(9, lambda: next(left)).fetch)
    assert caught.value is errors[1]
    assert caught.value.__context__ is None
    said(errors[1], "seawall: given up after 2 attempts: the retry budget is spent")
    assert notes(errors[0]) == []


@pytest.mark.anyio
async def test_a_decorated_coroutine_function_is_what_it_was_but_for_the_retries() -> None:
    clock = jumping()
    budget = seawall.RetryBudget()
    strategy = seawall.RetryStrategy(3, 1.0, jitter="none", clock=clock, budget=budget)
    flaky = FlakyAsync(1)

    @strategy
    async def fetch(url: str, *, timeout: float = 1.0) -> str:
        """Fetches."""
        await flaky.fetch()
        return f"{url} {timeout}"

    assert inspect.iscoroutinefunction(fetch)
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetches.")
    assert str(inspect.signature(fetch)) == "(url: 'str', *, timeout: 'float' = 1.0) -> 'str'"
    assert await fetch("a", timeout=2.0) == "a 2.0"
    assert (flaky.calls, clock.now(), budget.balance) == (2, 1.0, 0.0)
    assert await fetch("b") == "b 1.0"
    assert budget.balance == 0.1
    flaky.failures = 99
    with pytest.raises(ConnectionError) as caught:
        await fetch("c")
    said(caught.value, "seawall: given up after 1 attempt: the retry budget is spent")
    with pytest.raises(TypeError):
        await fetch()  # type: ignore[call-arg]
    assert flaky.calls == 4


@pytest.mark.anyio
async def test_a_method_that_is_a_coroutine_function_can_be_decorated() -> None:
    strategy = seawall.RetryStrategy(clock=jumping())

    class Client:
        def __init__(self) -> None:
            self.flaky = FlakyAsync(2)

        @strategy
        async def fetch(self, n: int) -> Any:
            return await self.flaky.fetch(n)

        @strategy
        @classmethod
        async def make(cls) -> str:
            return cls.__name__

    assert await Client().fetch(5) == ((5,), {})
    assert await Client.make() == "Client"


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_while_it_backs_off_is_over_and_its_token_is_given_back() -> None:
    clock = seawall.ManualClock()
    budget = seawall.RetryBudget(clock=clock)
    strategy = seawall.RetryStrategy(3, 60.0, clock=clock, budget=budget, max_delay=60)
    decorated = strategy((second := FlakyAsync(9)).fetch)
    first = FlakyAsync(9)
    third = FlakyAsync(9)

    async def loop() -> None:
        async for attempt in strategy:
            with attempt:
                await third.fetch()

    works: list[tuple[FlakyAsync, Callable[[], Coroutine[Any, Any, object]]]] = [
        (first, lambda: strategy.execute(first.fetch)),
        (second, decorated),
        (third, loop),
    ]
    for flaky, work in works:
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            while budget.balance == 1.0:
                await anyio.sleep(0.001)
            assert (flaky.calls, budget.balance) == (1, 0.0)
            group.cancel_scope.cancel()
        assert (flaky.calls, budget.balance) == (1, 1.0)


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_while_it_runs_is_not_tried_again() -> None:
    calls = 0

    async def forever() -> None:
        nonlocal calls
        calls += 1
        await anyio.sleep_forever()

    strategy = seawall.RetryStrategy(clock=jumping(), on=BaseException)
    works: list[Callable[[], Coroutine[Any, Any, None]]] = [lambda: strategy.execute(forever), strategy(forever)]
    for work in works:
        with anyio.move_on_after(0.01):
            await work()
    assert calls == 2


@pytest.mark.anyio
async def test_many_calls_back_off_side_by_side() -> None:
    clock = seawall.ManualClock()
    strategy = seawall.RetryStrategy(3, 1.0, jitter="none", clock=clock)
    calls = [FlakyAsync(number % 3) for number in range(30)]
    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(strategy.execute, call.fetch)
        for second in range(4):
            await anyio.wait_all_tasks_blocked()
            expected = [min(1 + number % 3, 1 + (second >= 1) + (second >= 3)) for number in range(30)]
            assert [call.calls for call in calls] == expected
            clock.advance(1.0)


def test_a_timeout_of_asyncio_is_a_timeout() -> None:
    clock = jumping()
    budget = seawall.RetryBudget(initial=4, floor=4, clock=clock)
    strategy = seawall.RetryStrategy(2, clock=clock, budget=budget)

    async def slow() -> None:
        await asyncio.wait_for(asyncio.sleep(60), 0.001)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(strategy.execute(slow))
    assert budget.balance == 2.0


def test_one_strategy_serves_many_event_loops_one_after_the_other() -> None:
    strategy = seawall.RetryStrategy(3, 0.001)
    for _ in range(3):
        assert asyncio.run(strategy.execute((flaky := FlakyAsync(2)).fetch)) == ((), {})
        assert flaky.calls == 3
