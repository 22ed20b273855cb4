"""The clients that a guard stands in front of, behind one face: so that each promise is tested with each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio.from_thread
import httpx

import seawall
from seawall.aiohttp import GuardMiddleware
from seawall.httpx import AsyncGuardTransport, GuardTransport


@dataclass(frozen=True)
class Reply:
    status: int
    text: str


@dataclass(frozen=True)
class Client:
    request: Callable[..., Reply]
    guards: Callable[[], dict[str, seawall.Guard]]
    unreachable: type[Exception]
    timed_out: type[Exception]

    def get(self, url: str, **more: Any) -> Reply:
        return self.request("GET", url, **more)


KINDS = ["httpx", "httpx-asyncio", "httpx-trio", "aiohttp"]


@contextmanager
def client(kind: str, *, connections: int = 100, patience: float = 5.0, **settings: Any) -> Iterator[Client]:
    if kind == "httpx":
        with _httpx(connections, patience, settings) as made:
            yield made
    else:
        backend = "trio" if kind == "httpx-trio" else "asyncio"
        with anyio.from_thread.start_blocking_portal(backend) as portal:
            make = _aiohttp if kind == "aiohttp" else _async_httpx
            with portal.wrap_async_context_manager(make(portal, connections, patience, settings)) as made:
                yield made


@contextmanager
def _httpx(connections: int, patience: float, settings: dict[str, Any]) -> Iterator[Client]:
    inner = httpx.HTTPTransport(limits=httpx.Limits(max_connections=connections))
    transport = GuardTransport(transport=inner, **settings)

    def request(method: str, url: str, *, parts: list[bytes] | None = None, **more: Any) -> Reply:
        if parts is not None:
            more["content"] = iter(parts)
        response = http.request(method, url, **more)
        return Reply(response.status_code, response.text)

    with httpx.Client(transport=transport, timeout=patience) as http:
        yield Client(request, lambda: transport.guards, httpx.TransportError, httpx.TimeoutException)


def _async_httpx(portal: Any, connections: int, patience: float, settings: dict[str, Any]) -> Any:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=connections))
        transport = AsyncGuardTransport(transport=inner, **settings)

        async def send(method: str, url: str, parts: list[bytes] | None, more: dict[str, Any]) -> Reply:
            if parts is not None:
                more["content"] = _each(parts)
            response = await http.request(method, url, **more)
            return Reply(response.status_code, response.text)

        def request(method: str, url: str, *, parts: list[bytes] | None = None, **more: Any) -> Reply:
            reply: Reply = portal.call(send, method, url, parts, more)
            return reply

        async with httpx.AsyncClient(transport=transport, timeout=patience) as http:
            yield Client(request, lambda: transport.guards, httpx.TransportError, httpx.TimeoutException)

    return opened()


def _aiohttp(portal: Any, connections: int, patience: float, settings: dict[str, Any]) -> Any:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        middleware = GuardMiddleware(**settings)

        async def send(method: str, url: str, parts: list[bytes] | None, more: dict[str, Any]) -> Reply:
            data = more.pop("content", None) if parts is None else _each(parts)
            async with session.request(method, url, data=data, **more) as response:
                return Reply(response.status, await response.text())

        def request(method: str, url: str, *, parts: list[bytes] | None = None, **more: Any) -> Reply:
            reply: Reply = portal.call(send, method, url, parts, more)
            return reply

        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections),
            timeout=aiohttp.ClientTimeout(total=patience),
            middlewares=[middleware],
        )
        async with session:
            yield Client(request, lambda: middleware.guards, aiohttp.ClientError, asyncio.TimeoutError)

    return opened()


async def _each(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
