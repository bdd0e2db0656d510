"""The aisle world: what can be in a drawn shop aisle, how it looks, and the sentence it deserves.

It is the truth that the aisle model is trained on and measured against. It needs Pillow alone and
knows nothing of models, engines or the mesh. Everything in it is a function of its arguments: the
same random generator gives the same scene, picture and sequence.
"""

from models.aisle.drawing import draw, render
from models.aisle.looks import (
    HEIGHT,
    LADDER,
    SPILL,
    WIDTH,
    Bounds,
    Look,
    Placed,
    place,
    random_look,
)
from models.aisle.scenes import (
    MAX_BOXES,
    Colour,
    Scene,
    Worker,
    all_scenes,
    random_scene,
    scene_from_caption,
)
from models.aisle.sequences import Frame, TaskSequence, task_sequence

__all__ = [
    "HEIGHT",
    "LADDER",
    "MAX_BOXES",
    "SPILL",
    "WIDTH",
    "Bounds",
    "Colour",
    "Frame",
    "Look",
    "Placed",
    "Scene",
    "TaskSequence",
    "Worker",
    "all_scenes",
    "draw",
    "place",
    "random_look",
    "random_scene",
    "render",
    "scene_from_caption",
    "task_sequence",
]
