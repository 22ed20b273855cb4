"""What the guards of HTTP clients share: one guard for each origin, what an answer says of the service, and which
requests may be sent again. What is particular to a client is in `httpx.py` and `aiohttp.py`.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

import seawall
from seawall._classify import retry_after, said
from seawall._native import http_error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    from seawall import Attempt, Call, Guard, ManualClock, Refused, WarmUp
    from seawall._native import (
        _BreakerSettings,
        _BucketSettings,
        _BudgetSettings,
        _Class,
        _LimitSettings,
        _Mode,
        _ModeStage,
        _Outcome,
        _Rate,
        _RetrySettings,
        _Seconds,
        _State,
        _WhenFull,
    )

    _Judgement: TypeAlias = bool | _Class | float | timedelta | None

RETRY_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})

# The longest answer that is kept while its request is sent again.
KEPT_BYTES = 65536

# A permanent error is an answer: the service is well.
_OUTCOMES: dict[str, _Outcome] = {
    "success": "success",
    "retryable": "failure",
    "timeout": "timeout",
    "throttled": "throttled",
    "permanent": "success",
    "ignored": "ignored",
}

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class RequestOptions(TypedDict, total=False):
    """What `options=` may say of a request: the arguments of `Guard.begin`, and whether it may be sent again."""

    key: str | bytes | int | None
    shard: int
    cost: int
    deadline: _Seconds | None
    max_wait: _Seconds
    retry: bool


class GuardSettings(TypedDict, total=False):
    """What goes to the guards that are made here: the keywords of `Guard`, but those that a client has itself."""

    shards: int
    quota: _Rate | None
    warm_up: WarmUp | None
    max_in_flight: int
    per_key: _Rate | None
    per_key_burst: int | None
    keys: int
    when_full: _WhenFull
    mode: _Mode
    modes: dict[_ModeStage, _Mode] | None
    on_state_change: Callable[[_State, _State], object] | Callable[[_State, _State, int], object] | None
    bucket: _BucketSettings | None
    breaker: _BreakerSettings | None
    limit: _LimitSettings | None
    retry: _RetrySettings | None
    budget: _BudgetSettings | None
    window: _Seconds
    timeout_weight: int
    retry_streak: int | None
    ramp: WarmUp | None
    clock: ManualClock | None
    seed: int | None


class _Host:
    __slots__ = ("calls", "guard")

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.calls = 0


class Hosts:
    """Guards by origin, `most` of them. Who has not been called for longest leaves first, and nobody with calls under
    way: so there may be more than `most` where more than `most` are being called at once.
    """

    def __init__(self, make: Callable[[str], Guard], most: int) -> None:
        self._make = make
        self._most = most
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, origin: str) -> _Host:
        with self._lock:
            host = self._hosts.get(origin)
            if host is not None:
                host.calls += 1
                self._hosts.move_to_end(origin)
                return host
        # The user's code, and so outside of the lock.
        made = _Host(self._make(origin))
        with self._lock:
            host = self._hosts.setdefault(origin, made)
            host.calls += 1
            self._hosts.move_to_end(origin)
            self._trim()
        return host

    def give_back(self, host: _Host) -> None:
        with self._lock:
            host.calls -= 1
            self._trim()

    def _trim(self) -> None:
        too_many = len(self._hosts) - self._most
        if too_many > 0:
            idle = (origin for origin, host in self._hosts.items() if host.calls == 0)
            for origin in [origin for origin, _ in zip(idle, range(too_many))]:
                del self._hosts[origin]

    def guards(self) -> dict[str, Guard]:
        with self._lock:
            return {origin: host.guard for origin, host in self._hosts.items()}


class Protection(Generic[RequestT, ResponseT]):
    """The settings of a transport or middleware, and the guards that it has made."""

    def __init__(
        self,
        rate: _Rate | None,
        timeout: _Seconds | None,
        *,
        guard: Guard | None,
        factory: Callable[[str], Guard] | None,
        max_hosts: int,
        retry_methods: Iterable[str],
        options: Callable[[RequestT], RequestOptions] | None,
        deadline: _Seconds | None,
        max_wait: _Seconds | None,
        on: Callable[[ResponseT | Exception], _Judgement] | None,
        settings: GuardSettings,
        refusals: Mapping[type[Refused], type[Refused]],
    ) -> None:
        if [rate is not None, guard is not None, factory is not None].count(True) != 1:
            raise TypeError("give one of rate, guard and factory")
        if max_hosts < 1:
            raise ValueError(f"max_hosts must be 1 or more, not {max_hosts}")
        if isinstance(retry_methods, str):
            raise TypeError(f"retry_methods must be the names of methods, not the text {retry_methods!r}")
        if rate is not None:
            factory = _factory(rate, timeout, max_wait, settings)
        elif settings:
            raise TypeError(f"{', '.join(settings)} given beside a guard that has its own settings")
        self._guard = guard
        self._hosts = None if factory is None else Hosts(factory, max_hosts)
        self.timeout = _positive_seconds("timeout", timeout)
        self.refusals = refusals
        self.on = on
        self._options = options
        self._deadline = deadline
        self._max_wait = max_wait
        self._retry_methods = frozenset(method.upper() for method in retry_methods)

    def begin(
        self, request: RequestT, *, origin: str, method: str, has_key: bool, can_repeat: bool
    ) -> Exchange[RequestT, ResponseT]:
        options = RequestOptions() if self._options is None else self._options(request)
        given: dict[str, Any] = {**options}
        may_retry = bool(given.pop("retry", True)) and can_repeat and (has_key or method in self._retry_methods)
        given.setdefault("deadline", self._deadline)
        given.setdefault("max_wait", self._max_wait)
        if self._guard is not None:
            return Exchange(self, self._guard, None, given, may_retry)
        assert self._hosts is not None
        host = self._hosts.take(origin)
        try:
            return Exchange(self, host.guard, host, given, may_retry)
        except BaseException:
            self._hosts.give_back(host)
            raise

    def give_back(self, host: _Host) -> None:
        if self._hosts is not None:
            self._hosts.give_back(host)

    @property
    def guards(self) -> dict[str, Guard]:
        if self._guard is not None:
            return {"*": self._guard}
        assert self._hosts is not None
        return self._hosts.guards()


class Exchange(Generic[RequestT, ResponseT]):
    """One request, through all its attempts: what is asked of the guard, and what it is told."""

    __slots__ = ("_host", "_last_error", "_may_retry", "_protection", "call", "kept")

    def __init__(
        self,
        protection: Protection[RequestT, ResponseT],
        guard: Guard,
        host: _Host | None,
        given: Mapping[str, Any],
        may_retry: bool,
    ) -> None:
        self._protection = protection
        self._host = host
        self._may_retry = may_retry
        self._last_error: Exception | None = None
        # Of one attempt, its guard promises no retry and takes no budget for one.
        self.call: Call = guard.begin(**given)._once(not may_retry)
        self.kept: ResponseT | None = None

    def __enter__(self) -> Exchange[RequestT, ResponseT]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After the end of a call it does nothing; before, it gives a retry back that was paid for.
        self.call.abandon()
        if self._host is not None:
            self._protection.give_back(self._host)

    def ask(self) -> Attempt:
        """Leave for the next attempt: it waits for the back-off, and then for as long as the call may."""
        return self.call.attempt_blocking() if self._may_retry else next(self.call)

    def ask_async(self) -> Awaitable[Attempt]:
        return self.call.attempt() if self._may_retry else anext(self.call)

    def time_limit(self) -> float | None:
        """How many seconds the attempt may take that is about to be sent."""
        limits = [limit for limit in (self._protection.timeout, self.call.deadline) if limit is not None]
        return min(limits, default=None)

    def answered(self, attempt: Attempt, response: ResponseT, status: int, headers: Mapping[str, str]) -> bool:
        """Tells the guard of an answer. Whether the request is to be sent again."""
        try:
            kind, wait = self._judge(response, *of_answer(status, headers), headers)
        except BaseException:
            attempt.finish("ignored")
            raise
        self._last_error = None
        return self._finished(attempt, kind, wait)

    def failed(self, attempt: Attempt, error: BaseException, kind: str) -> bool:
        """Tells the guard that there was no answer. Whether the request is to be sent again; if not, the error has a
        note that says why not.
        """
        if not isinstance(error, Exception):
            # The task is going: nothing follows.
            attempt.finish(_OUTCOMES[kind])
            return False
        try:
            kind, wait = self._judge(error, kind, None)
        except BaseException:
            attempt.finish("ignored")
            raise
        self._last_error = error
        self.kept = None
        if self._finished(attempt, kind, wait):
            return True
        if kind != "ignored":
            self._note(error, None)
        return False

    def refused(self, refusal: Refused) -> ResponseT:
        """What the caller gets when the guard refuses an attempt: what the attempt before has brought, else the
        refusal.
        """
        if self.kept is not None:
            return self.kept
        if self._last_error is not None:
            error = self._last_error
            self._note(error, refusal)
            raise error from error.__cause__
        raised = self._protection.refusals[type(refusal)](*refusal.args)
        if self.call.attempts:
            # The answer before was too long to be kept.
            self._note(raised, refusal)
        raise raised from None

    def _judge(
        self, result: ResponseT | Exception, kind: str, wait: float | None, headers: Mapping[str, str] | None = None
    ) -> tuple[str, float | None]:
        on = self._protection.on
        answer = None if on is None else on(result)
        if answer is None:
            return kind, wait
        # An answer that is good by default may have asked to be spared too.
        return said(answer, kind, retry_after(headers) if wait is None else wait, on)

    def _finished(self, attempt: Attempt, kind: str, wait: float | None) -> bool:
        return attempt.finish(_OUTCOMES[kind], wait if kind == "throttled" else None) is not None

    def _note(self, error: BaseException, refusal: Refused | None) -> None:
        # From 3.11 on.
        if not hasattr(error, "add_note"):
            return
        if refusal is not None:
            why = str(refusal)
        elif not self._may_retry:
            why = "it may not be repeated"
        else:
            why = (self.call.give_up_reason or "permanent").replace("_", " ")
        attempts = self.call.attempts
        times = "once" if attempts == 1 else f"{attempts} times"
        error.add_note(f"seawall: sent {times}, and not again: {why}")


def _factory(
    rate: _Rate, timeout: _Seconds | None, max_wait: _Seconds | None, settings: GuardSettings
) -> Callable[[str], Guard]:
    if timeout is None:
        raise TypeError("give the timeout of a request beside the rate")
    patience = 0.0 if max_wait is None else max_wait

    def make(origin: str) -> Guard:
        return seawall.Guard(rate, timeout, max_wait=patience, **settings)

    # A mistake in the settings is told where they are given, and not by the first request.
    make("")
    return make


def of_answer(status: int, headers: Mapping[str, str]) -> tuple[str, float | None]:
    """What an HTTP answer says of the service, by the core's table, and for how long it asks to be spared."""
    wait = retry_after(headers) if status >= 400 else None
    kind = http_error(status, wait)
    return ("success", None) if kind is None else (kind, wait)


def is_long(headers: Mapping[str, str]) -> bool:
    """Whether an answer says that it is longer than what is kept."""
    length = headers.get("content-length") or ""
    return length.isascii() and length.isdigit() and (len(length) > 9 or int(length) > KEPT_BYTES)


def _positive_seconds(name: str, given: _Seconds | None) -> float | None:
    if given is None:
        return None
    seconds = given.total_seconds() if isinstance(given, timedelta) else float(given)
    if not seconds > 0:
        raise ValueError(f"{name} must be more than 0 seconds, not {given!r}")
    return seconds
