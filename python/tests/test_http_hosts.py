"""What the guards of HTTP clients share: the guards by host, and what a status and a Retry-After say."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seawall
from seawall._http import GuardSettings, Hosts, of_answer
from seawall.aiohttp import GuardMiddleware
from seawall.httpx import AsyncGuardTransport, GuardTransport


# Threads of their own, or one server for all threads: nothing to run on several at once.
pytestmark = pytest.mark.thread_unsafe


def make(origin: str) -> seawall.Guard:
    return seawall.Guard(20, 1.0)


def test_a_client_takes_every_setting_of_a_guard() -> None:
    keywords = set(re.findall(r"(\w+)=", seawall.Guard.__text_signature__ or ""))
    assert keywords - {"max_wait", "on"} == set(GuardSettings.__annotations__)


def test_a_host_with_calls_under_way_never_leaves() -> None:
    hosts = Hosts(make, 2)
    busy = [hosts.take(f"http://busy{number}") for number in range(3)]
    for number in range(10):
        hosts.give_back(hosts.take(f"http://idle{number}"))
    assert set(hosts.guards()) == {"http://busy0", "http://busy1", "http://busy2"}
    for host in busy:
        hosts.give_back(host)
    assert set(hosts.guards()) == {"http://busy1", "http://busy2"}
    assert hosts.take("http://busy1") is busy[1]


def test_a_host_keeps_its_guard_for_as_long_as_it_is_called() -> None:
    hosts = Hosts(make, 2)
    often = hosts.take("http://often")
    hosts.give_back(often)
    for number in range(10):
        hosts.give_back(hosts.take(f"http://once{number}"))
        assert hosts.take("http://often").guard is often.guard
        hosts.give_back(often)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans())), st.integers(1, 4))
def test_there_are_never_more_idle_hosts_than_places(steps: list[tuple[int, bool]], most: int) -> None:
    hosts = Hosts(make, most)
    busy: list[Any] = []
    names: list[str] = []
    for number, keeps in steps:
        name = f"http://{number}"
        host = hosts.take(name)
        if keeps:
            busy.append(host)
            names.append(name)
        else:
            hosts.give_back(host)
        assert len(hosts.guards()) <= max(most, len(set(names)))
        assert set(names) <= set(hosts.guards())
    for host in busy:
        hosts.give_back(host)
    assert len(hosts.guards()) <= most


def test_threads_that_call_a_new_host_at_once_get_one_guard() -> None:
    threads = 8
    at_once = threading.Barrier(threads)

    def slowly(origin: str) -> seawall.Guard:
        at_once.wait(10)
        return make(origin)

    hosts = Hosts(slowly, 2)
    got: list[Any] = []
    running = [threading.Thread(target=lambda: got.append(hosts.take("http://new"))) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len({id(host) for host in got}) == 1
    assert got[0].calls == threads


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (200, {}, "success"),
        (101, {}, "success"),
        (304, {"retry-after": "5"}, "success"),
        (404, {"retry-after": "5"}, "permanent"),
        (408, {}, "retryable"),
        (425, {}, "retryable"),
        (429, {}, "throttled"),
        (500, {}, "retryable"),
        (501, {}, "permanent"),
        (503, {}, "retryable"),
        (503, {"retry-after": "1"}, "throttled"),
        (503, {"retry-after": "soon"}, "retryable"),
        (511, {}, "permanent"),
        (599, {}, "retryable"),
        (600, {}, "permanent"),
        (99, {}, "permanent"),
    ],
)
def test_a_status_says_of_the_service_what_the_core_has_it_say(
    status: int, headers: dict[str, str], kind: str
) -> None:
    assert of_answer(status, headers)[0] == kind


@given(st.integers(0, 700), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text()))
def test_no_answer_breaks_it(status: int, headers: dict[str, str]) -> None:
    kind, wait = of_answer(status, headers)
    assert kind in ("success", "retryable", "throttled", "permanent")
    assert wait is None or 0 <= wait <= 1e11


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone is that of the machine")
def test_a_date_that_names_no_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        headers = {"retry-after": "Fri Dec 31 23:59:59 1999", "date": "Fri, 31 Dec 1999 23:59:00 GMT"}
        assert of_answer(503, headers) == ("throttled", 59.0)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("made", [GuardTransport, AsyncGuardTransport, GuardMiddleware])
def test_a_mistake_is_told_where_it_is_made(made: Any) -> None:
    guard = seawall.Guard(20, 1.0)
    with pytest.raises(TypeError, match="one of rate, guard and factory"):
        made()
    with pytest.raises(TypeError, match="one of rate, guard and factory"):
        made(20, 1.0, guard=guard)
    with pytest.raises(TypeError, match="timeout"):
        made(20)
    with pytest.raises(ValueError, match="timeout"):
        made(20, 0)
    with pytest.raises(TypeError, match="breaker given beside"):
        made(guard=guard, breaker={})
    with pytest.raises(ValueError, match="max_hosts must be 1 or more, not 0"):
        made(20, 1.0, max_hosts=0)
    with pytest.raises(TypeError, match="retry_methods"):
        made(20, 1.0, retry_methods="GET")
    assert "no host yet" in repr(made(20, timedelta(seconds=1)))
