"""What keeping media needs of the world: somebody who keeps rows, and somebody who keeps bytes."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Protocol

from services.jobs.content import MediaId
from services.jobs.domain import Claim


@dataclass(frozen=True)
class NewMedia:
    """Media whose bytes are about to be written."""

    id: MediaId
    tenant: str
    media_type: str
    size: int
    """In bytes."""
    sha256: str
    """In hexadecimal."""


@dataclass(frozen=True)
class KeptMedia(NewMedia):
    """Media whose bytes are there."""

    expire_time: datetime
    """From then on it can be found by no client; jobs that hold it have it still."""


class MediaIndex(Protocol):
    """Keeps the rows of media, and which job holds which.

    Every method is atomic. Raises `Unavailable` when the store cannot answer.
    """

    async def reserve(self, new: NewMedia, *, quota_bytes: int) -> None:
        """Announce media. It can be found by nobody yet, and is released when nobody keeps it.

        Raises `Exhausted` when its tenant would have more than `quota_bytes` then.
        """
        ...

    async def keep(self, media_id: MediaId, *, ttl: timedelta) -> KeptMedia:
        """Make announced media good for a while. Raises `Conflict` when it was released."""
        ...

    async def keep_for(self, claim: Claim, key: str, media_id: MediaId) -> KeptMedia:
        """Make announced media good for a job alone, under a key.

        Raises `Conflict` when another worker may hold the job, or when the media was released.
        """
        ...

    async def find(self, tenant: str, ids: Collection[MediaId]) -> Mapping[MediaId, KeptMedia]:
        """Return what is the tenant's and has not expired."""
        ...

    async def held(self, claim: Claim, key: str) -> KeptMedia | None:
        """Return what a job holds under a key."""
        ...

    async def expire(self, tenant: str, media_id: MediaId) -> bool:
        """Let media expire now, and tell whether there was any."""
        ...

    async def release(self, limit: int) -> int:
        """Doom media that has expired and that no job holds, and tell how much was looked at."""
        ...

    async def doomed(self, limit: int) -> Sequence[MediaId]:
        """Hand out media whose bytes are to be removed; what is not forgotten comes again."""
        ...

    async def forget(self, ids: Collection[MediaId]) -> None:
        """Strike doomed media whose bytes are gone."""
        ...


class BlobStore(Protocol):
    """Keeps bytes. Raises `Unavailable` when it cannot answer."""

    async def write(self, media_id: MediaId, data: bytes | IO[bytes]) -> None:
        """Keep bytes, those of a file piece by piece; whole or not at all."""
        ...

    async def read(self, media_id: MediaId) -> bytes:
        """Return bytes. Raises `FileNotFoundError` when they are gone."""
        ...

    def stream(self, media_id: MediaId) -> AsyncGenerator[bytes, None]:
        """Return bytes piece by piece, a few megabytes at most each. Raises as `read` does."""
        ...

    async def remove(self, media_id: MediaId) -> None:
        """Remove bytes, and whatever an interrupted write left of them. Safe to repeat."""
        ...
