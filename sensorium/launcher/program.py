"""What a supervised process is: the command, what it needs, and how it is known to be ready."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

Probe = Callable[[], Awaitable[None]]
"""Asks once whether a program is ready; raises while it is not."""

READY_SECONDS: Final = 60.0
"""How long a program may take to be ready, unless it says otherwise."""


class Voice(Protocol):
    """Where the lines go that are to be seen. Each comes with a program's name."""

    def heard(self, name: str, line: str) -> None:
        """Take a line that the program has written."""

    def told(self, name: str, line: str) -> None:
        """Take what the launcher has to say of the program."""


async def at_once() -> None:
    """Be ready as soon as the process runs: the probe of a program that cannot be asked."""


@dataclass(frozen=True)
class Program:
    """One process of the mesh."""

    name: str
    command: tuple[str, ...]
    tier: int
    """What it stands on has a lower tier. Higher tiers are stopped first."""
    probe: Probe = at_once
    needs: tuple[str, ...] = ()
    """The programs that must be ready before it is started."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that it gets besides those of the launcher."""
    once: bool = False
    """Whether it is ready when it has ended well, rather than when its probe says so."""
    stop_signal: signal.Signals = signal.SIGTERM
    user: tuple[int, int] | None = None
    """The user and group it runs as. None: the launcher's own."""
    ready_seconds: float = READY_SECONDS
    """How long it may take to be ready."""
    log: Path | None = None
    """The file that keeps its lines, where they are too many to be shown."""
    hint: str = ""
    """What a person may do about a failed start."""
