"""One opened source of video as a series of JPEGs, as they come. It blocks, so it runs in a thread,
and it knows neither callbacks nor what becomes of a source that breaks.
"""

import base64
import io
import json
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import av
import av.error
from PIL import Image

OPEN_SECONDS: Final = 10.0
"""How long a source may take to open, or be silent."""
LATE_SECONDS: Final = 0.25
"""What of a file is later than this is not shown any more."""

_RTSP: Final = {
    "rtsp_transport": "tcp",
    # Left alone it watches for five seconds before it shows a frame, and keeps what it has seen.
    "analyzeduration": "500000",
    "fflags": "nobuffer",
}


@dataclass(frozen=True)
class Frame:
    """A picture of a video."""

    data: bytes
    """A JPEG."""
    captured: float
    """When, in seconds since 1970."""

    @cached_property
    def text(self) -> str:
        """The frame as VILA's clients send it."""
        encoded = base64.b64encode(self.data).decode()
        return json.dumps({"timestamp": self.captured, "frame": encoded})


@dataclass(frozen=True)
class Look:
    """How frames are wanted."""

    fps: float = 30
    """The most frames of a second."""
    resolution: tuple[int, int] = (640, 480)
    """The largest width and height; a frame keeps its shape."""
    jpeg_quality: int = 70
    """From 1 to 95."""


@dataclass(frozen=True)
class Camera:
    """A camera of this machine."""

    device_index: int


Source = Camera | str
"""A camera, or the path or address of a video."""


def is_live(source: Source) -> bool:
    """Whether frames come when they come, rather than from a file."""
    return isinstance(source, Camera) or "://" in source


def frames(source: Source, look: Look, stop: threading.Event) -> Iterator[Frame]:
    """Read a source until it ends or `stop` is set. Raises `OSError` when it cannot be read."""
    try:
        with _opened(source, look) as container:
            yield from _read(container, look, stop, paced=not is_live(source))
    except av.error.FFmpegError as broken:
        raise OSError(f"the video cannot be read: {broken.strerror}") from None


def _opened(source: Source, look: Look) -> Any:
    if isinstance(source, Camera):
        width, height = look.resolution
        mac = sys.platform == "darwin"
        wanted = {"video_size": f"{width}x{height}", "framerate": f"{look.fps:g}"}
        name = str(source.device_index) if mac else f"/dev/video{source.device_index}"
        return av.open(name, format="avfoundation" if mac else "v4l2", options=wanted)
    options = _RTSP if source.startswith("rtsp") else {}
    return av.open(source, options=options, timeout=(OPEN_SECONDS, OPEN_SECONDS))


def _read(container: Any, look: Look, stop: threading.Event, *, paced: bool) -> Iterator[Frame]:
    if not container.streams.video:
        raise OSError("there is no picture in it")
    video = container.streams.video[0]
    # Threads that take a frame each would show every frame late by as many.
    video.thread_type = "AUTO" if paced else "SLICE"
    begun, first = None, 0.0
    due = 0.0
    for decoded in container.decode(video):
        now = time.monotonic()
        if begun is None:
            begun, first = now, decoded.time or 0.0
        at = (decoded.time or 0.0) - first if paced else now - begun
        # A frame that comes a little early is the one that is due.
        if at + 0.25 / look.fps < due:
            continue
        if paced:
            if now - begun - at > LATE_SECONDS:
                continue
            if stop.wait(max(0.0, begun + at - now)):
                return
        due = max(due + 1 / look.fps, at)
        if stop.is_set():
            return
        yield Frame(_jpeg(decoded, look), time.time())


def _jpeg(decoded: Any, look: Look) -> bytes:
    picture = _upright(decoded)
    picture.thumbnail(look.resolution)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=look.jpeg_quality)
    return written.getvalue()


def _upright(decoded: Any) -> Image.Image:
    picture: Image.Image = decoded.to_image()
    matrix = decoded.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return picture
    a, b, _, c, d, *_ = struct.unpack_from("=9i", bytes(matrix))
    # What a matrix mirrors besides is shown as it is: its angle alone would turn it over.
    return picture.rotate(decoded.rotation, expand=True) if a * d > b * c else picture
