"""What a type checker sees of the guard: it is read by mypy, and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import seawall

if TYPE_CHECKING:
    from typing_extensions import assert_type

    guard = seawall.Guard(
        20, 1.0, breaker={"failure_threshold": 3}, modes={"token_bucket": 0.05}, on=(OSError, ValueError)
    )

    def sync(number: int, *, text: str = "") -> float:
        return number + len(text)

    async def colour(number: int, *, text: str = "") -> float:
        return number + len(text)

    @guard
    def decorated(number: int, *, text: str = "") -> float:
        return number + len(text)

    @guard(key=lambda number, **_: number, max_wait=0.5, retry=True)
    async def decorated_async(number: int, *, text: str = "") -> float:
        return number + len(text)

    class Client:
        @guard
        def method(self, number: int) -> float:
            return number

    async def check() -> None:
        assert_type(guard.call(sync, 5, text=""), float)
        assert_type(guard.execute(sync, 5), float)
        assert_type(await guard.call(colour, 5, text=""), float)
        assert_type(await guard.execute(colour, 5), float)
        assert_type(decorated(5, text=""), float)
        assert_type(await decorated_async(5, text=""), float)
        assert_type(Client().method(5), float)
        guard.call(sync, "5")  # type: ignore[arg-type]
        guard.execute(sync)  # type: ignore[call-arg]
        decorated("5")  # type: ignore[arg-type]
        await decorated_async(5, word="")  # type: ignore[call-arg]
        guard(retries=True)  # type: ignore[call-overload]
        seawall.Guard(20, 1.0, mode="dry")  # type: ignore[arg-type]
        seawall.Guard(20, 1.0, breaker={"failures": 3})  # type: ignore[arg-type]
        with guard.begin(key="alice", deadline=5.0) as attempt:
            attempt.report("throttled", 2.0)
            attempt.report("bad")  # type: ignore[arg-type]
        async with guard.begin() as attempt:
            assert_type(attempt.call.attempts, int)
        for attempt in guard.begin():
            with attempt:
                assert_type(attempt, seawall.Attempt)
        async for attempt in guard.begin():
            with attempt:
                assert_type(attempt, seawall.Attempt)
        call = guard.begin()
        assert_type(call.try_attempt().finish("failure"), float | None)
        assert_type(await call.attempt(max_wait=0.5), seawall.Attempt)
        snapshot = guard.snapshot()
        assert_type(snapshot.as_dict()["total"]["delivered"], int)
        assert_type(guard.breaker(2), seawall.CircuitBreaker)

    def kept() -> float:
        with guard:
            return 1.0

    async def kept_async() -> float:
        async with guard:
            return 1.0
