"""What every keeper of bytes must do, asked of a folder, of S3 and of the double alike."""

import io

import pytest

from services.jobs.adapters import objects
from services.jobs.content import MediaId
from tests.doubles import object_store
from tests.doubles.media_memory import MemoryBlobs

ID = MediaId("ab" * 16)
OTHER = MediaId("ac" * 16)
# More than the library would send in one piece of its own accord.
LARGE = bytes(range(256)) * 4096 * 6


@pytest.fixture(scope="session")
def s3_url():
    with object_store.s3() as url:
        yield url


@pytest.fixture(params=["folder", "s3", "memory"])
def blobs(request, tmp_path):
    match request.param:
        case "folder":
            return objects.store_at(f"file://{tmp_path}/media")
        case "s3":
            return objects.store_at(request.getfixturevalue("s3_url"))
        case _:
            return MemoryBlobs()


@pytest.mark.parametrize("data", [b"a", LARGE], ids=["small", "large"])
async def test_bytes_come_back_as_they_were_written(blobs, data):
    await blobs.write(ID, data)
    assert await blobs.read(ID) == data


async def test_a_file_comes_back_piece_by_piece(blobs):
    await blobs.write(ID, io.BytesIO(LARGE))
    pieces = [piece async for piece in blobs.stream(ID)]
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) < len(LARGE)


async def test_bytes_that_are_written_again_are_those_of_the_last_time(blobs):
    await blobs.write(ID, b"first")
    await blobs.write(ID, b"second")
    assert await blobs.read(ID) == b"second"


async def test_removed_bytes_are_gone_and_no_others(blobs):
    await blobs.write(ID, b"one")
    await blobs.write(OTHER, b"other")
    await blobs.remove(ID)
    with pytest.raises(FileNotFoundError):
        await blobs.read(ID)
    assert await blobs.read(OTHER) == b"other"


async def test_what_was_never_written_can_be_removed_and_not_read(blobs):
    unknown = MediaId("ff" * 16)
    await blobs.remove(unknown)
    with pytest.raises(FileNotFoundError) as missing:
        await blobs.read(unknown)
    assert unknown not in str(missing.value)
    with pytest.raises(FileNotFoundError):
        await anext(blobs.stream(unknown))
