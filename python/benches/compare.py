"""Measures what a call costs, beside the floor of the machine and beside other packages: scripts/bench-python runs it.

Pinned to one processor; the rows take turns, in rounds, so that what disturbs the machine disturbs all of them; each
sample has fresh state and takes some milliseconds. The ratios are of minima, which other programs' work does not move.
Nothing is held to a time: a row that costs more than was promised says so, and that is all.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.metadata
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

from rows import FLOOR, ROWS, Row

import seawall
import seawall._native as native

SAMPLE = 0.004
TEMPLATE = """
{kind} sample(repeats):
    start = perf_counter_ns()
    for _ in repeats:
        {statement}
    return perf_counter_ns() - start
"""


class Bench:
    """One row, with what was measured of it: nanoseconds a turn."""

    def __init__(self, row: Row, loop: asyncio.AbstractEventLoop) -> None:
        self.row = row
        self.loop = loop
        self.figures: list[float] = []
        self.fault = ""
        self.turns = 100
        try:
            # Twice: the first imports what it needs.
            self.sample()
            took = self.sample()
            self.turns = max(10, int(SAMPLE * 1e9 / max(took, 1.0)))
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
        self.figures.clear()

    def sample(self) -> float:
        names: dict[str, Any] = {"seawall": seawall, "native": native, "perf_counter_ns": time.perf_counter_ns}
        kind = "async def" if self.row.is_async else "def"
        # Some make their loop's things as they are made.
        exec(self.row.setup, names)
        exec(TEMPLATE.format(kind=kind, statement=self.row.statement), names)
        repeats = [None] * self.turns
        gc.collect(0)
        gc.disable()
        try:
            took = names["sample"](repeats)
            if self.row.is_async:
                took = self.loop.run_until_complete(took)
        finally:
            gc.enable()
        self.figures.append(took / self.turns)
        return self.figures[-1]

    @property
    def least(self) -> float:
        return min(self.figures)

    @property
    def median(self) -> float:
        return statistics.median(self.figures)


def measure(rounds: int, only: str, say: Callable[[str], None]) -> list[Bench]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    chosen = [row for row in ROWS if only in f"{row.section} {row.name}" or row is FLOOR]
    benches = [Bench(row, loop) for row in chosen]
    sound = [bench for bench in benches if not bench.fault]
    order = random.Random(1)
    for number in range(rounds):
        order.shuffle(sound)
        for bench in sound:
            bench.sample()
        say(f"round {number + 1} of {rounds}")
    loop.close()
    return benches


def number(figure: float) -> str:
    return f"{figure:.1f}" if figure < 100 else f"{figure:,.0f}".replace(",", " ")


def table(benches: list[Bench]) -> list[str]:
    floor = benches[0].least
    lines = []
    for section, group in groupby(benches, key=lambda bench: bench.row.section):
        lines += [
            "",
            f"**{section}**",
            "",
            "| call | ns, least | ns, median | floors | promised |",
            "| --- | ---: | ---: | ---: | --- |",
        ]
        for bench in group:
            name = f"**{bench.row.name}**" if bench.row.whose == "ours" else bench.row.name
            if bench.fault:
                lines.append(f"| {name} | | | | not run: {bench.fault[:80]} |")
                continue
            floors = bench.least / floor
            promised = ""
            if bench.row.most is not None:
                promised = f"{bench.row.most:g}: {'kept' if floors <= bench.row.most else 'MISSED'}"
            lines.append(f"| {name} | {number(bench.least)} | {number(bench.median)} | {floors:.1f} | {promised} |")
    return lines


def imports(times: int) -> list[str]:
    """What the first import costs a process that has begun: the files are in memory."""
    lines = ["", "**the first import**", "", "| module | ms, least | ms, median |", "| --- | ---: | ---: |"]
    code = "import time; start = time.perf_counter(); import {}; print((time.perf_counter() - start) * 1e3)"
    for name in ("seawall", "tenacity", "stamina", "aiolimiter", "limits", "pyrate_limiter", "interlock", "throttled"):
        command = [sys.executable, "-I", "-W", "ignore", "-c", code.format(name)]
        try:
            took = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(times)]
        except subprocess.CalledProcessError:
            continue
        shown = f"**{name}**" if name == "seawall" else name
        lines.append(f"| {shown} | {min(took):.1f} | {statistics.median(took):.1f} |")
    return lines


async def crowd(waiters: int, is_half_cancelled: bool) -> tuple[float, float]:
    """All wait for one bucket of 1000 a second and burst 1: wall and processor seconds until the last has gone."""
    bucket = seawall.TokenBucket(1000, 1)

    async def one() -> None:
        await bucket.take()

    start, processor = time.perf_counter(), time.process_time()
    tasks = [asyncio.create_task(one()) for _ in range(waiters)]
    if is_half_cancelled:
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return time.perf_counter() - start, time.process_time() - processor


def crowds(waiters: int) -> list[str]:
    lines = [
        "",
        f"**{waiters} tasks wait for one bucket of 1000 a second and burst 1**",
        "",
        "| | by the law, s | wall, s | processor, s |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, is_half_cancelled in (("all are served", False), ("every second one is cancelled", True)):
        wall, processor = asyncio.run(crowd(waiters, is_half_cancelled))
        served = waiters // 2 if is_half_cancelled else waiters
        lines.append(f"| {name} | {(served - 1) / 1000:.2f} | {wall:.2f} | {processor:.2f} |")
    return lines


def conditions(rounds: int) -> list[str]:
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE)
        model = found[1] if found else model
    flags = (sysconfig.get_config_var("CONFIG_ARGS") or "").replace("'", "").split()
    shown = [flag for flag in flags if flag.startswith(("--enable-", "--with-lto", "--with-computed", "--disable-"))]
    # What is configured is not always what is run: Debian's program has an interpreter of its own, not the library's.
    maps = Path("/proc/self/maps")
    is_shared = maps.exists() and "libpython" in maps.read_text()
    peers = [line.strip() for line in (Path(__file__).parent / "requirements.txt").read_text().splitlines()]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return [
        f"{platform.python_implementation()} {platform.python_version()} ("
        f"{platform.python_compiler()}, configured with {' '.join(shown) or 'nothing'}, the interpreter in "
        f"{'libpython' if is_shared else 'the program itself'}), seawall {seawall.__version__} from "
        f"`{Path(native.__file__).name}`, {platform.system()} {platform.machine()}, {model}, {os.cpu_count()} "
        f"processors, one of them used, load {load:.1f} at the end, {rounds} rounds of {SAMPLE * 1e3:.0f} ms samples.",
        "",
        f"Peers: {', '.join(peer.replace('==', ' ') for peer in peers if peer and not peer.startswith('#'))}.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="", help="rows with this in their name or section; no imports, no waiters")
    parser.add_argument("--results", type=Path, help="writes the table there too")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def say(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text}", end="", file=sys.stderr)

    lines = table(measure(given.rounds, given.only, say))
    if not given.only:
        lines += imports(20) + crowds(10_000)
    lines = [*conditions(given.rounds), *lines]
    print("\n".join(lines))
    if given.results:
        heading = [
            "# What a call from Python costs",
            "",
            "Written by `scripts/bench-python`. Nanoseconds a call with the loop around it; a floor is the first row",
            "of the same run: a method of a native class that does one atomic step. Ratios go from machine to machine,",
            "nanoseconds do not.",
            "",
        ]
        given.results.write_text("\n".join([*heading, *lines]) + "\n")


if __name__ == "__main__":
    importlib.metadata.version("seawall")
    main()
