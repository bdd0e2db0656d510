"""From what each frame shows to the stretches of a video in which one thing goes on."""

from collections.abc import Sequence
from itertools import groupby

from services.jobs.content import Observation, Scene


def scenes(seen: Sequence[Observation], duration_seconds: float) -> tuple[Scene, ...]:
    """Merge frames that follow one another and are described alike.

    A scene lasts until the next begins, and the last to the end of the video.
    """
    groups = [tuple(group) for _, group in groupby(seen, key=lambda it: _likeness(it.text))]
    begins = [group[0].offset_seconds or 0.0 for group in groups]
    ends = [*begins[1:], max([duration_seconds, *begins])] if groups else []
    return tuple(
        Scene(begin, end, group[0].text, tuple(it.image_id for it in group))
        for begin, end, group in zip(begins, ends, groups, strict=True)
    )


def _likeness(text: str) -> str:
    return " ".join(text.casefold().split())
