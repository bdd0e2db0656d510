"""The sound in hostile bytes: 16 kHz mono samples, block by block, so that hours never stand in
memory. It runs in a process of its own, which `audio` starts, bounds and does not believe.

What FFmpeg may do with the bytes is narrowed here too: only the containers that people record into,
only audio decoders, and no way to open another file or address. It knows no speech and no room.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import av
import av.codec.codec
import av.container
import av.error

from services.media.refused import Refused

SAMPLE_RATE_HZ: Final = 16_000
SAMPLE_BYTES: Final = 4

# Playlists and other indirections (hls, dash, concat, sdp, image sequences) are left out on
# purpose, and so are the hundreds of formats of old games: nobody sends them, and few eyes have
# seen their parsers.
CONTAINERS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,voc,"
    "w64,wav,wv"
)
REMEDY: Final = "send a whole WAV, FLAC, MP3, M4A, MP4, Ogg, WebM or MKV file, as it is"

# Below, one byte would become many samples; above, the resampler's filter grows with the rate.
_RATES_HZ: Final = range(2_000, 768_001)
_MOST_CHANNELS: Final = 8


class Source(Protocol):
    """Where the bytes come from."""

    def read(self, size: int = -1, /) -> bytes:
        """Give some bytes, none at the end."""
        ...


@runtime_checkable
class File(Source, Protocol):
    """A whole file."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go on elsewhere."""
        ...


@dataclass(frozen=True)
class Limits:
    """What one recording may cost."""

    most_seconds: float
    decode_seconds: float
    containers: str = CONTAINERS
    """The names of the containers that may be found, apart by commas."""
    block_samples: int = SAMPLE_RATE_HZ
    """How many samples come at once. Zero: as many as were packed together."""


def decoded(source: Source, limits: Limits) -> Iterator[bytes]:
    """Yield the samples in order, as floating point numbers of 32 bits, as they are decoded.

    A truncated or damaged recording gives what can be decoded. Raises `Refused` when that is
    nothing, and at the step that goes over a limit.
    """
    heard, spent, steps = 0, 0.0, _steps(source, limits)
    while True:
        started = time.process_time()
        block = next(steps, None)
        spent += time.process_time() - started
        if block is None:
            break
        if spent > limits.decode_seconds:
            problem = (
                f"takes more than the {limits.decode_seconds:g} seconds that decoding may take"
            )
            raise Refused("AUDIO_TOO_COSTLY", problem, REMEDY)
        heard += len(block) // SAMPLE_BYTES
        if heard > limits.most_seconds * SAMPLE_RATE_HZ:
            raise _too_long(limits)
        if block:
            yield block
    if not heard:
        raise Refused("AUDIO_EMPTY", "holds no sound that can be decoded", REMEDY)


def _steps(source: Source, limits: Limits) -> Iterator[bytes]:
    with _opened(source, limits) as container:
        stream = _audio_stream(container)
        claimed = (container.duration or 0) / av.time_base
        if claimed <= limits.most_seconds or not isinstance(source, File):
            yield from _resampled(_frames(container, stream), limits.block_samples)
            return
    # Headers lie, and those of a recording that was piped say the largest number there is. So one
    # that claims too much is measured by its packets before anything is decoded.
    source.seek(0)
    if _measured_seconds(source, limits) > limits.most_seconds:
        raise _too_long(limits)
    source.seek(0)
    with _opened(source, limits) as container:
        stream = _audio_stream(container)
        yield from _resampled(_frames(container, stream), limits.block_samples)


def _opened(source: Source, limits: Limits) -> av.container.InputContainer:
    try:
        return av.open(
            source,
            "r",
            container_options={
                "format_whitelist": limits.containers,
                "codec_whitelist": _AUDIO_DECODERS,
                "protocol_whitelist": "",
            },
            io_open=_refuse_to_open,
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, OSError, ValueError):
        raise _unreadable("is not a recording that can be read") from None


def _refuse_to_open(url: str, flags: int, options: dict[str, Any]) -> io.BytesIO:
    raise PermissionError("a recording may not name another file or address")


def _audio_stream(container: av.container.InputContainer) -> av.AudioStream:
    found = next(iter(container.streams.audio), None)
    if found is None:
        problem = "has no sound in it" if container.streams.video else "has no audio in it"
        raise Refused("AUDIO_MISSING", problem, "send a recording with an audio track")
    if found.codec_context is None:
        raise _unreadable("is in a codec that cannot be decoded")
    return found


def _measured_seconds(source: Source, limits: Limits) -> float:
    with _opened(source, limits) as container:
        stream = _audio_stream(container)
        packets = (packet.duration or 0 for packet in _packets(container, stream))
        return float(sum(packets) * (stream.time_base or 0))


def _packets(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator["av.Packet[av.AudioStream]"]:
    try:
        yield from container.demux(stream)
    except (av.error.FFmpegError, OSError):
        return  # What follows a break in the container cannot be found; what came before counts.


def _frames(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame | None]:
    for packet in _packets(container, stream):
        try:
            yield from stream.decode(packet)
        except (av.error.FFmpegError, OSError, ValueError):
            yield None  # One damaged packet; time passes all the same.


def _resampled(frames: Iterator[av.AudioFrame | None], block_samples: int) -> Iterator[bytes]:
    resampler, shape = _resampler(block_samples), None
    for frame in frames:
        if frame is None:
            yield b""
            continue
        _check_frame(frame)
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape not in (None, found):
            yield from _taken(resampler, None)
            resampler = _resampler(block_samples)
        shape = found
        yield from _taken(resampler, frame)
    yield from _taken(resampler, None)


def _resampler(block_samples: int) -> av.AudioResampler:
    # Of a file in blocks of a second: most of the time would else go into handling 20 ms each.
    return av.AudioResampler(
        format="flt", layout="mono", rate=SAMPLE_RATE_HZ, frame_size=block_samples or None
    )


def _taken(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Iterator[bytes]:
    for converted in resampler.resample(frame):
        yield bytes(converted.planes[0])[: converted.samples * SAMPLE_BYTES]


def _check_frame(frame: av.AudioFrame) -> None:
    channels = frame.layout.nb_channels
    if frame.sample_rate not in _RATES_HZ or channels > _MOST_CHANNELS:
        problem = f"has {channels} channels of {frame.sample_rate} samples a second"
        remedy = "send mono or stereo at 8,000 to 48,000"
        raise Refused("AUDIO_UNREADABLE", problem, remedy)


def _unreadable(problem: str) -> Refused:
    return Refused("AUDIO_UNREADABLE", problem, REMEDY)


def _too_long(limits: Limits) -> Refused:
    problem = f"lasts longer than {limits.most_seconds:g} seconds"
    return Refused("AUDIO_TOO_LONG", problem, "send it in parts")


def _is_audio_decoder(name: str) -> bool:
    try:
        return av.Codec(name, "r").type == "audio"
    except av.codec.codec.UnknownCodecError:
        return False  # It only encodes.


_AUDIO_DECODERS: Final = ",".join(filter(_is_audio_decoder, sorted(av.codecs_available)))
