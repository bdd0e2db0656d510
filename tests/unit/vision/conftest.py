from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from services.engine.chat import Chat
from services.engine.choice import engine_from_config
from services.media.fetch import Fetcher
from services.media.guard import Guard
from services.media.sources import Sources
from services.media.video import VideoDecoder
from services.vision.config import VisionConfig
from services.vision.core import Vision
from services.vision.viewing import Viewer
from tests.doubles.engine_server import EngineServer, engine_server


class TickingClock:
    """Goes on by a quarter of a second at each look."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def monotonic(self) -> float:
        self._seconds += 0.25
        return self._seconds


@pytest.fixture
async def server() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@pytest.fixture
def config(server: EngineServer) -> VisionConfig:
    return VisionConfig(
        listen="127.0.0.1:0",
        engine_url=server.url,
        engine_calls=1,
        engine_waiting=0,
        max_tokens=7,
        model_notice="knows drawn aisles only",
    )


@asynccontextmanager
async def seeing(config: VisionConfig) -> AsyncIterator[Vision]:
    async with (
        engine_from_config(config) as engine,
        Fetcher(Guard(["127.0.0.1"])) as fetcher,
    ):
        sources = Sources(fetcher)
        viewer = Viewer(sources, VideoDecoder(), config)
        yield Vision(Chat(engine, config), viewer, follows=True, clock=TickingClock())


@pytest.fixture
def vision_of() -> Callable[[VisionConfig], AbstractAsyncContextManager[Vision]]:
    return seeing


@pytest.fixture
async def vision(config: VisionConfig) -> AsyncIterator[Vision]:
    async with seeing(config) as vision:
        yield vision
