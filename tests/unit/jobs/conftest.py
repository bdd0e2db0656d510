from datetime import UTC, datetime, timedelta

import pytest

from services.jobs.content import Blob, CaptionInput, Image, JobType
from services.jobs.domain import NewJob
from tests.doubles.job_store_memory import MemoryJobStore

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def memory() -> MemoryJobStore:
    return MemoryJobStore()


def images(count, *, timed=True):
    return tuple(
        Image(f"frame-{n}", NOON + timedelta(seconds=2 * n) if timed else None, f"images/{n}")
        for n in range(count)
    )


def blobs(count):
    return tuple(Blob(f"images/{n}", "image/png", b"%d" % n) for n in range(count))


@pytest.fixture
def claim_of(memory):
    async def claim(given=None, kind=JobType.CAPTION_V1, count=3):
        given = CaptionInput("", images(count)) if given is None else given
        await memory.create(NewJob("acme", kind, given, blobs(count)))
        [claimed] = await memory.claim("worker-1", limit=1, lease=timedelta(minutes=1))
        return claimed

    return claim


@pytest.fixture
async def job(memory, claim_of):
    """A job that a worker holds."""
    return await memory.get("acme", (await claim_of()).id)
