"""What a profile comes to, and what all of them ask of the environment. It knows none of them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sensorium.launcher.engine import Engine, Rooms
from services.chassis import names

SPEECH: Final = "whisper-base"


@dataclass(frozen=True)
class Profile:
    """What a mesh runs on."""

    engines: tuple[Engine, ...] = ()
    """Those to start."""
    models: tuple[str, ...] = ()
    """The models of the cache that it needs."""
    told: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The variables of each room that it sets."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What people must know of its models."""
        return tuple(engine.notice for engine in self.engines if engine.notice)


def speech() -> str:
    """The speech model: what `AUDIO_MODEL` names, else Whisper base."""
    return os.environ.get("AUDIO_MODEL") or SPEECH


def rooms_here() -> Rooms:
    """The rooms that ask an engine and that the environment names none for."""
    rooms = (names.VISION, names.REASONING)
    return tuple(it for it in rooms if not setting(it, "ENGINE_URL"))


def setting(room: str, name: str) -> str:
    """The variable of a room; empty where it is not set."""
    return os.environ.get(f"{room.upper()}_{name}", "")
