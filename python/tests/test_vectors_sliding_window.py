"""The vectors of the sliding window, replayed: the same figures as in Rust and C."""

from __future__ import annotations

from collections import Counter

import pytest

import seawall
from vectors import Step, seconds, steps


def figures(window: seawall.SlidingWindow, step: Step) -> None:
    metrics = window.metrics()
    wanted = step.answers
    for name in ("count", "errors", "total_count", "total_errors"):
        assert getattr(metrics, name) == int(wanted[name]), (name, step)
    assert window.total_late == int(wanted["total_late"]), step
    for name in ("observed", "mean", "max", "p50", "p95", "p99"):
        if f"{name}_ns" in wanted:
            assert getattr(metrics, name) == seconds(wanted[f"{name}_ns"]), (name, step)
    assert (window.count, window.throughput) == (metrics.count, metrics.throughput)
    assert (window.p50, window.p95, window.p99) == (metrics.p50, metrics.p95, metrics.p99)
    assert window.error_rate == metrics.error_rate
    assert (window.total_count, window.total_errors) == (metrics.total_count, metrics.total_errors)


# One window sees what shards see together.
@pytest.mark.parametrize("name", ["sliding_window", "sharded_window"])
def test_the_figures_are_those_of_the_vectors(name: str) -> None:
    seen: Counter[str] = Counter()
    clock = seawall.ManualClock()
    window = seawall.SlidingWindow(clock=clock)
    for step in steps(name):
        seen[step.verb] += 1
        if "now" in step.given:
            clock.set_ns(step.number("now"))
        match step.verb:
            case "new":
                slices, cells = step.number("slices"), step.number("cells")
                window = seawall.SlidingWindow(step.number("window_ns") / 1e9, slices=slices, cells=cells, clock=clock)
            case "record":
                window.record(step.number("latency_ns") / 1e9, step.given["ok"] == "1")
            case "summary":
                figures(window, step)
            case "mark":
                window.mark()
            case "rebase":
                window.rebase(step.number("old_now") / 1e9, step.number("new_now") / 1e9)
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
    assert seen["summary"] >= 40 and seen["mark"] >= 4, seen
