"""Jobs kept in a dictionary: store and queue in one, for the tests of those who use them."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from services.chassis.errors import Conflict, NotFound, Precondition
from services.jobs.bells import Bells
from services.jobs.domain import (
    BRINGING,
    Claim,
    Job,
    JobError,
    JobEvent,
    JobEventKind,
    JobId,
    JobState,
    Progress,
    QueueStats,
)
from services.jobs.ports.queue import NO_BOUNDS

ENDS = {
    JobState.COMPLETED: JobEventKind.COMPLETED,
    JobState.FAILED: JobEventKind.FAILED,
    JobState.CANCELLED: JobEventKind.CANCELLED,
}
HELD = (JobState.RUNNING, JobState.CANCELLING)


@dataclass
class Kept:
    job: Job
    new: object
    blobs: dict
    events: list = field(default_factory=list)
    media: dict = field(default_factory=dict)
    """Ids by key."""
    steps: dict = field(default_factory=dict)
    token: int = 0
    charged: int = 0
    lease_expires: datetime | None = None
    run_after: datetime = field(default_factory=lambda: datetime.now(UTC))
    waiting_since: datetime = field(default_factory=lambda: datetime.now(UTC))


class MemoryJobStore:
    """Sits the same exam as PostgreSQL. A claim allows three attempts."""

    def __init__(self, type_limits=None):
        self.type_limits = type_limits or {}
        self.kept: dict[JobId, Kept] = {}
        self.bells = Bells()
        self.ended = self.forgotten = lambda job: None
        self.owes = lambda job: False

    async def create(self, new):
        await asyncio.sleep(0)
        for kept in self.kept.values():
            same = (kept.new.tenant, kept.new.request_id) == (new.tenant, new.request_id)
            if new.request_id is not None and same:
                return kept.job
        now = datetime.now(UTC)
        job = Job(
            id=JobId(uuid4()),
            tenant=new.tenant,
            type=new.type,
            state=JobState.PENDING,
            create_time=now,
            update_time=now,
            start_time=None,
            end_time=None,
            attempt=0,
            progress=Progress(),
            input=new.input,
            output=None,
            error=None,
            client_data=new.client_data,
            last_sequence=0,
            priority=new.priority,
            run_after=new.run_after,
            webhook=new.webhook,
        )
        kept = self.kept[job.id] = Kept(job, new, {blob.key: blob for blob in new.blobs})
        kept.media = {it.key: it.media_id for it in new.media}
        kept.run_after = max(now, new.run_after or now)
        self._change(kept, JobEventKind.CREATED)
        self.bells.ring("work")
        return kept.job

    async def get(self, tenant, job_id):
        return self._of(tenant, job_id).job

    async def list(self, tenant, selection):
        jobs = [kept.job for kept in self.kept.values() if kept.job.tenant == tenant]
        jobs.sort(key=lambda job: (job.create_time, job.id.bytes), reverse=True)
        after = selection.after
        chosen = [
            job
            for job in jobs
            if selection.type in (None, job.type)
            and selection.state in (None, job.state)
            and (
                after is None
                or (job.create_time, job.id.bytes) < (after.create_time, after.id.bytes)
            )
        ]
        return chosen[selection.skip :][: selection.limit]

    async def retry(self, job, revision):
        kept = self._of(job.tenant, job.id)
        if not kept.job.state.is_terminal:
            raise Precondition(f"job {job.id} is {kept.job.state}", code="JOB_NOT_ENDED")
        if kept.job.end_time != job.end_time:
            raise Conflict(f"job {job.id} has just changed")
        if revision.blobs is not None:
            kept.blobs = {blob.key: blob for blob in revision.blobs}
            kept.media = {it.key: it.media_id for it in revision.media}
        if not revision.keeps_steps:
            kept.steps = {
                key: result
                for key, result in kept.steps.items()
                if revision.blobs is None and key.startswith(BRINGING)
            }
        kept.charged = 0
        kept.run_after = kept.waiting_since = datetime.now(UTC)
        webhook = kept.job.webhook
        if revision.webhook is not None:
            webhook = revision.webhook if revision.webhook.url else None
        self._change(
            kept,
            JobEventKind.RETRIED,
            webhook=webhook,
            state=JobState.PENDING,
            attempt=0,
            output=None,
            error=None,
            end_time=None,
            input=kept.job.input if revision.input is None else revision.input,
            client_data=(
                kept.job.client_data if revision.client_data is None else revision.client_data
            ),
            progress=kept.job.progress if revision.keeps_steps else Progress(),
        )
        self.bells.ring("work")
        return kept.job

    async def cancel(self, tenant, job_id):
        kept = self._of(tenant, job_id)
        match kept.job.state:
            case JobState.PENDING:
                now = datetime.now(UTC)
                self._change(kept, JobEventKind.CANCELLED, state=JobState.CANCELLED, end_time=now)
            case JobState.RUNNING:
                self._change(kept, JobEventKind.CANCEL_REQUESTED, state=JobState.CANCELLING)
                self.bells.ring("cancel")
            case JobState.COMPLETED | JobState.FAILED:
                raise Precondition(f"job {job_id} is {kept.job.state} already", code="JOB_ENDED")
        return kept.job

    async def stats(self, tenant):
        states = [kept.job.state for kept in self.kept.values() if kept.job.tenant == tenant]
        mine = [kept for kept in self.kept.values() if kept.job.tenant == tenant]
        now = datetime.now(UTC)
        due = [it.run_after for it in mine if it.job.state is JobState.PENDING]
        return QueueStats(
            states.count(JobState.PENDING),
            sum(it in HELD for it in states),
            max((now - it for it in due if it <= now), default=None),
            Counter((it.job.type, it.job.state) for it in mine),
        )

    async def waiting(self):
        waits = (it.job for it in self.kept.values() if it.job.state is JobState.PENDING)
        return Counter((job.tenant, job.type) for job in waits)

    async def known(self, tenant, request_id):
        for kept in self.kept.values():
            if (kept.new.tenant, kept.new.request_id) == (tenant, request_id):
                return kept.job
        return None

    async def events(self, job, *, after):
        events = self._of(job.tenant, job.id).events
        return [event for event in events if after < event.sequence <= job.last_sequence]

    def news(self, job_id):
        return self.bells.hung(str(job_id))

    async def check(self):
        pass

    async def claim(self, worker, *, limit, lease, most=NO_BOUNDS):
        await asyncio.sleep(0)
        now = datetime.now(UTC)
        due = [
            kept
            for kept in self.kept.values()
            if kept.job.state is JobState.PENDING and kept.run_after <= now
        ]
        claims, taken = [], Counter()
        held = Counter(it.job.type for it in self.kept.values() if it.job.state in HELD)
        for kept in sorted(due, key=lambda kept: (-kept.job.priority, kept.run_after)):
            kind = kept.job.type
            if len(claims) == limit:
                break
            if held[kind] >= self.type_limits.get(kind, len(self.kept)):
                continue
            if taken[kind] >= most.get(kind, limit):
                continue
            held[kind] += 1
            taken[kind] += 1
            kept.token += 1
            kept.charged += 1
            kept.lease_expires = now + lease
            self._change(
                kept,
                JobEventKind.CLAIMED,
                text=f"by {worker}",
                state=JobState.RUNNING,
                attempt=kept.job.attempt + 1,
                start_time=kept.job.start_time or now,
            )
            claims.append(
                Claim(
                    kept.job.id,
                    kept.job.tenant,
                    kind,
                    kept.job.input,
                    kept.job.attempt,
                    kept.token,
                    3 - kept.charged,
                    kept.waiting_since,
                    kept.new.trace,
                )
            )
        return claims

    async def heartbeat(self, claims, *, lease):
        states = {}
        for claim in claims:
            kept = self.kept[claim.id]
            if kept.token == claim.token and kept.job.state in HELD:
                kept.lease_expires = datetime.now(UTC) + lease
                states[claim.id] = kept.job.state
        return states

    async def reclaim(self):
        now = datetime.now(UTC)
        expired = [
            kept
            for kept in self.kept.values()
            if kept.job.state in HELD and kept.lease_expires < now
        ]
        for kept in expired:
            state, error = JobState.PENDING, kept.job.error
            if kept.charged >= 3:
                state, error = JobState.FAILED, JobError("WORKER_DIED", "its worker died", True)
            self._let_go(
                kept, JobEventKind.LEASE_EXPIRED, state, error, "its worker's lease ran out"
            )
            kept.run_after = now
        if expired:
            self.bells.ring("work")
        return len(expired)

    async def forget(self, age):
        now = datetime.now(UTC)
        old = [it.job for it in self.kept.values() if it.job.state.is_terminal]
        old = [job for job in old if job.end_time < now - age and not self.owes(job)]
        for job in old:
            del self.kept[job.id]
            self.forgotten(job)
        return len(old)

    async def steps(self, claim):
        return dict(self.kept[claim.id].steps)

    async def blob(self, claim, key):
        return self.kept[claim.id].blobs[key]

    async def keep_blob(self, claim, blob):
        self._held(claim).blobs[blob.key] = blob

    async def record_step(self, claim, key, result, *, text, progress):
        kept = self._held(claim)
        kept.steps[key] = result
        kind = JobEventKind.STEP_COMPLETED
        self._change(kept, kind, step=key, text=text, progress=progress)

    async def report(self, claim, progress):
        kept = self._held(claim)
        kept.job = replace(kept.job, progress=progress, update_time=datetime.now(UTC))

    async def complete(self, claim, output):
        kept = self._held(claim)
        self._let_go(kept, JobEventKind.COMPLETED, JobState.COMPLETED, None, output=output)

    async def fail(self, claim, error):
        kept = self._held(claim)
        self._let_go(kept, JobEventKind.FAILED, JobState.FAILED, error, error.message)

    async def postpone(self, claim, failure):
        kept = self._held(claim)
        kept.run_after = datetime.now(UTC) + failure.delay
        kept.charged -= 0 if failure.counts else 1
        error = failure.error
        kind = JobEventKind.ATTEMPT_FAILED
        self._let_go(kept, kind, JobState.PENDING, error, error.message)

    async def release(self, claim):
        kept = self._held(claim)
        kept.run_after = datetime.now(UTC)
        kept.charged -= 1
        attempt = kept.job.attempt - 1
        self._let_go(kept, JobEventKind.RELEASED, JobState.PENDING, None, attempt=attempt)
        self.bells.ring("work")

    def work(self):
        return self.bells.hung("work")

    def cancels(self):
        return self.bells.hung("cancel")

    def _of(self, tenant, job_id):
        kept = self.kept.get(job_id)
        if kept is None or kept.job.tenant != tenant:
            raise NotFound(f"there is no job {job_id}")
        return kept

    def _held(self, claim):
        kept = self.kept[claim.id]
        if kept.token != claim.token or kept.job.state not in HELD:
            raise Conflict(f"the lease of job {claim.id} is lost", code="LEASE_LOST")
        return kept

    def _let_go(self, kept, kind, state, error, text="", *, output=None, **changes):
        if kept.job.state is JobState.CANCELLING:
            state, error, output = JobState.CANCELLED, None, None
        if state is JobState.COMPLETED:
            changes["progress"] = replace(kept.job.progress, current_step="")
        end_time = datetime.now(UTC) if state.is_terminal else None
        kept.lease_expires = None
        if kept.job.type in self.type_limits:
            self.bells.ring("work")
        self._change(
            kept,
            kind,
            text=text,
            state=state,
            error=error,
            output=output,
            end_time=end_time,
            **changes,
        )

    def tell(self, job_id, kind, text):
        self._append(self.kept[job_id], kind, text=text)

    def _change(self, kept, kind, **changes):
        ends = ENDS.get(changes.get("state"))
        self._append(kept, ends or kind, **changes)
        if ends:
            self.ended(kept.job)

    def _append(self, kept, kind, *, step="", text="", **changes):
        now = datetime.now(UTC)
        sequence = kept.job.last_sequence + 1
        kept.job = replace(kept.job, update_time=now, last_sequence=sequence, **changes)
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        event = JobEvent(sequence, now, kind, step, text, kept.job.progress)
        kept.events.append(event)
        self.bells.ring(str(kept.job.id))
