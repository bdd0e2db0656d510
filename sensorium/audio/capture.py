"""One opened source of audio as a series of chunks, 16-bit mono PCM at 16,000 samples a second. It
blocks, so it runs in a thread, and it knows nobody who listens.
"""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import av
import av.error

RATE_HZ: Final = 16_000
BYTES_PER_SECOND: Final = 2 * RATE_HZ
CHUNK_BYTES: Final = BYTES_PER_SECOND // 10
OPEN_SECONDS: Final = 10.0
"""How long an address may take to open, or be silent."""


@dataclass(frozen=True)
class Microphone:
    """A microphone of this machine."""

    name: str = ""
    """As the system's sound names it, such as `hw:1`. Empty: the usual one."""


Source = Microphone | str | IO[bytes]
"""A microphone, the path or address of a recording, or what can be read."""


def is_live(source: Source) -> bool:
    """Whether audio comes when it comes, rather than as fast as it is read."""
    return not isinstance(source, str) or "://" in source


def chunks(source: Source, stop: threading.Event, *, fast: bool = False) -> Iterator[bytes]:
    """Read a source until it ends or `stop` is set: a recording at the pace of life, or as fast as
    it can be read. Raises `OSError` when it cannot be read.
    """
    paced = not fast and not is_live(source)
    begun, sent = time.monotonic(), 0
    try:
        with _opened(source) as container:
            for chunk in _cut(_pcm(container)):
                sent += len(chunk)
                ahead = begun + sent / BYTES_PER_SECOND - time.monotonic()
                if stop.wait(max(0.0, ahead)) if paced else stop.is_set():
                    return
                yield chunk
    except av.error.FFmpegError as broken:
        raise OSError(f"the audio cannot be read: {broken.strerror}") from None


def _opened(source: Source) -> Any:
    if isinstance(source, Microphone):
        if sys.platform == "darwin":
            return av.open(f":{source.name or 'default'}", format="avfoundation")
        if sys.platform == "win32":
            return av.open(f"audio={source.name}", format="dshow")
        return av.open(source.name or "default", format="alsa")
    if isinstance(source, str):
        if not is_live(source) and not Path(source).is_file():
            raise OSError(f"there is no recording at {source}")
        return av.open(source, timeout=(OPEN_SECONDS, OPEN_SECONDS))
    return av.open(source)


def _pcm(container: Any) -> Iterator[bytes]:
    if not container.streams.audio:
        raise OSError("there is no sound in it")
    converter = av.AudioResampler("s16", "mono", RATE_HZ)
    for decoded in container.decode(container.streams.audio[0]):
        for frame in converter.resample(decoded):
            yield bytes(frame.planes[0])[: 2 * frame.samples]
    for frame in converter.resample(None):
        yield bytes(frame.planes[0])[: 2 * frame.samples]


def _cut(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)
