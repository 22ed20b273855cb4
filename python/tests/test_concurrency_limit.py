"""The concurrency limit: how it moves, what a slot is worth, and who is told."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import threading
import weakref
from datetime import timedelta
from typing import Any

import pytest

import seawall
from seawall import ConcurrencyLimit, ConcurrencyLimited, ManualClock

Changes = list[tuple[int, int, str]]


def full(limit: ConcurrencyLimit) -> list[seawall.LimitPermit]:
    """All that may be in flight."""
    permits = []
    while limit.peek() is None:
        permits.append(limit.try_attempt())
    return permits


def replies(limit: ConcurrencyLimit, clock: ManualClock, seconds: float, outcome: Any = "success") -> None:
    """As many calls as may be in flight, each of which took so long."""
    permits = full(limit)
    clock.advance(seconds)
    for permit in permits:
        permit.finish(outcome)


def test_it_grows_while_calls_are_quick_and_falls_when_they_get_slow(clock: ManualClock) -> None:
    changes: Changes = []

    def changed(old: int, new: int, reason: str) -> None:
        changes.append((old, new, reason))

    limit = ConcurrencyLimit(saturated_after=0, tolerance=0, on_limit_change=changed, clock=clock)
    assert (limit.limit, limit.in_flight, limit.slow_after) == (2, 0, 0.25)
    for _ in range(20):
        replies(limit, clock, 0.02)
    grown = limit.limit
    assert grown > 10
    assert changes == [(old, old + 1, "growth") for old in range(2, grown)]
    changes.clear()
    replies(limit, clock, 0.3)
    replies(limit, clock, 1.0, "timeout")
    replies(limit, clock, 0.0, "throttled")
    assert [reason for *_, reason in changes] == ["slow", "timeout", "throttled"]
    assert limit.limit < grown * 0.4


def test_failures_that_come_at_once_cut_a_limit_that_stays_full(clock: ManualClock) -> None:
    reasons: list[str] = []
    limit = ConcurrencyLimit(8, on_limit_change=lambda old, new, reason: reasons.append(reason), clock=clock)
    held = full(limit)
    while not reasons and len(held) == 8:
        held.pop(0).finish("failure")
        clock.advance(0.001)
        held += full(limit)
    assert reasons == ["refused"]


def test_the_usual_latency_is_learnt(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(8, tolerance=2, clock=clock)
    for _ in range(1000):
        with limit.try_attempt():
            clock.advance(0.3)
    assert limit.slow_after == pytest.approx(0.6, rel=0.02)


def test_never_more_permits_are_held_than_the_limit_however_many_threads_ask() -> None:
    limit = ConcurrencyLimit(3, ceiling=3, floor=3)
    inside = 0
    most: list[int] = []
    lock = threading.Lock()
    start = threading.Barrier(8)

    @limit
    def call() -> None:
        nonlocal inside
        with lock:
            inside += 1
            most.append(inside)
        with lock:
            inside -= 1

    def work() -> None:
        start.wait()
        for _ in range(500):
            try:
                call()
            except ConcurrencyLimited:
                pass

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switching)
    assert max(most) <= 3
    assert limit.in_flight == 0


def test_protected_calls_run_in_parallel() -> None:
    limit = ConcurrencyLimit(4)
    together = threading.Barrier(4)
    met: list[int] = []
    threads = [threading.Thread(target=lambda: met.append(limit.call(together.wait, 10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(met) == [0, 1, 2, 3]


def test_a_refusal_knows_no_time(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(1, clock=clock)
    with limit.try_attempt(), pytest.raises(ConcurrencyLimited, match="refused by the concurrency limit") as caught:
        limit.call(int)
    assert (caught.value.stage, caught.value.reason, caught.value.retry_after) == ("concurrency_limit", "not_yet", None)


def test_a_permit_that_is_forgotten_frees_its_slot_at_once(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(1, clock=clock)
    permit = limit.try_attempt()
    assert limit.in_flight == 1
    del permit
    assert (limit.in_flight, limit.limit) == (0, 1)


def test_a_permit_that_hangs_frees_its_slot_by_its_lease_and_its_late_report_harms_nobody(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(1, lease=5, clock=clock)
    hung = limit.try_attempt()
    clock.advance(5.1)
    assert limit.in_flight == 0
    second = limit.try_attempt()
    hung.finish("failure")
    assert limit.in_flight == 1
    second.finish("ignored")
    assert limit.in_flight == 0


def test_a_permit_is_given_back_once(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(2, clock=clock)
    first, second = full(limit)
    assert first.cancel()
    assert not first.cancel()
    first.finish("failure")
    assert limit.in_flight == 1
    second.finish("ignored")
    assert not second.cancel()
    with pytest.raises(ValueError, match="ask for another"), second:
        pass


def test_a_callback_that_raises_is_reported_and_changes_nothing(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: unraisable.append(found.exc_value))

    def callback(old: int, new: int, reason: str) -> None:
        raise LookupError(old, new, reason)

    limit = ConcurrencyLimit(2, on_limit_change=callback, clock=clock)
    limit.set_limit(5)
    assert limit.limit == 5
    assert [error.args for error in unraisable] == [(2, 5, "set")]


def test_the_limit_is_set_within_its_bounds(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(4, floor=2, ceiling=8, clock=clock)
    held = full(limit)
    limit.set_limit(1000)
    assert limit.limit == 8
    limit.set_limit(0)
    assert (limit.limit, limit.in_flight) == (2, 4)
    held.pop().cancel()
    held.pop().cancel()
    assert limit.peek() is not None
    for bad in (-1, 2**32, 1.5, "2"):
        with pytest.raises((ValueError, TypeError), match="limit must be an integer from 0"):
            limit.set_limit(bad)  # type: ignore[arg-type]


def test_settings_change_while_it_is_used_and_the_others_stay(clock: ManualClock) -> None:
    changes: Changes = []
    limit = ConcurrencyLimit(
        20, slow_after=0.1, on_limit_change=lambda old, new, reason: changes.append((old, new, reason)), clock=clock
    )
    limit.set_config(ceiling=10)
    assert changes == [(20, 10, "set")]
    limit.set_config(ceiling=1024)
    assert (limit.limit, limit.slow_after) == (10, 0.1)
    limit.set_limit(1000)
    assert len(full(limit)) == 1000
    limit.set_config(slow_after=timedelta(seconds=0.2), timeout=None)
    assert repr(limit) == "ConcurrencyLimit(limit=1000, in_flight=0, floor=1, ceiling=1024)"
    assert limit.slow_after == 0.2


def test_a_change_that_is_refused_changes_nothing(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(4, clock=clock)
    for bad, complaint in (
        ({"ceiling": 1025}, "ceiling must be an integer from 1 to the 1024 slots that it has, not 1025"),
        ({"ceiling": 3, "timeout": 0.1}, "timeout must be at least slow_after, 0.25 seconds, not 0.1"),
        ({"floor": 65}, "floor must be an integer from 1 to 64, not 65"),
    ):
        with pytest.raises(ValueError, match=complaint):
            limit.set_config(**bad)
    with pytest.raises(TypeError, match="ConcurrencyLimit.set_config has no setting 'start'"):
        limit.set_config(start=3)  # type: ignore[call-arg]
    assert repr(limit) == "ConcurrencyLimit(limit=4, in_flight=0, floor=1, ceiling=64)"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"start": 0}, "start must be an integer from 1 to 64, not 0"),
        ({"start": 65}, "start must be an integer from 1 to 64, not 65"),
        ({"floor": 0}, "floor must be an integer from 1"),
        ({"ceiling": 0}, "ceiling must be an integer from 1 to 65535"),
        ({"ceiling": 65536}, "ceiling must be an integer from 1 to 65535"),
        ({"slow_after": 0}, "slow_after must be over 0 seconds"),
        ({"tolerance": 0.9}, "tolerance must be a factor from 1.0 to 100.0, or 0"),
        ({"saturated_after": 61}, "saturated_after must be an integer from 0 to 60"),
        ({"timeout": 0}, "timeout must be over 0 seconds"),
        ({"slow_factor": 1}, "slow_factor must be a factor from 0.0 to less than 1.0"),
        ({"timeout_factor": -0.1}, "timeout_factor must be a share from 0.0"),
        ({"lease": 0.5}, "lease must be at least timeout, 1 seconds, not 0.5"),
        ({"slow_after": 2}, "timeout must be at least slow_after, 2 seconds, not 1"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ConcurrencyLimit(**settings)
    words: dict[str, Any] = {name: "soon" for name in settings}
    with pytest.raises(TypeError, match=f"{next(iter(settings))} must be .*, not 'soon'"):
        ConcurrencyLimit(**words)


def test_what_goes_with_a_setting_need_not_be_given(clock: ManualClock) -> None:
    assert ConcurrencyLimit(ceiling=1).limit == 1
    assert ConcurrencyLimit(floor=10).limit == 10
    assert ConcurrencyLimit(timeout=0.1).slow_after == 0.025
    slow = ConcurrencyLimit(1, timeout=60, clock=clock)
    permit = slow.try_attempt()
    clock.advance(299)
    assert slow.in_flight == 1
    clock.advance(2)
    assert slow.in_flight == 0
    permit.cancel()


def test_a_clock_that_steps_back_is_seen_and_a_reset_helps(clock: ManualClock) -> None:
    clock.set(1e6)
    limit = ConcurrencyLimit(1, clock=clock)
    held = limit.try_attempt()
    clock.set(0)
    assert limit.peek().reason == "clock_stepped"  # type: ignore[union-attr]
    limit.reset()
    assert limit.peek() is None
    assert not held.cancel()


def test_leases_go_on_after_a_rebase(clock: ManualClock) -> None:
    clock.set(1000)
    limit = ConcurrencyLimit(1, lease=5, clock=clock)
    held = limit.try_attempt()
    clock.set(3)
    limit.rebase(1000, 3)
    clock.set(7.9)
    assert limit.in_flight == 1
    clock.set(8.1)
    assert limit.in_flight == 0
    assert not held.cancel()


def test_a_cycle_through_a_callback_is_garbage(clock: ManualClock) -> None:
    class Client:
        def __init__(self) -> None:
            self.limit = ConcurrencyLimit(on_limit_change=self.changed, on=self.judge, clock=clock)
            self.permit = self.limit.try_attempt()

        def changed(self, old: int, new: int, reason: str) -> None: ...

        def judge(self, error: Exception) -> None: ...

    for name in ("limit", "permit", "__self__"):
        client = Client()
        watched: weakref.ref[object] = weakref.ref(client if name == "__self__" else getattr(client, name))
        gc.collect()
        assert watched() is not None
        del client
        gc.collect()
        assert watched() is None


def test_it_is_not_copied_or_pickled(clock: ManualClock) -> None:
    limit = ConcurrencyLimit(clock=clock)
    for shared in (limit, limit.try_attempt()):
        with pytest.raises(TypeError, match=f"a {type(shared).__name__} cannot be pickled"):
            pickle.dumps(shared)
        with pytest.raises(TypeError):
            copy.copy(shared)
