"""Pictures looked at one by one, as several pipelines need it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from services.chassis.errors import InvalidInput
from services.jobs import record
from services.jobs.content import Blob, Image, Observation
from services.jobs.domain import Json
from services.jobs.pipelines.work import Work
from services.jobs.ports.rooms import Sight

# Keeps the vision room busy while a result is recorded, and leaves it room for live requests.
_AT_ONCE: Final = 2


async def observe(images: Sequence[Image], prompt: str, work: Work) -> tuple[Observation, ...]:
    """Describe each picture, in steps `describe/0` and so on, each told as its description."""

    async def describe(picture: Blob) -> Json:
        return await work.peers.vision.describe(picture, prompt)

    texts = await _each("describe", images, describe, work, tell=str)
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
) -> list[Json]:
    async def step(image: Image) -> Json:
        try:
            return await look(await work.blob(image.blob))
        except InvalidInput as error:
            told = f"picture {images.index(image)}: {error.message}"
            raise InvalidInput(told, remedy=error.remedy, code=error.code) from error

    return await work.steps.run_each(prefix, images, step, at_once=_AT_ONCE, tell=tell)


def _observation(image: Image, text: str) -> Observation:
    return Observation(image.id, image.capture_time, text, image.offset_seconds)
