"""Frames of a video, taken out of it once and kept as pictures of the job."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.jobs.content import Blob, Image, Video
from services.jobs.domain import Json
from services.jobs.pipelines.work import Work

FRAMES_PER_SECOND: Final = 1.0
"""Where the sender names none: what people do is seen in it, and few frames look like the last."""
MOST_FRAMES: Final = 120
"""Where the sender names none: some minutes of a small model's time."""


@dataclass(frozen=True)
class Reel:
    """A video as pictures."""

    frames: tuple[Image, ...]
    """At least one, in order."""
    duration_seconds: float


async def frames(video: Video, work: Work) -> Reel:
    """Take frames out of a video, in the step `sample`.

    A frame's id is `frame-` and its milliseconds since the beginning.
    """

    async def sample() -> Json:
        sampled = await work.peers.film.sample(
            await work.blob(video.blob),
            frames_per_second=video.frames_per_second or FRAMES_PER_SECOND,
            most_frames=video.max_frames or MOST_FRAMES,
        )
        taken = {round(frame.seconds * 1000): frame.data for frame in sampled.frames}
        for milliseconds, data in taken.items():
            await work.keep(Blob(_key(milliseconds), "image/jpeg", data))
        return {"milliseconds": list(taken), "duration_seconds": sampled.duration_seconds}

    await work.steps.plan("sample")
    told = await work.steps.run("sample", sample, tell=_told)
    images = tuple(
        Image(f"frame-{it}", _taken(video.capture_time, it), _key(it), it / 1000)
        for it in told["milliseconds"]
    )
    return Reel(images, told["duration_seconds"])


def _key(milliseconds: int) -> str:
    return f"frames/{milliseconds}"


def _told(sampled: Json) -> str:
    return f"{len(sampled['milliseconds'])} frames of {sampled['duration_seconds']:g} s"


def _taken(begin: datetime | None, milliseconds: int) -> datetime | None:
    if begin is None:
        return None
    try:
        return begin + timedelta(milliseconds=milliseconds)
    except OverflowError:
        # The sender's clock stood at the end of time.
        return None
