"""A bucket for each key: bounded memory, exact shares, and what the headers of an answer need."""

from __future__ import annotations

import copy
import ipaddress
import pickle
import sys
import threading
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seawall

KEYS = ["alice", b"bob", 7, "\udc80", "größe", 2**64 - 1, 0, ""]


class Oracle:
    """One bucket after another, in exact fractions; the time in milliseconds."""

    def __init__(self, rate: int, burst: int) -> None:
        self.rate = Fraction(rate, 1000)
        self.burst = burst
        self.buckets: dict[Any, tuple[Fraction, int]] = {}

    def tokens(self, key: Any, now: int) -> Fraction:
        tokens, since = self.buckets.get(key, (Fraction(self.burst), now))
        return min(tokens + (now - since) * self.rate, Fraction(self.burst))

    def try_take(self, key: Any, n: int, now: int) -> bool:
        tokens = self.tokens(key, now)
        if n > tokens:
            return False
        self.buckets[key] = (tokens - n, now)
        return True


calls = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(KEYS), st.integers(0, 6)),
    max_size=80,
)


@given(rate=st.sampled_from([1, 2, 5, 10, 25]), burst=st.integers(1, 5), calls=calls)
@settings(max_examples=200, deadline=None)
def test_each_key_gets_its_own_rate_and_burst_to_the_token(
    rate: int, burst: int, calls: list[tuple[int, Any, int]]
) -> None:
    clock = seawall.ManualClock()
    users = seawall.KeyedBuckets(rate, burst, clock=clock)
    oracle, now = Oracle(rate, burst), 0
    for step, key, n in calls:
        now += step
        clock.set_ns(now * 1_000_000)
        assert users.available(key) == int(oracle.tokens(key, now))
        assert users.try_take(key, n) == oracle.try_take(key, n, now), (key, n, now)
        left = oracle.tokens(key, now)
        found = users.check(key, 0)
        assert found.allowed and found.limit == burst and found.remaining == int(left)
        # A unit of its scale is a microsecond of the rate, or 2^-16 tokens.
        unit = max(1e-6, 2**-16 / rate)
        assert found.reset_after == pytest.approx(float((burst - left) / oracle.rate) / 1000, abs=2 * unit)


def test_a_check_takes_as_try_take_does_and_tells_what_headers_need(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets(2, burst=4, clock=clock)
    assert users.check("alice", 3) == seawall.RateCheck(True, 4, 1, None, 1.5, None)
    assert users.check("alice", 3) == seawall.RateCheck(False, 4, 1, 1.0, 1.5, "not_yet")
    assert users.check("alice", 5) == seawall.RateCheck(False, 4, 1, None, 1.5, "never")
    clock.advance(1.0)
    assert users.check("alice", 3) == seawall.RateCheck(True, 4, 0, None, 2.0, None)
    assert not users.check("alice")
    assert users.check("bob")


def test_what_was_not_used_is_given_back_but_never_more_than_the_burst(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("1/min", burst=3, clock=clock)
    assert not users.refund("alice")
    assert users.try_take("alice", 2)
    assert users.refund("alice")
    assert users.available("alice") == 2
    assert users.refund("alice", 3)
    assert users.available("alice") == 3


def test_a_text_and_its_bytes_are_one_key_and_a_number_is_another(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("1/min", clock=clock)
    assert users.try_take("größe")
    assert not users.try_take("größe".encode())
    assert users.try_take(1) and users.try_take("1")
    assert users.try_take("\udcff") and not users.try_take("\udcff") and users.try_take("\udcfe")
    assert users.try_take(str(ipaddress.ip_address("2001:db8::1")))


def test_what_is_full_again_is_forgotten_and_its_place_is_free(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets(1, burst=2, capacity=64, clock=clock)
    for key in range(40):
        assert users.try_take(key)
    assert len(users) == users.occupied == 40
    clock.advance(1.0)
    assert len(users) == 0
    assert users
    for key in range(1000, 1040):
        assert users.try_take(key)
    assert len(users) == 40


def test_a_full_table_lets_newcomers_through_and_counts_them_or_refuses_them(clock: seawall.ManualClock) -> None:
    for when_full, passes in [("open", True), ("closed", False)]:
        users = seawall.KeyedBuckets("1/min", capacity=4, when_full=when_full, clock=clock)  # type: ignore[arg-type]
        assert users.when_full == when_full
        for key in range(users.places):
            assert users.try_take(key)
        assert len(users) == users.places == 7
        assert users.try_take("newcomer") is passes
        found = users.check("newcomer")
        assert found.allowed is passes
        assert users.let_through == (2 if passes else 0)
        if not passes:
            # When the first place may be free.
            assert found == seawall.RateCheck(False, 1, 0, 60.0, 60.0, "no_place")
            assert isinstance(refused := users.peek("newcomer"), seawall.RateLimited)
            assert (refused.stage, refused.reason, refused.retry_after) == ("keyed_bucket", "no_place", 60.0)
        # Who has a place keeps it.
        assert not users.try_take(3)


def test_as_many_keys_as_the_capacity_says_find_a_place(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("1/min", capacity=1000, when_full="closed", clock=clock)
    assert all(users.try_take(f"user {key}") for key in range(users.capacity))


def test_the_memory_is_32_bytes_a_key_whatever_is_asked_of_it(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("1/min", capacity=1024, clock=clock)
    assert (users.capacity, users.places) == (1024, 1792)
    size = sys.getsizeof(users)
    assert 32 * 1024 <= size <= 32 * 1024 + 1024
    for key in range(10_000):
        users.try_take(key)
    assert sys.getsizeof(users) == size
    assert users.let_through > 8000


def test_which_keys_find_no_place_is_a_matter_of_the_salt(clock: seawall.ManualClock) -> None:
    def admitted(salt: int | None) -> list[bool]:
        users = seawall.KeyedBuckets("1/h", capacity=256, when_full="closed", salt=salt, clock=clock)
        return [users.try_take(f"user {key}") for key in range(600)]

    assert admitted(7) == admitted(7)
    assert admitted(7) != admitted(8)
    assert admitted(None) != admitted(None)


def test_rate_burst_and_what_happens_when_full_change_while_it_runs(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets(1, burst=4, clock=clock)
    assert users.try_take("alice", 4)
    clock.advance(2.0)
    users.set_rate("10/s")
    assert (users.rate, users.burst, users.available("alice")) == (10.0, 4, 2)
    clock.advance(0.1)
    assert users.available("alice") == 3
    users.set_burst(2)
    assert (users.rate, users.burst, users.available("alice")) == (10.0, 2, 2)
    users.set_when_full("closed")
    assert (users.when_full, users.rate, users.burst) == ("closed", 10.0, 2)
    users.reset()
    assert users.available("alice") == 2 and len(users) == 0


def test_a_clock_that_was_set_is_followed_and_one_that_steps_back_earns_nothing(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("1/min", clock=clock)
    clock.set(3600.0)
    assert users.try_take("alice")
    clock.set(0.0)
    refused = users.peek("alice")
    assert refused is not None and refused.reason == "clock_stepped"
    found = users.check("alice")
    assert (found.allowed, found.reason, found.retry_after, found.reset_after) == (False, "clock_stepped", None, None)
    users.rebase(3600.0, 0.0)
    refused = users.peek("alice")
    assert refused is not None and refused.retry_after == 60.0


def test_threads_never_get_more_of_a_key_than_it_has(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("1/h", burst=1000, clock=clock)
    start = threading.Barrier(4)
    taken = [0] * 4

    def take(thread: int) -> None:
        start.wait()
        taken[thread] = sum(users.try_take("alice") for _ in range(2000))

    threads = [threading.Thread(target=take, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 1000


def test_threads_that_bring_the_same_new_keys_share_one_bucket_each(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets("1/h", capacity=4096, when_full="closed", clock=clock)
    start = threading.Barrier(2)
    taken: list[list[bool]] = [[], []]

    def take(thread: int) -> None:
        start.wait()
        taken[thread] = [users.try_take(f"user {key}") for key in range(3000)]

    threads = [threading.Thread(target=take, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(first + second == 1 for first, second in zip(*taken, strict=True))


def test_by_the_systems_clock_a_key_gets_its_burst_and_what_the_rate_emits() -> None:
    users = seawall.KeyedBuckets(1000, burst=10)
    begun = time.monotonic()
    taken = 0
    while time.monotonic() < begun + 0.2:
        taken += users.try_take("alice")
    # One is there up to a microsecond early.
    assert 10 <= taken <= 10 + 1000 * (time.monotonic() - begun) + 1


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"rate": 1_000_001}, ValueError, "rate must be 0 to 1,000,000 per second, not 1000001"),
        ({"rate": "fast"}, ValueError, "rate must be .*, not 'fast'"),
        ({"rate": None}, TypeError, "rate must be .*, not None"),
        ({"burst": 0}, ValueError, "burst must be an integer from 1 to 4294967295, not 0"),
        ({"burst": 1.5}, ValueError, "burst must be an integer from 1 to 4294967295, not 1.5"),
        ({"capacity": 0}, ValueError, "capacity must be an integer from 1 to 9586976, not 0"),
        ({"capacity": 9_586_977}, ValueError, "capacity must be an integer from 1 to 9586976, not 9586977"),
        ({"when_full": "shut"}, ValueError, "when_full must be \"open\" or \"closed\", not \"shut\""),
        ({"salt": -1}, ValueError, "salt must be an integer from 0 to 2\\*\\*64 - 1, not -1"),
        ({"salt": "sea"}, TypeError, "salt must be an integer from 0 to 2\\*\\*64 - 1, not 'sea'"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(
    arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=f"^{says}$"):
        seawall.KeyedBuckets(**{"rate": 1, **arguments})


def test_a_bad_key_or_number_of_tokens_is_named_with_what_is_allowed(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets(1, clock=clock)
    ask: Any
    for ask in (users.try_take, users.peek, users.check, users.available, users.refund):
        for key in (None, 1.5, -1, 2**64, ("a", "b"), bytearray(b"a")):
            with pytest.raises((TypeError, ValueError), match="^key must be a str, bytes, or an integer from 0 to 2"):
                ask(key)
    for ask in (users.try_take, users.peek, users.check, users.refund):
        for n in (-1, 2**32, 0.5, "1"):
            with pytest.raises((TypeError, ValueError), match="^n must be an integer from 0 to 4,294,967,295, not"):
                ask("alice", n)
    for rate in (2_000_000, 20_000):
        with pytest.raises(ValueError, match="rate"):
            users.set_rate(rate)
    with pytest.raises(ValueError, match="burst must be an integer from 1"):
        users.set_burst(0)
    with pytest.raises(ValueError, match="when_full must be"):
        users.set_when_full("shut")  # type: ignore[arg-type]
    assert (users.rate, users.burst, users.when_full, len(users)) == (1.0, 1, "open", 0)


def test_a_check_is_a_value(clock: seawall.ManualClock) -> None:
    users = seawall.KeyedBuckets(3, burst=4, clock=clock)
    found = users.check("alice", 2)
    same = seawall.RateCheck(**found.as_dict())
    assert same == found and hash(same) == hash(found) and same is not found
    assert found != users.check("bob", 1)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(found, protocol)) == found
    assert copy.copy(found) == found
    assert eval(repr(found), {"RateCheck": seawall.RateCheck}) == found
    refused = users.check("alice", 5)
    assert eval(repr(refused), {"RateCheck": seawall.RateCheck}) == refused
    with pytest.raises(AttributeError):
        found.allowed = False  # type: ignore[misc]
    for arguments in ({"limit": -1}, {"remaining": 0.5}, {"retry_after": -1.0}, {"reset_after": "1"}, {"reason": "?"}):
        name = next(iter(arguments))
        given: dict[str, Any] = {"allowed": True, "limit": 1, "remaining": 1, **arguments}
        with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
            seawall.RateCheck(**given)


def test_shared_state_is_not_pickled(clock: seawall.ManualClock) -> None:
    with pytest.raises(TypeError, match="KeyedBuckets cannot be pickled"):
        pickle.dumps(seawall.KeyedBuckets(1, clock=clock))
