"""Sleeping for those who wait: on a thread, in asyncio, in trio.

Who is next, and when, is decided by the native `Waiting`. Here is only the sleep, in Python, so that Ctrl-C ends it, and
each event loop has its own. Imported by the first who waits: what is admitted at once never comes here.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    import asyncio

    from ._native import Waiting

_LONGEST = threading.TIMEOUT_MAX
_DAY = 86_400.0
# Who leaves just now, by the hand of this thread.
_here = threading.local()


def block(waiting: Waiting) -> Any:
    """Blocks the thread until it is over: its result, or what it raises."""
    news = threading.Event()
    try:
        while (delay := waiting.poll(news.set)) is not None:
            news.wait(min(delay, _LONGEST))
            news.clear()
        return waiting.result()
    finally:
        waiting.close()


async def wait(waiting: Waiting) -> Any:
    """The same as a coroutine."""
    try:
        if _is_trio():
            await _sleep_in_trio(waiting)
        else:
            await _sleep_in_asyncio(waiting)
        return waiting.result()
    finally:
        # A task that is cancelled leaves the line here.
        waiting.close()


def _is_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_task()


async def _sleep_in_asyncio(waiting: Waiting) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    # What wakes is held by the line, and must not hold the task: only its loop does. So a task whose loop was closed is
    # garbage, and leaves the line as it goes.
    who = ref(waiting)
    asleep: ref[asyncio.Future[None]] | None = None
    is_woken = False

    def wake_here() -> None:
        nonlocal is_woken
        is_woken = True
        sleeper = None if asleep is None else asleep()
        if sleeper is not None:
            _end(sleeper)

    def wake() -> None:
        # Not by the thread: a loop may move to another one, and a thread may run one loop after the other.
        if asyncio._get_running_loop() is loop:
            wake_here()
        else:
            try:
                loop.call_soon_threadsafe(wake_here)
            except RuntimeError:
                # The loop is closed, and nobody waits in it any more: the next one is to have the turn.
                _leave(who())

    while (delay := waiting.poll(wake)) is not None:
        if not is_woken:
            sleeper = loop.create_future()
            asleep = ref(sleeper)
            timer = loop.call_later(min(delay, _DAY), _end, sleeper)
            try:
                await sleeper
            finally:
                asleep = None
                timer.cancel()
        is_woken = False


def _leave(gone: Waiting | None) -> None:
    """Leaves the line for one who cannot. That may wake the next such one: they go one after the other, and not each below
    the one before.
    """
    if gone is None:
        return
    leaving: deque[Waiting] = _here.__dict__.setdefault("leaving", deque())
    leaving.append(gone)
    if getattr(_here, "is_leaving", False):
        return
    _here.is_leaving = True
    try:
        while leaving:
            leaving.popleft().close()
    finally:
        _here.is_leaving = False


def _end(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


async def _sleep_in_trio(waiting: Waiting) -> None:
    import trio

    token = trio.lowlevel.current_trio_token()
    news = trio.Event()

    def wake_here() -> None:
        news.set()

    def wake() -> None:
        # Not by the thread: where trio is the guest of another loop, it runs only now and then.
        if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is token:
            wake_here()
        else:
            try:
                token.run_sync_soon(wake_here)
            except trio.RunFinishedError:
                pass

    while (delay := waiting.poll(wake)) is not None:
        with trio.move_on_after(delay):
            await news.wait()
        news = trio.Event()
