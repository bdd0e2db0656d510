"""What the vision room needs of the world: an engine that sees, and the machine under it."""

from typing import Protocol

from services.engine.ports import Engine
from services.vision.domain import Device

__all__ = ["Engine", "Machine"]


class Machine(Protocol):
    """The machine that the engine runs on."""

    async def read(self) -> Device:
        """Tell the device and its memory, as far as it can be told from here."""
        ...
