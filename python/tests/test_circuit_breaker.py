"""The circuit breaker: when it opens, probes and closes, who is told, and what its callers see."""

from __future__ import annotations

import contextvars
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import seawall
from seawall import CircuitBreaker, CircuitOpen, ManualClock

Changes = list[tuple[str, str]]


def noted(changes: Changes) -> Callable[[str, str], None]:
    return lambda old, new: changes.append((old, new))


def state(breaker: CircuitBreaker) -> str:
    """Its state, as a type checker would take it for the same one after each call."""
    return breaker.state


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.try_attempt().finish("failure")


def raises(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def half_open(clock: ManualClock, **settings: Any) -> CircuitBreaker:
    """One whose open interval is over."""
    settings = {"open_for": 1, "open_jitter": 0, "ramp": 0, **settings}
    breaker = CircuitBreaker(clock=clock, **settings)
    breaker.trip()
    clock.advance(1.1)
    assert state(breaker) == "half_open"
    return breaker


def test_the_lines_of_the_guide_work_as_they_read(clock: ManualClock) -> None:
    changes: Changes = []
    breaker = CircuitBreaker(failure_threshold=5, on_state_change=noted(changes), clock=clock)
    sent = 0
    for _ in range(8):
        if not breaker.should_block():
            sent += 1
            breaker.on_failure()
    assert (sent, state(breaker), changes) == (5, "open", [("closed", "open")])
    while breaker.should_block():
        clock.advance(0.1)
    assert clock.now() <= 1.4
    assert state(breaker) == "half_open"
    breaker.on_success()
    assert not breaker.should_block()
    breaker.on_success()
    assert state(breaker) == "closed"
    assert changes == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]


def test_a_success_ends_a_row_of_failures(clock: ManualClock) -> None:
    breaker = CircuitBreaker(3, clock=clock)
    for _ in range(10):
        breaker.on_failure()
        breaker.on_failure()
        breaker.on_success()
    assert state(breaker) == "closed"


ASKERS: dict[str, Callable[[CircuitBreaker], object]] = {
    "should_block": lambda breaker: breaker.should_block(),
    "try_attempt": lambda breaker: breaker.try_attempt(),
    "call": lambda breaker: breaker.call(int),
    "decorator": lambda breaker: breaker(int)(),
    "with": lambda breaker: contextvars.copy_context().run(breaker.__enter__),
    "async with": lambda breaker: contextvars.copy_context().run(breaker.__aenter__),
}


@pytest.mark.parametrize("asker", ASKERS)
def test_who_finds_the_open_interval_over_tells_it_and_once(clock: ManualClock, asker: str) -> None:
    changes: Changes = []
    breaker = half_open(clock, on_state_change=noted(changes))
    breaker.peek()
    assert changes == [("closed", "open")]
    ASKERS[asker](breaker)
    breaker.should_block()
    assert changes == [("closed", "open"), ("open", "half_open")]


def test_of_many_threads_one_tells_a_change(clock: ManualClock) -> None:
    changes: Changes = []
    breaker = CircuitBreaker(2, open_jitter=0, probes=1, ramp=0, on_state_change=noted(changes), clock=clock)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in range(200):
            try:
                breaker.call(raises(OSError()))
            except (OSError, CircuitOpen):
                pass

    rounds = 20
    for _ in range(rounds):
        changes.clear()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.advance(10)
        assert state(breaker) == "half_open"
        assert changes in ([("closed", "open")], [("open", "half_open"), ("half_open", "open")])


def test_it_opens_at_a_share_of_failures(clock: ManualClock) -> None:
    breaker = CircuitBreaker(failure_share=0.5, window=10, minimum=4, clock=clock)
    fail(breaker, 3)
    assert state(breaker) == "closed"
    for _ in range(3):
        breaker.on_success()
    assert state(breaker) == "closed"
    fail(breaker)
    assert state(breaker) == "open"


def test_it_opens_at_a_share_of_slow_calls(clock: ManualClock) -> None:
    breaker = CircuitBreaker(slow_share=0.5, slower_than=timedelta(seconds=1), window=4, minimum=2, clock=clock)
    with breaker.try_attempt():
        clock.advance(1)
    with breaker.try_attempt():
        pass
    assert state(breaker) == "closed"
    with pytest.raises(CircuitOpen):
        for _ in range(3):
            breaker.call(lambda: clock.advance(1.1))
    assert state(breaker) == "open"


def test_a_small_window_needs_no_smaller_minimum(clock: ManualClock) -> None:
    breaker = CircuitBreaker(failure_share=1.0, window=2, clock=clock)
    fail(breaker, 2)
    assert state(breaker) == "open"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"failure_threshold": 3, "failure_share": 0.5}, "failure_threshold, failure_share and slow_share are three rules"),
        ({"failure_share": 0.5, "slow_share": 0.5, "slower_than": 1}, "give one of them"),
        ({"slow_share": 0.5}, "slow_share needs slower_than"),
        ({"slower_than": 1}, "slower_than needs slow_share"),
        ({"failure_share": 0.5, "slower_than": 1}, "slower_than needs slow_share"),
        ({"window": 10}, "window needs failure_share or slow_share"),
        ({"failure_threshold": 3, "minimum": 10}, "minimum needs failure_share or slow_share"),
        ({"failure_share": 0.5, "window": 4, "minimum": 5}, "minimum: .* allowed are 1 to its window"),
        ({"open_for": 2, "open_cap": 1}, "open_cap: the cap of the open interval"),
    ],
)
def test_settings_that_contradict_each_other_are_an_error_that_says_so(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        CircuitBreaker(**settings)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"failure_threshold": 0}, "failure_threshold must be an integer from 1"),
        ({"failure_threshold": 2**32}, "failure_threshold must be an integer from 1"),
        ({"failure_share": 0}, "failure_share must be a share over 0.0"),
        ({"failure_share": 1.1}, "failure_share must be a share from 0.0 to 1.0, not 1.1"),
        ({"slow_share": 0.5, "slower_than": 0}, "slower_than must be over 0 seconds"),
        ({"failure_share": 0.5, "window": 33}, "window must be an integer from 1 to 32, not 33"),
        ({"open_for": 0}, "open_for must be over 0 seconds"),
        ({"open_for": -1}, "open_for must be 0 to"),
        ({"open_for": float("nan")}, "open_for must be 0 to"),
        ({"open_jitter": 1}, "open_jitter must be a share from 0.0 to less than 1.0"),
        ({"open_growth": 0.99}, "open_growth must be a factor from 1.0"),
        ({"probes": 9}, "probes must be an integer from 1 to 8, not 9"),
        ({"probe_lease": 0}, "probe_lease must be over 0 seconds"),
        ({"close_share": 0}, "close_share must be a share over 0.0"),
        ({"ramp": -1}, "ramp must be 0 to"),
        ({"seed": 2**64}, "seed must be an integer from 0 to"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CircuitBreaker(**settings)
    words: dict[str, Any] = {name: "soon" for name in settings}
    with pytest.raises(TypeError, match=f"({'|'.join(settings)}) must be .*, not 'soon'"):
        CircuitBreaker(**words)


def test_a_setting_that_there_is_not_is_an_error_that_lists_those_that_there_are() -> None:
    with pytest.raises(TypeError, match=r"CircuitBreaker has no setting 'timeout': there are failure_threshold, .* ramp"):
        CircuitBreaker(timeout=3)  # type: ignore[call-arg]


def test_a_long_interval_needs_no_longer_cap(clock: ManualClock) -> None:
    breaker = CircuitBreaker(1, open_for=30, open_jitter=0, clock=clock)
    fail(breaker)
    refused = breaker.peek()
    assert refused is not None and refused.retry_after == pytest.approx(30, abs=1e-5)


def test_settings_change_while_it_is_used_and_the_others_stay(clock: ManualClock) -> None:
    breaker = CircuitBreaker(5, open_for=2, open_jitter=0, clock=clock)
    fail(breaker, 2)
    breaker.set_config(failure_threshold=3)
    fail(breaker)
    assert state(breaker) == "open"
    assert breaker.peek().retry_after == pytest.approx(2, abs=1e-5)  # type: ignore[union-attr]

    breaker.reset()
    breaker.set_config(failure_share=0.5, window=4, minimum=4)
    breaker.set_config(minimum=2)
    fail(breaker, 2)
    assert state(breaker) == "open"

    breaker.reset()
    breaker.set_config(slow_share=1.0, slower_than=1, minimum=1)
    breaker.set_config(slower_than=3)
    breaker.call(lambda: clock.advance(2))
    assert state(breaker) == "closed"
    breaker.set_config(failure_threshold=1)
    assert repr(breaker) == "CircuitBreaker(failure_threshold=1, state='closed')"


def test_a_change_that_is_refused_changes_nothing(clock: ManualClock) -> None:
    breaker = CircuitBreaker(2, clock=clock)
    for bad in ({"probes": 0}, {"failure_threshold": 1, "open_cap": 0.1}, {"window": 3}):
        with pytest.raises(ValueError):
            breaker.set_config(**bad)
    breaker.on_failure()
    assert state(breaker) == "closed"
    breaker.on_failure()
    assert state(breaker) == "open"


def test_a_rule_of_speed_that_is_set_later_draws_an_interval_of_its_own(clock: ManualClock) -> None:
    waits = set()
    for seed in range(20):
        breaker = CircuitBreaker(seed=seed, clock=clock)
        breaker.set_config(slow_share=1.0, slower_than=1, window=1, minimum=1)
        breaker.call(lambda: clock.advance(2))
        waits.add(breaker.peek().retry_after)  # type: ignore[union-attr]
    assert len(waits) > 15


def test_the_open_interval_is_drawn_so_that_a_fleet_spreads(clock: ManualClock) -> None:
    def wait(seed: int | None) -> float | None:
        breaker = CircuitBreaker(1, open_for=10, open_cap=20, open_jitter=0.5, seed=seed, clock=clock)
        fail(breaker)
        refused = breaker.peek()
        assert refused is not None
        return refused.retry_after

    waits = [wait(None) for _ in range(50)]
    assert len(set(waits)) > 40
    assert all(wait is not None and 5 <= wait <= 15.001 for wait in waits)
    assert wait(7) == wait(7) != wait(8)


FORKING = """
import os, seawall
clock = seawall.ManualClock()
breaker = seawall.CircuitBreaker(1, open_for=10, open_cap=20, open_jitter=0.5, seed=7, clock=clock)
def wait():
    breaker.trip()
    return breaker.peek().retry_after
for _ in range(20):
    if os.fork() == 0:
        os.write(1, f"{wait()}\\n".encode())
        os._exit(0)
    os.wait()
os.write(1, f"{wait()}\\n".encode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_processes_that_were_forked_draw_intervals_of_their_own(clock: ManualClock) -> None:
    ran = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True)
    *children, parent = ran.stdout.split()
    assert len({*children, parent}) == 21
    breaker = CircuitBreaker(1, open_for=10, open_cap=20, open_jitter=0.5, seed=7, clock=clock)
    breaker.trip()
    assert str(breaker.peek().retry_after) == parent  # type: ignore[union-attr]


def test_protected_calls_run_in_parallel() -> None:
    breaker = CircuitBreaker()
    together = threading.Barrier(4)
    met: list[int] = []

    @breaker
    def call() -> None:
        # Were they let in one at a time, nobody would come.
        met.append(together.wait(10))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(met) == [0, 1, 2, 3]


def test_no_more_probes_are_out_than_allowed_however_many_threads_ask(clock: ManualClock) -> None:
    for _ in range(20):
        breaker = half_open(clock, probes=3)
        start = threading.Barrier(8)
        held: list[seawall.BreakerPermit] = []

        def ask(breaker: CircuitBreaker = breaker, start: threading.Barrier = start) -> None:
            start.wait()
            for _ in range(5):
                try:
                    held.append(breaker.try_attempt())
                except CircuitOpen:
                    pass

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(held) == 3
        assert all(permit.is_probe for permit in held)


def test_a_probe_that_is_lost_is_replaced_when_its_lease_is_over_and_its_late_result_is_ignored(
    clock: ManualClock,
) -> None:
    breaker = half_open(clock, probes=1, probe_lease=5)
    lost = breaker.try_attempt()
    clock.advance(4.9)
    assert breaker.should_block()
    clock.advance(0.2)
    second = breaker.try_attempt()
    lost.finish("failure")
    assert state(breaker) == "half_open"
    second.finish("success")
    assert state(breaker) == "closed"


def test_a_result_from_before_the_trip_is_ignored(clock: ManualClock) -> None:
    breaker = CircuitBreaker(1, clock=clock)
    old, older = breaker.try_attempt(), breaker.try_attempt()
    breaker.force_open()
    breaker.reset()
    old.finish("failure")
    assert state(breaker) == "closed"
    breaker.trip()
    clock.advance(10)
    probe = breaker.try_attempt()
    older.finish("failure")
    assert state(breaker) == "half_open"
    probe.finish("success")


def test_a_permit_that_is_forgotten_frees_its_place_at_once(clock: ManualClock) -> None:
    breaker = half_open(clock, probes=1)
    permit = breaker.try_attempt()
    assert breaker.should_block()
    del permit
    assert not breaker.should_block()


def test_a_permit_that_is_cancelled_frees_its_place_and_once(clock: ManualClock) -> None:
    breaker = half_open(clock, probes=1)
    permit = breaker.try_attempt()
    assert permit.is_probe
    assert permit.cancel()
    assert not permit.cancel()
    second = breaker.try_attempt()
    permit.finish("failure")
    assert state(breaker) == "half_open"
    second.finish("success")
    assert not second.cancel()


def test_the_first_report_of_a_permit_counts(clock: ManualClock) -> None:
    breaker = CircuitBreaker(2, clock=clock)
    permit = breaker.try_attempt()
    permit.finish("failure")
    permit.finish("failure")
    permit.finish("success")
    assert state(breaker) == "closed"
    breaker.on_failure()
    assert state(breaker) == "open"


def test_a_report_inside_of_the_block_counts_before_what_the_block_raises(clock: ManualClock) -> None:
    breaker = CircuitBreaker(1, clock=clock)
    with pytest.raises(ValueError), breaker.try_attempt() as permit:
        permit.finish("success")
        raise ValueError
    assert state(breaker) == "closed"
    with breaker.try_attempt() as permit:
        permit.finish("throttled")
    assert state(breaker) == "open"


def test_a_permit_protects_one_block(clock: ManualClock) -> None:
    permit = CircuitBreaker(clock=clock).try_attempt()
    with permit:
        pass
    with pytest.raises(ValueError, match=r"ask for another with try_attempt\(\)"), permit:
        pass
    assert repr(permit) == "<BreakerPermit is_probe=False, over>"


@pytest.mark.parametrize("outcome", ["failed", "", "Success", 1, None])
def test_an_outcome_that_there_is_not_is_an_error_and_reports_nothing(clock: ManualClock, outcome: Any) -> None:
    permit = CircuitBreaker(1, clock=clock).try_attempt()
    with pytest.raises((ValueError, TypeError), match='outcome must be "success", "failure", .* not '):
        permit.finish(outcome)
    assert permit.cancel()


@pytest.mark.parametrize(("outcome", "then"), [
    ("success", "closed"), ("failure", "open"), ("timeout", "open"), ("throttled", "open"), ("ignored", "closed"),
])  # fmt: skip
def test_an_outcome_counts_by_its_word(clock: ManualClock, outcome: Any, then: str) -> None:
    breaker = CircuitBreaker(1, clock=clock)
    breaker.try_attempt().finish(outcome)
    assert state(breaker) == then


class Response:
    def __init__(self, status: int) -> None:
        self.status_code = status
        self.headers: dict[str, str] = {}


class HTTPError(Exception):
    def __init__(self, status: int) -> None:
        self.response = Response(status)


FAILURE, ANSWER, NOTHING = "failure", "answer", "nothing"


def said(on: Any, error: BaseException) -> str:
    """What an exception says of the service, as a probe shows it: down, up, or nothing."""
    clock = ManualClock()
    breaker = half_open(clock, probes=1, on=on)
    try:
        breaker.call(raises(error))
    except BaseException as raised:
        assert raised is error
    return {"open": FAILURE, "closed": ANSWER, "half_open": NOTHING}[state(breaker)]


@pytest.mark.parametrize(
    ("on", "error", "says"),
    [
        (None, ValueError(), FAILURE),
        (None, TimeoutError(), FAILURE),
        (None, HTTPError(503), FAILURE),
        (None, HTTPError(429), FAILURE),
        (None, HTTPError(404), ANSWER),
        (None, KeyboardInterrupt(), NOTHING),
        (None, SystemExit(), NOTHING),
        (None, GeneratorExit(), NOTHING),
        (None, seawall.RateLimited("token_bucket", "not_yet", 1.0), NOTHING),
        (OSError, ConnectionError(), FAILURE),
        (OSError, ValueError(), ANSWER),
        (OSError, KeyboardInterrupt(), NOTHING),
        ((OSError, KeyError), KeyError(), FAILURE),
        ((OSError, KeyError), ValueError(), ANSWER),
        (lambda error: True, ValueError(), FAILURE),
        (lambda error: False, ValueError(), ANSWER),
        (lambda error: None, ValueError(), FAILURE),
        (lambda error: "ignored", ValueError(), NOTHING),
        (lambda error: "permanent", ValueError(), ANSWER),
        (lambda error: "throttled", ValueError(), FAILURE),
        (lambda error: "timeout", ValueError(), FAILURE),
    ],
)
def test_what_an_exception_says_of_the_service(on: Any, error: BaseException, says: str) -> None:
    assert said(on, error) == says


def test_a_classifier_that_fails_is_reported_and_the_error_of_the_call_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: unraisable.append(found.exc_value))
    assert said(raises_for_any, ValueError()) == FAILURE
    assert said(lambda error: "no such word", ValueError()) == FAILURE
    assert [type(error) for error in unraisable] == [ZeroDivisionError, TypeError]


def raises_for_any(error: Exception) -> None:
    raise ZeroDivisionError


def test_a_callback_that_raises_is_reported_and_changes_nothing(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: unraisable.append((found.exc_value, found.object)))

    def callback(old: str, new: str) -> None:
        raise LookupError(old, new)

    breaker = CircuitBreaker(1, open_jitter=0, probes=1, on_state_change=callback, clock=clock)
    error = OSError()
    with pytest.raises(OSError) as caught:
        breaker.call(raises(error))
    assert caught.value is error
    assert state(breaker) == "open"
    clock.advance(2)
    assert breaker.call(int) == 0
    assert [error.args for error, _ in unraisable] == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert all(found is callback for _, found in unraisable)


def test_a_callback_may_use_the_breaker(clock: ManualClock) -> None:
    seen: list[str] = []

    def callback(old: str, new: str) -> None:
        seen.append(state(breaker))
        if new == "open":
            breaker.force_close()

    breaker = CircuitBreaker(1, on_state_change=callback, clock=clock)
    breaker.on_failure()
    assert (seen, state(breaker)) == (["open", "closed"], "closed")


def test_what_is_held_stays_and_is_told(clock: ManualClock) -> None:
    changes: Changes = []
    breaker = CircuitBreaker(1, on_state_change=noted(changes), clock=clock)
    breaker.force_open()
    clock.advance(1e6)
    assert breaker.should_block() and state(breaker) == "open"
    assert breaker.peek().retry_after is None  # type: ignore[union-attr]
    breaker.force_close()
    breaker.on_failure()
    breaker.trip()
    assert state(breaker) == "closed"
    breaker.reset()
    breaker.trip()
    breaker.trip()
    assert changes == [("closed", "open"), ("open", "closed"), ("closed", "open")]


def test_after_it_has_closed_calls_come_back_on_a_ramp(clock: ManualClock) -> None:
    breaker = half_open(clock, probes=1, ramp=10)
    breaker.try_attempt().finish("success")

    def passed() -> int:
        count = 0
        for _ in range(400):
            clock.advance(0.001)
            count += not breaker.should_block()
        return count

    assert state(breaker) == "closed"
    first = passed()
    clock.advance(5)
    middle = passed()
    clock.advance(5)
    assert 10 <= first <= 120 < middle < 350
    assert passed() == 400


def test_a_clock_that_steps_back_does_not_hold_it_open_for_ever(clock: ManualClock) -> None:
    clock.set(1e6)
    breaker = CircuitBreaker(1, clock=clock)
    fail(breaker)
    clock.set(10)
    assert state(breaker) == "half_open"
    assert not breaker.should_block()


def test_what_runs_goes_on_after_a_rebase(clock: ManualClock) -> None:
    clock.set(1000)
    breaker = CircuitBreaker(1, open_for=2, open_jitter=0, clock=clock)
    fail(breaker)
    clock.set(5)
    breaker.rebase(1000, timedelta(seconds=5))
    assert breaker.peek().retry_after == pytest.approx(2, abs=1e-5)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="new must be"):
        breaker.rebase(0, -1)


def test_a_cycle_through_a_callback_is_garbage(clock: ManualClock) -> None:
    class Client:
        def __init__(self) -> None:
            self.breaker = CircuitBreaker(on_state_change=self.changed, on=self.judge, clock=clock)
            self.permit = self.breaker.try_attempt()

        def changed(self, old: str, new: str) -> None: ...

        def judge(self, error: Exception) -> None: ...

    for name in ("breaker", "permit", "__self__"):
        client = Client()
        watched: weakref.ref[object] = weakref.ref(client if name == "__self__" else getattr(client, name))
        gc.collect()
        assert watched() is not None
        del client
        gc.collect()
        assert watched() is None


def test_a_cycle_through_the_callback_alone_is_garbage() -> None:
    def make() -> weakref.ref[CircuitBreaker]:
        def callback(old: str, new: str) -> None:
            print(breaker)

        breaker = CircuitBreaker(on_state_change=callback)
        return weakref.ref(breaker)

    watched = make()
    gc.collect()
    assert watched() is None


def test_it_is_not_copied_or_pickled(clock: ManualClock) -> None:
    breaker = CircuitBreaker(clock=clock)
    for shared in (breaker, breaker.try_attempt()):
        with pytest.raises(TypeError, match=f"a {type(shared).__name__} cannot be pickled"):
            pickle.dumps(shared)
        with pytest.raises(TypeError):
            copy.copy(shared)


def test_it_says_what_it_is(clock: ManualClock) -> None:
    assert repr(half_open(clock, failure_threshold=3)) == "CircuitBreaker(failure_threshold=3, state='half_open')"
    assert repr(CircuitBreaker(failure_share=0.25)) == "CircuitBreaker(failure_share=0.25, state='closed')"
    slow = CircuitBreaker(slow_share=0.5, slower_than=0.25)
    assert repr(slow) == "CircuitBreaker(slow_share=0.5, slower_than=0.25, state='closed')"
    assert repr(slow.try_attempt()) == "<BreakerPermit is_probe=False>"


def test_a_refusal_says_when_to_come_again(clock: ManualClock) -> None:
    breaker = CircuitBreaker(1, open_jitter=0, clock=clock)
    fail(breaker)
    ran: list[int] = []
    with pytest.raises(CircuitOpen, match=r"refused by the circuit breaker; again in 1 s") as caught:
        breaker.call(ran.append, 1)
    assert (caught.value.stage, caught.value.reason) == ("circuit_breaker", "not_yet")
    assert caught.value.retry_after == pytest.approx(1, abs=1e-5)
    assert ran == []
