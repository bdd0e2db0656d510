"""Recordings that are sent in pieces, until they are whole. It knows no speech."""

import asyncio
from collections.abc import AsyncIterator

from services.audio.live import Chunk, End
from services.chassis.errors import InvalidInput, TimedOut
from services.media.spool import Spool


async def kept(
    messages: AsyncIterator[Chunk | End], spool: Spool, *, idle_seconds: float
) -> AsyncIterator[int]:
    """Keep what comes until its end; tell how many bytes there are, first none, then with each
    chunk, so that who sends may wait for it.

    Raises `TimedOut` when nothing comes for so long, `InvalidInput` when it ends without saying
    so, and as `Spool.add` does.
    """
    yield spool.size
    while not isinstance(message := await _next(messages, idle_seconds), End):
        await spool.add(message.data)
        yield spool.size


async def _next(messages: AsyncIterator[Chunk | End], seconds: float) -> Chunk | End:
    try:
        async with asyncio.timeout(seconds):
            return await anext(messages)
    except TimeoutError:
        raise TimedOut(
            f"nothing was sent for {seconds:g} seconds", remedy="send the recording again"
        ) from None
    except StopAsyncIteration:
        raise InvalidInput(
            "the stream of requests stopped without `end`",
            remedy="say `end` when the recording was sent whole",
            code="END_MISSING",
        ) from None
