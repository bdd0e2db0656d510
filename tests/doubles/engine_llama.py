"""Not a double: llama.cpp itself, in a process of its own, as the launcher starts it."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis.errors import Unavailable
from services.engine.openai import OpenAIEngine

AISLE = Path(__file__).parents[2] / "models/aisle/weights"
ALIAS = "aisle"


@asynccontextmanager
async def llama(
    model: Path = AISLE / "aisle.gguf",
    mmproj: Path | None = AISLE / "aisle-mmproj.gguf",
    *,
    alias: str = ALIAS,
    threads: int = 1,
    start_seconds: float = 40,
    context: int = 4096,
) -> AsyncIterator[str]:
    """Serve a model for a block, which is given the base of its API."""
    port = free_port()
    sight = ["--mmproj", str(mmproj)] if mmproj else []
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "sensorium.engines.llama", "--model", str(model), *sight],
        *["--port", str(port), "--alias", alias, "--threads", str(threads)],
        *["--context", str(context)],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        async with asyncio.timeout(start_seconds):
            await _until_ready(url, process)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _until_ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with OpenAIEngine(url) as engine:
        while True:
            assert process.returncode is None, "llama.cpp ended at its start"
            try:
                await engine.check()
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return
