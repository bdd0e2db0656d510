"""Brings the media that a job's input names and that did not come with it, in recorded steps and
before its pipeline begins; and takes its output where it was asked for.

What was brought is held by the job in the media store, under a key: it is brought once, whatever
becomes of the worker, and stays through retries. Steps: `fetch/0`, ... for what stands at addresses
and in files, in the order of the input, then those of `posemesh`.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from services.chassis.errors import Unavailable
from services.jobs import intake
from services.jobs.content import (
    Blob,
    DomainQuery,
    Image,
    JobInput,
    JobOutput,
    SessionReportInput,
    SurveillanceInput,
    TranscriptionInput,
    Video,
    VideoSummaryInput,
)
from services.jobs.domain import Claim, Json
from services.jobs.media import SCHEME, MediaKeeper
from services.jobs.pipelines.steps import Steps
from services.jobs.ports.gathering import Domain, Opener, SourceDown
from services.jobs.posemesh import Posemesh
from services.media import image as pictures
from services.media.spool import Shelf

_FETCHED_AT_ONCE: Final = 4
# Asked of every job; made once.
_WITHOUT_DOMAIN: Final = (TranscriptionInput, VideoSummaryInput)


@dataclass(frozen=True)
class _Wanted:
    """Media at an address or in a file."""

    key: str
    uri: str
    told: str
    """What it is, for people."""
    is_picture: bool = False
    is_recording: bool = False
    """Whether it is only heard, and so may be of any size that the spool has room for."""


class Gatherer:
    """Brings media for jobs. `shelf` has what is brought until it is kept; `domain` None: this mesh
    has no account there.
    """

    def __init__(
        self, media: MediaKeeper, opener: Opener, shelf: Shelf, domain: Domain | None
    ) -> None:
        self._media = media
        self._opener = opener
        self._shelf = shelf
        self._posemesh = Posemesh(media, domain)

    async def gather(self, claim: Claim, steps: Steps) -> JobInput:
        """Return the job's input with all its pictures; the bytes of each can be had by its key.

        Raises `SourceDown` for what may pass, and other errors, which name the picture, for what
        will not.
        """
        given = claim.input
        if wanted := _wanted(given):
            await steps.run_each(
                "fetch",
                wanted,
                lambda it: self._fetch(claim, it),
                at_once=_FETCHED_AT_ONCE,
                finishes=True,
            )
        query = _query(given)
        if query is None or isinstance(given, _WITHOUT_DOMAIN):
            return given
        found = await self._posemesh.bring(claim, steps, query)
        images = intake.named([*given.images, *found], f"input.{claim.type}")
        return replace(given, images=intake.in_order(images))

    async def blob(self, claim: Claim, key: str) -> Blob:
        """Give bytes that the job holds."""
        return await self._media.blob(claim, key)

    def stream(self, claim: Claim, key: str) -> AsyncGenerator[bytes, None]:
        """Give them piece by piece, however many there are."""
        return self._media.stream(claim, key)

    async def deliver(self, claim: Claim, steps: Steps, output: JobOutput) -> None:
        """Put the output into the domain that the job's pictures came from, if that was asked."""
        query = _query(claim.input)
        if query is not None and query.upload_output:
            await self._posemesh.deliver(claim, steps, query, output)

    async def _fetch(self, claim: Claim, wanted: _Wanted) -> Json:
        held = await self._media.held(claim, wanted.key)
        if held is None:
            keep = partial(self._media.keep_for, claim, wanted.key, path=wanted.told)
            if wanted.is_recording:
                async with self._shelf.spool(wanted.told) as spool:
                    with _source_told():
                        await self._opener.bring(wanted.uri, spool, field=wanted.told)
                    held = await keep(spool)
            else:
                held = await keep(await self._open(wanted))
        return {"media": held.id, "sha256": held.sha256}

    async def _open(self, wanted: _Wanted) -> bytes:
        with _source_told():
            found = await self._opener.open(wanted.uri, field=wanted.told)
        if wanted.is_picture:
            await pictures.prepare(found.data, max_pixels=intake.GLANCE_PIXELS, field=wanted.told)
        return found.data


@contextmanager
def _source_told() -> Iterator[None]:
    try:
        yield
    except Unavailable as down:
        raise SourceDown(
            down.message, remedy=down.remedy, code=down.code, retry_after=down.retry_after
        ) from None


def _wanted(given: JobInput) -> Sequence[_Wanted]:
    named: list[_Wanted] = []
    match given:
        case TranscriptionInput():
            named = [_recording(given)]
        case VideoSummaryInput():
            named = [] if given.video is None else [_video(given.video)]
        case SurveillanceInput(video=Video() as video):
            named = [_video(video)]
        case SessionReportInput(recording, _, images, film):
            named = [] if recording is None else [_recording(recording)]
            named += [] if film is None else [_video(film)]
            named += _named(images)
        case _:
            named = _named(given.images)
    return [it for it in named if it.uri and not it.uri.lower().startswith(SCHEME)]


def _named(images: Sequence[Image]) -> list[_Wanted]:
    return [
        _Wanted(it.blob, it.uri, f"picture {index} ({it.id})", is_picture=True)
        for index, it in enumerate(images)
    ]


def _recording(given: TranscriptionInput) -> _Wanted:
    return _Wanted(given.audio, given.uri, "the recording", is_recording=True)


def _video(video: Video) -> _Wanted:
    return _Wanted(video.blob, video.uri, "the video")


def _query(given: JobInput) -> DomainQuery | None:
    return None if isinstance(given, _WITHOUT_DOMAIN) else given.domain
