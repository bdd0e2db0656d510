"""The ways to ask whether a program is ready. Each raises while it is not."""

import asyncio
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sensorium.launcher.program import Probe

ANSWER_SECONDS: Final = 2.0
"""How long an answer may take."""
OPTIONS: Final = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
]


def grpc_health(address: str, service: str = "") -> Probe:
    """Ask gRPC health; without a service's name, whether the process is up."""

    async def ask() -> None:
        async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            stub: Any = health_pb2_grpc.HealthStub(channel)
            reply = await stub.Check(request, timeout=ANSWER_SECONDS)
        if reply.status != health_pb2.HealthCheckResponse.SERVING:
            raise ConnectionError(f"{service} does not serve")

    return ask


def http(url: str) -> Probe:
    """Ask for a page that answers well."""

    async def ask() -> None:
        limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as reply:
            reply.raise_for_status()

    return ask


def postgres(ready: Path, folder: Path, owner: str) -> Probe:
    """Ask PostgreSQL, whose socket is in a folder, with its own `pg_isready`."""

    async def ask() -> None:
        process = await asyncio.create_subprocess_exec(
            *(ready, "--quiet", "--host", folder, "--username", owner, "--dbname", owner),
            *("--timeout", f"{ANSWER_SECONDS:.0f}"),
        )
        if await process.wait():
            raise ConnectionError("PostgreSQL does not accept connections")

    return ask
