"""What Prometheus and OpenTelemetry are told of guards: the same words, and the numbers of the snapshot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import seawall
from seawall._metrics import METRICS

pytest.importorskip("prometheus_client")
pytest.importorskip("opentelemetry.sdk.metrics")

import prometheus_client  # noqa: E402
from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402
from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader, Sum  # noqa: E402
from prometheus_client.openmetrics import exposition  # noqa: E402
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families as plain_text  # noqa: E402

from seawall.opentelemetry import instrument  # noqa: E402
from seawall.prometheus import GuardCollector  # noqa: E402

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def guard_with_a_past(clock: seawall.ManualClock) -> seawall.Guard:
    guard = seawall.Guard(20, 1.0, clock=clock, seed=1, mode="enforce", modes={"token_bucket": "shadow"})
    for outcome in ("success", "failure", "success", "ignored"):
        attempt = guard.begin().try_attempt()
        clock.advance(0.2)
        attempt.finish(outcome)
        clock.advance(1.0)
    retried = guard.begin()
    assert retried.try_attempt().finish("failure") is not None
    clock.advance(10.0)
    retried.try_attempt().finish("success")
    for _ in range(3):
        guard.begin().try_attempt().cancel()
    guard.bucket.drain_to(0)
    for _ in range(3):
        guard.begin().try_attempt().finish("success")
    guard.breaker().force_open()
    with pytest.raises(seawall.CircuitOpen):
        guard.begin().try_attempt()
    return guard


@pytest.fixture
def guard(clock: seawall.ManualClock) -> seawall.Guard:
    return guard_with_a_past(clock)


def scraped(registry: prometheus_client.CollectorRegistry) -> Series:
    text = prometheus_client.generate_latest(registry).decode()
    families = list(plain_text(text))
    assert all(family.documentation for family in families)
    series: Series = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series, f"{key} comes twice"
            series[key] = sample.value
    return series


def labels(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


def test_prometheus_reads_the_numbers_of_the_snapshot(guard: seawall.Guard) -> None:
    registry = prometheus_client.CollectorRegistry()
    GuardCollector({"payments": guard}, registry)
    found, snapshot = scraped(registry), guard.snapshot()

    def of(name: str, **given: str) -> float:
        return found[name, labels(guard="payments", **given)]

    total = snapshot.total
    assert of("seawall_begun_total") == total.begun == 12
    assert of("seawall_calls_total", result="delivered") == total.delivered == 6
    assert of("seawall_calls_total", result="ignored") == total.ignored == 1
    assert of("seawall_calls_total", result="given_up") == total.given_up
    assert of("seawall_calls_total", result="abandoned") == total.abandoned
    assert sum(value for (name, _), value in found.items() if name == "seawall_given_up_total") == total.given_up
    assert of("seawall_attempts_total", outcome="success") == 6
    assert of("seawall_attempts_total", outcome="failure") == 2
    assert of("seawall_attempts_total", outcome="throttled") == 0
    assert of("seawall_admitted_total") == total.admitted == 12
    assert of("seawall_retries_total") == total.retries == 1
    assert of("seawall_unsent_total") == total.cancelled == 3
    assert of("seawall_refused_total", stage="circuit_breaker", reason="not_yet") == 1
    assert of("seawall_refused_total", stage="token_bucket", reason="not_yet") == 0
    assert of("seawall_shadow_refused_total", stage="token_bucket", outcome="success") == 3
    assert of("seawall_shadow_refused_total", stage="token_bucket", outcome="failure") == 0
    assert of("seawall_shadow_passed_total", outcome="failure") == 2
    assert of("seawall_shadow_passed_total", outcome="success") == 3
    stages = {dict(given)["stage"] for name, given in found if name == "seawall_shadow_refused_total"}
    assert stages == {"token_bucket"}, "a stage that was never in shadow has no rows"
    assert of("seawall_waiting") == snapshot.waiting == 0
    assert of("seawall_keys_let_through_total") == snapshot.keys_let_through == 0
    assert [of("seawall_breaker_state", state=state) for state in ("closed", "open", "half_open")] == [0, 1, 0]
    assert of("seawall_refusing", stage="circuit_breaker") == 1
    assert of("seawall_refusing", stage="token_bucket") == 0, "in shadow it refuses nobody"
    assert of("seawall_limit") == snapshot.limit and of("seawall_in_flight") == snapshot.in_flight == 0
    assert of("seawall_rate") == snapshot.rate > 0 and of("seawall_burst") == snapshot.burst > 0
    assert of("seawall_tokens") == snapshot.tokens
    assert of("seawall_retry_budget") == snapshot.budget
    assert of("seawall_pause_seconds") == snapshot.paused_for == 0.0
    assert of("seawall_error_rate") == snapshot.error_rate == pytest.approx(2 / 8, abs=1e-6)
    assert of("seawall_throughput") == snapshot.throughput > 0
    assert of("seawall_attempt_latency_seconds", quantile="0.95") == snapshot.p95 == pytest.approx(0.2, rel=0.04)
    assert of("seawall_delivery_latency_seconds", quantile="0.5") == snapshot.delivery_p50


def test_what_is_not_known_has_no_series(clock: seawall.ManualClock) -> None:
    registry = prometheus_client.CollectorRegistry()
    GuardCollector({"idle": seawall.Guard(20, 1.0, clock=clock)}, registry)
    names = {name for name, _ in scraped(registry)}
    assert "seawall_error_rate" not in names and "seawall_attempt_latency_seconds" not in names
    assert "seawall_calls_total" in names and "seawall_throughput" in names


def test_counters_only_grow(clock: seawall.ManualClock) -> None:
    registry = prometheus_client.CollectorRegistry()
    guard = guard_with_a_past(clock)
    GuardCollector({"payments": guard}, registry)
    before = scraped(registry)
    clock.advance(3600.0)
    guard.reset()
    guard.begin().try_attempt().finish("success")
    after = scraped(registry)
    counters = {key for key in before if key[0].endswith("_total")}
    assert len(counters) > 20
    assert all(after[key] >= before[key] for key in counters)
    assert after["seawall_begun_total", labels(guard="payments")] == 13


def test_every_guard_has_its_own_series_and_new_ones_are_found(guard: seawall.Guard) -> None:
    registry = prometheus_client.CollectorRegistry()
    guards = {"payments": guard}
    GuardCollector(guards, registry)
    assert {dict(given)["guard"] for _, given in scraped(registry)} == {"payments"}
    guards["mails"] = seawall.Guard(5, 1.0)
    found = scraped(registry)
    assert found["seawall_begun_total", labels(guard="mails")] == 0
    assert found["seawall_begun_total", labels(guard="payments")] == 12


def test_one_scrape_reads_each_guard_once(guard: seawall.Guard) -> None:
    class Watched:
        def __init__(self) -> None:
            self.reads = 0

        def snapshot(self) -> seawall.Snapshot:
            self.reads += 1
            return guard.snapshot()

    watched = Watched()
    registry = prometheus_client.CollectorRegistry()
    GuardCollector({"payments": watched}, registry)  # type: ignore[dict-item]
    assert watched.reads == 0, "to register it needs no numbers"
    scraped(registry)
    assert watched.reads == 1


def test_open_metrics_accepts_the_text(guard: seawall.Guard) -> None:
    registry = prometheus_client.CollectorRegistry()
    GuardCollector({"payments": guard}, registry)
    text = exposition.generate_latest(registry).decode()  # type: ignore[no-untyped-call]
    families = {family.name: family for family in open_metrics(text)}  # type: ignore[no-untyped-call]
    assert families["seawall_calls"].type == "counter"
    assert (families["seawall_attempt_latency_seconds"].type, families["seawall_attempt_latency_seconds"].unit) == (
        "gauge",
        "seconds",
    )
    assert len(families) == len(METRICS)


def test_two_collectors_in_one_registry_are_refused(guard: seawall.Guard) -> None:
    registry = prometheus_client.CollectorRegistry()
    GuardCollector({"payments": guard}, registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        GuardCollector({"mails": guard}, registry)
    GuardCollector({"mails": guard}, None)


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    yield reader
    reader.shutdown()


def exported(reader: InMemoryMetricReader) -> Series:
    data = reader.get_metrics_data()
    assert data is not None
    series: Series = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        known = next(known for known in METRICS if known.name == metric.name)
        assert (metric.unit, metric.description) == (known.unit, known.help)
        assert isinstance(metric.data, Sum if known.kind == "counter" else Gauge)
        assert not isinstance(metric.data, Sum) or metric.data.is_monotonic
        for point in metric.data.data_points:
            given = {name: str(value) for name, value in (point.attributes or {}).items()}
            assert list(given) == ["guard", *known.attributes]
            assert hasattr(point, "value")
            series[metric.name, labels(**given)] = point.value
    return series


def test_opentelemetry_is_told_the_same_as_prometheus(guard: seawall.Guard, reader: InMemoryMetricReader) -> None:
    guards = {"payments": guard, "idle": seawall.Guard(5, 1.0, clock=seawall.ManualClock())}
    instrument(MeterProvider([reader]).get_meter("test"), guards)
    registry = prometheus_client.CollectorRegistry()
    GuardCollector(guards, registry)
    told, found = exported(reader), scraped(registry)
    renamed = {
        metric.name: metric.name.replace(".", "_")
        + ("_seconds" if metric.unit == "s" else "")
        + ("_total" if metric.kind == "counter" else "")
        for metric in METRICS
    }
    assert {(renamed[name], given): value for (name, given), value in told.items()} == found


def test_the_same_numbers_are_read_anew_at_each_export(guard: seawall.Guard, reader: InMemoryMetricReader) -> None:
    instrument(MeterProvider([reader]).get_meter("test"), {"payments": guard})
    key = ("seawall.calls", labels(guard="payments", result="delivered"))
    assert exported(reader)[key] == 6
    guard.reset()
    guard.begin().try_attempt().finish("success")
    assert exported(reader)[key] == 7


def test_the_page_lists_every_metric() -> None:
    page = (Path(__file__).parents[1] / "docs" / "monitoring.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `seawall.")]
    assert rows == [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {', '.join(f'`{name}`' for name in metric.attributes)} | "
        f"{metric.help} |".replace("|  |", "| |")
        for metric in METRICS
    ]


def test_a_list_of_guards_is_refused_by_both(guard: seawall.Guard) -> None:
    with pytest.raises(TypeError, match='guards must be a dict of guards by name, as {"payments": guard}'):
        GuardCollector([guard], None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="guards must be a dict"):
        instrument(MeterProvider().get_meter("test"), [guard])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [("prometheus", "prometheus_client", "prometheus"), ("opentelemetry", "opentelemetry", "opentelemetry")],
)
def test_without_its_extra_a_module_says_what_to_install(module: str, missing: str, extra: str) -> None:
    code = f"import sys; sys.modules['{missing}'] = None\nimport seawall.{module}"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert failed.stderr.rstrip().endswith(f"pip install 'seawall[{extra}]'")
