"""Reads multipart forms from HTTP, within the bounds of the mesh. It knows no dialect."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from gateway.bridge.exchange import too_large
from services.chassis import limits
from services.chassis.errors import InvalidInput

FIELDS: Final = 32
"""The most fields of a form; those of the replaced systems have two."""
_CHUNK_BYTES: Final = 256 * 1024
_SHAPE: Final = "send multipart/form-data, such as curl's -F writes"

Fields = dict[str, bytes | list[bytes]]


async def read(request: web.Request) -> Fields:
    """Read the fields of a form; of two fields of one name the last counts, but those whose names
    end in `[]` are lists.

    A body of another kind is a form without fields.
    """
    if request.content_type != "multipart/form-data":
        return {}
    most = limits.BODY_BYTES + limits.BODY_OVERHEAD_BYTES
    if (request.content_length or 0) > most:
        raise too_large()
    _, options = parse_options_header(request.headers["content-type"])
    try:
        return await _fields(_bounded(request.content.read, most), options.get("boundary", ""))
    except ParserLimitReached:
        remedy = f"send at most {FIELDS} fields with short headers"
        raise InvalidInput("the form has too many parts", remedy=remedy) from None
    except MultipartError:
        raise InvalidInput("the form cannot be read", remedy=_SHAPE) from None


async def _fields(read: Callable[[int], Awaitable[bytes]], boundary: str) -> Fields:
    fields: Fields = {}
    left, data, name = limits.BODY_BYTES, bytearray(), ""
    # The names of files come in the charset of whoever named them.
    parser = PushMultipartParser(boundary, max_segment_count=FIELDS, header_charset="latin-1")
    async for event in parser.parse_async(read, _CHUNK_BYTES):
        match event:
            case MultipartSegment(name=str(named)):
                if not named:
                    raise InvalidInput("a part of the form is no field", remedy=_SHAPE)
                name = named
            case None:
                _put(fields, name, bytes(data))
                data.clear()
            case _:
                data += event
                left -= len(event)
                if left < 0:
                    raise too_large()
    return fields


def _put(fields: Fields, name: str, data: bytes) -> None:
    match fields.get(name):
        case list(listed):
            listed.append(data)
        case _:
            fields[name] = [data] if name.endswith("[]") else data


def _bounded(
    read: Callable[[int], Awaitable[bytes]], most: int
) -> Callable[[int], Awaitable[bytes]]:
    left = most

    async def bounded(size: int) -> bytes:
        nonlocal left
        data = await read(size)
        left -= len(data)
        if left < 0:
            raise too_large()
        return data

    return bounded
