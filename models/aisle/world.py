"""The aisle world: what can be in a drawn shop aisle, how it looks, and the sentence it deserves.

This module is the truth that the aisle model is trained on and measured against. It needs Pillow
alone and knows nothing of models, engines or the mesh. Everything here is a function of its
arguments: the same random generator gives the same scene, picture and sequence.
"""

import itertools
import random
from dataclasses import dataclass, replace
from enum import StrEnum

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 140, 112
"""Native size of a drawing in pixels: five by four of the model's 28-pixel image tokens."""

MAX_BOXES = 6

Rgb = tuple[int, int, int]
Bounds = tuple[float, float, float, float]


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


_BOX_RGB: dict[Colour, Rgb] = {
    Colour.RED: (212, 32, 36),
    Colour.ORANGE: (245, 135, 20),
    Colour.YELLOW: (240, 218, 40),
    Colour.GREEN: (36, 150, 58),
    Colour.BLUE: (40, 76, 214),
    Colour.PURPLE: (136, 44, 168),
    Colour.WHITE: (248, 248, 246),
    Colour.BLACK: (28, 28, 30),
}
_WALLS: tuple[Rgb, ...] = ((176, 182, 186), (196, 186, 170), (160, 172, 180), (186, 190, 178))
_FLOORS: tuple[Rgb, ...] = ((150, 146, 140), (166, 156, 142), (142, 148, 152))
_SHELVES: tuple[Rgb, ...] = ((96, 100, 106), (124, 96, 70), (112, 114, 110))
_VESTS: tuple[Rgb, ...] = ((30, 120, 130), (50, 66, 120), (120, 60, 60), (70, 100, 60))
_TROUSERS: tuple[Rgb, ...] = ((46, 50, 70), (70, 62, 54), (50, 54, 56))
_SKINS: tuple[Rgb, ...] = ((240, 204, 176), (198, 146, 108), (128, 86, 60))
_SPILLS: tuple[Rgb, ...] = ((76, 150, 222), (60, 56, 66), (196, 62, 70), (90, 176, 110))
_LADDERS: tuple[Rgb, ...] = ((236, 190, 40), (216, 220, 224), (220, 110, 40))

_SLOT_WIDTH = 27.0
_AISLE_NEAR, _AISLE_FAR = 97.0, 123.0
_BOARD_RISE = 36.0


@dataclass(frozen=True)
class Slot:
    """How a box sits in its place on the shelf: size, offset from the middle, change of shade."""

    width: float
    height: float
    dx: float
    shade: Rgb


@dataclass(frozen=True)
class Look:
    """Everything about a picture that its caption does not say.

    Lengths are native pixels. A sequence keeps one look, so that its frames come from one camera.
    """

    wall: Rgb
    floor: Rgb
    shelf: Rgb
    vest: Rgb
    trousers: Rgb
    skin: Rgb
    spill: Rgb
    ladder: Rgb
    light: float
    """Gain on every colour; 1 is neutral."""
    slope: float
    """How much brighter the right edge is than the left, as a share."""
    mirrored: bool
    """Whether the shelf stands on the right."""
    shelf_x: float
    board_y: float
    """Where the upper board is; the lower one is a fixed rise beneath it."""
    floor_y: float
    slots: tuple[Slot, ...]
    slot_order: tuple[int, ...]
    """Which place the first, second, ... box takes."""
    worker_near: bool
    """Whether a standing worker is beside the shelf, leaving the far side to the ladder."""
    worker_dx: float
    worker_height: float
    reach: float
    """How high a stocking worker's hands are: 0 is the lower board, 1 the upper."""
    ladder_dx: float
    ladder_height: float
    ladder_lean: float
    spill_x: float
    spill_y: float
    spill_width: float
    spill_height: float


def random_look(rng: random.Random) -> Look:
    """Draw a look; the generator advances by the same steps whatever the scene will be."""
    slots = tuple(
        Slot(
            width=rng.uniform(16, 21),
            height=rng.uniform(16, 22),
            dx=rng.uniform(-2, 2),
            shade=(rng.randint(-12, 12), rng.randint(-12, 12), rng.randint(-12, 12)),
        )
        for _ in range(MAX_BOXES)
    )
    return Look(
        wall=_near(rng.choice(_WALLS), rng),
        floor=_near(rng.choice(_FLOORS), rng),
        shelf=_near(rng.choice(_SHELVES), rng),
        vest=_near(rng.choice(_VESTS), rng),
        trousers=_near(rng.choice(_TROUSERS), rng),
        skin=_near(rng.choice(_SKINS), rng),
        spill=_near(rng.choice(_SPILLS), rng),
        ladder=_near(rng.choice(_LADDERS), rng),
        light=rng.uniform(0.86, 1.06),
        slope=rng.uniform(-0.12, 0.12),
        mirrored=rng.random() < 0.5,
        shelf_x=rng.uniform(1, 4),
        board_y=rng.uniform(38, 44),
        floor_y=rng.uniform(85, 89),
        slots=slots,
        slot_order=tuple(rng.sample(range(MAX_BOXES), MAX_BOXES)),
        worker_near=rng.random() < 0.5,
        worker_dx=rng.uniform(-2, 2),
        worker_height=rng.uniform(60, 72),
        reach=rng.random(),
        ladder_dx=rng.uniform(-2, 2),
        ladder_height=rng.uniform(66, 84),
        ladder_lean=rng.uniform(-3, 3),
        spill_x=rng.uniform(24, 116),
        spill_y=rng.uniform(99, 104),
        spill_width=rng.uniform(30, 46),
        spill_height=rng.uniform(8, 13),
    )


def _near(rgb: Rgb, rng: random.Random) -> Rgb:
    return _sum(rgb, (rng.randint(-8, 8), rng.randint(-8, 8), rng.randint(-8, 8)))


def _sum(rgb: Rgb, change: Rgb) -> Rgb:
    red, green, blue = (max(0, min(255, a + b)) for a, b in zip(rgb, change, strict=True))
    return (red, green, blue)


@dataclass(frozen=True)
class Placed:
    """One thing in a picture: what it is (a `Colour` for a box) and its bounds in native pixels."""

    what: Colour | Worker | str
    bounds: Bounds
    shade: Rgb = (0, 0, 0)
    """What is added to the colour of a box."""


SPILL, LADDER = "spill", "ladder"


def place(scene: Scene, look: Look) -> tuple[Placed, ...]:
    """Say where the things of a scene are, back to front. What a scene lacks is not placed."""
    placed = []
    if scene.spill:
        across, down = look.spill_width / 2, look.spill_height / 2
        x, y = look.spill_x, look.spill_y
        placed.append(Placed(SPILL, (x - across, y - down, x + across, y + down)))
    if scene.colour is not None:
        places = look.slot_order[: scene.box_count]
        placed += [
            Placed(scene.colour, _box_bounds(look, index), look.slots[index].shade)
            for index in places
        ]
    near = look.worker_near or scene.worker is Worker.STOCKING
    if scene.ladder:
        x = (_AISLE_FAR if near else _AISLE_NEAR) + look.ladder_dx
        foot = 96.0
        placed.append(Placed(LADDER, (x - 8, foot - look.ladder_height, x + 8, foot)))
    if scene.worker is not Worker.ABSENT:
        x = (_AISLE_NEAR if near else _AISLE_FAR) + look.worker_dx
        foot = 101.0
        placed.append(Placed(scene.worker, (x - 8, foot - look.worker_height, x + 8, foot)))
    if look.mirrored:
        return tuple(replace(thing, bounds=_mirror(thing.bounds)) for thing in placed)
    return tuple(placed)


def _box_bounds(look: Look, index: int) -> Bounds:
    slot = look.slots[index]
    row, column = divmod(index, 3)
    bottom = look.board_y + row * _BOARD_RISE
    middle = look.shelf_x + _SLOT_WIDTH * (column + 0.5) + slot.dx
    return (middle - slot.width / 2, bottom - slot.height, middle + slot.width / 2, bottom)


def _mirror(bounds: Bounds) -> Bounds:
    left, top, right, bottom = bounds
    return (WIDTH - right, top, WIDTH - left, bottom)


def draw(scene: Scene, rng: random.Random, *, scale: int = 1) -> Image.Image:
    """Draw a scene with a random look, `scale` times its native size."""
    return render(scene, random_look(rng), scale=scale)


def render(scene: Scene, look: Look, *, scale: int = 1) -> Image.Image:
    """Draw a scene with a given look, `scale` times its native size."""
    smoothing = 2 if scale < 3 else 1
    pen = _Pen(look, scale * smoothing)
    pen.background()
    for thing in place(scene, look):
        match thing.what:
            case Colour():
                pen.box(thing.bounds, _sum(_BOX_RGB[thing.what], thing.shade))
            case Worker():
                pen.worker(thing.bounds, stocking=thing.what is Worker.STOCKING)
            case "spill":
                pen.spill(thing.bounds)
            case _:
                pen.ladder(thing.bounds)
    return pen.image.reduce(smoothing) if smoothing > 1 else pen.image


class _Pen:
    """A canvas in native coordinates, at any scale, under a look's light."""

    def __init__(self, look: Look, scale: int) -> None:
        self._look = look
        self._scale = scale
        self.image = Image.new("RGB", (WIDTH * scale, HEIGHT * scale), self._lit(look.wall, 0))
        self._draw = ImageDraw.Draw(self.image)

    def _lit(self, rgb: Rgb, x: float) -> Rgb:
        gain = self._look.light * (1 + self._look.slope * (x / WIDTH - 0.5))
        red, green, blue = (max(0, min(255, round(channel * gain))) for channel in rgb)
        return (red, green, blue)

    def _points(self, *values: float) -> list[int]:
        return [round(value * self._scale) for value in values]

    def _rectangle(self, bounds: Bounds, rgb: Rgb, outline: Rgb | None = None) -> None:
        left, top, right, bottom = self._points(*bounds)
        x = bounds[0]
        self._draw.rectangle(
            (left, top, max(left, right - 1), max(top, bottom - 1)),
            fill=self._lit(rgb, x),
            outline=self._lit(outline, x) if outline else None,
            width=max(1, self._scale // 2),
        )

    def _ellipse(self, bounds: Bounds, rgb: Rgb) -> None:
        self._draw.ellipse(self._points(*bounds), fill=self._lit(rgb, bounds[0]))

    def _line(self, points: Bounds, rgb: Rgb, width: float) -> None:
        self._draw.line(
            self._points(*points),
            fill=self._lit(rgb, points[0]),
            width=max(1, round(width * self._scale)),
        )

    def background(self) -> None:
        look = self._look
        strip = WIDTH / 10
        for index in range(10):
            left = index * strip
            self._rectangle((left, 0, left + strip, look.floor_y), look.wall)
            self._rectangle((left, look.floor_y, left + strip, HEIGHT), look.floor)
        self._line((0, look.floor_y, WIDTH, look.floor_y), _shaded(look.floor, 0.7), 1.5)
        left, right = look.shelf_x, look.shelf_x + 3 * _SLOT_WIDTH
        top, bottom = look.board_y - 29, look.board_y + _BOARD_RISE
        if look.mirrored:
            left, right = WIDTH - right, WIDTH - left
        self._rectangle((left, top, right, bottom), _shaded(look.wall, 0.86))
        for x in (left, right - 2.5):
            self._rectangle((x, top, x + 2.5, look.floor_y + 3), look.shelf)
        for y in (top - 2, look.board_y, bottom):
            self._rectangle((left, y, right, y + 3.5), look.shelf)
        for index in range(3):
            x = left + _SLOT_WIDTH * (index + 0.5)
            for y in (look.board_y, bottom):
                self._rectangle((x - 3, y + 0.5, x + 3, y + 3), (226, 226, 214))

    def box(self, bounds: Bounds, body: Rgb) -> None:
        left, top, right, bottom = bounds
        dark = sum(body) < 200
        self._rectangle(bounds, body, _shaded(body, 0.55) if not dark else (8, 8, 8))
        middle = (left + right) / 2
        tape = _shaded(body, 0.82) if not dark else (58, 58, 60)
        self._rectangle((middle - 1.5, top + 1, middle + 1.5, bottom - 1), tape)

    def worker(self, bounds: Bounds, *, stocking: bool) -> None:
        look = self._look
        left, top, right, foot = bounds
        height = foot - top
        toward = 1.0 if look.mirrored else -1.0
        x = (left + right) / 2 + (2.0 * toward if stocking else 0.0)
        head = height * 0.085
        neck, hip = top + 2 * head, top + height * 0.55
        for side in (-1, 1):
            self._line((x + side * 2, hip, x + side * 3.5, foot), look.trousers, 4.2)
        self._rectangle((x - 6, neck, x + 6, hip + 1), look.vest)
        self._rectangle((x - 6, neck + 9, x + 6, neck + 11), (232, 228, 120))
        self._ellipse((x - head, top, x + head, top + 2 * head), look.skin)
        self._rectangle((x - head, top - 0.5, x + head, top + head * 0.8), _shaded(look.vest, 0.8))
        shoulder = neck + 3
        if stocking:
            hand_x = x + toward * 17
            board = look.board_y + _BOARD_RISE * (1 - look.reach)
            hand_y = max(top + 2, min(hip - 4, board - 8))
            for lift in (0.0, 5.0):
                self._line((x, shoulder + lift, hand_x, hand_y + lift), look.skin, 3.2)
            self._ellipse((hand_x - 2.5, hand_y - 2, hand_x + 2.5, hand_y + 7), look.skin)
        else:
            for side in (-1, 1):
                self._line((x + side * 6.5, shoulder - 2, x + side * 7.5, hip + 3), look.skin, 3)

    def ladder(self, bounds: Bounds) -> None:
        look = self._look
        left, top, right, foot = bounds
        lean = look.ladder_lean
        self._line((left, foot, left + 3 + lean, top), look.ladder, 2.2)
        self._line((right, foot, right - 3 + lean, top), look.ladder, 2.2)
        rungs = 7
        for index in range(1, rungs + 1):
            share = index / (rungs + 1)
            y = foot - (foot - top) * share
            self._line(
                (left + (3 + lean) * share, y, right + (lean - 3) * share, y), look.ladder, 1.8
            )

    def spill(self, bounds: Bounds) -> None:
        left, top, right, bottom = bounds
        rgb = self._look.spill
        width, height = right - left, bottom - top
        self._ellipse(bounds, rgb)
        self._ellipse((left - 4, top + height * 0.3, left + width * 0.4, bottom + 1), rgb)
        gleam = (left + width * 0.3, top + height * 0.2, left + width * 0.6, top + height * 0.45)
        self._ellipse(gleam, _shaded(rgb, 1.35))


def _shaded(rgb: Rgb, gain: float) -> Rgb:
    red, green, blue = (max(0, min(255, round(channel * gain))) for channel in rgb)
    return (red, green, blue)


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
