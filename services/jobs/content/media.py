"""Pictures, recordings and videos as inputs name them. Their bytes stand beside an input, never in
it: it names them by their blob's key.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NewType

MediaId = NewType("MediaId", str)
HELD: Final = "media/"
"""So begin the keys of bytes that the job holds in the media store, and not beside itself."""


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
    uri: str = field(default="", repr=False)
    """Where its bytes are, when they were not sent. Empty: they were."""


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
    uri: str = field(default="", repr=False)
    """Where its bytes are, when they were not sent. Empty: they were."""


@dataclass(frozen=True)
class DomainQuery:
    """Pictures that lie in a domain of the posemesh network."""

    domain_id: str
    ids: tuple[str, ...] = ()
    """Empty: everything that the other fields allow."""
    name: str = ""
    """Empty: of every name."""
    data_type: str = ""
    """Empty: of every type."""
    upload_output: bool = False
    """Whether the output is stored in the domain too."""


@dataclass(frozen=True)
class Holding:
    """Media that a job is to hold."""

    key: str
    media_id: MediaId
    path: str
    """Where the request names it."""
    is_recording: bool = False
    """Whether it is only heard, and so may be of any size."""
