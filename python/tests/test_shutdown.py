"""The end of the interpreter, while threads are busy with seawall."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

BUSY = {
    "in a function behind a breaker": """
        breaker = seawall.CircuitBreaker()
        work = lambda: breaker.call(time.sleep, 0.0001)
    """,
    "in a function behind a limit": """
        limit = seawall.ConcurrencyLimit(8)
        work = lambda: limit.call(time.sleep, 0.0001)
    """,
    "in a function behind a guard": """
        guard = seawall.Guard(100_000, 1.0, limit={"start": 8}, bucket={"rate": 1e9, "burst": 1_000_000})
        work = lambda: guard.call(time.sleep, 0.0001)
    """,
    "in a function that is retried": """
        strategy = seawall.RetryStrategy()
        work = lambda: strategy.execute(time.sleep, 0.0001)
    """,
    "waiting for a token": """
        bucket = seawall.TokenBucket(2000, 1)
        work = bucket.take_blocking
    """,
    "waiting for a retry": """
        strategy = seawall.RetryStrategy(1_000_000, 0.0001, max_delay=0.0001, jitter="none")
        work = lambda: strategy.execute(int, "x")
    """,
}


@pytest.mark.parametrize("busy", BUSY.values(), ids=BUSY)
def test_daemon_threads_do_not_crash_the_end_of_the_process(busy: str) -> None:
    # CPython ends them wherever they ask for the GIL, which may be below frames that must not be unwound.
    program = dedent("""
        import threading, time
        import seawall
        {busy}
        def run():
            while True:
                work()
        for _ in range(4):
            threading.Thread(target=run, daemon=True).start()
        time.sleep(0.1)
        raise SystemExit(7)
    """).format(busy=dedent(busy))
    for _ in range(3):
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stderr) == (7, "")
