"""Which media a job holds, as it is written with the job itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.errors import ForeignKeyViolation
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.errors import NotFound
from services.jobs.adapters.postgres.tables import job_media, media
from services.jobs.content import Holding
from services.jobs.domain import JobId


async def replace(connection: AsyncConnection, job_id: JobId, holdings: Sequence[Holding]) -> None:
    """Let a job hold this and nothing else; what it lets go is looked at when it expires."""
    dropped = (
        delete(job_media)
        .where(job_media.c.job_id == job_id)
        .returning(job_media.c.media_id)
        .cte("dropped")
    )
    sweep = update(media).values(sweep_time=media.c.expire_time)
    await connection.execute(sweep.where(media.c.id == dropped.c.media_id).add_cte(dropped))
    for it in holdings:
        values = {"job_id": job_id, "key": it.key, "media_id": it.media_id}
        await connection.execute(insert(job_media).values(**values))


@contextmanager
def loss_told() -> Iterator[None]:
    """Tell that media was released while a job that refers to it was being written."""
    try:
        yield
    except (IntegrityError, ForeignKeyViolation) as failed:
        # By way of the toolkit, or from the driver itself.
        cause = failed.orig if isinstance(failed, IntegrityError) else failed
        if not isinstance(cause, ForeignKeyViolation):
            raise
        raise NotFound(
            "media that the input refers to has just expired",
            remedy="upload it anew",
            code="MEDIA_NOT_FOUND",
        ) from None
