"""How a scene looks and where its things are: all that a caption does not say. It draws nothing."""

import random
from dataclasses import dataclass, replace

from models.aisle.scenes import MAX_BOXES, Colour, Scene, Worker

WIDTH, HEIGHT = 140, 112
"""Native size of a drawing in pixels: five by four of the model's 28-pixel image tokens."""

Rgb = tuple[int, int, int]
Bounds = tuple[float, float, float, float]

_WALLS: tuple[Rgb, ...] = ((176, 182, 186), (196, 186, 170), (160, 172, 180), (186, 190, 178))
_FLOORS: tuple[Rgb, ...] = ((150, 146, 140), (166, 156, 142), (142, 148, 152))
_SHELVES: tuple[Rgb, ...] = ((96, 100, 106), (124, 96, 70), (112, 114, 110))
_VESTS: tuple[Rgb, ...] = ((30, 120, 130), (50, 66, 120), (120, 60, 60), (70, 100, 60))
_TROUSERS: tuple[Rgb, ...] = ((46, 50, 70), (70, 62, 54), (50, 54, 56))
_SKINS: tuple[Rgb, ...] = ((240, 204, 176), (198, 146, 108), (128, 86, 60))
_SPILLS: tuple[Rgb, ...] = ((76, 150, 222), (60, 56, 66), (196, 62, 70), (90, 176, 110))
_LADDERS: tuple[Rgb, ...] = ((236, 190, 40), (216, 220, 224), (220, 110, 40))

SLOT_WIDTH = 27.0
_AISLE_NEAR, _AISLE_FAR = 97.0, 123.0
BOARD_RISE = 36.0


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
    return added(rgb, (rng.randint(-8, 8), rng.randint(-8, 8), rng.randint(-8, 8)))


def added(rgb: Rgb, change: Rgb) -> Rgb:
    """Add a change to a colour, within its bounds."""
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
    bottom = look.board_y + row * BOARD_RISE
    middle = look.shelf_x + SLOT_WIDTH * (column + 0.5) + slot.dx
    return (middle - slot.width / 2, bottom - slot.height, middle + slot.width / 2, bottom)


def _mirror(bounds: Bounds) -> Bounds:
    left, top, right, bottom = bounds
    return (WIDTH - right, top, WIDTH - left, bottom)
