"""The manners of waiting: in line, without polling, and left at any time without a loss. On a clock that is moved by hand,
so that an instant is an instant; where a thread has to block for real, nothing asserts how long it took.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import seawall
from seawall import _waiting
from waiting_tools import PATIENCE, Polls, counted, settle, thread, until, waiting_of

# Each moves a clock, and looks who waits.
pytestmark = pytest.mark.thread_unsafe

MILLISECOND = 1_000_000


def emptied(rate: Any = 1, burst: int = 1, *, clock: seawall.ManualClock | None = None) -> seawall.TokenBucket:
    return seawall.TokenBucket(rate, burst, initial=0, clock=clock)


# In line.


@pytest.mark.anyio
async def test_tasks_are_served_in_the_order_of_arrival(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    served: list[int] = []

    async def take(number: int) -> None:
        await bucket.take()
        served.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(take, number)
            await settle()
        for second in range(20):
            assert served == list(range(second))
            clock.advance(1.0)
            await settle()
    assert served == list(range(20))


@pytest.mark.parametrize("first", ["thread", "asyncio", "trio"])
def test_threads_and_the_tasks_of_two_loops_wait_in_one_line(first: str, clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    served: list[str] = []

    async def take(name: str) -> None:
        await bucket.take()
        served.append(name)

    def block() -> None:
        bucket.take_blocking()
        served.append("thread")

    def in_asyncio() -> None:
        asyncio.run(take("asyncio"))

    def in_trio() -> None:
        import trio

        trio.run(take, "trio")

    kinds: list[tuple[str, Callable[[], None]]] = [("thread", block), ("asyncio", in_asyncio), ("trio", in_trio)]
    names = [name for name, _ in kinds]
    start = names.index(first)
    kinds = kinds[start:] + kinds[:start]
    workers = []
    for place, (_, work) in enumerate(kinds * 2):
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        workers.append(worker)
        until(lambda: bucket.waiting == place + 1)
    for place in range(6):
        clock.advance(1.0)
        until(lambda: len(served) == place + 1)
    assert served == [name for name, _ in kinds * 2]
    for worker in workers:
        worker.join(PATIENCE)
    assert bucket.waiting == 0


@pytest.mark.anyio
async def test_a_large_request_is_served_before_the_small_ones_behind_it(clock: seawall.ManualClock) -> None:
    bucket = emptied(10, 10, clock=clock)
    served: list[str] = []

    async def take(name: str, n: int) -> None:
        await bucket.take(n)
        served.append(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take, "large", 8)
        await settle()
        for _ in range(4):
            tasks.start_soon(take, "small", 1)
        await settle()
        clock.set_ns(799 * MILLISECOND)
        await settle()
        assert served == []
        clock.set_ns(800 * MILLISECOND)
        await settle()
        assert served == ["large"]
        for _ in range(4):
            clock.advance(0.1)
            await settle()
    assert served == ["large"] + ["small"] * 4


@pytest.mark.anyio
async def test_a_try_take_cannot_take_what_the_first_in_line_waits_for(clock: seawall.ManualClock) -> None:
    bucket = emptied(10, 10, clock=clock)
    served = []

    async def take() -> None:
        await bucket.take(8)
        served.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await settle()
        for _ in range(8):
            assert not bucket.try_take()
            clock.advance(0.1)
            await settle()
        assert served == [True]


def test_whoever_asks_while_others_wait_goes_to_the_end_of_the_line(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = emptied(1, 5, clock=clock)
        large = asyncio.create_task(bucket.take(3))
        await settle()
        clock.advance(2.0)
        late = asyncio.create_task(bucket.take(1))
        await settle()
        assert bucket.waiting == 2
        assert not large.done() and not late.done()
        clock.advance(1.0)
        await settle()
        assert large.done() and not late.done()
        clock.advance(1.0)
        await settle()
        assert late.done()

    asyncio.run(main())


# As long as the law says.


def test_ten_thousand_tasks_take_exactly_as_long_as_the_law_says(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = seawall.TokenBucket(1000, 1, clock=clock)
        ends: list[int] = []

        async def take() -> None:
            await bucket.take()
            ends.append(clock.now_ns())

        tasks = [asyncio.create_task(take()) for _ in range(10_000)]
        await settle(3)
        while len(ends) < len(tasks):
            clock.set_ns(clock.now_ns() + MILLISECOND)
            await settle(3)
        assert ends == [number * MILLISECOND for number in range(10_000)]
        assert bucket.waiting == 0

    # A loop in debug mode notes a traceback for each turn of each task.
    asyncio.run(main(), debug=False)


def test_of_ten_thousand_tasks_half_are_cancelled_and_the_others_lose_nothing(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = seawall.TokenBucket(1000, 1, initial=0, clock=clock)
        ends: list[tuple[int, int]] = []

        async def take(number: int) -> None:
            await bucket.take()
            ends.append((number, clock.now_ns()))

        tasks = [asyncio.create_task(take(number)) for number in range(10_000)]
        await settle(3)
        for task in tasks[::2]:
            task.cancel()
        await settle(3)
        assert bucket.waiting == 5_000
        while len(ends) < 5_000:
            clock.set_ns(clock.now_ns() + MILLISECOND)
            await settle(3)
        assert ends == [(2 * place + 1, (place + 1) * MILLISECOND) for place in range(5_000)]
        assert all(task.cancelled() for task in tasks[::2])

    # A loop in debug mode notes a traceback for each turn of each task.
    asyncio.run(main(), debug=False)


@pytest.mark.anyio
async def test_the_first_in_line_is_cancelled_and_the_next_is_served_at_its_time(clock: seawall.ManualClock) -> None:
    bucket = emptied(1, 10, clock=clock)
    ends: list[int] = []

    async def take() -> None:
        await bucket.take()
        ends.append(clock.now_ns())

    async def take_all(scope: anyio.CancelScope) -> None:
        with scope:
            await bucket.take(10)

    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()
        tasks.start_soon(take_all, scope)
        await settle()
        tasks.start_soon(take)
        await settle()
        clock.set_ns(500 * MILLISECOND)
        scope.cancel()
        await settle()
        assert ends == []
        clock.set_ns(999 * MILLISECOND)
        await settle()
        assert ends == []
        clock.set_ns(1_000 * MILLISECOND)
        await settle()
    assert ends == [1_000 * MILLISECOND]
    assert bucket.available == 0


def test_a_cancel_that_comes_with_the_tokens_leaves_them_to_the_next(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = emptied(clock=clock)
        first, second = asyncio.create_task(bucket.take()), asyncio.create_task(bucket.take())
        await settle()
        clock.advance(1.0)
        # It has been woken, and has not run since.
        first.cancel()
        await settle()
        assert first.cancelled() and second.done() and not second.cancelled()
        assert bucket.waiting == 0

    asyncio.run(main())


# Without polling.


@pytest.mark.anyio
async def test_who_waits_is_polled_a_few_times_however_long_the_line_is(clock: seawall.ManualClock) -> None:
    bucket = emptied(10, 1, clock=clock)
    waiters = [counted(bucket) for _ in range(200)]
    async with anyio.create_task_group() as tasks:
        for _, wait in waiters:
            tasks.start_soon(functools.partial(_awaited, wait))
        await settle()
        for _ in range(200):
            clock.advance(0.1)
            await settle()
    polls = [polls.count for polls, _ in waiters]
    # It joins, becomes the first and books, is served.
    assert max(polls) <= 3, polls
    assert max(polls.wakes for polls, _ in waiters) <= 2


@pytest.mark.anyio
async def test_the_first_in_line_looks_once_a_second_at_most(clock: seawall.ManualClock) -> None:
    bucket = emptied("1/min", clock=clock)
    polls, wait = counted(bucket)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(_awaited, wait))
        await settle()
        for _ in range(6_000):
            clock.set_ns(clock.now_ns() + 10 * MILLISECOND)
            await settle(1)
        await settle()
    assert polls.count <= 62


@pytest.mark.anyio
async def test_a_rate_that_is_raised_counts_for_who_waits_already(clock: seawall.ManualClock) -> None:
    bucket = emptied("1/h", clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bucket.take)
        await settle()
        bucket.set_rate(10)
        clock.advance(1.0)
        await settle()
        clock.advance(0.1)
        await settle()
    assert bucket.waiting == 0


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


# How long at most.


@pytest.mark.anyio
async def test_a_wait_that_would_be_too_long_is_refused_at_once_and_takes_nothing(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    with pytest.raises(seawall.RateLimited) as refused:
        await bucket.take(max_wait=0.5)
    # Then half a second is enough.
    assert (refused.value.reason, refused.value.retry_after) == ("not_yet", 0.5)
    assert bucket.waiting == 0
    clock.advance(1.0)
    assert bucket.try_take()


def test_a_blocking_wait_that_would_be_too_long_is_refused_at_once(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    with pytest.raises(seawall.RateLimited):
        bucket.take_blocking(max_wait=0.999)
    with pytest.raises(seawall.RateLimited):
        bucket.take_blocking(max_wait=0)
    assert bucket.waiting == 0


@pytest.mark.anyio
async def test_who_does_not_come_to_the_front_in_time_is_refused_then(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    refused: list[int] = []

    async def take() -> None:
        try:
            await bucket.take(max_wait=1.5)
        except seawall.RateLimited:
            refused.append(clock.now_ns())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(functools.partial(bucket.take, 1))
        await settle()
        tasks.start_soon(functools.partial(bucket.take, 1))
        await settle()
        tasks.start_soon(take)
        await settle()
        clock.advance(1.0)
        await settle()
        assert refused == []
        clock.advance(0.5)
        await settle()
        assert refused == [1_500 * MILLISECOND]
        clock.advance(0.5)
        await settle()
    assert bucket.waiting == 0 and bucket.available == 0


@pytest.mark.anyio
async def test_more_than_the_burst_is_refused_at_once(clock: seawall.ManualClock) -> None:
    bucket = emptied(1, 5, clock=clock)
    with pytest.raises(seawall.RateLimited) as refused:
        await bucket.take(6)
    assert (refused.value.reason, refused.value.retry_after) == ("never", None)


@pytest.mark.parametrize("tokens", [0, 5])
@pytest.mark.parametrize("wrong", [-1, float("nan"), "soon", 1e300])
def test_a_max_wait_that_is_none_is_an_error_whether_there_are_tokens_or_not(tokens: int, wrong: Any) -> None:
    bucket = seawall.TokenBucket(5, initial=tokens, clock=seawall.ManualClock())
    for take in (bucket.take, bucket.take_blocking, bucket.reserve):
        with pytest.raises((TypeError, ValueError), match="max_wait must be 0 to"):
            take(max_wait=wrong)
    assert bucket.available == tokens


# However it is awaited.


def test_it_is_a_coroutine_for_every_use_of_asyncio_admitted_or_not(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = seawall.TokenBucket(1, 5, clock=clock)
        for _ in range(2):
            uses: list[Awaitable[Any]] = [
                asyncio.create_task(bucket.take()),
                asyncio.ensure_future(bucket.take()),
                asyncio.create_task(asyncio.wait_for(bucket.take(), PATIENCE)),
                asyncio.gather(bucket.take()),
                asyncio.shield(bucket.take()),
            ]
            await settle()
            while bucket.waiting:
                clock.advance(1.0)
                await settle()
            assert await asyncio.gather(*uses) == [None, None, None, [None], None]

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is of 3.11")
def test_it_is_taken_by_a_task_group_and_a_timeout_of_asyncio(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = seawall.TokenBucket(1, clock=clock)
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(PATIENCE):
            tasks.create_task(bucket.take())
            tasks.create_task(bucket.take())
            await settle()
            clock.advance(1.0)
        assert bucket.waiting == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await bucket.take()
        assert bucket.waiting == 0
        clock.advance(1.0)
        assert bucket.try_take()

    asyncio.run(main())


def test_a_wait_for_that_times_out_gives_its_place_back(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        bucket = emptied(clock=clock)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(bucket.take(), 0.001)
        assert bucket.waiting == 0
        clock.advance(1.0)
        assert bucket.try_take()

    asyncio.run(main())


@pytest.mark.anyio
async def test_it_is_taken_by_a_task_group_of_anyio_and_by_a_nursery(clock: seawall.ManualClock) -> None:
    bucket = seawall.TokenBucket(1, clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bucket.take)
        tasks.start_soon(bucket.take)
        await settle()
        assert bucket.waiting == 1
        clock.advance(1.0)
    with anyio.move_on_after(0.001) as scope:
        await bucket.take()
    assert scope.cancelled_caught and bucket.waiting == 0


@pytest.mark.anyio
async def test_async_with_waits_for_one_token(clock: seawall.ManualClock) -> None:
    bucket = seawall.TokenBucket(1, clock=clock)
    inside: list[int] = []

    async def enter() -> None:
        async with bucket:
            inside.append(clock.now_ns())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(enter)
        tasks.start_soon(enter)
        await settle()
        clock.advance(1.0)
    assert inside == [0, 1_000 * MILLISECOND]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of 3.12")
def test_eager_tasks_wait_in_line_too(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        bucket = seawall.TokenBucket(1, clock=clock)
        tasks = [asyncio.create_task(bucket.take()) for _ in range(3)]
        assert [task.done() for task in tasks] == [True, False, False]
        for _ in range(2):
            clock.advance(1.0)
            await settle()
        assert all(task.done() for task in tasks)

    asyncio.run(main())


def test_what_is_admitted_at_once_needs_no_loop() -> None:
    bucket = seawall.TokenBucket(1)
    with pytest.raises(StopIteration):
        bucket.take().send(None)
    assert not bucket.try_take()


def test_what_was_never_awaited_holds_no_place(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        coroutine = bucket.take()
        assert bucket.waiting == 0
        del coroutine
        gc.collect()
    clock.advance(1.0)
    assert bucket.try_take()


# At a guard.


def narrow(clock: seawall.ManualClock | None = None) -> seawall.Guard:
    """One at a time."""
    return seawall.Guard(1_000, 1.0, max_in_flight=1, limit={"start": 1}, max_wait=60.0, clock=clock)


@pytest.mark.anyio
async def test_tasks_come_into_a_guard_in_the_order_of_arrival_as_others_leave(clock: seawall.ManualClock) -> None:
    guard = narrow(clock)
    inside: list[int] = []
    leave = [anyio.Event() for _ in range(5)]

    async def enter(number: int) -> None:
        async with guard:
            inside.append(number)
            await leave[number].wait()

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(enter, number)
            await settle()
        for number in range(5):
            assert inside == list(range(number + 1))
            assert guard.waiting == 4 - number
            # One token earned; the clock alone lets nobody in.
            clock.advance(0.1)
            await settle()
            assert inside == list(range(number + 1))
            leave[number].set()
            await settle()


@pytest.mark.anyio
async def test_who_is_cancelled_in_the_line_of_a_guard_keeps_nobody_out(clock: seawall.ManualClock) -> None:
    guard = narrow(clock)
    inside: list[int] = []

    async def enter(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            async with guard:
                inside.append(number)
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        scopes = [anyio.CancelScope() for _ in range(4)]
        for number, scope in enumerate(scopes):
            tasks.start_soon(enter, number, scope)
            await settle()
        clock.advance(1.0)
        scopes[1].cancel()
        await settle()
        assert (inside, guard.waiting) == ([0], 2)
        scopes[0].cancel()
        await settle()
        assert (inside, guard.waiting) == ([0, 2], 1)
        scopes[2].cancel()
        await settle()
        assert (inside, guard.waiting) == ([0, 2, 3], 0)
        scopes[3].cancel()
    assert guard.limit.in_flight == 0


@pytest.mark.anyio
async def test_a_thread_that_leaves_a_guard_lets_a_task_in() -> None:
    guard = narrow()
    leave = threading.Event()

    def hold() -> None:
        with guard:
            leave.wait(PATIENCE)

    with thread(hold):
        await anyio.to_thread.run_sync(until, lambda: guard.limit.in_flight == 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(functools.partial(_awaited, guard.call(_nothing)))
            await anyio.to_thread.run_sync(until, lambda: guard.waiting == 1)
            leave.set()
    assert guard.waiting == 0


async def _nothing() -> None:
    pass


@pytest.mark.anyio
async def test_who_waits_at_a_guard_is_polled_a_few_times_however_often_others_come_and_go(
    clock: seawall.ManualClock,
) -> None:
    guard = narrow(clock)
    holder = guard.begin().try_attempt()
    polls = [Polls(waiting_of(guard.begin().attempt())) for _ in range(50)]
    entered: list[int] = []

    async def enter(number: int) -> None:
        attempt = await _waiting.wait(polls[number])  # type: ignore[arg-type]
        entered.append(number)
        clock.advance(0.01)
        attempt.finish("success")

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(enter, number)
            await settle(1)
        await settle()
        holder.finish("success")
        for _ in range(200):
            clock.advance(0.01)
            await settle()
    assert len(entered) == 50
    assert max(poll.count for poll in polls) <= 5, [poll.count for poll in polls]


# On a clock that jumps.


def test_before_a_clock_jumps_others_have_their_turn() -> None:
    async def main() -> None:
        clock = seawall.ManualClock(autojump=True)
        guard = narrow(clock)
        inside = most = 0

        async def enter() -> None:
            nonlocal inside, most
            async with guard:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(enter() for _ in range(3)))
        assert most == 1
        # The lease of a slot that nobody leaves would end after five seconds.
        assert clock.now() < 5.0

    asyncio.run(main())


@pytest.mark.anyio
async def test_a_clock_that_jumps_comes_to_the_end_of_each_wait_in_the_order_of_arrival() -> None:
    clock = seawall.ManualClock(autojump=True)
    bucket = seawall.TokenBucket("1/min", initial=0, clock=clock)
    for minute in range(1, 4):
        await bucket.take()
        assert clock.now() == minute * 60.0
    bucket.take_blocking()
    assert clock.now() == 240.0


@pytest.mark.anyio
async def test_of_several_who_wait_the_earliest_makes_the_clock_jump() -> None:
    clock = seawall.ManualClock(autojump=True)
    ends: dict[float, float] = {}

    async def take(seconds: float) -> None:
        await seawall.TokenBucket((1, seconds), initial=0, clock=clock).take()
        ends[seconds] = clock.now()

    async with anyio.create_task_group() as tasks:
        for seconds in (30.0, 0.5, 600.0, 7.0):
            tasks.start_soon(take, seconds)
    assert ends == {seconds: seconds for seconds in (0.5, 7.0, 30.0, 600.0)}


# Woken from elsewhere, and not at all.


@pytest.mark.anyio
async def test_a_clock_that_another_thread_moves_wakes_a_task(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bucket.take)
        await settle()
        await anyio.to_thread.run_sync(clock.advance, 1.0)
    assert bucket.waiting == 0


@pytest.mark.anyio
async def test_a_thread_that_leaves_the_line_wakes_the_task_behind_it(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)

    def block() -> None:
        with pytest.raises(seawall.RateLimited):
            bucket.take_blocking(2, max_wait=60)
        bucket.take_blocking()

    with thread(block):
        await anyio.to_thread.run_sync(until, lambda: bucket.waiting == 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bucket.take)
            await anyio.to_thread.run_sync(until, lambda: bucket.waiting == 2)
            clock.advance(1.0)
            await anyio.to_thread.run_sync(until, lambda: bucket.waiting == 1)
            clock.advance(1.0)
    assert bucket.waiting == 0


def test_a_thread_is_woken_when_it_becomes_the_first(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    served: list[int] = []

    def block(number: int) -> None:
        bucket.take_blocking()
        served.append(number)

    with thread(lambda: block(0)):
        until(lambda: bucket.waiting == 1)
        with thread(lambda: block(1)):
            until(lambda: bucket.waiting == 2)
            for number in range(2):
                clock.advance(1.0)
                until(lambda: len(served) == number + 1)
    assert served == [0, 1]


def test_a_loop_that_was_closed_meanwhile_is_not_in_the_way(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)

    async def begin() -> None:
        asyncio.create_task(bucket.take())
        await settle()

    # It cancels what is left.
    asyncio.run(begin())
    assert bucket.waiting == 0
    clock.advance(1.0)
    assert bucket.try_take()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_task_that_was_left_in_a_closed_loop_is_woken_without_a_word(
    where: str, clock: seawall.ManualClock, unraisable: list[Any]
) -> None:
    bucket = emptied(clock=clock)
    loop = asyncio.new_event_loop()
    task = loop.create_task(bucket.take())
    loop.run_until_complete(settle())
    assert bucket.waiting == 1
    loop.close()
    if where == "here":
        clock.advance(1.0)
    else:
        with thread(lambda: clock.advance(1.0)):
            pass
    assert unraisable == []
    # Once it is gone, its place is free.
    task.get_coro().close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    assert bucket.waiting == 0
    assert bucket.try_take()


def test_the_next_one_has_the_turn_of_a_task_whose_loop_was_closed() -> None:
    bucket = emptied(100)
    loop = asyncio.new_event_loop()
    first = loop.create_task(bucket.take())
    second = loop.create_task(bucket.take())
    first._log_destroy_pending = second._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.run_until_complete(settle())
    loop.close()
    assert bucket.waiting == 2
    # It is garbage, as nobody holds it but its loop; the second is there still, and its turn comes.
    del first
    gc.collect()
    assert bucket.waiting == 0
    bucket.take_blocking(max_wait=PATIENCE)
    second.get_coro().close()


def test_any_number_of_tasks_whose_loop_was_closed_let_the_next_one_pass(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    closed, loop = asyncio.new_event_loop(), asyncio.new_event_loop()
    first = loop.create_task(bucket.take())
    loop.run_until_complete(settle())
    # They are kept, so that they are no garbage.
    left = [closed.create_task(bucket.take()) for _ in range(3000)]
    closed.run_until_complete(settle())
    closed.close()
    last = loop.create_task(bucket.take())
    loop.run_until_complete(settle())
    clock.advance(1.0)
    loop.run_until_complete(first)
    assert bucket.waiting == 1
    clock.advance(1.0)
    loop.run_until_complete(asyncio.wait_for(last, PATIENCE))
    loop.close()
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()


def test_a_task_that_only_its_loop_knows_is_not_lost_while_it_waits(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    served: list[int] = []

    async def take(number: int) -> None:
        await bucket.take()
        served.append(number)

    async def run() -> None:
        for number in range(3):
            # It is on purpose that nobody keeps it.
            asyncio.get_running_loop().create_task(take(number))
        await settle()
        gc.collect()
        for _ in range(3):
            clock.advance(1.0)
            await settle()

    asyncio.run(run())
    assert served == [0, 1, 2]


def test_a_task_is_woken_from_another_loop_of_its_thread(clock: seawall.ManualClock, unraisable: list[Any]) -> None:
    bucket = emptied(clock=clock)
    loop = asyncio.new_event_loop()
    task = loop.create_task(bucket.take())
    loop.run_until_complete(settle())

    async def advance() -> None:
        clock.advance(1.0)

    asyncio.run(advance())
    loop.run_until_complete(asyncio.wait_for(task, PATIENCE))
    loop.close()
    assert unraisable == []


def test_a_loop_may_move_to_another_thread(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    loop = asyncio.new_event_loop()
    task = loop.create_task(bucket.take())
    loop.run_until_complete(settle())

    def go_on() -> None:
        loop.run_until_complete(asyncio.wait_for(asyncio.shield(task), PATIENCE))

    with thread(go_on):
        # The thread in which it began, which is not the loop's any more.
        until(loop.is_running)
        clock.advance(1.0)
    assert task.done()
    loop.close()


def test_a_trio_that_is_a_guest_of_asyncio_is_woken_from_asyncio(clock: seawall.ManualClock) -> None:
    import trio

    bucket = emptied(clock=clock)

    async def take() -> str:
        await bucket.take()
        return "taken"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            take, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=ended.set_result
        )
        deadline = loop.time() + PATIENCE
        while bucket.waiting == 0:
            assert loop.time() < deadline
            await asyncio.sleep(0.001)
        clock.advance(1.0)
        assert (await asyncio.wait_for(ended, PATIENCE)).unwrap() == "taken"

    asyncio.run(main())


def test_nothing_is_left_of_those_who_waited(clock: seawall.ManualClock) -> None:
    async def main() -> None:
        for _ in range(3):
            tasks = [asyncio.create_task(bucket.take(max_wait=100)) for _ in range(10)]
            await settle()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    bucket = emptied(clock=clock)
    asyncio.run(main())
    gone = weakref.ref(bucket)
    del bucket
    gc.collect()
    assert gone() is None


def test_a_clock_forgets_who_does_not_wait_any_more(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    gone = []
    for _ in range(10):

        def wake() -> None:
            pass

        waiting = waiting_of(bucket.take(max_wait=100))
        assert waiting.poll(wake) is not None
        gone.append(weakref.ref(wake))
        waiting.close()
        del wake, waiting
    gc.collect()
    assert [wake() for wake in gone] == [None] * 10


@pytest.mark.anyio
async def test_those_whose_patience_ends_at_one_instant_leave_together(
    clock: seawall.ManualClock,
) -> None:
    bucket = emptied("1/h", clock=clock)
    left: list[int] = []

    async def take(number: int) -> None:
        try:
            await bucket.take(max_wait=10)
        except seawall.RateLimited:
            left.append(number)

    first = waiting_of(bucket.take())
    first.poll(lambda: None)
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(take, number)
            await settle(1)
        await settle()
        clock.advance(10.0)
    first.close()
    # Trio runs what is due together in an order of its own; the order of their waking is the clock's.
    assert sorted(left) == list(range(100))
    assert bucket.waiting == 0


def test_who_sleeps_until_one_instant_is_woken_in_the_order_of_coming(clock: seawall.ManualClock) -> None:
    bucket = emptied("1/h", clock=clock)
    woken: list[int] = []
    waits = [waiting_of(bucket.take(max_wait=10)) for _ in range(100)]
    first = waiting_of(bucket.take())
    first.poll(lambda: None)
    for number, waiting in enumerate(waits):
        waiting.poll(functools.partial(woken.append, number))
    clock.advance(10.0)
    assert woken == list(range(100))
    for waiting in [first, *waits]:
        waiting.close()


# Ctrl-C.

BLOCKING = """
import seawall, sys
bucket = seawall.TokenBucket("1/h", initial=0)
print("waiting", flush=True)
try:
    bucket.take_blocking()
except KeyboardInterrupt:
    print("interrupted", bucket.waiting, flush=True)
"""

ON_A_CLOCK_THAT_JUMPS = """
import seawall
clock = seawall.ManualClock(autojump=True)
bucket = seawall.TokenBucket(0, 1, initial=0, clock=clock)
try:
    print("waiting", flush=True)
    bucket.take_blocking()
except KeyboardInterrupt:
    print("interrupted", bucket.waiting, flush=True)
"""

IN_A_LOOP = """
import seawall, sys
LOOP = sys.argv[1]
bucket = seawall.TokenBucket("1/h", initial=0)
async def main():
    print("waiting", flush=True)
    await bucket.take()
try:
    if LOOP == "trio":
        import trio
        trio.run(main)
    else:
        import asyncio
        asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", bucket.waiting, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process of Windows gets no SIGINT of its own")
@pytest.mark.parametrize(("program", "loop"), [(BLOCKING, ""), (IN_A_LOOP, "asyncio"), (IN_A_LOOP, "trio")])
def test_ctrl_c_ends_a_wait_of_an_hour(program: str, loop: str) -> None:
    # The wait is an hour, and the patience is not.
    command = [sys.executable, "-c", program, loop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "waiting\n"
            _until_asleep(process.pid)
            os.kill(process.pid, signal.SIGINT)
            rest, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert rest == "interrupted 0\n"
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a process of Windows gets no SIGINT of its own")
def test_ctrl_c_ends_a_wait_for_ever_on_a_clock_that_jumps() -> None:
    command = [sys.executable, "-c", ON_A_CLOCK_THAT_JUMPS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "waiting\n"
            os.kill(process.pid, signal.SIGINT)
            rest, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert rest == "interrupted 0\n"


def _until_asleep(process: int) -> None:
    """Where it can be seen: otherwise the signal comes while it goes to sleep, which is as good."""
    path = f"/proc/{process}/stat"
    if os.path.exists(path):

        def is_asleep() -> bool:
            with open(path) as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] == "S"

        until(is_asleep)


def test_an_interrupt_in_the_middle_of_a_wake_is_neither_lost_nor_swallowed(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    waiting = waiting_of(bucket.take())
    calls = []

    def wake() -> None:
        calls.append(True)
        if len(calls) == 1:
            raise KeyboardInterrupt

    assert waiting.poll(wake) == float("inf")
    with pytest.raises(KeyboardInterrupt):
        clock.advance(1.0)
        # The signal is seen at the next line, at the latest.
        until(lambda: False)
    assert len(calls) == 2
    assert waiting.poll(wake) is None


def test_what_a_wake_raises_does_not_come_into_the_way_of_who_wakes(
    clock: seawall.ManualClock, unraisable: list[Any]
) -> None:
    bucket = emptied(clock=clock)
    waiting = waiting_of(bucket.take())

    def wake() -> None:
        raise LookupError

    waiting.poll(wake)
    clock.advance(1.0)
    assert [type(hooked.exc_value) for hooked in unraisable] == [LookupError]


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    hooked: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", hooked.append)
    return hooked


# By hand.


def test_a_wait_is_over_once_and_its_end_is_asked_for_once(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    waiting = waiting_of(bucket.take())

    def wake() -> None:
        pass

    with pytest.raises(RuntimeError):
        waiting.result()
    assert waiting.poll(wake) == float("inf")
    clock.advance(1.0)
    assert waiting.poll(wake) is None
    assert waiting.poll(wake) is None
    assert waiting.result() is None
    with pytest.raises(RuntimeError):
        waiting.result()
    waiting.close()


def test_who_closes_a_wait_passes_its_place_on(clock: seawall.ManualClock) -> None:
    bucket = emptied(clock=clock)
    first, second = waiting_of(bucket.take()), waiting_of(bucket.take())
    woken: list[str] = []
    first.poll(functools.partial(woken.append, "first"))
    second.poll(functools.partial(woken.append, "second"))
    first.close()
    assert woken == ["second"]
    assert bucket.waiting == 1
    second.close()
    assert bucket.waiting == 0


def test_the_sleep_of_a_thread_ends_though_it_is_longer_than_a_thread_can_sleep() -> None:
    class Longest:
        delays = [float("inf"), 1e300, None]

        def poll(self, wake: Callable[[], None]) -> float | None:
            wake()
            return self.delays.pop(0)

        def result(self) -> str:
            return "over"

        def close(self) -> None:
            pass

    assert _waiting.block(Longest()) == "over"  # type: ignore[arg-type]
    Longest.delays = [float("inf"), 1e300, None]
    assert asyncio.run(_waiting.wait(Longest())) == "over"  # type: ignore[arg-type]
