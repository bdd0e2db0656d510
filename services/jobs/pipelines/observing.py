"""Pictures looked at one by one, as several pipelines need it.

Pictures of the same bytes are looked at once: a camera that sends one twice, or hangs, costs
nothing.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from services.chassis.errors import InvalidInput
from services.chassis.limits import MEBIBYTE
from services.jobs import record
from services.jobs.content import Blob, Image, Observation
from services.jobs.domain import Json
from services.jobs.pipelines.steps import Heard, nobody
from services.jobs.pipelines.work import Work
from services.jobs.ports.rooms import Sight

# Keeps an engine busy that takes many at once. The vision room sends it no more than it has use
# for, and live requests before these; the others wait in the room, which has places for four jobs.
_AT_ONCE: Final = 16
_MOST_BYTES: Final = 32 * MEBIBYTE
"""Of a job's pictures that are looked at at once, if there are two: four jobs hold no more than the
vision room lets wait."""


async def observe(
    images: Sequence[Image], prompt: str, work: Work, *, heard: Heard = nobody
) -> tuple[Observation, ...]:
    """Describe each picture, in steps `describe/0` and so on, each told as its description.

    `heard` is told each description, in any order, as soon as it is there.
    """

    async def describe(picture: Blob) -> Json:
        return await work.peers.vision.describe(picture, prompt)

    texts = await _each("describe", images, describe, work, tell=str, heard=heard)
    return tuple(map(_observation, images, texts))


async def analyze(
    images: Sequence[Image], prompt: str, work: Work
) -> tuple[tuple[Observation, ...], tuple[Sight, ...]]:
    """Look for risks in each picture, in steps `analyze/0` and so on, each told as its text."""

    async def analyze(picture: Blob) -> Json:
        return record.dump(await work.peers.vision.analyze(picture, prompt))

    told = await _each("analyze", images, analyze, work, tell=lambda it: str(it["text"]))
    sights = tuple(record.load(Sight, it) for it in told)
    seen = (_observation(image, sight.text) for image, sight in zip(images, sights, strict=True))
    return tuple(seen), sights


async def _each(
    prefix: str,
    images: Sequence[Image],
    look: Callable[[Blob], Awaitable[Json]],
    work: Work,
    *,
    tell: Callable[[Json], str],
    heard: Heard = nobody,
) -> list[Json]:
    places = {image.id: index for index, image in enumerate(images)}
    looked: dict[bytes, Json] = {}
    room = _Room(_MOST_BYTES)
    looking: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def step(image: Image) -> Json:
        picture = await work.blob(image.blob)
        digest = hashlib.sha256(picture.data).digest()
        async with looking[digest]:
            if digest not in looked:
                try:
                    async with room.held(len(picture.data)):
                        looked[digest] = await look(picture)
                except InvalidInput as error:
                    told = f"picture {places[image.id]}: {error.message}"
                    raise InvalidInput(told, remedy=error.remedy, code=error.code) from error
        return looked[digest]

    return await work.steps.run_each(prefix, images, step, at_once=_AT_ONCE, tell=tell, heard=heard)


class _Room:
    """Room for so many bytes at once, or for one thing that is larger."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._held or self._held + size <= self._most)
            self._held += size
        try:
            yield
        finally:
            self._held -= size
            async with self._changed:
                self._changed.notify_all()


def _observation(image: Image, text: str) -> Observation:
    return Observation(image.id, image.capture_time, text, image.offset_seconds)
