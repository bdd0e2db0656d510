"""What can be in an aisle, and the sentence that each scene deserves. It knows no picture."""

import itertools
import random
from dataclasses import dataclass
from enum import StrEnum

MAX_BOXES = 6


class Colour(StrEnum):
    """The colours a box can have; all boxes on a shelf share one."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    PURPLE = "purple"
    WHITE = "white"
    BLACK = "black"


class Worker(StrEnum):
    """What the worker is doing."""

    ABSENT = "absent"
    STANDING = "standing"
    STOCKING = "stocking"


_COUNT_WORDS = ("no", "one", "two", "three", "four", "five", "six")
_WORKER_SENTENCES = {
    Worker.ABSENT: "No worker is present.",
    Worker.STANDING: "A worker is standing in the aisle.",
    Worker.STOCKING: "A worker is stocking the shelf.",
}


@dataclass(frozen=True)
class Scene:
    """What is in an aisle. A shelf without boxes has no colour, and one with boxes has one."""

    box_count: int
    colour: Colour | None
    worker: Worker
    spill: bool
    ladder: bool

    def __post_init__(self) -> None:
        if not 0 <= self.box_count <= MAX_BOXES:
            raise ValueError(f"box_count {self.box_count} is not within 0 and {MAX_BOXES}")
        if (self.box_count == 0) != (self.colour is None):
            raise ValueError("a shelf has a colour exactly when it holds boxes")

    @property
    def caption(self) -> str:
        """The four sentences that state this scene; different scenes have different captions."""
        if self.box_count == 0:
            shelf = "The shelf is empty."
        else:
            noun = "box" if self.box_count == 1 else "boxes"
            shelf = f"The shelf holds {_COUNT_WORDS[self.box_count]} {self.colour} {noun}."
        floor = "There is a spill on the floor." if self.spill else "The floor is clean."
        ladder = "There is a ladder." if self.ladder else "There is no ladder."
        return " ".join((shelf, _WORKER_SENTENCES[self.worker], floor, ladder))


def all_scenes() -> tuple[Scene, ...]:
    """Every scene there can be: 588."""
    shelves: list[tuple[int, Colour | None]] = [(0, None)]
    shelves += itertools.product(range(1, MAX_BOXES + 1), Colour)
    return tuple(
        Scene(box_count, colour, worker, spill, ladder)
        for box_count, colour in shelves
        for worker, spill, ladder in itertools.product(Worker, (False, True), (False, True))
    )


_SCENES_BY_CAPTION = {scene.caption: scene for scene in all_scenes()}


def scene_from_caption(caption: str) -> Scene | None:
    """Read a caption back, or None where it is not one of the world's captions."""
    return _SCENES_BY_CAPTION.get(caption)


def random_scene(rng: random.Random) -> Scene:
    """Draw a scene in which every property is spread evenly."""
    box_count = rng.randint(0, MAX_BOXES)
    colour = rng.choice(list(Colour))
    return Scene(
        box_count=box_count,
        colour=colour if box_count else None,
        worker=rng.choice(list(Worker)),
        spill=rng.random() < 0.5,
        ladder=rng.random() < 0.5,
    )
