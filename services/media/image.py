"""Untrusted bytes made a bounded picture, upright, in colours that every engine reads.

Headers are read before pixels, so that a bomb is refused unpacked; pixels are decoded in a few
threads of their own, so that they never hold up the loop. It knows no engine.
"""

import asyncio
import io
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import pi_heif  # type: ignore[import-untyped]
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from services.chassis.errors import InvalidInput
from services.chassis.limits import IMAGE_PIXELS, IMAGE_SIDE_PIXELS, MEBIBYTE
from services.media import jpeg
from services.media.kind import media_type
from services.media.upright import LYING_DOWN, orientation, upright_rgb, written


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
    """A picture in RGB and the right way up, within a budget of pixels."""

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
_METADATA_BYTES: Final = 65_536
"""What a picture that is passed on as it is may hold beside its pixels."""
_PNG_END: Final = b"IEND\xaeB`\x82"
"""Without it some decoders show nothing, and Pillow all."""
_GLANCED_BYTES: Final = 1_048_576
"""Up to this size the header of a JPEG is read at once; a thread would cost more."""
# Pillow has a guard of its own, inside its decoders too: it shall refuse at our limit and not warn.
Image.MAX_IMAGE_PIXELS = IMAGE_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# The colours of a calibrated screen take more than the MiB that Pillow grants.
PngImagePlugin.MAX_TEXT_CHUNK = 8 * MEBIBYTE
# One thread for each picture; what a file holds beside its picture is not looked at.
pi_heif.register_heif_opener(
    decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
)
# A picture of the most pixels takes 150 MB while it is decoded, and twice that while it is turned.
DECODERS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="decode")
"""Where all pictures are decoded."""


def inspect(data: bytes, *, field: str) -> ImageInfo:
    """Read a picture's header, and no pixel. `field` is its path in the request, for the error."""
    return _info(_open(data, field), field)


def opened(data: bytes, *, field: str) -> Image.Image:
    """Open a picture whose header is within the limits; no pixel of it is decoded yet."""
    image = _open(data, field)
    _info(image, field)
    return image


async def prepare(data: bytes, *, max_pixels: int, field: str) -> PreparedImage:
    """Make a picture fit for a model that looks at `max_pixels` of it at most.

    Bytes that are so already are passed on as they are. Of a JPEG its header and its end are looked
    at alone: to decode it takes longer than all else that is done with it, and the engine decodes
    it too. Should that fail, `require_decodable` tells why. Raises `InvalidInput` about `field`.
    """
    if data.startswith(jpeg.START) and jpeg.has_end(data) and len(data) <= _GLANCED_BYTES:
        as_it_is = _as_it_is(_open(data, field), data, max_pixels, field)
        if as_it_is is not None:
            return as_it_is
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(DECODERS, _prepare, data, max_pixels, field)


async def require_decodable(data: bytes, *, field: str) -> None:
    """Raise `InvalidInput` about `field` if `data`, which was prepared, cannot be decoded."""
    if data.startswith(jpeg.START) and jpeg.has_end(data):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(DECODERS, _load, _open(data, field), field)


def _prepare(data: bytes, max_pixels: int, field: str) -> PreparedImage:
    try:
        return _decoded(data, max_pixels, field)
    except InvalidInput as refused:
        if refused.code != _DAMAGED or not data.startswith(jpeg.START):
            raise
        mended = jpeg.ended(data, _pixels)
        if mended is None:
            raise
    return _decoded(mended, max_pixels, field)


def _pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data), formats=["JPEG"]).tobytes()


def _decoded(data: bytes, max_pixels: int, field: str) -> PreparedImage:
    image = _open(data, field)
    as_it_is = _as_it_is(image, data, max_pixels, field)
    if as_it_is is not None:
        if not (as_it_is.format is ImageFormat.JPEG and jpeg.has_end(data)):
            _load(image, field)
        return as_it_is
    info = _info(image, field)
    with told_as_damaged(field):
        held = orientation(image)
        image = upright_rgb(image, held, max_pixels)
    width, height = info.width, info.height
    if held in LYING_DOWN:
        width, height = height, width
    return PreparedImage(written(image), ImageFormat.JPEG, width, height)


def _as_it_is(image: Image.Image, data: bytes, max_pixels: int, field: str) -> PreparedImage | None:
    info = _info(image, field)
    with told_as_damaged(field):
        if _is_fit(image, info, data, max_pixels) and orientation(image) == 1:
            return PreparedImage(data, info.format, info.width, info.height)
    return None


def _load(image: Image.Image, field: str) -> None:
    with told_as_damaged(field):
        image.load()


@contextmanager
def told_as_damaged(field: str) -> Iterator[None]:
    """Decode in a block: whatever comes of it is `InvalidInput` about `field`."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as cause:
        # Pillow's decoders raise what they come across: OSError, SyntaxError, struct.error, ...
        raise _undecodable(field) from cause


def _open(data: bytes, field: str) -> Image.Image:
    if not data:
        raise InvalidInput.field(field, "is empty", remedy=_SENDABLE, code="IMAGE_EMPTY")
    try:
        return Image.open(io.BytesIO(data), formats=list(_FORMATS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as cause:
        raise _too_many_pixels(field) from cause
    except UnidentifiedImageError as cause:
        kind = media_type(data)
        if kind in _FORMATS.values():
            raise _undecodable(field) from cause
        is_video = kind.startswith("video/")
        problem = "is a video" if is_video else "is not a picture of a known format"
        raise InvalidInput.field(field, problem, remedy=_SENDABLE, code="IMAGE_UNKNOWN") from cause
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


def _is_fit(image: Image.Image, info: ImageInfo, data: bytes, max_pixels: int) -> bool:
    pixels = info.width * info.height
    return (
        (
            (info.format is ImageFormat.PNG and data.endswith(_PNG_END))
            or (info.format is ImageFormat.JPEG and jpeg.is_common(data))
        )
        and image.mode == "RGB"
        and not image.has_transparency_data
        and pixels <= max_pixels
        and len(data) <= 3 * pixels + _METADATA_BYTES
    )


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
