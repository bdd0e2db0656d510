import asyncio

import pytest

from sensorium.audio.unacknowledged import CHUNK_BYTES, Unacknowledged


@pytest.fixture
async def held():
    return Unacknowledged(most_bytes=10)


async def test_what_was_not_acknowledged_is_there_again(held):
    await held.follow(of(b"abc", b"defg"))
    held.acknowledge(2)
    assert await held.chunk(2) == b"cdefg"
    assert await held.chunk(5) == b"fg"
    assert await held.chunk(7) == b""


async def test_an_acknowledgement_twice_or_of_what_never_came_lets_nothing_go(held):
    await held.follow(of(b"abcd"))
    for offset in (2, 2, 1):
        held.acknowledge(offset)
    assert await held.chunk(2) == b"cd"
    held.acknowledge(100)
    assert await held.chunk(4) == b""


async def test_no_more_is_taken_than_may_be_held(held):
    taken = []

    async def audio():
        for i in range(20):
            taken.append(i)
            yield b"xxxx"

    following = asyncio.create_task(held.follow(audio()))
    for acknowledged in (0, 4, 8):
        held.acknowledge(acknowledged)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(taken) == 4 + acknowledged // 4
    following.cancel()


async def test_what_was_acknowledged_is_kept_until_its_words_were_told():
    held = Unacknowledged(most_bytes=10, spare_bytes=4)
    await held.follow(of(b"abcdefgh"))
    held.tell(1)
    held.acknowledge(3)
    assert (held.begin, await held.chunk(1)) == (1, b"bcdefgh")
    held.tell(5)
    assert held.begin == 3
    held.acknowledge(8)
    assert held.begin == 5


async def test_no_more_is_kept_of_what_was_acknowledged_than_is_to_spare():
    held = Unacknowledged(most_bytes=10, spare_bytes=4)
    await held.follow(of(b"abcdefgh"))
    held.acknowledge(7)
    assert (held.begin, await held.chunk(3)) == (3, b"defgh")


async def test_what_nobody_holds_any_more_counts_as_not_acknowledged():
    held, taken = Unacknowledged(most_bytes=4, spare_bytes=4), []

    async def audio():
        for it in (b"abcd", b"efgh", b"ijkl", b"mnop"):
            taken.append(it)
            yield it

    following = asyncio.create_task(held.follow(audio()))
    await held.chunk(0)
    held.acknowledge(4)
    assert await within(held.chunk(4)) == b"efgh"
    assert len(taken) == 3
    held.renew()
    held.acknowledge(4)
    assert await held.chunk(0) == b"abcdefgh"
    held.acknowledge(8)
    assert await within(held.chunk(8)) == b"ijkl"
    following.cancel()


async def test_a_reader_waits_for_more_and_for_the_end(held):
    queue = asyncio.Queue()
    following = asyncio.create_task(held.follow(queued(queue)))
    first = asyncio.create_task(held.chunk(0))
    queue.put_nowait(b"ab")
    assert await within(first) == b"ab"
    rest = asyncio.create_task(held.chunk(2))
    queue.put_nowait(None)
    assert await within(rest) == b""
    await within(following)


async def test_a_chunk_is_never_larger_than_a_message_should_be():
    held = Unacknowledged()
    await held.follow(of(bytes(CHUNK_BYTES + 1)))
    assert [len(await held.chunk(it)) for it in (0, CHUNK_BYTES)] == [CHUNK_BYTES, 1]


async def of(*chunks):
    for chunk in chunks:
        yield chunk


async def queued(queue):
    while (chunk := await queue.get()) is not None:
        yield chunk


async def within(awaitable):
    async with asyncio.timeout(5):
        return await awaitable
