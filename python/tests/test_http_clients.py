"""httpx, on threads, asyncio and trio, and aiohttp, with a guard in front, against a real server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

import seawall
from http_drivers import KINDS, Client, client
from loopback import Answer, Arrival, Server, serving

# One server, one client and one clock: nothing to run on several threads at once.
pytestmark = pytest.mark.thread_unsafe

Opened = Callable[..., Client]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> seawall.ManualClock:
    return seawall.ManualClock(autojump=True)


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, clock: seawall.ManualClock) -> Iterator[Opened]:
    with ExitStack() as stack:

        def open_client(**settings: Any) -> Client:
            if "guard" not in settings and "factory" not in settings:
                settings = {
                    "rate": 1000,
                    "timeout": 5.0,
                    "clock": clock,
                    "max_wait": 60.0,
                    "budget": {"initial": 10, "cap": 10},
                    **settings,
                }
            return stack.enter_context(client(request.param, **settings))

        yield open_client


def test_what_is_answered_well_passes(opened: Opened, server: Server) -> None:
    http = opened()
    replies = [http.get(server.url + "/a?b=c") for _ in range(3)]
    assert [(reply.status, reply.text) for reply in replies] == [(200, "ok")] * 3
    assert [arrival.path for arrival in server.arrivals] == ["/a?b=c"] * 3


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429])
def test_a_failure_that_may_pass_is_sent_again(opened: Opened, server: Server, status: int) -> None:
    server.answers = [Answer(status), Answer(200)]
    assert opened().get(server.url).status == 200
    assert server.count() == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501, 505])
def test_an_error_that_is_the_requests_own_is_not_sent_again_and_does_not_open_the_breaker(
    opened: Opened, server: Server, status: int
) -> None:
    server.answers = [Answer(status)]
    http = opened(breaker={"failure_threshold": 2})
    assert [http.get(server.url).status for _ in range(5)] == [status] * 5
    assert server.count() == 5


def test_the_last_answer_is_the_callers_when_retries_end(opened: Opened, server: Server) -> None:
    server.answers = [Answer(503, body=b"one"), Answer(502, body=b"two"), Answer(500, body=b"three")]
    reply = opened(retry={"max_attempts": 3}).get(server.url)
    assert (reply.status, reply.text) == (500, "three")
    assert server.count() == 3


def test_a_connection_that_is_dropped_is_sent_again(opened: Opened, server: Server) -> None:
    server.answers = [Answer(drops=True), Answer(200)]
    assert opened().get(server.url).status == 200
    assert server.count() == 2


def test_the_last_error_is_the_clients_own_and_has_a_note_of_the_attempts(opened: Opened, server: Server) -> None:
    server.answers = [Answer(drops=True)]
    http = opened(retry={"max_attempts": 3})
    with pytest.raises(http.unreachable) as raised:
        http.get(server.url)
    assert not isinstance(raised.value, seawall.Refused)
    assert server.count() == 3
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__ == ["seawall: sent 3 times, and not again: attempts exhausted"]


def test_a_port_that_nobody_listens_at_is_a_failure_of_the_service(opened: Opened) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        http = opened(breaker={"failure_threshold": 3}, retry={"max_attempts": 1})
        for _ in range(3):
            with pytest.raises(http.unreachable) as raised:
                http.get(url)
            assert not isinstance(raised.value, seawall.Refused)
        with pytest.raises(seawall.CircuitOpen):
            http.get(url)


def test_an_open_breaker_spares_the_server(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500)]
    http = opened(breaker={"failure_threshold": 4}, retry={"max_attempts": 1})
    for _ in range(4):
        http.get(server.url)
    for _ in range(20):
        with pytest.raises(seawall.CircuitOpen):
            http.get(server.url)
    assert server.count() == 4


def test_a_refusal_is_an_error_of_the_client_too(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500)]
    http = opened(breaker={"failure_threshold": 2}, retry={"max_attempts": 1})
    for _ in range(2):
        http.get(server.url)
    with pytest.raises(http.unreachable) as raised:
        http.get(server.url)
    assert isinstance(raised.value, seawall.CircuitOpen)
    assert raised.value.stage == "circuit_breaker"
    assert raised.value.retry_after is not None
    assert "circuit breaker" in str(raised.value)


def test_hosts_do_not_disturb_each_other(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500)]
    http = opened(breaker={"failure_threshold": 2}, retry={"max_attempts": 1})
    with serving() as other:
        for _ in range(2):
            http.get(server.url)
        with pytest.raises(seawall.CircuitOpen):
            http.get(server.url)
        assert http.get(other.url).status == 200
        assert set(http.guards()) == {server.url, other.url}


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_in_seconds_is_waited_for(
    opened: Opened, server: Server, clock: seawall.ManualClock, status: int
) -> None:
    began: list[float] = []

    def answer(arrival: Arrival) -> Answer:
        began.append(clock.now())
        return Answer(status, {"Retry-After": "30"}) if len(began) == 1 else Answer(200)

    server.answer = answer
    assert opened().get(server.url).status == 200
    assert began[1] - began[0] >= 30


def test_a_retry_after_as_a_date_is_waited_for_by_the_servers_clock(
    opened: Opened, server: Server, clock: seawall.ManualClock
) -> None:
    # A day wrong.
    now = datetime.now(timezone.utc) - timedelta(days=1)
    began: list[float] = []

    def answer(arrival: Arrival) -> Answer:
        began.append(clock.now())
        if len(began) > 1:
            return Answer(200)
        dates = {"Date": format_datetime(now, usegmt=True)}
        dates["Retry-After"] = format_datetime(now + timedelta(seconds=40), usegmt=True)
        return Answer(429, dates)

    server.answer = answer
    assert opened().get(server.url).status == 200
    assert 40 <= began[1] - began[0] < 80


def test_a_post_is_sent_once(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500)]
    assert opened().request("POST", server.url, content=b"pay").status == 500
    assert server.count() == 1


def test_what_is_sent_once_takes_nothing_of_the_retry_budget(opened: Opened, server: Server) -> None:
    server.answers = [Answer(drops=True)]
    http = opened()
    with pytest.raises(http.unreachable) as raised:
        http.request("POST", server.url)
    (guard,) = http.guards().values()
    assert guard.budget.balance == 10
    assert guard.snapshot().total.given_up == 1
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__ == ["seawall: sent once, and not again: it may not be repeated"]


def test_a_call_that_is_refused_between_its_attempts_gives_its_retry_back(opened: Opened, server: Server) -> None:
    server.answers = [Answer(drops=True)]
    http = opened(rate="1/min", bucket={"burst": 1}, max_wait=0.0)
    with pytest.raises(http.unreachable) as raised:
        http.get(server.url)
    # Not only when the error is gone that holds the call.
    (guard,) = http.guards().values()
    assert guard.budget.balance == 10
    if hasattr(raised.value, "__notes__"):
        (note,) = raised.value.__notes__
        assert note.startswith("seawall: sent once, and not again: refused by the token bucket")


def test_what_the_guard_has_seen_is_in_its_snapshot(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500), Answer(drops=True), Answer(200), Answer(404), Answer(429), Answer(200)]
    http = opened()
    assert [http.get(server.url).status for _ in range(3)] == [200, 404, 200]
    (guard,) = http.guards().values()
    total = guard.snapshot().total
    assert (total.begun, total.admitted, total.retries, total.delivered) == (3, 6, 3, 3)
    assert guard.limit.in_flight == 0


def test_a_guard_in_shadow_refuses_nobody(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500)]
    http = opened(mode="shadow", breaker={"failure_threshold": 2}, retry={"max_attempts": 1})
    assert [http.get(server.url).status for _ in range(10)] == [500] * 10
    (guard,) = http.guards().values()
    assert guard.snapshot().total.refused == 0


def test_a_post_with_an_idempotency_key_is_sent_again_with_its_body(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500), Answer(200)]
    assert opened().request("POST", server.url, content=b"pay", headers={"Idempotency-Key": "k"}).status == 200
    assert [arrival.body for arrival in server.arrivals] == [b"pay", b"pay"]


def test_a_post_is_sent_again_where_the_user_says_so(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500), Answer(200)]
    assert opened(retry_methods=["post"]).request("POST", server.url, content=b"pay").status == 200
    assert server.count() == 2


def test_a_put_is_sent_again_with_its_body(opened: Opened, server: Server) -> None:
    server.answers = [Answer(503), Answer(drops=True), Answer(200)]
    assert opened().request("PUT", server.url, content=b"x" * 100_000).status == 200
    assert [len(arrival.body) for arrival in server.arrivals] == [100_000] * 3


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("answer", [Answer(500), Answer(drops=True)])
def test_a_body_that_comes_from_a_generator_is_sent_once(
    opened: Opened, server: Server, method: str, answer: Answer
) -> None:
    server.answers = [answer]
    http = opened()
    try:
        http.request(method, server.url, parts=[b"a", b"b"], headers={"Idempotency-Key": "k"})
    except http.unreachable as error:
        assert not isinstance(error, seawall.Refused)
    assert [arrival.body for arrival in server.arrivals] == [b"ab"]


def test_a_request_may_say_that_it_is_sent_once(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500)]
    assert opened(options=lambda request: {"retry": False}).get(server.url).status == 500
    assert server.count() == 1


def test_answers_between_attempts_hold_no_connection(opened: Opened, server: Server) -> None:
    # With one connection at most, one that is not given back would be waited for in vain.
    server.answers = [Answer(503, body=b"x" * 1000), Answer(500, body=b""), Answer(200)]
    http = opened(connections=1)
    assert http.get(server.url).status == 200
    assert server.count() == 3
    assert server.connections == 1


# On trio, httpcore leaves a generator unfinished where a body is not read to its end.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_answer_between_attempts_is_dropped_with_its_connection(
    opened: Opened, server: Server, chunked: bool
) -> None:
    server.answers = [Answer(503, body=b"x" * 5_000_000, chunked=chunked), Answer(200)]
    http = opened(connections=1)
    assert http.get(server.url).status == 200
    assert server.connections == 2


def test_an_answer_between_attempts_whose_body_does_not_come_is_not_waited_for(
    opened: Opened, server: Server
) -> None:
    server.answers = [Answer(503, stalls=True), Answer(200)]
    assert opened(timeout=0.3, patience=30.0).get(server.url).status == 200
    assert not server.was_waited_for


def test_a_retry_that_is_refused_leaves_the_caller_the_answer_before(opened: Opened, server: Server) -> None:
    server.answers = [Answer(500, body=b"why")]
    http = opened(rate="1/min", bucket={"burst": 1}, max_wait=0.0)
    reply = http.get(server.url)
    assert (reply.status, reply.text) == (500, "why")
    assert server.count() == 1


def test_a_retry_that_is_refused_leaves_the_caller_the_error_before(opened: Opened, server: Server) -> None:
    server.answers = [Answer(drops=True)]
    http = opened(rate="1/min", bucket={"burst": 1}, max_wait=0.0)
    with pytest.raises(http.unreachable) as raised:
        http.get(server.url)
    assert not isinstance(raised.value, seawall.Refused)
    assert server.count() == 1


def test_a_retry_that_is_refused_after_a_long_answer_raises_the_refusal(opened: Opened, server: Server) -> None:
    def answer(arrival: Arrival) -> Answer:
        if server.count() == 1:
            return Answer(drops=True)
        (guard,) = http.guards().values()
        guard.set_rate("1/h")
        return Answer(503, body=b"x" * 1_000_000)

    server.answer = answer
    http = opened(bucket={"burst": 1}, max_wait=0.0)
    with pytest.raises(seawall.RateLimited) as raised:
        http.get(server.url)
    assert server.count() == 2
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__[0].startswith("seawall: sent 2 times, and not again: refused by the token bucket")


def test_a_retry_that_is_refused_leaves_the_caller_what_came_last(opened: Opened, server: Server) -> None:
    def answer(arrival: Arrival) -> Answer:
        if server.count() == 1:
            return Answer(500)
        (guard,) = http.guards().values()
        guard.set_rate("1/h")
        return Answer(drops=True)

    server.answer = answer
    http = opened(bucket={"burst": 1}, max_wait=0.0)
    with pytest.raises(http.unreachable) as raised:
        http.get(server.url)
    assert not isinstance(raised.value, seawall.Refused)
    assert server.count() == 2


@pytest.mark.parametrize("where", ["setting", "guard", "request"])
def test_a_request_waits_for_leave_as_long_as_it_may(
    opened: Opened, server: Server, clock: seawall.ManualClock, where: str
) -> None:
    def patient(request: Any) -> Any:
        return {"max_wait": 90.0}

    slow: dict[str, Any] = {"rate": 1000, "timeout": 5.0, "quota": "1/min", "bucket": {"burst": 1}, "clock": clock}
    if where == "setting":
        http = opened(**slow, max_wait=90.0)
    elif where == "guard":
        http = opened(guard=seawall.Guard(**slow), max_wait=90.0)
    else:
        http = opened(**slow, max_wait=0.0, options=patient)
    for _ in range(3):
        assert http.get(server.url).status == 200
    assert clock.now() >= 120
    (guard,) = http.guards().values()
    if where == "setting":
        assert guard.call(len, "four") == 4
    else:
        with pytest.raises(seawall.RateLimited):
            guard.call(len, "four")


def test_an_attempt_takes_no_longer_than_the_timeout(opened: Opened, server: Server) -> None:
    server.answers = [Answer(delay=3.0), Answer(200)]
    assert opened(timeout=0.3, patience=30.0).get(server.url).status == 200
    assert server.count() == 2


def test_a_request_may_be_sent_until_its_deadline_and_no_longer(opened: Opened, server: Server) -> None:
    server.answers = [Answer(429, {"Retry-After": "30"})]
    assert opened(deadline=20.0).get(server.url).status == 429
    assert server.count() == 1


def test_no_attempt_outlives_the_deadline(opened: Opened, server: Server) -> None:
    server.answers = [Answer(delay=3.0)]
    http = opened(patience=30.0, options=lambda request: {"deadline": 0.3})
    with pytest.raises(http.timed_out):
        http.get(server.url)


def test_a_time_out_is_one_of_the_client(opened: Opened, server: Server) -> None:
    server.answers = [Answer(delay=3.0)]
    http = opened(timeout=0.2, patience=30.0, retry={"max_attempts": 1})
    with pytest.raises(http.timed_out):
        http.get(server.url)
    with pytest.raises(http.unreachable):
        http.get(server.url)


def test_a_hook_judges_answers_and_errors(opened: Opened, server: Server) -> None:
    def judge(result: Any) -> Any:
        status: int = getattr(result, "status_code", getattr(result, "status", 0))
        return {404: True, 500: False}.get(status)

    http = opened(on=judge)
    server.answers = [Answer(404), Answer(200)]
    assert http.get(server.url).status == 200
    server.answers = [Answer(500)]
    assert http.get(server.url).status == 500
    assert server.count() == 3


def test_a_hook_that_raises_leaks_nothing(opened: Opened, server: Server) -> None:
    def judge(result: Any) -> Any:
        raise LookupError("no such")

    http = opened(on=judge, connections=1)
    for _ in range(3):
        with pytest.raises(LookupError):
            http.get(server.url)
    assert server.count() == 3


def test_hosts_are_bounded_and_the_oldest_leave(opened: Opened) -> None:
    http = opened(max_hosts=3)
    with ExitStack() as stack:
        servers = [stack.enter_context(serving()) for _ in range(5)]
        for server in servers:
            assert http.get(server.url).status == 200
        assert set(http.guards()) == {server.url for server in servers[2:]}
        http.get(servers[2].url)
        http.get(servers[0].url)
        assert set(http.guards()) == {servers[index].url for index in (4, 2, 0)}


def test_one_guard_may_serve_all_hosts(opened: Opened, server: Server, clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(1000, 5.0, clock=clock, max_wait=60.0, breaker={"failure_threshold": 2})
    http = opened(guard=guard)
    server.answers = [Answer(500)]
    with serving() as other:
        http.request("POST", server.url)
        http.request("POST", server.url)
        with pytest.raises(seawall.CircuitOpen):
            http.get(other.url)
        assert http.guards() == {"*": guard}


def test_a_factory_makes_the_guard_of_a_host(opened: Opened, server: Server, clock: seawall.ManualClock) -> None:
    asked: list[str] = []

    def make(origin: str) -> seawall.Guard:
        asked.append(origin)
        return seawall.Guard(1000, 5.0, clock=clock, max_wait=60.0)

    http = opened(factory=make)
    http.get(server.url + "/one")
    http.get(server.url + "/two")
    assert asked == [server.url]
