"""What is believed of an input before anything is stored: that it is its type's, that pictures are
pictures, that each has one id, in which order they are. It is long because every type of job is
gone through by the same few steps.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from services.chassis.errors import InvalidInput
from services.jobs import naming
from services.jobs.content import (
    INPUTS,
    Blob,
    CaptionInput,
    DomainQuery,
    Draft,
    Holding,
    Image,
    JobInput,
    JobType,
    SessionReportInput,
    SurveillanceInput,
    TaskTimingInput,
    TranscriptionInput,
    Video,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.domain import ClientData
from services.jobs.naming import Doors, Sent, Source
from services.media import image as pictures
from services.media.kind import UNKNOWN

CLIENT_DATA_BYTES: Final = 64 * 1024
_OfPictures: Final = TaskTimingInput | CaptionInput | VlmOnlyInput
GLANCE_PIXELS: Final = 64 * 64
"""Enough to see that a picture decodes; the fewer, the cheaper."""


@dataclass(frozen=True)
class Accepted:
    """An input that can be worked on."""

    input: JobInput
    blobs: tuple[Blob, ...] = ()
    """The bytes that came with it."""
    media: tuple[Holding, ...] = ()
    """The uploads that it refers to; whether there are such is not known yet."""
    keeps: bool = False
    """Whether it has the bytes and the media of the input that it replaces."""


async def accept(
    kind: JobType, draft: Draft, *, doors: Doors, instead_of: JobInput | None = None
) -> Accepted:
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
    if isinstance(given, TaskTimingInput):
        _require_tasks(given, path)
    taking = _Taking(draft.data, doors)
    match given:
        case TaskTimingInput() | CaptionInput() | VlmOnlyInput():
            if isinstance(instead_of, _OfPictures) and not given.images and given.domain is None:
                kept = replace(given, images=instead_of.images, domain=instead_of.domain)
                return Accepted(kept, keeps=True)
            images = await taking.pictures(given.images, given.domain, path)
            return taking.accepted(replace(given, images=images))
        case SurveillanceInput():
            pictured = _is_pictured(given, path)
            if given.video is not None:
                return taking.accepted(replace(given, video=await taking.video(given.video, path)))
            if isinstance(instead_of, SurveillanceInput) and not pictured:
                old = instead_of
                watched = replace(given, images=old.images, video=old.video, domain=old.domain)
                return Accepted(watched, keeps=True)
            images = await taking.pictures(given.images, given.domain, path)
            return taking.accepted(replace(given, images=images))
        case VideoSummaryInput():
            if isinstance(instead_of, VideoSummaryInput) and given.video is None:
                return Accepted(replace(given, video=instead_of.video), keeps=True)
            return taking.accepted(replace(given, video=await taking.video(given.video, path)))
        case TranscriptionInput():
            if isinstance(instead_of, TranscriptionInput) and not given.audio:
                heard = replace(given, audio=instead_of.audio, uri=instead_of.uri)
                return Accepted(heard, keeps=True)
            return taking.accepted(await taking.recording(given, path))
        case SessionReportInput():
            return await _session(given, instead_of, taking, path)
        case _:
            assert_never(given)


async def _session(
    given: SessionReportInput, instead_of: JobInput | None, taking: "_Taking", path: str
) -> Accepted:
    pictured = _is_pictured(given, path)
    if given.recording is None and not pictured and given.video is None:
        if not isinstance(instead_of, SessionReportInput):
            raise _nothing(path, "a recording, pictures or a video", "NO_SESSION")
        return Accepted(replace(instead_of, focus=given.focus), keeps=True)
    images, video, recording = given.images, given.video, given.recording
    if pictured:
        images = await taking.pictures(images, given.domain, path)
    if video is not None:
        video = await taking.video(video, path)
    if recording is not None:
        recording = await taking.recording(recording, f"{path}.recording")
    return taking.accepted(replace(given, images=images, video=video, recording=recording))


def _is_pictured(given: SurveillanceInput | SessionReportInput, path: str) -> bool:
    pictured = bool(given.images) or given.domain is not None
    if pictured and given.video is not None:
        raise InvalidInput.field(
            f"{path}.video",
            "stands beside pictures",
            remedy="send pictures or a video",
            code="VIDEO_AND_IMAGES",
        )
    return pictured


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


class _Taking:
    """Takes what an input sends and names, part by part."""

    def __init__(self, data: Mapping[str, bytes], doors: Doors) -> None:
        self._data = data
        self._doors = doors
        self._blobs: list[Blob] = []
        self._media: list[Holding] = []

    def accepted(self, given: JobInput) -> Accepted:
        return Accepted(given, tuple(self._blobs), tuple(self._media))

    async def pictures(
        self, images: Sequence[Image], domain: DomainQuery | None, path: str
    ) -> tuple[Image, ...]:
        if domain is not None and not self._doors.domains:
            raise InvalidInput.field(
                f"{path}.domain",
                "names a domain, and this mesh has no account in the posemesh network",
                remedy="send the pictures, or have the operator set API_URL, DDS_URL,"
                " POSEMESH_EMAIL and POSEMESH_PASSWORD",
                code="DOMAIN_NOT_CONFIGURED",
            )
        if not images and domain is None:
            raise _nothing(f"{path}.images", "at least one picture", "NO_IMAGES")
        taken, sent = [], []
        for index, image in enumerate(images):
            found = await self._source(image.blob, image.uri, f"{path}.images[{index}]")
            if isinstance(found, Sent):
                info = pictures.inspect(found.data, field=found.path)
                self._blobs.append(Blob(image.blob, info.format.value, found.data))
                sent.append(found)
            key, uri = naming.place(found, image.blob, image.uri)
            taken.append(replace(image, blob=key, uri=uri))
        # A picture that was cut short has a whole header, and would fail its job much later.
        for it in sent:
            await pictures.prepare(it.data, max_pixels=GLANCE_PIXELS, field=it.path)
        return in_order(named(taken, path))

    async def video(self, video: Video | None, path: str) -> Video:
        empty = _nothing(f"{path}.video", "a video", "NO_VIDEO")
        if video is None:
            raise empty
        # What it is is found out by the worker, in a process that may choke on it.
        key, uri = await self._unread(video.blob, video.uri, f"{path}.video", empty)
        return replace(video, blob=key, uri=uri)

    async def recording(self, given: TranscriptionInput, path: str) -> TranscriptionInput:
        empty = _nothing(f"{path}.audio", "a recording", "NO_AUDIO")
        if not given.audio:
            raise empty
        if given.uri and self._data[given.audio]:
            raise InvalidInput.field(f"{path}.uri", "stands beside audio", remedy="send one of two")
        # The audio room decides by the bytes what it is.
        key, uri = await self._unread(given.audio, given.uri, path, empty, is_recording=True)
        return replace(given, audio=key, uri=uri)

    async def _unread(
        self, key: str, uri: str, path: str, empty: InvalidInput, *, is_recording: bool = False
    ) -> tuple[str, str]:
        found = await self._source(key, uri, path, is_recording=is_recording)
        if isinstance(found, Sent):
            if not found.data:
                raise empty
            self._blobs.append(Blob(key, UNKNOWN, found.data))
        return naming.place(found, key, uri)

    async def _source(self, key: str, uri: str, path: str, *, is_recording: bool = False) -> Source:
        found = await naming.source(key, uri, self._data[key], path=path, doors=self._doors)
        if isinstance(found, Holding):
            self._media.append(replace(found, is_recording=is_recording))
        return found


def _nothing(path: str, what: str, code: str) -> InvalidInput:
    return InvalidInput.field(path, "is empty", remedy=f"send {what}", code=code)


def _require_tasks(given: TaskTimingInput, path: str) -> None:
    if not given.wanted:
        raise InvalidInput.field(f"{path}.task", "is empty", remedy="say which task to look for")
    ids = [it.id for it in given.wanted]
    for index, task in enumerate(ids):
        if task in ids[:index]:
            raise InvalidInput.field(
                f"{path}.tasks[{index - len(ids) + len(given.tasks)}].id",
                "is also the id of another task",
                remedy="give each task an id of its own; without one its place is its id",
                code="DUPLICATE_TASK_ID",
            )


def named(images: Sequence[Image], path: str) -> list[Image]:
    """Give each picture without an id its place as one. Raises `InvalidInput` about `path`."""
    places: dict[str, int] = {}
    with_ids = []
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
        with_ids.append(replace(image, id=image_id))
    return with_ids


def in_order(images: Sequence[Image]) -> tuple[Image, ...]:
    """Put pictures in the order of their times, where all have one."""
    timed = [(image.capture_time, image) for image in images if image.capture_time is not None]
    if len(timed) < len(images):
        return tuple(images)
    return tuple(image for _, image in sorted(timed, key=lambda it: it[0]))
