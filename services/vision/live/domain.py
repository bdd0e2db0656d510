"""The words of a stream of frames. Times are seconds of the room's monotonic clock where they are
not said to be of the day.

What was seen and said is left out of every `repr`, so that it cannot slip into a log.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, Self

from services.engine.domain import Answer
from services.vision.domain import Wish


class Spread(StrEnum):
    """Which of the frames that came one answer looks at."""

    NEWEST = "newest"
    """The newest, those that the last answer looked at among them."""
    SINCE_LAST_REPLY = "since_last_reply"
    """Spread evenly over the time since those of the last reply, the newest among them."""


@dataclass(frozen=True)
class Settings:
    """What is asked of the frames of a stream."""

    wish: Wish = field(default_factory=Wish)
    window: int = 1
    """How many frames one answer looks at."""
    spread: Spread = Spread.NEWEST
    cadence: float = 0.0
    """The least seconds between the starts of two answers."""
    threshold: float | None = None
    """How much a frame must differ to be worth an answer, from 0 to 1. Zero: each frame is worth
    one. None: the room's own.
    """
    deltas: bool = False
    """Whether answers are wanted piece by piece too."""
    on_demand: bool = False
    """Whether frames come only when they are wanted."""


class Fate(StrEnum):
    """What is known of a frame."""

    FRESH = "fresh"
    """Nobody has looked at it."""
    SAME = "same"
    """It shows nothing new."""
    NEW = "new"
    """It is worth an answer."""
    TOLD = "told"
    """A reply has spoken of it, or is about to."""
    REFUSED = "refused"
    """It cannot be looked at."""


class Seen(Protocol):
    """What is left of a frame when it was glanced at."""

    def difference(self, other: Self) -> float:
        """How much both differ, from 0 to 1."""
        ...


@dataclass(frozen=True)
class SentFrame:
    """A frame as it was received."""

    data: bytes = field(repr=False)
    id: str = ""
    """Empty: its place in the stream is its id."""
    captured: datetime | None = None
    """None: it does not say."""
    more: bool = False
    """Whether another follows at once."""


@dataclass(eq=False)
class Frame:
    """A frame of a stream."""

    id: str
    data: bytes = field(repr=False)
    captured: datetime
    """The time of day at which it was taken, or received where that is unknown."""
    received: float
    lag: float = 0.0
    """Seconds from its capture to its receipt."""
    fate: Fate = Fate.FRESH
    seen: Seen | None = None


@dataclass(frozen=True)
class Name:
    """What is told of a frame."""

    id: str
    captured: datetime


@dataclass(frozen=True)
class Shot:
    """What one answer is about."""

    number: int
    """Of the answer."""
    asked: int
    """The number of the settings."""
    settings: Settings
    frames: tuple[Frame, ...]
    """The oldest first."""
    untold: tuple[Frame, ...]
    """Those of which no reply has spoken."""
    begun: float

    @property
    def fit(self) -> tuple[Frame, ...]:
        """The frames that were not refused since."""
        return tuple(it for it in self.frames if it.fate is not Fate.REFUSED)


@dataclass(frozen=True)
class Age:
    """How old a frame is."""

    since_capture: timedelta
    since_receipt: timedelta


@dataclass(frozen=True)
class Counts:
    """The frames since the last reply that were not paid for."""

    dropped: int = 0
    """Nobody looked at them: newer ones came."""
    skipped: int = 0
    """They showed nothing new."""


@dataclass(frozen=True)
class Piece:
    """A piece of an answer that is being written."""

    number: int
    asked: int
    text: str = field(repr=False)


@dataclass(frozen=True)
class Whole:
    """An answer."""

    number: int
    asked: int
    answer: Answer
    frames: tuple[Name, ...]
    """The oldest first."""
    age: Age
    """Of the newest of the frames, when the answer was ready."""
    counts: Counts
    processing_time: timedelta


@dataclass(frozen=True)
class Still:
    """The word that an answer still holds."""

    last: Whole
    age: Age
    """Of the newest frame that showed nothing new."""
    counts: Counts


class Reason(StrEnum):
    """Why frames are not answered as they should be."""

    OVERLOADED = "overloaded"
    """The engine has too much to do."""
    FRAME_REFUSED = "frame_refused"
    """A frame cannot be looked at."""
    ENGINE_DOWN = "engine_down"
    """The engine cannot be reached, or failed."""
    ANSWER_REFUSED = "answer_refused"
    """The engine refuses what is asked of it."""


@dataclass(frozen=True)
class Notice:
    """Something that a watcher must know, and that does not end its stream."""

    reason: Reason
    message: str
    code: str
    retry_after: timedelta | None = None
    """When the engine is asked again. None: nothing waits."""
    frame_id: str = ""
    """The frame that it speaks of. Empty: none."""
    number: int = 0
    """Of the answer that failed. Zero: it speaks of none."""
    asked: int = 0


@dataclass(frozen=True)
class Wanted:
    """The wish for the newest frames of a watcher who sends them on demand."""

    frames: int
    at_once: bool = False
    """Whether an answer waits for them, so that they may be ones that came before."""


Reply = Piece | Whole | Still | Notice | Wanted
