"""Untrusted bytes to the frames of a video: a few pictures, each with its time.

They are decoded in a process of their own, which may crash, hang and starve, and is ended at its
deadline or with the call that asked. It knows no engine and no room.
"""

import asyncio
import json
import struct
from dataclasses import asdict, dataclass, field
from typing import Final

from services.chassis.errors import Exhausted, Internal
from services.media import child
from services.media.frames import Sampling, unreadable
from services.media.frames_process import READY
from services.media.refused import Refused

__all__ = ["Clip", "Frame", "Sampling", "VideoDecoder"]

DECODE_SECONDS: Final = 30
"""The time that one video may take. A minute of full high definition, of which a frame of each
second is wanted, takes 10 to 20 s of a core; one of which eight are wanted, 3 to 5 s.
"""
_AT_ONCE: Final = 2
_WAITING: Final = 8
_HEAD: Final = struct.Struct("!dI")


@dataclass(frozen=True)
class Frame:
    """One picture of a video, as JPEG, upright, in RGB and within the budget of pixels."""

    data: bytes = field(repr=False)
    seconds: float
    """Since the first frame."""


@dataclass(frozen=True)
class Clip:
    """Frames of a video: at least one, in order."""

    frames: tuple[Frame, ...]
    seconds: float
    """The length of the video."""


class VideoDecoder:
    """Decodes a few videos at once; the others wait, and too many are refused."""

    def __init__(self, *, seconds: float = DECODE_SECONDS) -> None:
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._inside = 0

    async def frames(self, data: bytes, sampling: Sampling, *, field: str) -> tuple[Frame, ...]:
        """Find the frames that are wanted: at least one, in order. Raises as `clip` does."""
        return (await self.clip(data, sampling, field=field)).frames

    async def clip(self, data: bytes, sampling: Sampling, *, field: str) -> Clip:
        """Find the frames that are wanted, and the length. Raises `InvalidInput` about `field`."""
        if not data:
            raise Refused("VIDEO_EMPTY", "is empty", "send a whole video").invalid(field)
        if self._inside >= _AT_ONCE + _WAITING:
            raise Exhausted("too many videos are being decoded", remedy="try again in a second")
        self._inside += 1
        try:
            async with self._turns:
                return await self._decoded(data, sampling)
        except Refused as refused:
            raise refused.invalid(field) from None
        finally:
            self._inside -= 1

    async def _decoded(self, data: bytes, sampling: Sampling) -> Clip:
        most = sampling.most_frames * (3 * sampling.most_pixels + 65_536) + 65_536
        try:
            async with asyncio.timeout(self._seconds):
                told = await _run(data, sampling, int(self._seconds) + 1, most)
        except TimeoutError:
            problem = f"takes more than the {self._seconds:g} seconds that decoding may take"
            remedy = "send a shorter or smaller one"
            raise Refused("VIDEO_TOO_COSTLY", problem, remedy) from None
        return _read(told)


async def _run(data: bytes, sampling: Sampling, cpu_seconds: int, most_bytes: int) -> bytes:
    arguments = (json.dumps(asdict(sampling)), str(cpu_seconds))
    async with child.running("services.media.frames_process", *arguments) as process:
        sending = asyncio.create_task(_send(process, data))
        try:
            told = bytearray()
            while piece := await process.stdout.read(65_536):
                told += piece
                if len(told) > most_bytes:
                    raise unreadable()
        finally:
            sending.cancel()
        return bytes(told)


async def _send(process: child.Child, data: bytes) -> None:
    await process.send(data)
    process.end()


def _read(told: bytes) -> Clip:
    """Read what the process told; one that ended otherwise choked on the video."""
    if not told.startswith(READY):
        raise Internal("the decoder of videos cannot be started", remedy="see that it is installed")
    frames: list[Frame] = []
    at = len(READY)
    while at + _HEAD.size <= len(told):
        seconds, size = _HEAD.unpack_from(told, at)
        at += _HEAD.size
        if seconds < 0:
            try:
                end = json.loads(told[at:])
            except ValueError:
                raise unreadable() from None
            if "code" in end:
                raise Refused(end["code"], end["problem"], end["remedy"])
            return Clip(tuple(frames), end["length"])
        frames.append(Frame(told[at : at + size], seconds))
        at += size
    raise unreadable()
