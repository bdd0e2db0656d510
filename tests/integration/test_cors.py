"""Which pages may call the mesh from a browser."""

import aiohttp
import pytest
import pytest_asyncio

from tests.doubles import edge as edges
from tests.doubles import rooms

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

LISTED = "https://page.example"
LOOPBACK = ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443")
STRANGERS = (
    "https://other.example",
    "https://page.example.evil.example",
    "http://localhost.evil.example",
    "http://localhost:3000@evil.example",
    "null",
)
PATHS = ("/api/v1/jobs", "/caption/generate", "/mesh/v1/jobs")


@in_module
async def mesh():
    async with rooms.serving() as mesh:
        yield mesh


@in_module
async def edge(tmp_path_factory, mesh):
    folder = tmp_path_factory.mktemp("edge")
    async with edges.running(folder, mesh.targets, cors_origins=(LISTED,)) as edge:
        yield edge


@in_module
async def http():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        yield http


def preflight(origin):
    return {"origin": origin, "access-control-request-method": "PUT"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [LISTED, *LOOPBACK])
async def test_a_page_that_may_call_is_told_how(edge, http, origin, path):
    async with http.options(edge.url + path, headers=preflight(origin)) as answer:
        told = answer.headers
        assert answer.status == 200
    assert told["access-control-allow-origin"] == origin
    assert told["access-control-allow-credentials"] == "true"
    assert "PUT" in told["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(
        told["access-control-allow-headers"].split(", ")
    )
    assert told["access-control-max-age"] == "3600"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_page_that_may_not_call_is_told_nothing(edge, http, origin, path):
    async with http.options(edge.url + path, headers=preflight(origin)) as answer:
        assert "access-control-allow-origin" not in answer.headers
    async with http.get(edge.url + path, headers={"origin": origin}) as answer:
        assert "access-control-allow-origin" not in answer.headers


async def test_an_answer_may_be_read_by_a_page_that_may_call(edge, http):
    for origin in (LISTED, LOOPBACK[0]):
        async with http.get(f"{edge.url}/mesh/v1/jobs", headers={"origin": origin}) as answer:
            assert answer.status == 200
            assert answer.headers["access-control-allow-origin"] == origin
            assert "retry-after" in answer.headers["access-control-expose-headers"]


async def test_so_may_a_refusal(edge, http):
    async with http.get(f"{edge.url}/mesh/v1/nothing", headers={"origin": LISTED}) as answer:
        assert answer.status == 404
        assert answer.headers["access-control-allow-origin"] == LISTED


async def test_every_page_may_call_where_the_operator_says_so(tmp_path, mesh, http):
    async with (
        edges.running(tmp_path, mesh.targets, cors_origins=("*",)) as edge,
        http.options(f"{edge.url}/api/v1/jobs", headers=preflight("https://any.example")) as answer,
    ):
        assert answer.headers["access-control-allow-origin"] == "https://any.example"
