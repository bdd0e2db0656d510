"""Pictures, recordings and videos as inputs name them. Their bytes stand beside an input, never in
it: it names them by their blob's key.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Blob:
    """The bytes of a picture, a recording or a video."""

    key: str
    """Its name within its job."""
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Image:
    """A picture to work on."""

    id: str
    """What the sender calls it. Empty until the core has given it one."""
    capture_time: datetime | None
    blob: str
    """The key of its bytes."""
    offset_seconds: float | None = None
    """Where it stands in its video. None: it is no frame of a video."""


@dataclass(frozen=True)
class Video:
    """A video to work on."""

    id: str
    """What the sender calls it. May be empty."""
    capture_time: datetime | None
    """When its first frame was taken. None: unknown."""
    blob: str
    """The key of its bytes."""
    frames_per_second: float = 0.0
    """How many frames of each second are looked at. Zero: the pipeline's own choice."""
    max_frames: int = 0
    """The most frames that are looked at. Zero: the pipeline's own limit."""
