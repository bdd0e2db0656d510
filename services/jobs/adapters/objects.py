"""Bytes as objects: in a folder of this machine or in a bucket of S3, by the same library. What
opens the bucket is found where the library looks for it: `AWS_ACCESS_KEY_ID` and so on.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from services.chassis.config import ConfigError
from services.chassis.errors import Unavailable
from services.chassis.limits import MEBIBYTE
from services.jobs.content import MediaId

_SECONDS: Final = 60.0
"""For one object of the largest size."""
_LARGE_SECONDS: Final = 1800.0
"""For one that is written in parts."""
_PART_BYTES: Final = 8 * MEBIBYTE
_PARTS_AT_ONCE: Final = 2
_PIECE_BYTES: Final = MEBIBYTE
_AGAIN: Final = timedelta(seconds=2)


def store_at(url: str) -> "ObjectBlobs":
    """Open the store that an address names: `file:///folder` or `s3://bucket/prefix`.

    Raises `ConfigError` where there can be none.
    """
    try:
        if url.startswith("s3://"):
            return ObjectBlobs(S3Store.from_url(url, retry_config={"retry_timeout": _AGAIN * 5}))
        folder = LocalStore.from_url(url, mkdir=True)
    except (BaseError, OSError, ValueError):
        # What the library says of it may hold a secret of the environment.
        raise ConfigError("JOBS_MEDIA_URL: cannot be opened") from None
    return ObjectBlobs(folder)


class ObjectBlobs:
    """Keeps bytes in an object store."""

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store

    async def write(self, media_id: MediaId, data: bytes | IO[bytes]) -> None:
        """Keep bytes, those of a file part by part; whole or not at all."""
        # Bytes go in one piece: parts of an interrupted upload stay in a bucket, unseen, until a
        # rule of the bucket removes them.
        in_parts = not isinstance(data, bytes)
        with _failures_told():
            async with asyncio.timeout(_LARGE_SECONDS if in_parts else _SECONDS):
                await obstore.put_async(
                    self._store,
                    _path(media_id),
                    data,
                    use_multipart=in_parts,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )

    async def read(self, media_id: MediaId) -> bytes:
        """Return bytes. Raises `FileNotFoundError` when they are gone."""
        with _failures_told():
            async with asyncio.timeout(_SECONDS):
                found = await obstore.get_async(self._store, _path(media_id))
                return bytes(await found.bytes_async())

    async def stream(self, media_id: MediaId) -> AsyncGenerator[bytes, None]:
        """Return bytes piece by piece. Raises `FileNotFoundError` when they are gone."""
        with _failures_told():
            async with asyncio.timeout(_SECONDS):
                found = await obstore.get_async(self._store, _path(media_id))
            pieces = aiter(found.stream(min_chunk_size=_PIECE_BYTES))
            while True:
                try:
                    async with asyncio.timeout(_SECONDS):
                        piece = bytes(await anext(pieces))
                except StopAsyncIteration:
                    return
                yield piece

    async def remove(self, media_id: MediaId) -> None:
        """Remove bytes, and whatever an interrupted write left of them."""
        path = _path(media_id)
        if isinstance(self._store, LocalStore) and self._store.prefix is not None:
            await asyncio.to_thread(_remove_unfinished, Path(self._store.prefix) / path)
        try:
            with _failures_told():
                async with asyncio.timeout(_SECONDS):
                    await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return


def _path(media_id: MediaId) -> str:
    # Folders with millions of files are slow.
    return f"{media_id[:2]}/{media_id}"


def _remove_unfinished(file: Path) -> None:
    # The library writes beside the file, under its name with a number, and renames.
    for unfinished in file.parent.glob(f"{file.name}#*"):
        unfinished.unlink(missing_ok=True)


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        # An error of the library's own names paths and addresses of the inside.
        raise FileNotFoundError("no such object") from None
    except (BaseError, OSError) as failed:
        raise Unavailable("the media store does not answer", retry_after=_AGAIN) from failed
