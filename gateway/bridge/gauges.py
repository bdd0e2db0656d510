"""What the bridge's telemetry tells of its sockets: how many are open, what they hold, how many
messages came and how many of them a room wanted, and why sockets were closed. It knows no socket.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from gateway.bridge.session import Code
from services.chassis import names


class Gauges:
    """Reports these readings from now on, and what it is told. `opened` tells sockets by path."""

    def __init__(self, *, opened: Callable[[], Mapping[str, int]], held: Callable[[], int]) -> None:
        meter = metrics.get_meter(__name__)

        def read_open(_: CallbackOptions) -> Iterable[Observation]:
            for path, count in opened().items():
                yield Observation(count, {names.ROUTE: path})

        def read_held(_: CallbackOptions) -> Iterable[Observation]:
            yield Observation(held())

        meter.create_observable_gauge(names.SOCKETS_OPEN, [read_open], "{socket}")
        meter.create_observable_gauge(names.SOCKETS_HELD, [read_held], "By")
        self._messages = meter.create_counter(names.SOCKETS_MESSAGES, "{message}")
        self._passed = meter.create_counter(names.SOCKETS_PASSED, "{message}")
        self._closed = meter.create_counter(names.SOCKETS_CLOSED, "{socket}")

    def counting(self, path: str) -> "Counting":
        """What counts the messages of sockets at a path."""
        route = {names.ROUTE: path}
        return Counting(partial(self._messages.add, 1, route), partial(self._passed.add, 1, route))

    def closed(self, code: Code) -> None:
        """Count a socket that the bridge closes, or that it refuses."""
        self._closed.add(1, {names.SOCKET_CODE: code.value})


class Counting:
    """Counts the messages of sockets at one path."""

    def __init__(self, came: Callable[[], None], passed: Callable[[], None]) -> None:
        self.came = came
        """Count a message of a client."""
        self.passed = passed
        """Count what is passed on to the call under way."""
