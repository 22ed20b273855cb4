"""What an exception means: may the same request succeed later, and when?

It is asked after a failure only. Which HTTP answers are at fault by themselves is the core's table; here is how to find a
status and a Retry-After in the exceptions of the many clients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from ._errors import Refused
from ._native import http_error

if TYPE_CHECKING:
    from ._native import _Class

_CLASSES = frozenset(("retryable", "timeout", "throttled", "permanent", "ignored"))
# What the program has to be changed for.
_MISTAKES = (NameError, NotImplementedError, SyntaxError)
# The longest wait that a clock of nanoseconds knows: 584 years.
_LONGEST = 18_446_744_073.0


def classify(error: BaseException, on: object = Exception, guarded: bool = False) -> tuple[_Class, float | None]:
    """The class of an error, "retryable", "timeout", "throttled", "permanent" or "ignored", and for how many seconds the
    server asked to be spared.

    `on` as in `RetryStrategy`; None is the default. `guarded`: for a `Guard`, to which a refusal of another seawall object says nothing.
    """
    if not isinstance(error, Exception):
        return "ignored", None
    if guarded and isinstance(error, Refused):
        return "ignored", None
    if on is None or on is Exception:
        return _by_default(error)
    if isinstance(on, (type, tuple)):
        if not isinstance(error, on):
            return "permanent", None
        kind, retry_after = _by_default(error)
        # Named by the user, it is retried, whatever it says of itself.
        return ("retryable" if kind == "permanent" else kind), retry_after
    answer = cast("Callable[[Exception], object]", on)(error)
    if answer is False:
        return "permanent", None
    kind, wait = _by_default(error)
    return (kind, wait) if answer is None else said(answer, kind, wait, on)


def said(answer: object, kind: str, wait: float | None, on: object) -> tuple[_Class, float | None]:
    """What a function of the user's has said, if not None: `kind` and `wait` are what would hold by default, `on` is the
    function.
    """
    if answer is True:
        # What is worth another attempt stays what it is.
        return cast("_Class", kind if kind in ("throttled", "timeout") else "retryable"), wait
    if answer is False:
        return "permanent", None
    if isinstance(answer, str) and answer in _CLASSES:
        return cast("_Class", answer), wait if answer == "throttled" else None
    if isinstance(answer, timedelta):
        answer = answer.total_seconds()
    if isinstance(answer, (int, float)) and answer >= 0:
        return "throttled", min(float(answer), _LONGEST)
    raise TypeError(
        f"{on!r} must answer True, False, None, seconds of 0 and more, a timedelta, or one of "
        f'"retryable", "timeout", "throttled", "permanent", "ignored", not {answer!r}'
    )


def _by_default(error: Exception) -> tuple[_Class, float | None]:
    if isinstance(error, Refused):
        return ("permanent", None) if error.retry_after is None else ("throttled", error.retry_after)
    try:
        status, headers = _answer_in(error)
    except Exception:
        # A property of the exception has failed: the error itself is more important.
        status = headers = None
    if status is not None:
        wait = retry_after(headers)
        kind = http_error(status, wait)
        if kind is not None:
            return cast("_Class", kind), wait
    if isinstance(error, _MISTAKES) or _is_a_wrong_call(error):
        return "permanent", None
    if isinstance(error, TimeoutError) or any(_says_timeout(base.__name__) for base in type(error).__mro__):
        return "timeout", None
    return "retryable", None


def _is_a_wrong_call(error: Exception) -> bool:
    """Whether what was to be called has not even begun, as for a missing argument: no frame but ours has raised."""
    traceback = error.__traceback__
    # Without a traceback nobody knows: the native side may have called it.
    if type(error) is not TypeError or traceback is None:
        return False
    while traceback is not None and traceback.tb_frame.f_globals.get("__package__") == __package__:
        traceback = traceback.tb_next
    return traceback is None


def _says_timeout(name: str) -> bool:
    return "Timeout" in name or "TimedOut" in name


def _answer_in(error: Exception) -> tuple[int | None, Any]:
    """The HTTP status and the headers that an exception carries: httpx, requests, aiohttp, urllib, botocore, the SDKs."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        said = response.get("ResponseMetadata")
        if isinstance(said, Mapping):
            return _status(said.get("HTTPStatusCode")), said.get("HTTPHeaders")
    # Not "if response": that of requests is false when it failed.
    elif response is not None:
        status = _first_status(response, ("status_code", "status"))
        if status is not None:
            return status, getattr(response, "headers", None)
    status = _first_status(error, ("status_code", "status"))
    if status is None:
        code = getattr(error, "code", None)
        # Many have a code; of HTTP is google's.
        status = _status(code) if type(code).__name__ == "HTTPStatus" else None
    return status, getattr(error, "headers", None)


def _first_status(holder: object, names: tuple[str, ...]) -> int | None:
    for name in names:
        status = _status(getattr(holder, name, None))
        if status is not None:
            return status
    return None


def _status(given: object) -> int | None:
    """Only what can be the status of an error: attributes of these names hold other things too."""
    return int(given) if isinstance(given, int) and 400 <= given <= 599 else None


def retry_after(headers: Any) -> float | None:
    """The seconds that the headers of an answer ask for, by their Retry-After: a number, or a date, which is compared with
    the server's own clock where the answer says what it shows.
    """
    said = _header(headers, "Retry-After")
    if said is None:
        return None
    if said.replace(".", "", 1).isdecimal():
        return min(float(said), _LONGEST)
    until = _instant(said)
    if until is None:
        return None
    now = _instant(_header(headers, "Date") or "")
    if now is None:
        import time

        now = time.time()
    return min(max(until - now, 0.0), _LONGEST)


def _header(headers: Any, name: str) -> str | None:
    """The value of a header; of a plain dict in any of the usual spellings."""
    get = getattr(headers, "get", None)
    if get is None:
        return None
    for spelling in (name, name.lower()):
        said = get(spelling)
        if isinstance(said, bytes):
            said = said.decode("latin-1")
        if isinstance(said, (str, int)):
            return str(said).strip()
    return None


def _instant(said: str) -> float | None:
    """The seconds since 1970 of an HTTP date."""
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(said)
        # The old forms of a date name no zone: they are in UTC, and not where this runs.
        seconds = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None
