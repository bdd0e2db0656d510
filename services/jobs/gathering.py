"""Brings the media that a job's input names and that did not come with it, in recorded steps and
before its pipeline begins; and takes its output where it was asked for.

What was brought is held by the job in the media store, under a key: it is brought once, whatever
becomes of the worker, and stays through retries. Steps: `fetch/0`, ... for what stands at addresses
and in files, in the order of the input; `list-domain` and `fetch-domain/0`, ..., several pictures
each, for a domain; `upload-domain` at the end.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from services.chassis.errors import InvalidInput, Precondition, Unavailable
from services.jobs import capture, intake, record
from services.jobs.content import (
    HELD,
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
from services.jobs.ports.gathering import Domain, DomainItem, Opener, SourceDown
from services.media import image as pictures
from services.media.spool import Shelf

_FETCHED_AT_ONCE: Final = 4
_ITEMS_IN_STEP: Final = 8
_STEPS_AT_ONCE: Final = 2
MOST_PICTURES: Final = 512
"""The most that one job works on, as the contract says of those that are sent."""
_OUTPUT_TYPE: Final = "json"
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
        self._domain = domain

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
        found = await self._pictures(claim, steps, query)
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
        if query is None or not query.upload_output:
            return

        async def upload() -> Json:
            await self._account().store(
                query.domain_id,
                name=str(claim.id),
                data_type=_OUTPUT_TYPE,
                data=record.dump_json(output).encode(),
            )
            return None

        await steps.plan("upload-domain")
        await steps.run("upload-domain", upload)

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

    async def _pictures(self, claim: Claim, steps: Steps, query: DomainQuery) -> Sequence[Image]:
        async def look() -> Json:
            return [record.dump(it) for it in await self._account().list(query)]

        await steps.plan("list-domain")
        listed = await steps.run("list-domain", look, tell=lambda it: f"{len(it)} items")
        items = [record.load(DomainItem, it) for it in listed]
        if len(items) > MOST_PICTURES:
            raise InvalidInput(
                f"the domain has {len(items)} items that the job asks for",
                remedy=f"ask for at most {MOST_PICTURES}, by ids, name or data_type",
                code="TOO_MUCH_DATA",
            )
        batches = [items[at : at + _ITEMS_IN_STEP] for at in range(0, len(items), _ITEMS_IN_STEP)]
        fetched = await steps.run_each(
            "fetch-domain",
            batches,
            lambda batch: self._fetch_items(claim, query, batch),
            at_once=_STEPS_AT_ONCE,
            tell=_told,
            finishes=True,
        )
        kept = {item_id for batch in fetched for item_id in batch["kept"]}
        if not kept:
            raise InvalidInput(
                "no data found: the domain has no picture that the job asks for",
                remedy="look at the domain's id and at the query",
                code="NO_DATA",
            )
        timed = [(_taken(it), it) for it in items if it.id in kept]
        return [
            Image(it.id, time, _key(it))
            for time, it in sorted(timed, key=lambda it: it[0] or datetime.max.replace(tzinfo=UTC))
        ]

    async def _fetch_items(
        self, claim: Claim, query: DomainQuery, items: Sequence[DomainItem]
    ) -> Json:
        kept, skipped, missing = {}, {}, []
        for item in items:
            held = await self._media.held(claim, _key(item))
            if held is None:
                missing.append(item)
            else:
                kept[item.id] = held.id
        by_id = {item.id: item for item in missing}
        most = self._media.most_bytes
        coming = self._account().fetch(query.domain_id, tuple(by_id), most_bytes=most)
        async with aclosing(coming):
            async for item_id, data in coming:
                item = by_id.pop(item_id)
                try:
                    if data is None:
                        raise InvalidInput(f"is larger than {most} bytes")
                    await pictures.prepare(data, max_pixels=intake.GLANCE_PIXELS, field=item_id)
                except InvalidInput as refused:
                    skipped[item_id] = refused.message.removeprefix(f"{item_id}: ")
                    continue
                media = await self._media.keep_for(claim, _key(item), data, path=item_id)
                kept[item_id] = media.id
        skipped |= dict.fromkeys(by_id, "the domain did not send it")
        return {"kept": kept, "skipped": skipped}

    def _account(self) -> Domain:
        if self._domain is None:
            raise Precondition(
                "this mesh has no account in the posemesh network any more",
                remedy="have the operator set API_URL, DDS_URL, POSEMESH_EMAIL and"
                " POSEMESH_PASSWORD for the workers",
                code="DOMAIN_NOT_CONFIGURED",
            )
        return self._domain


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


def _key(item: DomainItem) -> str:
    return f"{HELD}domain/{item.id}"


def _taken(item: DomainItem) -> datetime | None:
    return capture.time_in_name(item.name) or item.create_time


def _told(result: Json) -> str:
    told = f"{len(result['kept'])} pictures"
    skipped = "; ".join(f"{item_id}: {why}" for item_id, why in result["skipped"].items())
    return f"{told}; skipped {skipped}" if skipped else told
