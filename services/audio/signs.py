"""Signs of life of long work. It knows neither the work nor who waits for it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def signs(
    source: AsyncGenerator[Item, None], seconds: float
) -> AsyncGenerator[Item | None, None]:
    """Yield what a source yields, and None whenever it yielded nothing for so long. The source is
    run in one task, at most one item ahead, and closed in the end.
    """
    items = asyncio.Queue[Item](1)

    async def run() -> None:
        async with aclosing(source):
            async for item in source:
                await items.put(item)

    running = asyncio.create_task(run())
    try:
        while not (running.done() and items.empty()):
            coming = asyncio.create_task(items.get())
            try:
                await asyncio.wait(
                    (coming, running), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
                )
                came = coming.done()
            finally:
                coming.cancel()
            if came:
                yield coming.result()
            elif not running.done():
                yield None
        running.result()
    finally:
        running.cancel()
        await asyncio.wait((running,))
