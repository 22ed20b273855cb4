"""For the tests of programs that use seawall: time that does not pass, and switches that put themselves back.

pytest finds the fixture `seawall_clock` by itself: a clock as of `clock()`, for the time of a test.

>>> import seawall, seawall.testing
>>> with seawall.testing.clock() as clock:
...     bucket = seawall.TokenBucket("1/h")
...     for _ in range(3):
...         bucket.take_blocking()
...     print(clock.now())
7200.0

All of them reach the whole process, and not only their thread: tests that run beside one another in threads share them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from ._native import ManualClock, set_clock
from ._native import limit_attempts as set_limit

if TYPE_CHECKING:
    from datetime import timedelta

    from ._native import Guard

__all__ = ["clock", "limit_attempts", "off"]

_STAGES: Final = ("pause", "circuit_breaker", "concurrency_limit", "token_bucket", "retry_budget", "keyed_bucket")


@contextmanager
def clock(start: float | timedelta = 0.0, *, autojump: bool = True) -> Generator[ManualClock, None, None]:
    """A ManualClock by which all objects go that are made inside, and that are given no clock of their own.

    Nobody waits: a wait moves the clock to its end, and `clock.advance(seconds)` moves it by hand. With `autojump=False`
    who waits does so until it is moved. What was made before goes on by the clock that it has.
    """
    made = ManualClock(start, autojump=autojump)
    before = set_clock(made)
    try:
        yield made
    finally:
        set_clock(before)


@contextmanager
def limit_attempts(attempts: int = 1) -> Generator[None, None, None]:
    """No call makes more attempts than this, whatever its strategy or guard says: with 1, what fails is not retried.

    >>> import seawall, seawall.testing
    >>> strategy = seawall.RetryStrategy(max_attempts=5, base_delay=20.0)
    >>> with seawall.testing.limit_attempts(1):
    ...     try:
    ...         strategy.execute(int, "x")
    ...     except ValueError:
    ...         print("tried once")
    tried once
    """
    before = set_limit(attempts)
    try:
        yield
    finally:
        set_limit(before)


@contextmanager
def off(*guards: Guard) -> Generator[None, None, None]:
    """These guards refuse nothing: each of their stages is off, and in its own mode again afterwards.

    >>> import seawall, seawall.testing
    >>> guard = seawall.Guard("1/h", 1.0)
    >>> with seawall.testing.off(guard):
    ...     [guard.call(int, "7") for _ in range(3)]
    [7, 7, 7]
    """
    with ExitStack() as stack:
        for guard in guards:
            for stage in _STAGES:
                mode = guard.mode(stage)
                # One that is off need not be put back, and a stage that is not there cannot.
                if mode != "off":
                    guard.set_mode("off", stage)
                    stack.callback(guard.set_mode, mode, stage)
        yield
