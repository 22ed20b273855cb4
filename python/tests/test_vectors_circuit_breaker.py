"""The vectors of the circuit breaker, replayed: the same decisions as in Rust and C."""

from __future__ import annotations

from collections import Counter
from typing import Any

import seawall
from vectors import Step, seconds, steps

STEP = 0x9E37_79B9_7F4A_7C15
WORD = 2**64


def seed_that_draws(random: int) -> int:
    """SplitMix64, backwards: the seed whose first number is `random`."""
    state = random
    state ^= (state >> 31) ^ (state >> 62)
    state = state * pow(0x94D0_49BB_1331_11EB, -1, WORD) % WORD
    state ^= (state >> 27) ^ (state >> 54)
    state = state * pow(0xBF58_476D_1CE4_E5B9, -1, WORD) % WORD
    state ^= (state >> 30) ^ (state >> 60)
    return (state - STEP) % WORD


def rule(step: Step) -> dict[str, Any]:
    if step.given["rule"] == "consecutive":
        return {"failure_threshold": step.number("threshold")}
    share = step.number("share_ppm") / 1e6
    window = {"window": step.number("window"), "minimum": step.number("minimum")}
    if step.given["rule"] == "failure_share":
        return {"failure_share": share, **window}
    return {"slow_share": share, "slower_than": step.number("slower_than_ns") / 1e9, **window}


def test_the_decisions_are_those_of_the_vectors() -> None:
    seen: Counter[str] = Counter()
    clock = seawall.ManualClock()
    told: list[str] = []
    breaker = seawall.CircuitBreaker()
    permits: dict[str, seawall.BreakerPermit] = {}
    for step in steps("circuit_breaker"):
        seen[step.verb] += 1
        told.clear()
        if "now" in step.given:
            clock.set_ns(step.number("now"))
        if "random" in step.given:
            breaker._reseed(seed_that_draws(step.number("random")))
        match step.verb:
            case "new":
                permits.clear()
                breaker = seawall.CircuitBreaker(
                    **rule(step),
                    open_for=step.number("open_for_ns") / 1e9,
                    open_jitter=step.number("open_jitter_ppm") / 1e6,
                    open_growth=step.number("open_growth_percent") / 100,
                    open_cap=step.number("open_cap_ns") / 1e9,
                    probes=step.number("probes"),
                    probe_lease=step.number("probe_lease_ns") / 1e9,
                    close_share=step.number("close_share_ppm") / 1e6,
                    ramp=0,
                    on_state_change=lambda old, new: told.append(f"from={old} to={new}"),
                    clock=clock,
                )
            case "try_attempt":
                found = breaker.peek()
                try:
                    permits[step.answers.get("permit", "")] = breaker.try_attempt()
                except seawall.CircuitOpen as refused:
                    assert step.answer == "refused", step
                    assert found is not None
                    assert (refused.stage, refused.reason) == ("circuit_breaker", "not_yet")
                    assert refused.retry_after == found.retry_after == seconds(step.answers["retry_after_ns"]), step
                else:
                    assert step.answer == "ok", step
                    assert found is None, step
            case "finish":
                # The core's permits are values, and may be reported more than once.
                permits[step.given["permit"]]._again().finish(step.given["outcome"])  # type: ignore[arg-type]
            case "cancel":
                assert permits[step.given["permit"]]._again().cancel(), step
            case "trip":
                breaker.trip()
            case "force_open":
                breaker.force_open()
            case "force_close":
                breaker.force_close()
            case "reset":
                breaker.reset()
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
        changes = [f"from={step.answers['from']} to={step.answers['to']}"] if "from" in step.answers else []
        assert told == changes, step
    assert min(seen.values()) >= 5, seen
