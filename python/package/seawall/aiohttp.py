"""A guard in front of aiohttp's client: `pip install "seawall[aiohttp]"`, aiohttp 3.12 or newer.

    from seawall.aiohttp import GuardMiddleware

    session = aiohttp.ClientSession(middlewares=[GuardMiddleware(rate=20, timeout=1.0)])

Each origin (scheme, host and port) has a guard of its own: one service that is down does not disturb the others.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.payload import BytesPayload

import seawall
from seawall._http import KEPT_BYTES, RETRY_METHODS, Protection, RequestOptions, is_long, of_answer

if sys.version_info >= (3, 11):
    from asyncio import timeout as _timeout

    def _is_over(bound: asyncio.Timeout) -> bool:
        return bound.expired()

else:
    # aiohttp itself depends on it there.
    from async_timeout import Timeout, timeout as _timeout

    def _is_over(bound: Timeout) -> bool:
        return bound.expired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Unpack

    from seawall import Guard
    from seawall._http import GuardSettings, _Judgement
    from seawall._native import _Rate, _Seconds

__all__ = [
    "CircuitOpen",
    "ConcurrencyLimited",
    "DeadlineExceeded",
    "GuardMiddleware",
    "Paused",
    "RateLimited",
    "RequestOptions",
    "RetryBudgetSpent",
]


class _Refusal(aiohttp.ClientConnectionError):
    """A refusal that is a `seawall.Refused`, and an `aiohttp.ClientConnectionError` too: code that is ready for a
    service that cannot be reached is ready for it.
    """


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

# The last request of this task that aiohttp itself would send once more, past the guard's budget, and how it ended.
_ended: ContextVar[tuple[aiohttp.ClientRequest, Exception] | None] = ContextVar("_ended", default=None)


class GuardMiddleware:
    """A middleware of aiohttp's client that asks a guard before each attempt, and sends again what may be sent again.

    `rate` is what is expected of one host, `timeout` how long an attempt may take until its headers are there. All
    other keywords are those of `Guard`. Or `guard=` is one guard for all hosts, or `factory=` makes one for an origin
    such as "https://api.example.com". One middleware may serve many sessions.

    A session's own `ClientTimeout(total=...)` holds for all attempts together, with the waits between them.

    What is refused raises a `seawall.Refused` that is an `aiohttp.ClientConnectionError` too. Retries end with the last
    answer or the last error. Who is cancelled counts nowhere.

    >>> from seawall.aiohttp import GuardMiddleware
    >>> middleware = GuardMiddleware(rate=20, timeout=1.0, max_wait=0.5)
    """

    def __init__(
        self,
        rate: _Rate | None = None,
        timeout: _Seconds | None = None,
        *,
        guard: Guard | None = None,
        factory: Callable[[str], Guard] | None = None,
        max_hosts: int = 256,
        retry_methods: Iterable[str] = RETRY_METHODS,
        options: Callable[[aiohttp.ClientRequest], RequestOptions] | None = None,
        deadline: _Seconds | None = None,
        max_wait: _Seconds | None = None,
        on: Callable[[aiohttp.ClientResponse | Exception], _Judgement] | None = None,
        **settings: Unpack[GuardSettings],
    ) -> None:
        self._protection: Protection[aiohttp.ClientRequest, aiohttp.ClientResponse] = Protection(
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

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        _raise_if_ended(request)
        try:
            return await self._send(request, handler)
        except Exception as error:
            _remember_end(request, error)
            raise

    async def _send(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        begun = self._protection.begin(
            request,
            origin=str(request.url.origin()),
            method=request.method,
            has_key="Idempotency-Key" in request.headers,
            can_repeat=isinstance(request.body, (bytes, BytesPayload)),
        )
        with begun as exchange:
            while True:
                try:
                    attempt = await exchange.ask_async()
                except seawall.Refused as refusal:
                    return exchange.refused(refusal)
                limit = exchange.time_limit()
                try:
                    response = await _within(limit, handler, request)
                except BaseException as error:
                    if exchange.failed(attempt, error, _class_of(error, request)):
                        continue
                    raise
                try:
                    if not exchange.answered(attempt, response, response.status, response.headers):
                        return response
                    exchange.kept = await _put_away(response, limit)
                except BaseException:
                    response.close()
                    raise


async def _within(
    limit: float | None, handler: aiohttp.ClientHandlerType, request: aiohttp.ClientRequest
) -> aiohttp.ClientResponse:
    if limit is None:
        return await handler(request)
    bound = _timeout(limit)
    try:
        async with bound:
            return await handler(request)
    except asyncio.TimeoutError:
        if _is_over(bound):
            raise aiohttp.ServerTimeoutError(f"no answer from {request.url.origin()} in {limit:.3g} s") from None
        raise


def _class_of(error: BaseException, request: aiohttp.ClientRequest) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return "timeout"
    if isinstance(error, asyncio.CancelledError):
        # While it connects, the session's own time-out looks like a cancellation.
        return "timeout" if getattr(_timer(request), "_cancelled", False) else "ignored"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return of_answer(error.status, {})[0]
    # Of this side: an address that is none, a body that raises. It says nothing of the service.
    if isinstance(error, aiohttp.InvalidURL) or not isinstance(error, (aiohttp.ClientError, OSError)):
        return "ignored"
    return "retryable"


def _raise_if_ended(request: aiohttp.ClientRequest) -> None:
    """aiohttp sends an idempotent request once more, as a new one through all middlewares, where a connection was lost.
    The guard has had its say on that: the second ends as the first has.
    """
    ended = _ended.get()
    if ended is None:
        return
    _ended.set(None)
    before, error = ended
    # The same object once more is another middleware's doing: that is its own decision.
    if before is not request and _timer(before) is _timer(request):
        raise error


def _remember_end(request: aiohttp.ClientRequest, error: Exception) -> None:
    is_lost = isinstance(error, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError))
    if is_lost and not isinstance(error, aiohttp.ClientConnectorError) and _timer(request) is not None:
        _ended.set((request, error))


def _timer(request: aiohttp.ClientRequest) -> object | None:
    """What both have in common, and no other request has."""
    return getattr(request, "_timer", None)


async def _put_away(response: aiohttp.ClientResponse, limit: float | None) -> aiohttp.ClientResponse | None:
    """Reads an answer that the caller may not get to see, so that its connection serves the next attempt; a long one is
    dropped with its connection, and so is one that takes too long.
    """
    body = bytearray()
    try:
        async with _timeout(limit):
            while not is_long(response.headers) and len(body) <= KEPT_BYTES:
                part = await response.content.read(KEPT_BYTES)
                if not part:
                    return _with_body(response, bytes(body))
                body += part
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
        pass
    response.close()
    return None


def _with_body(response: aiohttp.ClientResponse, body: bytes) -> aiohttp.ClientResponse:
    """As if nothing of it were read."""
    loop = asyncio.get_running_loop()
    response.content = aiohttp.StreamReader(BaseProtocol(loop), KEPT_BYTES, loop=loop)
    response.content.feed_data(body)
    response.content.feed_eof()
    return response
