import os
from pathlib import Path

import pytest

from services.chassis.errors import Exhausted, InvalidInput
from services.chassis.limits import MEBIBYTE
from services.media import spool
from services.media.spool import Shelf

FULL = Path("/dev/full")


async def test_what_was_added_is_read_from_its_beginning_by_its_descriptor():
    async with Shelf(MEBIBYTE).spool("chunk") as kept:
        await kept.add(b"hello, ")
        await kept.add(b"world")
        given = await kept.whole()
        assert kept.estimate(1.0) == 0
        assert os.read(given, 5) == b"hello"
        assert kept.estimate(1.0) == 12 / 5


async def test_what_can_never_fit_is_refused_with_what_to_do():
    async with Shelf(2 * MEBIBYTE).spool("chunk") as kept:
        await kept.add(bytes(2 * MEBIBYTE))
        with pytest.raises(InvalidInput, match="more than 2 MiB") as refused:
            await kept.add(b"x")
    assert refused.value.code == "AUDIO_TOO_BIG"
    assert refused.value.violations[0].field == "chunk"


async def test_what_others_take_up_is_free_when_they_are_done():
    shelf = Shelf(MEBIBYTE)
    async with shelf.spool("chunk") as second:
        async with shelf.spool("chunk") as first:
            await first.add(bytes(MEBIBYTE))
            with pytest.raises(Exhausted) as refused:
                await second.add(b"x")
        assert refused.value.retry_after
        await second.add(b"x")
    assert shelf.free_bytes == MEBIBYTE


async def test_a_full_disk_is_told_as_one(monkeypatch):
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda: FULL.open("wb"))
    with pytest.raises(Exhausted, match="no room for it on disk"):
        async with Shelf(MEBIBYTE).spool("chunk") as kept:
            await kept.add(bytes(100_000))
