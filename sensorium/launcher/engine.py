"""What an engine is to the launcher: how its server is started and what the rooms that ask it must
know. Which engines there are is for the profiles to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sensorium.launcher.program import READY_SECONDS

Rooms = tuple[str, ...]
"""The names of rooms that ask the same engine."""


@dataclass(frozen=True)
class Engine:
    """A server with OpenAI's API to start, whose `/health` answers when it is ready."""

    rooms: Rooms
    model: str
    """How the model is called by those who ask."""
    command: tuple[str, ...]
    """The process that serves it on loopback. `--port` is added to it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""
    """What people must know of the model's limits."""
    follows_instructions: bool = True
    """Whether its model does as it is told, or knows captions alone."""
    needs: tuple[str, ...] = ()
    """The engines that must be ready before it is started."""
    ready_seconds: float = READY_SECONDS
    """How long it may take to load its model."""
    has_log: bool = False
    """Whether it says so much that it is kept in a file rather than shown."""
    hint: str = ""
    """What a person may do about a failed start."""

    @property
    def name(self) -> str:
        """Of its process: after the room, if only one asks it."""
        return f"{self.rooms[0]}-engine" if len(self.rooms) == 1 else "engine"
