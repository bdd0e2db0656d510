"""Pictures described one by one, as several pipelines need it."""

from collections.abc import Sequence
from typing import Final

from services.chassis.errors import InvalidInput
from services.jobs.content import Image, Observation
from services.jobs.domain import Json
from services.jobs.pipelines.work import Work

# Keeps the vision room busy while a result is recorded, and leaves it room for live requests.
_AT_ONCE: Final = 2


async def observe(images: Sequence[Image], prompt: str, work: Work) -> tuple[Observation, ...]:
    """Describe each picture, in steps `describe/0` and so on, each told as its description."""

    async def describe(image: Image) -> Json:
        try:
            return await work.peers.vision.describe(await work.blob(image.blob), prompt)
        except InvalidInput as error:
            told = f"picture {images.index(image)}: {error.message}"
            raise InvalidInput(told, remedy=error.remedy, code=error.code) from error

    texts = await work.steps.run_each("describe", images, describe, at_once=_AT_ONCE, tell=str)
    return tuple(
        Observation(image.id, image.capture_time, text)
        for image, text in zip(images, texts, strict=True)
    )
