"""Media that is kept apart from jobs: uploaded once and referred to often, or fetched for one job.

Where the rows and the bytes are kept is not known here; that nothing leaks and nothing dangles is.
A row is written before its bytes and made good after them; it is taken out before its bytes are
removed, and a list of what is to be removed outlives whoever removes it. So at each moment bytes
without a row are on that list, and a row that can be found has its bytes.
"""

import asyncio
import hashlib
import io
import re
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Final

from services.chassis import call
from services.chassis.errors import InvalidInput, NotFound, Resource
from services.jobs.content import Blob, Holding, MediaId
from services.jobs.domain import Claim
from services.jobs.ports.media import BlobStore, KeptMedia, MediaIndex, NewMedia
from services.media import kind
from services.media.spool import Spool

SCHEME: Final = "media://"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_SWEPT_AT_ONCE: Final = 100
_REMOVED_AT_ONCE: Final = 8
_START_BYTES: Final = 128
"""More than it takes to see what bytes are."""


@dataclass(frozen=True)
class MediaRules:
    """How much is kept, and for how long."""

    ttl: timedelta
    """For uploads that name none."""
    most_bytes: int
    """The most bytes of one that is taken up whole; recordings are not."""
    quota_bytes: int
    """The most bytes of all that one tenant has, uploaded and fetched."""


class MediaKeeper:
    """Keeps media for tenants and for their jobs."""

    def __init__(self, index: MediaIndex, blobs: BlobStore, rules: MediaRules) -> None:
        self._index = index
        self._blobs = blobs
        self._rules = rules

    @property
    def most_bytes(self) -> int:
        """The most bytes of one that is taken up whole."""
        return self._rules.most_bytes

    async def upload(self, content: bytes | Spool, *, ttl: timedelta | None) -> KeptMedia:
        """Keep bytes of the caller's tenant for a while. Only of a spool may there be more than
        `most_bytes`: nobody can have them back whole, but jobs hear them.
        """
        new = await self._write(call.current().tenant, content, path="content")
        return await self._index.keep(new.id, ttl=self._rules.ttl if ttl is None else ttl)

    async def get(self, media_id: str) -> Blob:
        """Give bytes of the caller's tenant back. Raises `NotFound`."""
        media = (await self._find({"id": identified(media_id, "id")}))["id"]
        self._require_small(media, "id")
        return await self._read(media, media.id)

    async def require(self, holdings: Sequence[Holding]) -> None:
        """Raise unless there is all that a job is to hold, and not too much to be taken up."""
        found = await self._find({it.path: it.media_id for it in holdings})
        for holding in holdings:
            if not holding.is_recording:
                self._require_small(found[holding.path], holding.path)

    async def _find(self, named: Mapping[str, MediaId]) -> Mapping[str, KeptMedia]:
        found = await self._index.find(call.current().tenant, set(named.values()))
        for path, media_id in named.items():
            if media_id not in found:
                raise _unknown(path, media_id)
        return {path: found[media_id] for path, media_id in named.items()}

    async def delete(self, media_id: str) -> None:
        """Let media of the caller's tenant expire now. Raises `NotFound` when it is gone."""
        named = identified(media_id, "id")
        if not await self._index.expire(call.current().tenant, named):
            raise _unknown("id", named)

    async def keep_for(
        self, claim: Claim, key: str, content: bytes | Spool, *, path: str
    ) -> KeptMedia:
        """Keep bytes for a job under a key, in place of any that it had there."""
        new = await self._write(claim.tenant, content, path=path)
        return await self._index.keep_for(claim, key, new.id)

    async def held(self, claim: Claim, key: str) -> KeptMedia | None:
        """Tell of the media that a job holds under a key."""
        return await self._index.held(claim, key)

    async def blob(self, claim: Claim, key: str) -> Blob:
        """Give the bytes that a job holds under a key."""
        media = await self._held(claim, key)
        self._require_small(media, key)
        return await self._read(media, key)

    async def stream(self, claim: Claim, key: str) -> AsyncGenerator[bytes, None]:
        """Give them piece by piece, however many there are."""
        media = await self._held(claim, key)
        try:
            async with aclosing(self._blobs.stream(media.id)) as pieces:
                async for piece in pieces:
                    yield piece
        except FileNotFoundError:
            raise _unknown(key, media.id) from None

    async def sweep(self) -> bool:
        """Remove media that has expired and that no job holds, a batch of it.

        Tells whether there may be more.
        """
        released = await self._index.release(_SWEPT_AT_ONCE)
        doomed = await self._index.doomed(_SWEPT_AT_ONCE)
        free = asyncio.Semaphore(_REMOVED_AT_ONCE)

        async def remove(media_id: MediaId) -> None:
            async with free:
                await self._blobs.remove(media_id)

        try:
            async with asyncio.TaskGroup() as group:
                for media_id in doomed:
                    group.create_task(remove(media_id))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        await self._index.forget(doomed)
        return _SWEPT_AT_ONCE in (released, len(doomed))

    async def _write(self, tenant: str, content: bytes | Spool, *, path: str) -> NewMedia:
        in_one_piece = isinstance(content, bytes)
        size = len(content) if isinstance(content, bytes) else content.size
        if not size:
            raise InvalidInput.field(path, "is empty", remedy="send bytes", code="MEDIA_EMPTY")
        if in_one_piece and size > self._rules.most_bytes:
            raise InvalidInput.field(
                path,
                f"holds {size} bytes",
                remedy=f"at most {self._rules.most_bytes} are kept of what is sent in one piece",
                code="MEDIA_TOO_LARGE",
            )
        file = io.BytesIO(content) if isinstance(content, bytes) else await content.opened()
        media_type, digest = await asyncio.to_thread(_described, file)
        # Whoever has the id of another tenant's media still has nothing; guessing it is hopeless.
        new = NewMedia(MediaId(secrets.token_hex(16)), tenant, media_type, size, digest)
        await self._index.reserve(new, quota_bytes=self._rules.quota_bytes)
        await self._blobs.write(new.id, content if isinstance(content, bytes) else file)
        return new

    async def _held(self, claim: Claim, key: str) -> KeptMedia:
        media = await self._index.held(claim, key)
        if media is None:
            raise NotFound(f"the job has lost the media {key}", remedy="create it anew")
        return media

    def _require_small(self, media: KeptMedia, path: str) -> None:
        if media.size > self._rules.most_bytes:
            raise InvalidInput.field(
                path,
                f"holds {media.size} bytes",
                remedy=f"what has more than {self._rules.most_bytes} can only be heard, by jobs",
                code="MEDIA_TOO_LARGE",
            )

    async def _read(self, media: KeptMedia, key: str) -> Blob:
        try:
            return Blob(key, media.media_type, await self._blobs.read(media.id))
        except FileNotFoundError:
            # It expired between the two looks.
            raise _unknown("id", media.id) from None


def _described(file: IO[bytes]) -> tuple[str, str]:
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    media_type = kind.media_type(file.read(_START_BYTES))
    file.seek(0)
    return media_type, digest


def identified(text: str, path: str) -> MediaId:
    """Read an id. Raises `NotFound` about `path` for what can be none."""
    if _ID.fullmatch(text) is None:
        raise _unknown(path, MediaId(""))
    return MediaId(text)


def _unknown(path: str, media_id: MediaId) -> NotFound:
    return NotFound(
        f"{path}: there is no such media, or it has expired",
        remedy="upload it anew",
        code="MEDIA_NOT_FOUND",
        resource=Resource("media", media_id),
    )
