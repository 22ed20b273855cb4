"""A guard in front of httpx: `pip install "seawall[httpx]"`.

>>> import httpx
>>> from seawall.httpx import GuardTransport
>>> client = httpx.Client(transport=GuardTransport(rate=20, timeout=1.0))

Each origin (scheme, host and port) has a guard of its own: one service that is down does not disturb the others.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

import seawall
from seawall._http import KEPT_BYTES, RETRY_METHODS, Exchange, Protection, RequestOptions, is_long

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from types import TracebackType

    from typing_extensions import Unpack

    from seawall import Guard
    from seawall._http import GuardSettings, _Judgement
    from seawall._native import _Rate, _Seconds

__all__ = [
    "AsyncGuardTransport",
    "CircuitOpen",
    "ConcurrencyLimited",
    "DeadlineExceeded",
    "GuardTransport",
    "Paused",
    "RateLimited",
    "RequestOptions",
    "RetryBudgetSpent",
]


class _Refusal(httpx.TransportError):
    """A refusal that is a `seawall.Refused`, and a `httpx.TransportError` too: code that is ready for a service that
    cannot be reached is ready for it.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__("refused")
        self.args = args


class CircuitOpen(seawall.CircuitOpen, _Refusal):
    """The service counts as down: the request was not sent."""


class ConcurrencyLimited(seawall.ConcurrencyLimited, _Refusal):
    """As many requests are in flight as may be: it was not sent."""


class DeadlineExceeded(seawall.DeadlineExceeded, _Refusal):
    """The answer would come too late: the request was not sent."""


class Paused(seawall.Paused, _Refusal):
    """The service asked to be spared (Retry-After): the request was not sent."""


class RateLimited(seawall.RateLimited, _Refusal):
    """There are too few tokens: the request was not sent."""


class RetryBudgetSpent(seawall.RetryBudgetSpent, _Refusal):
    """The traffic has had its share of retries: the request was not sent."""


_REFUSALS: dict[type[seawall.Refused], type[seawall.Refused]] = {
    seawall.CircuitOpen: CircuitOpen,
    seawall.ConcurrencyLimited: ConcurrencyLimited,
    seawall.DeadlineExceeded: DeadlineExceeded,
    seawall.Paused: Paused,
    seawall.RateLimited: RateLimited,
    seawall.RetryBudgetSpent: RetryBudgetSpent,
}

# Nothing was sent, and the service is not to blame.
_NEVER_SENT = (httpx.PoolTimeout, httpx.UnsupportedProtocol)


class _Guarded:
    _protection: Protection[httpx.Request, httpx.Response]

    def __init__(
        self,
        rate: _Rate | None,
        timeout: _Seconds | None,
        guard: Guard | None,
        factory: Callable[[str], Guard] | None,
        max_hosts: int,
        retry_methods: Iterable[str],
        options: Callable[[httpx.Request], RequestOptions] | None,
        deadline: _Seconds | None,
        max_wait: _Seconds | None,
        on: Callable[[httpx.Response | Exception], _Judgement] | None,
        settings: GuardSettings,
    ) -> None:
        self._protection = Protection(
            rate,
            timeout,
            guard=guard,
            factory=factory,
            max_hosts=max_hosts,
            retry_methods=retry_methods,
            options=options,
            deadline=deadline,
            max_wait=max_wait,
            on=on,
            settings=settings,
            refusals=_REFUSALS,
        )

    @property
    def guards(self) -> dict[str, Guard]:
        """The guards by origin, as "https://api.example.com"; the one guard for all, if it was given, as "*"."""
        return self._protection.guards

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self.guards) or 'no host yet'}>"

    def _begin(self, request: httpx.Request) -> Exchange[httpx.Request, httpx.Response]:
        return self._protection.begin(
            request,
            origin=f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
            method=request.method,
            has_key="idempotency-key" in request.headers,
            can_repeat=isinstance(request.stream, httpx.ByteStream),
        )


class GuardTransport(_Guarded, httpx.BaseTransport):
    """A transport of httpx that asks a guard before each attempt, and sends again what may be sent again.

    `rate` is what is expected of one host, `timeout` how long an attempt may take until its headers are there: it
    bounds the client's own time-outs up to then, and not the body's. All other keywords are those of `Guard`. Or
    `guard=` is one guard for all hosts, or `factory=` makes one for an origin such as "https://api.example.com".

    `transport` is the one that sends: `httpx.HTTPTransport()`, or another with proxies, HTTP/2 or certificates, which
    httpx takes from the transport and not from the client once a transport is given.

    What is refused raises a `seawall.Refused` that is a `httpx.TransportError` too. Retries end with the last answer or
    the last error.

    >>> import httpx
    >>> from seawall.httpx import GuardTransport
    >>> client = httpx.Client(transport=GuardTransport(rate=20, timeout=1.0, max_wait=0.5))
    """

    def __init__(
        self,
        rate: _Rate | None = None,
        timeout: _Seconds | None = None,
        *,
        guard: Guard | None = None,
        factory: Callable[[str], Guard] | None = None,
        transport: httpx.BaseTransport | None = None,
        max_hosts: int = 256,
        retry_methods: Iterable[str] = RETRY_METHODS,
        options: Callable[[httpx.Request], RequestOptions] | None = None,
        deadline: _Seconds | None = None,
        max_wait: _Seconds | None = None,
        on: Callable[[httpx.Response | Exception], _Judgement] | None = None,
        **settings: Unpack[GuardSettings],
    ) -> None:
        super().__init__(
            rate, timeout, guard, factory, max_hosts, retry_methods, options, deadline, max_wait, on, settings
        )
        self._transport = httpx.HTTPTransport() if transport is None else transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._begin(request) as exchange:
            while True:
                try:
                    attempt = exchange.ask()
                except seawall.Refused as refusal:
                    return exchange.refused(refusal)
                with _bounded(request, exchange.time_limit()):
                    try:
                        response = self._transport.handle_request(request)
                    except _NEVER_SENT:
                        attempt.cancel()
                        raise
                    except BaseException as error:
                        if exchange.failed(attempt, error, _class_of(error)):
                            continue
                        raise
                    try:
                        if not exchange.answered(attempt, response, response.status_code, response.headers):
                            return response
                        exchange.kept = _put_away(response)
                    except BaseException:
                        response.close()
                        raise

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> GuardTransport:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(exc_type, exc_value, traceback)


class AsyncGuardTransport(_Guarded, httpx.AsyncBaseTransport):
    """As `GuardTransport`, for `httpx.AsyncClient`, on asyncio and trio. Who is cancelled counts nowhere.

    >>> import httpx
    >>> from seawall.httpx import AsyncGuardTransport
    >>> client = httpx.AsyncClient(transport=AsyncGuardTransport(rate=20, timeout=1.0, max_wait=0.5))
    """

    def __init__(
        self,
        rate: _Rate | None = None,
        timeout: _Seconds | None = None,
        *,
        guard: Guard | None = None,
        factory: Callable[[str], Guard] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_hosts: int = 256,
        retry_methods: Iterable[str] = RETRY_METHODS,
        options: Callable[[httpx.Request], RequestOptions] | None = None,
        deadline: _Seconds | None = None,
        max_wait: _Seconds | None = None,
        on: Callable[[httpx.Response | Exception], _Judgement] | None = None,
        **settings: Unpack[GuardSettings],
    ) -> None:
        super().__init__(
            rate, timeout, guard, factory, max_hosts, retry_methods, options, deadline, max_wait, on, settings
        )
        self._transport = httpx.AsyncHTTPTransport() if transport is None else transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with self._begin(request) as exchange:
            while True:
                try:
                    attempt = await exchange.ask_async()
                except seawall.Refused as refusal:
                    return exchange.refused(refusal)
                with _bounded(request, exchange.time_limit()):
                    try:
                        response = await self._transport.handle_async_request(request)
                    except _NEVER_SENT:
                        attempt.cancel()
                        raise
                    except BaseException as error:
                        if exchange.failed(attempt, error, _class_of(error)):
                            continue
                        raise
                    try:
                        if not exchange.answered(attempt, response, response.status_code, response.headers):
                            return response
                        exchange.kept = await _put_away_async(response)
                    except BaseException:
                        await response.aclose()
                        raise

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> AsyncGuardTransport:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(exc_type, exc_value, traceback)


def _class_of(error: BaseException) -> str:
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return "timeout"
    # Of this side: a header that is none, a body that raises. It says nothing of the service.
    if isinstance(error, httpx.LocalProtocolError) or not isinstance(error, (httpx.TransportError, OSError)):
        return "ignored"
    return "retryable"


@contextmanager
def _bounded(request: httpx.Request, limit: float | None) -> Generator[None]:
    """Nothing of the attempt takes longer than `limit`, nor the body of an answer that is put away. A body that the
    caller reads has the client's own time-outs: what was sent has these very extensions.
    """
    if limit is None:
        yield
        return
    given = request.extensions
    timeouts: dict[str, float | None] = given.get("timeout") or {}
    bounded = {name: _least(timeouts.get(name), limit) for name in ("connect", "read", "write", "pool")}
    sent: dict[str, Any] = {**given, "timeout": {**timeouts, **bounded}}
    request.extensions = sent
    try:
        yield
    finally:
        sent["timeout"] = timeouts
        request.extensions = given


def _least(timeout: float | None, limit: float) -> float:
    return limit if timeout is None else min(timeout, limit)


def _put_away(response: httpx.Response) -> httpx.Response | None:
    """Reads an answer that the caller may not get to see, so that its connection serves the next attempt; a long one is
    dropped with its connection.
    """
    body = bytearray()
    try:
        if is_long(response.headers):
            return None
        assert isinstance(response.stream, httpx.SyncByteStream)
        for part in response.stream:
            body += part
            if len(body) > KEPT_BYTES:
                return None
    except (httpx.HTTPError, httpx.StreamError, OSError):
        return None
    finally:
        response.close()
    return _kept(response, body)


async def _put_away_async(response: httpx.Response) -> httpx.Response | None:
    body = bytearray()
    try:
        if is_long(response.headers):
            return None
        assert isinstance(response.stream, httpx.AsyncByteStream)
        async for part in response.stream:
            body += part
            if len(body) > KEPT_BYTES:
                return None
    except (httpx.HTTPError, httpx.StreamError, OSError):
        return None
    finally:
        await response.aclose()
    return _kept(response, body)


def _kept(response: httpx.Response, body: bytearray) -> httpx.Response:
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=httpx.ByteStream(bytes(body)),
        extensions=response.extensions,
    )
