"""What bytes are, told by how they begin and by nothing that a sender says of them.

Only media have a kind here: a page, a script or a drawing that could run one is bytes like any
other, so that no browser is ever given one under its name.
"""

import re
from typing import Final

UNKNOWN: Final = "application/octet-stream"
"""What bytes are of which nothing is known."""

_STARTS: Final = (
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"RIFF....WAVE", "audio/wav"),
    (rb"RIFF....AVI ", "video/x-msvideo"),
    (rb"....ftyp(?:heic|heix|heim|heis|hevc|mif1|msf1)", "image/heic"),
    (rb"....ftypavi[fs]", "image/avif"),
    (rb"....ftypM4[AB] ", "audio/mp4"),
    (rb"....ftypqt  ", "video/quicktime"),
    (rb"....ftyp", "video/mp4"),
    (rb"\x1aE\xdf\xa3.{0,60}webm", "video/webm"),
    (rb"\x1aE\xdf\xa3", "video/x-matroska"),
    (rb"OggS", "audio/ogg"),
    (rb"fLaC", "audio/flac"),
    (rb"ID3|\xff[\xfb\xf3\xf2\xfa]", "audio/mpeg"),
    (rb"\xff[\xf1\xf9]", "audio/aac"),
)
_PATTERNS: Final = [(re.compile(start, re.DOTALL), kind) for start, kind in _STARTS]


def media_type(data: bytes) -> str:
    """Name the media type of bytes, or `UNKNOWN`."""
    return next((kind for start, kind in _PATTERNS if start.match(data)), UNKNOWN)
