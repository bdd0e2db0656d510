"""Where a mesh is and how a client's streams to it begin and begin again. It knows no service."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio

from services.chassis import errors, transport

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
REFUSAL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Edge:
    """Where a mesh is, and who calls."""

    url: str = "http://127.0.0.1:8080"
    key: str = ""
    """The key of a mesh that asks for one."""

    def channel(self) -> grpc.aio.Channel:
        """Open a channel, which the caller closes."""
        at = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
        options = transport.CLIENT_OPTIONS
        if at.scheme == "https":
            target = f"{at.hostname}:{at.port or 443}"
            return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options)
        return grpc.aio.insecure_channel(f"{at.hostname}:{at.port or 80}", options)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What shows the key."""
        return (("authorization", f"Bearer {self.key}"),) if self.key else ()


async def until_accepted(call: Any) -> None:
    """Wait until the mesh has taken a stream, or refused it, before anything is written to it.

    Why a stream is refused is lost where something is being written to it; and the refusal comes a
    moment after the metadata.
    """
    await call.initial_metadata()
    with suppress(TimeoutError):
        async with asyncio.timeout(REFUSAL_SECONDS):
            await call.code()


async def write(call: Any, request: Any) -> None:
    """Write to a stream; why it has ended is told to who reads it."""
    with suppress(grpc.RpcError, asyncio.InvalidStateError):
        await call.write(request)


def wait_seconds(broken: errors.MeshError | None, failures: int) -> float:
    """How long to wait before a stream is opened again, after so many that failed in a row."""
    wait = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
    told = broken.retry_after if broken else None
    return max(wait, told.total_seconds()) if told else wait
