"""What is believed of an input before anything is stored: that it is its type's, that pictures are
pictures, that each has one id, in which order they are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from services.chassis.errors import InvalidInput
from services.jobs.content import (
    INPUTS,
    Blob,
    CaptionInput,
    Draft,
    Image,
    JobInput,
    JobType,
    SurveillanceInput,
    TaskTimingInput,
    TranscriptionInput,
    Video,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.domain import ClientData
from services.media import image as pictures

CLIENT_DATA_BYTES: Final = 64 * 1024
_OfPictures: Final = TaskTimingInput | CaptionInput | VlmOnlyInput
# Enough to see that a picture decodes; the fewer, the cheaper.
_GLANCE_PIXELS: Final = 64 * 64


@dataclass(frozen=True)
class Accepted:
    """An input that can be worked on."""

    input: JobInput
    blobs: tuple[Blob, ...]
    """The bytes that came with it. Empty: it keeps the bytes of the input that it replaces."""


async def accept(kind: JobType, draft: Draft, *, instead_of: JobInput | None = None) -> Accepted:
    """Check an input, and bring it into order.

    Where it brings no pictures and no audio, those of the input that it replaces are kept.
    """
    given, path = draft.input, f"input.{kind}"
    if not isinstance(given, INPUTS[kind]):
        raise InvalidInput.field(
            "input",
            f"is not that of a job of type {kind}",
            remedy=f"set the field {kind} of the input",
            code="INPUT_OF_ANOTHER_TYPE",
        )
    match given:
        case TaskTimingInput() | CaptionInput() | VlmOnlyInput():
            if isinstance(instead_of, _OfPictures) and not given.images:
                return Accepted(replace(given, images=instead_of.images), ())
            blobs = await _pictures(given.images, draft.data, path)
            return Accepted(replace(given, images=_in_order(_named(given.images, path))), blobs)
        case SurveillanceInput():
            if given.images and given.video is not None:
                raise InvalidInput.field(
                    f"{path}.video",
                    "stands beside pictures",
                    remedy="send pictures or a video",
                    code="VIDEO_AND_IMAGES",
                )
            if given.video is not None:
                return Accepted(given, (_video(given.video, draft.data, path),))
            if isinstance(instead_of, SurveillanceInput) and not given.images:
                kept = replace(given, images=instead_of.images, video=instead_of.video)
                return Accepted(kept, ())
            blobs = await _pictures(given.images, draft.data, path)
            return Accepted(replace(given, images=_in_order(_named(given.images, path))), blobs)
        case VideoSummaryInput():
            if isinstance(instead_of, VideoSummaryInput) and given.video is None:
                return Accepted(replace(given, video=instead_of.video), ())
            return Accepted(given, (_video(given.video, draft.data, path),))
        case TranscriptionInput():
            if isinstance(instead_of, TranscriptionInput) and not given.audio:
                return Accepted(replace(given, audio=instead_of.audio), ())
            return Accepted(given, (_recording(given.audio, draft.data, path),))
        case _:
            assert_never(given)


def require_small(client_data: ClientData | None) -> None:
    """Refuse what a client attached when it is too much."""
    if client_data is None:
        return
    size = len(json.dumps(client_data, ensure_ascii=False).encode())
    if size > CLIENT_DATA_BYTES:
        raise InvalidInput.field(
            "client_data",
            f"is {size} bytes of JSON",
            remedy=f"attach at most {CLIENT_DATA_BYTES} bytes, such as an id of your own",
            code="CLIENT_DATA_TOO_LARGE",
        )


def require_storable(path: str, text: str) -> None:
    """Refuse a text that a database cannot hold."""
    if "\0" in text:
        raise InvalidInput.field(path, "has a NUL in it", remedy="leave it out")


async def _pictures(
    images: Sequence[Image], data: Mapping[str, bytes], path: str
) -> tuple[Blob, ...]:
    if not images:
        raise InvalidInput.field(
            f"{path}.images", "is empty", remedy="send at least one picture", code="NO_IMAGES"
        )
    blobs = []
    for index, image in enumerate(images):
        info = pictures.inspect(data[image.blob], field=f"{path}.images[{index}].data")
        blobs.append(Blob(image.blob, info.format.value, data[image.blob]))
    # A picture that was cut short has a whole header, and would fail its job much later.
    for index, image in enumerate(images):
        await pictures.prepare(
            data[image.blob], max_pixels=_GLANCE_PIXELS, field=f"{path}.images[{index}].data"
        )
    return tuple(blobs)


def _named(images: Sequence[Image], path: str) -> list[Image]:
    places: dict[str, int] = {}
    named = []
    for index, image in enumerate(images):
        image_id = image.id or str(index)
        if image_id in places:
            raise InvalidInput.field(
                f"{path}.images[{index}].id",
                f"is also the id of images[{places[image_id]}]",
                remedy="give each picture an id of its own; without one its place is its id",
                code="DUPLICATE_IMAGE_ID",
            )
        places[image_id] = index
        named.append(replace(image, id=image_id))
    return named


def _in_order(images: Sequence[Image]) -> tuple[Image, ...]:
    timed = [(image.capture_time, image) for image in images if image.capture_time is not None]
    if len(timed) < len(images):
        return tuple(images)
    return tuple(image for _, image in sorted(timed, key=lambda it: it[0]))


def _video(video: Video | None, data: Mapping[str, bytes], path: str) -> Blob:
    if video is None or not data[video.blob]:
        raise InvalidInput.field(
            f"{path}.video", "is empty", remedy="send a video", code="NO_VIDEO"
        )
    # What it is is found out by the worker, in a process that may choke on it.
    return Blob(video.blob, "application/octet-stream", data[video.blob])


def _recording(key: str, data: Mapping[str, bytes], path: str) -> Blob:
    if not key:
        raise InvalidInput.field(
            f"{path}.audio", "is empty", remedy="send a recording", code="NO_AUDIO"
        )
    # The audio room decides by the bytes what it is.
    return Blob(key, "application/octet-stream", data[key])
