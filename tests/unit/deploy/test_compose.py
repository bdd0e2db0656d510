"""The Compose file is the same mesh as the chart's, closed to the world, and its probes are
true.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
import yaml
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from deploy import chart, check

SERVICES: dict[str, Any] = yaml.safe_load((check.DEPLOY / "compose.yaml").read_text())["services"]
ROOMS = yaml.safe_load((chart.CHART / "values.yaml").read_text())["rooms"]
# Kubernetes gives these as files, or decides them itself.
COMPOSE_ONLY = {
    *("JOBS_DATABASE_URL", "JOBS_WEBHOOK_KEYS"),
    *("POSEMESH_EMAIL", "POSEMESH_PASSWORD"),
    *("VISION_ENGINE_API_KEY", "REASONING_ENGINE_API_KEY"),
    "TMPDIR",
}
CHART_ONLY = re.compile(r".*_DRAIN_SECONDS")


def chart_environments() -> dict[str, set[str]]:
    """The names of the variables of every process, by room, with everything set that can be."""
    settings = ['engines.vision.model="m"', 'engines.reasoning.model="m"', "webhooks.http=true"]
    text = chart.render(chart.EXAMPLES / "production" / "values.yaml", *settings)
    pods = {
        manifest["metadata"]["labels"]["app.kubernetes.io/component"]: manifest["spec"]["template"]
        for manifest in yaml.safe_load_all(text)
        if manifest and manifest["kind"] == "Deployment"
    }
    return {
        name: {
            variable["name"]
            for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
            for variable in container.get("env", [])
        }
        for name, pod in pods.items()
    }


def test_both_run_the_same_modules() -> None:
    rooms = {name: SERVICES[name]["command"] for name in ROOMS}
    assert rooms == {name: [room["module"]] for name, room in ROOMS.items()}


def test_both_tell_every_room_the_same() -> None:
    environments = chart_environments()
    for name in ROOMS:
        told = set(SERVICES[name]["environment"]) - COMPOSE_ONLY
        assert told == {it for it in environments[name] if not CHART_ONLY.fullmatch(it)}, name


def test_only_the_gateway_can_be_reached_and_only_from_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["gateway"]
    (port,) = published["gateway"]
    assert port.startswith("127.0.0.1:")


@pytest.fixture
async def health() -> AsyncIterator[tuple[health_aio.HealthServicer, str]]:
    servicer, server = health_aio.HealthServicer(), grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


async def probe(address: str) -> int:
    command = SERVICES["jobs"]["healthcheck"]["test"]
    assert command[:2] == ["CMD", "python"]
    script = command[3].replace("127.0.0.1:8080", address)
    probing = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stderr=asyncio.subprocess.DEVNULL
    )
    return await probing.wait()


async def test_the_probe_follows_grpc_health(
    health: tuple[health_aio.HealthServicer, str],
) -> None:
    servicer, address = health
    assert await probe(address) == 0
    await servicer.enter_graceful_shutdown()
    assert await probe(address) != 0


async def test_the_probe_fails_where_nothing_listens() -> None:
    assert await probe("127.0.0.1:1") != 0
