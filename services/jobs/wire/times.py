"""Times and spans of time. A time that is not known is unset in the contract and None here."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.errors import InvalidInput


def time_from_pb(time: Timestamp, path: str) -> datetime:
    """Read a time that is set; raises `InvalidInput` at `path` where there is no such time."""
    try:
        return time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.field(path, "is no time", remedy="send RFC 3339, or nothing") from None


def time_to_pb(time: datetime | None) -> Timestamp | None:
    """Write a time."""
    if time is None:
        return None
    written = Timestamp()
    written.FromDatetime(time)
    return written


def seconds_from_pb(duration: Duration) -> float:
    """Read a span in seconds."""
    return float(duration.ToTimedelta().total_seconds())


def seconds_to_pb(seconds: float) -> Duration:
    """Write a span of so many seconds."""
    written = Duration()
    written.FromTimedelta(timedelta(seconds=seconds))
    return written
