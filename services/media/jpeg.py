"""JPEGs that lack nothing but their end marker, as some microcontroller cameras send them.

It decodes nothing itself: who knows how says what the pixels are.
"""

from collections.abc import Callable
from typing import Final

_END: Final = b"\xff\xd9"
_FILLINGS: Final = (bytes(64), b"\xaa" * 64)


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
