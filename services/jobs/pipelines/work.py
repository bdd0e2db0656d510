"""What a pipeline is given to work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.jobs.content import Blob
from services.jobs.pipelines.steps import Steps
from services.jobs.ports import Audio, Reasoning, Vision


@dataclass(frozen=True)
class Peers:
    """The other rooms."""

    vision: Vision
    reasoning: Reasoning
    audio: Audio


@dataclass(frozen=True)
class Work:
    """One job as its pipeline sees it, beside its input."""

    steps: Steps
    peers: Peers
    blob: Callable[[str], Awaitable[Blob]]
    """Fetches bytes that the input names."""
