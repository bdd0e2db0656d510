"""What the jobs room does for clients: accepts jobs that make sense, tells of them, sends them back
and stops them. It knows neither the contract nor who keeps the jobs; each caller sees its tenant's.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from opentelemetry import propagate

from services.chassis import call
from services.chassis.errors import Exhausted, InvalidInput, NotFound
from services.jobs import intake, pages
from services.jobs.capacity import Capacity
from services.jobs.content import Draft, JobInput, JobType
from services.jobs.domain import (
    ClientData,
    Job,
    JobEvent,
    JobId,
    JobState,
    NewJob,
    QueueStats,
    Revision,
)
from services.jobs.intake import Accepted
from services.jobs.media import MediaKeeper
from services.jobs.naming import Doors
from services.jobs.ports.store import JobStore, Place, Selection
from services.jobs.webhooks.policy import Policy
from services.jobs.webhooks.webhook import Webhook
from services.media.guard import Guard

_PAGE: Final = 50
# How often a watcher looks although no bell rang: a lost notice delays it by this at most.
_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Page:
    """A part of the list of jobs."""

    jobs: Sequence[Job]
    next_token: str
    """Where the next page begins. Empty: this was the last."""


@dataclass(frozen=True)
class News:
    """What a watcher is told."""

    event: JobEvent | None
    """None: nothing has happened since the event it asked for."""
    job: Job
    is_last: bool


class Jobs:
    """Keeps jobs for clients."""

    def __init__(
        self,
        store: JobStore,
        media: MediaKeeper,
        doors: Doors,
        *,
        capacity: Capacity | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._store = store
        self._media = media
        self._doors = doors
        self._capacity = capacity or Capacity(store)
        self._policy = policy or Policy(Guard(), http=False)

    async def create(
        self,
        type: str,
        draft: Draft,
        *,
        client_data: ClientData | None,
        request_id: str,
        priority: int,
        run_after: datetime | None,
        webhook: Webhook | None = None,
    ) -> Job:
        """Accept a job whole, or not at all."""
        kind = _known(type)
        intake.require_storable("request_id", request_id)
        intake.require_small(client_data)
        tenant = call.current().tenant
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        try:
            accepted = await self._accepted(kind, draft)
            new = NewJob(
                tenant=tenant,
                type=kind,
                input=accepted.input,
                blobs=accepted.blobs,
                media=accepted.media,
                client_data=client_data,
                request_id=request_id or None,
                trace=carrier.get("traceparent", ""),
                priority=priority,
                run_after=run_after,
                webhook=self._policy.accept(webhook) if webhook else None,
            )
            async with self._capacity.place(tenant, kind):
                return await self._store.create(new)
        except (Exhausted, NotFound):
            # Who asks again has had a place for long, and needs no upload any more.
            known = await self._store.known(tenant, request_id) if request_id else None
            if known is None:
                raise
            return known

    async def get(self, job_id: JobId) -> Job:
        """Tell of one job."""
        return await self._store.get(call.current().tenant, job_id)

    async def list(
        self, *, size: int, token: str, skip: int, type: str, state: JobState | None
    ) -> Page:
        """Tell of many jobs, the newest first."""
        size = size or _PAGE
        selection = Selection(
            limit=size + 1,
            after=pages.place_from_token(token) if token else None,
            skip=skip,
            type=_known(type) if type else None,
            state=state,
        )
        jobs = await self._store.list(call.current().tenant, selection)
        more = len(jobs) > size
        last = jobs[size - 1] if more else None
        return Page(
            jobs[:size], pages.token_after(Place(last.create_time, last.id)) if last else ""
        )

    async def stats(self) -> QueueStats:
        """Tell how much work waits and runs."""
        return await self._store.stats(call.current().tenant)

    async def retry(
        self,
        job_id: JobId,
        *,
        draft: Draft | None,
        client_data: ClientData | None,
        webhook: Webhook | None = None,
    ) -> Job:
        """Send a job back to work.

        A failed or cancelled job goes on where it stopped. A completed one, and one that is given
        another input, starts afresh.
        """
        intake.require_small(client_data)
        job = await self._store.get(call.current().tenant, job_id)
        keeps_steps = draft is None and job.state is not JobState.COMPLETED
        if webhook is not None and webhook.url:
            webhook = self._policy.accept(webhook)
        revision = Revision(client_data=client_data, webhook=webhook, keeps_steps=keeps_steps)
        if draft is not None:
            accepted = await self._accepted(job.type, draft, instead_of=job.input)
            revision = replace(
                revision,
                input=accepted.input,
                blobs=None if accepted.keeps else accepted.blobs,
                media=accepted.media,
            )
        return await self._store.retry(job, revision)

    async def cancel(self, job_id: JobId) -> Job:
        """Stop a job, or see that it is being stopped."""
        return await self._store.cancel(call.current().tenant, job_id)

    async def watch(self, job_id: JobId, *, after: int) -> AsyncIterator[News]:
        """Follow a job: every event after `after`, then each as it happens, up to the end."""
        tenant = call.current().tenant
        told_once = False
        with self._store.news(job_id) as bell:
            while True:
                job = await self._store.get(tenant, job_id)
                events = await self._store.events(job, after=after)
                ends = job.state.is_terminal
                for event in events:
                    after = event.sequence
                    yield News(event, job, is_last=ends and after == job.last_sequence)
                if not events and not told_once:
                    yield News(None, job, is_last=ends)
                told_once = True
                if ends:
                    return
                await bell.wait(_LOOK_SECONDS)

    async def _accepted(
        self, kind: JobType, draft: Draft, *, instead_of: JobInput | None = None
    ) -> Accepted:
        accepted = await intake.accept(kind, draft, doors=self._doors, instead_of=instead_of)
        if accepted.media:
            # What they are is seen by whoever opens them.
            await self._media.require(accepted.media)
        return accepted

    async def health(self) -> None:
        """Raise while jobs cannot be kept."""
        await self._store.check()


def _known(type: str) -> JobType:
    try:
        return JobType(type)
    except ValueError:
        known = ", ".join(JobType)
        raise InvalidInput.field(
            "type", "is no type of job", remedy=f"use one of {known}", code="UNKNOWN_TYPE"
        ) from None
