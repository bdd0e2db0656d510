"""Serves what a double answers over HTTP, on a free port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


@asynccontextmanager
async def served(
    app: web.Application, *, host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[str]:
    """Serve for a block, which is given the address as host:port."""
    runner = web.AppRunner(app, shutdown_timeout=0.1, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        yield f"{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
