import asyncio

import pytest

from services.chassis.errors import InvalidInput
from services.vision.live.domain import Piece
from services.vision.live.notices import waits
from services.vision.live.outbox import Outbox


async def test_pieces_of_one_answer_become_one_while_nobody_reads() -> None:
    outbox = Outbox()
    for number, text in ((1, "a"), (1, "b"), (1, "c"), (2, "d")):
        outbox.put(Piece(number, 0, text))
    outbox.put(waits())
    outbox.close()
    assert [it async for it in outbox] == [Piece(1, 0, "abc"), Piece(2, 0, "d"), waits()]


async def test_more_is_wanted_only_when_the_reader_has_come_back() -> None:
    outbox = Outbox()
    wanted = asyncio.create_task(outbox.wanted())
    reading = asyncio.create_task(anext(outbox))
    async with asyncio.timeout(5):
        await wanted
    outbox.put(waits())
    wanted = asyncio.create_task(outbox.wanted())
    async with asyncio.timeout(5):
        await reading
    assert not wanted.done()
    reading = asyncio.create_task(anext(outbox))
    async with asyncio.timeout(5):
        await wanted
    reading.cancel()


async def test_an_error_is_raised_at_once_to_who_reads() -> None:
    outbox = Outbox()
    outbox.put(waits())
    outbox.close(InvalidInput("wrong"))
    with pytest.raises(InvalidInput):
        await anext(outbox)
