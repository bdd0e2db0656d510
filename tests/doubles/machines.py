"""A machine and an engine on it, of which a test says how full they are."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from services.chassis.errors import MeshError
from services.engine.machine import Load, Released
from services.vision.domain import Device


class HandClock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class FakeMachine:
    """Is as a test says."""

    def __init__(self, device: Device) -> None:
        self.device = device

    async def read(self) -> Device:
        return self.device


class ReleasingEngine:
    """The part of an engine that tells how busy it is and lets go of its cache."""

    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine
        self.told = Load()
        """How busy it is."""
        self.fault: MeshError | None = None
        """What every question ends with while it is set."""
        self.gives_back = 0
        """What a release frees, in bytes."""
        self.releases = 0
        self.asked = asyncio.Event()
        """Set when it was asked how busy it is."""
        self.released = asyncio.Event()
        """Set when it has released."""

    async def load(self) -> Load:
        self.asked.set()
        if self.fault is not None:
            raise self.fault
        return self.told

    async def release_memory(self) -> tuple[Released, ...]:
        if self.fault is not None:
            raise self.fault
        self.releases += 1
        self.released.set()
        device = self._machine.device
        if device.engine_memory_bytes is not None:
            left = device.engine_memory_bytes - self.gives_back
            self._machine.device = replace(device, engine_memory_bytes=left)
        return (Released.PREFIX_CACHE,)
