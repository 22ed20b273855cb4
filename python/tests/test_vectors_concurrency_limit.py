"""The vectors of the concurrency limit, replayed: the same decisions as in Rust and C."""

from __future__ import annotations

from collections import Counter

import seawall
from vectors import steps

REASONS = {"time_out": "timeout"}


def test_the_decisions_are_those_of_the_vectors() -> None:
    seen: Counter[str] = Counter()
    clock = seawall.ManualClock()
    told: list[tuple[int, int, str]] = []
    limit = seawall.ConcurrencyLimit()
    permits: dict[str, seawall.LimitPermit] = {}
    for step in steps("concurrency_limit"):
        seen[step.verb] += 1
        told.clear()
        if "now" in step.given:
            clock.set_ns(step.number("now"))
        match step.verb:
            case "new":
                permits.clear()
                limit = seawall.ConcurrencyLimit(
                    step.number("start"),
                    floor=step.number("floor"),
                    ceiling=step.number("ceiling"),
                    slow_after=step.number("slow_after_ns") / 1e9,
                    tolerance=step.number("tolerance_percent") / 100,
                    saturated_after=step.number("saturated_after"),
                    timeout=step.number("timeout_ns") / 1e9,
                    slow_factor=step.number("slow_factor_ppm") / 1e6,
                    timeout_factor=step.number("timeout_factor_ppm") / 1e6,
                    lease=step.number("lease_ns") / 1e9,
                    on_limit_change=lambda old, new, reason: told.append((old, new, reason)),
                    clock=clock,
                )
            case "try_attempt":
                found = limit.peek()
                try:
                    permits[step.answers.get("permit", "")] = limit.try_attempt()
                except seawall.ConcurrencyLimited as refused:
                    assert step.answer == "refused", step
                    assert found is not None
                    assert refused.stage == "concurrency_limit"
                    assert refused.reason == found.reason == step.answers["reason"], step
                    assert refused.retry_after is None
                else:
                    assert (step.answer, found) == ("ok", None), step
            case "finish":
                permits[step.given["permit"]].finish(step.given["outcome"])  # type: ignore[arg-type]
            case "in_flight":
                assert limit.limit == int(step.answers["limit"]), step
                assert limit.in_flight == int(step.answers["in_flight"]), step
            case "set_limit":
                limit.set_limit(step.number("limit"))
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
        if step.verb in ("finish", "set_limit") and "from" in step.answers:
            reason = REASONS.get(step.answers["reason"], step.answers["reason"])
            assert told == [(int(step.answers["from"]), int(step.answers["to"]), reason)], step
        else:
            assert told == [], step
    assert min(seen.values()) >= 2, seen
