"""The vectors of the token bucket, replayed: the same decisions as in Rust and C."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

import seawall
from vectors import Step, seconds, steps


def rate(step: Step) -> tuple[int, float]:
    return step.number("rate_count"), step.number("period_ns") / 1e9


CURVES: Final[dict[str, Literal["step", "linear", "exponential"]]] = {
    "step": "step",
    "linear": "linear",
    "exponential": "exponential",
}


def warm_up(step: Step) -> seawall.WarmUp:
    return seawall.WarmUp(step.number("duration_ns") / 1e9, rate(step), CURVES[step.given["curve"]])


def refusal(refused: seawall.Refused | None, step: Step) -> None:
    assert refused is not None, step
    assert refused.stage == "token_bucket"
    assert refused.reason == step.answers["reason"], step
    assert refused.retry_after == seconds(step.answers["retry_after_ns"]), step


def test_the_decisions_are_those_of_the_vectors() -> None:
    seen: Counter[str] = Counter()
    clock = seawall.ManualClock()
    bucket = seawall.TokenBucket(1, clock=clock)
    booked: dict[str, seawall.Reservation] = {}
    for step in steps("token_bucket"):
        seen[f"{step.verb} {step.answer}"] += 1
        if "now" in step.given:
            clock.set_ns(step.number("now"))
        match step.verb:
            case "new":
                booked.clear()
                bucket = seawall.TokenBucket(rate(step), step.number("burst"), initial=step.number("fill"), clock=clock)
            case "try_take":
                n = step.number("n")
                found = bucket.peek(n)
                assert bucket.try_take(n) == (step.answer == "ok"), step
                if step.answer == "refused":
                    refusal(found, step)
            case "take_up_to":
                assert bucket.take_up_to(step.number("n")) == int(step.answers["taken"]), step
            case "reserve":
                try:
                    reservation = bucket.reserve(step.number("n"), step.number("max_wait_ns") / 1e9)
                except seawall.RateLimited as refused:
                    assert step.answer == "refused", step
                    refusal(refused, step)
                else:
                    assert step.answer == "booked", step
                    wait = int(step.answers["ready_at_ns"]) - clock.now_ns()
                    assert reservation.wait == max(wait, 0) / 1e9, step
                    booked[step.answers["number"]] = reservation
            case "cancel":
                assert bucket.cancel(booked[step.given["number"]]) == (step.answers["done"] == "true"), step
            case "refund":
                assert bucket.refund(step.number("n")) == (step.answers["done"] == "true"), step
            case "available":
                assert bucket.available == int(step.answers["tokens"]), step
            case "drain_to":
                assert bucket.drain_to(step.number("keep")) == int(step.answers["drained"]), step
            case "set_rate":
                bucket.set_rate(rate(step))
            case "set_burst":
                bucket.set_burst(step.number("burst"))
            case "start_warm_up":
                bucket.start_warm_up(warm_up(step))
            case "reset":
                bucket.reset(initial=step.number("fill"))
            case "rebase":
                bucket.rebase(step.number("old_now") / 1e9, step.number("new_now") / 1e9)
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
    assert min(seen.values()) >= 5, seen
