"""What is particular to httpx: streams, its own time-outs, transports within, cancellation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx
import pytest

import seawall
from loopback import Answer, Server, serving
from seawall.httpx import AsyncGuardTransport, GuardTransport


# One server and one client: nothing to run on several threads at once.
pytestmark = pytest.mark.thread_unsafe


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def guard() -> seawall.Guard:
    clock = seawall.ManualClock(autojump=True)
    return seawall.Guard(1000, 5.0, clock=clock, max_wait=60.0, breaker={"failure_threshold": 2})


def test_an_attempt_ends_with_its_headers(server: Server, guard: seawall.Guard) -> None:
    server.answers = [Answer(body=b"x" * 100_000)]
    with httpx.Client(transport=GuardTransport(guard=guard)) as client:
        with client.stream("GET", server.url) as response:
            assert guard.limit.in_flight == 0
            assert len(response.read()) == 100_000


def test_a_body_that_breaks_off_is_the_callers_and_not_sent_again(server: Server, guard: seawall.Guard) -> None:
    server.answers = [Answer(body=b"x" * 1000, breaks=True)]
    with httpx.Client(transport=GuardTransport(guard=guard)) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(server.url)
    assert server.count() == 1


def test_the_timeout_bounds_the_headers_and_not_the_body(server: Server, guard: seawall.Guard) -> None:
    seen: list[dict[str, float]] = []

    class Inner(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            extensions = request.extensions
            seen.append(dict(extensions["timeout"]))

            def body() -> Iterator[bytes]:
                seen.append(dict(extensions["timeout"]))
                yield b"late"

            return httpx.Response(200, content=body())

    transport = GuardTransport(guard=guard, timeout=1.0, transport=Inner())
    with httpx.Client(transport=transport, timeout=httpx.Timeout(7.0, connect=0.5)) as client:
        assert client.get("http://there").text == "late"
    assert seen == [
        {"connect": 0.5, "read": 1.0, "write": 1.0, "pool": 1.0},
        {"connect": 0.5, "read": 7.0, "write": 7.0, "pool": 7.0},
    ]


def test_waiting_for_a_connection_of_ones_own_says_nothing_of_the_service(
    server: Server, guard: seawall.Guard
) -> None:
    inner = httpx.HTTPTransport(limits=httpx.Limits(max_connections=1))
    timeout = httpx.Timeout(5.0, pool=0.01)
    with httpx.Client(transport=GuardTransport(guard=guard, transport=inner), timeout=timeout) as client:
        with client.stream("GET", server.url):
            for _ in range(5):
                with pytest.raises(httpx.PoolTimeout):
                    client.get(server.url)
        assert client.get(server.url).status_code == 200
    assert server.count() == 2


def test_mistakes_of_the_caller_say_nothing_of_the_service(server: Server, guard: seawall.Guard) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("no such file")

    with httpx.Client(transport=GuardTransport(guard=guard)) as client:
        for _ in range(3):
            with pytest.raises(httpx.LocalProtocolError):
                client.get(server.url, headers={"X": "a\r\nb"})
            with pytest.raises(LookupError):
                client.post(server.url, content=broken())
            with pytest.raises(httpx.UnsupportedProtocol):
                client.get("gopher://there")
        server.arrivals.clear()
        assert client.get(server.url).status_code == 200
    assert guard.limit.in_flight == 0


def test_a_kept_answer_reads_as_the_one_that_came(guard: seawall.Guard) -> None:
    import gzip

    packed = gzip.compress(b"why it failed")
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, headers=headers, stream=httpx.ByteStream(packed))

    clock = seawall.ManualClock(autojump=True)
    transport = GuardTransport("1/min", 5.0, bucket={"burst": 1}, clock=clock, transport=httpx.MockTransport(answer))
    with httpx.Client(transport=transport) as client:
        with client.stream("GET", "http://there") as response:
            assert b"".join(response.iter_raw()) == packed
    with httpx.Client(transport=transport) as client:
        clock.advance(60.0)
        response = client.get("http://there")
        assert (response.status_code, response.text) == (500, "why it failed")


def test_a_refusal_knows_its_request() -> None:
    transport = GuardTransport(1000, 5.0, quota="1/min", transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    with httpx.Client(transport=transport) as client:
        client.get("http://there/one")
        with pytest.raises(seawall.RateLimited) as raised:
            client.get("http://there/two")
    assert isinstance(raised.value, httpx.TransportError)
    assert raised.value.request.url == "http://there/two"


def test_redirects_go_to_the_guard_of_their_host(server: Server) -> None:
    with serving() as other:
        server.answers = [Answer(307, {"Location": other.url + "/there"})]
        transport = GuardTransport(100, 1.0)
        with httpx.Client(transport=transport, follow_redirects=True) as client:
            assert client.get(server.url).status_code == 200
        assert set(transport.guards) == {server.url, other.url}


def test_a_transport_within_is_entered_and_closed_with_it() -> None:
    seen: list[str] = []

    class Inner(httpx.BaseTransport):
        def __enter__(self) -> Inner:
            seen.append("enter")
            return self

        def close(self) -> None:
            seen.append("close")

    with httpx.Client(transport=GuardTransport(20, 1.0, transport=Inner())):
        assert seen == ["enter"]
    assert seen == ["enter", "close"]
    httpx.Client(transport=GuardTransport(20, 1.0, transport=Inner())).close()
    assert seen == ["enter", "close", "close"]


@pytest.mark.anyio
async def test_an_async_transport_within_is_entered_and_closed_with_it() -> None:
    seen: list[str] = []

    class Inner(httpx.AsyncBaseTransport):
        async def __aenter__(self) -> Inner:
            seen.append("enter")
            return self

        async def aclose(self) -> None:
            seen.append("close")

    async with httpx.AsyncClient(transport=AsyncGuardTransport(20, 1.0, transport=Inner())):
        assert seen == ["enter"]
    await httpx.AsyncClient(transport=AsyncGuardTransport(20, 1.0, transport=Inner())).aclose()
    assert seen == ["enter", "close", "close"]


def test_threads_share_a_client(server: Server) -> None:
    clock = seawall.ManualClock(autojump=True)
    transport = GuardTransport(1000, 5.0, clock=clock, max_wait=600.0)
    with httpx.Client(transport=transport) as client, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: client.get(f"{server.url}/{number}").status_code, range(80)))
    assert statuses == [200] * 80
    assert server.count() == 80
    assert transport.guards[server.url].limit.in_flight == 0


@pytest.mark.anyio
async def test_who_is_cancelled_counts_nowhere(server: Server, guard: seawall.Guard) -> None:
    server.answers = [Answer(delay=1.0)]
    async with httpx.AsyncClient(transport=AsyncGuardTransport(guard=guard)) as client:
        for _ in range(5):
            with anyio.move_on_after(0.05) as scope:
                await client.get(server.url)
            assert scope.cancelled_caught
        assert guard.limit.in_flight == 0
        server.answers = [Answer()]
        assert (await client.get(server.url)).status_code == 200


@pytest.mark.anyio
async def test_an_async_body_is_sent_once(server: Server, guard: seawall.Guard) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"

    server.answers = [Answer(500)]
    async with httpx.AsyncClient(transport=AsyncGuardTransport(guard=guard)) as client:
        assert (await client.put(server.url, content=body())).status_code == 500
        assert (await client.put(server.url, files={"file": b"x"})).status_code == 500
    assert server.count() == 2
