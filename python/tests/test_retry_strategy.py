"""What `RetryStrategy.execute` and the decorator promise to functions."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import signal
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

import seawall
from seawall._native import limit_attempts


class Flaky:
    """Fails so many times, and answers then what it was asked."""

    def __init__(self, failures: int, error: Callable[[], BaseException] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error()
        return args, kwargs


@pytest.fixture
def clock() -> seawall.ManualClock:
    return seawall.ManualClock(autojump=True)


def notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def said(error: BaseException, *expected: str) -> None:
    """Notes are known from 3.11 on."""
    if sys.version_info >= (3, 11):
        assert notes(error) == list(expected)


def test_what_succeeds_is_called_once_and_returns_what_it_returns(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(clock=clock)
    function = Flaky(0)
    assert strategy.execute(function, 1, two=2) == ((1,), {"two": 2})
    assert strategy.execute(function) == ((), {})
    assert (function.calls, clock.now()) == (2, 0.0)


def test_what_fails_is_called_again_with_the_same_arguments_after_a_wait(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(5, 1.0, jitter="none", clock=clock)
    function = Flaky(3)
    assert strategy.execute(function, 1, two=2) == ((1,), {"two": 2})
    assert (function.calls, clock.now()) == (4, 1.0 + 2.0 + 4.0)


def test_a_keyword_of_the_function_may_have_any_name(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(clock=clock)
    assert strategy.execute(Flaky(1), function=1, args=2) == ((), {"function": 1, "args": 2})


def test_the_last_error_is_raised_as_it_is_with_a_note_that_says_why(clock: seawall.ManualClock) -> None:
    errors = [ConnectionError(number) for number in range(3)]
    left = iter(errors)
    function = Flaky(9, lambda: next(left))
    with pytest.raises(ConnectionError) as caught:
        seawall.RetryStrategy(clock=clock).execute(function)
    assert caught.value is errors[2]
    assert function.calls == 3
    said(errors[2], "seawall: given up after 3 attempts: all attempts are made")
    assert notes(errors[0]) == []
    assert errors[2].__context__ is None
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "__call__"


def test_one_error_that_is_raised_again_and_again_gets_its_note_once(clock: seawall.ManualClock) -> None:
    error = ConnectionError()
    for _ in range(5):
        with pytest.raises(ConnectionError):
            seawall.RetryStrategy(2, clock=clock).execute(Flaky(9, lambda: error))
    said(error, "seawall: given up after 2 attempts: all attempts are made")


def test_an_error_that_takes_no_note_is_raised_all_the_same(clock: seawall.ManualClock) -> None:
    class Sealed(Exception):
        def add_note(self, note: str) -> None:
            raise RuntimeError("not here")

    with pytest.raises(Sealed):
        seawall.RetryStrategy(clock=clock).execute(Flaky(9, Sealed))


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_is_raised_at_once(
    interrupt: type[BaseException], clock: seawall.ManualClock
) -> None:
    first, later = Flaky(9, interrupt), Flaky(9, lambda: ConnectionError() if later.calls == 1 else interrupt())
    for function, calls in ((first, 1), (later, 2)):
        with pytest.raises(interrupt) as caught:
            seawall.RetryStrategy(clock=clock, on=BaseException).execute(function)
        assert (function.calls, notes(caught.value)) == (calls, [])


def test_no_attempt_starts_at_or_after_the_deadline(clock: seawall.ManualClock) -> None:
    clock.set(1_000.0)
    strategy = seawall.RetryStrategy(9, 1.0, jitter="none", deadline=7.0, clock=clock)
    with pytest.raises(ConnectionError) as caught:
        strategy.execute(function := Flaky(99))
    # At 0, 1 and 3 s; the next would be at 7 s.
    assert (function.calls, clock.now()) == (3, 1_003.0)
    said(caught.value, "seawall: given up after 3 attempts: the deadline would be passed")


def test_a_wait_that_ends_after_the_deadline_is_followed_by_no_attempt() -> None:
    clock = seawall.ManualClock()
    budget = seawall.RetryBudget(clock=clock)
    strategy = seawall.RetryStrategy(9, 1.0, jitter="none", deadline=5.0, clock=clock, budget=budget)
    call = strategy.begin()
    assert call.failed(ConnectionError()) == 1.0
    assert budget.balance == 0.0
    clock.advance(5.0)
    assert not call.wait_blocking()
    assert (call.attempts, call.give_up_reason, budget.balance) == (1, "deadline_exceeded", 1.0)


def test_the_server_is_never_asked_earlier_than_it_said(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(2, 0.1, clock=clock, on=lambda error: 8.0)
    for _ in range(50):
        before = clock.now()
        strategy.execute(Flaky(1))
        assert 8.0 <= clock.now() - before <= 10.0


def test_a_longer_retry_after_than_the_cap_or_the_deadline_is_given_up(clock: seawall.ManualClock) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"retry_after_cap": 7.9}, "the server asked for too long a pause"),
        ({"deadline": 8.0}, "the deadline would be passed"),
    ]
    for settings, reason in cases:
        strategy = seawall.RetryStrategy(clock=clock, on=lambda error: timedelta(seconds=8), **settings)
        with pytest.raises(ConnectionError) as caught:
            strategy.execute(function := Flaky(9))
        assert (function.calls, clock.now()) == (1, 0.0)
        said(caught.value, f"seawall: given up after 1 attempt: {reason}")


def test_only_what_on_names_is_retried(clock: seawall.ManualClock) -> None:
    for on, error, calls in (
        (ConnectionError, ConnectionResetError, 3),
        (ConnectionError, ValueError, 1),
        ((ConnectionError, ValueError), ValueError, 3),
        ((), ValueError, 1),
        (Exception, ValueError, 3),
        (lambda error: isinstance(error, ValueError), ValueError, 3),
        (lambda error: isinstance(error, ValueError), OSError, 1),
        (lambda error: "permanent", OSError, 1),
        (lambda error: "ignored", OSError, 1),
        (lambda error: None, OSError, 3),
    ):
        strategy = seawall.RetryStrategy(clock=clock, on=on)  # type: ignore[arg-type]
        with pytest.raises(error):
            strategy.execute(function := Flaky(9, error))
        assert function.calls == calls, (on, error)


def test_a_hook_that_fails_is_reported_and_the_error_of_the_call_stays(
    clock: seawall.ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_value))

    def broken(error: Exception) -> bool:
        raise AttributeError("status")

    for on in (broken, lambda error: "perhaps"):
        with pytest.raises(ConnectionError):
            seawall.RetryStrategy(clock=clock, on=on).execute(function := Flaky(9))  # type: ignore[arg-type]
        assert function.calls == 3
    assert [type(error) for error in reported] == [AttributeError] * 3 + [TypeError] * 3
    assert "must answer True, False" in str(reported[-1])


def test_a_hook_may_be_interrupted(clock: seawall.ManualClock) -> None:
    def interrupted(error: Exception) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seawall.RetryStrategy(clock=clock, on=interrupted).execute(Flaky(9))


def test_the_budget_pays_for_each_retry_and_ends_them_when_it_is_spent(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(0.5, initial=2, clock=clock)
    strategy = seawall.RetryStrategy(9, clock=clock, budget=budget)
    assert strategy.budget is budget
    with pytest.raises(ConnectionError) as caught:
        strategy.execute(function := Flaky(99))
    assert function.calls == 3
    said(caught.value, "seawall: given up after 3 attempts: the retry budget is spent")
    # Another strategy that shares it has none left either.
    with pytest.raises(ConnectionError):
        seawall.RetryStrategy(clock=clock, budget=budget).execute(function := Flaky(99))
    assert function.calls == 1
    for _ in range(2):
        strategy.execute(Flaky(0))
    assert budget.balance == 1.0
    # A retry that succeeds earns nothing.
    strategy.execute(Flaky(1))
    assert budget.balance == 0.0


def test_a_timeout_costs_two_tokens(clock: seawall.ManualClock) -> None:
    budget = seawall.RetryBudget(initial=3, floor=3, clock=clock)
    strategy = seawall.RetryStrategy(2, clock=clock, budget=budget)
    strategy.execute(Flaky(1, TimeoutError))
    assert budget.balance == 1.0


def test_the_strategy_and_its_budget_may_go_by_different_clocks() -> None:
    budget = seawall.RetryBudget()
    strategy = seawall.RetryStrategy(2, 60.0, clock=seawall.ManualClock(autojump=True), budget=budget)
    strategy.execute(Flaky(1))
    assert budget.balance == 0.0


def test_a_mistake_of_the_program_is_not_tried_again(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(clock=clock)
    calls = []

    def mistaken(n: int) -> None:
        calls.append(n)
        raise NameError if n else NotImplementedError

    for wrong, arguments in ((mistaken, ()), (mistaken, (0,)), (mistaken, (1,)), (len, (5,))):
        with pytest.raises((TypeError, NameError, NotImplementedError)) as caught:
            strategy.execute(wrong, *arguments)
        said(caught.value, "seawall: given up after 1 attempt: the error is permanent")
    assert calls == [0, 1]


def test_a_type_error_from_within_may_be_the_answers_fault(clock: seawall.ManualClock) -> None:
    def fails() -> None:
        raise TypeError

    strategy = seawall.RetryStrategy(clock=clock)
    assert strategy.execute(Flaky(2, TypeError)) == ((), {})
    for attempt in strategy:
        with attempt:
            if attempt.number < 3:
                raise TypeError
    breaker = seawall.CircuitBreaker(1)
    with pytest.raises(TypeError):
        breaker.call(fails)
    assert breaker.state == "open"


def test_attempts_can_be_limited_for_the_whole_process(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(5, clock=clock)
    assert limit_attempts(2) is None
    try:
        with pytest.raises(ConnectionError) as caught:
            strategy.execute(function := Flaky(9))
        assert function.calls == 2
        said(caught.value, "seawall: given up after 2 attempts: all attempts are made")
        assert limit_attempts(1) == 2
        with pytest.raises(ConnectionError):
            strategy.execute(function := Flaky(9))
        assert function.calls == 1
        # It only ever lowers.
        limit_attempts(99)
        with pytest.raises(ConnectionError):
            strategy.execute(function := Flaky(9))
        assert function.calls == 5
        for wrong in (0, -1, 2**32, "two"):
            with pytest.raises((ValueError, TypeError), match="attempts must be an integer from 1"):
                limit_attempts(wrong)  # type: ignore[arg-type]
    finally:
        limit_attempts(None)
    assert limit_attempts(None) is None


def test_a_decorated_function_is_what_it_was_but_for_the_retries(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(clock=clock)
    flaky = Flaky(1)

    @strategy
    def fetch(url: str, *, timeout: float = 1.0) -> str:
        """Fetches."""
        flaky()
        return f"{url} {timeout}"

    assert fetch("a", timeout=2.0) == "a 2.0"
    assert flaky.calls == 2
    assert (fetch.__name__, fetch.__doc__, fetch.__module__) == ("fetch", "Fetches.", __name__)
    assert str(inspect.signature(fetch)) == "(url: 'str', *, timeout: 'float' = 1.0) -> 'str'"
    assert not inspect.iscoroutinefunction(fetch)
    assert inspect.unwrap(fetch).__code__.co_name == "fetch"


def test_methods_of_every_kind_can_be_decorated(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(clock=clock)

    class Client:
        flaky = Flaky(1)

        @strategy
        def method(self, n: int) -> tuple[str, int]:
            self.flaky()
            return type(self).__name__, n

        @classmethod
        @strategy
        def inner(cls, n: int) -> tuple[str, int]:
            return cls.__name__, n

        @strategy
        @classmethod
        def outer(cls, n: int) -> tuple[str, int]:
            return cls.__name__, n

        @strategy
        @staticmethod
        def alone(n: int) -> int:
            return n

    client = Client()
    assert client.method(1) == ("Client", 1)
    assert client.flaky.calls == 2
    assert (client.inner(2), Client.inner(2)) == (("Client", 2), ("Client", 2))
    assert (client.outer(3), Client.outer(3)) == (("Client", 3), ("Client", 3))
    assert (client.alone(4), Client.alone(4)) == (4, 4)


def test_callables_without_a_name_can_be_decorated(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(clock=clock)
    assert strategy(functools.partial(int, base=2))("101") == 5
    assert strategy(Flaky(1))(1) == ((1,), {})
    assert strategy(len)("abc") == 3


def test_generators_classes_and_what_cannot_be_called_are_refused(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(clock=clock)

    def lines() -> Iterator[str]:
        yield ""

    async def lines_async() -> Any:
        yield ""

    for wrong in (lines, lines_async):
        with pytest.raises(TypeError, match="is a generator"):
            strategy(wrong)
    for nothing in (Flaky, 5):
        with pytest.raises(TypeError, match="decorates functions and methods"):
            strategy(nothing)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="not callable"):
        strategy.execute(5)  # type: ignore[arg-type]


def test_bad_settings_are_named_with_what_is_allowed() -> None:
    for settings, kind, message in (
        ({"max_attempts": 0}, ValueError, "max_attempts must be an integer from 1 to 4294967295, not 0"),
        ({"max_attempts": "3"}, TypeError, "max_attempts must be an integer"),
        ({"max_attempts": 2**32}, ValueError, "max_attempts must be an integer"),
        ({"base_delay": -1}, ValueError, "base_delay must be 0 to 18,446,744,073 seconds, or a timedelta, not -1"),
        ({"base_delay": float("nan")}, ValueError, "base_delay must be 0 to"),
        ({"base_delay": 21, "max_delay": 20}, ValueError, "base_delay is longer than max_delay"),
        ({"factor": 0.99}, ValueError, "factor must be 1"),
        ({"factor": float("inf")}, ValueError, "factor must be 1"),
        ({"max_delay": None}, TypeError, "max_delay must be given, or left out, not None"),
        ({"jitter": "some"}, ValueError, 'jitter must be "full", "equal", "additive", "decorrelated" or "none"'),
        ({"jitter": None}, TypeError, "jitter must be"),
        ({"deadline": 0}, ValueError, "deadline must be over 0 seconds"),
        ({"retry_after_cap": "1"}, TypeError, "retry_after_cap must be"),
        ({"on": 5}, TypeError, "on must be an exception class, a tuple of them, or a function"),
        ({"on": int}, TypeError, "on must be"),
        ({"on": (OSError, int)}, TypeError, "on must be"),
        ({"budget": 5}, ValueError, "budget must be a RetryBudget or None, not 5"),
        ({"budget": {}}, TypeError, "budget must be a RetryBudget or None, not {}"),
        ({"seed": -1}, ValueError, "seed must be"),
        ({"clock": 5}, TypeError, "ManualClock"),
        ({"attempts": 5}, TypeError, "RetryStrategy has no setting 'attempts': there are max_attempts, base_delay"),
    ):
        with pytest.raises(kind, match=message):
            seawall.RetryStrategy(**settings)


def test_what_is_not_given_gives_way_to_what_is() -> None:
    assert seawall.RetryStrategy(max_delay=0.05).base_delay == 0.05
    assert seawall.RetryStrategy(base_delay=60).max_delay == 60.0


def test_it_shows_its_settings() -> None:
    strategy = seawall.RetryStrategy(
        5, timedelta(seconds=1), factor=1.5, max_delay=60, jitter="equal", deadline=90, retry_after_cap=30, on=OSError
    )
    assert (strategy.max_attempts, strategy.base_delay, strategy.factor, strategy.max_delay) == (5, 1.0, 1.5, 60.0)
    assert (strategy.jitter, strategy.deadline, strategy.retry_after_cap) == ("equal", 90.0, 30.0)
    assert (strategy.on, strategy.budget) == (OSError, None)
    assert repr(strategy) == (
        "RetryStrategy(max_attempts=5, base_delay=1.0, factor=1.5, max_delay=60.0, jitter='equal', deadline=90.0)"
    )
    default = seawall.RetryStrategy()
    assert default.on is Exception
    shown = "(max_attempts=3, base_delay=0.1, *, factor=2.0, max_delay=20.0, jitter='full', deadline=None"
    assert str(inspect.signature(seawall.RetryStrategy)).startswith(shown)
    assert (default.max_attempts, default.base_delay, default.factor, default.max_delay) == (3, 0.1, 2.0, 20.0)
    assert (default.jitter, default.deadline, default.retry_after_cap) == ("full", None, 300.0)


def test_state_that_threads_share_is_not_pickled() -> None:
    strategy = seawall.RetryStrategy()
    for thing in (strategy, strategy.begin(), next(iter(strategy)), seawall.RetryBudget()):
        for how in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot be pickled"):
                how(thing)


def test_a_cycle_through_on_is_collected() -> None:
    class Holder:
        strategy: seawall.RetryStrategy

        def on(self, error: Exception) -> bool:
            return True

    holder = Holder()
    holder.strategy = seawall.RetryStrategy(on=holder.on)
    gone = weakref.ref(holder.strategy)
    del holder
    gc.collect()
    assert gone() is None


def test_an_error_that_was_raised_holds_nothing_that_only_the_collector_frees(clock: seawall.ManualClock) -> None:
    class Witness:
        pass

    def fails() -> None:
        witness = Witness()
        gone.append(weakref.ref(witness))
        raise ConnectionError

    gone: list[weakref.ref[Witness]] = []
    strategy = seawall.RetryStrategy(3, clock=clock)
    gc.disable()
    try:
        for _ in range(3):
            try:
                strategy.execute(fails)
            except ConnectionError:
                pass
    finally:
        gc.enable()
    assert [reference() for reference in gone] == [None] * 9


def test_calls_in_many_threads_do_not_meet(clock: seawall.ManualClock) -> None:
    strategy = seawall.RetryStrategy(3, clock=clock)
    results: list[tuple[int, int]] = []

    def work() -> None:
        for failures in [0, 1, 2, 3] * 50:
            function = Flaky(failures)
            try:
                strategy.execute(function)
            except ConnectionError:
                pass
            results.append((failures, function.calls))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 800
    assert {failures: calls for failures, calls in results} == {0: 1, 1: 2, 2: 3, 3: 3}
    assert len(set(results)) == 4


INTERRUPTED = """
import threading, time, seawall
budget = seawall.RetryBudget()
def watch():
    while budget.balance == 1.0:
        time.sleep(0.01)
    print("waits", flush=True)
threading.Thread(target=watch, daemon=True).start()
def fails():
    raise ConnectionError("lost")
try:
    seawall.RetryStrategy(3, 3600, max_delay=3600, jitter="none", budget=budget).execute(fails)
except KeyboardInterrupt as interrupt:
    print(type(interrupt.__context__).__name__, budget.balance)
"""


@pytest.mark.thread_unsafe(reason="a signal is of the process")
def test_control_c_ends_a_backoff_at_once_and_gives_its_token_back() -> None:
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waits\n"
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
    assert output == "ConnectionError 1.0\n"
