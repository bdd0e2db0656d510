"""Which pages may call the mesh from a browser."""

import aiohttp
import pytest
import pytest_asyncio

from tests.doubles import edge as edges
from tests.doubles import keys

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
PATHS = ("/api/v1/jobs", "/caption/generate", "/mesh/v1/jobs", "/v1/chat/completions")


@in_module
async def edge(tmp_path_factory, mesh):
    folder = tmp_path_factory.mktemp("edge")
    async with edges.running(folder, mesh.targets, cors_origins=(LISTED,)) as edge:
        yield edge


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
    assert {"authorization", "content-type", "x-stainless-runtime"} <= set(
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


CHANGES = {"content-type": "text/plain"}
JOB = b'{"type": "caption_v1"}'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_page_that_may_not_call_changes_nothing(edge, http, mesh, origin, path):
    before = len(mesh.received)
    asked = {"origin": origin, **CHANGES}
    async with http.post(edge.url + path, data=JOB, headers=asked) as answer:
        assert answer.status == 403
        told = await answer.json()
    assert (told["code"], told["details"][0]["reason"]) == (7, "ORIGIN_NOT_ALLOWED")
    assert "GATEWAY_CORS_ORIGINS" in told["message"]
    assert len(mesh.received) == before


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_that_may_call_changes_things_and_so_does_who_is_no_page(edge, http, path):
    own = edge.url
    for origin in (LISTED, *LOOPBACK, own, None):
        asked = {"origin": origin, **CHANGES} if origin else CHANGES
        async with http.post(edge.url + path, data=JOB, headers=asked) as answer:
            assert answer.status != 403


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_page_that_may_not_call_opens_no_socket(edge, http, origin):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(f"{edge.url}/vila", origin=origin)
    assert refused.value.status == 403


async def test_a_page_that_may_call_gets_as_far_as_the_bridge_which_is_down_here(edge, http):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(f"{edge.url}/no/such/socket", origin=LISTED)
    assert refused.value.status == 503


OURS = ("localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7", "mesh:8080",
        "mesh.localhost", "mesh.home.example:8080", "Mesh.Home.Example.")  # fmt: skip
FOREIGN = (
    "evil.example",
    "evil.example:8080",
    "mesh.home.example.evil.example",
    "127.0.0.1.evil.example",
)


async def test_without_keys_a_name_that_a_stranger_may_have_given_is_not_answered_to(
    tmp_path, mesh, http
):
    named = edges.running(tmp_path, mesh.targets, hosts=("mesh.home.example",))
    async with named as edge:
        for host in OURS:
            async with http.get(f"{edge.url}/mesh/v1/jobs", headers={"host": host}) as answer:
                assert answer.status == 200, host
        for host in FOREIGN:
            for path in PATHS:
                async with http.get(edge.url + path, headers={"host": host}) as answer:
                    assert answer.status == 403, host
                    [detail] = (await answer.json())["details"]
                    assert detail["reason"] == "HOST_NOT_ALLOWED"


async def test_with_keys_every_name_is_answered_to(tmp_path, mesh, http):
    async with edges.running(tmp_path, mesh.targets, guarded=True) as edge:
        asked = {"host": "mesh.example", "x-api-key": keys.ACME}
        async with http.get(f"{edge.url}/mesh/v1/jobs", headers=asked) as answer:
            assert answer.status == 200


async def test_every_page_may_call_where_the_operator_says_so(tmp_path, mesh, http):
    async with (
        edges.running(tmp_path, mesh.targets, cors_origins=("*",)) as edge,
        http.options(f"{edge.url}/api/v1/jobs", headers=preflight("https://any.example")) as answer,
    ):
        assert answer.headers["access-control-allow-origin"] == "https://any.example"
        asked = {"origin": "https://any.example", **CHANGES}
        async with http.post(f"{edge.url}/mesh/v1/jobs", data=JOB, headers=asked) as changed:
            assert changed.status != 403
