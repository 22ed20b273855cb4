"""Functions, coroutines and blocks behind a circuit breaker or a concurrency limit: what both have in common."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, Protocol, TypeVar

import anyio
import pytest

import seawall
from seawall import CircuitBreaker, ConcurrencyLimit, ManualClock

Whole = CircuitBreaker | ConcurrencyLimit
Function = TypeVar("Function", bound=Callable[..., Any])


class Decorator(Protocol):
    def __call__(self, function: Function, /) -> Function: ...


class Watched:
    """A mechanism, and how the calls behind it went, as its state shows it."""

    def __init__(self, kind: str) -> None:
        self.clock = ManualClock()
        self.whole: Whole
        self.kind = kind
        if kind == "breaker":
            self.whole = CircuitBreaker(1, open_jitter=0, probes=1, ramp=0, clock=self.clock)
            self.whole.trip()
            self.clock.advance(1.1)
        else:
            self.whole = ConcurrencyLimit(
                1, ceiling=2, saturated_after=0, timeout_factor=0, clock=self.clock, on_limit_change=self.changed
            )
        self.changes: list[str] = []

    def changed(self, old: int, new: int, reason: str) -> None:
        self.changes.append(reason)

    @property
    def is_full(self) -> bool:
        """Whether the one place that it has is taken."""
        return self.whole.peek() is not None

    @property
    def said(self) -> str:
        """What the last call said: "success", "failure" or nothing."""
        if isinstance(self.whole, CircuitBreaker):
            return {"closed": "success", "open": "failure", "half_open": ""}[self.whole.state]
        return "success" if self.whole.limit == 2 else ""


@pytest.fixture(params=["breaker", "limit"])
def watched(request: pytest.FixtureRequest) -> Watched:
    return Watched(str(request.param))


def test_a_call_gives_what_the_function_gives(watched: Watched) -> None:
    def function(*args: int, **kwargs: int) -> tuple[tuple[int, ...], dict[str, int], bool]:
        return args, kwargs, watched.is_full

    assert watched.whole.call(function, 1, 2, function=3, self=4) == ((1, 2), {"function": 3, "self": 4}, True)
    assert not watched.is_full
    assert watched.said == "success"


def test_a_call_raises_what_the_function_raises_from_where_it_did(watched: Watched) -> None:
    error = ValueError("no")

    def function() -> None:
        raise error

    with pytest.raises(ValueError) as caught:
        watched.whole.call(function)
    assert caught.value is error
    assert caught.traceback[-1].name == "function"
    assert watched.said == ("failure" if watched.kind == "breaker" else "")
    assert watched.is_full == (watched.kind == "breaker")


def test_a_call_needs_a_function(watched: Watched) -> None:
    with pytest.raises(TypeError):
        watched.whole.call()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="not callable"):
        watched.whole.call(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="protects a function, not 7"):
        watched.whole(7)  # type: ignore[type-var]


@pytest.mark.anyio
async def test_a_coroutine_that_the_function_returns_is_awaited_inside(watched: Watched) -> None:
    async def function(answer: int) -> tuple[int, bool]:
        await anyio.sleep(0)
        return answer, watched.is_full

    coroutine = watched.whole.call(function, 7)
    assert inspect.iscoroutine(coroutine)
    assert watched.is_full
    assert await coroutine == (7, True)
    assert (watched.said, watched.is_full) == ("success", False)
    assert (await watched.whole.call(lambda: function(8)))[0] == 8


@pytest.mark.anyio
async def test_whatever_the_function_returns_to_be_awaited_is_awaited_inside(watched: Watched) -> None:
    class Request:
        """As those of aiohttp."""

        def __await__(self) -> Generator[Any, Any, bool]:
            return (yield from self.answer().__await__())

        async def answer(self) -> bool:
            await anyio.sleep(0)
            return watched.is_full

    assert await watched.whole.call(Request) is True
    assert (watched.said, watched.is_full) == ("success", False)


@pytest.mark.anyio
async def test_a_coroutine_that_is_cancelled_frees_its_place_and_says_nothing(watched: Watched) -> None:
    async with anyio.create_task_group() as group:

        async def task() -> None:
            await watched.whole.call(anyio.sleep_forever)

        group.start_soon(task)
        await anyio.wait_all_tasks_blocked()
        assert watched.is_full
        group.cancel_scope.cancel()
    assert (watched.said, watched.is_full) == ("", False)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_coroutine_that_is_never_awaited_frees_its_place(watched: Watched) -> None:
    async def function() -> None: ...

    coroutine = watched.whole.call(function)
    assert watched.is_full
    del coroutine
    assert (watched.said, watched.is_full) == ("", False)


class Client:
    def __init__(self, whole: Whole) -> None:
        self.fetch = whole(self.fetch)  # type: ignore[method-assign]

    def fetch(self, user: str, *, tries: int = 1) -> str:
        """Fetches."""
        return user * tries


def test_a_decorated_function_keeps_its_name_signature_and_colour(watched: Watched) -> None:
    def fetch(user: str, *, tries: int = 1) -> str:
        """Fetches."""
        return user * tries

    async def fetch_async(user: str, *, tries: int = 1) -> str:
        """Fetches."""
        return user * tries

    for plain in (fetch, fetch_async):
        protected: Any = watched.whole(plain)
        assert protected.__name__ == plain.__name__
        assert protected.__doc__ == "Fetches."
        assert inspect.signature(protected) == inspect.signature(plain)
        assert protected.__wrapped__ is plain
        assert inspect.iscoroutinefunction(protected) == inspect.iscoroutinefunction(plain)
    assert watched.whole(fetch)("a", tries=2) == "aa"
    assert Client(watched.whole).fetch("b", tries=2) == "bb"


def test_methods_of_a_class_are_decorated(watched: Watched) -> None:
    protected: Decorator = watched.whole

    class Service:
        @protected
        def plain(self, value: int) -> tuple[object, int]:
            return self, value

        @classmethod
        @protected
        def of_class(cls, value: int) -> tuple[object, int]:
            return cls, value

        @staticmethod
        @protected
        def static(value: int) -> int:
            return value

    service = Service()
    assert service.plain(1) == (service, 1)
    assert service.of_class(2) == Service.of_class(2) == (Service, 2)
    assert service.static(3) == 3


@pytest.mark.anyio
async def test_whatever_is_asynchronous_is_awaited_by_its_decorated_self(watched: Watched) -> None:
    class Service:
        async def __call__(self) -> bool:
            await anyio.sleep(0)
            return watched.is_full

        async def method(self) -> bool:
            return await self()

    service = Service()
    kinds: list[Callable[[], Awaitable[bool]]] = [service, service.method, functools.partial(Service.method, service)]
    for function in kinds:
        watched.__init__(watched.kind)  # type: ignore[misc]
        assert await watched.whole(function)() is True
        assert watched.said == "success"
    watched.__init__(watched.kind)  # type: ignore[misc]

    protected: Decorator = watched.whole

    @protected
    async def fails() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        await fails()
    assert watched.said != "success"


def test_generators_are_refused(watched: Watched) -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    for function in (generator, async_generator):
        with pytest.raises(TypeError, match="is a generator: its work is done after it has returned"):
            watched.whole(function)


@pytest.mark.anyio
async def test_blocks_are_protected(watched: Watched) -> None:
    with watched.whole as permit:
        assert isinstance(permit, (seawall.BreakerPermit, seawall.LimitPermit))
        assert watched.is_full
    assert watched.said == "success"
    async with watched.whole:
        assert watched.kind == "breaker" or watched.whole.in_flight == 1  # type: ignore[union-attr]
    with pytest.raises(ValueError), watched.whole:
        raise ValueError
    if watched.kind == "breaker":
        assert watched.said == "failure"
        with pytest.raises(seawall.CircuitOpen):
            async with watched.whole:
                raise AssertionError("it must not come here")


@pytest.mark.anyio
async def test_an_error_in_an_async_block_is_judged(watched: Watched) -> None:
    with pytest.raises(ValueError):
        async with watched.whole:
            raise ValueError
    assert watched.said == ("failure" if watched.kind == "breaker" else "")


@pytest.mark.anyio
async def test_an_async_block_that_is_cancelled_says_nothing(watched: Watched) -> None:
    with anyio.CancelScope() as scope:
        async with watched.whole:
            scope.cancel()
            await anyio.sleep_forever()
    assert (watched.said, watched.is_full) == ("", False)


def slow_judge(clock: ManualClock) -> CircuitBreaker:
    """Opens at the first call of over 5 seconds."""
    return CircuitBreaker(slow_share=1.0, slower_than=5, window=1, minimum=1, clock=clock)


@pytest.mark.anyio
@pytest.mark.parametrize("colour", ["with", "async with"])
async def test_tasks_that_interleave_in_one_with_do_not_exchange_permits(clock: ManualClock, colour: str) -> None:
    breaker = slow_judge(clock)
    old_is_in, new_is_in, old_is_out = anyio.Event(), anyio.Event(), anyio.Event()

    @contextlib.asynccontextmanager
    async def block() -> AsyncIterator[None]:
        if colour == "with":
            with breaker:
                yield
        else:
            async with breaker:
                yield

    async def old() -> None:
        async with block():
            old_is_in.set()
            await new_is_in.wait()
        # The older one ends first. Had it taken the newest permit, it would have been quick.
        assert breaker.state == "open"
        old_is_out.set()

    async def new() -> None:
        await old_is_in.wait()
        clock.advance(10)
        async with block():
            new_is_in.set()
            await old_is_out.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(old)
        group.start_soon(new)


@pytest.mark.anyio
async def test_a_task_that_begins_inside_of_a_block_leaves_its_permit_alone(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(4, clock=clock)
    inner_is_in, outer_is_out = anyio.Event(), anyio.Event()

    async def child() -> None:
        async with limit as inner:
            inner_is_in.set()
            await outer_is_out.wait()
            assert repr(inner) == "<LimitPermit>"
        assert repr(inner) == "<LimitPermit over>"

    async with anyio.create_task_group() as group:
        with limit as outer:
            group.start_soon(child)
            await inner_is_in.wait()
            assert limit.in_flight == 2
        assert repr(outer) == "<LimitPermit over>"
        outer_is_out.set()
    assert limit.in_flight == 0


def test_threads_in_one_with_do_not_exchange_permits(clock: ManualClock) -> None:
    breaker = slow_judge(clock)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with breaker:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(10)
    clock.advance(10)
    with breaker:
        # The older one ends first. Had it taken the newest permit, it would have been quick.
        leave.set()
        thread.join()
        assert breaker.state == "open"


def test_blocks_nest_and_each_gives_back_its_own(clock: ManualClock) -> None:
    first, second = ConcurrencyLimit(4, clock=clock), ConcurrencyLimit(4, clock=clock)
    with first, second, first:
        assert (first.in_flight, second.in_flight) == (2, 1)
        with contextlib.ExitStack() as stack:
            stack.enter_context(second)
            stack.enter_context(first)
            assert (first.in_flight, second.in_flight) == (3, 2)
        assert (first.in_flight, second.in_flight) == (2, 1)
    assert (first.in_flight, second.in_flight) == (0, 0)


def test_generators_that_end_out_of_order_give_back_as_many_as_they_took(clock: ManualClock) -> None:
    first, second = ConcurrencyLimit(4, clock=clock), ConcurrencyLimit(4, clock=clock)

    def held(limit: ConcurrencyLimit) -> Iterator[None]:
        with limit:
            yield

    generators = [held(first), held(second), held(first), held(second)]
    for generator in generators:
        next(generator)
    for generator, left in zip(generators, [(1, 2), (1, 1), (0, 1), (0, 0)], strict=True):
        next(generator, None)
        assert (first.in_flight, second.in_flight) == left


def test_a_block_that_ends_in_another_context_than_it_began_in_is_healed(clock: ManualClock) -> None:
    elsewhere = contextvars.copy_context()
    limit = ConcurrencyLimit(4, lease=5, clock=clock)
    elsewhere.run(limit.__enter__)
    limit.__exit__(None, None, None)
    assert limit.in_flight == 1
    clock.advance(5.1)
    assert limit.in_flight == 0
    elsewhere.run(limit.__enter__)
    del elsewhere
    assert limit.in_flight == 0

    breaker = CircuitBreaker(1, clock=clock)
    contextvars.copy_context().run(breaker.__enter__)
    breaker.__exit__(ValueError, ValueError(), None)
    assert breaker.state == "open"


def test_nothing_of_a_block_is_kept_after_it(clock: ManualClock) -> None:
    def use() -> None:
        for _ in range(3):
            with CircuitBreaker(clock=clock), CircuitBreaker(clock=clock):
                pass

    context = contextvars.Context()
    context.run(use)
    assert [(variable.name, value) for variable, value in context.items()] == [("seawall.held", None)]


@pytest.mark.anyio
async def test_types_pass_through(watched: Watched) -> None:
    """What mypy --strict makes of it: an ignore that is not needed is an error there."""

    async def fetch(user: str, *, tries: int = 1) -> int:
        return len(user) * tries

    def send(user: str) -> int:
        return len(user)

    sent: int = watched.whole.call(send, "a")
    fetched: int = await watched.whole.call(fetch, "a", tries=2)
    assert (sent, fetched) == (1, 2)
    decorated_send: Callable[[str], int] = watched.whole(send)
    assert decorated_send("ab") == 2
    assert await watched.whole(fetch)("a", tries=3) == 3
    with pytest.raises(TypeError):
        watched.whole.call(send, 7)  # type: ignore[arg-type]
    watched.__init__(watched.kind)  # type: ignore[misc]
    with pytest.raises(TypeError):
        watched.whole(send)(user="a", users=2)  # type: ignore[call-arg]
