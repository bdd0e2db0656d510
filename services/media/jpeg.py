"""What can be told of a JPEG without decoding it: whether it is whole and of a common kind, and
whether it lacks nothing but its end marker, as those of some microcontroller cameras do.

It decodes nothing itself: who knows how says what the pixels are.
"""

from collections.abc import Callable
from typing import Final

START: Final = b"\xff\xd8"
"""With what each begins."""
_END: Final = b"\xff\xd9"
_FILLINGS: Final = (bytes(64), b"\xaa" * 64)
_COMMON_FRAMES: Final = (0xC0, 0xC1, 0xC2)
"""Sequential and progressive, by Huffman's codes: those that every decoder reads."""
_FRAMES: Final = (*_COMMON_FRAMES, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_CODES: Final = 0xC4
_SCAN: Final = 0xDA
_EIGHT_BITS: Final = b"\x08"


def is_common(data: bytes) -> bool:
    """Whether its one frame is of a kind that every decoder reads, and the codes stand in it that
    webcams leave out of theirs: some decoders know them by heart, and others see something else.

    What lies in its tables and scans is not looked at: that is a decoder's work.
    """
    at, frames, codes = len(START), 0, False
    while data[at : at + 1] == b"\xff":
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker == _SCAN:
            return frames == 1 and codes
        codes = codes or marker == _CODES
        if marker in _FRAMES:
            frames += 1
            if marker not in _COMMON_FRAMES or data[at + 4 : at + 5] != _EIGHT_BITS:
                return False
        # A length counts itself.
        at += 2 + max(length, 2)
    return False


def has_end(data: bytes) -> bool:
    """Whether it was not cut short."""
    return data.endswith(_END)


def with_end(data: bytes) -> bytes:
    """Give a JPEG that was cut short an end, and anything else as it is.

    A decoder then takes what is missing for grey.
    """
    if not data.startswith(START) or has_end(data):
        return data
    # As in `ended`.
    return data.rstrip(b"\xff") + _END


def ended(data: bytes, pixels: Callable[[bytes], bytes]) -> bytes | None:
    """Give `data` with its end marker, or None when more than that is missing.

    A decoder that lacks data takes whatever stands there instead. So it is given one thing and
    another: the same pixels both times need neither. `pixels` decodes, and raises `OSError`.
    """
    # A marker of which half has come shall not begin another.
    body = data.rstrip(b"\xff")
    try:
        one, other = (pixels(body + filling + _END) for filling in _FILLINGS)
    except OSError:
        return None
    return body + _END if one == other else None
