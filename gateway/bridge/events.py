"""Writes server-sent events while a room answers, as fast as the client reads and no faster. It
knows no dialect.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final

from aiohttp import web
from google.protobuf.message import Message

from gateway.bridge.exchange import Events
from services.chassis import client, errors, limits

_log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/event-stream"
_HEADERS: Final = {"content-type": CONTENT_TYPE, "cache-control": "no-cache"}


async def write(
    request: web.Request, events: Events, method: Callable[..., Any], *, lasts: timedelta
) -> web.StreamResponse:
    """Write a response to its end.

    Raises what the call failed with if nothing was written before, and `ConnectionError` when the
    client has left or reads nothing for too long; the call is cancelled then.
    """
    response = web.StreamResponse(headers=_HEADERS)
    fed = _Fed(events.ask.request)
    asked = client.stream(
        method, fed.requests() if events.feed else events.ask.request, timeout=lasts.total_seconds()
    )
    failure: errors.MeshError | None = None
    try:
        async with aclosing(asked) as answers:
            async for answer in answers:
                await _send(request, response, events.told(answer))
                for message in events.feed(answer) if events.feed else ():
                    fed.put(message)
    except ConnectionError:
        raise
    except Exception as failed:
        if not response.prepared:
            raise
        failure = _told(failed)
    finally:
        fed.put(None)
    await _send(request, response, events.ended(failure))
    await response.write_eof()
    return response


def _told(failed: Exception) -> errors.MeshError:
    if isinstance(failed, errors.MeshError):
        return failed
    _log.error("a dialect failed amid an answer", exc_info=failed)
    return errors.Internal("something failed inside the mesh")


async def _send(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    if not data:
        return
    if not response.prepared:
        await response.prepare(request)
    try:
        async with asyncio.timeout(limits.UNREAD_DEADLINE.total_seconds()):
            await response.write(data)
    except TimeoutError:
        if request.transport is not None:
            # Closing alone would wait for what is unsent to be read.
            request.transport.abort()
        raise ConnectionAbortedError("what was sent was not read for too long") from None


class _Fed:
    """The requests of a call that streams in both directions: None ends them."""

    def __init__(self, first: Message) -> None:
        self._waiting: asyncio.Queue[Message | None] = asyncio.Queue()
        self.put(first)

    def put(self, message: Message | None) -> None:
        self._waiting.put_nowait(message)

    async def requests(self) -> AsyncIterator[Message]:
        while (message := await self._waiting.get()) is not None:
            yield message
