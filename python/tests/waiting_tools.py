"""What the tests of waiting share: to let tasks run until nothing moves, to count polls, to hurt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio.lowlevel

import seawall
from seawall import _waiting

# A task that is served wakes the next one: a few turns of the loop.
TURNS = 6
# For what has to happen and is not waited for by the clock: far longer than any machine needs.
PATIENCE = 30.0


async def settle(turns: int = TURNS) -> None:
    """Lets every task run until it waits."""
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()


def until(condition: Callable[[], bool]) -> None:
    """Waits for another thread."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.001)


@contextmanager
def thread(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """A thread whose error is the test's, and which has ended at the end."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    yield worker
    worker.join(PATIENCE)
    assert not worker.is_alive(), "the thread did not end"
    if errors:
        raise errors[0]


class Polls:
    """A native `Waiting` whose polls are counted, and the `wake` that it was given."""

    def __init__(self, waiting: Any) -> None:
        self.waiting = waiting
        self.count = 0
        self.wakes = 0

    def poll(self, wake: Callable[[], None], /) -> float | None:
        self.count += 1
        self.wake = wake
        delay: float | None = self.waiting.poll(self._counted(wake) if self.count == 1 else self._known)
        return delay

    def _counted(self, wake: Callable[[], None]) -> Callable[[], None]:
        def known() -> None:
            self.wakes += 1
            wake()

        self._known = known
        return known

    def result(self) -> Any:
        return self.waiting.result()

    def close(self) -> None:
        self.waiting.close()


def waiting_of(coroutine: Any) -> Any:
    """The native `Waiting` that a coroutine of ours was made for, which has not begun."""
    waiting = coroutine.cr_frame.f_locals["waiting"]
    coroutine.close()
    return waiting


def counted(bucket: seawall.TokenBucket, n: int = 1, max_wait: float | None = None) -> tuple[Polls, Any]:
    """A take that has to wait: its polls, and what is to be awaited."""
    polls = Polls(waiting_of(bucket.take(n, max_wait=max_wait)))
    return polls, _waiting.wait(polls)  # type: ignore[arg-type]
