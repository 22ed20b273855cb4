"""What a guard, a breaker, a limit and a strategy have in common: which functions they take, and when a call has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

import seawall


def guard() -> seawall.Guard:
    return seawall.Guard(20, 1.0, bucket={"rate": 1e6, "burst": 1000, "initial": 1000}, limit={"start": 8})


DECORATORS: dict[str, Callable[[], Any]] = {
    "guard": guard,
    "guard with settings": lambda: guard()(key="alice"),
    "guard with retries": lambda: guard()(retry=True),
    "breaker": seawall.CircuitBreaker,
    "limit": seawall.ConcurrencyLimit,
    "strategy": seawall.RetryStrategy,
}


@pytest.fixture(params=DECORATORS.values(), ids=DECORATORS)
def decorator(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_static_and_class_methods_are_decorated_as_functions_are(decorator: Any) -> None:
    class Service:
        @decorator
        @staticmethod
        def add(one: int, other: int) -> int:
            return one + other

        @decorator
        @classmethod
        def name(cls) -> str:
            return cls.__name__

        @staticmethod
        @decorator
        def double(one: int) -> int:
            return 2 * one

    class Other(Service):
        pass

    for service in (Other, Other()):
        assert (service.add(1, 2), service.name(), service.double(2)) == (3, "Other", 4)


def test_a_class_is_no_function(decorator: Any) -> None:
    with pytest.raises(TypeError, match="<class 'dict'>"):
        decorator(dict)


class Request(Awaitable[str]):
    """As the clients have them: sent when it is awaited, and no coroutine."""

    def __init__(self, answer: asyncio.Future[str]) -> None:
        self.answer = answer

    def __await__(self) -> Generator[Any, None, str]:
        return self.answer.__await__()


@pytest.mark.parametrize("kind", ["future", "request"])
@pytest.mark.parametrize("name", ["guard", "guarded", "breaker", "limit"])
def test_what_is_to_be_awaited_has_not_ended_before_it_was(name: str, kind: str) -> None:
    # A future, or the request of a client, is not a success because it was made.
    async def run() -> tuple[int, str]:
        whole: Any = {"breaker": lambda: seawall.CircuitBreaker(1), "limit": seawall.ConcurrencyLimit}.get(name, guard)()
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def send() -> Awaitable[str]:
            return answer if kind == "future" else Request(answer)

        called = whole(send)() if name == "guarded" else whole.call(send)
        waits = asyncio.create_task(called)
        await asyncio.sleep(0)
        in_flight = 1 if name == "breaker" else whole.in_flight if name == "limit" else whole.snapshot().in_flight
        answer.set_exception(ConnectionError("lost"))
        with pytest.raises(ConnectionError):
            await waits
        if name == "breaker":
            return in_flight, whole.state
        if name == "limit":
            return in_flight, f"{whole.in_flight} left"
        return in_flight, f"{whole.snapshot().total.outcomes['failure']} failed"

    said = {"breaker": "open", "limit": "0 left"}.get(name, "1 failed")
    assert asyncio.run(run()) == (1, said)
