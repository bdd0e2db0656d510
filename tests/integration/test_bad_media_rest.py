"""The table of bad media over REST, through Envoy: the same meaning as over gRPC."""

import base64
from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp
import pytest
import pytest_asyncio

from tests.doubles import bad_media, edge
from tests.doubles.bad_media import Bad
from tests.doubles.chat_rooms import vision_room
from tests.doubles.edge import Edge
from tests.doubles.engine_server import EngineServer, engine_server
from tests.doubles.strangers import Stranger, stranger

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")
ROWS = bad_media.IMAGES | bad_media.VIDEOS


@in_module
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@in_module
async def web() -> AsyncIterator[Stranger]:
    async with stranger() as running:
        yield running


@in_module
async def outside(engine, tmp_path_factory) -> AsyncIterator[Edge]:
    allowed = ("127.0.0.1/32",)
    async with (
        vision_room(engine.url, fetch_allow=allowed, release_at=0) as address,
        edge.running(tmp_path_factory.mktemp("edge"), {"vision": address}) as running,
    ):
        yield running


@in_module
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def refused(bad: Bad, answer: aiohttp.ClientResponse, field: str) -> None:
    told = await answer.json()
    passing, wrong = HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_REQUEST
    assert answer.status == (passing if bad.passes else wrong), told
    by_type = {it["@type"].rpartition(".")[2]: it for it in told["details"]}
    assert by_type["ErrorInfo"]["reason"] == bad.code
    assert [it["field"] for it in by_type["BadRequest"]["field_violations"]] == [field + bad.field]
    assert bad.message in told["message"]
    assert ("RetryInfo" in by_type) == bad.passes


def named(bad: Bad, web: Stranger) -> dict[str, str]:
    if bad.uri:
        return {"uri": bad.uri.replace("{port}", str(web.port))}
    return {"data": base64.b64encode(bad.data).decode()}


@pytest.mark.parametrize("bad", ROWS.values(), ids=ROWS)
async def test_bad_media_in_json_mean_the_same(outside, http, web, engine, bad):
    kind = "video" if bad in bad_media.VIDEOS.values() else "image"
    parts = [{"text": "?"}, {kind: named(bad, web)}]
    asked = {"messages": [{"role": "ROLE_USER", "parts": parts}]}
    async with http.post(f"{outside.url}/mesh/v1/vision:generate", json=asked) as answer:
        await refused(bad, answer, f"messages[0].parts[1].{kind}")
    assert engine.bodies == []


@pytest.mark.parametrize("bad", bad_media.BY_BYTES.values(), ids=bad_media.BY_BYTES)
async def test_a_bad_picture_as_a_raw_body_means_the_same(outside, http, engine, bad):
    url = f"{outside.url}/mesh/v1/vision:describeUpload"
    async with http.post(url, data=bad.data, headers={"Content-Type": "image/jpeg"}) as answer:
        await refused(bad, answer, "image")
    assert engine.bodies == []
