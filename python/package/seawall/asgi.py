"""Rate limits for ASGI applications: Starlette, FastAPI, Litestar, Quart, Django and whatever else speaks ASGI.

>>> from seawall.asgi import RateLimitMiddleware
>>> async def app(scope, receive, send): ...
>>> app = RateLimitMiddleware(app, "100/min", burst=20)

`python/docs/asgi.md` tells more.
"""

from __future__ import annotations

import json
import logging
import math
import random
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from inspect import iscoroutinefunction
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ._errors import RateLimited
from ._native import KeyedBuckets, TokenBucket

if TYPE_CHECKING:
    from datetime import timedelta

    from ._native import ManualClock, RateCheck

__all__ = ["RateLimitMiddleware", "client_address", "header"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Key: TypeAlias = str | bytes | int | None
KeyOf: TypeAlias = Callable[[Scope], Key]

_MODES = ("enforce", "shadow", "off")
_PROBLEMS = "https://iana.org/assignments/http-problem-types#"
_LOG = logging.getLogger("seawall.asgi")


class RateLimitMiddleware:
    """Limits how often each client may ask: `rate` for each key, up to `burst` at once, and 429 beyond.

    The key of a request is what `key` says of its ASGI scope, by default the client's address: `client_address` and
    `header` make such functions, and a request whose key is None has no limit of its own. `rate` is a number per second,
    a text like "100/min" or a pair (count, seconds); the burst, if it is not given, is the count as it was written, 100.
    Instead of a rate, KeyedBuckets that exist already may be given, to share them or to change them while they serve.

    Every answer says what is left, in the fields `RateLimit-Policy` and `RateLimit` of
    draft-ietf-httpapi-ratelimit-headers-11; `legacy_headers=True` adds the three fields of its first seven revisions,
    `headers=False` omits them all. A refusal is 429 with `Retry-After` in whole seconds, rounded up, and a body of
    application/problem+json (RFC 9457). `total=` is a rate for all requests together: beyond it, 503, with a `Retry-After`
    that is spread over `spread` seconds more, so that not all come back in the same second. What is refused by one limit
    takes nothing from the other.

    mode="shadow" refuses nothing, and counts what it would have (`shadow_refused`): start with it. "off" does nothing at
    all; `mode` can be changed while it serves. `exempt` is a collection of paths, or a function of the scope that says
    True for what is not limited. `cost` is how many tokens a request takes, or a function of the scope that says so.
    `on_refused` is called with the scope and the refusal, for logs, in shadow too. None of these functions is async: they
    run on the hot path, that awaits nothing of its own.

    WebSocket connections are limited at their handshake, refused with the same answer if the server can give one, and
    closed with 1013 otherwise. Other scopes, as lifespan, pass. The memory is bounded: `capacity` keys that are busy at the
    same time, 32 bytes each; `when_full` says what happens to a key too many, as for KeyedBuckets. The limits are those of
    one process: with N workers divide the rate by N.

    >>> from seawall.asgi import RateLimitMiddleware, header
    >>> async def app(scope, receive, send): ...
    >>> app = RateLimitMiddleware(app, "100/min", burst=20, key=header("x-api-key"), exempt={"/health"}, mode="shadow")
    """

    def __init__(
        self,
        app: Application,
        rate: float | str | tuple[int, float | timedelta] | KeyedBuckets,
        burst: int | None = None,
        *,
        key: KeyOf | None = None,
        trusted_proxies: Iterable[str] = (),
        cost: int | Callable[[Scope], int] = 1,
        exempt: Callable[[Scope], bool] | Iterable[str] = (),
        total: float | str | tuple[int, float | timedelta] | TokenBucket | None = None,
        mode: Literal["enforce", "shadow", "off"] = "enforce",
        name: str = "default",
        headers: bool = True,
        legacy_headers: bool = False,
        spread: float = 5.0,
        on_refused: Callable[[Scope, RateLimited], object] | None = None,
        capacity: int = 16_384,
        when_full: Literal["open", "closed"] = "open",
        clock: ManualClock | None = None,
    ) -> None:
        self.app = app
        if isinstance(rate, KeyedBuckets):
            if burst is not None:
                raise TypeError("burst must not be given beside KeyedBuckets, which have their own")
            self._buckets = rate
        else:
            written = burst if burst is not None else _count_of(rate)
            self._buckets = KeyedBuckets(rate, written, capacity=capacity, when_full=when_full, clock=clock)
        if key is not None and trusted_proxies != ():
            raise TypeError("trusted_proxies must not be given beside key: use key=client_address(trusted_proxies)")
        self._key = client_address(trusted_proxies) if key is None else _plain("key", key)
        self._cost = _plain("cost", cost) if callable(cost) else None
        self._fixed_cost = 1 if callable(cost) else _whole_number("cost", cost)
        if callable(exempt):
            self._is_exempt: Callable[[Scope], bool] | None = _plain("exempt", exempt)
            self._exempt_paths: frozenset[str] = frozenset()
        else:
            self._is_exempt = None
            self._exempt_paths = _paths(exempt)
        if total is None or isinstance(total, TokenBucket):
            self._total = total
        else:
            self._total = TokenBucket(total, clock=clock)
        self._on_refused = None if on_refused is None else _plain("on_refused", on_refused)
        self._spread = _seconds("spread", spread)
        self._name = _policy_name(name)
        self._exceeded = _Problem(429, "quota-exceeded", "Too many requests", **{"violated-policies": [name]})
        self._headers = headers
        self._legacy_headers = legacy_headers
        self._policy = (math.nan, 0, b"")
        self._counting = threading.Lock()
        self._refused = 0
        self._shadow_refused = 0
        self.mode = mode

    @property
    def mode(self) -> Literal["enforce", "shadow", "off"]:
        """Whether it refuses: "enforce", "shadow" or "off"."""
        return self._mode

    @mode.setter
    def mode(self, mode: Literal["enforce", "shadow", "off"]) -> None:
        if mode not in _MODES:
            raise ValueError(f'mode must be "enforce", "shadow" or "off", not {mode!r}')
        self._mode: Literal["enforce", "shadow", "off"] = mode

    @property
    def buckets(self) -> KeyedBuckets:
        """The limits of the keys: to change the rate, to give tokens back, to see how many keys are busy."""
        return self._buckets

    @property
    def total(self) -> TokenBucket | None:
        """The limit of all requests together."""
        return self._total

    @property
    def refused(self) -> int:
        """How many requests were refused."""
        return self._refused

    @property
    def shadow_refused(self) -> int:
        """How many would have been refused, had the mode not been "shadow"."""
        return self._shadow_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, mode = scope["type"], self._mode
        if (
            mode == "off"
            or (kind != "http" and kind != "websocket")
            or scope["path"] in self._exempt_paths
            or (self._is_exempt is not None and self._is_exempt(scope))
        ):
            await self.app(scope, receive, send)
            return
        is_enforced = mode == "enforce"
        key = self._key(scope)
        cost = self._fixed_cost if self._cost is None else self._cost(scope)
        check = None if key is None else self._buckets.check(key, cost)
        if check is not None and not check.allowed:
            answer = self._refuse_key(scope, check, is_enforced)
        elif self._total is not None and not self._total.try_take(cost):
            if key is not None:
                self._buckets.refund(key, cost)
            answer = self._refuse_total(scope, self._total, cost, is_enforced)
        else:
            answer = None
        if answer is not None and is_enforced:
            await answer.send(scope, send)
        elif check is None or kind != "http" or not self._headers:
            await self.app(scope, receive, send)
        else:
            await self.app(scope, receive, _with_headers(send, self._fields(check)))

    def _refuse_key(self, scope: Scope, check: RateCheck, is_enforced: bool) -> _Answer:
        reason = check.reason or "not_yet"
        refused = RateLimited("keyed_bucket", reason, check.retry_after)
        self._count(scope, refused, is_enforced)
        fields = self._fields(check) if self._headers else []
        if reason == "no_place":
            # It has done nothing wrong: it is the server that has no place for it.
            return self._unavailable(check.retry_after, fields)
        return _Answer(self._exceeded, _whole(check.retry_after), fields)

    def _refuse_total(self, scope: Scope, total: TokenBucket, cost: int, is_enforced: bool) -> _Answer:
        refused = total.peek(cost)
        # There may be a token by now; that it was refused remains.
        limited = refused if isinstance(refused, RateLimited) else RateLimited("token_bucket", "not_yet", 0.0)
        self._count(scope, limited, is_enforced)
        return self._unavailable(limited.retry_after, [])

    def _unavailable(self, retry_after: float | None, fields: list[tuple[bytes, bytes]]) -> _Answer:
        wait = None if retry_after is None else _whole(retry_after + random.uniform(0.0, self._spread))
        return _Answer(_BUSY, wait, fields)

    def _count(self, scope: Scope, refused: RateLimited, is_enforced: bool) -> None:
        with self._counting:
            if is_enforced:
                self._refused += 1
            else:
                self._shadow_refused += 1
        if self._on_refused is not None:
            try:
                self._on_refused(scope, refused)
            except Exception:
                _LOG.exception("on_refused failed, and the request was judged all the same")

    def _fields(self, check: RateCheck) -> list[tuple[bytes, bytes]]:
        rate, limit = self._buckets.rate, check.limit
        known_rate, known_limit, policy = self._policy
        if rate != known_rate or limit != known_limit:
            policy = _policy(self._name, rate, limit)
            # One assignment: a thread beside this one sees the old or the new.
            self._policy = (rate, limit, policy)
        window = _window(check, rate)
        effective = "" if window is None else f";t={window}"
        fields = [
            (b"ratelimit-policy", policy),
            (b"ratelimit", f'"{self._name}";r={check.remaining}{effective}'.encode("ascii")),
        ]
        if self._legacy_headers:
            fields += [
                (b"ratelimit-limit", b"%d" % limit),
                (b"ratelimit-remaining", b"%d" % check.remaining),
            ]
            if window is not None:
                fields.append((b"ratelimit-reset", b"%d" % window))
        return fields


class _Problem:
    """A kind of refusal, as far as it is known beforehand: a storm of refusals is not to cost more than answers."""

    def __init__(self, status: int, kind: str, title: str, **members: object) -> None:
        self.status = status
        problem = {"type": _PROBLEMS + kind, "title": title, "status": status, "detail": "\0", **members}
        self._before, _, self._after = json.dumps(problem).partition("\\u0000")

    def body(self, retry_after: int | None) -> bytes:
        detail = "Nobody knows when it can pass." if retry_after is None else f"Try again in {retry_after} s."
        return f"{self._before}{detail}{self._after}".encode("ascii")


_BUSY = _Problem(503, "temporary-reduced-capacity", "The service is busy")


class _Answer:
    """A refusal, as it is sent."""

    def __init__(self, problem: _Problem, retry_after: int | None, fields: list[tuple[bytes, bytes]]) -> None:
        self._status = problem.status
        self._body = problem.body(retry_after)
        self._headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(self._body)),
            # What is refused now is not refused for ever.
            (b"cache-control", b"no-store"),
            *fields,
        ]
        if retry_after is not None:
            self._headers.append((b"retry-after", b"%d" % retry_after))

    async def send(self, scope: Scope, send: Send) -> None:
        prefix = "http"
        if scope["type"] == "websocket":
            if "websocket.http.response" not in (scope.get("extensions") or {}):
                # Before it is accepted, a close is 403 to the client; 1013 is "try again later" to those who can see it.
                await send({"type": "websocket.close", "code": 1013, "reason": "too many requests"})
                return
            prefix = "websocket.http"
        body = b"" if scope.get("method") == "HEAD" else self._body
        await send({"type": f"{prefix}.response.start", "status": self._status, "headers": self._headers})
        await send({"type": f"{prefix}.response.body", "body": body})


def client_address(trusted_proxies: Iterable[str] = ()) -> KeyOf:
    """A key for the middleware: the address of the client. IPv6 counts by /64, which is what one household has.

    Behind a proxy all clients have the proxy's address. `trusted_proxies` are the addresses and networks of yours, and
    "unix" for one that connects by a socket file; what such a one says in X-Forwarded-For is believed, from the right to
    the left, up to the first address that is not among them. Name none but your own: whoever can connect from a trusted
    address chooses the key, and so has no limit. Servers that put the forwarded address into the scope by themselves, as
    `uvicorn --proxy-headers` does, need nothing here.

    >>> from seawall.asgi import client_address
    >>> key = client_address(["10.0.0.0/8"])
    >>> key({"client": ("10.0.0.7", 80), "headers": [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.9")]})
    '203.0.113.9'
    >>> key({"client": ("198.51.100.1", 80), "headers": [(b"x-forwarded-for", b"6.6.6.6")]})
    '198.51.100.1'
    """
    if isinstance(trusted_proxies, str):
        raise TypeError(f"trusted_proxies must be a collection of addresses, not the text {trusted_proxies!r}")
    trusted = frozenset(trusted_proxies)
    trusts_files = "unix" in trusted
    networks = tuple(_network(proxy) for proxy in sorted(trusted - {"unix"}))

    @lru_cache(maxsize=4096)
    def read(text: str) -> tuple[str, bool] | None:
        """The key of an address, and whether it is of a trusted proxy. None: it is no address."""
        address = _address(text)
        if address is None:
            return None
        return _key_of(address), any(address in network for network in networks)

    def key(scope: Scope) -> str:
        client = scope.get("client")
        host: str | None = client[0] if client else None
        found, is_trusted = (read(host) or (host, False)) if host else ("", trusts_files)
        if is_trusted:
            for hop in reversed(_forwarded(scope)):
                said = read(hop)
                if said is None:
                    # Nobody knows who wrote this: it counts for the proxy that passed it on.
                    break
                found, is_trusted = said
                if not is_trusted:
                    break
        return found

    return key


def header(name: str, otherwise: KeyOf | None = None) -> KeyOf:
    """A key for the middleware: the value of a request header, or what `otherwise` says where it is missing; by default the
    client's address. Use it for what has been verified before, as an API key: who may write what he likes writes another
    value for each request, and has no limit.

    >>> from seawall.asgi import header
    >>> header("X-API-Key")({"headers": [(b"x-api-key", b"k-1")]})
    b'x-api-key=k-1'
    """
    wanted = name.lower().encode("latin-1")
    # A value that reads like an address must not be that client's key.
    prefix = wanted + b"="
    fallback = client_address() if otherwise is None else _plain("otherwise", otherwise)

    def key(scope: Scope) -> Key:
        for known, value in scope["headers"]:
            if known == wanted:
                return prefix + bytes(value)
        return fallback(scope)

    return key


def _with_headers(send: Send, fields: list[tuple[bytes, bytes]]) -> Send:
    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *fields]}
        return send(message)

    return send_with_headers


def _policy(name: str, rate: float, limit: int) -> bytes:
    """The quota and its window, in whole seconds: as many as fill the burst, and what the rate emits in them."""
    if rate == 0.0:
        return f'"{name}";q={limit}'.encode("ascii")
    # A rate per second is rounded, as 5/3 is: by less than this.
    window = max(1, math.ceil(limit / rate - 1e-6))
    return f'"{name}";q={max(limit, math.floor(rate * window + 1e-6))};w={window}'.encode("ascii")


def _window(check: RateCheck, rate: float) -> int | None:
    """In which time the client may use what is left: whoever spreads it keeps to the rate. Never after Retry-After."""
    if not check.allowed:
        return _whole(check.retry_after)
    if rate == 0.0 or check.reset_after is None:
        return None
    if check.remaining == 0:
        return _whole(check.reset_after - (check.limit - 1) / rate)
    return _whole(check.remaining / rate)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, math.ceil(seconds - 1e-6))


def _count_of(rate: float | str | tuple[int, float | timedelta]) -> int | None:
    """As many as the rate is written with: 100 of "100/min". Whether it is a rate at all is told by who takes it."""
    if isinstance(rate, str):
        count = rate.partition("/")[0].strip().replace("_", "")
        written = int(count) if count.isdecimal() else 0
    elif isinstance(rate, tuple) and rate and isinstance(rate[0], int):  # pyright: ignore[reportUnnecessaryIsInstance]
        written = rate[0]
    else:
        written = 0
    return min(written, 2**32 - 1) if written > 0 else None


def _policy_name(name: str) -> str:
    if not name or not name.isascii() or not name.isprintable() or '"' in name or "\\" in name:
        raise ValueError(f"name must be printable ASCII without quotes and backslashes, not {name!r}")
    return name


def _plain(name: str, function: Any) -> Any:
    if not callable(function):
        raise TypeError(f"{name} must be a function of the scope, not {function!r}")
    if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):
        raise TypeError(f"{name} must be a plain function, not async: it runs on the hot path, that awaits nothing")
    return function


def _paths(paths: Iterable[str]) -> frozenset[str]:
    if isinstance(paths, str):
        raise TypeError(f"exempt must be a function of the scope or a collection of paths, not the text {paths!r}")
    return frozenset(paths)


def _whole_number(name: str, number: int) -> int:
    if not isinstance(number, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{name} must be an integer or a function of the scope, not {number!r}")
    if not 0 <= number < 2**32:
        raise ValueError(f"{name} must be 0 to 4,294,967,295, not {number!r}")
    return number


def _seconds(name: str, seconds: float) -> float:
    if not 0.0 <= seconds < math.inf:
        raise ValueError(f"{name} must be 0 seconds or more, not {seconds!r}")
    return seconds


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f'trusted_proxies must be addresses, networks, or "unix", not {text!r}: {error}') from None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with a port or without: 203.0.113.9, 203.0.113.9:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _key_of(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


def _forwarded(scope: Scope) -> list[str]:
    """What X-Forwarded-For says, of however many headers, from the client to the nearest proxy."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for hop in ",".join(values).split(",")] if values else []
