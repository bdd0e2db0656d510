"""The mesh of this machine as one thing to start and to stop: models, data,
plan, supervision.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sensorium.launcher import database, keys, places, ports, profiles, supervisor
from sensorium.launcher.child import Child
from sensorium.launcher.plan import Inside, plan
from sensorium.launcher.profiles.profile import Profile
from sensorium.launcher.program import Voice
from sensorium.weights import store
from services.chassis import process


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    host: str = "127.0.0.1"
    port: int = 8080
    language: str = "1.5b"
    profile: str = "local"
    data: Path | None = None
    """The folder of what lasts. None: the usual one."""


@dataclass(frozen=True)
class Prepared:
    """A mesh that could be started now."""

    options: Options
    profile: Profile


@dataclass(frozen=True)
class Mesh:
    """A mesh that is ready."""

    address: str
    """The edge, as host:port."""
    children: dict[str, Child]
    seconds: float
    """How long it took to be ready."""
    notices: tuple[str, ...]
    """What people must know of its models."""

    @property
    def url(self) -> str:
        """The base of its REST paths."""
        return f"http://{self.address}"


def prepare(options: Options, voice: Voice) -> Prepared:
    """Fetch the models that are not here: minutes, once. Raises `Trouble` when they cannot be had,
    or when the mesh could not start for another reason that is known already.
    """
    ports.edge(options.host, options.port)
    profile = profiles.chosen(options.profile, options.language)
    for name in profile.models:
        store.ensure(name, lambda line: voice.told("models", line))
    return Prepared(options, profile)


@asynccontextmanager
async def running(prepared: Prepared, voice: Voice) -> AsyncIterator[Mesh]:
    """Run a mesh for a block, which begins when every part is ready.

    Raises `Trouble` when it cannot start or does not stay up. No process is left at its end.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    process.open_many_files()
    options, profile = prepared.options, prepared.profile
    port = ports.edge(options.host, options.port)
    data = options.data or places.data()
    with places.held(data), places.run() as run:
        inside = Inside(
            edge=f"{options.host}:{port}",
            database=await asyncio.to_thread(database.prepare, data, run),
            media=data / "media",
            webhook_keys=keys.webhooks(data),
            logs=places.logs(data),
            run=run,
            ports=ports.free(kept=port),
        )
        programs = plan(inside, profile.engines, profile.told)
        async with supervisor.running(programs, voice) as children:
            yield Mesh(inside.edge, children, loop.time() - begun, profile.notices)
