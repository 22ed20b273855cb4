"""`python -m seawall`: what is installed, and a retry storm of some seconds, with and without a guard.

Two services of the same capacity in this process, two crowds of the same clients, and the same trouble for both: each
service stands still for a moment. One crowd sends again a tenth of a second after each failure, the other through one `Guard`.
Nothing of it is scripted, and every figure is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import seawall
from seawall import _native

CAPACITY = 200.0
LOAD = 0.6
TIMEOUT = 0.25
PATIENCE = 3.0
PAUSE = 0.1
BACKLOG = 200
TICK = 0.005
# Time-outs have to come of it.
TROUBLE = 4 * TIMEOUT

Send = Callable[[], Coroutine[Any, Any, None]]


class Service:
    """Serves in the order of arrival, `CAPACITY` a second, also those who have left: it cannot know."""

    def __init__(self) -> None:
        self.queue: deque[asyncio.Future[None]] = deque()
        self.is_down: bool = False
        self.arrived: int = 0

    async def answer(self) -> None:
        self.arrived += 1
        if len(self.queue) >= BACKLOG:
            raise ConnectionError("the backlog is full")
        served = asyncio.get_running_loop().create_future()
        self.queue.append(served)
        await served

    async def run(self) -> None:
        could, then = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            # An idle second is not saved up.
            could = 0.0 if self.is_down else min(could + (now - then) * CAPACITY, CAPACITY * TICK * 10)
            then = now
            while could >= 1 and self.queue:
                could -= 1
                served = self.queue.popleft()
                if not served.done():
                    served.set_result(None)


class Crowd:
    """Clients of one service: each call has to be answered within `PATIENCE`, each attempt within `TIMEOUT`."""

    def __init__(self, guard: seawall.Guard | None) -> None:
        self.service: Service = Service()
        self.guard: seawall.Guard | None = guard
        self.begun: int = 0
        self.took: list[float] = []
        self.seconds: list[tuple[int, int]] = []
        self.after: tuple[int, int] = (0, 0)

    async def attempt(self) -> None:
        await asyncio.wait_for(self.service.answer(), TIMEOUT)

    async def unprotected(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return await self.attempt()
            except (OSError, asyncio.TimeoutError):
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(PAUSE)

    async def call(self) -> None:
        self.begun += 1
        start = time.monotonic()
        try:
            if self.guard is None:
                await self.unprotected()
            else:
                await self.guard.execute(self.attempt)
        except (OSError, asyncio.TimeoutError, seawall.Refused):
            return
        took = time.monotonic() - start
        if took <= PATIENCE:
            self.took.append(took)


def guarded() -> seawall.Guard:
    return seawall.Guard(CAPACITY * LOAD, TIMEOUT, max_wait=PATIENCE)


def version() -> str:
    build = _native._build()
    file = _native.__file__ or ""
    kind = "abi3t" if ".abi3t" in file else "abi3" if ".abi3." in file else "built for this version"
    is_gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return (
        f"seawall {seawall.__version__} ({kind}, {build['system']} {build['machine']}, "
        f"{'optimised' if build['is_optimised'] else 'NOT optimised'}, {build['lock_free_bits']} bits lock-free), "
        f"{platform.python_implementation()} {platform.python_version()} {'with' if is_gil_enabled else 'without'} the GIL"
    )


def bar(rate: float, marks: str) -> str:
    """How many times the capacity arrives: one mark for half of it."""
    return (marks[0] * min(round(rate / CAPACITY * 2), 16)).ljust(16, marks[1])


async def storm(seconds: float, say: Callable[[str], None], marks: str) -> list[Crowd]:
    crowds = [Crowd(None), Crowd(guarded())]
    servers = [asyncio.create_task(crowd.service.run()) for crowd in crowds]
    calls: set[asyncio.Task[None]] = set()
    start = time.monotonic()
    begun, shown = 0, 0.0
    before = [(0, 0), (0, 0)]
    while (elapsed := time.monotonic() - start) < seconds:
        trouble = 0 <= elapsed - 0.2 * seconds < TROUBLE
        for crowd in crowds:
            if crowd.service.is_down and not trouble:
                crowd.after = crowd.begun, len(crowd.took)
            crowd.service.is_down = trouble
        while begun < elapsed * CAPACITY * LOAD:
            begun += 1
            for crowd in crowds:
                task = asyncio.create_task(crowd.call())
                calls.add(task)
                task.add_done_callback(calls.discard)
        if elapsed - shown >= 0.5:
            said: list[str] = []
            for number, crowd in enumerate(crowds):
                arrived, answered = crowd.service.arrived, len(crowd.took)
                rates = (arrived - before[number][0]) / (elapsed - shown), (answered - before[number][1]) / (elapsed - shown)
                crowd.seconds.append((round(rates[0]), round(rates[1])))
                before[number] = arrived, answered
                name = "guarded" if crowd.guard else "unprotected"
                said.append(f"{name} [{bar(rates[0], marks)}] {rates[0]:5.0f}/s in, {rates[1]:4.0f}/s answered")
            say(f"{elapsed:4.1f} s {'DOWN' if trouble else '    '} {'  '.join(said)}")
            shown = elapsed
        await asyncio.sleep(TICK)
    # Whoever is on the way has its time.
    await asyncio.wait(calls, timeout=PATIENCE + TIMEOUT)
    for task in (*calls, *servers):
        task.cancel()
    await asyncio.gather(*calls, *servers, return_exceptions=True)
    return crowds


def report(crowds: list[Crowd]) -> str:
    def quantile(took: list[float]) -> str:
        return f"{sorted(took)[int(len(took) * 0.95)]:.2f} s" if took else "none"

    def share(crowd: Crowd) -> str:
        begun, answered = crowd.begun - crowd.after[0], len(crowd.took) - crowd.after[1]
        return f"{min(answered / begun, 1):.0%}" if begun else "none"

    rows: list[tuple[str, Callable[[Crowd], str]]] = [
        ("calls", lambda crowd: str(crowd.begun)),
        ("answered in time", lambda crowd: str(len(crowd.took))),
        ("of those after the trouble", share),
        ("sends for each call", lambda crowd: f"{crowd.service.arrived / max(crowd.begun, 1):.2f}"),
        ("most sends in a second", lambda crowd: str(max((arrived for arrived, _ in crowd.seconds), default=0))),
        ("95 of 100 answered within", lambda crowd: quantile(crowd.took)),
    ]
    lines = [f"{'':28}{'unprotected':>14}{'guarded':>14}"]
    lines += [f"{name:28}" + "".join(f"{read(crowd):>14}" for crowd in crowds) for name, read in rows]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m seawall", description="What is installed, and a small retry storm.")
    parser.add_argument("--version", action="store_true", help="only what is installed")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long it is, 3 at least (default: 10)")
    given = parser.parse_args(arguments)
    if not 3.0 <= given.seconds <= 3600.0:
        parser.error(f"--seconds must be 3 to 3600, not {given.seconds:g}")
    print(version())
    if given.version:
        return 0
    is_terminal = sys.stdout.isatty()
    can_draw = is_terminal and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"

    def say(text: str) -> None:
        print(f"\r{text}" if is_terminal else text, end="" if is_terminal else "\n", flush=True)

    print(
        f"Two services that can do {CAPACITY:.0f} calls a second, and {CAPACITY * LOAD:.0f} a second for each. "
        f"Both stand still for {TROUBLE:.0f} s."
    )
    try:
        crowds = asyncio.run(storm(given.seconds, say, "\u2588\u00b7" if can_draw else "#."))
    except KeyboardInterrupt:
        print("\nstopped")
        return 130
    print(("\n\n" if is_terminal else "\n") + report(crowds))
    guard = crowds[1].guard
    if guard is not None:
        print(f"\nThe guard: {guard.snapshot().explain()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
