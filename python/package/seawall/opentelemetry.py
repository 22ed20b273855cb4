"""The guards of a program for OpenTelemetry: `pip install 'seawall[opentelemetry]'`.

`python/docs/monitoring.md` lists what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

try:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
except ImportError as _error:
    raise ImportError("seawall.opentelemetry needs opentelemetry-api: pip install 'seawall[opentelemetry]'") from _error

from ._metrics import METRICS, Metric, checked, named

if TYPE_CHECKING:
    from ._native import Guard

__all__ = ["instrument"]

Callback: TypeAlias = Callable[[CallbackOptions], Iterator[Observation]]


def instrument(meter: Meter, guards: Mapping[str, Guard]) -> None:
    """Makes an observable instrument of `meter` for each metric of `guards`, by their names: read when they are exported,
    so that a call costs nothing more than before.

    The dict is read anew each time, so that guards can be added later. Call it once for a meter: who calls it again gets
    every number twice.

    >>> import opentelemetry.metrics, seawall
    >>> from seawall.opentelemetry import instrument
    >>> instrument(opentelemetry.metrics.get_meter("payments"), {"payments": seawall.Guard(20, 1.0)})
    """
    checked(guards)
    for metric in METRICS:
        make = meter.create_observable_counter if metric.kind == "counter" else meter.create_observable_gauge
        make(metric.name, callbacks=[_callback(metric, guards)], unit=metric.unit, description=metric.help)


def _callback(metric: Metric, guards: Mapping[str, Guard]) -> Callback:
    keys = ("guard", *metric.attributes)

    def observe(options: CallbackOptions) -> Iterator[Observation]:
        for name, guard in named(guards):
            for values, number in metric.read(guard.snapshot()):
                yield Observation(number, dict(zip(keys, (name, *values), strict=True)))

    return observe
