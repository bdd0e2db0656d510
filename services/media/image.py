"""Untrusted bytes made a bounded picture, upright, in colours that every engine reads.

Headers are read before pixels, so that a bomb is refused unpacked; pixels are decoded in a few
threads of their own, so that they never hold up the loop. It knows no engine.
"""

import asyncio
import io
import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import pi_heif  # type: ignore[import-untyped]
from PIL import ExifTags, Image, UnidentifiedImageError

from services.chassis.errors import InvalidInput
from services.chassis.limits import IMAGE_PIXELS, IMAGE_SIDE_PIXELS
from services.media import jpeg


class ImageFormat(StrEnum):
    """How a picture is encoded."""

    JPEG = "image/jpeg"
    """Lossy."""
    PNG = "image/png"
    """Lossless."""
    WEBP = "image/webp"
    """Either; of an animation the first frame counts."""
    GIF = "image/gif"
    """Of at most 256 colours; of an animation the first frame counts."""
    HEIC = "image/heic"
    """What phones take; of a burst the first counts."""


@dataclass(frozen=True)
class ImageInfo:
    """What a picture's header says of it."""

    format: ImageFormat
    width: int
    height: int
    """As stored; a camera that was held upright may have stored it lying."""


@dataclass(frozen=True)
class PreparedImage:
    """A picture that decodes, in RGB and the right way up, within a budget of pixels."""

    data: bytes = field(repr=False)
    format: ImageFormat
    """JPEG or PNG."""
    width: int
    """Of the picture as it was sent, the right way up."""
    height: int
    """Of the picture as it was sent, the right way up."""


_FORMATS: Final = {
    "JPEG": ImageFormat.JPEG,
    "PNG": ImageFormat.PNG,
    "WEBP": ImageFormat.WEBP,
    "GIF": ImageFormat.GIF,
    "HEIF": ImageFormat.HEIC,
}
"""By Pillow's names."""
_SENDABLE: Final = "send a JPEG, PNG, WebP, HEIC or GIF picture"
_DAMAGED: Final = "IMAGE_DAMAGED"
_JPEG_QUALITY: Final = 90
_LYING_DOWN: Final = (5, 6, 7, 8)
"""The EXIF orientations in which width and height are exchanged."""
_METADATA_BYTES: Final = 65_536
"""What a picture that is passed on as it is may hold beside its pixels."""
# Pillow has a guard of its own, inside its decoders too: it shall refuse at our limit and not warn.
Image.MAX_IMAGE_PIXELS = IMAGE_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# One thread for each picture; what a file holds beside its picture is not looked at.
pi_heif.register_heif_opener(
    decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
)
# A picture of the most pixels takes 150 MB while it is decoded, and twice that while it is turned.
_DECODERS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="decode")


def inspect(data: bytes, *, field: str) -> ImageInfo:
    """Read a picture's header, and no pixel. `field` is its path in the request, for the error."""
    return _info(_open(data, field), field)


async def prepare(data: bytes, *, max_pixels: int, field: str) -> PreparedImage:
    """Make a picture fit for a model that looks at `max_pixels` of it at most.

    Bytes that are so already are passed on as they are. Raises `InvalidInput` about `field`.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_DECODERS, _prepare, data, max_pixels, field)


def _prepare(data: bytes, max_pixels: int, field: str) -> PreparedImage:
    try:
        return _decoded(data, max_pixels, field)
    except InvalidInput as refused:
        if refused.code != _DAMAGED or not data.startswith(b"\xff\xd8"):
            raise
        mended = jpeg.ended(data, _pixels)
        if mended is None:
            raise
    return _decoded(mended, max_pixels, field)


def _pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data), formats=["JPEG"]).tobytes()


def _decoded(data: bytes, max_pixels: int, field: str) -> PreparedImage:
    image = _open(data, field)
    info = _info(image, field)
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        passed_on = orientation == 1 and _is_fit(image, info, len(data), max_pixels)
        if passed_on:
            image.load()
        else:
            image = _upright_rgb(image, orientation, max_pixels)
    except MemoryError:
        raise
    except Exception as cause:
        # Pillow's decoders raise what they come across: OSError, SyntaxError, struct.error, ...
        raise _undecodable(field) from cause
    width, height = info.width, info.height
    if orientation in _LYING_DOWN:
        width, height = height, width
    if passed_on:
        return PreparedImage(data, info.format, width, height)
    return PreparedImage(_jpeg(image), ImageFormat.JPEG, width, height)


def _open(data: bytes, field: str) -> Image.Image:
    if not data:
        raise InvalidInput.field(field, "is empty", remedy=_SENDABLE, code="IMAGE_EMPTY")
    try:
        return Image.open(io.BytesIO(data), formats=list(_FORMATS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as cause:
        raise _too_many_pixels(field) from cause
    except UnidentifiedImageError as cause:
        raise InvalidInput.field(
            field, "is not a picture of a known format", remedy=_SENDABLE, code="IMAGE_UNKNOWN"
        ) from cause
    except Exception as cause:
        raise _undecodable(field) from cause


def _info(image: Image.Image, field: str) -> ImageInfo:
    width, height = image.size
    if max(width, height) > IMAGE_SIDE_PIXELS:
        raise InvalidInput.field(
            field,
            f"is {width} by {height} pixels",
            remedy=f"send a picture whose sides are at most {IMAGE_SIDE_PIXELS} pixels",
            code="IMAGE_TOO_LARGE",
        )
    if width * height > IMAGE_PIXELS:
        raise _too_many_pixels(field)
    # What is found besides is MPO, a JPEG that holds more pictures after the first.
    return ImageInfo(_FORMATS.get(str(image.format), ImageFormat.JPEG), width, height)


def _is_fit(image: Image.Image, info: ImageInfo, size: int, max_pixels: int) -> bool:
    pixels = info.width * info.height
    return (
        info.format in (ImageFormat.JPEG, ImageFormat.PNG)
        and image.mode == "RGB"
        and not image.has_transparency_data
        and pixels <= max_pixels
        and size <= 3 * pixels + _METADATA_BYTES
    )


def _upright_rgb(image: Image.Image, orientation: int, max_pixels: int) -> Image.Image:
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
    turn = _TURNS.get(orientation)
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
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    if image.mode.startswith("I;16"):
        # Pillow cuts 16-bit greys off at 255 instead of scaling them.
        image = image.point(lambda grey: grey / 256).convert("L")
    return image.convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_JPEG_QUALITY)
    return encoded.getvalue()


def _too_many_pixels(field: str) -> InvalidInput:
    most = f"{IMAGE_PIXELS // 1_000_000} million"
    return InvalidInput.field(
        field,
        "has too many pixels",
        remedy=f"send a picture of at most {most} pixels",
        code="IMAGE_TOO_LARGE",
    )


def _undecodable(field: str) -> InvalidInput:
    return InvalidInput.field(
        field,
        "cannot be decoded: it is cut short or damaged",
        remedy="send the whole file again",
        code=_DAMAGED,
    )
