"""Untrusted bytes to bounded audio: 16 kHz mono samples, block by block, so that hours never stand
in memory.

What FFmpeg may do with hostile bytes is narrowed: only the containers that people record into, only
audio decoders, and no way to open another file or address. It knows no speech and no room.
"""

import io
import logging
import time
from collections.abc import Iterator
from typing import Any, Final

import av
import av.codec.codec
import av.container
import av.error
import numpy as np
from numpy.typing import NDArray

from services.chassis import limits
from services.chassis.errors import InvalidInput

_log = logging.getLogger(__name__)

Samples = NDArray[np.float32]
"""Mono samples between -1 and 1."""

SAMPLE_RATE_HZ: Final = 16_000
DECODE_SECONDS: Final = 120.0
"""The time that decoding one recording may take. Four hours of Opus take about 20 s of one core."""

# Playlists and other indirections (hls, dash, concat, sdp, image sequences) are left out on
# purpose, and so are the hundreds of formats of old games: nobody sends them, and few eyes have
# seen their parsers.
_CONTAINERS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,voc,"
    "w64,wav,wv"
)
_REMEDY: Final = "send a whole WAV, FLAC, MP3, M4A, MP4, Ogg, WebM or MKV file, as it is"

# Below, one byte would become many samples; above, the resampler's filter grows with the rate.
_RATES_HZ: Final = range(2_000, 768_001)
_MOST_CHANNELS: Final = 8


def decode(
    data: bytes,
    *,
    field: str,
    most_seconds: float = limits.AUDIO_SECONDS,
    decode_seconds: float = DECODE_SECONDS,
) -> Iterator[Samples]:
    """Yield the samples of a recording in order, as they are decoded.

    Blocking: step it off the event loop. A truncated or damaged recording gives what can be
    decoded. Raises `InvalidInput` naming `field` when that is nothing, and at the step that goes
    over a limit.
    """
    heard, spent, steps = 0, 0.0, _steps(data, field, most_seconds)
    while True:
        started = time.monotonic()
        block = next(steps, None)
        spent += time.monotonic() - started
        if block is None:
            break
        if spent > decode_seconds:
            problem = f"takes more than the {decode_seconds:g} seconds that decoding may take"
            raise InvalidInput.field(field, problem, remedy=_REMEDY, code="AUDIO_TOO_COSTLY")
        heard += len(block)
        if heard > most_seconds * SAMPLE_RATE_HZ:
            raise _too_long(field, most_seconds)
        if len(block):
            yield block
    if not heard:
        raise InvalidInput.field(
            field, "holds no sound that can be decoded", remedy=_REMEDY, code="AUDIO_EMPTY"
        )


def _steps(data: bytes, field: str, most_seconds: float) -> Iterator[Samples]:
    if not data:
        raise InvalidInput.field(field, "is empty", remedy=_REMEDY, code="AUDIO_EMPTY")
    if len(data) > limits.BODY_BYTES:
        problem = f"is {len(data)} bytes, of at most {limits.BODY_BYTES}"
        remedy = "send it compressed, as Opus or MP3, or in parts"
        raise InvalidInput.field(field, problem, remedy=remedy, code="AUDIO_TOO_BIG")
    with _opened(data, field) as container:
        stream = _audio_stream(container, field)
        # Headers lie, and those of a recording that was piped say the largest number there is. So
        # one that claims too much is measured by its packets before anything is decoded.
        claimed = (container.duration or 0) / av.time_base
        if claimed > most_seconds and _measured_seconds(data, field) > most_seconds:
            raise _too_long(field, most_seconds)
        yield from _resampled(_frames(container, stream), field)


def _opened(data: bytes, field: str) -> av.container.InputContainer:
    try:
        return av.open(
            io.BytesIO(data),
            "r",
            container_options={
                "format_whitelist": _CONTAINERS,
                "codec_whitelist": _AUDIO_DECODERS,
                "protocol_whitelist": "",
            },
            io_open=_refuse_to_open,
            metadata_errors="replace",
            timeout=DECODE_SECONDS,
        )
    except (av.error.FFmpegError, OSError, ValueError) as failed:
        _log.debug("recording refused", extra={"error": type(failed).__name__})
        raise InvalidInput.field(
            field,
            "is not a recording that can be read",
            remedy=_REMEDY,
            code="AUDIO_UNREADABLE",
        ) from None


def _refuse_to_open(url: str, flags: int, options: dict[str, Any]) -> io.BytesIO:
    raise PermissionError("a recording may not name another file or address")


def _audio_stream(container: av.container.InputContainer, field: str) -> av.AudioStream:
    found = next(iter(container.streams.audio), None)
    if found is None:
        problem = "has no sound in it" if container.streams.video else "has no audio in it"
        raise InvalidInput.field(
            field, problem, remedy="send a recording with an audio track", code="AUDIO_MISSING"
        )
    if found.codec_context is None:
        problem = "is in a codec that cannot be decoded"
        raise InvalidInput.field(field, problem, remedy=_REMEDY, code="AUDIO_UNREADABLE")
    return found


def _measured_seconds(data: bytes, field: str) -> float:
    with _opened(data, field) as container:
        stream = _audio_stream(container, field)
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


def _resampled(frames: Iterator[av.AudioFrame | None], field: str) -> Iterator[Samples]:
    resampler, shape = _resampler(), None
    for frame in frames:
        if frame is None:
            yield np.empty(0, np.float32)
            continue
        _check_frame(frame, field)
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape not in (None, found):
            yield from _taken(resampler, None)
            resampler = _resampler()
        shape = found
        yield from _taken(resampler, frame)
    yield from _taken(resampler, None)


def _resampler() -> av.AudioResampler:
    # In blocks of a second: most of the time would else go into handling blocks of 20 ms.
    return av.AudioResampler(
        format="flt", layout="mono", rate=SAMPLE_RATE_HZ, frame_size=SAMPLE_RATE_HZ
    )


def _taken(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Iterator[Samples]:
    for converted in resampler.resample(frame):
        # Floating point sources may hold anything, and one NaN would silence a whole piece.
        samples = np.nan_to_num(converted.to_ndarray()[0], posinf=1, neginf=-1)
        yield samples.clip(-1, 1)


def _check_frame(frame: av.AudioFrame, field: str) -> None:
    channels = frame.layout.nb_channels
    if frame.sample_rate not in _RATES_HZ or channels > _MOST_CHANNELS:
        problem = f"has {channels} channels of {frame.sample_rate} samples a second"
        remedy = "send mono or stereo at 8,000 to 48,000"
        raise InvalidInput.field(field, problem, remedy=remedy, code="AUDIO_UNREADABLE")


def _too_long(field: str, most_seconds: float) -> InvalidInput:
    problem = f"lasts longer than {most_seconds:g} seconds"
    return InvalidInput.field(field, problem, remedy="send it in parts", code="AUDIO_TOO_LONG")


def _is_audio_decoder(name: str) -> bool:
    try:
        return av.Codec(name, "r").type == "audio"
    except av.codec.codec.UnknownCodecError:
        return False  # It only encodes.


_AUDIO_DECODERS: Final = ",".join(filter(_is_audio_decoder, sorted(av.codecs_available)))
