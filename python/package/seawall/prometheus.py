"""The guards of a program for Prometheus: `pip install 'seawall[prometheus]'`.

`python/docs/monitoring.md` lists what there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector
except ImportError as _error:
    raise ImportError("seawall.prometheus needs prometheus-client: pip install 'seawall[prometheus]'") from _error

from ._metrics import METRICS, Metric, checked, named

if TYPE_CHECKING:
    from ._native import Guard

__all__ = ["GuardCollector"]

_UNITS = {"s": "seconds"}


class GuardCollector(Collector):
    """Exports `guards`, by their names, when Prometheus asks: a call costs nothing more than before.

    It registers itself, with the `registry` that is given or the default one; None registers it nowhere. The dict is read
    anew each time, so that guards can be added later. One snapshot of each guard serves all its metrics of one scrape.

    >>> import prometheus_client, seawall
    >>> from seawall.prometheus import GuardCollector
    >>> registry = prometheus_client.CollectorRegistry()
    >>> collector = GuardCollector({"payments": seawall.Guard(20, 1.0)}, registry)
    >>> registry.get_sample_value("seawall_limit", {"guard": "payments"})
    4.0
    """

    def __init__(self, guards: Mapping[str, Guard], registry: CollectorRegistry | None = REGISTRY) -> None:
        self._guards = checked(guards)
        if registry is not None:
            registry.register(self)

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Its metrics without their values: by these, a registry finds names that come twice."""
        return (_family(metric) for metric in METRICS)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Its metrics, as Prometheus' registry asks for them."""
        snapshots = [(name, guard.snapshot()) for name, guard in named(self._guards)]
        for metric in METRICS:
            family = _family(metric)
            for name, snapshot in snapshots:
                for values, number in metric.read(snapshot):
                    family.add_metric([name, *values], float(number))
            yield family


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    name, labels = metric.name.replace(".", "_"), ["guard", *metric.attributes]
    if metric.kind == "counter":
        return CounterMetricFamily(name, metric.help, labels=labels)
    return GaugeMetricFamily(name, metric.help, labels=labels, unit=_UNITS.get(metric.unit, ""))
