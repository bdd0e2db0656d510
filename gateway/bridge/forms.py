"""Reads multipart forms from HTTP, within the bounds of the mesh. It knows no dialect."""

from typing import Any, Final, cast

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage

from gateway.bridge.exchange import too_large
from services.chassis import limits
from services.chassis.errors import InvalidInput

FIELDS: Final = 32
"""The most fields of a form; those of the replaced systems have two."""
LINES: Final = 16 * FIELDS
"""The most lines beside what the fields hold: boundaries and headers."""
_CHUNK_BYTES: Final = 256 * 1024
_SHAPE: Final = "send multipart/form-data, such as curl's -F writes"


async def read(request: web.Request) -> dict[str, bytes]:
    """Read the fields of a form; of two fields of one name the last counts.

    A body of another kind is a form without fields.
    """
    if request.content_type != "multipart/form-data":
        return {}
    if (request.content_length or 0) > limits.BODY_BYTES + limits.BODY_OVERHEAD_BYTES:
        raise too_large()
    try:
        return await _fields(request)
    # aiohttp's reader asserts what a sender may have got wrong.
    except (ValueError, AssertionError, RuntimeError, BadHttpMessage):
        raise InvalidInput("the form cannot be read", remedy=_SHAPE) from None


async def _fields(request: web.Request) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    left, count = limits.BODY_BYTES, 0
    content = cast(StreamReader, _FewLines(request.content))
    async for part in MultipartReader(request.headers, content):
        count += 1
        if count > FIELDS:
            raise InvalidInput("the form has too many fields", remedy=f"send at most {FIELDS}")
        if not isinstance(part, BodyPartReader) or not part.name:
            raise InvalidInput("a part of the form is no field", remedy=_SHAPE)
        fields[part.name] = data = await _data(part, left)
        left -= len(data)
    return fields


async def _data(part: BodyPartReader, most: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(_CHUNK_BYTES):
        data += chunk
        if len(data) > most:
            raise too_large()
    return bytes(data)


class _FewLines:
    # aiohttp skips what stands before the first field line by line, and would do so for seconds.

    def __init__(self, content: StreamReader) -> None:
        self._content = content
        self._left = LINES

    async def readline(self, **options: Any) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise InvalidInput("the form has too many lines beside its fields", remedy=_SHAPE)
        return await self._content.readline(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)
