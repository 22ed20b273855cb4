"""The vectors of the guard, replayed by hand: the same decisions as in Rust and C, modes, shards and keys too."""

from __future__ import annotations

from collections import Counter
from typing import Any

import seawall
from vectors import Step, seconds, steps

STATES = ("circuit_breaker", "pause")


def power(bits: int) -> float:
    return float(2**bits) / 1e9


def made(step: Step, clock: seawall.ManualClock, changes: list[tuple[str, int]]) -> seawall.Guard:
    streak, keyed_burst = step.given["retry_streak"], step.given["keyed_burst"]
    shards = step.number("shards")

    def changed(old: str, new: str, shard: int = 0) -> None:
        changes.append((new, shard))

    keyed: dict[str, Any] = {}
    if keyed_burst != "none":
        keyed = {"per_key": (1, power(22)), "per_key_burst": int(keyed_burst), "keys": 256, "when_full": "closed"}
    return seawall.Guard(
        1,
        power(22),
        shards=shards,
        bucket={"rate": (1, power(20)), "burst": step.number("burst"), "initial": step.number("tokens")},
        breaker={
            "failure_threshold": step.number("failures"),
            "open_for": power(22),
            "open_jitter": 0.0,
            "open_growth": 1.5,
            "open_cap": power(23),
            "probes": step.number("probes"),
            "probe_lease": power(24),
            "close_share": 1.0,
            "ramp": 0.0,
        },
        limit={
            "start": 2,
            "floor": 1,
            "ceiling": 4,
            "slow_after": power(21),
            "timeout": power(22),
            "lease": power(24),
        },
        retry={
            "max_attempts": 3,
            "deadline": power(27),
            "base_delay": power(19),
            "factor": 2.0,
            "max_delay": power(24),
            "jitter": "none",
            "retry_after_cap": power(25),
        },
        budget={"share": 0.4, "cap": 4, "initial": 3, "floor": 1, "lifetime": 0.1},
        timeout_weight=step.number("timeout_weight"),
        retry_streak=None if streak == "none" else int(streak),
        on_state_change=changed,
        clock=clock,
        seed=step.number("seed"),
        **keyed,
    )


def look(guard: seawall.Guard, clock: seawall.ManualClock) -> str:
    paused = guard.paused_for
    until = str(clock.now_ns() + round(paused * 1e9)) if paused else "none"
    shards = guard.shards
    states = ",".join(guard.breaker(shards + shard).state for shard in range(shards))
    told = (
        f"tokens={guard.bucket.available} in_flight={guard.limit.in_flight} limit={guard.limit.limit} states={states} "
        f"budget={round(guard.snapshot().budget * 1e6)} paused_until={until}"
    )
    keyed = guard.keyed
    if keyed is not None:
        told += " keys=" + ",".join(str(keyed.available(key)) for key in (0, 1, 2, 3, 4))
    return told


def stage_of(refused: seawall.Refused | None) -> str:
    return "none" if refused is None else refused.stage


def test_the_decisions_are_those_of_the_vectors() -> None:
    seen: Counter[str] = Counter()
    clock = seawall.ManualClock()
    changes: list[tuple[str, int]] = []
    guard = seawall.Guard(1, 1.0)
    calls: list[seawall.Call] = []
    attempts: list[seawall.Attempt] = []
    limit = 0

    def to() -> tuple[str, str]:
        # One transition at most comes of a call.
        assert len(changes) <= 1, changes
        new, shard = changes.pop() if changes else ("none", "none")
        return str(new), str(shard)

    for step in steps("guard"):
        expected = {**step.answers, "": step.answer}
        seen[f"{step.verb} {step.answer}"] += 1
        if "now" in step.given:
            clock.set_ns(step.number("now"))
        match step.verb:
            case "new":
                for attempt in attempts:
                    attempt.cancel()
                clock.set_ns(0)
                calls, attempts = [], []
                guard = made(step, clock, changes)
                changes.clear()
            case "look":
                assert look(guard, clock) == " ".join(f"{name}={said}" for name, said in step.answers.items()), step
            case "begin":
                deadline = step.given["deadline"]
                calls.append(
                    guard.begin(
                        key=step.number("key"),
                        shard=step.number("shard"),
                        cost=step.number("cost"),
                        deadline=None if deadline == "none" else (int(deadline) - clock.now_ns()) / 1e9,
                    )
                )
            case "try_attempt":
                try:
                    attempt = calls[step.number("call")].try_attempt()
                except seawall.Refused as refused:
                    assert step.answer == "refused", step
                    assert refused.stage == expected["stage"], step
                    assert refused.reason == expected["reason"], step
                    assert refused.retry_after == seconds(expected["retry_after_ns"]), step
                else:
                    assert step.answer == "ok", step
                    assert to() == (expected["to"], expected["shard"]), step
                    assert stage_of(attempt.shadow_refusal) == expected["shadow"], step
                    attempts.append(attempt)
            case "finish":
                call, attempt = calls[step.number("call")], attempts[step.number("permit")]
                limit = guard.limit.limit
                outcome: Any = step.given["outcome"]
                wait = attempt.finish(outcome, seconds(step.given["retry_after_ns"]))
                if "retry_at" in expected:
                    assert wait == max(int(expected["retry_at"]) - clock.now_ns(), 0) / 1e9, step
                else:
                    assert wait is None, step
                    assert call.give_up_reason == expected.get("give_up"), step
                assert to() == (expected["to"], expected["shard"]), step
                assert stage_of(attempt.shadow_refusal) == expected["shadow"], step
                if expected["limit"] != "none":
                    assert guard.limit.limit == int(expected["limit"]) != limit, step
            case "cancel":
                assert attempts[step.number("permit")].cancel() == (expected["good"] == "1"), step
            case "abandon":
                calls[step.number("call")].abandon()
            case "set_mode":
                share = step.given["share_ppm"]
                mode: Any = step.given["mode"] if share == "none" else int(share) / 1e6
                stage: Any = step.given["stage"]
                if step.answer == "no_mode":
                    try:
                        guard.set_mode(mode, stage)
                    except ValueError as error:
                        assert stage.replace("_", " ") in str(error)
                    else:
                        raise AssertionError(step)
                    assert guard.mode(stage) == "off"
                else:
                    guard.set_mode(mode, stage)
                    assert guard.mode(stage) == mode, step
            case verb:
                raise AssertionError(f"{verb}: no such verb is known here")
    assert min(seen.values()) >= 5, seen
