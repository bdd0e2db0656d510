"""The launcher's real PostgreSQL, and what is left when the launcher itself is killed."""

import asyncio
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from sensorium.errors import Trouble
from sensorium.launcher import database, places, supervisor
from tests.doubles.silence import Silent


@contextlib.contextmanager
def folder():
    # Under root the server has a user of its own, who may not enter pytest's folders.
    made = Path(tempfile.mkdtemp(prefix="sensorium-test-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def data():
    """A data folder that the tests share, since making one takes seconds."""
    with folder() as made:
        yield made


@contextlib.asynccontextmanager
async def serving(data: Path):
    with places.run() as run:
        prepared = await asyncio.to_thread(database.prepare, data, run)
        url = prepared.url.replace("postgresql+psycopg", "postgresql")
        async with supervisor.running([prepared.program(0)], Silent()) as children:
            yield url, children[database.NAME]


async def asked(url: str, query: str) -> list[tuple[object, ...]]:
    """Ask, again and again while the server comes back."""
    async with asyncio.timeout(20):
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as open_one:
                    answer = await open_one.execute(query)
                    return await answer.fetchall() if answer.description else []
            except psycopg.OperationalError:
                await asyncio.sleep(0.05)


def ended(pid: int, seconds: float = 10) -> bool:
    """Wait until a process has ended, whoever its parent is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


async def test_data_outlives_a_stop_a_crash_and_the_next_start(data):
    async with serving(data) as (url, child):
        await asked(url, "CREATE TABLE kept (value int)")
        await asked(url, "INSERT INTO kept VALUES (1)")
        os.kill(child.pid, signal.SIGKILL)
        assert await asked(url, "SELECT value FROM kept") == [(1,)]
        await asked(url, "INSERT INTO kept VALUES (2)")
    async with serving(data) as (url, _):
        assert await asked(url, "SELECT value FROM kept ORDER BY 1") == [(1,), (2,)]


async def test_the_database_listens_on_no_network_and_only_its_user_may_enter(data):
    async with serving(data) as (url, child):
        assert await asked(url, "SHOW listen_addresses") == [("",)]
        folder = os.stat(psycopg.conninfo.conninfo_to_dict(url)["host"])
        assert folder.st_mode & 0o777 == 0o700
        assert os.stat(f"/proc/{child.pid}").st_uid == folder.st_uid


async def test_a_half_made_data_folder_is_made_anew():
    with folder() as data:
        (data / ".postgres.new").mkdir()
        (data / ".postgres.new" / "PG_VERSION").write_text("half")
        async with serving(data) as (url, _):
            assert await asked(url, "SELECT 1") == [(1,)]


async def test_a_data_folder_of_another_version_is_told(data):
    async with serving(data):
        pass
    version = data / "postgres" / "PG_VERSION"
    ours = version.read_text()
    version.write_text("9.6\n")
    try:
        with pytest.raises(Trouble, match="--data") as trouble:
            async with serving(data):
                pytest.fail("it served")
    finally:
        version.write_text(ours)
    assert "9.6" in str(trouble.value)


def test_a_folder_that_the_servers_user_may_not_enter_is_told(data, monkeypatch):
    monkeypatch.setattr(database, "_user", lambda: (65_534, 65_534))
    (data / "closed").mkdir(mode=0o700)
    with places.run() as run, pytest.raises(Trouble, match=r"may not enter .*closed"):
        database.prepare(data / "closed" / "inner", run)


LAUNCHER = """
import asyncio, sys
from pathlib import Path
from sensorium.launcher import supervisor
from sensorium.launcher.program import Program
from tests.integration.test_launcher import serving, Silent

FOREVER = "import time\\nwhile True: time.sleep(9)"

async def main():
    programs = [Program(str(n), (sys.executable, "-S", "-c", FOREVER), 0) for n in range(2)]
    async with serving(Path(sys.argv[1])) as (url, database):
        async with supervisor.running(programs, Silent()) as children:
            pids = [child.pid for child in (database, *children.values())]
            print(url.rpartition('=')[2], *pids, flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


def test_nothing_is_left_behind_when_the_launcher_is_killed(data):
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(data)], stdout=subprocess.PIPE, text=True
    ) as launcher:
        socket, *pids = launcher.stdout.readline().split()
        assert len(pids) == 3
        launcher.kill()
    assert all(ended(int(pid)) for pid in pids)
    shutil.rmtree(Path(socket).parent)
