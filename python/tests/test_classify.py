"""What exceptions mean: of the standard library, of HTTP clients and of their look-alikes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import email.message
import http
import socket
import time
import urllib.error
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

import seawall
from seawall._classify import classify, retry_after


class Response:
    """As those of httpx and requests; requests' are false when they failed."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = {} if headers is None else headers

    def __bool__(self) -> bool:
        return self.status_code < 400


class WithResponse(Exception):
    def __init__(self, response: object) -> None:
        self.response = response


class OfAiohttp(Exception):
    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers


def of_urllib(status: int, **headers: str) -> urllib.error.HTTPError:
    message = email.message.Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    error = urllib.error.HTTPError("http://localhost", status, "", message, None)
    error.close()
    return error


class OfGoogle(Exception):
    code = http.HTTPStatus.NOT_FOUND


class ReadTimeout(OSError):
    pass


class Slow(ReadTimeout):
    pass


class TimedOut(Exception):
    pass


class Hostile(Exception):
    @property
    def response(self) -> Any:
        raise RuntimeError("not set")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError(), ("retryable", None)),
        (ConnectionResetError(), ("retryable", None)),
        (TimeoutError(), ("timeout", None)),
        (socket.timeout(), ("timeout", None)),
        (asyncio.TimeoutError(), ("timeout", None)),
        (concurrent.futures.TimeoutError(), ("timeout", None)),
        (ReadTimeout(), ("timeout", None)),
        (Slow(), ("timeout", None)),
        (TimedOut(), ("timeout", None)),
        (KeyboardInterrupt(), ("ignored", None)),
        (asyncio.CancelledError(), ("ignored", None)),
        (GeneratorExit(), ("ignored", None)),
        (NotImplementedError(), ("permanent", None)),
        (NameError(), ("permanent", None)),
        (WithResponse(Response(404)), ("permanent", None)),
        (WithResponse(Response(408)), ("retryable", None)),
        (WithResponse(Response(500)), ("retryable", None)),
        (WithResponse(Response(503)), ("retryable", None)),
        (WithResponse(Response(503, {"Retry-After": "7"})), ("throttled", 7.0)),
        (WithResponse(Response(429, {"retry-after": "0.5"})), ("throttled", 0.5)),
        (WithResponse(Response(429)), ("throttled", None)),
        (WithResponse(None), ("retryable", None)),
        (WithResponse(Response(200)), ("retryable", None)),
        (WithResponse({"ResponseMetadata": {"HTTPStatusCode": 400}}), ("permanent", None)),
        (
            WithResponse({"ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "3"}}}),
            ("throttled", 3.0),
        ),
        (WithResponse({}), ("retryable", None)),
        (OfAiohttp(403), ("permanent", None)),
        (OfAiohttp(429, {"Retry-After": "2"}), ("throttled", 2.0)),
        (OfAiohttp(0), ("retryable", None)),
        (of_urllib(410), ("permanent", None)),
        (of_urllib(429, Retry_After="5"), ("throttled", 5.0)),
        (OfGoogle(), ("permanent", None)),
        (Hostile(), ("retryable", None)),
        (seawall.RateLimited("token_bucket", "not_yet", 1.5), ("throttled", 1.5)),
        (seawall.RateLimited("token_bucket", "never", None), ("permanent", None)),
        (seawall.RetryBudgetSpent("retry_budget", "not_yet", None), ("permanent", None)),
    ],
    ids=repr,
)
def test_an_exception_is_what_its_kind_says(error: BaseException, expected: tuple[str, float | None]) -> None:
    assert classify(error) == expected
    assert classify(error, Exception) == classify(error, None) == expected


def test_a_refusal_of_another_object_says_nothing_to_a_guard() -> None:
    refused = seawall.CircuitOpen("circuit_breaker", "not_yet", 1.0)
    assert classify(refused, Exception, guarded=True) == ("ignored", None)
    assert classify(refused, lambda error: True, guarded=True) == ("ignored", None)
    assert classify(OSError(), Exception, guarded=True) == ("retryable", None)


def test_what_the_user_names_is_retried_and_all_else_is_permanent() -> None:
    missing, busy = WithResponse(Response(404)), WithResponse(Response(429, {"Retry-After": "2"}))
    assert classify(missing, WithResponse) == ("retryable", None)
    assert classify(busy, WithResponse) == ("throttled", 2.0)
    assert classify(ReadTimeout(), (ValueError, OSError)) == ("timeout", None)
    assert classify(KeyError(), (ValueError, OSError)) == ("permanent", None)
    assert classify(KeyboardInterrupt(), BaseException) == ("ignored", None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (True, ("retryable", None)),
        (False, ("permanent", None)),
        (None, ("permanent", None)),
        ("retryable", ("retryable", None)),
        ("permanent", ("permanent", None)),
        ("throttled", ("throttled", 9.0)),
        ("timeout", ("timeout", None)),
        ("ignored", ("ignored", None)),
        (0, ("throttled", 0.0)),
        (2.5, ("throttled", 2.5)),
        (1e30, ("throttled", 18_446_744_073.0)),
        (timedelta(minutes=1), ("throttled", 60.0)),
    ],
    ids=repr,
)
def test_a_function_of_the_user_decides(answer: object, expected: tuple[str, float | None]) -> None:
    assert classify(WithResponse(Response(404, {"Retry-After": "9"})), lambda error: answer) == (
        ("permanent", 9.0) if answer is None else ("retryable", 9.0) if answer is True else expected
    )


@pytest.mark.parametrize("answer", [-1, float("nan"), "perhaps", timedelta(seconds=-1), object(), (True,)], ids=repr)
def test_a_function_that_answers_something_else_is_told_so(answer: object) -> None:
    with pytest.raises(TypeError, match="must answer True, False, None, seconds"):
        classify(OSError(), lambda error: answer)


def test_a_retry_after_is_a_number_or_a_date() -> None:
    for said, expected in (
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("9" * 400, 18_446_744_073.0),
        ("-1", None),
        ("1e3", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (".", None),
        ("\u00b2", None),
        ("Fri, 99 Foo 1999 23:59:59 GMT", None),
    ):
        assert retry_after({"Retry-After": said}) == expected, said
    assert retry_after({"Retry-After": b"3"}) == 3.0
    assert retry_after({"Retry-After": 3}) == 3.0
    assert retry_after(None) is None
    assert retry_after({}) is None
    assert retry_after([("Retry-After", "3")]) is None


def test_a_date_is_compared_with_the_clock_of_the_server() -> None:
    headers = {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT", "Date": "Fri, 31 Dec 1999 23:59:29 GMT"}
    assert retry_after(headers) == 30.0
    headers["Date"] = "Sat, 01 Jan 2000 00:00:00 GMT"
    assert retry_after(headers) == 0.0
    del headers["Date"]
    assert retry_after(headers) == 0.0
    soon = datetime.fromtimestamp(time.time() + 3600, timezone.utc)
    wait = retry_after({"Retry-After": format_datetime(soon, usegmt=True)})
    assert wait is not None
    assert 3_000 < wait <= 3_600
