"""Series of pictures in which a worker does a task, with the truth of when."""

import random
from dataclasses import dataclass, replace

from PIL import Image

from models.aisle.drawing import render
from models.aisle.looks import Look, random_look
from models.aisle.scenes import MAX_BOXES, Colour, Scene, Worker


@dataclass(frozen=True)
class Frame:
    """One picture of a sequence, not yet drawn."""

    image_id: str
    offset_seconds: float
    """Time since the first frame."""
    scene: Scene
    look: Look

    def draw(self, *, scale: int = 1) -> Image.Image:
        """Draw the frame, `scale` times its native size."""
        return render(self.scene, self.look, scale=scale)


@dataclass(frozen=True)
class TaskSequence:
    """A worker comes, stocks the shelf and goes, with the truth of when the stocking was."""

    frames: tuple[Frame, ...]
    start_index: int
    """The first frame in which the worker is stocking."""
    end_index: int
    """The last frame in which the worker is stocking."""

    @property
    def start_seconds(self) -> float:
        """The offset of the first stocking frame."""
        return self.frames[self.start_index].offset_seconds

    @property
    def end_seconds(self) -> float:
        """The offset of the last stocking frame."""
        return self.frames[self.end_index].offset_seconds


MIN_SEQUENCE_FRAMES = 30


def task_sequence(
    rng: random.Random,
    *,
    frame_count: int = 40,
    interval_seconds: float = 2.0,
    image_prefix: str = "aisle",
) -> TaskSequence:
    """Draw up a sequence: empty aisle, worker standing, stocking, standing, empty aisle again.

    The boxes grow by at least one, and only while the worker is stocking; spill, ladder and
    camera stay as they are.
    """
    if frame_count < MIN_SEQUENCE_FRAMES:
        raise ValueError(f"a sequence has at least {MIN_SEQUENCE_FRAMES} frames")
    edges = [round(frame_count * share) for share in (0.15, 0.25, 0.7, 0.82)]
    arrival, start, stop, departure = (edge + rng.randint(-1, 1) for edge in edges)
    phases = (
        [Worker.ABSENT] * arrival
        + [Worker.STANDING] * (start - arrival)
        + [Worker.STOCKING] * (stop - start)
        + [Worker.STANDING] * (departure - stop)
        + [Worker.ABSENT] * (frame_count - departure)
    )
    first_count = rng.randint(0, 3)
    last_count = rng.randint(max(first_count + 1, 4), MAX_BOXES)
    growths = set(rng.sample(range(start + 1, stop), last_count - first_count))
    colour = rng.choice(list(Colour))
    spill, ladder = rng.random() < 0.3, rng.random() < 0.4
    look = random_look(rng)
    frames = []
    box_count = first_count
    for index, worker in enumerate(phases):
        box_count += index in growths
        scene = Scene(box_count, colour if box_count else None, worker, spill, ladder)
        moment = replace(
            look,
            worker_dx=rng.uniform(-2, 2),
            reach=rng.random(),
            light=look.light * rng.uniform(0.985, 1.015),
        )
        image_id = f"{image_prefix}-{index:04d}"
        frames.append(Frame(image_id, index * interval_seconds, scene, moment))
    return TaskSequence(tuple(frames), start, stop - 1)
