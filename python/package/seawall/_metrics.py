"""What there is to say of a guard, in the words of no exporter: the one table that all of them read.

Nothing is counted for it. A metric is read from a snapshot when it is asked for, so that a call costs what it costs without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from ._native import Guard, Snapshot

Points: TypeAlias = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Metric:
    """A metric: `read` gives the values of its attributes, without the guard's name, and the number."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    help: str
    attributes: tuple[str, ...]
    read: Callable[[Snapshot], Points]


def _results(snapshot: Snapshot) -> Points:
    total = snapshot.total
    yield ("delivered",), total.delivered
    yield ("given_up",), total.given_up
    yield ("abandoned",), total.abandoned
    yield ("ignored",), total.ignored


def _refused(snapshot: Snapshot) -> Points:
    for stage, reasons in snapshot.total.refused_by.items():
        for reason, count in reasons.items():
            # "not_yet" is there from the start, as a rate needs a first point; the others are rare, and come as they come.
            if count or reason == "not_yet":
                yield (stage, reason), count


def _would_refuse(snapshot: Snapshot) -> Points:
    for stage, outcomes in snapshot.total.would_refuse.items():
        if any(outcomes.values()):
            for (outcome,), count in _each(outcomes):
                yield (stage, outcome), count


def _state(snapshot: Snapshot) -> Points:
    for state in ("closed", "open", "half_open"):
        yield (state,), snapshot.state == state


def _refusing(snapshot: Snapshot) -> Points:
    refusing = {refused.stage for refused in snapshot.refusals}
    for stage in ("pause", "circuit_breaker", "concurrency_limit", "token_bucket"):
        yield (stage,), stage in refusing


# A TypedDict of counts is no Mapping of them to a type checker.
def _each(counts: Mapping[Any, Any]) -> Points:
    return (((name,), count) for name, count in counts.items())


def _one(value: float | None) -> Points:
    return () if value is None else (((), value),)


def _quantiles(p50: float | None, p95: float | None, p99: float | None) -> Points:
    known = (("0.5", p50), ("0.95", p95), ("0.99", p99))
    return (((quantile,), value) for quantile, value in known if value is not None)


METRICS: tuple[Metric, ...] = (
    Metric("seawall.begun", "counter", "{call}", "Calls that began", (), lambda s: _one(s.total.begun)),
    Metric("seawall.calls", "counter", "{call}", "Calls that ended, by what became of them", ("result",), _results),
    Metric(
        "seawall.given_up",
        "counter",
        "{call}",
        "Calls that failed and were not sent again, by the reason",
        ("reason",),
        lambda s: _each(s.total.given_up_by),
    ),
    Metric(
        "seawall.attempts",
        "counter",
        "{attempt}",
        "Attempts that ended, by their outcome",
        ("outcome",),
        lambda s: _each(s.total.outcomes),
    ),
    Metric(
        "seawall.admitted",
        "counter",
        "{attempt}",
        "Attempts that were admitted, first ones and retries",
        (),
        lambda s: _one(s.total.admitted),
    ),
    Metric("seawall.retries", "counter", "{attempt}", "Admitted retries", (), lambda s: _one(s.total.retries)),
    Metric(
        "seawall.unsent",
        "counter",
        "{attempt}",
        "Admitted attempts that were given back unsent",
        (),
        lambda s: _one(s.total.cancelled),
    ),
    Metric(
        "seawall.refused",
        "counter",
        "{attempt}",
        "Attempts that were refused, by the stage that refused and why",
        ("stage", "reason"),
        _refused,
    ),
    Metric(
        "seawall.shadow_refused",
        "counter",
        "{attempt}",
        "Attempts that a stage in shadow would have refused, by their outcome",
        ("stage", "outcome"),
        _would_refuse,
    ),
    Metric(
        "seawall.shadow_passed",
        "counter",
        "{attempt}",
        "Attempts that no stage in shadow would have refused, by their outcome",
        ("outcome",),
        lambda s: _each(s.total.would_pass),
    ),
    Metric(
        "seawall.keys_let_through",
        "counter",
        "{attempt}",
        "Attempts that passed without a limit of their key, as there was no place for it",
        (),
        lambda s: _one(s.keys_let_through),
    ),
    Metric(
        "seawall.breaker_state",
        "gauge",
        "1",
        "1 for the state of the circuit breaker, 0 for the others; of several shards, the worst",
        ("state",),
        _state,
    ),
    Metric(
        "seawall.refusing",
        "gauge",
        "1",
        "1 where the stage would refuse an attempt at this moment",
        ("stage",),
        _refusing,
    ),
    Metric("seawall.pause", "gauge", "s", "What is left of a pause (Retry-After)", (), lambda s: _one(s.paused_for)),
    Metric("seawall.in_flight", "gauge", "{attempt}", "Attempts in flight", (), lambda s: _one(s.in_flight)),
    Metric("seawall.limit", "gauge", "{attempt}", "Attempts that may be in flight", (), lambda s: _one(s.limit)),
    Metric("seawall.waiting", "gauge", "{attempt}", "Attempts that wait to be admitted", (), lambda s: _one(s.waiting)),
    Metric("seawall.rate", "gauge", "{token}/s", "Rate of the token bucket", (), lambda s: _one(s.rate)),
    Metric("seawall.burst", "gauge", "{token}", "The most tokens the bucket holds", (), lambda s: _one(s.burst)),
    Metric("seawall.tokens", "gauge", "{token}", "Tokens the bucket holds", (), lambda s: _one(s.tokens)),
    Metric(
        "seawall.retry_budget",
        "gauge",
        "{retry}",
        "Retries that the budget would pay for",
        (),
        lambda s: _one(s.budget),
    ),
    Metric(
        "seawall.error_rate",
        "gauge",
        "1",
        "Share of the attempts in the guard's window that failed",
        (),
        lambda s: _one(s.error_rate),
    ),
    Metric(
        "seawall.throughput",
        "gauge",
        "{attempt}/s",
        "Attempts that ended, per second of the guard's window",
        (),
        lambda s: _one(s.throughput),
    ),
    Metric(
        "seawall.attempt_latency",
        "gauge",
        "s",
        "Latency of the attempts in the guard's window",
        ("quantile",),
        lambda s: _quantiles(s.p50, s.p95, s.p99),
    ),
    Metric(
        "seawall.delivery_latency",
        "gauge",
        "s",
        "Time to delivery of the calls in the guard's window, over all attempts and waits",
        ("quantile",),
        lambda s: _quantiles(s.delivery_p50, s.delivery_p95, s.delivery_p99),
    ),
)


def named(guards: Mapping[str, Guard]) -> Iterator[tuple[str, Guard]]:
    """Those that are there now: another thread may add one meanwhile."""
    return iter(list(guards.items()))


def checked(guards: Mapping[str, Guard]) -> Mapping[str, Guard]:
    if not isinstance(guards, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f'guards must be a dict of guards by name, as {{"payments": guard}}, not {guards!r}')
    return guards
