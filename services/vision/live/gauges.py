"""What the room's telemetry tells of streams of frames: how many there are, what they hold, what
became of their frames, and how old answers are. It knows no stream.
"""

from collections.abc import Callable, Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from services.chassis import names
from services.vision.live.domain import Counts, Notice, Piece, Reason, Reply, Still, Wanted, Whole

_AGES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


class Gauges:
    """Reports these readings from now on, and what it is told."""

    def __init__(self, *, streams: Callable[[], int], held: Callable[[], int]) -> None:
        meter = metrics.get_meter(__name__)

        def read_streams(_: CallbackOptions) -> Iterable[Observation]:
            yield Observation(streams())

        def read_held(_: CallbackOptions) -> Iterable[Observation]:
            yield Observation(held())

        meter.create_observable_gauge(names.WATCH_STREAMS, [read_streams], "{stream}")
        meter.create_observable_gauge(names.WATCH_HELD, [read_held], "By")
        self._refused = meter.create_counter(names.WATCH_REFUSED, "{stream}")
        self._frames = meter.create_counter(names.WATCH_FRAMES, "{frame}")
        self._notices = meter.create_counter(names.WATCH_NOTICES, "{notice}")
        self._age = meter.create_histogram(
            names.WATCH_AGE, "s", explicit_bucket_boundaries_advisory=_AGES
        )

    def refused(self) -> None:
        """Count a stream that found no place."""
        self._refused.add(1)

    def told(self, reply: Reply) -> None:
        """Take note of what a watcher is told."""
        match reply:
            case Whole():
                self._age.record(reply.age.since_receipt.total_seconds())
                self._count("answered", len(reply.frames))
                self._count_rest(reply.counts)
            case Still():
                self._count_rest(reply.counts)
            case Notice():
                self._notices.add(1, {names.WATCH_REASON: reply.reason.value})
                self._count("refused", reply.reason is Reason.FRAME_REFUSED)
            case Piece() | Wanted():
                pass

    def _count_rest(self, counts: Counts) -> None:
        self._count("dropped", counts.dropped)
        self._count("skipped", counts.skipped)

    def _count(self, fate: str, frames: int) -> None:
        if frames:
            self._frames.add(frames, {names.WATCH_FATE: fate})
