"""What is particular to aiohttp: its own second attempt, its time-outs, streams, cancellation."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

import seawall
from loopback import Answer, Server, serving
from seawall.aiohttp import GuardMiddleware


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = [pytest.mark.anyio, pytest.mark.thread_unsafe]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def guard() -> seawall.Guard:
    return made(breaker={"failure_threshold": 50})


def made(**settings: Any) -> seawall.Guard:
    clock = seawall.ManualClock(autojump=True)
    settings = {"budget": {"initial": 10, "cap": 10}, "retry_streak": None, **settings}
    return seawall.Guard(1000, 5.0, clock=clock, max_wait=60.0, **settings)


async def test_aiohttps_own_second_attempt_does_not_pass_the_budget_by(server: Server, guard: seawall.Guard) -> None:
    server.answers = [Answer(drops=True)]
    once = GuardMiddleware(guard=guard, options=lambda request: {"retry": False})
    async with aiohttp.ClientSession(middlewares=[once]) as session:
        for number in range(1, 4):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.get(server.url)
            assert server.count() == number
        for total in (None, 30.0):
            server.arrivals.clear()
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.get(server.url, timeout=aiohttp.ClientTimeout(total=total))
            assert server.count() == 1


async def test_another_middleware_may_send_again_what_the_guard_gave_up(
    server: Server, guard: seawall.Guard
) -> None:
    async def stubborn(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        try:
            return await handler(request)
        except aiohttp.ServerDisconnectedError:
            return await handler(request)

    server.answers = [Answer(drops=True), Answer()]
    once = GuardMiddleware(guard=guard, options=lambda request: {"retry": False})
    async with aiohttp.ClientSession(middlewares=[stubborn, once]) as session:
        async with session.post(server.url) as response:
            assert response.status == 200
    assert server.count() == 2


async def test_a_request_after_one_that_failed_is_a_request_of_its_own(server: Server, guard: seawall.Guard) -> None:
    server.answers = [Answer(drops=True), Answer()]
    once = GuardMiddleware(guard=guard, options=lambda request: {"retry": False})
    async with aiohttp.ClientSession(middlewares=[once]) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(server.url)
        async with session.post(server.url) as response:
            assert response.status == 200


async def test_a_total_time_out_while_it_connects_is_a_time_out_of_the_service(server: Server) -> None:
    class Stuck(aiohttp.TCPConnector):
        async def connect(self, *args: Any, **more: Any) -> Any:
            await asyncio.sleep(3600)

    guard = made(breaker={"failure_threshold": 2})
    timeout = aiohttp.ClientTimeout(total=0.05)
    async with aiohttp.ClientSession(
        connector=Stuck(), timeout=timeout, middlewares=[GuardMiddleware(guard=guard)]
    ) as session:
        for _ in range(2):
            with pytest.raises(asyncio.TimeoutError):
                await session.post(server.url)
        with pytest.raises(seawall.CircuitOpen):
            await session.post(server.url)


async def test_who_is_cancelled_counts_nowhere(server: Server) -> None:
    guard = made(breaker={"failure_threshold": 2})
    server.answers = [Answer(delay=1.0)]
    async with aiohttp.ClientSession(middlewares=[GuardMiddleware(guard=guard)]) as session:
        for _ in range(5):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.get(server.url), 0.05)
        assert guard.limit.in_flight == 0
        server.answers = [Answer()]
        async with session.get(server.url) as response:
            assert response.status == 200


async def test_an_attempt_ends_with_its_headers(server: Server, guard: seawall.Guard) -> None:
    server.answers = [Answer(body=b"x" * 100_000)]
    async with aiohttp.ClientSession(middlewares=[GuardMiddleware(guard=guard)]) as session:
        async with session.get(server.url) as response:
            assert guard.limit.in_flight == 0
            assert len(await response.read()) == 100_000


async def test_files_and_forms_with_files_are_sent_once(server: Server, guard: seawall.Guard) -> None:
    server.answers = [Answer(500)]
    async with aiohttp.ClientSession(middlewares=[GuardMiddleware(guard=guard)]) as session:
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(b"x"), filename="x")
        for data in (io.BytesIO(b"abc"), form):
            async with session.put(server.url, data=data) as response:
                assert response.status == 500
    assert server.count() == 2


async def test_json_and_forms_are_sent_again(server: Server, guard: seawall.Guard) -> None:
    async with aiohttp.ClientSession(middlewares=[GuardMiddleware(guard=guard)]) as session:
        bodies: list[dict[str, Any]] = [{"json": {"a": 1}}, {"data": {"a": "1"}}, {"data": "text"}]
        for more in bodies:
            server.answers = [Answer(500), Answer(200)]
            server.arrivals.clear()
            async with session.put(server.url, **more) as response:
                assert response.status == 200
            first, second = server.arrivals
            assert first.body == second.body != b""


async def test_a_kept_answer_reads_as_the_one_that_came(server: Server) -> None:
    clock = seawall.ManualClock(autojump=True)
    server.answers = [Answer(500, body=b'{"why": "full"}', headers={"Content-Type": "application/json"})]
    middleware = GuardMiddleware("1/min", 5.0, bucket={"burst": 1}, clock=clock)
    async with aiohttp.ClientSession(middlewares=[middleware]) as session:
        async with session.get(server.url) as response:
            assert [part async for part in response.content.iter_any()] == [b'{"why": "full"}']
        clock.advance(60.0)
        async with session.get(server.url) as response:
            assert await response.json() == {"why": "full"}
    assert server.count() == 2


async def test_redirects_go_to_the_guard_of_their_host(server: Server) -> None:
    with serving() as other:
        server.answers = [Answer(307, {"Location": other.url + "/there"})]
        middleware = GuardMiddleware(100, 1.0)
        async with aiohttp.ClientSession(middlewares=[middleware]) as session:
            async with session.get(server.url) as response:
                assert response.status == 200
        assert set(middleware.guards) == {server.url, other.url}


async def test_mistakes_of_the_caller_say_nothing_of_the_service(server: Server) -> None:
    guard = made(breaker={"failure_threshold": 2})

    async def wrong(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        raise LookupError("no such header")

    async with aiohttp.ClientSession(middlewares=[GuardMiddleware(guard=guard), wrong]) as session:
        for _ in range(5):
            with pytest.raises(LookupError):
                await session.get(server.url)
    async with aiohttp.ClientSession(middlewares=[GuardMiddleware(guard=guard)]) as session:
        async with session.get(server.url) as response:
            assert response.status == 200
