"""Clients that leave before they are answered, of REST and of every dialect that asks the vision
room's model: through the real Envoy, with the double of an engine.
"""

import asyncio
import base64
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.doubles import edge, engine_server
from tests.doubles.bridge import bridging
from tests.doubles.chat_rooms import vision_room
from tests.doubles.engine_server import EngineServer
from tests.doubles.pictures import scene_png

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

CANCEL_SECONDS = 0.2
"""The most time from a client's leaving to the end of the engine's work for it."""
TEXT = base64.b64encode(scene_png()).decode()
QUESTION = {"role": "user", "content": "What?"}
SHOWN = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TEXT}"}}
SEEN = {"role": "user", "content": [SHOWN]}


def form() -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("file", scene_png(), filename="a.png")
    return made


ROUTES = {
    "/api/v1/generate": lambda: {"json": {"messages": [QUESTION]}},
    "/describe": lambda: {"json": {"image": TEXT, "prompt": "What?"}},
    "/describe/file": lambda: {"data": form()},
    "/caption": lambda: {"data": form()},
    "/vision/frame": lambda: {"data": form()},
    "/vision/frame_b64": lambda: {"json": {"image_b64": TEXT}},
    "/mesh/v1/vision:generate": lambda: {
        "json": {"messages": [{"role": "ROLE_USER", "parts": [{"text": "What?"}]}]}
    },
    "/mesh/v1/vision:describe": lambda: {"json": {"image": {"data": TEXT}}},
    "/mesh/v1/vision:describeUpload": lambda: {"data": scene_png()},
    "/v1/chat/completions": lambda: {"json": {"model": "default", "messages": [SEEN]}},
}


@in_module
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_server.engine_server() as running:
        yield running


@in_module
async def http(engine, tmp_path_factory) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        vision_room(engine.url, engine_calls=1, engine_waiting=0, release_at=0) as vision,
        bridging(vision) as bridge,
        edge.running(
            tmp_path_factory.mktemp("edge"), {"bridge": bridge, "vision": vision}
        ) as outside,
        aiohttp.ClientSession(outside.url) as session,
    ):
        yield session


@pytest.mark.parametrize("path", ROUTES)
async def test_the_engine_is_free_at_once(http, engine, path):
    engine.chatting.clear()
    engine.hung_up.clear()
    engine.faults.append(engine_server.hang)
    asking = asyncio.create_task(http.post(path, **ROUTES[path]()))
    await asyncio.wait_for(engine.chatting.wait(), 10)
    asking.cancel()
    async with asyncio.timeout(CANCEL_SECONDS):
        await engine.hung_up.wait()
    async with http.post(path, **ROUTES[path]()) as answer:
        assert answer.status == 200, await answer.text()
