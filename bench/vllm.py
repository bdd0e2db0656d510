"""vLLM with the aisle model as one of the parts, started as the engines' tests start it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench import parts
from sensorium.launcher import probes
from tests.doubles import engine_vllm


@asynccontextmanager
async def served(python: str) -> AsyncIterator[parts.Part]:
    """Run the aisle model on the vLLM that an interpreter has, as the engines' tests do."""
    port = parts.free_port()
    ready = probes.http(f"http://127.0.0.1:{port}/health")
    async with parts.part(
        f"127.0.0.1:{port}",
        (*engine_vllm.OPTIONS, "--port", str(port)),
        ready,
        program=python,
        environment=engine_vllm.ENVIRONMENT,
        seconds=engine_vllm.START_SECONDS,
    ) as engine:
        yield engine
