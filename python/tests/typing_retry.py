"""What a type checker sees of the retries: it is read by mypy, and never run."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import seawall

if TYPE_CHECKING:
    from typing_extensions import assert_type

    strategy = seawall.RetryStrategy(5, 1.0, on=(OSError, ValueError))

    def sync(number: int, *, text: str = "") -> float:
        return number + len(text)

    async def colour(number: int, *, text: str = "") -> float:
        return number + len(text)

    @strategy
    def decorated(number: int, *, text: str = "") -> float:
        return number + len(text)

    @strategy
    async def decorated_async(number: int, *, text: str = "") -> float:
        return number + len(text)

    class Client:
        @strategy
        def method(self, number: int) -> float:
            return number

        @strategy
        @classmethod
        def make(cls) -> Client:
            return cls()

    async def check() -> None:
        assert_type(strategy.execute(sync, 5, text=""), float)
        coroutine: Coroutine[Any, Any, float] = strategy.execute(colour, 5, text="")
        await coroutine
        assert_type(await strategy.execute(colour, 5), float)
        assert_type(decorated(5, text=""), float)
        assert_type(await decorated_async(5, text=""), float)
        assert_type(Client().method(5), float)
        assert_type(Client.make(), Client)
        strategy.execute(sync, "5")  # type: ignore[arg-type]
        strategy.execute(sync)  # type: ignore[call-arg]
        decorated("5")  # type: ignore[arg-type]
        await decorated_async(5, word="")  # type: ignore[call-arg]
        seawall.RetryStrategy(jitter="some")  # type: ignore[arg-type]
        seawall.RetryStrategy(on=lambda error: "perhaps")  # type: ignore[arg-type]
        for attempt in strategy:
            with attempt:
                assert_type(attempt.number, int)
        async for attempt in strategy:
            with attempt as entered:
                assert_type(entered, seawall.RetryAttempt)
        call = strategy.begin()
        assert_type(call.failed("timeout", retry_after=5), float | None)
        assert_type(await call.wait(), bool)
        call.failed("perhaps")  # type: ignore[arg-type]
