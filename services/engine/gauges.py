"""What a room's telemetry tells of the way to its engine. It knows no way."""

from collections.abc import Callable, Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from services.chassis import names
from services.chassis.call import Priority


def watch(
    *, limit: Callable[[], int], calls: Callable[[], int], waiting: Callable[[Priority], int]
) -> Callable[[Priority], None]:
    """Report these readings from now on. Returns what counts a refused call."""
    meter = metrics.get_meter(__name__)

    def read_limit(_: CallbackOptions) -> Iterable[Observation]:
        yield Observation(limit())

    def read_calls(_: CallbackOptions) -> Iterable[Observation]:
        yield Observation(calls())

    def read_waiting(_: CallbackOptions) -> Iterable[Observation]:
        for priority in Priority:
            yield Observation(waiting(priority), {names.PRIORITY: priority.value})

    meter.create_observable_gauge(names.ENGINE_LIMIT, [read_limit], "{call}")
    meter.create_observable_gauge(names.ENGINE_CALLS, [read_calls], "{call}")
    meter.create_observable_gauge(names.ENGINE_WAITING, [read_waiting], "{call}")
    refused = meter.create_counter(names.ENGINE_REFUSED, "{call}")

    def count(priority: Priority) -> None:
        refused.add(1, {names.PRIORITY: priority.value})

    return count
