"""Work that goes on until it is done or somebody stops it, as Ctrl-C does. It knows no work."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, Final

INTERRUPTED: Final = 130
"""The exit code of what was stopped before it was done, as shells have it."""


def run(work: Coroutine[Any, Any, None], *, stopped: int = INTERRUPTED) -> None:
    """Run until it is done, or until the first SIGINT or SIGTERM, which ends the work in good order
    and then the process with the code `stopped`.
    """
    if not asyncio.run(_until_told(work)):
        sys.exit(stopped)


async def _until_told(work: Coroutine[Any, Any, None]) -> bool:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    told: list[int] = []

    def stop(number: int) -> None:
        if not told:
            task.cancel()
        told.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    return not told
