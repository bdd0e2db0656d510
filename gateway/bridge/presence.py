"""Gives up what nobody waits for any more. It knows no dialect."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import web

Answer = TypeVar("Answer")

LOOK_SECONDS: Final = 0.25
"""How often it is looked whether a client is still there: its server tells of one that has left
only to who reads or writes.
"""


async def while_there(request: web.Request, answering: Coroutine[Any, Any, Answer]) -> Answer:
    """Wait for an answer; cancel it when its client leaves, and raise `ConnectionError`."""
    task = asyncio.create_task(answering)
    try:
        while not (await asyncio.wait((task,), timeout=LOOK_SECONDS))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client has left")
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait((task,))
