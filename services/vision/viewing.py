"""What senders show, made fit for the model: named media are opened, pictures and videos decoded in
bounds, and the same picture once however often it is shown.

It knows neither the contract nor which engine answers.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from typing import Final

from services.chassis import limits
from services.chassis.errors import Internal, InvalidInput
from services.engine.domain import (
    Clip,
    Frame,
    Message,
    Part,
    Picture,
    PictureType,
    SentPart,
    SentPicture,
    SentVideo,
    Text,
    Turn,
)
from services.media import image
from services.media.fetch import too_large
from services.media.sources import Sources
from services.media.video import Sampling, VideoDecoder
from services.vision.config import VisionConfig

Opened = Mapping[str, bytes]
"""The bytes of media that were named, by the names."""

_OPENED_AT_ONCE: Final = 4
"""Of one request."""


class Viewer:
    """Shows a model what senders sent."""

    def __init__(self, sources: Sources, decoder: VideoDecoder, config: VisionConfig) -> None:
        self._sources = sources
        self._decoder = decoder
        self._config = config

    async def open(self, parts: Iterable[tuple[str, SentPart]]) -> Opened:
        """Open all media that parts name, each once; with each part goes its path in the request.

        Together they may be as large as a request. Raises what `Sources.open` raises.
        """
        fields: dict[str, str] = {}
        for path, part in parts:
            if not isinstance(part, str) and part.uri:
                fields.setdefault(part.uri, f"{path}.uri")
        if not fields:
            return {}
        opened: dict[str, bytes] = {}
        slots = asyncio.Semaphore(_OPENED_AT_ONCE)

        async def open_one(uri: str, field: str) -> None:
            async with slots:
                media = await self._sources.open(uri, field=field)
            opened[uri] = media.data
            if sum(map(len, opened.values())) > limits.BODY_BYTES:
                raise too_large(field, limits.BODY_BYTES)

        try:
            async with asyncio.TaskGroup() as group:
                for uri, field in fields.items():
                    group.create_task(open_one(uri, field))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return opened

    async def show(self, turns: Sequence[Turn], opened: Opened) -> list[Message]:
        """Make a conversation one that a model can be shown. Raises `InvalidInput` by its fields.

        One picture after the other: a request holds one decoded picture at a time.
        """
        # A list, for to compare a few costs less than the hash of one.
        known: list[tuple[SentPicture | SentVideo, Part]] = []
        shown: list[Part] = []
        for path, part in placed(turns):
            if isinstance(part, str):
                shown.append(Text(part))
                continue
            bare = _bare(part, opened)
            same = next((it for other, it in known if other == bare), None)
            if same is None:
                same = await self._shown(path, part, opened)
                known.append((bare, same))
            shown.append(same)
        parts = iter(shown)
        return [Message(turn.role, tuple(islice(parts, len(turn.parts)))) for turn in turns]

    async def picture(
        self, sent: SentPicture, opened: Opened, *, field: str
    ) -> image.PreparedImage:
        """Make one picture fit for the model."""
        data, field = _data(sent, opened, field)
        return await image.prepare(data, max_pixels=self._config.image_pixels, field=field)

    @asynccontextmanager
    async def blaming(
        self, parts: Iterable[tuple[str, SentPart]], opened: Opened
    ) -> AsyncIterator[None]:
        """Ask an engine in a block. When it fails over a picture that cannot be decoded, that is
        raised instead: `InvalidInput` by the picture's field.
        """
        try:
            yield
        except (InvalidInput, Internal):
            for path, part in parts:
                if isinstance(part, SentPicture):
                    data, field = _data(part, opened, path)
                    await image.require_decodable(data, field=field)
            raise

    async def _shown(self, path: str, part: SentPicture | SentVideo, opened: Opened) -> Part:
        match part:
            case SentPicture():
                return as_picture(await self.picture(part, opened, field=path))
            case SentVideo():
                return await self._clip(part, opened, path)

    async def _clip(self, sent: SentVideo, opened: Opened, path: str) -> Clip:
        data, field = _data(sent, opened, path)
        room = self._config
        sampling = Sampling(
            frames_per_second=sent.frames_per_second or room.video_frames_per_second,
            most_frames=min(sent.most_frames or room.video_frames, room.video_frames),
            most_pixels=min(room.frame_pixels, room.image_pixels),
        )
        frames = await self._decoder.frames(data, sampling, field=field)
        return Clip(tuple(Frame(Picture(it.data, PictureType.JPEG), it.seconds) for it in frames))


def as_picture(prepared: image.PreparedImage) -> Picture:
    """The picture as the engine is given it."""
    return Picture(prepared.data, PictureType(prepared.format.value))


def require_few(turns: Sequence[Turn]) -> None:
    """Refuse a conversation of more pictures or videos than one request may hold."""
    parts = [part for _, part in placed(turns)]
    for kind, most, word, code in (
        (SentPicture, limits.IMAGES_PER_REQUEST, "pictures", "TOO_MANY_IMAGES"),
        (SentVideo, limits.VIDEOS_PER_REQUEST, "videos", "TOO_MANY_VIDEOS"),
    ):
        count = sum(isinstance(it, kind) for it in parts)
        if count > most:
            raise InvalidInput.field(
                "messages",
                f"hold {count} {word}",
                remedy=f"send at most {most} in one request",
                code=code,
            )


def placed(turns: Sequence[Turn]) -> Iterator[tuple[str, SentPart]]:
    """The parts of a conversation with their paths in the request."""
    for index, turn in enumerate(turns):
        for place, part in enumerate(turn.parts):
            kind = "video" if isinstance(part, SentVideo) else "image"
            yield f"messages[{index}].parts[{place}].{kind}", part


def _bare(part: SentPicture | SentVideo, opened: Opened) -> SentPicture | SentVideo:
    """What makes media the same as others: their bytes, wherever they came from."""
    if not part.uri:
        return part
    return replace(part, data=opened[part.uri], uri="")


def _data(sent: SentPicture | SentVideo, opened: Opened, field: str) -> tuple[bytes, str]:
    return (opened[sent.uri], f"{field}.uri") if sent.uri else (sent.data, field)
