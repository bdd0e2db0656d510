"""A video's frames, found and decoded. It runs in a process of its own, which `video` starts,
bounds and does not believe.

What FFmpeg may do with hostile bytes is narrowed here too: the containers and codecs that cameras
write, and no way to open another file or address. It knows no room.
"""

import io
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import av
import av.container
import av.error
from av.stream import Disposition
from PIL import Image

from services.chassis import limits
from services.media.refused import Refused
from services.media.upright import shown_by, upright_rgb, written

_CONTAINERS: Final = "mov,matroska,avi"
_DECODERS: Final = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,mpeg4,mjpeg,h263,mpeg2video,prores"
)
_MOST_PACKETS: Final = 1_000_000
_BROKEN: Final = (av.error.FFmpegError, OSError, ValueError)


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are wanted."""

    frames_per_second: float
    most_frames: int
    """Where the rate would give more, so many are spread evenly from the first to the last."""
    most_pixels: int
    """Of each frame; larger ones are made smaller."""


@dataclass(frozen=True)
class _Track:
    """When the frames of a video are shown, in seconds since its beginning, in order."""

    begin: int
    """The timestamp of the first, in the stream's own time base."""
    times: tuple[float, ...]
    keys: tuple[float, ...]
    """Those that can be decoded without the ones before them."""

    @property
    def length(self) -> float:
        """Up to the end of the last frame, which is shown as long as one is on the average."""
        last = self.times[-1]
        return last * len(self.times) / max(len(self.times) - 1, 1)


def sampled(data: bytes, sampling: Sampling) -> Generator[tuple[float, bytes], None, float]:
    """Yield the frames that are wanted as JPEG, upright, with their seconds; return the length of
    the video in seconds. Raises `Refused`.
    """
    with _opened(data) as container:
        track = _track(container, _stream(container))
    targets = _targets(track.times, sampling)
    count = 0
    with _opened(data) as container:
        for seconds, frame in _found(container, _stream(container), track, targets):
            yield seconds, _jpeg(frame, sampling.most_pixels)
            count += 1
    if not count:
        raise unreadable()
    return track.length


def unreadable() -> Refused:
    """The refusal of a video of which nothing can be decoded."""
    return Refused(
        "VIDEO_UNREADABLE",
        "is not a video that can be decoded: it is of another format, cut short or damaged",
        "send a whole MP4, WebM, QuickTime or AVI file, such as H.264 or VP9",
    )


def _opened(data: bytes) -> av.container.InputContainer:
    try:
        return av.open(
            io.BytesIO(data),
            "r",
            container_options={
                "format_whitelist": _CONTAINERS,
                "codec_whitelist": _DECODERS,
                "protocol_whitelist": "",
            },
            options={"max_pixels": str(limits.VIDEO_PIXELS)},
            io_open=_refuse_to_open,
            metadata_errors="replace",
        )
    except _BROKEN:
        raise unreadable() from None


def _refuse_to_open(url: str, flags: int, options: dict[str, Any]) -> io.BytesIO:
    raise PermissionError("a video may not name another file or address")


def _stream(container: av.container.InputContainer) -> av.VideoStream:
    # The cover of a song is a picture track too.
    moving = (it for it in container.streams.video if not it.disposition & Disposition.attached_pic)
    stream = next(moving, None)
    if stream is None:
        raise Refused(
            "VIDEO_MISSING",
            "has no moving picture in it",
            "send a file with a video track; sound alone goes to transcription",
        )
    if stream.codec_context is None:
        raise unreadable()
    # FFmpeg's own whitelist binds what looks into the container, and not who decodes after it.
    if stream.codec_context.name not in _DECODERS.split(","):
        problem = f"is coded as {stream.codec_context.name}, which is not taken"
        raise Refused("VIDEO_UNREADABLE", problem, "send it as H.264, HEVC, VP9 or AV1")
    if stream.codec_context.width * stream.codec_context.height > limits.VIDEO_PIXELS:
        raise Refused(
            "VIDEO_TOO_LARGE",
            f"has frames of {stream.codec_context.width} by {stream.codec_context.height} pixels",
            f"send frames of at most {limits.VIDEO_PIXELS} pixels",
        )
    stream.thread_type = "NONE"
    return stream


def _track(container: av.container.InputContainer, stream: av.VideoStream) -> _Track:
    """Read when the frames are shown from their packets: headers lie, or say nothing."""
    base, shown, keys = float(stream.time_base or 0), [], []
    try:
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            # What was trimmed away without coding anew is still there, to be decoded and not shown.
            if not packet.is_discard:
                shown.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
            if len(shown) > _MOST_PACKETS:
                raise _too_long()
    except _BROKEN:
        pass  # What follows a break in the container cannot be found; what came before counts.
    if not shown or not base:
        raise unreadable()
    begin = min(shown)
    times = sorted((it - begin) * base for it in shown)
    if times[-1] > limits.VIDEO_SECONDS:
        raise _too_long()
    return _Track(begin, tuple(times), tuple(sorted((it - begin) * base for it in keys)))


def _too_long() -> Refused:
    problem = f"lasts longer than {limits.VIDEO_SECONDS} seconds"
    return Refused("VIDEO_TOO_LONG", problem, "send it in parts")


def _targets(times: Sequence[float], sampling: Sampling) -> list[float]:
    """The times of the frames that are wanted, each that of a frame, none twice."""
    last = times[-1]
    count = min(int(last * sampling.frames_per_second) + 1, sampling.most_frames)
    step = 1 / sampling.frames_per_second
    if count * step <= last:
        step = last / max(count - 1, 1)
    wanted = (min(place * step, last) for place in range(count))
    return sorted({times[bisect_right(times, it + 1e-6) - 1] for it in wanted})


def _found(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    track: _Track,
    targets: Sequence[float],
) -> Iterator[tuple[float, av.VideoFrame]]:
    base = float(stream.time_base or 0)
    frames = _decoded(container, stream)
    at, newest = -1.0, None
    for target in targets:
        key = track.keys[bisect_right(track.keys, target) - 1] if track.keys else 0.0
        if at < key <= target and at >= 0 and _sought(container, stream, track.begin, key / base):
            frames = _decoded(container, stream)
        while at < target - 1e-6:
            frame = next(frames, None)
            if frame is None:
                break
            if frame.pts is not None:
                at, newest = (frame.pts - track.begin) * base, frame
        if newest is not None:
            yield max(at, 0.0), newest
            newest = None


def _sought(
    container: av.container.InputContainer, stream: av.VideoStream, begin: int, ticks: float
) -> bool:
    try:
        container.seek(begin + round(ticks), stream=stream)
    except _BROKEN:
        return False  # Then all is decoded on the way there.
    return True


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except _BROKEN:
            return
        if packet is None:
            return
        try:
            yield from stream.decode(packet)
        except _BROKEN:
            continue  # One damaged packet; those after it may be whole.


def _jpeg(frame: av.VideoFrame, most_pixels: int) -> bytes:
    share = min(1.0, (most_pixels / (frame.width * frame.height)) ** 0.5)
    image: Image.Image = frame.to_image(  # type: ignore[no-untyped-call]
        width=max(1, int(frame.width * share)),
        height=max(1, int(frame.height * share)),
        interpolation="AREA",
    )
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    held = 1 if matrix is None else shown_by(bytes(matrix))
    return written(upright_rgb(image, held, most_pixels))
