"""Draws scenes, by Pillow alone: the same scene and look give the same picture at any scale."""

import random

from PIL import Image, ImageDraw

from models.aisle.looks import (
    BOARD_RISE,
    HEIGHT,
    SLOT_WIDTH,
    WIDTH,
    Bounds,
    Look,
    Rgb,
    added,
    place,
    random_look,
)
from models.aisle.scenes import Colour, Scene, Worker

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
                pen.box(thing.bounds, added(_BOX_RGB[thing.what], thing.shade))
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
        left, right = look.shelf_x, look.shelf_x + 3 * SLOT_WIDTH
        top, bottom = look.board_y - 29, look.board_y + BOARD_RISE
        if look.mirrored:
            left, right = WIDTH - right, WIDTH - left
        self._rectangle((left, top, right, bottom), _shaded(look.wall, 0.86))
        for x in (left, right - 2.5):
            self._rectangle((x, top, x + 2.5, look.floor_y + 3), look.shelf)
        for y in (top - 2, look.board_y, bottom):
            self._rectangle((left, y, right, y + 3.5), look.shelf)
        for index in range(3):
            x = left + SLOT_WIDTH * (index + 0.5)
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
            board = look.board_y + BOARD_RISE * (1 - look.reach)
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
