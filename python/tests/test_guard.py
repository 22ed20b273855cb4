"""The guard: calls, loops and functions through it, on threads, in asyncio and in trio."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import json
import pickle
import sys
import threading
import unittest.mock
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

import seawall


def quick(clock: seawall.ManualClock, **settings: Any) -> seawall.Guard:
    """One that refuses nobody for want of tokens."""
    given = {"bucket": {"rate": 1_000_000, "burst": 1_000, "initial": 1_000}, "seed": 1, **settings}
    return seawall.Guard(20, 1.0, clock=clock, **given)


class Failed(Exception):
    pass


def fail() -> None:
    raise Failed("no")


@pytest.fixture
def jumping() -> seawall.ManualClock:
    return seawall.ManualClock(autojump=True)


# By hand


def test_a_call_by_hand_is_told_when_to_send_again_and_why_it_is_not(clock: seawall.ManualClock) -> None:
    guard = quick(clock, retry={"max_attempts": 2, "jitter": "none", "base_delay": 0.5})
    call = guard.begin()
    assert call.try_attempt().finish("failure") == 0.5
    assert (call.attempts, call.retry_in, call.give_up_reason, call.is_over) == (1, 0.5, None, False)
    with pytest.raises(seawall.RetryBudgetSpent) as early:
        call.try_attempt()
    assert early.value.retry_after == 0.5
    clock.advance(0.5)
    assert call.retry_in == 0.0
    assert call.try_attempt().finish("failure") is None
    ended: tuple[object, ...] = (call.attempts, call.retry_in, call.give_up_reason, call.is_over)
    assert ended == (2, None, "attempts_exhausted", True)


@pytest.mark.parametrize("late", ["finish", "cancel", "leave"])
def test_a_late_word_on_an_attempt_says_nothing_of_the_next_one(late: str, clock: seawall.ManualClock) -> None:
    guard = quick(clock, retry={"max_attempts": 2, "jitter": "none", "base_delay": 0.5})
    call = guard.begin()
    first = call.try_attempt()
    first.finish("failure")
    clock.advance(0.5)
    second = call.try_attempt()
    if late == "finish":
        first.finish("success")
    elif late == "cancel":
        assert not first.cancel()
    else:
        first.__exit__(None, None, None)
    assert repr(call) == "<seawall.Call: 1 attempts, under way>"
    second.finish("failure")
    total = guard.snapshot().total
    assert (total.outcomes["success"], total.outcomes["failure"], total.given_up) == (0, 2, 1)
    assert call.give_up_reason == "attempts_exhausted"


def test_an_attempt_that_its_own_judge_has_reported_is_reported_once(clock: seawall.ManualClock) -> None:
    attempts: list[seawall.Attempt] = []

    def on(error: Exception) -> bool:
        attempts[0].finish("success")
        return True

    guard = quick(clock, on=on)
    with pytest.raises(Failed):
        with guard.begin() as attempt:
            attempts.append(attempt)
            fail()
    assert guard.snapshot().total.outcomes == {"success": 1, "failure": 0, "throttled": 0, "ignored": 0}


def test_a_refusal_is_raised_in_the_class_of_its_stage(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(20, 1.0, quota=1, clock=clock)
    with guard.begin().try_attempt():
        pass
    with pytest.raises(seawall.RateLimited) as refused:
        guard.begin().try_attempt()
    assert (refused.value.stage, refused.value.reason) == ("token_bucket", "not_yet")
    guard = quick(clock, breaker={"failure_threshold": 1})
    guard.begin().try_attempt().finish("failure")
    with pytest.raises(seawall.CircuitOpen):
        guard.begin().try_attempt()
    guard = quick(clock, max_in_flight=1)
    held = guard.begin().try_attempt()
    with pytest.raises(seawall.ConcurrencyLimited):
        guard.begin().try_attempt()
    held.finish("throttled", 2.0)
    with pytest.raises(seawall.Paused):
        guard.begin().try_attempt()
    assert 2.0 <= guard.paused_for <= 2.5
    with pytest.raises(seawall.DeadlineExceeded):
        guard.begin(deadline=0).try_attempt()
    with pytest.raises(seawall.DeadlineExceeded):
        guard.begin(deadline=-3.5).try_attempt()


def test_an_attempt_that_is_dropped_frees_its_place_and_says_nothing(clock: seawall.ManualClock) -> None:
    guard = quick(clock, max_in_flight=1)
    attempt = guard.begin().try_attempt()
    assert guard.limit.in_flight == 1
    del attempt
    gc.collect()
    assert guard.limit.in_flight == 0
    assert guard.snapshot().total.outcomes == {"success": 0, "failure": 0, "throttled": 0, "ignored": 1}


def test_a_call_that_is_dropped_gives_back_what_its_retry_was_paid_with(clock: seawall.ManualClock) -> None:
    guard = quick(clock)
    before = guard.budget.balance
    call = guard.begin()
    assert call.try_attempt().finish("failure") is not None
    assert guard.budget.balance < before
    del call
    assert guard.budget.balance == pytest.approx(before)
    assert guard.snapshot().total.abandoned == 1


def test_one_that_is_cancelled_was_never_sent(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(20, 1.0, quota=1, clock=clock)
    call = guard.begin()
    attempt = call.try_attempt()
    assert guard.bucket.available == 0
    assert attempt.cancel()
    assert not attempt.cancel()
    assert guard.bucket.available == 1
    assert call.try_attempt().finish("success") is None
    assert guard.snapshot().total.cancelled == 1


def test_a_second_report_changes_nothing(clock: seawall.ManualClock) -> None:
    guard = quick(clock)
    attempt = guard.begin().try_attempt()
    attempt.finish("success")
    attempt.finish("failure")
    assert guard.snapshot().total.outcomes["failure"] == 0


# with


def test_with_reports_what_the_block_does(clock: seawall.ManualClock) -> None:
    guard = quick(clock)
    with guard.begin() as attempt:
        clock.advance(0.25)
    with pytest.raises(Failed), guard.begin():
        fail()
    with guard.begin() as attempt:
        attempt.report("throttled", 1.5)
    clock.advance(3)
    with guard:
        assert guard.limit.in_flight == 1
    snapshot = guard.snapshot()
    assert snapshot.total.outcomes == {"success": 2, "failure": 1, "throttled": 1, "ignored": 0}
    assert snapshot.delivery_p99 == pytest.approx(0.25, rel=0.04)
    assert guard.limit.in_flight == 0


def test_one_attempt_pays_for_no_retry(clock: seawall.ManualClock) -> None:
    guard = quick(clock)
    before = guard.budget.balance
    for block in (guard, guard.begin()):
        with pytest.raises(Failed), block:
            fail()
    with pytest.raises(Failed):
        guard.call(fail)
    assert guard.budget.balance == before
    assert guard.snapshot().total.given_up == 3


@pytest.mark.anyio
async def test_tasks_that_interleave_in_one_guard_keep_their_own_permits(clock: seawall.ManualClock) -> None:
    guard = quick(clock, limit={"start": 8})
    entered = [anyio.Event(), anyio.Event()]
    leave = [anyio.Event(), anyio.Event()]

    async def hold(number: int, error: bool) -> None:
        try:
            async with guard:
                entered[number].set()
                await leave[number].wait()
                if error:
                    fail()
        except Failed:
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, 0, False)
        await entered[0].wait()
        clock.advance(1)
        tasks.start_soon(hold, 1, True)
        await entered[1].wait()
        clock.advance(1)
        # The first one leaves first: it took 2 seconds, and the other one.
        leave[0].set()
        while guard.limit.in_flight == 2:
            await anyio.sleep(0)
        assert guard.snapshot().delivery_p99 == pytest.approx(2.0, rel=0.04)
        leave[1].set()
    assert guard.snapshot().total.outcomes == {"success": 1, "failure": 1, "throttled": 0, "ignored": 0}


def test_threads_that_interleave_in_one_guard_keep_their_own_permits(clock: seawall.ManualClock) -> None:
    guard = quick(clock, limit={"start": 8})
    other = threading.Barrier(2, timeout=10)

    def hold() -> None:
        with guard:
            other.wait()
            other.wait()

    thread = threading.Thread(target=hold)
    with guard:
        thread.start()
        other.wait()
        clock.advance(3)
        assert guard.limit.in_flight == 2
    assert guard.limit.in_flight == 1
    other.wait()
    thread.join()
    assert guard.limit.in_flight == 0


# Functions


def test_a_function_is_called_with_its_arguments_and_its_errors_come_through(clock: seawall.ManualClock) -> None:
    guard = quick(clock)
    assert guard.call(dict, {"a": 1}, b=2) == {"a": 1, "b": 2}
    assert guard.execute(dict, {"a": 1}, b=2) == {"a": 1, "b": 2}
    with pytest.raises(Failed, match="no"):
        guard.call(fail)
    guard.breaker().force_open()
    with pytest.raises(seawall.CircuitOpen):
        guard.call(fail)
    with pytest.raises(seawall.CircuitOpen):
        guard.execute(fail)
    assert guard.snapshot().total.refused_by["circuit_breaker"]["not_yet"] == 2


@pytest.mark.anyio
async def test_a_coroutine_is_a_part_of_its_call(clock: seawall.ManualClock) -> None:
    guard = quick(clock)

    async def fetch(number: int, *, error: bool = False) -> int:
        assert guard.limit.in_flight == 1
        clock.advance(0.5)
        await anyio.sleep(0)
        if error:
            fail()
        return number

    assert await guard.call(fetch, 7) == 7
    assert guard.limit.in_flight == 0
    assert guard.snapshot().delivery_p50 == pytest.approx(0.5, rel=0.04)
    with pytest.raises(Failed):
        await guard.call(fetch, 7, error=True)
    assert await guard.execute(fetch, 8) == 8
    assert guard.limit.in_flight == 0
    guard.breaker().force_open()
    # Asked for when it is awaited: a list of them is made before the first one is refused.
    refused = [guard.call(fetch, 7), guard.execute(fetch, 7)]
    for one in refused:
        with pytest.raises(seawall.CircuitOpen):
            await one


@pytest.mark.anyio
async def test_what_is_cancelled_counts_for_nothing(clock: seawall.ManualClock) -> None:
    guard = quick(clock, breaker={"failure_threshold": 1})

    async def forever() -> None:
        await anyio.sleep_forever()

    for retry in (False, True):
        with anyio.move_on_after(0.01):
            await guard(retry=retry)(forever)()
        with anyio.move_on_after(0.01):
            await (guard.execute if retry else guard.call)(forever)
    with anyio.move_on_after(0.01):
        async with guard:
            await forever()
    assert guard.limit.in_flight == 0
    total = guard.snapshot().total
    assert total.outcomes == {"success": 0, "failure": 0, "throttled": 0, "ignored": 5}
    assert guard.breaker().state == "closed"


def test_a_refusal_within_says_nothing_of_the_service(clock: seawall.ManualClock) -> None:
    guard, inner = quick(clock, breaker={"failure_threshold": 1}), quick(clock)
    inner.breaker().force_open()
    with pytest.raises(seawall.CircuitOpen):
        guard.execute(inner.call, fail)
    assert guard.breaker().state == "closed"
    assert guard.snapshot().total.outcomes["ignored"] == 1


def test_ctrl_c_counts_for_nothing(clock: seawall.ManualClock) -> None:
    guard = quick(clock)

    def interrupted() -> None:
        raise KeyboardInterrupt

    sends: list[Callable[[], None]] = [
        lambda: guard.call(interrupted),
        lambda: guard.execute(interrupted),
        guard(interrupted),
    ]
    for send in sends:
        with pytest.raises(KeyboardInterrupt):
            send()
    assert guard.snapshot().total.outcomes["ignored"] == 3


# Retries


def flaky(times: int) -> Any:
    """Fails so often, and then gives how often it was called."""
    calls = 0

    def function(*_: object) -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise Failed(str(calls))
        return calls

    return function


GENEROUS: dict[str, Any] = {
    "budget": {"initial": 10, "cap": 10, "floor": 10},
    "breaker": {"failure_threshold": 100},
    "retry_streak": None,
    "retry": {"max_attempts": 5, "jitter": "none", "base_delay": 60.0, "max_delay": 600.0},
}


@pytest.mark.thread_unsafe(reason="one clock for all threads")
def test_a_retry_waits_its_back_off_on_the_guards_clock(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)
    assert guard.execute(flaky(3)) == 4
    assert jumping.now() == 60 + 120 + 240
    assert guard(retry=True)(flaky(1))() == 2
    assert guard.snapshot().total.retries == 4


@pytest.mark.anyio
async def test_a_retry_of_a_coroutine_waits_its_back_off_on_the_guards_clock(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)

    def asynchronous(times: int) -> Any:
        function = flaky(times)

        async def call() -> int:
            await anyio.sleep(0)
            return int(function())

        return call

    assert await guard.execute(asynchronous(3)) == 4
    assert jumping.now() == 60 + 120 + 240
    assert await guard(retry=True)(asynchronous(1))() == 2
    async for attempt in guard.begin():
        with attempt:
            await asynchronous(0)()
    assert guard.snapshot().total.delivered == 3


def test_what_fails_for_good_is_raised_itself_with_a_note(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)
    with pytest.raises(Failed, match="5") as failed:
        guard.execute(flaky(9))
    if sys.version_info >= (3, 11):
        assert failed.value.__notes__ == ["seawall: sent 5 times, and not again: all attempts are made"]
    guard = quick(jumping, **{**GENEROUS, "on": OSError})
    with pytest.raises(Failed, match="1") as failed:
        guard.execute(flaky(9))
    if sys.version_info >= (3, 11):
        assert failed.value.__notes__ == ["seawall: sent once, and not again: the error is permanent"]
    # It was answered.
    assert guard.snapshot().total.outcomes["success"] == 1


def test_a_refused_retry_tells_what_the_attempt_before_it_met(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)

    def fails_and_trips() -> None:
        guard.breaker().force_open()
        fail()

    with pytest.raises(seawall.CircuitOpen) as refused:
        guard.execute(fails_and_trips)
    assert isinstance(refused.value.__context__, Failed)

    guard = quick(jumping, **GENEROUS)
    loop = iter(guard.begin())
    with next(loop):
        fail()
    guard.breaker().force_open()
    with pytest.raises(seawall.CircuitOpen) as refused:
        next(loop)
    assert isinstance(refused.value.__context__, Failed)


def test_a_loop_ends_with_success_and_keeps_what_is_sent_again(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)
    function, numbers = flaky(2), []
    for attempt in guard.begin():
        with attempt:
            numbers.append(attempt.call.attempts)
            function()
    assert numbers == [0, 1, 2]
    with pytest.raises(Failed, match="5"):
        for attempt in guard.begin():
            with attempt:
                raise Failed(str(attempt.call.attempts + 1))
    # What is reported counts without an exception.
    statuses = iter([503, 503, 200])
    for attempt in guard.begin():
        with attempt:
            status = next(statuses)
            if status == 503:
                attempt.report("failure")
    assert status == 200
    with pytest.raises(RuntimeError, match="has not ended"):
        for attempt in guard.begin():
            pass


def test_on_says_what_is_worth_a_retry(jumping: seawall.ManualClock) -> None:
    asked: list[Exception] = []

    def on(error: Exception) -> object:
        asked.append(error)
        return {"1": True, "2": 7.0, "3": "ignored"}[str(error)]

    guard = quick(jumping, **GENEROUS, on=on)
    with pytest.raises(Failed, match="3"):
        guard.execute(flaky(9))
    assert len(asked) == 3
    assert jumping.now() >= 60 + 7
    assert guard.snapshot().total.outcomes == {"success": 0, "failure": 1, "throttled": 1, "ignored": 1}


def test_an_on_that_fails_itself_is_reported_and_decides_nothing(
    jumping: seawall.ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)

    def on(error: Exception) -> bool:
        raise ZeroDivisionError

    guard = quick(jumping, **GENEROUS, on=on)
    with pytest.raises(Failed):
        guard.execute(fail)
    assert guard.snapshot().total.outcomes["failure"] == 5
    assert [type(one.exc_value) for one in lost] == [ZeroDivisionError] * 5
    assert guard.limit.in_flight == 0


def test_attempts_can_be_limited_everywhere(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)
    before = seawall._native.limit_attempts(2)
    try:
        with pytest.raises(Failed, match="2"):
            guard.execute(flaky(9))
    finally:
        seawall._native.limit_attempts(before)
    assert guard.execute(flaky(4)) == 5


def test_whatever_can_be_called_can_be_guarded(clock: seawall.ManualClock) -> None:
    guard = quick(clock)
    mock = unittest.mock.Mock(return_value=5)
    assert guard.call(mock, 1, two=2) == 5
    assert guard.call(functools.partial(mock, 1)) == 5
    assert guard(mock)(1) == 5
    guard.breaker().force_open()
    for function in (mock, functools.partial(mock, 1), len, object()):
        with pytest.raises(seawall.CircuitOpen):
            guard.call(function)  # type: ignore[arg-type]
    assert mock.call_count == 3


# Waiting


@pytest.mark.anyio
async def test_who_waits_is_served_in_the_order_of_arrival(clock: seawall.ManualClock) -> None:
    guard = quick(clock, max_in_flight=1, max_wait=30)
    served: list[int] = []
    held = guard.begin().try_attempt()

    async def wait(number: int) -> None:
        async with guard.begin(cost=3 - number):
            served.append(number)
            await anyio.sleep(0)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(wait, number)
            while guard.waiting <= number:
                await anyio.sleep(0)
        # Who does not wait passes nobody by.
        with pytest.raises(seawall.ConcurrencyLimited):
            async with guard.begin(max_wait=0):
                pass
        held.finish("success")
    assert served == [0, 1, 2]
    assert guard.waiting == 0


@pytest.mark.anyio
async def test_nobody_who_asks_for_less_passes_by_who_waits_for_more(clock: seawall.ManualClock) -> None:
    few = {"rate": 1, "burst": 2, "initial": 1}
    guard = quick(clock, bucket=few, limit={"start": 8})
    served: list[str] = []

    async def wait() -> None:
        async with guard.begin(cost=2, max_wait=30):
            served.append("two")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        while not guard.waiting:
            await anyio.sleep(0)
        # One token is there; what asks by hand passes by, and nothing else does.
        assert guard.begin().try_attempt().cancel()
        with pytest.raises(seawall.RateLimited):
            guard.call(served.append, "one")
        for block in (guard, guard.begin()):
            with pytest.raises(seawall.RateLimited):
                async with block:
                    served.append("one")
        clock.advance(3)
    assert served == ["two"]


def test_a_thread_waits_for_a_slot_that_another_frees() -> None:
    guard = seawall.Guard(
        20, 1.0, max_in_flight=1, bucket={"rate": 1_000_000, "burst": 1_000, "initial": 1_000}, max_wait=30
    )
    held = guard.begin().try_attempt()
    threads = [threading.Thread(target=guard.call, args=(len, "four")) for _ in range(3)]
    for thread in threads:
        thread.start()
    while guard.waiting < 3:
        pass
    held.finish("success")
    for thread in threads:
        thread.join(10)
    assert guard.snapshot().total.delivered == 4


@pytest.mark.anyio
async def test_every_way_through_waits_as_long_as_it_may(jumping: seawall.ManualClock) -> None:
    guard = seawall.Guard(20, 1.0, quota=1, bucket={"burst": 1}, max_wait=5, clock=jumping, seed=1)

    async def fetch(number: int) -> int:
        await anyio.sleep(0)
        return number

    @guard
    async def decorated(number: int) -> int:
        return await fetch(number)

    answers = [
        await guard.call(fetch, 1),
        await guard.execute(fetch, 2),
        await decorated(3),
        await guard(cost=1)(fetch)(4),
        guard.call(int, 5),
        guard.execute(int, 6),
        guard(int)(7),
        guard(max_wait=3)(int)(8),
    ]
    async with guard:
        answers.append(9)
    with guard:
        answers.append(10)
    async with guard.begin():
        answers.append(11)
    for attempt in guard.begin():
        with attempt:
            answers.append(12)
    assert answers == list(range(1, 13))
    # One a second, but for the first, which was there.
    assert 11 <= jumping.now() <= 12
    assert guard.snapshot().total.delivered == 12
    assert guard.limit.in_flight == 0


def test_whatever_can_be_awaited_is_a_part_of_its_call(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)
    fails = flaky(1)

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def ask(future: asyncio.Future[int]) -> asyncio.Future[int]:
            fails()
            return future

        for send in (guard.execute, guard.call):
            future = loop.create_future()
            asked = send(ask, future)
            assert guard.limit.in_flight == 1
            loop.call_soon(future.set_result, 5)
            assert await asked == 5
            assert guard.limit.in_flight == 0

    asyncio.run(main())


@pytest.mark.anyio
async def test_a_function_may_fail_before_it_gives_a_coroutine(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, **GENEROUS)
    fails = flaky(1)

    async def answer() -> str:
        assert guard.limit.in_flight == 1
        await anyio.sleep(0)
        return "here"

    def fetch() -> Any:
        fails()
        return answer()

    assert await guard.execute(fetch) == "here"
    total = guard.snapshot().total
    assert (total.delivered, total.retries, guard.limit.in_flight) == (1, 1, 0)


@pytest.mark.thread_unsafe(reason="one clock for all threads")
def test_patience_ends(jumping: seawall.ManualClock) -> None:
    guard = quick(jumping, max_in_flight=1)
    held = guard.begin().try_attempt()
    with pytest.raises(seawall.ConcurrencyLimited):
        guard.begin(max_wait=2.5).attempt_blocking()
    assert jumping.now() == 2.5
    assert guard.waiting == 0
    held.finish("success")


@pytest.mark.anyio
async def test_who_is_cancelled_leaves_the_line_with_nothing(clock: seawall.ManualClock) -> None:
    guard = quick(clock, max_in_flight=1, max_wait=30)
    held = guard.begin().try_attempt()
    with anyio.move_on_after(0.01):
        await guard.begin().attempt()
    with anyio.move_on_after(0.01):
        async with guard:
            raise AssertionError
    assert guard.waiting == 0
    held.finish("success")
    async with guard:
        pass


def test_two_threads_are_never_admitted_beyond_what_there_is(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(20, 1.0, bucket={"rate": 1, "burst": 500, "initial": 500}, limit={"start": 64}, clock=clock)
    admitted = []

    def take() -> None:
        for _ in range(600):
            try:
                guard.call(len, "four")
            except seawall.RateLimited:
                continue
            admitted.append(1)

    threads = [threading.Thread(target=take) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(admitted) == 500
    total = guard.snapshot().total
    assert (total.delivered, total.refused, total.begun) == (500, 700, 1200)


def test_calls_run_in_parallel() -> None:
    guard = seawall.Guard(20, 1.0, bucket={"rate": 1_000_000, "burst": 9, "initial": 9}, limit={"start": 4})
    together = threading.Barrier(4, timeout=10)
    threads = [threading.Thread(target=guard.call, args=(together.wait,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert guard.snapshot().total.delivered == 4


# Modes


def test_a_guard_in_shadow_refuses_nobody_and_says_what_it_would(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(20, 1.0, quota=1, mode="shadow", clock=clock)
    with guard.begin() as attempt:
        assert attempt.shadow_refusal is None
    with guard.begin() as attempt:
        assert isinstance(attempt.shadow_refusal, seawall.RateLimited)
    with pytest.raises(Failed), guard.begin():
        fail()
    total = guard.snapshot().total
    assert total.would_refuse["token_bucket"] == {"success": 1, "failure": 1, "throttled": 0, "ignored": 0}
    assert total.would_pass == {"success": 1, "failure": 0, "throttled": 0, "ignored": 0}
    guard.set_mode("enforce", "token_bucket")
    assert (guard.mode("token_bucket"), guard.mode("pause"), guard.mode("keyed_bucket")) == ("enforce", "shadow", "off")
    with pytest.raises(seawall.RateLimited):
        guard.call(fail)


def test_a_canary_treats_a_key_alike_in_every_call(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(
        20, 1.0, bucket={"rate": 0, "initial": 0}, modes={"token_bucket": 0.25, "pause": "off"}, clock=clock, seed=3
    )
    assert (guard.mode("token_bucket"), guard.mode("pause"), guard.mode("circuit_breaker")) == (0.25, "off", "enforce")
    names = [f"user-{number}" for number in range(1000)]
    refused = [name for name in names if guard.peek(key=name) is not None]
    assert refused == [name for name in names if guard.peek(key=name.encode()) is not None]
    assert 180 < len(refused) < 320
    guard.set_mode(0.5, "token_bucket")
    assert set(refused) < {name for name in names if guard.peek(key=name) is not None}


def test_each_key_has_a_bucket_of_its_own(clock: seawall.ManualClock) -> None:
    guard = quick(clock, per_key=1, per_key_burst=2, limit={"start": 64})

    @guard(key=lambda user: user)
    def fetch(user: str) -> str:
        return user

    assert [fetch("mallory"), fetch("mallory"), fetch("alice")] == ["mallory", "mallory", "alice"]
    with pytest.raises(seawall.RateLimited) as refused:
        fetch("mallory")
    assert (refused.value.stage, refused.value.retry_after) == ("keyed_bucket", 1.0)
    assert fetch("alice") == "alice"
    keyed = guard.keyed
    assert keyed is not None
    assert (keyed.available("alice"), keyed.available("bob")) == (0, 2)


def test_a_dead_shard_costs_its_own_calls_only(clock: seawall.ManualClock) -> None:
    told: list[tuple[object, ...]] = []
    guard = quick(clock, shards=3, on_state_change=lambda *change: told.append(change))
    for _ in range(4):
        with pytest.raises((Failed, seawall.CircuitOpen)), guard.begin(shard=1):
            fail()
    assert [guard.breaker(shard).state for shard in range(3)] == ["closed", "open", "closed"]
    assert told == [("closed", "open", 1)]
    with guard.begin(shard=2), guard.begin(shard=3):
        pass
    guard.breaker(2).trip()
    guard.reset()
    assert told[1:] == [("closed", "open", 2), ("open", "closed", 1), ("open", "closed", 2)]


# The callback


def test_a_callback_is_told_of_each_change_and_breaks_nothing(
    clock: seawall.ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    lost: list[Any] = []

    def changed(old: str, new: str) -> None:
        told.append((old, new))
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    guard = quick(clock, breaker={"failure_threshold": 1, "open_for": 1.0, "open_jitter": 0.0}, on_state_change=changed)
    with pytest.raises(Failed):
        guard.call(fail)
    clock.advance(1.1)
    assert guard.call(len, "four") == 4
    guard.breaker().trip()
    guard.reset()
    assert told == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
        ("closed", "open"),
        ("open", "closed"),
    ]
    assert [type(one.exc_value) for one in lost] == [ZeroDivisionError] * 5
    assert guard.limit.in_flight == 0


def test_a_guard_is_collected_with_a_callback_that_holds_it(clock: seawall.ManualClock) -> None:
    def held() -> weakref.ref[seawall.Guard]:
        holder: list[Any] = []
        guard = quick(clock, on_state_change=lambda old, new: holder)
        call = guard.begin()
        holder.extend([guard, call, call.try_attempt(), guard.breaker(), guard(fail)])
        return weakref.ref(guard)

    guard = held()
    gc.collect()
    assert guard() is None


# The decorator


def test_a_decorated_function_keeps_its_name_its_signature_and_its_colour(clock: seawall.ManualClock) -> None:
    guard = quick(clock)

    @guard
    def plain(one: int, two: str = "2") -> str:
        """What it does."""
        return two * one

    @guard(cost=2)
    async def asynchronous(one: int) -> int:
        return one

    assert (plain.__name__, plain.__doc__, str(inspect.signature(plain))) == (
        "plain",
        "What it does.",
        "(one: 'int', two: 'str' = '2') -> 'str'",
    )
    assert inspect.iscoroutinefunction(asynchronous) and not inspect.iscoroutinefunction(plain)
    assert asyncio.run(asynchronous(5)) == 5
    assert plain(2, two="a") == "aa"

    class Client:
        @guard
        def get(self, one: int) -> tuple[Client, int]:
            return self, one

        @guard(max_wait=1.0)
        async def fetch(self, one: int) -> tuple[Client, int]:
            return self, one

    client = Client()
    assert client.get(1) == (client, 1)
    assert asyncio.run(client.fetch(1)) == (client, 1)


def test_what_cannot_be_guarded_is_refused_with_the_reason(clock: seawall.ManualClock) -> None:
    guard = quick(clock)

    def numbers() -> Iterator[int]:
        yield 1

    async def events() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, events):
        with pytest.raises(TypeError, match="is a generator"):
            guard(function)
    with pytest.raises(TypeError, match="decorates functions"):
        guard(5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="unexpected keyword"):
        guard(costs=3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="cost must be an integer from 0"):
        guard(cost=-1)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(guard)


# The snapshot


def test_a_snapshot_says_what_went_through_and_what_it_would_meet(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(20, 1.0, quota=2, clock=clock, retry={"max_attempts": 1}, window=60)
    guard.call(clock.advance, 0.1)
    with pytest.raises(seawall.RateLimited):
        guard.call(len, "four")
    clock.advance(2.0)
    with pytest.raises(Failed):
        guard.execute(fail)
    guard.call(len, "four")
    snapshot = guard.snapshot()
    told = snapshot.as_dict()
    assert json.loads(json.dumps(told)) == told
    assert (snapshot.state, snapshot.rate, snapshot.burst) == ("closed", 2.0, 2)
    assert (snapshot.tokens, snapshot.in_flight, snapshot.waiting) == (0, 0, 0)
    total = snapshot.total
    assert (total.begun, total.admitted, total.refused, total.delivered, total.given_up) == (4, 3, 1, 2, 1)
    assert total.given_up_by["attempts_exhausted"] == 1
    assert told["total"] == total.as_dict()
    assert snapshot.error_rate == pytest.approx(1 / 3, abs=1e-6)
    assert snapshot.p99 == pytest.approx(0.1, rel=0.04)
    assert [refused.stage for refused in snapshot.refusals] == ["token_bucket"]
    (refusal,) = told["refusals"]
    assert (refusal["stage"], refusal["reason"]) == ("token_bucket", "not_yet")
    assert refusal["retry_after"] is not None and 0 < refusal["retry_after"] <= 0.5
    assert "Now the token bucket refuses" in snapshot.explain()
    clock.advance(3600)
    later = guard.snapshot()
    assert later.recent.begun == 0 and later.total.begun == 4
    assert later.error_rate is None and later.p99 is None
    # A snapshot does not change with what comes.
    assert snapshot.tokens == 0 and "2 of 4 calls delivered" in repr(snapshot)


# What is given


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"rate": -1}, ValueError, "rate must be"),
        ({"rate": 0}, ValueError, "rate must be over 0"),
        ({"rate": "fast"}, ValueError, "rate must be"),
        ({"timeout": 0}, ValueError, "timeout must be over 0"),
        ({"timeout": None}, TypeError, "timeout must be"),
        ({"shards": 0}, ValueError, "shards must be an integer from 1 to 65535"),
        ({"max_in_flight": 65_536}, ValueError, "max_in_flight must be"),
        ({"mode": "dry"}, ValueError, "mode must be"),
        ({"mode": 1.5}, ValueError, "mode must be"),
        ({"modes": {"tokens": "off"}}, ValueError, "a stage of modes must be"),
        ({"modes": {"keyed_bucket": "off"}}, ValueError, "no per_key"),
        ({"keys": 5}, TypeError, "need a per_key"),
        ({"breaker": {"failures": 5}}, TypeError, "breaker has no setting 'failures'"),
        ({"bucket": {"rat": 5}}, TypeError, "bucket has no setting 'rat'"),
        ({"retry": {"max_attempts": 0}}, ValueError, "max_attempts"),
        ({"limit": {"floor": 9, "ceiling": 3}}, ValueError, "floor must be"),
        ({"timeout_weight": 0}, ValueError, "timeout_weight must be"),
        ({"window": 0}, ValueError, "window"),
        ({"seed": -1}, ValueError, "seed must be"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(
    settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    given = {"rate": 20, "timeout": 1.0, **settings}
    with pytest.raises(error, match=said):
        seawall.Guard(given.pop("rate"), given.pop("timeout"), **given)


def test_a_bad_argument_is_named_with_what_is_allowed(clock: seawall.ManualClock) -> None:
    guard = quick(clock)
    wrong: Any = guard
    acts: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: wrong.begin(key=1.5), ValueError, "key must be"),
        (lambda: wrong.begin(key=[]), TypeError, "key must be"),
        (lambda: wrong.begin(shard=-1), ValueError, "shard must be"),
        (lambda: wrong.begin(deadline="soon"), TypeError, "deadline must be"),
        (lambda: wrong.begin(max_wait=-1), ValueError, "max_wait must be"),
        (lambda: wrong.begin().try_attempt().finish("good"), ValueError, "outcome must be"),
        (lambda: wrong.set_mode("enforce", "deadline"), ValueError, "stage must be"),
        (lambda: wrong.set_mode("enforce", "keyed_bucket"), ValueError, "the keyed bucket has no mode"),
        (lambda: wrong.set_rate("slow"), ValueError, "rate must be"),
    ]
    for act, error, said in acts:
        with pytest.raises(error, match=said):
            act()


def test_the_clock_may_be_set_anew(clock: seawall.ManualClock) -> None:
    guard = seawall.Guard(20, 1.0, quota=1, clock=clock)
    clock.set(1e6)
    guard.call(len, "four")
    clock.set(5.0)
    with pytest.raises(seawall.RateLimited) as refused:
        guard.call(len, "four")
    assert refused.value.reason == "clock_stepped"
    guard.rebase(1e6, 5.0)
    clock.advance(1.0)
    assert guard.call(len, "four") == 4


def test_the_signatures_say_what_is_to_be_given() -> None:
    signature = inspect.signature(seawall.Guard)
    assert list(signature.parameters)[:3] == ["rate", "timeout", "shards"]
    assert signature.parameters["max_in_flight"].default == 64
    assert str(inspect.signature(seawall.Guard.begin)) == (
        "(self, /, *, key=None, shard=0, cost=1, deadline=None, max_wait=None)"
    )
