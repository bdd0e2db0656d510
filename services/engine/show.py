"""How pictures and clips are shown to an engine, by what it takes: a clip whole, or as its frames
with their times. It asks nobody and sends nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from services.engine.domain import Clip, Message, Part, Picture, Text
from services.engine.errors import Media, MediaRefused
from services.engine.machine import Capabilities

CLIP_FRAMES: Final = 32
"""The most frames of a clip that is sent whole: vLLM reads no more, and does not say so."""


def shown(messages: Sequence[Message], can: Capabilities) -> list[Message]:
    """Show clips and pictures as an engine takes them. Raises `MediaRefused` at what is too much.

    Frames are the first to yield: a clip is thinned before a picture is refused.
    """
    parts = [part for message in messages for part in message.parts]
    clips = sum(isinstance(part, Clip) for part in parts)
    pictures = sum(isinstance(part, Picture) for part in parts)
    whole = can.clips is None or clips <= can.clips
    needed = pictures if whole else pictures + clips
    if can.pictures is not None and needed > can.pictures:
        raise MediaRefused(Media.PICTURES, can.pictures)
    frames = None
    if clips and not whole and can.pictures is not None:
        frames = (can.pictures - pictures) // clips
    return [
        replace(it, parts=tuple(_shown(it.parts, whole=whole, frames=frames))) for it in messages
    ]


def _shown(parts: Sequence[Part], *, whole: bool, frames: int | None) -> Iterator[Part]:
    for part in parts:
        if not isinstance(part, Clip):
            yield part
        elif whole:
            clip = part.thinned(CLIP_FRAMES)
            # The bytes that the engine gets hold no time.
            times = ", ".join(f"{it.seconds:.1f}" for it in clip.frames)
            yield Text(f"A video. Seconds of its frames: {times}.")
            yield clip
        else:
            for frame in part.thinned(frames or len(part.frames)).frames:
                yield Text(f"[{frame.seconds:.1f} s]")
                yield frame.picture
