"""Pictures that lie in a domain of the posemesh network, brought in recorded steps, and outputs put
beside them. Steps: `list-domain`, `fetch-domain/0`, ..., several pictures each, and in the end
`upload-domain`.
"""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from services.chassis.errors import InvalidInput, Precondition
from services.jobs import capture, intake, record
from services.jobs.content import HELD, DomainQuery, Image, JobOutput
from services.jobs.domain import Claim, Json
from services.jobs.media import MediaKeeper
from services.jobs.pipelines.steps import Steps
from services.jobs.ports.gathering import Domain, DomainItem
from services.media import image as pictures

MOST_PICTURES: Final = 512
"""The most that one job works on, as the contract says of those that are sent."""
_ITEMS_IN_STEP: Final = 8
_STEPS_AT_ONCE: Final = 2
_OUTPUT_TYPE: Final = "json"


class Posemesh:
    """Brings pictures for jobs. `domain` None: this mesh has no account there."""

    def __init__(self, media: MediaKeeper, domain: Domain | None) -> None:
        self._media = media
        self._domain = domain

    async def bring(self, claim: Claim, steps: Steps, query: DomainQuery) -> Sequence[Image]:
        """Tell of the pictures that a query finds, of which the job holds the bytes."""

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
            lambda batch: self._fetch(claim, query, batch),
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

    async def deliver(
        self, claim: Claim, steps: Steps, query: DomainQuery, output: JobOutput
    ) -> None:
        """Put an output into the domain that a query is of."""

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

    async def _fetch(self, claim: Claim, query: DomainQuery, items: Sequence[DomainItem]) -> Json:
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


def _key(item: DomainItem) -> str:
    return f"{HELD}domain/{item.id}"


def _taken(item: DomainItem) -> datetime | None:
    return capture.time_in_name(item.name) or item.create_time


def _told(result: Json) -> str:
    told = f"{len(result['kept'])} pictures"
    skipped = "; ".join(f"{item_id}: {why}" for item_id, why in result["skipped"].items())
    return f"{told}; skipped {skipped}" if skipped else told
