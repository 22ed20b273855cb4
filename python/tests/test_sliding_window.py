"""What happened lately: exact counts, quantiles within their error, and no answer where there is no evidence."""

from __future__ import annotations

import copy
import math
import pickle
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seawall

SECOND = 1_000_000_000


class Oracle:
    """All samples in a list, counted by brute force; the time in nanoseconds."""

    def __init__(self, window: int, slices: int) -> None:
        self.slice = window // slices
        self.slices = slices
        self.samples: list[tuple[int, int, bool]] = []

    def record(self, latency: int, ok: bool, now: int) -> None:
        self.samples.append((now, latency, ok))

    def seen(self, now: int) -> list[tuple[int, int, bool]]:
        oldest = now // self.slice - self.slices + 1
        return [sample for sample in self.samples if sample[0] // self.slice >= oldest]

    def observed(self, now: int) -> int:
        begin = max((now // self.slice - self.slices + 1) * self.slice, self.samples[0][0])
        return max(now - begin, self.slice)


def nearest_rank(latencies: list[int], q: float) -> int:
    return sorted(latencies)[max(math.ceil(round(q * len(latencies), 9)), 1) - 1]


def is_near(found: float | None, exact: int, error: float) -> bool:
    # Under 4 microseconds the cells are of one width.
    return found is not None and abs(found * SECOND - exact) <= max(exact, 4096) * error + 1


samples = st.lists(
    st.tuples(
        st.integers(0, 3 * SECOND),
        st.one_of(st.integers(0, 10_000), st.integers(0, 10 * SECOND), st.integers(0, 2 * 3600 * SECOND)),
        st.booleans(),
    ),
    min_size=1,
    max_size=120,
)


@given(samples=samples, slices=st.sampled_from([2, 8, 16]), cells=st.sampled_from([64, 512]), idle=st.integers(0, 20))
@settings(max_examples=200, deadline=None)
def test_counts_are_exact_and_quantiles_within_their_error(
    samples: list[tuple[int, int, bool]], slices: int, cells: int, idle: int
) -> None:
    clock = seawall.ManualClock()
    window = seawall.SlidingWindow(8.0, slices=slices, cells=cells, clock=clock)
    oracle, now = Oracle(8 * SECOND, slices), 5 * SECOND
    for step, latency, ok in samples:
        now += step
        clock.set_ns(now)
        window.record(latency / SECOND, ok)
        oracle.record(latency, ok, now)
    now += idle * SECOND
    clock.set_ns(now)
    metrics, seen = window.metrics(), oracle.seen(now)
    latencies = [latency for _, latency, _ in seen]
    errors = sum(not ok for _, _, ok in seen)
    assert (metrics.count, metrics.errors) == (len(seen), errors)
    assert metrics.total_count == len(samples)
    assert metrics.total_errors == sum(not ok for _, _, ok in samples)
    assert window.total_late == 0
    if not seen:
        assert (metrics.error_rate, metrics.success_rate, metrics.throughput) == (None, None, 0.0)
        assert metrics.mean is metrics.max is metrics.p50 is metrics.p95 is metrics.p99 is None
        return
    assert metrics.error_rate == pytest.approx(errors / len(seen), abs=1e-6)
    assert metrics.success_rate is not None and metrics.error_rate is not None
    assert metrics.error_rate + metrics.success_rate == pytest.approx(1.0)
    assert metrics.observed == pytest.approx(oracle.observed(now) / SECOND)
    assert metrics.throughput == pytest.approx(len(seen) / (oracle.observed(now) / SECOND))
    error = {64: 0.25, 512: 0.03125}[cells]
    assert window.relative_error == error
    for q, found in [(0.5, metrics.p50), (0.95, metrics.p95), (0.99, metrics.p99), (0.1, window.quantile(0.1))]:
        assert is_near(found, nearest_rank(latencies, q), error), (q, found)
    # To the nanosecond, up to 134 ms.
    assert is_near(metrics.max, max(latencies), 2**-26)
    assert max(latencies) >= 2**27 or metrics.max == max(latencies) / SECOND
    assert window.quantile(1.0) == metrics.max
    # Each sample is off by its own error.
    slack = sum(max(latency, 4096) for latency in latencies) / len(latencies) * error
    assert metrics.mean is not None
    assert abs(metrics.mean * SECOND - sum(latencies) / len(latencies)) <= slack + 1


def test_an_empty_window_is_not_a_healthy_one(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(clock=clock)
    assert window.error_rate is window.p50 is window.p95 is window.p99 is window.quantile(0.5) is None
    assert (window.count, window.throughput) == (0, 0.0)
    window.record(0.1)
    metrics = window.metrics()
    assert (metrics.error_rate, metrics.success_rate, metrics.p95) == (0.0, 1.0, window.p95)
    clock.advance(365 * 86_400.0)
    # A slice begins just now.
    assert window.metrics() == seawall.WindowMetrics(0, 0, 30.0 * 15 / 16, total_count=1, total_errors=0)


def test_a_young_window_does_not_understate_its_throughput(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(30.0, slices=16, clock=clock)
    for _ in range(50):
        window.record(0.01)
        clock.advance(0.1)
    assert window.throughput == pytest.approx(10.0)


def test_a_mark_forgets_what_came_before_it_and_keeps_the_totals(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(clock=clock)
    window.record(9.0, ok=False)
    window.mark()
    window.record(0.1)
    metrics = window.metrics()
    assert (metrics.count, metrics.errors, metrics.total_count, metrics.total_errors) == (1, 0, 2, 1)


def test_a_clock_that_was_set_is_followed_and_one_that_steps_back_is_told(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(8.0, clock=clock)
    clock.set(3600.0)
    window.record(0.1)
    clock.set(3600.0 - 32.0)
    window.record(0.1)
    assert (window.total_count, window.total_late) == (2, 1)
    window.rebase(3600.0, clock.now())
    window.record(0.1)
    assert (window.count, window.total_count, window.total_late) == (1, 3, 1)
    # As far as a clock goes.
    clock.set_ns(2**64 - 1)
    window.rebase(clock.now(), 0.0)
    clock.set(0.0)
    window.record(0.1)
    assert window.count == 1


def test_threads_lose_no_sample(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(clock=clock)
    start = threading.Barrier(4)

    def record() -> None:
        start.wait()
        for number in range(5000):
            window.record(0.001, number % 5 > 0)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics = window.metrics()
    assert (metrics.count, metrics.errors) == (metrics.total_count, metrics.total_errors) == (20_000, 4_000)


def test_its_memory_is_fixed_by_its_sizes(clock: seawall.ManualClock) -> None:
    for slices, cells in [(16, 512), (16, 128), (8, 64), (2, 32)]:
        window = seawall.SlidingWindow(slices=slices, cells=cells, clock=clock)
        assert (window.slices, window.cells, window.window, window.slice) == (slices, cells, 30.0, 30.0 / slices)
        size = sys.getsizeof(window)
        assert 0 <= size - 8 * slices * (3 + cells) <= 512
        for number in range(1000):
            window.record(number / 100)
        assert sys.getsizeof(window) == size


def test_a_latency_is_seconds_or_a_timedelta(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(clock=clock)
    for latency in (0.020, timedelta(milliseconds=20), 0, math.inf, 1e9):
        window.record(latency)
    assert window.count == 5
    assert window.quantile(0.0) == pytest.approx(0.0, abs=1e-6)
    assert window.quantile(0.5) == pytest.approx(0.020, rel=0.032)
    for bad in (-0.1, math.nan, None, "0.1", -math.inf):
        with pytest.raises((TypeError, ValueError), match="^latency must be 0 to .* seconds, or a timedelta, not"):
            window.record(bad)  # type: ignore[arg-type]
    assert window.total_count == 5


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"window": 0}, ValueError, "window must be 0.001 to 31,536,000 seconds, a year, not 0"),
        ({"window": 4e7}, ValueError, "window must be 0.001 to 31,536,000 seconds, a year, not 40000000.0"),
        ({"window": -1}, ValueError, "window must be .* not -1"),
        ({"window": "30"}, TypeError, "window must be .* not '30'"),
        ({"slices": 3}, ValueError, "slices must be a power of two from 2 to 1024, not 3"),
        ({"slices": 2048}, ValueError, "slices must be a power of two from 2 to 1024, not 2048"),
        ({"cells": 16}, ValueError, "cells must be a power of two from 32 to 1024, not 16"),
        ({"cells": 500}, ValueError, "cells must be a power of two from 32 to 1024, not 500"),
        ({"cells": None, "slices": 1.0}, ValueError, "slices must be a power of two from 2 to 1024, not 1.0"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=f"^{says}$"):
        seawall.SlidingWindow(**arguments)


def test_a_bad_quantile_is_named_with_what_is_allowed(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(clock=clock)
    for q in (-0.1, 1.1, 95, math.nan, None):
        with pytest.raises((TypeError, ValueError), match="^q must be a share from 0.0 to 1.0, not"):
            window.quantile(q)  # type: ignore[arg-type]


def test_metrics_are_a_value(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(clock=clock)
    empty = window.metrics()
    for latency in (0.1, 1e6, math.inf):
        window.record(latency, latency < 1)
    found = window.metrics()
    assert found != empty
    for metrics in (empty, found):
        given = metrics.as_dict()
        derived = {name: given.pop(name) for name in ("error_rate", "success_rate", "throughput")}  # type: ignore[misc]
        same = seawall.WindowMetrics(**given)  # type: ignore[misc]
        assert same == metrics and hash(same) == hash(metrics) and same is not metrics
        assert {name: getattr(same, name) for name in derived} == derived
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(metrics, protocol)) == metrics
        assert copy.deepcopy(metrics) == metrics
        assert eval(repr(metrics), {"WindowMetrics": seawall.WindowMetrics}) == metrics
    with pytest.raises(AttributeError):
        found.count = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"errors": 11}, "errors must be 0 to count, which is 10, not 11"),
        ({"count": -1}, "count must be an integer from 0"),
        ({"total_count": 1.5}, "total_count must be an integer from 0"),
        ({"observed": -1.0}, "observed must be a number from 0 on, not -1.0"),
        ({"p95": math.nan}, "p95 must be a number from 0 on, not nan"),
    ],
)
def test_metrics_that_cannot_be_are_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        seawall.WindowMetrics(**{"count": 10, "errors": 1, "observed": 1.0, **arguments})


def test_shared_state_is_not_pickled(clock: seawall.ManualClock) -> None:
    with pytest.raises(TypeError, match="SlidingWindow cannot be pickled"):
        pickle.dumps(seawall.SlidingWindow(clock=clock))
