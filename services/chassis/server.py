"""The gRPC server of every room: its services, their health, reflection, and a graceful end. It
knows no room.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from services.chassis import guards, health, limits, telemetry, transport
from services.chassis.config import ConfigError, RoomConfig
from services.chassis.middleware import Chain, Middleware, Rpc

_log = logging.getLogger(__name__)

_END_SECONDS: Final = 5.0
"""How long calls that were cut may take to end: what they use is closed after the server."""


class Server:
    """Collects services, then serves them. `run` and `running` may be used once."""

    def __init__(
        self, config: RoomConfig, *, middleware: Sequence[Middleware] = guards.DEFAULT
    ) -> None:
        self._config = config
        self._calls = 0
        self._calls_ended = asyncio.Event()
        self._calls_ended.set()
        self._server = grpc.aio.server(
            interceptors=[*telemetry.server_interceptors(), Chain([self._counted, *middleware])],
            options=transport.SERVER_OPTIONS,
            maximum_concurrent_rpcs=limits.CONCURRENT_CALLS,
        )
        self._checks: dict[str, health.Check | None] = {}

    def add(
        self,
        register: Callable[[Any, grpc.aio.Server], None],
        servicer: object,
        service: ServiceDescriptor,
        *,
        health: health.Check | None = None,
    ) -> None:
        """Add one service. `health` raises while the service could not answer; without it, it
        always could.
        """
        register(servicer, self._server)
        self._checks[service.full_name] = health

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve for a block, which is given the bound address; at its end drain, then stop."""
        servicer = health_aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)
        names = [*self._checks, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self._server)
        host, _, port = self._config.listen.rpartition(":")
        try:
            bound = self._server.add_insecure_port(self._config.listen)
        except RuntimeError:
            raise ConfigError(
                f"cannot listen on {self._config.listen}: the port is taken or the host is not ours"
            ) from None
        await self._server.start()
        keeper = asyncio.create_task(health.keep(servicer, self._checks))
        try:
            yield f"{host}:{bound or port}"
        finally:
            keeper.cancel()
            await servicer.enter_graceful_shutdown()
            await self._server.stop(grace=self._config.drain_seconds)
            # gRPC does not wait for what a call that it cut still has to put in order.
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await self._calls_ended.wait()
            _log.info("stopped")

    @asynccontextmanager
    async def _counted(self, _: Rpc) -> AsyncIterator[None]:
        self._calls += 1
        self._calls_ended.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._calls_ended.set()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then let calls in flight finish for `drain_seconds`."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for received in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(received, stop.set)
        async with self.running() as address:
            _log.info("serving", extra={"address": address, "services": sorted(self._checks)})
            await stop.wait()
            _log.info("draining", extra={"seconds": self._config.drain_seconds})
