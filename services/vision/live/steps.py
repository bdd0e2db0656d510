"""What is to be done next for a stream of frames."""

from dataclasses import dataclass

from services.vision.live.domain import Frame, Notice, Still, Wanted


@dataclass(frozen=True)
class Look:
    """Glance at this frame, then say `looked` or `refused`."""

    frame: Frame


@dataclass(frozen=True)
class Ask:
    """Wait for a turn at the engine, then `begin`."""


@dataclass(frozen=True)
class Tell:
    """Say this to the watcher."""

    reply: Still | Notice | Wanted


@dataclass(frozen=True)
class Wait:
    """Do nothing until something happens, or until a time."""

    until: float | None = None


@dataclass(frozen=True)
class Over:
    """Everything is told, and nothing more will come."""


Step = Look | Ask | Tell | Wait | Over
