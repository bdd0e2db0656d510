"""Untrusted bytes to bounded audio: 16 kHz mono samples, block by block, so that hours never stand
in memory. They are decoded in a process of its own. It knows no speech and no room.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from dataclasses import asdict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.chassis import limits
from services.chassis.errors import Internal
from services.media import child
from services.media.refused import Refused
from services.media.sound import CONTAINERS, REMEDY, SAMPLE_BYTES, SAMPLE_RATE_HZ, Limits
from services.media.sound_process import HEAD, READY
from services.media.spool import Spool

__all__ = ["CONTAINERS", "SAMPLE_RATE_HZ", "Limits", "Samples", "decode", "decode_file", "told"]

Samples = NDArray[np.float32]
"""Mono samples between -1 and 1."""

DECODE_SECONDS: Final = 120.0
"""The time that decoding one recording may take. Four hours of Opus take about 20 s of one core."""
PROCESS: Final = "services.media.sound_process"
_MOST_BLOCK_BYTES: Final = 60 * SAMPLE_RATE_HZ * SAMPLE_BYTES


async def decode(
    data: bytes,
    *,
    field: str,
    most_seconds: float = limits.AUDIO_SECONDS,
    decode_seconds: float = DECODE_SECONDS,
) -> AsyncGenerator[Samples, None]:
    """Yield the samples of a recording in order, as they are decoded; close it to end that.

    A truncated or damaged recording gives what can be decoded. Raises `InvalidInput` naming `field`
    when that is nothing, and at the step that goes over a limit.
    """
    cost = Limits(most_seconds, decode_seconds)
    try:
        _check(data)
        async with child.running(PROCESS, *arguments(cost, "whole")) as process:
            sending = asyncio.create_task(_send(process, data))
            try:
                async for block in told(process, decode_seconds):
                    yield block
            finally:
                sending.cancel()
    except Refused as refused:
        raise refused.invalid(field) from None


async def decode_file(
    spool: Spool,
    *,
    most_seconds: float = limits.AUDIO_SECONDS,
    decode_seconds: float = DECODE_SECONDS,
) -> AsyncGenerator[Samples, None]:
    """Yield the samples of a recording that lies on disk, as `decode` does."""
    cost = Limits(most_seconds, decode_seconds)
    try:
        if not spool.size:
            raise _empty()
        given = await spool.whole()
        async with child.running(PROCESS, *arguments(cost, "file"), given=given) as process:
            async for block in told(process, decode_seconds):
                yield block
    except Refused as refused:
        raise refused.invalid(spool.field) from None


def arguments(cost: Limits, kind: str) -> tuple[str, str, str]:
    """What the process is told: what it may cost, and whether it reads a `file`, is sent one
    `whole`, or a `stream`.
    """
    return json.dumps(asdict(cost)), kind, str(int(cost.decode_seconds) + 2)


async def told(process: child.Child, block_seconds: float | None) -> AsyncIterator[Samples]:
    """Read what the process tells; each block within so many seconds. Raises `Refused`, and for
    a process that ended otherwise, because it choked.
    """
    try:
        ready = await _within(block_seconds, process.stdout.readexactly(len(READY)))
    except asyncio.IncompleteReadError:
        ready = b""
    if ready != READY:
        raise Internal("the decoder of audio cannot be started", remedy="see that it is installed")
    try:
        while (size := await _size(process, block_seconds)) >= 0:
            if size > _MOST_BLOCK_BYTES:
                raise _choked()
            yield _samples(await process.stdout.readexactly(size))
        end = json.loads(await process.stdout.read())
    except (asyncio.IncompleteReadError, ValueError):
        raise _choked() from None
    if end:
        raise Refused(end["code"], end["problem"], end["remedy"])


async def _size(process: child.Child, block_seconds: float | None) -> int:
    head = await _within(block_seconds, process.stdout.readexactly(HEAD.size))
    size: int = HEAD.unpack(head)[0]
    return size


async def _within(seconds: float | None, reading: Awaitable[bytes]) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        problem = f"takes more than the {seconds:g} seconds that decoding may take"
        raise Refused("AUDIO_TOO_COSTLY", problem, REMEDY) from None


def _samples(told: bytes) -> Samples:
    # Floating point sources may hold anything, and one NaN would silence a whole piece.
    samples = np.nan_to_num(np.frombuffer(told, "<f4"), posinf=1, neginf=-1)
    clipped: Samples = samples.clip(-1, 1)
    return clipped


async def _send(process: child.Child, data: bytes) -> None:
    await process.send(data)
    process.end()


def _check(data: bytes) -> None:
    if not data:
        raise _empty()
    if len(data) > limits.BODY_BYTES:
        problem = f"is {len(data)} bytes, of at most {limits.BODY_BYTES}"
        raise Refused("AUDIO_TOO_BIG", problem, "send it compressed, or to TranscribeRecording")


def _empty() -> Refused:
    return Refused("AUDIO_EMPTY", "is empty", REMEDY)


def _choked() -> Refused:
    return Refused("AUDIO_UNREADABLE", "is not a recording that can be decoded", REMEDY)
