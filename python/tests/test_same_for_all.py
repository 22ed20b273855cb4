"""What a guard, a breaker, a limit and a strategy have in common: which functions they take, and when a call has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol, TypeVar

import pytest

import seawall


Function = TypeVar("Function", bound=Callable[..., Any])


class Decorator(Protocol):
    def __call__(self, function: Function, /) -> Function: ...


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


@pytest.fixture(params=DECORATORS.values(), ids=list(DECORATORS))
def decorator(request: pytest.FixtureRequest) -> Decorator:
    made: Decorator = request.param()
    return made


def test_static_and_class_methods_are_decorated_as_functions_are(decorator: Decorator) -> None:
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
        made: dict[str, Callable[[], Any]] = {
            "breaker": lambda: seawall.CircuitBreaker(1),
            "limit": seawall.ConcurrencyLimit,
        }
        whole = made.get(name, guard)()
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


WHO: dict[str, Callable[..., Any]] = {
    "guard": lambda **given: seawall.Guard(20, 1.0, **given),
    "breaker": seawall.CircuitBreaker,
    "limit": seawall.ConcurrencyLimit,
    "strategy": seawall.RetryStrategy,
}


@pytest.mark.parametrize("wrong", [7, "ValueError", int, (ValueError, 3), [ValueError]], ids=repr)
@pytest.mark.parametrize("make", WHO.values(), ids=WHO)
def test_what_cannot_tell_errors_apart_is_refused_where_it_is_given(make: Callable[..., Any], wrong: Any) -> None:
    with pytest.raises(TypeError, match="on must be an exception class, a tuple of them, or a function"):
        make(on=wrong)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (WHO["guard"], "on_state_change"),
        (WHO["breaker"], "on_state_change"),
        (WHO["limit"], "on_limit_change"),
        (seawall.AIMDController, "on_rate_change"),
    ],
)
def test_what_cannot_be_called_back_is_refused_where_it_is_given(make: Callable[..., Any], name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a function of .*, not 'print'"):
        make(**{name: "print"})
    make(**{name: None})


def test_a_truth_is_no_mode() -> None:
    # False is no share of 0.0, which would be shadow: it stands where somebody means "off".
    for wrong in (True, False):
        with pytest.raises((TypeError, ValueError), match=f"mode must be .*, not {wrong}"):
            seawall.Guard(20, 1.0, mode=wrong)
        with pytest.raises((TypeError, ValueError), match=f"mode must be .*, not {wrong}"):
            guard().set_mode(wrong)
