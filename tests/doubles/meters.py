"""What is measured, kept in the test's own memory: readings by name and attributes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

Readings = dict[tuple[str, ...], Any]


class Meters:
    """Reads what was measured since it was made."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def read(self) -> Readings:
        """Each metric's value, by its name and the values of its attributes; of a histogram, how
        many values there are.
        """
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data else ()
        return {
            (metric.name, *map(str, (point.attributes or {}).values())): (
                point.count if hasattr(point, "count") else point.value  # type: ignore[union-attr]
            )
            for resource in resources
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }


@contextmanager
def metering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meters]:
    """Measure in a block."""
    made = Meters()
    monkeypatch.setattr(metrics, "get_meter", made.provider.get_meter)
    yield made
    made.provider.shutdown()
