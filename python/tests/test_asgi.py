"""The limit of an ASGI application: who is refused, and what an answer says."""

from __future__ import annotations

import json
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import seawall
from seawall.asgi import Application, Message, RateLimitMiddleware, Receive, Scope, Send, client_address, header


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"hello"})


async def receive() -> Message:
    raise AssertionError("nothing is to be read")


def finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs it without a loop: it would fail on any wait."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


@dataclass
class Answer:
    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        pairs = [(name.decode(), value.decode()) for name, value in self.messages[0].get("headers", ())]
        assert len(dict(pairs)) == len(pairs), "no header comes twice"
        return dict(pairs)

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        body = self.messages[1]["body"]
        assert self.headers["content-length"] == str(len(body))
        problem: dict[str, Any] = json.loads(body)
        return problem


def http(host: str | None = "203.0.113.9", *, method: str = "GET", path: str = "/", **headers: str) -> Scope:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if host is None else (host, 4711)
    return {"type": "http", "method": method, "path": path, "headers": pairs, "client": client}


def ask(app: Application, scope: Scope | None = None) -> Answer:
    answer = Answer()

    async def send(message: Message) -> None:
        answer.messages.append(message)

    call = app(http() if scope is None else scope, receive, send)
    assert isinstance(call, Coroutine)
    finish(call)
    return answer


def test_a_client_has_its_burst_and_then_429_until_a_token_is_there(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, "60/min", burst=2, clock=clock)
    assert [ask(app).status for _ in range(3)] == [200, 200, 429]
    assert ask(app, http("203.0.113.10")).status == 200, "another client has a limit of its own"
    clock.advance(0.999)
    assert ask(app).status == 429
    clock.advance(0.001)
    assert [ask(app).status for _ in range(2)] == [200, 429]
    assert app.refused == 3


def test_a_refusal_says_when_to_come_back_in_whole_seconds_rounded_up(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, (1, 2.5), burst=1, clock=clock)
    ask(app)
    refused = ask(app)
    assert refused.headers["retry-after"] == "3"
    assert refused.problem == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Too many requests",
        "status": 429,
        "detail": "Try again in 3 s.",
        "violated-policies": ["default"],
    }
    clock.advance(1.5)
    assert ask(app).headers["retry-after"] == "1"
    clock.advance(0.9999)
    assert ask(app).headers["retry-after"] == "1"
    fast = RateLimitMiddleware(hello, 1_000_000, burst=1, clock=clock)
    ask(fast)
    assert ask(fast).headers["retry-after"] == "1", "never 0, which is no wait at all"


def test_every_answer_says_what_is_left(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, "100/min", burst=20, clock=clock)
    first = ask(app)
    assert first.headers["content-type"] == "text/plain"
    assert first.messages[1] == {"type": "http.response.body", "body": b"hello"}
    assert first.headers["ratelimit-policy"] == '"default";q=20;w=12'
    assert first.headers["ratelimit"] == '"default";r=19;t=12'
    last = [ask(app) for _ in range(19)][-1]
    assert last.status == 200
    assert last.headers["ratelimit"] == '"default";r=0;t=1'
    refused = ask(app)
    assert refused.headers["ratelimit"] == '"default";r=0;t=1'
    assert refused.headers["ratelimit-policy"] == '"default";q=20;w=12'


@pytest.mark.parametrize(
    ("rate", "burst", "policy"),
    [
        ("100/min", None, "q=100;w=60"),
        ("3/10s", None, "q=3;w=10"),
        (("5", None), None, None),
        ((5, 60), None, "q=5;w=60"),
        (10, None, "q=10;w=1"),
        (0.5, None, "q=1;w=2"),
        ("100/s", 1, "q=100;w=1"),
        ("100/min", 1, "q=1;w=1"),
        ("5/3s", 5, "q=5;w=3"),
        ("0/s", None, "q=1"),
    ],
)
def test_the_policy_says_the_rate_as_it_was_written(rate: Any, burst: int | None, policy: str | None) -> None:
    if policy is None:
        with pytest.raises(TypeError, match="rate must be"):
            RateLimitMiddleware(hello, rate, burst)
        return
    app = RateLimitMiddleware(hello, rate, burst, clock=seawall.ManualClock())
    assert ask(app).headers["ratelimit-policy"] == f'"default";{policy}'


@pytest.mark.parametrize("rate", ["100/min", "7/3s", "1/min", 30, 0.7])
@pytest.mark.parametrize("burst", [1, 2, 5, 100])
def test_a_client_that_spreads_what_is_left_is_never_refused(rate: str | float, burst: int) -> None:
    clock = seawall.ManualClock()
    app = RateLimitMiddleware(hello, rate, burst, clock=clock)
    for _ in range(3 * burst + 5):
        answer = ask(app)
        assert answer.status == 200
        left, window = (int(part.split("=")[1]) for part in answer.headers["ratelimit"].split(";")[1:])
        clock.advance(window / left if left else window)


def test_the_effective_window_is_never_after_retry_after(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, "7/min", burst=3, cost=2, clock=clock)
    refusals = 0
    for _ in range(40):
        answer = ask(app)
        if answer.status == 429:
            refusals += 1
            assert int(answer.headers["ratelimit"].split("t=")[1]) <= int(answer.headers["retry-after"])
        clock.advance(3.3)
    assert refusals > 5


def test_the_fields_of_older_revisions_are_added_on_request(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, "100/min", burst=20, legacy_headers=True, clock=clock)
    headers = ask(app).headers
    old = {name: headers[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset")}
    assert old == {"limit": "20", "remaining": "19", "reset": "12"}
    assert "ratelimit-limit" not in ask(RateLimitMiddleware(hello, 1)).headers


def test_without_headers_an_answer_is_as_the_application_made_it(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, headers=False, clock=clock)
    assert ask(app).headers == {"content-type": "text/plain"}
    refused = ask(app)
    assert "ratelimit" not in refused.headers and refused.headers["retry-after"] == "1"


def test_in_shadow_nobody_is_refused_and_it_is_counted(clock: seawall.ManualClock) -> None:
    seen: list[tuple[str, seawall.RateLimited]] = []
    app = RateLimitMiddleware(
        hello, 1, mode="shadow", clock=clock, on_refused=lambda scope, refused: seen.append((scope["path"], refused))
    )
    answers = [ask(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert answers[2].headers["ratelimit"] == '"default";r=0;t=1'
    assert (app.refused, app.shadow_refused) == (0, 2)
    path, refused = seen[0]
    assert (path, refused.stage, refused.reason, refused.retry_after) == ("/", "keyed_bucket", "not_yet", 1.0)
    app.mode = "enforce"
    assert ask(app).status == 429
    app.mode = "off"
    assert ask(app).headers == {"content-type": "text/plain"}
    assert (app.refused, app.shadow_refused) == (1, 2)


@pytest.mark.thread_unsafe
def test_what_a_callback_raises_changes_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    def broken(scope: Scope, refused: seawall.RateLimited) -> None:
        raise RuntimeError("broken")

    app = RateLimitMiddleware(hello, 1, on_refused=broken, clock=seawall.ManualClock())
    assert [ask(app).status for _ in range(2)] == [200, 429]
    assert "on_refused failed" in caplog.text


def test_exempt_paths_and_requests_are_not_limited(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, exempt={"/health"}, clock=clock)
    assert [ask(app, http(path="/health")).status for _ in range(3)] == [200] * 3
    assert "ratelimit" not in ask(app, http(path="/health")).headers
    assert ask(app).status == 200, "they took no token"
    by_function = RateLimitMiddleware(hello, 1, exempt=lambda scope: scope["method"] == "OPTIONS", clock=clock)
    assert [ask(by_function, http(method=method)).status for method in ("OPTIONS", "OPTIONS", "GET", "GET")] == [
        200,
        200,
        200,
        429,
    ]


def test_a_request_costs_what_is_said(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(
        hello, 1, burst=10, cost=lambda scope: 8 if scope["path"] == "/search" else 1, clock=clock
    )
    assert ask(app, http(path="/search")).headers["ratelimit"] == '"default";r=2;t=2'
    assert ask(app, http(path="/search")).headers["retry-after"] == "6"
    assert [ask(app).status for _ in range(3)] == [200, 200, 429]


def test_what_can_never_pass_is_not_told_to_come_back(clock: seawall.ManualClock) -> None:
    refused = ask(RateLimitMiddleware(hello, 1, burst=2, cost=3, clock=clock))
    assert (refused.status, "retry-after" in refused.headers) == (429, False)
    assert refused.problem["detail"] == "Nobody knows when it can pass."


def test_a_key_of_none_has_no_limit_of_its_own(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, key=lambda scope: None, total=(3, 60), clock=clock)
    answers = [ask(app) for _ in range(3)]
    assert all("ratelimit" not in answer.headers for answer in answers)


def test_the_total_limits_all_together_with_503_and_takes_nothing_from_a_client(clock: seawall.ManualClock) -> None:
    total = seawall.TokenBucket("2/10s", burst=2, clock=clock)
    app = RateLimitMiddleware(hello, "1/min", burst=2, total=total, spread=0.0, clock=clock)
    assert [ask(app, http(f"203.0.113.{number}")).status for number in range(2)] == [200, 200]
    refused = ask(app, http("203.0.113.99"))
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert refused.problem["type"].endswith("#temporary-reduced-capacity")
    assert "violated-policies" not in refused.problem and "ratelimit" not in refused.headers
    assert app.buckets.available("203.0.113.99") == 2, "its own tokens were given back"
    clock.advance(5.0)
    assert [ask(app, http("203.0.113.99")).status for _ in range(2)] == [200, 503]


def test_a_client_over_its_own_limit_takes_nothing_from_the_total(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, total=10, clock=clock)
    assert [ask(app).status for _ in range(30)] == [200] + [429] * 29
    assert app.total is not None and app.total.available == 9


def test_those_refused_by_the_total_come_back_spread(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, total=seawall.TokenBucket(1, clock=clock), spread=5.0, clock=clock)
    ask(app)
    waits = {int(ask(app, http(f"198.51.100.{number}")).headers["retry-after"]) for number in range(200)}
    assert waits == {2, 3, 4, 5, 6}


def test_buckets_that_exist_are_shared_and_change_while_they_serve(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("60/min", burst=1, clock=clock)
    one, other = RateLimitMiddleware(hello, users), RateLimitMiddleware(hello, users)
    assert [ask(one).status, ask(other).status] == [200, 429]
    users.set_rate("600/min")
    users.set_burst(5)
    clock.advance(0.1)
    assert ask(one).headers["ratelimit-policy"] == '"default";q=10;w=1'


def test_a_key_too_many_is_refused_with_503_where_that_was_asked_for(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, "1/h", capacity=1, when_full="closed", clock=clock)
    statuses = [ask(app, http(f"198.51.100.{number}")).status for number in range(100)]
    assert set(statuses) == {200, 503}


def test_lifespan_passes_and_a_scope_of_another_kind_too() -> None:
    kinds: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kinds.append(scope["type"])

    limited = RateLimitMiddleware(app, "0/s", clock=seawall.ManualClock())
    for kind in ("lifespan", "lifespan", "something new"):
        ask(limited, {"type": kind})
    assert kinds == ["lifespan", "lifespan", "something new"]


def test_a_websocket_is_limited_at_its_handshake(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, clock=clock)
    scope = {**http(), "type": "websocket"}
    del scope["method"]
    assert ask(app, dict(scope)).messages == [{"type": "websocket.accept"}]
    assert [(message["type"], message["code"]) for message in ask(app, dict(scope)).messages] == [
        ("websocket.close", 1013)
    ]
    answer = ask(app, {**scope, "extensions": {"websocket.http.response": {}}})
    assert [message["type"] for message in answer.messages] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert answer.status == 429 and answer.headers["retry-after"] == "1"


def test_a_refused_head_has_no_body(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, clock=clock)
    ask(app)
    answer = ask(app, http(method="HEAD"))
    assert answer.status == 429 and answer.messages[1]["body"] == b""


def test_the_address_is_the_key_and_ipv6_counts_by_its_network() -> None:
    key = client_address()
    assert key(http("203.0.113.9")) == "203.0.113.9"
    assert key(http("2001:db8:1:2:3:4:5:6")) == key(http("2001:db8:1:2::")) == "2001:db8:1:2::/64"
    assert key(http("2001:db8:1:3::")) != key(http("2001:db8:1:2::"))
    assert key(http("::ffff:203.0.113.9")) == "203.0.113.9"
    assert key(http("testclient")) == "testclient"
    assert key(http(None)) == ""


@pytest.mark.parametrize(
    ("host", "forwarded", "found"),
    [
        ("10.0.0.7", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.7", "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("10.0.0.7", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.7", "[2001:db8::1]:80", "2001:db8::/64"),
        ("10.0.0.7", "10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ("10.0.0.7", "203.0.113.9, unknown, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.7", "203.0.113.9, ", "10.0.0.7"),
        ("::1", "203.0.113.9", "203.0.113.9"),
        (None, "203.0.113.9", "203.0.113.9"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("11.0.0.1", "203.0.113.9", "11.0.0.1"),
    ],
)
def test_x_forwarded_for_is_believed_from_trusted_proxies_only(host: str | None, forwarded: str, found: str) -> None:
    key = client_address(["10.0.0.0/8", "::1", "unix"])
    assert key(http(host, x_forwarded_for=forwarded)) == found


def test_whoever_is_not_trusted_cannot_choose_a_key(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, clock=clock)
    statuses = [ask(app, http(x_forwarded_for=f"198.51.100.{number}")).status for number in range(3)]
    assert statuses == [200, 429, 429]
    behind = RateLimitMiddleware(hello, 1, trusted_proxies=["203.0.113.9"], clock=clock)
    assert [ask(behind, http(x_forwarded_for=f"198.51.100.{number}")).status for number in range(3)] == [200] * 3


def test_forwarded_addresses_of_several_headers_are_one_list() -> None:
    scope = http("10.0.0.7")
    forwarded = b"x-forwarded-for"
    scope["headers"] = [(forwarded, b"6.6.6.6, 203.0.113.9"), (b"accept", b"*/*"), (forwarded, b"10.0.0.8")]
    assert client_address(["10.0.0.0/8"])(scope) == "203.0.113.9"


def test_a_header_is_a_key_and_never_that_of_an_address(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1, key=header("X-API-Key"), clock=clock)
    assert [ask(app, http(x_api_key="alice")).status for _ in range(2)] == [200, 429]
    assert ask(app, http(x_api_key="203.0.113.9")).status == 200
    assert ask(app).status == 200, "the client of that address has its own"
    assert header("x-api-key", lambda scope: None)(http()) is None


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"key": "x-api-key"}, TypeError, "key must be a function of the scope, not 'x-api-key'"),
        ({"key": hello}, TypeError, "key must be a plain function, not async"),
        ({"cost": -1}, ValueError, "cost must be 0 to 4,294,967,295, not -1"),
        ({"cost": "1"}, TypeError, "cost must be an integer or a function of the scope, not '1'"),
        ({"exempt": "/health"}, TypeError, "exempt must be a function of the scope or a collection of paths"),
        ({"trusted_proxies": "10.0.0.0/8"}, TypeError, "trusted_proxies must be a collection"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, ValueError, "trusted_proxies must be addresses.*'10.0.0.1/8'"),
        ({"trusted_proxies": ["::1"], "key": lambda scope: 1}, TypeError, "use key=client_address"),
        ({"mode": "dry"}, ValueError, 'mode must be "enforce", "shadow" or "off", not \'dry\''),
        ({"name": 'a"b'}, ValueError, "name must be printable ASCII"),
        ({"name": "é"}, ValueError, "name must be printable ASCII"),
        ({"spread": -1.0}, ValueError, "spread must be 0 seconds or more, not -1.0"),
        ({"rate": "often"}, ValueError, "rate must be"),
        ({"rate": seawall.KeyedBuckets(1), "burst": 2}, TypeError, "burst must not be given beside KeyedBuckets"),
    ],
)
def test_what_is_given_wrongly_is_named(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        ask(RateLimitMiddleware(hello, **{"rate": 1, **given}))


@pytest.mark.thread_unsafe
def test_threads_beside_one_another_admit_no_more_than_the_burst(clock: seawall.ManualClock) -> None:
    app = RateLimitMiddleware(hello, 1000, burst=500, clock=clock)
    together = threading.Barrier(4)
    admitted: list[int] = []

    def hammer() -> None:
        together.wait()
        admitted.append(sum(ask(app).status == 200 for _ in range(300)))

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 500
    assert app.refused == 700


@pytest.fixture
def server() -> Iterator[tuple[str, RateLimitMiddleware]]:
    uvicorn = pytest.importorskip("uvicorn")
    app = RateLimitMiddleware(hello, "60/h", burst=2)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="websockets-sansio", lifespan="off")
    running = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=running.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"127.0.0.1:{socket.getsockname()[1]}", app
    finally:
        running.should_exit = True
        thread.join()
        socket.close()


@pytest.mark.thread_unsafe
def test_a_real_server_and_client_understand_it(server: tuple[str, RateLimitMiddleware]) -> None:
    httpx = pytest.importorskip("httpx")
    address, app = server
    with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
        answers = [client.get("/") for _ in range(2)]
        assert [answer.text for answer in answers] == ["hello", "hello"]
        assert answers[1].headers["RateLimit"] == '"default";r=0;t=60'
        refused = client.post("/", content=b"x" * 100_000)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        assert refused.json()["violated-policies"] == ["default"]
        head = client.head("/")
        assert (head.status_code, head.content) == (429, b"")


@pytest.mark.thread_unsafe
def test_a_real_websocket_is_denied_with_the_same_answer(server: tuple[str, RateLimitMiddleware]) -> None:
    client = pytest.importorskip("websockets.sync.client")
    exceptions = pytest.importorskip("websockets.exceptions")
    address, app = server
    app.buckets.try_take("127.0.0.1", 2)
    with pytest.raises(exceptions.InvalidStatus) as denied:
        client.connect(f"ws://{address}/", proxy=None)
    assert denied.value.response.status_code == 429
    assert denied.value.response.headers["Retry-After"] == "60"


def test_starlette_takes_it_as_any_middleware() -> None:
    applications = pytest.importorskip("starlette.applications")
    middleware = pytest.importorskip("starlette.middleware")
    app = applications.Starlette(middleware=[middleware.Middleware(RateLimitMiddleware, rate=1)])
    scope = {**http(), "query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http"}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    for _ in range(2):
        finish(app(dict(scope), receive, send))
    assert [message["status"] for message in sent if "status" in message] == [404, 429]
