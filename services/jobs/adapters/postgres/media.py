"""The rows of media: announced, made good, found, held by jobs, and let go."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    Interval,
    Row,
    Select,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_update

from services.chassis.errors import Conflict, Exhausted
from services.jobs.adapters.postgres.database import Database
from services.jobs.adapters.postgres.tables import job_media, job_queue, media, media_doomed
from services.jobs.content import MediaId
from services.jobs.domain import Claim
from services.jobs.ports.media import KeptMedia, NewMedia

_NOW: Final = func.now()
_WRITING: Final = timedelta(hours=1)
"""Longer than any write takes: what nobody has made good by then nobody will."""
_REMOVING: Final = timedelta(minutes=5)
"""Longer than the removal of a batch takes: then somebody else may try."""
_LOOK_FIRST: Final = timedelta(minutes=10)
_LOOK_LAST: Final = timedelta(days=1)
_QUOTA_LOCK: Final = 7_206_113
"""The first half of advisory locks that count one tenant's bytes."""


class PostgresMediaIndex:
    """Keeps the rows of media in PostgreSQL."""

    def __init__(
        self,
        database: Database,
        *,
        writing: timedelta = _WRITING,
        look_last: timedelta = _LOOK_LAST,
    ) -> None:
        self._database = database
        self._writing = writing
        self._look_last = look_last

    async def reserve(self, new: NewMedia, *, quota_bytes: int) -> None:
        """Announce media."""
        used = (
            select(func.coalesce(func.sum(media.c.size), 0))
            .where(media.c.tenant == new.tenant)
            .scalar_subquery()
        )
        values: dict[str, Any] = {
            "id": literal(new.id),
            "tenant": literal(new.tenant),
            "media_type": literal(new.media_type),
            "size": literal(new.size),
            "sha256": literal(new.sha256),
            "create_time": _NOW,
            "expire_time": _NOW,
            "sweep_time": _NOW + self._writing,
        }
        row = select(*values.values()).where(used + new.size <= quota_bytes)
        async with self._database.transaction() as connection:
            # One after the other, so that two together do not pass the quota.
            turn = func.pg_advisory_xact_lock(_QUOTA_LOCK, func.hashtext(new.tenant))
            await connection.execute(select(turn))
            announced = insert(media).from_select(list(values), row).returning(media.c.id)
            if (await connection.execute(announced)).first() is not None:
                return
        raise Exhausted(
            f"media of more than {quota_bytes} bytes is kept",
            remedy="delete some, or let it expire",
            code="MEDIA_QUOTA",
        )

    async def keep(self, media_id: MediaId, *, ttl: timedelta) -> KeptMedia:
        """Make announced media good for a while."""
        kept = _kept(media_id, ttl).returning(*media.c)
        for row in await self._database.rows(kept):
            return _media(row)
        raise _released()

    async def keep_for(self, claim: Claim, key: str, media_id: MediaId) -> KeptMedia:
        """Make announced media good for a job alone, under a key."""
        holder = _holder(claim)
        kept = _kept(media_id, timedelta()).where(holder.exists()).returning(*media.c).cte("kept")
        holding = insert_or_update(job_media).from_select(
            ["job_id", "key", "media_id"],
            select(literal(claim.id).label("job_id"), literal(key).label("key"), kept.c.id),
        )
        held = holding.on_conflict_do_update(
            index_elements=[job_media.c.job_id, job_media.c.key],
            set_={"media_id": holding.excluded.media_id},
        ).cte("held")
        for row in await self._database.rows(select(kept).add_cte(held)):
            return _media(row)
        if await self._database.rows(holder):
            raise _released()
        raise Conflict(f"the lease of job {claim.id} is lost", code="LEASE_LOST")

    async def find(self, tenant: str, ids: Collection[MediaId]) -> Mapping[MediaId, KeptMedia]:
        """Return what is the tenant's and has not expired."""
        statement = select(media).where(
            media.c.id.in_(ids),
            media.c.tenant == tenant,
            media.c.is_kept,
            media.c.expire_time > _NOW,
        )
        return {MediaId(row.id): _media(row) for row in await self._database.rows(statement)}

    async def held(self, claim: Claim, key: str) -> KeptMedia | None:
        """Return what a job holds under a key."""
        statement = (
            select(media)
            .join(job_media, job_media.c.media_id == media.c.id)
            .where(job_media.c.job_id == claim.id, job_media.c.key == key)
        )
        return next((_media(row) for row in await self._database.rows(statement)), None)

    async def expire(self, tenant: str, media_id: MediaId) -> bool:
        """Let media expire now, and tell whether there was any."""
        change = (
            update(media)
            .values(expire_time=func.least(media.c.expire_time, _NOW), sweep_time=_NOW)
            .where(media.c.id == media_id, media.c.tenant == tenant, media.c.is_kept)
            .returning(media.c.id)
        )
        return bool(await self._database.rows(change))

    async def release(self, limit: int) -> int:
        """Doom media that has expired and that no job holds, and tell how much was looked at."""
        due = (
            select(media.c.id)
            .where(media.c.sweep_time <= _NOW)
            .order_by(media.c.sweep_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        # The longer a job has held it, the longer it will: it is looked at ever more rarely.
        age = func.greatest(_NOW - media.c.create_time, literal(_LOOK_FIRST, Interval))
        later = _NOW + func.least(age, literal(self._look_last, Interval))
        async with self._database.transaction() as connection:
            ids = (await connection.scalars(due)).all()
            if not ids:
                return 0
            # A statement of its own: it sees every holder, for none can come to a locked row.
            held = exists().where(job_media.c.media_id == media.c.id)
            gone = delete(media).where(media.c.id.in_(ids), ~held).returning(media.c.id).cte("gone")
            dooming = insert(media_doomed).from_select(["id", "due_time"], select(gone.c.id, _NOW))
            await connection.execute(dooming.add_cte(gone))
            await connection.execute(
                update(media).values(sweep_time=later).where(media.c.id.in_(ids))
            )
            return len(ids)

    async def doomed(self, limit: int) -> Sequence[MediaId]:
        """Hand out media whose bytes are to be removed; what is not forgotten comes again."""
        due = (
            select(media_doomed.c.id)
            .where(media_doomed.c.due_time <= _NOW)
            .order_by(media_doomed.c.due_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        taken = (
            update(media_doomed)
            .values(due_time=_NOW + _REMOVING)
            .where(media_doomed.c.id == due.c.id)
            .returning(media_doomed.c.id)
        )
        return [MediaId(row.id) for row in await self._database.rows(taken)]

    async def forget(self, ids: Collection[MediaId]) -> None:
        """Strike doomed media whose bytes are gone."""
        if ids:
            struck = delete(media_doomed).where(media_doomed.c.id.in_(ids))
            await self._database.rows(struck.returning(media_doomed.c.id))


def _kept(media_id: MediaId, ttl: timedelta) -> Any:
    return (
        update(media)
        .values(is_kept=True, expire_time=_NOW + ttl, sweep_time=_NOW + ttl)
        .where(media.c.id == media_id, ~media.c.is_kept)
    )


def _holder(claim: Claim) -> Select[Any]:
    return select(job_queue.c.id).where(
        job_queue.c.id == claim.id,
        job_queue.c.token == claim.token,
        job_queue.c.lease_expires.is_not(None),
    )


def _released() -> Conflict:
    return Conflict("the media took too long to write", remedy="send it again")


def _media(row: Row[Any]) -> KeptMedia:
    return KeptMedia(
        id=MediaId(row.id),
        tenant=row.tenant,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        expire_time=row.expire_time,
    )
