"""Untrusted bytes to the frames of a video: a few pictures, each with its time.

They are decoded in a process of their own, which may crash, hang and starve, and is ended at its
deadline or with the call that asked. It knows no engine and no room.
"""

import asyncio
import json
import os
import struct
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Final

from services.chassis.errors import Exhausted, Internal, InvalidInput
from services.media.frames import Refused, Sampling, unreadable
from services.media.frames_process import READY

__all__ = ["Clip", "Frame", "Sampling", "VideoDecoder"]

DECODE_SECONDS: Final = 30
"""The time that one video may take. A minute of full high definition, of which a frame of each
second is wanted, takes 10 to 20 s of a core; one of which eight are wanted, 3 to 5 s.
"""
_AT_ONCE: Final = 2
_WAITING: Final = 8
_HEAD: Final = struct.Struct("!dI")
_KNOWN: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
"""What the process needs of the environment, in which secrets stand."""


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
            raise _invalid(field, Refused("VIDEO_EMPTY", "is empty", "send a whole video"))
        if self._inside >= _AT_ONCE + _WAITING:
            raise Exhausted("too many videos are being decoded", remedy="try again in a second")
        self._inside += 1
        try:
            async with self._turns:
                return await self._decoded(data, sampling)
        except Refused as refused:
            raise _invalid(field, refused) from None
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
        return _read(told, sampling)


async def _run(data: bytes, sampling: Sampling, cpu_seconds: int, most_bytes: int) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.media.frames_process"),
        *(json.dumps(asdict(sampling)), str(cpu_seconds)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KNOWN if name in os.environ},
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
    try:
        sending = asyncio.create_task(_send(process.stdin, data))
        told = bytearray()
        while piece := await process.stdout.read(65_536):
            told += piece
            if len(told) > most_bytes:
                raise unreadable()
        await sending
        await process.wait()
        return bytes(told)
    finally:
        sending.cancel()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _send(stdin: asyncio.StreamWriter, data: bytes) -> None:
    # It may end before it has read all.
    with suppress(ConnectionError):
        stdin.write(data)
        await stdin.drain()
        stdin.close()


def _read(told: bytes, sampling: Sampling) -> Clip:
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


def _invalid(field: str, refused: Refused) -> InvalidInput:
    return InvalidInput.field(field, refused.problem, remedy=refused.remedy, code=refused.code)
