"""What a pipeline is given to work with."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from services.jobs.content import Blob
from services.jobs.pipelines.steps import Steps
from services.jobs.ports.rooms import Audio, Film, Reasoning, Vision


@dataclass(frozen=True)
class Peers:
    """Those who do the work of steps: the other rooms, and who decodes videos."""

    vision: Vision
    reasoning: Reasoning
    audio: Audio
    film: Film


@dataclass(frozen=True)
class Work:
    """One job as its pipeline sees it, beside its input."""

    steps: Steps
    peers: Peers
    blob: Callable[[str], Awaitable[Blob]]
    """Fetches bytes that the input names, or that a step kept."""
    stream: Callable[[str], AsyncGenerator[bytes, None]]
    """Fetches those of a recording, of any size, piece by piece."""
    keep: Callable[[Blob], Awaitable[None]]
    """Keeps bytes that came of a step, for the steps after it. To be done within the step."""
