"""Pictures as senders send them: good, odd and hostile. Used wherever bytes become images."""

import base64
import io
import random
import struct
import zlib
from typing import Any

from PIL import Image

from models.aisle.world import Colour, Scene, Worker, draw

CLEAR_SCENE = Scene(3, Colour.RED, Worker.ABSENT, spill=False, ladder=False)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture."""
    encoded = io.BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()


def scene_png(scene: Scene = CLEAR_SCENE, seed: int = 4) -> bytes:
    """A drawn aisle."""
    return encode(draw(scene, random.Random(seed)), "PNG")


HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAABxQABAAAAAAAAAFoAAgAAAAACHwABAAAAAAAAACQAAAA4aWluZgAAAAAA"
    "AgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA4GlwcnAAAADA"
    "aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAr"
    "QgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAAB"
    "AA0ABoAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMICAgAAAAJaXJvdAMAAAAYaXBtYQAAAAAAAAABAAEF"
    "gQIDBIUAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAIZtZGF0AAAAVigBr1iHqB0kv//nO7//Kj0h9iV50bi350GY"
    "vT+J/uGygMhhweoU0PnxgZr0a3h0snX4AwY2gKgmV8AKxE5MZNUEUMf9MjTyF//h3QceUKV/raL7e2qYAAAABkV4aWYA"
    "AE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
)
"""A white picture as a phone held upright takes it: stored as 96 by 64 pixels with the upper left
quarter red, and to be turned to the right. Made once with an encoder that the project does not use.
"""


def heic_that_declares(width: int, height: int) -> bytes:
    """A HEIC of a few bytes whose header says that it is of this size."""
    return HEIC.replace(struct.pack(">II", 96, 64), struct.pack(">II", width, height))


def png(
    width: int,
    height: int,
    rows: bytes,
    *beside: tuple[bytes, bytes],
    bits: int = 8,
    colours: int = 2,
) -> bytes:
    """A PNG by its parts: its rows, each after its filter, and the chunks that stand before them.
    `colours` is the format's number: 0 is grey, 2 RGB, 3 a palette.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    pixels = (b"IDAT", zlib.compress(rows))
    chunks = ((b"IHDR", header), *beside, pixels, (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*it) for it in chunks)


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header says that it is of this size."""
    return png(width, height, b"\0" * 16)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment, before all others."""
    segment = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    return jpeg[:2] + segment + jpeg[2:]


def without_codes(jpeg: bytes) -> bytes:
    """A JPEG without its Huffman tables, as webcams send the frames of Motion JPEG. It must have
    been written with those of the standard.
    """
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        kept += b"" if jpeg[at + 1] == 0xC4 else jpeg[at:end]
        at = end
    return kept + jpeg[at:]


def webp_that_declares(width: int, height: int) -> bytes:
    """An animated WebP of a few bytes, of one small frame on a canvas of this size."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    still = encode(Image.new("RGB", (8, 8)), "WEBP", lossless=True)[12:]
    frame = bytes(6) + (7).to_bytes(3, "little") * 2 + (100).to_bytes(3, "little") + b"\0" + still
    chunks = ((b"VP8X", b"\x02\0\0\0" + sides), (b"ANIM", bytes(6)), (b"ANMF", frame))
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(it)) + it for kind, it in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_that_declares(width: int, height: int) -> bytes:
    """A GIF of a few bytes whose header says that it is of this size."""
    sides = struct.pack("<HH", width, height)
    frame = b"," + bytes(4) + sides + b"\0"
    return b"GIF89a" + sides + b"\x80\0\0" + bytes(6) + frame + b"\x02\x02\x44\x01\0;"


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


BAD_PICTURES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "IMAGE_EMPTY"),
    "not a picture": (b"hello, this is not a picture" * 9, "IMAGE_UNKNOWN"),
    "truncated": (scene_png()[:600], "IMAGE_DAMAGED"),
    "a 40000 by 40000 PNG": (png_that_declares(40_000, 40_000), "IMAGE_TOO_LARGE"),
    "a drawing in SVG": (
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "IMAGE_UNKNOWN",
    ),
    "a video": (b"\0\0\0\x18ftypmp42" + bytes(400), "IMAGE_UNKNOWN"),
    "a TIFF": (encode(Image.new("RGB", (8, 8)), "TIFF"), "IMAGE_UNKNOWN"),
}
"""Bytes that no room takes, and the code of the error that says so."""


def _with_broken_codes(whole: bytes) -> bytes:
    codes = whole.index(b"\xff\xc4") + 5
    return whole[:codes] + b"\xff" * 16 + whole[codes + 16 :]


BROKEN_JPEG = _with_broken_codes(encode(Image.linear_gradient("L").convert("RGB"), "JPEG"))
"""Whole by its markers, but its codes are none: only who decodes it finds out."""
