"""How an aisle may be put into words: each property of a scene in several wordings, some kept back
for held-out sequences, so that no method is tuned to the words that it is scored on.
"""

import random
from collections.abc import Mapping
from typing import Final

from bench.quality.wordings import Wordings
from models.aisle.world import Scene, Worker

_COUNTS: Final = ("no", "one", "two", "three", "four", "five", "six")


WORKER: Final[Mapping[Worker, Wordings]] = {
    Worker.STOCKING: Wordings(
        (
            "A worker is stocking the shelf.",
            "A worker is putting boxes on the shelf.",
            "An employee is restocking the shelf.",
            "A person in a vest is placing a box on the shelf.",
        ),
        ("A staff member is filling the shelf with boxes.", "Someone is loading the shelf."),
    ),
    Worker.STANDING: Wordings(
        (
            "A worker is standing in the aisle.",
            "An employee stands in the aisle.",
            "A person in a vest is standing still.",
        ),
        ("A staff member is standing around.", "Someone stands in the aisle, arms down."),
    ),
    Worker.ABSENT: Wordings(
        ("No worker is present.", "There is nobody in the aisle.", "No person can be seen."),
        ("The aisle is deserted.", "Nobody is there."),
    ),
}
FLOOR: Final[Mapping[bool, Wordings]] = {
    True: Wordings(
        ("There is a spill on the floor.", "A puddle of liquid is on the floor."),
        ("Something has been spilled on the floor.",),
    ),
    False: Wordings(
        ("The floor is clean.", "The floor is dry."), ("There is nothing on the floor.",)
    ),
}
LADDER: Final[Mapping[bool, Wordings]] = {
    True: Wordings(
        ("There is a ladder.", "A ladder stands in the aisle."), ("A ladder has been set up.",)
    ),
    False: Wordings(("There is no ladder.", "No ladder is to be seen."), ("The ladder is gone.",)),
}
EMPTY: Final = Wordings(
    ("The shelf is empty.", "There are no boxes on the shelf."), ("Nothing is on the shelf.",)
)
HOLDING: Final = Wordings(
    ("The shelf holds {count} {colour} {noun}.", "On the shelf stand {count} {noun}."),
    ("One sees {count} {noun} on the shelf.",),
)
UNREADABLE: Final = Wordings(
    (
        "The view is blocked.",
        "The picture is too dark to make anything out.",
        "The image is blurred and nothing can be recognised.",
    ),
    ("Something covers the lens of the camera.", "The frame is grey noise."),
)


def shelf(scene: Scene, rng: random.Random, *, held_out: bool) -> str:
    """Say what the shelf holds."""
    if scene.box_count == 0:
        return EMPTY.one(rng, held_out=held_out)
    return HOLDING.one(rng, held_out=held_out).format(
        count=_COUNTS[scene.box_count],
        colour=scene.colour,
        noun="box" if scene.box_count == 1 else "boxes",
    )
