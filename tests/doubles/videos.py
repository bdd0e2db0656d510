"""Videos as senders send them, made on the spot: frame n is a picture of the shade `shade(n)`."""

import io
from functools import cache
from typing import Any

import av
from PIL import Image

CONTAINERS = {"mp4": "libx264", "webm": "libvpx-vp9", "mov": "libx264"}
"""Each container with the codec that people put into it."""


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
    **options: str,
) -> bytes:
    """A video of so many frames."""
    written = io.BytesIO()
    with av.open(written, "w", format=container, options=dict(options)) as output:
        codec = CONTAINERS[container]
        stream: Any = output.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = key_every
        fast = (
            {"preset": "ultrafast"}
            if codec == "libx264"
            else {"cpu-used": "8", "deadline": "realtime"}
        )
        stream.options = fast
        for number in range(frames):
            grey = shade(number)
            picture = Image.new("RGB", size, (grey, grey, grey))
            picture.paste("red", (0, 0, size[0] // 2, size[1] // 2))
            for packet in stream.encode(av.VideoFrame.from_image(picture)):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return written.getvalue()


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
}
"""Bytes that no room takes as a video, and the code of the error that says so."""
