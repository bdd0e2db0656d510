"""Media that an input names instead of sending: what is sent after all, what was uploaded before,
and what a worker is to fetch. Nothing is fetched here; what nobody may fetch is refused at once.
"""

import asyncio
from dataclasses import dataclass, field
from typing import assert_never

from services.chassis import limits
from services.chassis.errors import InvalidInput
from services.jobs.content import HELD, Holding
from services.jobs.media import SCHEME, identified
from services.media.guard import AddressRefused, Guard, parsed
from services.media.sources import read_data_url


@dataclass(frozen=True)
class Doors:
    """What an input may name here."""

    guard: Guard
    files: bool = False
    """Whether a folder is open."""
    domains: bool = False
    """Whether this mesh has an account in the posemesh network."""


@dataclass(frozen=True)
class Sent:
    """Bytes that came with the input."""

    data: bytes = field(repr=False)
    path: str


@dataclass(frozen=True)
class Fetched:
    """Bytes that a worker is to fetch, and to hold under a key."""

    key: str


Source = Sent | Holding | Fetched


async def source(key: str, uri: str, data: bytes, *, path: str, doors: Doors) -> Source:
    """Tell where bytes are: `data` itself, or what `uri` names, which stands at `path`.uri."""
    if not uri:
        return Sent(data, f"{path}.data")
    at = f"{path}.uri"
    scheme = uri.partition(":")[0].lower()
    if scheme == "data":
        read = await asyncio.to_thread(read_data_url, uri, at, limits.BODY_BYTES)
        return Sent(read.data, at)
    if scheme == "media":
        return Holding(HELD + key, identified(uri[len(SCHEME) :], at), at)
    if scheme == "file":
        if not doors.files:
            raise InvalidInput.field(
                at,
                "names a file, and no folder is open here",
                remedy="send its bytes, or have the operator set JOBS_MEDIA_ROOT",
                code="FILES_NOT_ALLOWED",
            )
        return Fetched(HELD + key)
    try:
        doors.guard.check(parsed(uri))
    except AddressRefused as refused:
        raise InvalidInput.field(
            at,
            f"names an address that is not fetched: {refused}",
            remedy="name a public one, or have the operator allow this one",
            code="ADDRESS_NOT_ALLOWED",
        ) from None
    return Fetched(HELD + key)


def place(found: Source, key: str, uri: str) -> tuple[str, str]:
    """The key under which the job will find the bytes, and what it is to remember of `uri`."""
    match found:
        case Sent():
            # A data URL is as good as the bytes in it, and as large.
            return key, ""
        case Holding() | Fetched():
            return found.key, uri
        case _:
            assert_never(found)
