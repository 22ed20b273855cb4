"""What is protected is what is awaited, whatever kind of thing that is: a coroutine, a future, a request that may be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest

import seawall


class Request:
    """As what `aiohttp.ClientSession.get` returns: it is sent when it is awaited."""

    sent = 0

    def __await__(self) -> Generator[Any, Any, str]:
        Request.sent += 1
        return self._send().__await__()

    async def _send(self) -> str:
        await asyncio.sleep(0)
        if Request.sent < 3:
            raise ConnectionError
        return "answered"


async def through(send: Callable[..., Any]) -> Any:
    return await send(Request)


@pytest.mark.thread_unsafe(reason="the requests are counted in one place")
def test_a_strategy_retries_it() -> None:
    Request.sent = 0
    strategy = seawall.RetryStrategy(clock=seawall.ManualClock(autojump=True))
    assert asyncio.run(through(strategy.execute)) == "answered"
    assert Request.sent == 3


@pytest.mark.thread_unsafe(reason="the requests are counted in one place")
def test_a_guard_retries_it() -> None:
    Request.sent = 0
    guard = seawall.Guard(100, 1.0, budget={"initial": 5, "cap": 5}, clock=seawall.ManualClock(autojump=True), max_wait=60)
    assert asyncio.run(through(guard.execute)) == "answered"
    assert Request.sent == 3


def test_a_breaker_a_limit_and_a_guard_see_it_fail_and_hold_it_until_it_ends() -> None:
    breaker = seawall.CircuitBreaker(1)
    limit = seawall.ConcurrencyLimit(2)
    guard = seawall.Guard(10, 1.0)

    def held() -> tuple[str, int, int]:
        return breaker.state, limit.in_flight, guard.limit.in_flight

    async def call(send: Callable[..., Any], expected: tuple[str, int, int]) -> None:
        Request.sent = 0
        pending = send(Request)
        assert held() == expected
        with pytest.raises(ConnectionError):
            await pending

    asyncio.run(call(limit.call, ("closed", 1, 0)))
    asyncio.run(call(guard.call, ("closed", 0, 1)))
    asyncio.run(call(breaker.call, ("closed", 0, 0)))
    assert held() == ("open", 0, 0)


def test_a_future_is_awaited_too() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise ConnectionError

    async def main() -> None:
        with pytest.raises(ConnectionError):
            await breaker.call(lambda: asyncio.ensure_future(fails()))

    breaker = seawall.CircuitBreaker(1)
    asyncio.run(main())
    assert breaker.state == "open"
