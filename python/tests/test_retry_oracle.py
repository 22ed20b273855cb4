"""Whole calls against an oracle in Python that shares no code with the core: every delay, to the nanosecond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as some

import seawall

MASK = 2**64 - 1
MILLISECOND = 1_000_000


def split_mix(seed: int) -> Iterator[int]:
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def draw(random: int, most: int) -> int:
    return (random * (most + 1)) >> 64


@dataclass(frozen=True)
class Settings:
    """In nanoseconds, and whole milliseconds of them."""

    max_attempts: int
    base: int
    hundredths: int
    cap: int
    jitter: str
    deadline: int | None
    retry_after_cap: int
    seed: int

    def term(self, attempt: int) -> int:
        grown = self.base * Fraction(self.hundredths, 100) ** (attempt - 1)
        return min(self.cap, int(grown + Fraction(1, 2)))

    def delay(self, attempt: int, previous: int | None, random: int) -> int:
        term = self.term(attempt)
        if self.jitter == "none":
            return term
        if self.jitter == "additive":
            spread = min(self.base, self.cap // 2)
            return min(term, self.cap - spread) + draw(random, spread)
        if self.jitter == "equal":
            return term // 2 + draw(random, term - term // 2)
        if self.jitter == "full":
            return draw(random, term)
        top = min(self.cap, 3 * (self.base if previous is None else previous))
        return self.base if top <= self.base else self.base + draw(random, top - self.base)

    def strategy(self, clock: seawall.ManualClock) -> seawall.RetryStrategy:
        return seawall.RetryStrategy(
            self.max_attempts,
            self.base / 1e9,
            factor=self.hundredths / 100,
            max_delay=self.cap / 1e9,
            jitter=self.jitter,  # type: ignore[arg-type]
            deadline=None if self.deadline is None else self.deadline / 1e9,
            retry_after_cap=self.retry_after_cap / 1e9,
            on=lambda error: error.args[0],
            clock=clock,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Failure:
    """How long an attempt takes, and what the server asks for then."""

    lasts: int
    retry_after: int | None


def instants(settings: Settings, failures: list[Failure]) -> list[int]:
    """When each attempt starts, by what the strategy promises."""
    now, previous, starts = 0, None, [0]
    random = split_mix(settings.seed)
    for made, failure in enumerate(failures, 1):
        now += failure.lasts
        if made >= settings.max_attempts:
            break
        number = next(random)
        left = None if settings.deadline is None else max(settings.deadline - now, 0)
        delay = settings.delay(made, previous, number)
        if failure.retry_after is not None:
            wait = failure.retry_after
            if wait > settings.retry_after_cap:
                break
            width = 0 if settings.jitter == "none" else max(settings.term(made), wait // 4)
            if left is not None:
                width = min(width, max(left - wait - 1, 0))
            delay = max(delay, wait + draw(number, width))
        if left is not None and delay >= left:
            break
        now += delay
        previous = delay
        starts.append(now)
    return starts


def milliseconds(least: int, most: int) -> some.SearchStrategy[int]:
    return some.integers(least, most).map(lambda count: count * MILLISECOND)


@some.composite
def some_settings(of: some.DrawFn) -> Settings:
    cap = of(milliseconds(0, 100_000))
    return Settings(
        # Powers of a factor in hundredths are whole nanoseconds up to the third.
        max_attempts=of(some.integers(1, 5)),
        base=min(of(milliseconds(0, 2_000)), cap),
        hundredths=of(some.integers(100, 1_000)),
        cap=cap,
        jitter=of(some.sampled_from(["none", "additive", "equal", "full", "decorrelated"])),
        deadline=of(some.none() | milliseconds(1, 20_000)),
        retry_after_cap=of(milliseconds(0, 20_000)),
        seed=of(some.integers(0, MASK)),
    )


some_failures = some.lists(
    some.builds(Failure, milliseconds(0, 3_000), some.none() | milliseconds(0, 22_000)), min_size=0, max_size=7
)


@given(some_settings(), some_failures)
def test_every_attempt_starts_when_the_oracle_says(settings: Settings, failures: list[Failure]) -> None:
    clock = seawall.ManualClock(autojump=True)
    starts: list[int] = []

    def attempt() -> int:
        starts.append(clock.now_ns())
        if len(starts) <= len(failures):
            failure = failures[len(starts) - 1]
            clock.set_ns(clock.now_ns() + failure.lasts)
            raise ConnectionError(True if failure.retry_after is None else failure.retry_after / 1e9)
        return len(starts)

    try:
        assert settings.strategy(clock).execute(attempt) == len(failures) + 1
    except ConnectionError:
        pass
    assert starts == instants(settings, failures)


@given(some.integers(0, MASK), some.sampled_from(["none", "additive", "equal", "full", "decorrelated"]))
def test_a_call_that_keeps_failing_waits_as_the_oracle_says(seed: int, jitter: str) -> None:
    settings = Settings(5, 100 * MILLISECOND, 300, 20_000 * MILLISECOND, jitter, None, 0, seed)
    clock = seawall.ManualClock(autojump=True)
    starts: list[int] = []

    def attempt() -> None:
        starts.append(clock.now_ns())
        raise ConnectionError(True)

    try:
        settings.strategy(clock).execute(attempt)
    except ConnectionError:
        pass
    assert starts == instants(settings, [Failure(0, None)] * 5)


@given(some_settings(), some.integers(1, 4), some.none() | milliseconds(0, 5_000), some.none() | milliseconds(0, 90_000))
def test_a_delay_that_is_asked_for_is_the_oracles(
    settings: Settings, attempt: int, previous: int | None, wait: int | None
) -> None:
    delay = settings.strategy(seawall.ManualClock()).next_delay(
        attempt,
        previous=None if previous is None else previous / 1e9,
        retry_after=None if wait is None else wait / 1e9,
    )
    number = next(split_mix(settings.seed))
    expected = settings.delay(attempt, previous, number)
    if wait is not None:
        width = 0 if settings.jitter == "none" else max(settings.term(attempt), wait // 4)
        expected = max(expected, wait + draw(number, width))
    assert delay == expected / 1e9


def test_the_last_attempt_that_there_can_be_has_a_delay_too() -> None:
    strategy = seawall.RetryStrategy(jitter="none")
    assert strategy.next_delay(2**32 - 1, retry_after=60) == 60.0
    assert strategy.next_delay(2**32 - 1) == 20.0


def test_the_same_seed_gives_the_same_delays_and_no_seed_gives_others() -> None:
    def delays(seed: int | None) -> list[float]:
        strategy = seawall.RetryStrategy(seed=seed)
        return [strategy.next_delay(1) for _ in range(5)]

    assert delays(7) == delays(7) != delays(8)
    assert len({tuple(delays(None)) for _ in range(100)}) == 100
