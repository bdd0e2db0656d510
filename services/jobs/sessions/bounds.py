"""What sessions may take up, and for how long."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Bounds:
    """The bounds of the sessions of one process."""

    streams: int = 64
    """How many have a stream at once."""
    kept: timedelta = timedelta(seconds=90)
    """How long one waits for another stream, unless the audio room forgets it sooner."""
    analyses: int = 4
    """How many are analysed at once; further ones wait."""
    analysis: timedelta = timedelta(minutes=10)
    """How long the analysis of one may take."""
    retention: timedelta = timedelta(hours=24)
    """How long one is kept after its end."""
    lease: timedelta = timedelta(seconds=30)
    """How long one is held by a process that gives no sign."""
