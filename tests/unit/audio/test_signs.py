import asyncio
from contextlib import aclosing

import pytest

from services.audio.signs import signs


async def all_of(source, seconds=60.0):
    async with asyncio.timeout(10):
        return [it async for it in signs(source, seconds)]


async def test_what_comes_is_passed_on_in_its_order():
    async def source():
        for it in range(5):
            yield it

    assert await all_of(source()) == [0, 1, 2, 3, 4]


async def test_a_silent_source_gives_signs_until_it_speaks():
    speak = asyncio.Event()

    async def source():
        await speak.wait()
        yield "spoken"

    told = []
    async with asyncio.timeout(10):
        async for it in signs(source(), 0.01):
            told.append(it)
            if len(told) == 3:
                speak.set()
    assert told[:3] == [None, None, None]
    assert told[-1] == "spoken"


async def test_what_a_source_fails_with_is_raised_after_what_came_before():
    async def source():
        yield 1
        raise ValueError("no more")

    told = signs(source(), 60)
    async with asyncio.timeout(10):
        assert await anext(told) == 1
        with pytest.raises(ValueError, match="no more"):
            await anext(told)


async def test_who_leaves_closes_the_source():
    closed = asyncio.Event()

    async def source():
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with asyncio.timeout(10), aclosing(signs(source(), 60)) as told:
        await anext(told)
    assert closed.is_set()


async def test_who_is_stopped_while_nothing_comes_leaves_nothing_behind():
    before, came = asyncio.all_tasks(), asyncio.Event()

    async def source():
        yield 1
        await asyncio.Event().wait()

    async def follow():
        async with aclosing(signs(source(), 60)) as told:
            async for _ in told:
                came.set()

    following = asyncio.create_task(follow())
    async with asyncio.timeout(10):
        await came.wait()
        await asyncio.sleep(0)
        following.cancel()
        await asyncio.wait((following,))
    assert asyncio.all_tasks() == before
