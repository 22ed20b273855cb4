"""Finds the rate that a service can bear: grows step by step, and is cut once for each congestion."""

from __future__ import annotations

import gc
import math
import pickle
import sys
import threading
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seawall


def test_the_guides_lines_work_as_they_read() -> None:
    changes: list[tuple[float, float, str]] = []
    window = seawall.SlidingWindow(window=30.0)
    controller = seawall.AIMDController(
        initial_rate=10, min_rate=1, max_rate=50, on_rate_change=lambda *change: changes.append(change)
    )
    assert controller.update(window.error_rate, window.p95) == 10.0
    window.record(0.1, False)
    assert window.metrics().count == 1
    assert controller.update(window.error_rate, window.p95) == 5.0
    assert controller.current_rate == 5.0
    assert changes == [(10.0, 5.0, "errors")]


figure = st.one_of(st.none(), st.integers(0, 1_000_000))


@given(steps=st.lists(st.tuples(st.integers(0, 25), figure, figure), max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_plain_rule_grows_by_a_step_and_cuts_by_the_factor_once_an_interval(
    steps: list[tuple[int, int | None, int | None]],
) -> None:
    clock = seawall.ManualClock()
    changes: list[tuple[float, float, str]] = []
    controller = seawall.AIMDController(
        8, 1, 12, step=2, factor=0.25, interval=20.0, clock=clock, on_rate_change=lambda *change: changes.append(change)
    )
    rate, judged = 8.0, -math.inf
    expected: list[tuple[float, float, str]] = []
    for seconds, error_ppm, p95_us in steps:
        clock.advance(seconds)
        error_rate = None if error_ppm is None else error_ppm / 1e6
        p95 = None if p95_us is None else p95_us / 1e6
        if (error_rate, p95) != (None, None) and clock.now() - judged >= 20.0:
            is_failing, is_slow = (error_rate or 0) > 0.05, (p95 or 0) > 0.4
            to = max(rate * 0.25, 1.0) if is_failing or is_slow else min(rate + 2.0, 12.0)
            if to != rate:
                expected.append((rate, to, "errors" if is_failing else "latency" if is_slow else "healthy"))
                rate, judged = to, clock.now()
        assert controller.update(error_rate, p95) == pytest.approx(rate)
        assert controller.due_in == pytest.approx(max(judged + 20.0 - clock.now(), 0.0))
    assert [reason for *_, reason in changes] == [reason for *_, reason in expected]
    assert [rates for *rates, _ in changes] == [pytest.approx(rates) for *rates, _ in expected]


def test_no_evidence_is_no_change(clock: seawall.ManualClock) -> None:
    controller = seawall.AIMDController(clock=clock)
    window = seawall.SlidingWindow(clock=clock)
    for _ in range(10):
        clock.advance(60.0)
        assert controller.update(None, None) == 5.0
        assert controller.update(window.error_rate, window.p95) == 5.0
        assert controller.observe(window) == 5.0


def test_it_finds_the_rate_of_a_service_and_stays_near_it(clock: seawall.ManualClock) -> None:
    capacity = 20.0
    window = seawall.SlidingWindow(10.0, clock=clock)
    controller = seawall.AIMDController(5, 1, 100, interval=10.0, clock=clock)
    rates = []
    for _ in range(3000):
        rate = controller.observe(window)
        for _ in range(round(rate)):
            # Over its capacity the service fails the rest.
            window.record(0.05, ok=rate <= capacity)
        clock.advance(1.0)
        rates.append(rate)
    assert max(rates) <= capacity + 1
    assert min(rates[500:]) >= capacity / 4
    assert sum(rates[500:]) / len(rates[500:]) > capacity * 0.6
    assert controller.error_baseline is not None and controller.latency_baseline == pytest.approx(0.05, rel=0.05)


def test_errors_that_were_always_there_do_not_hold_it_at_the_floor(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(10.0, clock=clock)
    plain = seawall.AIMDController(5, 1, 20, interval=10.0, clock=clock)
    learned = seawall.AIMDController(5, 1, 20, interval=10.0, clock=clock)
    for second in range(1500):
        learned.observe(window)
        plain.update(window.error_rate, window.p95)
        for call in range(20):
            window.record(0.05, ok=(second + call) % 10 > 0)
        clock.advance(1.0)
    assert plain.current_rate == 1.0
    assert learned.current_rate == 20.0


def test_a_window_and_its_metrics_are_judged_alike(clock: seawall.ManualClock) -> None:
    window = seawall.SlidingWindow(clock=clock)
    controllers = [seawall.AIMDController(clock=clock) for _ in range(2)]
    for ok in (True, False, False, True):
        assert controllers[0].observe(window) == controllers[1].observe(window.metrics())
        for _ in range(40):
            window.record(0.05, ok)
        clock.advance(30.0)
    assert controllers[0].observe(window) == controllers[1].observe(window.metrics()) != 5.0
    assert controllers[0].error_baseline == controllers[1].error_baseline is not None


def test_what_it_learns_from_metrics_is_right_to_the_microsecond(clock: seawall.ManualClock) -> None:
    for microseconds in range(1, 3000, 7):
        controller = seawall.AIMDController(clock=clock)
        controller.observe(seawall.WindowMetrics(0, 0, 30.0))
        controller.observe(seawall.WindowMetrics(20, 0, 30.0, p95=microseconds / 1e6))
        assert controller.latency_baseline == microseconds / 1e6


def test_between_two_judgements_nothing_changes_whatever_the_window_says(clock: seawall.ManualClock) -> None:
    window, controller = seawall.SlidingWindow(clock=clock), seawall.AIMDController(clock=clock)
    assert controller.observe(window) == 5.0
    for _ in range(40):
        window.record(0.05, False)
    assert controller.observe(window) == 2.5
    assert controller.due_in == 30.0
    clock.advance(29.0)
    for _ in range(100):
        window.record(0.05, False)
        assert controller.observe(window) == 2.5
    clock.advance(1.0)
    assert controller.observe(window) == 1.25


def test_a_change_is_told_once_to_the_function_whoever_brings_it_about(clock: seawall.ManualClock) -> None:
    told: list[tuple[float, float, str]] = []
    controller = seawall.AIMDController(64, 1, 100, clock=clock, on_rate_change=lambda *change: told.append(change))
    start = threading.Barrier(4)

    def update() -> None:
        for _ in range(5):
            if start.wait() == 0:
                clock.advance(30.0)
            start.wait()
            for _ in range(50):
                controller.update(1.0, None)

    threads = [threading.Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [(64.0 / 2**n, 32.0 / 2**n, "errors") for n in range(5)]


def test_what_the_function_raises_is_reported_and_changes_nothing(
    clock: seawall.ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)

    def complain(old: float, new: float, reason: str) -> None:
        raise RuntimeError("it is full")

    controller = seawall.AIMDController(8, clock=clock, on_rate_change=complain)
    assert controller.update(1.0, None) == 4.0
    assert controller.current_rate == 4.0
    assert [str(report.exc_value) for report in reported] == ["it is full"]
    assert reported[0].object is complain


def test_the_function_may_ask_the_controller(clock: seawall.ManualClock) -> None:
    bucket = seawall.TokenBucket(8, clock=clock)
    seen: list[float] = []

    def follow(old: float, new: float, reason: str) -> None:
        seen.append(controller.update(1.0, None))
        bucket.set_rate(controller.current_rate)

    controller = seawall.AIMDController(8, clock=clock, on_rate_change=follow)
    controller.update(1.0, None)
    assert seen == [4.0] and bucket.rate == 4.0


def test_a_function_that_holds_the_controller_is_collected_with_it() -> None:
    class Owner:
        def __init__(self) -> None:
            self.controller = seawall.AIMDController(on_rate_change=self.changed)

        def changed(self, old: float, new: float, reason: str) -> None: ...

    owner = Owner()
    gone = weakref.ref(owner.controller)
    del owner
    gc.collect()
    assert gone() is None


def test_it_is_set_by_hand_within_its_bounds_and_begins_anew(clock: seawall.ManualClock) -> None:
    told: list[float] = []
    controller = seawall.AIMDController(5, 1, 50, clock=clock, on_rate_change=lambda old, new, why: told.append(new))
    assert controller.set_rate(40) == controller.current_rate == 40.0
    assert controller.set_rate("6000/min") == 50.0
    assert controller.set_rate(0) == 1.0
    assert (controller.min_rate, controller.max_rate) == (1.0, 50.0)
    assert controller.due_in == 0.0 and told == []
    controller.reset()
    assert (controller.current_rate, controller.due_in) == (5.0, 30.0)
    assert controller.error_baseline is controller.latency_baseline is None


def test_a_clock_that_was_set_is_followed(clock: seawall.ManualClock) -> None:
    controller = seawall.AIMDController(clock=clock)
    clock.set_ns(2**64 - 1)
    controller.update(0.0, None)
    old = clock.now()
    clock.set(10.0)
    controller.rebase(old, 10.0)
    assert controller.due_in == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"initial_rate": 200}, ValueError, "initial_rate must be between min_rate and max_rate, 1 to 100 per second"),
        ({"max_rate": 3}, ValueError, "initial_rate must be between min_rate and max_rate, 1 to 3 per second, not 5"),
        ({"min_rate": 0}, ValueError, "min_rate is under 0.000001 per second: allowed"),
        ({"initial_rate": -1}, ValueError, "initial_rate must be 0 to 1,000,000,000 per second"),
        ({"max_rate": "fast"}, ValueError, "max_rate must be .*, not 'fast'"),
        ({"step": 0}, ValueError, "step is under 0.000001 per second: allowed"),
        ({"factor": 1}, ValueError, "factor is 1, so that a cut would not cut: allowed are 0 to 0.999999"),
        ({"factor": 1.5}, ValueError, "factor must be a share from 0.0 to 1.0, not 1.5"),
        ({"error_threshold": math.nan}, ValueError, "error_threshold must be a share from 0.0 to 1.0, not nan"),
        ({"latency_threshold": -1}, ValueError, "latency_threshold must be 0 to .* seconds, or a timedelta, not -1"),
        ({"interval": 0}, ValueError, "interval must be over 0 seconds, not 0"),
        ({"minimum_samples": 0}, ValueError, "minimum_samples must be an integer from 1 to 4294967295, not 0"),
        ({"error_baseline_max": "a"}, TypeError, "error_baseline_max must be a share from 0.0 to 1.0, not 'a'"),
        ({"latency_baseline_max": []}, TypeError, "latency_baseline_max must be 0 to .* seconds, or a timedelta"),
        ({"on_rate_change": 7}, ValueError, "on_rate_change must be a function of \\(old, new, reason\\), not 7"),
        ({"cap": 7}, TypeError, "AIMDController has no setting 'cap': there are step, factor, "),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=f"^{says}"):
        seawall.AIMDController(**arguments)


def test_bad_figures_are_named_with_what_is_allowed(clock: seawall.ManualClock) -> None:
    controller = seawall.AIMDController(clock=clock)
    for error_rate in (-0.1, 5, math.nan, "0.1"):
        with pytest.raises((TypeError, ValueError), match="^error_rate must be a share from 0.0 to 1.0, not"):
            controller.update(error_rate, None)  # type: ignore[arg-type]
    for p95 in (-0.1, math.nan, "0.1"):
        with pytest.raises((TypeError, ValueError), match="^p95 must be 0 to .* seconds, or a timedelta, not"):
            controller.update(None, p95)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^window must be a SlidingWindow, or the metrics of one, not None"):
        controller.observe(None)  # type: ignore[arg-type]
    assert controller.current_rate == 5.0 and controller.due_in == 0.0


def test_shared_state_is_not_pickled(clock: seawall.ManualClock) -> None:
    with pytest.raises(TypeError, match="AIMDController cannot be pickled"):
        pickle.dumps(seawall.AIMDController(clock=clock))
