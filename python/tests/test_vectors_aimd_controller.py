"""The vectors of the AIMD controller, replayed: the same changes as in Rust and C."""

from __future__ import annotations

from collections import Counter

import seawall
from vectors import Step, seconds, steps

Changes = list[tuple[float, float, str]]


def new(step: Step, clock: seawall.ManualClock, changes: Changes) -> seawall.AIMDController:
    if step.given["config"] == "default":
        return seawall.AIMDController(clock=clock, on_rate_change=lambda *change: changes.append(change))
    # "slow_client", as core/tests/aimd_controller.rs has it.
    return seawall.AIMDController(
        "7/min",
        "1/min",
        1,
        step=(1, 7.0),
        factor=0.7,
        interval=10.0,
        minimum_samples=3,
        clock=clock,
        on_rate_change=lambda *change: changes.append(change),
    )


def test_the_changes_are_those_of_the_vectors() -> None:
    seen: Counter[str] = Counter()
    changes: Changes = []
    clock = seawall.ManualClock()
    controller = seawall.AIMDController(clock=clock)
    for step in steps("aimd_controller"):
        seen[f"{step.verb} {step.answer}"] += 1
        if "now" in step.given:
            clock.set_ns(step.number("now"))
        changes.clear()
        match step.verb:
            case "new":
                controller = new(step, clock, changes)
                continue
            case "update":
                error_ppm = step.given["error_ppm"]
                error_rate = None if error_ppm == "none" else int(error_ppm) / 1e6
                rate = controller.update(error_rate, seconds(step.given["p95_ns"]))
            case "observe":
                rate = controller.observe(
                    seawall.WindowMetrics(
                        step.number("count"),
                        0,
                        step.number("observed_ns") / 1e9,
                        p95=seconds(step.given["p95_ns"]),
                        total_count=step.number("total"),
                        total_errors=step.number("total_errors"),
                    )
                )
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
        assert rate == controller.current_rate
        if step.answer == "changed":
            old, to = (int(step.answers[name]) / 1e6 for name in ("from_millionths", "to_millionths"))
            assert changes == [(old, to, step.answers["reason"])], step
            assert rate == to
        else:
            assert changes == [], step
    assert min(seen.values()) >= 4, seen
