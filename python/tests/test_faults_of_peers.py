"""The faults of other libraries that were found by running them, and that must not be ours: contention that reads as a
refusal, calls of a breaker that wait for each other, large requests that starve, and a wall clock that is set.
"""

from __future__ import annotations

import asyncio
import datetime
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seawall
from waiting_tools import PATIENCE, settle, thread

# They have threads of their own, and change what the interpreter has but once.
pytestmark = pytest.mark.thread_unsafe

CALLS = 20_000


def together(count: int, work: Callable[[int], None]) -> None:
    """Runs it in so many threads at once, which are made to take turns as often as can be."""
    barrier = threading.Barrier(count)
    interval = sys.getswitchinterval()
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(PATIENCE)
            work(number)
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    sys.setswitchinterval(1e-6)
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(PATIENCE)
    finally:
        sys.setswitchinterval(interval)
    assert not any(worker.is_alive() for worker in workers)
    if errors:
        raise errors[0]


# Contention is no refusal.


def test_of_two_threads_that_take_from_a_limit_far_away_none_is_refused() -> None:
    bucket = seawall.TokenBucket(1_000_000_000)
    refused = [0, 0]

    def take(number: int) -> None:
        refused[number] = sum(not bucket.try_take() for _ in range(CALLS))

    together(2, take)
    assert refused == [0, 0]


def test_of_two_threads_that_take_for_one_key_none_is_refused() -> None:
    buckets = seawall.KeyedBuckets(100_000, 2 * CALLS, capacity=64)
    refused = [0, 0]

    def take(number: int) -> None:
        refused[number] = sum(not buckets.try_take("alice") for _ in range(CALLS))

    together(2, take)
    assert refused == [0, 0]


def test_of_two_threads_behind_a_closed_breaker_none_is_refused() -> None:
    breaker = seawall.CircuitBreaker()
    refused = [0, 0]

    def call(number: int) -> None:
        for _ in range(CALLS):
            refused[number] += breaker.should_block()
            breaker.on_success()

    together(2, call)
    assert refused == [0, 0]


def test_of_two_threads_at_a_guard_with_room_none_is_refused() -> None:
    guard = roomy_guard()

    def call(number: int) -> None:
        for _ in range(CALLS // 4):
            with guard:
                pass

    together(2, call)
    assert (guard.snapshot().total.admitted, guard.snapshot().total.refused) == (2 * (CALLS // 4), 0)


def roomy_guard(**settings: Any) -> seawall.Guard:
    return seawall.Guard(1_000_000, 1.0, limit={"start": 8}, **settings)


# Nor is it a grant.


def over_the_law(rate: float, burst: int, try_take: Callable[[], bool]) -> tuple[int, float]:
    """How many two threads got in all of a quarter of a second, and the most that the law has."""
    granted = [0, 0]
    before = time.monotonic_ns()
    end = before + 250_000_000

    def take(number: int) -> None:
        while time.monotonic_ns() < end:
            granted[number] += try_take()

    together(2, take)
    elapsed = (time.monotonic_ns() - before) / 1e9
    return sum(granted), rate * elapsed + burst


def test_two_threads_never_get_more_tokens_than_the_law_has() -> None:
    bucket = seawall.TokenBucket(20_000, 100)
    granted, law = over_the_law(20_000, 100, bucket.try_take)
    # Made before the clock was read, it was full then already.
    assert granted <= law
    assert granted > 100


def test_two_threads_never_get_more_tokens_of_a_key_than_the_law_has() -> None:
    buckets = seawall.KeyedBuckets(20_000, 100, capacity=64)
    granted, law = over_the_law(20_000, 100, lambda: buckets.try_take("alice"))
    assert 100 < granted <= law


def test_two_threads_at_an_instant_get_the_burst_of_a_key_and_no_token_more(clock: seawall.ManualClock) -> None:
    buckets = seawall.KeyedBuckets(1, 1_000, capacity=64, clock=clock)
    granted = [0, 0]

    def take(number: int) -> None:
        granted[number] = sum(buckets.try_take("alice") for _ in range(1_000))

    together(2, take)
    assert sum(granted) == 1_000


def test_two_threads_never_get_more_calls_of_a_guard_than_its_quota() -> None:
    guard = roomy_guard(quota=20_000, bucket={"burst": 100})

    def call() -> bool:
        try:
            guard.call(int)
        except seawall.RateLimited:
            return False
        return True

    granted, law = over_the_law(20_000, 100, call)
    # After its warm-up of nothing, and with one token at the start.
    assert 0 < granted <= law


def test_of_many_threads_at_a_limit_no_more_are_inside_than_it_has() -> None:
    limit = seawall.ConcurrencyLimit(3, ceiling=3)
    inside: list[int] = []
    most = 0

    def call(number: int) -> None:
        nonlocal most
        for _ in range(1_000):
            try:
                permit = limit.try_attempt()
            except seawall.ConcurrencyLimited:
                continue
            inside.append(number)
            most = max(most, len(inside))
            inside.pop()
            permit.finish("success")

    together(8, call)
    assert most <= 3
    assert limit.in_flight == 0


def test_two_threads_at_an_instant_get_the_burst_and_no_token_more(clock: seawall.ManualClock) -> None:
    bucket = seawall.TokenBucket(1, CALLS, clock=clock)
    granted = [0, 0]

    def take(number: int) -> None:
        granted[number] = sum(bucket.try_take() for _ in range(CALLS))

    together(2, take)
    assert sum(granted) == CALLS


# Protected calls run side by side.


def protections() -> dict[str, Callable[[Callable[[], object]], object]]:
    """Each of the ways to run a function behind a closed breaker, or a limit with room."""
    breaker = seawall.CircuitBreaker()
    limit = seawall.ConcurrencyLimit(64)
    guard = roomy_guard()

    def in_guard(work: Callable[[], object]) -> object:
        with guard:
            return work()

    def within(work: Callable[[], object]) -> object:
        with breaker:
            return work()

    def with_permit(work: Callable[[], object]) -> object:
        with breaker.try_attempt():
            return work()

    def in_limit(work: Callable[[], object]) -> object:
        with limit:
            return work()

    def decorated(work: Callable[[], object]) -> object:
        @breaker
        def inner() -> object:
            return work()

        return inner()

    return {
        "with breaker": within,
        "with permit": with_permit,
        "breaker.call": breaker.call,
        "@breaker": decorated,
        "with limit": in_limit,
        "limit.call": limit.call,
        "with guard": in_guard,
        "guard.call": guard.call,
        "guard.execute": guard.execute,
    }


@pytest.mark.parametrize("how", sorted(protections()))
def test_four_threads_are_inside_of_one_protection_at_once(how: str) -> None:
    protect = protections()[how]
    # Nobody leaves before all four are inside: were they let in one at a time, it would break.
    inside = threading.Barrier(4)

    def call(number: int) -> None:
        for _ in range(20):
            protect(lambda: inside.wait(PATIENCE))

    together(4, call)


def test_eight_tasks_are_inside_of_one_breaker_and_one_guard_at_once() -> None:
    async def main() -> None:
        breaker = seawall.CircuitBreaker()
        guard = roomy_guard()
        inside = 0
        all_in = asyncio.Event()

        async def call() -> None:
            nonlocal inside
            inside += 1
            if inside == 8:
                all_in.set()
            await all_in.wait()

        async def within() -> None:
            async with breaker:
                await call()

        async def in_guard() -> None:
            async with guard:
                await call()

        calls = [within(), within(), breaker.call(call), breaker(call)()]
        calls += [in_guard(), guard.call(call), guard.execute(call), guard(call)()]
        await asyncio.wait_for(asyncio.gather(*calls), PATIENCE)

    asyncio.run(main())


# Large requests are served.


def test_a_request_for_eight_is_served_while_three_loops_ask_for_one(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = seawall.TokenBucket(10, clock=clock)
        small = 0

        async def ask_for_one() -> None:
            nonlocal small
            while True:
                await bucket.take(1)
                small += 1

        greedy = [asyncio.create_task(ask_for_one()) for _ in range(3)]
        await settle()
        large = asyncio.create_task(bucket.take(8))
        await settle()
        begun, before = clock.now(), small
        while not large.done():
            clock.advance(0.1)
            await settle()
        # Three were there before it.
        assert clock.now() - begun == pytest.approx((3 + 8) / 10)
        assert small - before <= 3 + 1
        for task in greedy:
            task.cancel()
        await asyncio.gather(*greedy, return_exceptions=True)

    asyncio.run(main())


# The wall clock says nothing.


class Wall:
    """A wall clock that is an hour off from now on, or a hundred years."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.reads = 0

    def step(self, seconds: float) -> None:
        real, real_ns = time.time, time.time_ns

        def stepped() -> float:
            self.reads += 1
            return real() + seconds

        def stepped_ns() -> int:
            self.reads += 1
            return real_ns() + int(seconds * 1e9)

        class Datetime(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Any:
                return datetime.datetime.fromtimestamp(stepped(), tz)

            @classmethod
            def utcnow(cls) -> Any:
                return datetime.datetime.fromtimestamp(stepped(), datetime.timezone.utc)

        self.monkeypatch.setattr(time, "time", stepped)
        self.monkeypatch.setattr(time, "time_ns", stepped_ns)
        self.monkeypatch.setattr(datetime, "datetime", Datetime)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    return Wall(monkeypatch)


HOURS = [3_600.0, -3_600.0, 3e9, -1e9]


@pytest.mark.parametrize("step", HOURS)
def test_a_wall_clock_that_is_set_earns_no_token_and_costs_none(step: float, wall: Wall) -> None:
    bucket = seawall.TokenBucket("1/d", 3)
    assert bucket.try_take()
    wall.step(step)
    assert bucket.available == 2
    assert bucket.try_take(2)
    assert not bucket.try_take()
    with pytest.raises(seawall.RateLimited):
        bucket.take_blocking(max_wait=60)
    assert wall.reads == 0


@pytest.mark.parametrize("step", HOURS)
def test_a_wall_clock_that_is_set_closes_no_breaker_and_ends_no_pause(step: float, wall: Wall) -> None:
    breaker = seawall.CircuitBreaker(open_for=60, open_cap=60)
    breaker.trip()
    guard = roomy_guard()
    with guard.begin() as attempt:
        attempt.report("throttled", 60.0)
    wall.step(step)
    assert breaker.should_block()
    refused = guard.peek()
    assert refused is not None and refused.stage == "pause"
    assert wall.reads == 0


@pytest.mark.parametrize("step", HOURS)
def test_a_wall_clock_that_is_set_ends_no_wait_and_lengthens_none(
    step: float, wall: Wall, clock: seawall.ManualClock
) -> None:
    bucket = seawall.TokenBucket(1, initial=0, clock=clock)
    with thread(bucket.take_blocking):
        while bucket.waiting == 0:
            time.sleep(0.001)
        wall.step(step)
        clock.advance(0.999)
        assert bucket.waiting == 1
        clock.advance(0.001)
    assert bucket.waiting == 0
    assert wall.reads == 0


# A date in a Retry-After is a time of the wall.
READS_A_DATE = {("_classify.py", "now = time.time()")}


def test_no_module_of_the_package_reads_the_wall_clock_but_to_read_a_date() -> None:
    package = Path(seawall.__file__).parent
    files = [*package.rglob("*.py"), *(package.parent.parent / "src").rglob("*.rs")]
    assert len(files) > 3
    words = re.compile(r"\btime\.time(_ns)?\(|datetime\.now|utcnow|SystemTime")
    found = {
        (file.name, line.strip())
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if words.search(line)
    }
    assert found <= READS_A_DATE


def test_a_clock_that_is_stepped_back_mints_no_token(clock: seawall.ManualClock) -> None:
    clock.set(1_000.0)
    bucket = seawall.TokenBucket(1, 5, clock=clock)
    assert bucket.try_take(5)
    for reading in (999.0, 1_000.0, 500.0, 1_000.0, 0.0, 1_000.0):
        clock.set(reading)
        assert not bucket.try_take()
    clock.set(1_001.0)
    assert bucket.try_take() and not bucket.try_take()
