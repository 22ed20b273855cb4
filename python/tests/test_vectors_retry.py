"""The vectors of the retry strategy and of the retry budget, replayed: the same decisions as in Rust and C."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, cast

import seawall
from vectors import Step, steps

if TYPE_CHECKING:
    from seawall._native import _Class, _Jitter

# 584 years less a nanosecond: a float has no such number, and the vectors with it are for the other faces.
NO_FLOAT = 2**64 - 2


def a_number(text: str) -> int | None:
    return None if text == "none" else int(text)


def in_seconds(nanoseconds: int) -> float:
    return math.inf if nanoseconds == 2**64 - 1 else nanoseconds / 1e9


def a_strategy(step: Step) -> seawall.RetryStrategy:
    deadline = a_number(step.given["deadline_ns"])
    return seawall.RetryStrategy(
        step.number("max_attempts"),
        in_seconds(step.number("base_ns")),
        factor=step.number("factor_percent") / 100,
        max_delay=in_seconds(step.number("max_delay_ns")),
        jitter=cast("_Jitter", step.given["jitter"]),
        deadline=None if deadline is None else in_seconds(deadline),
        retry_after_cap=in_seconds(step.number("retry_after_cap_ns")),
    )


def test_a_strategy_decides_as_the_vectors_say() -> None:
    seen: Counter[str] = Counter()
    strategy: seawall.RetryStrategy | None = None
    for step in steps("retry_strategy"):
        if step.verb == "new":
            strategy = None if step.number("base_ns") == NO_FLOAT else a_strategy(step)
        if strategy is None:
            continue
        seen[f"{step.verb} {step.answer}"] += 1
        match step.verb:
            case "new":
                pass
            case "next_delay":
                attempt, previous = step.number("attempt"), a_number(step.given["previous_ns"])
                delay = strategy._next_delay(attempt, previous, step.number("random"))
                assert delay == int(step.answers["delay_ns"]), step
            case "decide":
                decision = strategy._decide(
                    step.number("attempt"),
                    step.number("elapsed_ns"),
                    a_number(step.given["previous_ns"]),
                    cast("_Class", step.given["class"]),
                    a_number(step.given["retry_after_ns"]),
                    step.number("random"),
                )
                if step.answer == "retry":
                    assert decision == (int(step.answers["delay_ns"]), None), step
                else:
                    assert decision == (None, step.answers["reason"]), step
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
    assert min(seen.values()) >= 10, seen


def test_a_budget_answers_as_the_vectors_say() -> None:
    seen: Counter[str] = Counter()
    clock = seawall.ManualClock()
    budget = seawall.RetryBudget(clock=clock)
    for step in steps("retry_budget"):
        seen[f"{step.verb} {step.answer}"] += 1
        clock.set_ns(step.number("now"))
        cost = step.number("cost") / 1e6 if "cost" in step.given else 0.0
        match step.verb:
            case "new":
                budget = seawall.RetryBudget(
                    step.number("share_ppm") / 1e6,
                    cap=step.number("cap") / 1e6,
                    initial=step.number("initial") / 1e6,
                    floor=step.number("floor") / 1e6,
                    lifetime=in_seconds(step.number("lifetime_ns")),
                    clock=clock,
                )
            case "deposit":
                budget.deposit()
            case "try_withdraw":
                found = budget.peek(cost)
                assert budget.try_withdraw(cost) == (step.answer == "ok"), step
                if step.answer == "ok":
                    assert found is None, step
                else:
                    assert isinstance(found, seawall.RetryBudgetSpent), step
                    assert (found.stage, found.retry_after) == ("retry_budget", None), step
                    assert found.reason == step.answers["reason"], step
            case "refund":
                budget.refund(cost)
            case "balance":
                assert budget.balance == int(step.answers["tokens"]) / 1e6, step
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
    assert min(seen.values()) >= 4, seen
