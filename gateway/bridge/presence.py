"""Gives up what nobody waits for any more. It knows no dialect."""

import asyncio
from types import TracebackType
from typing import Final

from aiohttp import web

LOOK_SECONDS: Final = 0.05
"""How often it is looked whether a client is still there: its server tells of one that has left
only to who reads or writes. The engine is to be free within 0.2 s.
"""


class while_there:  # noqa: N801 - a block, as asyncio's `timeout` is one
    """Cancel a block when the client leaves, which then raises `ConnectionResetError`."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._has_left = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - handlers are tasks
        self._task = task
        self._cancelling = task.cancelling()
        self._wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failed: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if (
            self._has_left
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise ConnectionResetError("the client has left") from None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            self._has_left = True
            self._task.cancel()
        else:
            self._wait()
