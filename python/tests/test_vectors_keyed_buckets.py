"""The vectors of the keyed buckets, replayed: the same decisions as in Rust and C."""

from __future__ import annotations

from collections import Counter

import seawall
from vectors import Step, seconds, steps


def rate(step: Step) -> tuple[int, float]:
    return step.number("rate_count"), step.number("period_ns") / 1e9


def test_the_decisions_are_those_of_the_vectors() -> None:
    seen: Counter[str] = Counter()
    clock = seawall.ManualClock()
    users = seawall.KeyedBuckets(1, clock=clock)
    for step in steps("keyed_buckets"):
        seen[f"{step.verb} {step.answer}"] += 1
        if "now" in step.given:
            clock.set_ns(step.number("now"))
        match step.verb:
            case "new":
                capacity = 4 * step.number("groups")
                users = seawall.KeyedBuckets(rate(step), step.number("burst"), capacity=capacity, clock=clock)
            case "try_take":
                key, n = step.number("key"), step.number("n")
                found = users.peek(key, n)
                assert users.try_take(key, n) == (step.answer == "ok"), step
                if step.answer == "refused":
                    assert found is not None, step
                    assert found.stage == "keyed_bucket"
                    assert found.reason == step.answers["reason"], step
                    assert found.retry_after == seconds(step.answers["retry_after_ns"]), step
                    again = users.check(key, n)
                    assert (again.allowed, again.reason, again.retry_after) == (False, found.reason, found.retry_after)
                else:
                    assert found is None, step
            case "refund":
                done = users.refund(step.number("key"), step.number("n"))
                assert done == (step.answers["done"] == "true"), step
            case "available":
                assert users.available(step.number("key")) == int(step.answers["tokens"]), step
            case "set_config":
                users.set_rate(rate(step))
                users.set_burst(step.number("burst"))
            case "rebase":
                users.rebase(step.number("old_now") / 1e9, step.number("new_now") / 1e9)
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
    assert min(seen.values()) >= 5, seen
