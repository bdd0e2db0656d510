"""gRPC health, one status per service, kept true by asking. It knows only coroutines that raise.

The empty service name says that the process is up and not draining; a service's own name says that
it could answer now, what it stands on included. Probes that restart or route ask the first, people
and launchers the second.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio
from opentelemetry.instrumentation.utils import suppress_instrumentation

_log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]
INTERVAL_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 5.0
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


async def keep(servicer: health_aio.HealthServicer, checks: Mapping[str, Check | None]) -> None:
    """Ask every service's check again and again and tell the servicer, until cancelled."""
    await servicer.set("", SERVING)
    known: dict[str, bool] = {}
    while True:
        async with asyncio.TaskGroup() as group:
            asked = {
                name: group.create_task(_healthy(name, check)) for name, check in checks.items()
            }
        for name, task in asked.items():
            healthy = task.result()
            if known.get(name) != healthy:
                known[name] = healthy
                await servicer.set(name, SERVING if healthy else NOT_SERVING)
                _log.info("health changed", extra={"rpc_service": name, "serving": healthy})
        await asyncio.sleep(INTERVAL_SECONDS if all(known.values()) else INTERVAL_SECONDS / 8)


async def _healthy(name: str, check: Check | None) -> bool:
    if check is None:
        return True
    try:
        # A trace for every question would bury those of callers.
        with suppress_instrumentation():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await check()
    except Exception as failed:
        _log.debug("not healthy", extra={"rpc_service": name, "error": repr(failed)})
        return False
    return True
