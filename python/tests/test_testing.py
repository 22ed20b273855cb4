"""What seawall has for the tests of its users."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Final

import pytest

import seawall
import seawall.testing

# What it tests reaches the whole process.
pytestmark = pytest.mark.thread_unsafe


def test_the_fixture_is_found_and_what_the_test_makes_goes_by_it(seawall_clock: seawall.ManualClock) -> None:
    bucket = seawall.TokenBucket("1/h")
    for _ in range(3):
        bucket.take_blocking()
    assert seawall_clock.now() == 7200.0
    seawall_clock.advance(3600.0)
    assert bucket.try_take()


@pytest.mark.anyio
async def test_the_fixture_serves_tasks_as_well(seawall_clock: seawall.ManualClock) -> None:
    bucket = seawall.TokenBucket("1/h")
    await bucket.take()
    await bucket.take()
    assert seawall_clock.now() == 3600.0


def test_threads_that_the_program_starts_go_by_the_clock_too() -> None:
    def work() -> None:
        bucket = seawall.TokenBucket("1/h")
        bucket.take_blocking()
        bucket.take_blocking()

    with seawall.testing.clock() as clock:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(timeout=30.0)
        assert not thread.is_alive()
    assert clock.now() == 3600.0


def test_a_clock_ends_with_its_block_however_that_ends() -> None:
    with pytest.raises(RuntimeError), seawall.testing.clock() as outer:
        with seawall.testing.clock(5.0) as inner:
            bucket = seawall.TokenBucket(1, clock=outer)
            seawall.KeyedBuckets(1)
        bucket.take_blocking()
        bucket.take_blocking()
        assert (outer.now(), inner.now()) == (1.0, 5.0), "a clock that is given comes first"
        seawall.TokenBucket(1, initial=0).take_blocking()
        assert (outer.now(), inner.now()) == (2.0, 5.0), "the outer one is back"
        raise RuntimeError
    bucket = seawall.TokenBucket(1_000_000, burst=1)
    bucket.take_blocking()
    bucket.take_blocking()
    assert outer.now() == 2.0, "outside, time passes by itself"


def test_without_autojump_who_waits_is_woken_by_hand() -> None:
    with seawall.testing.clock(autojump=False) as clock:
        bucket = seawall.TokenBucket(1, initial=0)
        thread = threading.Thread(target=bucket.take_blocking)
        thread.start()
        give_up = time.monotonic() + 30.0
        while bucket.waiting == 0 and time.monotonic() < give_up:
            time.sleep(0.001)
        assert bucket.waiting == 1
        clock.advance(1.0)
        thread.join(timeout=30.0)
        assert not thread.is_alive()


def test_nothing_that_tests_need_is_imported_with_the_package() -> None:
    code = "import sys, seawall; print(sorted({'pytest', 'seawall.testing', 'contextlib'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-S", "-c", "import sys; sys.path[:] = %r\n" % sys.path + code],
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert found.stdout == "[]\n"
    code = "import sys, seawall.testing; print('pytest' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_retries_can_be_limited_for_a_while() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise OSError

    def count() -> int:
        calls.clear()
        with pytest.raises(OSError):
            seawall.RetryStrategy(max_attempts=4, clock=seawall.ManualClock(autojump=True)).execute(fail)
        return len(calls)

    assert count() == 4
    with seawall.testing.limit_attempts(2):
        assert count() == 2
        with pytest.raises(RuntimeError), seawall.testing.limit_attempts(1):
            assert count() == 1
            raise RuntimeError
        assert count() == 2
    assert count() == 4


def test_a_guard_is_off_for_a_while_and_its_modes_are_as_they_were(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(
        1, 1.0, quota="1/h", clock=clock, modes={"token_bucket": 0.5, "circuit_breaker": "shadow", "pause": "off"}
    )
    keyed = seawall.Guard(1, 1.0, per_key=1, clock=clock)
    stages: Final = ("pause", "circuit_breaker", "concurrency_limit", "token_bucket", "retry_budget", "keyed_bucket")
    modes = [[one.mode(stage) for stage in stages] for one in (guard, keyed)]
    with pytest.raises(RuntimeError), seawall.testing.off(guard, keyed):
        keyed.breaker().force_open()
        for _ in range(20):
            with guard, keyed.begin(key="alice"):
                pass
        raise RuntimeError
    assert [[one.mode(stage) for stage in stages] for one in (guard, keyed)] == modes
    assert modes[0] == ["off", "shadow", "enforce", 0.5, "enforce", "off"]
    with pytest.raises(seawall.CircuitOpen), keyed.begin(key="alice"):
        pass


def test_who_waits_on_a_jumping_clock_for_what_never_comes_can_be_interrupted() -> None:
    # In a process of its own, as it would not come back.
    program = """
import signal, seawall
bucket = seawall.TokenBucket(0, initial=0, clock=seawall.ManualClock(autojump=True))
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    bucket.take_blocking()
except KeyboardInterrupt:
    raise SystemExit(bucket.waiting)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=30).returncode == 0
