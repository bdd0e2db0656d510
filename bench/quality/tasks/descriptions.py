"""What is said of the pictures of a series: the truth; the truth in other words and with a
describer's errors; or what a real vision engine says of them when they are drawn.
"""

import asyncio
import io
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from bench.quality.tasks import wording
from bench.quality.tasks.sequences import Fault, Level, Series, Shot
from models.aisle.world import Scene, Worker, random_scene, render
from services.engine.domain import Message, Picture, PictureType, Role, Sampling, Text
from services.engine.ports import Engine

QUESTION: Final = "Describe this image."
_WRONG: Final = {Level.EASY: 0.01, Level.MEDIUM: 0.02, Level.HARD: 0.04}
"""How often a sentence of a sound picture is wrong."""
_LEFT_OUT: Final = {Level.EASY: 0.0, Level.MEDIUM: 0.01, Level.HARD: 0.03}
_MADE_UP: Final = 0.5
"""How often a picture that cannot be made out is described all the same, as small models do."""
_AT_ONCE: Final = 4
_SECONDS: Final = 120.0


class Kind(StrEnum):
    """Where descriptions come from."""

    TRUTH = "truth"
    """The world's own captions; of a picture that shows nothing, that it does not."""
    NOISY = "noisy"
    """Paraphrased, with sentences wrong or left out, and made-up scenes."""
    ENGINE = "engine"
    """A vision engine's, of the pictures as drawn."""


def told(series: Series, kind: Kind, *, held_out: bool) -> Mapping[str, str]:
    """The text of each picture by its id: a function of the seed."""
    rng = random.Random(f"descriptions {kind} {series.level} {series.seed} {held_out}")
    texts: dict[str, str] = {}
    for shot in series.shots:
        source = shot.id.removesuffix("-again")
        if source not in texts:
            texts[source] = _text(shot, kind, series.level, rng, held_out=held_out)
        texts[shot.id] = texts[source]
    return texts


class Eyes:
    """A vision engine that describes series; its answers are kept in a file, where one is named."""

    def __init__(self, engine: Engine, model: str, kept: Path | None) -> None:
        self._engine = engine
        self._model = model
        self._kept = kept
        self._told: dict[str, str] = {}
        self._free = asyncio.Semaphore(_AT_ONCE)
        if kept is not None and kept.exists():
            self._told = dict(map(json.loads, kept.read_text().splitlines()))

    async def describe(self, series: Series) -> Mapping[str, str]:
        """The text of each picture by its id; one that was sent twice is looked at once."""
        first = [it for it in series.shots if not it.id.endswith("-again")]
        told = await asyncio.gather(*(self._once(series, it) for it in first))
        texts = dict(zip((it.id for it in first), told, strict=True))
        return {it.id: texts[it.id.removesuffix("-again")] for it in series.shots}

    async def _once(self, series: Series, shot: Shot) -> str:
        key = f"{self._model} {series.level} {shot.id}"
        if key not in self._told:
            async with self._free:
                self._told[key] = await self._look(drawn(shot))
            if self._kept is not None:
                with self._kept.open("a") as file:
                    file.write(json.dumps([key, self._told[key]]) + "\n")
        return self._told[key]

    async def _look(self, picture: bytes) -> str:
        answer = await self._engine.complete(
            [Message(Role.USER, (Picture(picture, PictureType.JPEG), Text(QUESTION)))],
            Sampling(max_tokens=64, temperature=0.0),
            timeout=_SECONDS,
        )
        return answer.text


def drawn(shot: Shot) -> bytes:
    """Draw a picture with its fault, as a JPEG of the aisle model's native size."""
    image = render(shot.scene, shot.look)
    match shot.fault:
        case Fault.OCCLUDED:
            box = (0, image.height // 5, image.width, image.height)
            ImageDraw.Draw(image).rectangle(box, fill=(70, 60, 55))
        case Fault.NOISE:
            image = Image.effect_noise(image.size, 90).convert("RGB")
        case None:
            pass
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    return written.getvalue()


def _text(shot: Shot, kind: Kind, level: Level, rng: random.Random, *, held_out: bool) -> str:
    if kind is Kind.TRUTH:
        return shot.scene.caption if shot.fault is None else wording.UNREADABLE.known[0]
    scene = shot.scene
    if shot.fault is not None:
        if rng.random() >= _MADE_UP:
            return wording.UNREADABLE.one(rng, held_out=held_out)
        scene = random_scene(rng)
    scene = _misread(scene, _WRONG[level], rng)
    sentences = (
        wording.shelf(scene, rng, held_out=held_out),
        wording.WORKER[scene.worker].one(rng, held_out=held_out),
        wording.FLOOR[scene.spill].one(rng, held_out=held_out),
        wording.LADDER[scene.ladder].one(rng, held_out=held_out),
    )
    return " ".join(it for it in sentences if rng.random() >= _LEFT_OUT[level])


def _misread(scene: Scene, share: float, rng: random.Random) -> Scene:
    other = random_scene(rng)
    if rng.random() < share:
        scene = replace(scene, worker=rng.choice([it for it in Worker if it != scene.worker]))
    if rng.random() < share:
        scene = replace(scene, spill=not scene.spill)
    if rng.random() < share:
        scene = replace(scene, ladder=not scene.ladder)
    if rng.random() < share:
        scene = replace(scene, box_count=other.box_count, colour=other.colour)
    return scene
