"""Audio that arrives in pieces cut anywhere, to 16 kHz mono samples as they come. Plain samples are
read here; containers go through a process of their own. It knows no room.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from services.chassis import limits
from services.media import audio, child
from services.media.audio import CONTAINERS, SAMPLE_RATE_HZ, Limits, Samples
from services.media.refused import Refused


class Encoding(StrEnum):
    """What the bytes of a stream are."""

    PCM16 = "pcm16"
    """Signed 16-bit little-endian mono."""
    FLOAT32 = "float32"
    """32-bit little-endian floating point mono."""
    MULAW = "mulaw"
    """8-bit mu-law, mono."""
    OGG = "ogg"
    """Ogg."""
    WEBM = "matroska"
    """WebM and Matroska."""
    CONTAINER = "container"
    """Any container that can be read from its beginning on."""


DEFAULT_RATE_HZ: Final = {Encoding.MULAW: 8_000}
_TAIL_BYTES: Final = 64 * 1024
"""What may follow a recording that has ended: tags. More is another one."""
_EBML: Final = b"\x1a\x45\xdf\xa3"
"""How WebM begins."""
_AFTER_END: Final = "goes on after the recording that it began with has ended"
_ONE_RECORDING: Final = "send one recording in a session, or plain samples, such as PCM16"
_CPU_SECONDS: Final = 600.0
"""Six hours of Opus take about half a minute of one core."""

Sink = Callable[[Samples], None]
"""Takes samples in order."""
Room = Callable[[], Awaitable[None]]
"""Waits until the sink should be given more."""


class Ear(Protocol):
    """Takes the bytes of one stream."""

    async def ready(self) -> None:
        """Wait until more bytes should be fed. Raises `Refused`."""
        ...

    def feed(self, data: bytes) -> None:
        """Take the next bytes, all of them or, if it raises `Refused`, none."""
        ...

    async def finish(self) -> None:
        """Hand over what is left when no more bytes follow; once. Raises `Refused`."""
        ...


@asynccontextmanager
async def opened(
    encoding: Encoding, sample_rate_hz: int, sink: Sink, room: Room
) -> AsyncIterator[Ear]:
    """Open a stream for a block; a rate of zero is the encoding's usual one."""
    match encoding:
        case Encoding.PCM16 | Encoding.FLOAT32 | Encoding.MULAW:
            rate = sample_rate_hz or DEFAULT_RATE_HZ.get(encoding, SAMPLE_RATE_HZ)
            yield _Plain(encoding, rate, sink, room)
        case Encoding.OGG | Encoding.WEBM | Encoding.CONTAINER:
            found = CONTAINERS if encoding is Encoding.CONTAINER else encoding.value
            cost = Limits(limits.AUDIO_SECONDS, _CPU_SECONDS, found, block_samples=0)
            async with child.running(audio.PROCESS, *audio.arguments(cost, "stream")) as process:
                boxed = _Boxed(process, sink, room)
                try:
                    yield boxed
                finally:
                    await boxed.close()


class _Plain:
    def __init__(self, encoding: Encoding, rate: int, sink: Sink, room: Room) -> None:
        self._read = _READERS[encoding]
        self._width = _WIDTHS[encoding]
        self._rate = rate
        self._sink = sink
        self._room = room
        self._rest = b""
        self._resampler = (
            None
            if rate == SAMPLE_RATE_HZ
            else av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
        )

    async def ready(self) -> None:
        await self._room()

    def feed(self, data: bytes) -> None:
        data = self._rest + data
        whole = len(data) // self._width * self._width
        samples = self._read(data[:whole])
        self._rest = data[whole:]
        if self._resampler is None:
            self._sink(samples)
        elif whole:
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
            frame.sample_rate = self._rate
            self._hand_over(self._resampler, frame)

    async def finish(self) -> None:
        if self._resampler is not None:
            self._hand_over(self._resampler, None)

    def _hand_over(self, resampler: av.AudioResampler, frame: av.AudioFrame | None) -> None:
        for converted in resampler.resample(frame):
            self._sink(converted.to_ndarray()[0].clip(-1, 1))


class _Boxed:
    def __init__(self, process: child.Child, sink: Sink, room: Room) -> None:
        self._process = process
        self._has_begun = False
        self._after = 0
        """The bytes that came after the end of the recording."""
        self._reading = asyncio.create_task(_hand_on(process, sink, room))

    async def ready(self) -> None:
        draining = asyncio.ensure_future(self._process.send(b""))
        try:
            # It may end before the bytes do, and then nobody reads them.
            await asyncio.wait((draining, self._reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            draining.cancel()
        if self._reading.done():
            self._reading.result()

    def feed(self, data: bytes) -> None:
        self._after += len(data) if self._reading.done() else 0
        if self._after > _TAIL_BYTES or (self._has_begun and _begins(data)):
            raise Refused("AUDIO_AFTER_END", _AFTER_END, _ONE_RECORDING)
        self._has_begun = True
        self._process.write(data)

    async def finish(self) -> None:
        self._process.end()
        await asyncio.shield(self._reading)

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.wait((self._reading,))
        if not self._reading.cancelled():
            self._reading.exception()


def _begins(data: bytes) -> bool:
    """Whether a WAV or WebM begins here, as when a recorder starts anew: amid another one it is
    taken for a part of that and passed over, with all that is said in it.
    """
    return data.startswith(_EBML) or (data[:4], data[8:12]) == (b"RIFF", b"WAVE")


async def _hand_on(process: child.Child, sink: Sink, room: Room) -> None:
    async for block in audio.told(process, None):
        await room()
        sink(block)


def _from_pcm16(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32_768)


def _from_float32(data: bytes) -> Samples:
    samples = np.frombuffer(data, "<f4")
    loudest = np.abs(samples[np.isfinite(samples)]).max(initial=0)
    if loudest > _LOUDEST:
        problem = "holds samples far beyond 1, so it is not floating point PCM"
        raise Refused("AUDIO_UNREADABLE", problem, "name the encoding that is sent, such as PCM16")
    clipped: Samples = np.nan_to_num(samples, posinf=1, neginf=-1).clip(-1, 1)
    return clipped


def _from_mulaw(data: bytes) -> Samples:
    return _MULAW[np.frombuffer(data, np.uint8)]


_LOUDEST: Final = 1_000.0
"""Even a badly mixed recording stays below; other data read as floating point go far beyond."""


def _mulaw_table() -> NDArray[np.float32]:
    # ITU-T G.711: sign, three bits of exponent, four of mantissa, all inverted.
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = ((code & 15).astype(np.int32) * 8 + 132 << (code >> 4 & 7)) - 132
    return np.where(code & 128, -magnitude, magnitude).astype(np.float32) / np.float32(32_768)


_MULAW: Final = _mulaw_table()
_READERS: Final = {
    Encoding.PCM16: _from_pcm16,
    Encoding.FLOAT32: _from_float32,
    Encoding.MULAW: _from_mulaw,
}
_WIDTHS: Final = {Encoding.PCM16: 2, Encoding.FLOAT32: 4, Encoding.MULAW: 1}
