"""Measure a whole mesh on this machine: seconds until it is ready, memory of each process, and what
the way through Envoy costs a small call. Run as `python -m bench.mesh`; prints one table.
"""

import asyncio
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.jobs.v1 import job_service_pb2_grpc as pb_grpc

from sensorium.launcher import places
from services.chassis import client

CALLS = 300
STARTS = 3
ROLES = (
    ("worker", "services.jobs.worker"),
    ("jobs", "services.jobs"),
    ("vision", "services.vision"),
    ("reasoning", "services.reasoning"),
    ("audio (with Whisper base)", "services.audio"),
    ("bridge", "gateway.bridge"),
    ("vision engine", "--mmproj"),
    ("language engine", "sensorium.engines.llama"),
    ("envoy", "envoy"),
    ("postgres", "postgres"),
)
NOT_THE_MESH = ("vision engine", "language engine")


def _place() -> Path:
    # PostgreSQL may run as a user of its own, who may not enter everybody's home.
    folder = places.data()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def main() -> None:
    """Start the mesh, measure, stop it."""
    seconds = []
    with tempfile.TemporaryDirectory(dir=_place(), prefix="bench-") as data:
        Path(data).chmod(0o755)
        for start in range(STARTS + 1):
            launcher, port, took = await _start(data)
            try:
                if start:
                    seconds.append(took)
                else:
                    _row("ready, first start (database made)", f"{took:.1f} s")
                if start == STARTS:
                    await _measure(launcher.pid, port)
            finally:
                launcher.send_signal(signal.SIGINT)
                await launcher.wait()
    _row(f"ready, median of {STARTS} further starts", f"{statistics.median(seconds):.1f} s")


async def _start(data: str) -> tuple[asyncio.subprocess.Process, int, float]:
    begun = time.monotonic()
    launcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sensorium.cli", "up", "--port", "0", "--data", data),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"NO_COLOR": "1"},
    )
    port = 0
    assert launcher.stdout is not None
    async for line in launcher.stdout:
        if found := re.search(rb"http://127\.0\.0\.1:(\d+)/mesh/v1/", line):
            port = int(found[1])
        if b"The mesh is ready" in line:
            asyncio.create_task(_discard(launcher.stdout))  # noqa: RUF006 - ends with the pipe
            return launcher, port, time.monotonic() - begun
    raise SystemExit("the mesh did not start")


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


async def _measure(launcher: int, port: int) -> None:
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        client.channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = pb_grpc.JobServiceStub(channel)

        async def rest() -> None:
            async with http.get("/mesh/v1/jobs", params={"page_size": "1"}) as answer:
                assert answer.status == 200
                await answer.read()

        async def grpc() -> None:
            await client.call(stub.ListJobs, pb.ListJobsRequest(page_size=1))

        _row("ListJobs over REST, p50", f"{await _median(rest) * 1000:.1f} ms")
        _row("ListJobs over gRPC, p50", f"{await _median(grpc) * 1000:.1f} ms")
    memory = _memory(launcher)
    for role, size in memory.items():
        _row(f"memory of {role} (PSS)", f"{size / 1024:.0f} MiB")
    without = sum(size for role, size in memory.items() if role not in NOT_THE_MESH)
    _row("memory of the mesh without engines (PSS)", f"{without / 1024:.0f} MiB")


async def _median(call: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        await call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _memory(launcher: int) -> dict[str, int]:
    sizes = {"launcher": _pss(launcher)}
    for pid in _descendants(launcher):
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        role = next((role for role, word in ROLES if word in command), command[:40])
        sizes[role] = sizes.get(role, 0) + _pss(pid)
    return sizes


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


def _pss(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert found is not None
    return int(found[1])


def _row(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
