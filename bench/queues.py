"""The queues that `bench.queue` measures, each at its best and none told how it is measured: a job
does nothing but say on standard output when it started.
"""

import asyncio
import importlib.util
import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

import psycopg

from bench import queue_bare as bare
from services.chassis import process
from services.chassis.clock import SystemClock
from services.jobs import migrations
from services.jobs.adapters.postgres import Database, PostgresJobQueue, PostgresJobStore
from services.jobs.config import WorkerConfig
from services.jobs.content import Blob, CaptionInput, CaptionOutput, Image, JobType
from services.jobs.domain import NewJob
from services.jobs.gathering import Gatherer
from services.jobs.pipelines.registry import PIPELINES
from services.jobs.worker import Worker

AT_ONCE: Final = 200
"""Jobs that a worker claims at once, and creates that are under way."""


def started() -> None:
    """Say that a job starts now."""
    os.write(1, b"%f\n" % time.time())


class System(Protocol):
    """A queue to measure."""

    url: str
    channel: str
    under_way: str
    """Asks whether any job that started has not ended, as PostgreSQL holds it."""

    async def prepare(self) -> None:
        """Make the tables."""
        ...

    async def create(self, jobs: int) -> None:
        """Create jobs the fastest way there is."""
        ...

    async def work(self) -> None:
        """Be a worker for ever."""
        ...


@runtime_checkable
class Bare(Protocol):
    """A queue whose statements can be run with nothing around them."""

    async def drain_bare(self, jobs: int) -> float:
        """Create jobs, let pgbench claim and complete them, and tell how many each second."""
        ...


class Sensorium:
    """Ours: events, recorded results and fencing are part of each job."""

    channel = "jobs"
    under_way = "SELECT EXISTS (SELECT FROM job_queue WHERE state = 'running')"

    def __init__(self, url: str) -> None:
        self.url = url
        self._database: Database | None = None

    async def prepare(self) -> None:
        """Migrate, and open the pool of the room."""
        await asyncio.to_thread(migrations.upgrade, self.url)
        self._database = await Database(self.url).__aenter__()

    async def create(self, jobs: int) -> None:
        """Create as the room does for as many calls at once."""
        assert self._database is not None
        store = PostgresJobStore(self._database)
        new = NewJob(
            "acme",
            JobType.CAPTION_V1,
            CaptionInput("", (Image("0", None, "images/0"),)),
            (Blob("images/0", "image/png", b"x"),),
        )

        async def call(times: int) -> None:
            for _ in range(times):
                await store.create(new)

        callers = min(jobs, AT_ONCE)
        shares = [len(range(caller, jobs, callers)) for caller in range(callers)]
        await asyncio.gather(*(call(share) for share in shares))

    async def drain_bare(self, jobs: int) -> float:
        """Create jobs, let pgbench claim and complete them, and tell how many each second."""
        await self.create(jobs)
        return await bare.drain(self.url, jobs)

    async def work(self) -> None:
        """Run the worker with a pipeline that does nothing."""
        logging.disable(logging.INFO)
        process.rest_from_garbage()

        async def nothing(given: Any, work: Any) -> CaptionOutput:
            started()
            return CaptionOutput(())

        PIPELINES[JobType.CAPTION_V1] = nothing
        peers: Any = None
        # It claims at most half as many as it has places.
        config = WorkerConfig(listen="127.0.0.1:0", concurrency=2 * AT_ONCE)
        async with Database(self.url) as database:
            queue = PostgresJobQueue(database)
            gatherer = Gatherer(peers, peers, peers, None)
            worker = Worker(queue, peers, gatherer, config, name="w", clock=SystemClock())
            async with worker.running():
                await asyncio.Event().wait()


class Full(Sensorium):
    """Ours, when it has run for long and much is to come."""

    async def prepare(self) -> None:
        """Migrate and fill the tables."""
        await super().prepare()
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            for statement in (*bare.FILL, "VACUUM ANALYZE", "CHECKPOINT"):
                await connection.execute(statement)


class Procrastinate:
    """Procrastinate, created in batches."""

    channel = "procrastinate_any_queue_v1"
    under_way = "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing')"

    def __init__(self, url: str) -> None:
        import procrastinate

        self.url = url
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

        @self._app.task(name="nothing")  # type: ignore[untyped-decorator]
        async def nothing() -> None:
            started()

        self._nothing: Any = nothing

    async def prepare(self) -> None:
        """Make the tables."""
        await self._app.open_async()
        await self._app.schema_manager.apply_schema_async()

    async def create(self, jobs: int) -> None:
        """Defer all at once."""
        await self._nothing.batch_defer_async(*({} for _ in range(jobs)))

    async def work(self) -> None:
        """Run its worker."""
        async with self._app.open_async():
            await self._app.run_worker_async(concurrency=AT_ONCE, install_signal_handlers=False)


class PgQueuer:
    """PgQueuer over asyncpg, created in batches."""

    channel = "ch_pgqueuer"
    under_way = "SELECT EXISTS (SELECT FROM pgqueuer WHERE status = 'picked')"

    def __init__(self, url: str) -> None:
        self.url = url
        self._queries: Any = None

    async def prepare(self) -> None:
        """Make the tables."""
        self._queries = await self._connected()
        await self._queries.install()

    async def create(self, jobs: int) -> None:
        """Enqueue all at once."""
        await self._queries.enqueue(["nothing"] * jobs, [None] * jobs, [0] * jobs)

    async def work(self) -> None:
        """Run its manager."""
        from pgqueuer import PgQueuer as Manager

        manager = Manager((await self._connected()).driver)

        @manager.entrypoint("nothing")  # type: ignore[untyped-decorator]
        async def nothing(job: Any) -> None:
            started()

        await manager.run(batch_size=AT_ONCE)

    async def _connected(self) -> Any:
        import asyncpg
        from pgqueuer.db import AsyncpgDriver
        from pgqueuer.queries import Queries

        return Queries(AsyncpgDriver(await asyncpg.connect(self.url)))


OURS: Final = "sensorium"
FULL: Final = "sensorium-full"
SYSTEMS: Final[dict[str, Callable[[str], System]]] = {OURS: Sensorium, FULL: Full}
if importlib.util.find_spec("procrastinate"):
    SYSTEMS["procrastinate"] = Procrastinate
if importlib.util.find_spec("pgqueuer"):
    SYSTEMS["pgqueuer"] = PgQueuer
