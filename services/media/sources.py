"""Every way to name media instead of sending their bytes, behind one door: addresses, data URLs,
files under one root, and references to uploads.

It knows no contract: the room says how references are looked up.
"""

import asyncio
import re
from functools import partial
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

import pybase64

from services.chassis import limits
from services.chassis.errors import InvalidInput
from services.media import files
from services.media.fetch import Fetcher, Media, too_large
from services.media.spool import Spool

_SCHEME: Final = re.compile(r"(?i)(https?|data|file|media):")
_REFERENCE: Final = re.compile(r"(?i)media://([A-Za-z0-9_-]{1,128})")
_DATA: Final = re.compile(
    r"(?i)data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,]*)*(?P<base64>;base64)?,"
)


class MediaSource(Protocol):
    """Where uploads are kept."""

    async def get(self, media_id: str, *, field: str) -> Media:
        """Give an upload of the caller's tenant. Raises `InvalidInput` about `field` when it is
        unknown or expired.
        """
        ...


class Sources:
    """Opens whatever names media. `root` None: files are off; `uploads` None: references are."""

    def __init__(
        self, fetcher: Fetcher, *, root: Path | None = None, uploads: MediaSource | None = None
    ) -> None:
        self._fetcher = fetcher
        self._root = root.resolve() if root is not None else None
        self._uploads = uploads

    async def open(self, uri: str, *, field: str, most_bytes: int = limits.BODY_BYTES) -> Media:
        """Give the bytes that `uri` names, `most_bytes` at most.

        Raises `InvalidInput` about `field` for what will not change, `Unavailable` for what may.
        """
        found = _SCHEME.match(uri)
        match found and found[1].lower():
            case "http" | "https":
                return await self._fetcher.fetch(uri, field=field, most_bytes=most_bytes)
            case "data":
                return await asyncio.to_thread(read_data_url, uri, field, most_bytes)
            case "file":
                return await asyncio.to_thread(
                    files.read, self._root, uri, field=field, most_bytes=most_bytes
                )
            case "media":
                return await self._upload(uri, field, most_bytes)
            case _:
                raise InvalidInput.field(
                    field,
                    "does not name media in a form that is known",
                    remedy="use https://, http://, data:, media:// or file:///",
                    code="URI_UNKNOWN",
                )

    async def bring(self, uri: str, spool: Spool, *, field: str) -> None:
        """Put the bytes that `uri` names into a spool, as many as it has room for. Raises as `open`
        and `Spool.add` do.
        """
        found = _SCHEME.match(uri)
        match found and found[1].lower():
            case "http" | "https":
                most = spool.most_bytes
                await self._fetcher.bring(uri, spool.add, field=field, most_bytes=most)
            case "file":
                opened = partial(files.opened, self._root, uri, field=field)
                with await asyncio.to_thread(opened) as file:
                    while piece := await asyncio.to_thread(file.read, limits.MEBIBYTE):
                        await spool.add(piece)
            case _:
                await spool.add((await self.open(uri, field=field)).data)

    async def _upload(self, uri: str, field: str, most_bytes: int) -> Media:
        named = _REFERENCE.fullmatch(uri)
        if named is None or self._uploads is None:
            raise InvalidInput.field(
                field,
                "names no upload that is known here",
                remedy="upload it anew, or send its bytes",
                code="MEDIA_NOT_FOUND",
            )
        media = await self._uploads.get(named[1], field=field)
        if len(media.data) > most_bytes:
            raise too_large(field, most_bytes)
        return media


def read_data_url(uri: str, field: str, most_bytes: int) -> Media:
    """Read a data URL as RFC 2397 has it, in base64 or percent-encoded, and nothing looser."""
    head = _DATA.match(uri)
    if head is None or not uri.isascii():
        raise _unreadable(field, "is not a data URL")
    if len(uri) > 3 * most_bytes + head.end():
        raise too_large(field, most_bytes)
    # Percent-encoding may stand around base64 too.
    data = unquote_to_bytes(uri[head.end() :])
    if head["base64"]:
        try:
            data = pybase64.b64decode(data, validate=True)
        except ValueError:
            raise _unreadable(field, "is not whole base64") from None
    if len(data) > most_bytes:
        raise too_large(field, most_bytes)
    return Media(data, (head["type"] or "").lower())


def _unreadable(field: str, problem: str) -> InvalidInput:
    return InvalidInput.field(
        field,
        problem,
        remedy="write data:, the media type, ;base64, a comma and the bytes in base64",
        code="DATA_URL",
    )
