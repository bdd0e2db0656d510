"""The sample data with its truth, read from the files that come with the project. It knows what was
recorded and what is true of it, not what a mesh makes of it.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from models import samples


@dataclass(frozen=True)
class Frame:
    """One picture and the sentence that is true of it."""

    id: str
    taken: datetime
    data: bytes
    caption: str


@dataclass(frozen=True)
class Task:
    """A series of pictures in which a task goes on from one to another."""

    words: str
    frames: tuple[Frame, ...]
    start_index: int
    end_index: int


@dataclass(frozen=True)
class Turn:
    """What one speaker says, in seconds from the start of the recording."""

    speaker: str
    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Dialogue:
    """A recording and what is said in it."""

    audio: bytes
    language: str
    turns: tuple[Turn, ...]

    @cached_property
    def seconds(self) -> float:
        """When the last word has been said."""
        return self.turns[-1].end


def _folder(name: str) -> Path:
    return Path(samples.__file__).parent / name


def task() -> Task:
    """Read the aisle sequence."""
    folder = _folder("aisle")
    truth = json.loads((folder / "truth.json").read_text())
    begin = datetime.fromisoformat(truth["begin"])
    frames = tuple(
        Frame(
            id=frame["id"],
            taken=begin + timedelta(seconds=frame["offset_seconds"]),
            data=(folder / frame["file"]).read_bytes(),
            caption=frame["caption"],
        )
        for frame in truth["frames"]
    )
    return Task(truth["task"], frames, truth["start_index"], truth["end_index"])


def dialogue() -> Dialogue:
    """Read the dialogue."""
    folder = _folder("dialogue")
    truth = json.loads((folder / "dialogue.json").read_text())
    turns = tuple(Turn(**turn) for turn in truth["turns"])
    return Dialogue((folder / "dialogue.ogg").read_bytes(), truth["language"], turns)
