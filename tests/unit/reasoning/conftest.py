from collections.abc import AsyncIterator

import pytest

from services.chassis.clock import SystemClock
from services.engine.chat import Chat
from services.engine.choice import engine_from_config
from services.reasoning.config import ReasoningConfig
from services.reasoning.core import Reasoning
from tests.doubles.engine_server import EngineServer, engine_server


@pytest.fixture
async def server() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@pytest.fixture
async def reasoning(server: EngineServer) -> AsyncIterator[Reasoning]:
    config = ReasoningConfig(listen="127.0.0.1:0", engine_url=server.url)
    async with engine_from_config(config) as engine:
        yield Reasoning(Chat(engine, config), clock=SystemClock())
