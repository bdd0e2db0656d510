"""Videos as senders send them, made on the spot: frame n is a picture of the shade `shade(n)`."""

import io
import struct
from fractions import Fraction
from functools import cache
from typing import Any

import av
from PIL import Image

CONTAINERS = {"mp4": "libx264", "webm": "libvpx-vp9", "mov": "libx264"}
"""Each container with the codec that people put into it."""
FAST = {
    "libx264": {"preset": "ultrafast"},
    "libvpx-vp9": {"cpu-used": "8", "deadline": "realtime"},
}
HUNDREDTH = Fraction(1, 100)


def shade(number: int) -> int:
    """The grey of a frame; frames that follow each other differ by more than any codec loses."""
    return 20 + 20 * (number % 11)


@cache
def video(
    container: str = "mp4",
    *,
    frames: int = 20,
    rate: int = 5,
    size: tuple[int, int] = (64, 48),
    key_every: int = 5,
    codec: str = "",
    pixels: str = "yuv420p",
    b_frames: int = 0,
    shown_at: tuple[int, ...] = (),
    **options: str,
) -> bytes:
    """A video of so many frames, in the codec that people put into its container unless it is said.
    `shown_at` are their times in hundredths of a second, where they are not those of the rate.
    """
    written = io.BytesIO()
    with av.open(written, "w", format=container, options=dict(options)) as output:
        codec = codec or CONTAINERS[container]
        stream: Any = output.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.gop_size = key_every
        stream.max_b_frames = b_frames
        stream.options = FAST.get(codec, {})
        if shown_at:
            stream.time_base = stream.codec_context.time_base = HUNDREDTH
        for number in range(frames):
            grey = shade(number)
            picture = Image.new("RGB", size, (grey, grey, grey))
            picture.paste("red", (0, 0, size[0] // 2, size[1] // 2))
            frame = av.VideoFrame.from_image(picture)
            if shown_at:
                frame.pts, frame.time_base = shown_at[number], HUNDREDTH
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return written.getvalue()


def shown_by(data: bytes, *across_and_down: int) -> bytes:
    """An MP4 as a phone writes it that was held otherwise: where its display matrix takes a pixel
    one to the right, and one below.
    """
    a, b, c, d = (it << 16 for it in across_and_down)
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    at = data.index(b"tkhd") + 44
    return data[:at] + matrix + data[at + len(matrix) :]


def without_beginning(data: bytes, frames: int) -> bytes:
    """An MP4 as a phone trims it, whose list of edits leaves frames out. It has B-frames, for their
    sake there is such a list, and the rate of `video`.
    """
    at = data.index(b"elst") + 16
    begin = int.from_bytes(data[at : at + 4]) + frames * 2_048
    return data[:at] + begin.to_bytes(4) + data[at + 4 :]


@cache
def sound_alone(container: str = "mp4") -> bytes:
    """A file of the same kind without a picture."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        opus = container == "webm"
        stream: Any = output.add_stream("libopus" if opus else "aac", rate=48_000)
        stream.layout = "mono"
        size = 960 if opus else 1_024
        for number in range(3):
            frame = av.AudioFrame("flt" if opus else "fltp", layout="mono", samples=size)
            frame.sample_rate, frame.pts = 48_000, number * size
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return written.getvalue()


def mp4_that_counts(samples: int) -> bytes:
    """An MP4 of a few bytes that claims so many samples, none of which takes room."""
    whole = bytearray(video("mp4"))
    at = whole.index(b"stsz") + 8
    whole[at : at + 8] = (1).to_bytes(4, "big") + samples.to_bytes(4, "big")
    at = whole.index(b"stsc") + 12
    whole[at + 4 : at + 8] = samples.to_bytes(4, "big")
    return bytes(whole)


BAD_VIDEOS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "VIDEO_EMPTY"),
    "not a video": (b"hello, this is not a video" * 99, "VIDEO_UNREADABLE"),
    "a playlist": (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n", "VIDEO_UNREADABLE"),
    "a list of files": (b"ffconcat version 1.0\nfile /etc/passwd\n", "VIDEO_UNREADABLE"),
    "sound alone": (sound_alone(), "VIDEO_MISSING"),
    "cut short": (video("mp4")[:400], "VIDEO_UNREADABLE"),
    "a codec of the nineties": (video("avi", codec="wmv2"), "VIDEO_UNREADABLE"),
}
"""Bytes that no room takes as a video, and the code of the error that says so."""
