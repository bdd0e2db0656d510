"""Pixels made what every engine reads: RGB, the right way up, no more of them than are of use.

It knows nothing of where a picture comes from, and trusts that its size was looked at.
"""

import io
import math
import struct
from typing import Any, Final

from PIL import ExifTags, Image

_JPEG_QUALITY: Final = 90
_UPRIGHT_OR_NOT: Final = range(1, 9)
"""All of EXIF's orientations."""
LYING_DOWN: Final = (5, 6, 7, 8)
"""The EXIF orientations in which width and height are exchanged."""


def orientation(image: Image.Image) -> int:
    """Tell how its camera was held, by EXIF; 1, which is upright, where that cannot be read.

    Raises whatever Pillow's decoders come across in the picture itself.
    """
    if image.format == "PNG":
        # Its EXIF may stand after its pixels.
        image.load()
    try:
        told: Any = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        # What a camera notes beside a picture may be anything; the picture is none the worse.
        return 1
    return int(told) if told in _UPRIGHT_OR_NOT else 1


def shown_by(matrix: bytes) -> int:
    """Tell the EXIF orientation that a video's display matrix, nine numbers of 32 bits, stands for;
    1 where it turns by anything but right angles.
    """
    a, b, _, c, d, *_ = struct.unpack_from("=9i", matrix)
    return _ORIENTATIONS.get((_sign(a), _sign(b), _sign(c), _sign(d)), 1)


_ORIENTATIONS: Final = {
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""By the signs of where a display matrix takes a pixel one to the right, and one below."""


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def upright_rgb(image: Image.Image, held: int, max_pixels: int) -> Image.Image:
    """Decode a picture at the size at which it is of use, and turn it as its camera was held.

    `held` is an orientation of EXIF's. Raises whatever Pillow's decoders come across.
    """
    width, height = image.size
    share = math.sqrt(max_pixels / (width * height))
    if share < 1:
        # A JPEG is decoded at a fraction of its size right away.
        smaller = (max(1, math.floor(width * share)), max(1, math.floor(height * share)))
        image.draft("RGB", smaller)
        image = _rgb(image)
        image = image.resize(smaller, Image.Resampling.BICUBIC, reducing_gap=2.0)
    else:
        image = _rgb(image)
    turn = _TURNS.get(held)
    return image if turn is None else image.transpose(turn)


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow cuts 16-bit greys off at 255 instead of scaling them.
        return image.point(lambda grey: grey / 256).convert("L").convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def written(image: Image.Image) -> bytes:
    """Encode pixels as a JPEG."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_JPEG_QUALITY)
    return encoded.getvalue()
