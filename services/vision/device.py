"""The device under the engine: how it is used, and what the engine can let go of when that is too
much.

It knows neither the contract nor which engine and which device these are.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from services.chassis.clock import Clock
from services.chassis.errors import MeshError
from services.engine.machine import Load
from services.vision.domain import Device, Relief
from services.vision.ports import Engine, Machine

_log = logging.getLogger(__name__)

LOAD_SECONDS: Final = 1.0
"""The most time that an engine gets to tell how busy it is."""
LOOK_SECONDS: Final = 10.0
REST_SECONDS: Final = 60.0
"""The least time between two releases that nobody asked for."""
_RELIEVED: Final = 0.1
"""How far use must fall below the threshold before it counts as passed again. Memory that an engine
takes once and keeps would else be asked for again and again."""


class Keeper:
    """Tells the device of an engine, and keeps it from running full."""

    def __init__(
        self, engine: Engine, machine: Machine, *, release_at: float, clock: Clock
    ) -> None:
        self._engine = engine
        self._machine = machine
        self._release_at = release_at
        self._clock = clock
        self._armed = True
        self._released = -REST_SECONDS

    async def device(self) -> Device:
        """Tell what the model runs on; what nobody can tell is None."""
        found = await self._machine.read()
        load = Load()
        # An engine that stands still is no reason to wait for what can be told without it.
        with suppress(MeshError, TimeoutError):
            async with asyncio.timeout(LOAD_SECONDS):
                load = await self._engine.load()
        # One that has no model loaded is a process nevertheless.
        held = load.device_memory_bytes or load.memory_bytes or found.engine_memory_bytes
        return replace(
            found,
            engine_memory_bytes=held,
            cache_usage=load.cache_usage,
            running=load.running,
            waiting=load.waiting,
        )

    async def release(self) -> Relief:
        """Have the engine drop what it keeps beside its work."""
        before = (await self._machine.read()).engine_memory_bytes
        released = await self._engine.release_memory()
        after = (await self._machine.read()).engine_memory_bytes
        given_back = None if before is None or after is None else max(0, before - after)
        return Relief(tuple(it.value for it in released), given_back)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Release by itself for a block, when use passes the threshold."""
        task = asyncio.create_task(self._watch()) if self._release_at else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def look(self) -> bool:
        """Look once, and release when use has passed the threshold; tell whether it had."""
        device = await self.device()
        shares = [device.cache_usage or 0.0]
        if device.memory_total_bytes and device.memory_used_bytes is not None:
            shares.append(device.memory_used_bytes / device.memory_total_bytes)
        share, now = max(shares), self._clock.monotonic()
        if share < self._release_at - _RELIEVED:
            self._armed = True
        if not self._armed or share < self._release_at or now - self._released < REST_SECONDS:
            return False
        self._armed, self._released = False, now
        relief = await self.release()
        _log.warning(
            "memory released",
            extra={"share": round(share, 2), "released": ", ".join(relief.released)},
        )
        return True

    async def _watch(self) -> None:
        while True:
            # An engine that is down has nothing to release.
            with suppress(MeshError):
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)
