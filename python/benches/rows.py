"""What is measured: each row is a statement that is repeated, and what is made before it, anew for every sample.

Of each there is what seawall does, what a sceptic writes in fifteen lines, and what other packages do for the same.
Limits are so high that nobody is refused, unless the row says so; breakers are closed; retries succeed at once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    section: str
    name: str
    statement: str
    setup: str = ""
    whose: str = "peer"
    """"ours", "floor", "python" or "peer"."""
    most: float | None = None
    """How many floors it may cost: what was promised of it."""
    needs_loop: bool = False

    @property
    def is_async(self) -> bool:
        return self.needs_loop or self.statement.startswith(("await ", "async "))


FIFTEEN_LINES = """
import threading, time
class Bucket:
    def __init__(self, rate, burst):
        self.rate, self.burst, self.tokens = rate, burst, burst
        self.then, self.lock = time.monotonic(), threading.Lock()
    def try_take(self, n=1):
        with self.lock:
            now = time.monotonic()
            self.tokens = min(self.burst, self.tokens + (now - self.then) * self.rate)
            self.then = now
            if self.tokens < n:
                return False
            self.tokens -= n
            return True
"""
FIFTEEN_LINES_BREAKER = """
import threading
class Breaker:
    def __init__(self, failures):
        self.failures, self.failed, self.lock = failures, 0, threading.Lock()
    def call(self, function, *args):
        with self.lock:
            if self.failed >= self.failures:
                raise RuntimeError
        try:
            answer = function(*args)
        except Exception:
            with self.lock:
                self.failed += 1
            raise
        with self.lock:
            self.failed = 0
        return answer
"""
FIFTEEN_LINES_RETRY = """
import random, time
def execute(function, *args):
    for attempt in range(3):
        try:
            return function(*args)
        except Exception:
            if attempt == 2:
                raise
            time.sleep(random.random() * 0.1 * 2**attempt)
"""
PLAIN = "def nothing(): pass"
ASYNC = "async def nothing(): pass"
GUARD = "guard = seawall.Guard(1_000_000, 1.0)"
GUARD += "\nimport time\nend = time.monotonic() + 1\nwhile guard.peek() and time.monotonic() < end: pass"

BUCKET, BREAKER, RETRY, GUARDED, REST = (
    "a token, now or not",
    "a breaker, closed",
    "retries, the first attempt succeeds",
    "a guard: pause, breaker, limit, bucket, counters",
    "more of seawall",
)
WAIT = "a token, awaited, and there at once"

FLOOR = Row("the floor", "a native method with one atomic step", "hit()", "hit = native._Floor().hit", "floor")

ROWS = [
    FLOOR,
    Row("the floor", "python: an empty loop", "pass", "", "python"),
    Row("the floor", "python: an empty function", "f()", "def f(): pass", "python"),
    Row("the floor", "python: an empty method", "m()", "class C:\n    def m(self): pass\nm = C().m", "python"),
    Row("the floor", "python: time.monotonic()", "monotonic()", "from time import monotonic", "python"),
    Row(
        "the floor",
        "python: with threading.Lock()",
        "with lock: pass",
        "import threading; lock = threading.Lock()",
        "python",
    ),
    Row("the floor", "python: await an empty coroutine", "await f()", "async def f(): pass", "python"),
    # Tokens.
    Row(BUCKET, "seawall: try_take()", "take()", "take = seawall.TokenBucket(10**9).try_take", "ours", 3.5),
    Row(BUCKET, "seawall: try_take(2)", "take(2)", "take = seawall.TokenBucket(10**9).try_take", "ours"),
    Row(
        BUCKET,
        "seawall: try_take(), refused",
        "take()",
        "take = seawall.TokenBucket('1/h', 1).try_take; take()",
        "ours",
    ),
    Row(BUCKET, "fifteen lines with a lock", "take()", FIFTEEN_LINES + "take = Bucket(1e9, 1e9).try_take", "python"),
    Row(
        BUCKET,
        "aiolimiter: has_capacity() (a look)",
        "take()",
        "import aiolimiter; take = aiolimiter.AsyncLimiter(1e9, 1).has_capacity",
        needs_loop=True,
    ),
    Row(
        BUCKET,
        "rust-py-rate-limit: allow('u')",
        "take('u')",
        "import rust_py_rate_limit as r; take = r.RateLimiter(limit=10**9, window_seconds=60).allow",
    ),
    Row(
        BUCKET,
        "botocore: TokenBucket.acquire()",
        "take()",
        "from botocore.retries import bucket as b; t = b.TokenBucket(max_rate=1e9, clock=b.Clock())\n"
        "t.max_rate = 1e9; t._current_capacity = 1e9; take = t.acquire",
    ),
    Row(
        BUCKET,
        "limits: FixedWindow.hit()",
        "take(item, 'u')",
        "import limits; take = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage()).hit\n"
        "item = limits.parse('1000000000/day')",
    ),
    Row(
        BUCKET,
        "limits: MovingWindow.hit()",
        "take(item, 'u')",
        "import limits; take = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage()).hit\n"
        "item = limits.parse('1000000000/day')",
    ),
    Row(
        BUCKET,
        "throttled-py: token bucket, limit()",
        "take()",
        "import throttled as t\n"
        "take = t.Throttled(key='u', using='token_bucket', quota=t.per_sec(10**9, burst=10**9)).limit",
    ),
    Row(
        BUCKET,
        "throttled-py: GCRA, limit()",
        "take()",
        "import throttled as t; take = t.Throttled(key='u', using='gcra', quota=t.per_sec(10**9, burst=10**9)).limit",
    ),
    Row(
        BUCKET,
        "pyrate-limiter: try_acquire('u')",
        "take('u', blocking=False)",
        "import pyrate_limiter as p; take = p.Limiter(p.InMemoryBucket([p.Rate(10**9, p.Duration.DAY)])).try_acquire",
    ),
    Row(WAIT, "seawall: await take()", "await take()", "take = seawall.TokenBucket(10**9).take", "ours", 5),
    Row(
        WAIT,
        "seawall: async with bucket",
        "async with bucket: pass",
        "bucket = seawall.TokenBucket(10**9)",
        "ours",
        10,
    ),
    Row(WAIT, "seawall: with bucket (a thread)", "with bucket: pass", "bucket = seawall.TokenBucket(10**9)", "ours"),
    Row(
        WAIT,
        "aiolimiter: await acquire()",
        "await take()",
        "import aiolimiter; take = aiolimiter.AsyncLimiter(1e9, 1).acquire",
    ),
    Row(
        WAIT,
        "aiolimiter: async with",
        "async with bucket: pass",
        "import aiolimiter; bucket = aiolimiter.AsyncLimiter(1e9, 1)",
    ),
    Row(
        WAIT,
        "asyncio-throttle: async with",
        "async with bucket: pass",
        "import asyncio_throttle; bucket = asyncio_throttle.Throttler(rate_limit=10**9, period=1)",
    ),
    Row(
        WAIT,
        "throttled-py: await limit()",
        "await take()",
        "import throttled.asyncio as t\n"
        "take = t.Throttled(key='u', using='token_bucket', quota=t.per_sec(10**9, burst=10**9)).limit",
    ),
    # Breakers.
    Row(BREAKER, "seawall: call(no-op)", "call(nothing)", PLAIN + "\ncall = seawall.CircuitBreaker().call", "ours"),
    Row(
        BREAKER,
        "seawall: @breaker no-op",
        "nothing()",
        "breaker = seawall.CircuitBreaker()\n@breaker\n" + PLAIN,
        "ours",
    ),
    Row(BREAKER, "seawall: with breaker", "with breaker: pass", "breaker = seawall.CircuitBreaker()", "ours"),
    Row(
        BREAKER,
        "seawall: should_block(), on_success()",
        "block(); success()",
        "b = seawall.CircuitBreaker(); block, success = b.should_block, b.on_success",
        "ours",
    ),
    Row(
        BREAKER,
        "seawall: @breaker async no-op",
        "await nothing()",
        "breaker = seawall.CircuitBreaker()\n@breaker\n" + ASYNC,
        "ours",
    ),
    Row(
        BREAKER,
        "fifteen lines with a lock: call(no-op)",
        "call(nothing)",
        FIFTEEN_LINES_BREAKER + PLAIN + "\ncall = Breaker(10).call",
        "python",
    ),
    Row(
        BREAKER,
        "purgatory: with breaker",
        "with breaker: pass",
        "import purgatory; breaker = purgatory.SyncCircuitBreakerFactory().get_breaker('a')",
    ),
    Row(
        BREAKER,
        "circuitbreaker: @circuit no-op (no locks)",
        "nothing()",
        "import circuitbreaker\n@circuitbreaker.circuit\n" + PLAIN,
    ),
    Row(
        BREAKER,
        "circuitbreaker: @circuit async no-op",
        "await nothing()",
        "import circuitbreaker\n@circuitbreaker.circuit\n" + ASYNC,
    ),
    Row(
        BREAKER,
        "aiobreaker: call(no-op)",
        "call(nothing)",
        PLAIN + "\nimport aiobreaker; call = aiobreaker.CircuitBreaker().call",
    ),
    Row(
        BREAKER,
        "pybreaker: call(no-op) (one at a time)",
        "call(nothing)",
        PLAIN + "\nimport pybreaker; call = pybreaker.CircuitBreaker().call",
    ),
    Row(
        BREAKER,
        "hyx: @breaker async no-op",
        "await nothing()",
        "from hyx.circuitbreaker import consecutive_breaker\n"
        "@consecutive_breaker(failure_threshold=5, recovery_time_secs=1)\n" + ASYNC,
    ),
    Row(
        BREAKER,
        "resilient-circuit: @breaker no-op",
        "nothing()",
        "import datetime, fractions, resilient_circuit as r\n"
        "@r.CircuitProtectorPolicy(failure_limit=fractions.Fraction(3, 10), cooldown=datetime.timedelta(seconds=30))\n"
        + PLAIN,
    ),
    Row(
        BREAKER,
        "interlock-cb: call(no-op)",
        "call(nothing)",
        PLAIN + "\nimport interlock; call = interlock.CircuitBreaker(name='a').call",
    ),
    Row(
        BREAKER,
        "interlock-cb: @breaker no-op",
        "nothing()",
        "import interlock\n@interlock.CircuitBreaker(name='a')\n" + PLAIN,
    ),
    # Retries.
    Row(
        RETRY,
        "seawall: execute(no-op)",
        "execute(nothing)",
        PLAIN + "\nexecute = seawall.RetryStrategy().execute",
        "ours",
        5,
    ),
    Row(RETRY, "seawall: @retry no-op", "nothing()", "retry = seawall.RetryStrategy()\n@retry\n" + PLAIN, "ours"),
    Row(
        RETRY,
        "seawall: for attempt in retry: with attempt",
        "for attempt in retry:\n            with attempt: pass",
        "retry = seawall.RetryStrategy()",
        "ours",
    ),
    Row(
        RETRY,
        "seawall: @retry async no-op",
        "await nothing()",
        "retry = seawall.RetryStrategy()\n@retry\n" + ASYNC,
        "ours",
    ),
    Row(RETRY, "fifteen lines", "execute(nothing)", FIFTEEN_LINES_RETRY + PLAIN, "python"),
    Row(
        RETRY,
        "redis-py: call_with_retry(no-op)",
        "call(nothing, fail)",
        PLAIN + "\nimport redis.retry, redis.backoff\n"
        "call = redis.retry.Retry(redis.backoff.NoBackoff(), 3).call_with_retry\n"
        "def fail(error): pass",
    ),
    Row(
        RETRY,
        "resilient-circuit: @retry no-op",
        "nothing()",
        "import datetime, resilient_circuit as r\n"
        "@r.RetryWithBackoffPolicy(max_retries=3, backoff=r.FixedDelay(datetime.timedelta(seconds=1)))\n" + PLAIN,
    ),
    Row(
        RETRY,
        "google-api-core: Retry() no-op",
        "nothing()",
        "import google.api_core.retry as r\n@r.Retry()\n" + PLAIN,
    ),
    Row(
        RETRY,
        "backoff: @on_exception no-op",
        "nothing()",
        "import backoff\n@backoff.on_exception(backoff.expo, Exception, max_tries=3)\n" + PLAIN,
    ),
    Row(
        RETRY,
        "backoff: @on_exception async no-op",
        "await nothing()",
        "import backoff\n@backoff.on_exception(backoff.expo, Exception, max_tries=3)\n" + ASYNC,
    ),
    Row(
        RETRY,
        "tenacity: @retry no-op",
        "nothing()",
        "import tenacity\n@tenacity.retry(stop=tenacity.stop_after_attempt(3))\n" + PLAIN,
    ),
    Row(
        RETRY,
        "tenacity: for attempt in Retrying()",
        "for attempt in tenacity.Retrying(stop=stop):\n            with attempt: pass",
        "import tenacity; stop = tenacity.stop_after_attempt(3)",
    ),
    Row(
        RETRY,
        "tenacity: @retry async no-op",
        "await nothing()",
        "import tenacity\n@tenacity.retry(stop=tenacity.stop_after_attempt(3))\n" + ASYNC,
    ),
    Row(
        RETRY,
        "stamina: @retry no-op",
        "nothing()",
        "import stamina\n@stamina.retry(on=Exception, attempts=3)\n" + PLAIN,
    ),
    Row(
        RETRY,
        "stamina: @retry async no-op",
        "await nothing()",
        "import stamina\n@stamina.retry(on=Exception, attempts=3)\n" + ASYNC,
    ),
    # The guard: nobody else has one. What a user would stack instead is beside it.
    Row(GUARDED, "seawall: call(no-op)", "call(nothing)", PLAIN + "\n" + GUARD + "\ncall = guard.call", "ours", 10),
    Row(GUARDED, "seawall: @guard no-op", "nothing()", GUARD + "\n@guard\n" + PLAIN, "ours", 15),
    Row(GUARDED, "seawall: @guard async no-op", "await nothing()", GUARD + "\n@guard\n" + ASYNC, "ours"),
    Row(GUARDED, "seawall: with guard", "with guard: pass", GUARD, "ours"),
    Row(GUARDED, "seawall: async with guard", "async with guard: pass", GUARD, "ours"),
    Row(
        GUARDED,
        "seawall: execute(no-op)",
        "execute(nothing)",
        PLAIN + "\n" + GUARD + "\nexecute = guard.execute",
        "ours",
    ),
    Row(
        GUARDED,
        "seawall: call(no-op), refused and caught",
        "try: call(nothing)\n        except seawall.Refused: pass",
        PLAIN + "\n" + GUARD + "\nguard.breaker().force_open(); call = guard.call",
        "ours",
    ),
    Row(
        GUARDED,
        "stacked: tenacity, circuitbreaker, limits",
        "nothing()",
        "import circuitbreaker, limits, tenacity\n"
        "take = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage()).hit\n"
        "item = limits.parse('1000000000/day')\n"
        "@tenacity.retry(stop=tenacity.stop_after_attempt(3))\n@circuitbreaker.circuit\n"
        "def nothing():\n    take(item, 'u')",
    ),
    Row(
        GUARDED,
        "stacked: backoff, circuitbreaker, fifteen lines",
        "nothing()",
        FIFTEEN_LINES + "import backoff, circuitbreaker\ntake = Bucket(1e9, 1e9).try_take\n"
        "@backoff.on_exception(backoff.expo, Exception, max_tries=3)\n@circuitbreaker.circuit\n"
        "def nothing():\n    take()",
    ),
    # The rest.
    Row(REST, "KeyedBuckets.try_take(str)", "take('user:1')", "take = seawall.KeyedBuckets(10**6).try_take", "ours"),
    Row(REST, "KeyedBuckets.check(str)", "check('user:1')", "check = seawall.KeyedBuckets(10**6).check", "ours"),
    Row(REST, "SlidingWindow.record(0.1)", "record(0.1)", "record = seawall.SlidingWindow().record", "ours"),
    Row(REST, "SlidingWindow.p95", "window.p95", "window = seawall.SlidingWindow(); window.record(0.1)", "ours"),
    Row(
        REST,
        "ConcurrencyLimit.call(no-op)",
        "call(nothing)",
        PLAIN + "\ncall = seawall.ConcurrencyLimit().call",
        "ours",
    ),
    Row(REST, "RetryBudget.deposit()", "deposit()", "deposit = seawall.RetryBudget().deposit", "ours"),
    Row(REST, "Guard.peek()", "peek()", GUARD + "\npeek = guard.peek", "ours"),
    Row(REST, "Guard.snapshot()", "snapshot()", GUARD + "\nsnapshot = guard.snapshot", "ours"),
]
