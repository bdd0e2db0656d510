"""The gateway's pod, as the chart renders it, run here: the real renderer, the real Envoy, its
probes and its stop.
"""

import asyncio
import os
import socket
import sys
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from deploy import chart


@pytest.fixture
def ports() -> tuple[int, int]:
    with socket.socket() as edge, socket.socket() as admin:
        for free in (edge, admin):
            free.bind(("127.0.0.1", 0))
        return edge.getsockname()[1], admin.getsockname()[1]


@pytest.fixture
def pod(tmp_path: Path, ports: tuple[int, int]) -> Any:
    """The pod with this machine's folders and ports in place of the pod's own."""
    text = chart.render(chart.EXAMPLES / "small" / "values.yaml", "gateway.drainSeconds=0")
    manifests = {
        (manifest["kind"], manifest["metadata"]["name"]): manifest
        for manifest in yaml.safe_load_all(text)
        if manifest
    }
    keys = manifests["ConfigMap", "sensorium-gateway"]["data"]["jwks.json"]
    (tmp_path / "jwks.json").write_text(keys)
    here = {
        "/config/": f"{tmp_path}/",
        "/keys/": f"{tmp_path}/",
        "0.0.0.0:8080": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:9901": f"127.0.0.1:{ports[1]}",
    }
    spec = yaml.safe_dump(manifests["Deployment", "sensorium-gateway"]["spec"], width=1_000)
    for inside, outside in here.items():
        assert inside in spec
        spec = spec.replace(inside, outside)
    return yaml.safe_load(spec)["template"]["spec"]


@pytest.fixture
async def envoy(pod: Any, ports: tuple[int, int]) -> AsyncIterator[Any]:
    """The pod's one container, ready, after its init container has ended well."""
    (render,), (container,) = pod["initContainers"], pod["containers"]
    environment = {variable["name"]: variable["value"] for variable in render["env"]}
    rendering = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *render["args"], env={**os.environ, **environment}
    )
    assert await rendering.wait() == 0
    running = await asyncio.create_subprocess_exec(
        Path(sysconfig.get_path("scripts")) / container["command"][0],
        *container["args"],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(20):
        while await status(container["startupProbe"]["httpGet"], ports) != 200:
            assert running.returncode is None, "Envoy ended before it was ready"
            await asyncio.sleep(0.05)
    yield container
    running.terminate()
    await running.wait()


async def status(probe: Any, ports: tuple[int, int]) -> int | None:
    """What the kubelet would see; None where nothing listens."""
    url = f"http://127.0.0.1:{ports[0]}{probe['path']}"
    try:
        async with aiohttp.ClientSession() as client, client.get(url) as probed:
            return probed.status
    except aiohttp.ClientConnectionError:
        return None


async def test_the_pod_is_ready_asks_for_keys_and_says_when_it_leaves(
    envoy: Any, ports: tuple[int, int]
) -> None:
    edge = f"http://127.0.0.1:{ports[0]}"
    ready = envoy["readinessProbe"]["httpGet"]
    async with aiohttp.ClientSession() as client:
        assert await status(ready, ports) == 200
        async with client.get(f"{edge}/mesh/v1/jobs") as refused:
            assert refused.status == 401
            assert refused.headers.get("connection") != "close"

        stop = envoy["lifecycle"]["preStop"]["exec"]["command"]
        stopping = await asyncio.create_subprocess_exec(sys.executable, *stop[1:])
        assert await stopping.wait() == 0

        assert await status(ready, ports) == 503
        async with client.get(f"{edge}/mesh/v1/jobs") as last:
            assert last.headers["connection"] == "close"
