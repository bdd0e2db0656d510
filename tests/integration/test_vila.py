"""VILA's socket with the client library that its robots use, straight and through the edge."""

import asyncio
import base64
import json
from contextlib import suppress

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.bridge.dialects import vila
from services.chassis import errors, limits
from tests.doubles import edge as edges
from tests.doubles import keys
from tests.doubles.bridge import bridging
from tests.doubles.watching import watching

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")


@in_module
async def running():
    async with watching() as room:
        yield room


@pytest.fixture
def room(running):
    running.streams.clear()
    return running


@in_module
async def bridge(running):
    async with bridging(running.address, vila_prompt="What?") as address:
        yield address


@in_module
async def edge(tmp_path_factory, bridge):
    async with edges.running(tmp_path_factory.mktemp("edge"), {"bridge": bridge}) as edge:
        yield edge


@in_module
async def guarded(tmp_path_factory, bridge):
    folder = tmp_path_factory.mktemp("guarded")
    async with edges.running(folder, {"bridge": bridge}, guarded=True) as edge:
        yield edge


@pytest.fixture(params=["straight", "through the edge"])
def url(request, bridge, edge):
    return f"ws://{bridge if request.param == 'straight' else edge.address}"


@pytest.mark.parametrize("path", ["", "/", "/vila", "/?api_key=anything"])
async def test_frames_are_watched_and_answered(url, room, path):
    async with connect(url + path) as socket:
        await socket.send(json.dumps({"timestamp": 1_700_000_000.5, "frame": text(b"one")}))
        stream = await room.stream()
        await stream.until(lambda it: len(it.frames) == 1)
        await socket.send(text(b"two"))
        await stream.until(lambda it: len(it.frames) == 2)
        stream.reply("A man.")
        assert await told(socket) == {"vlm_reply": "A man."}
    assert [it.data for it in stream.frames] == [b"one", b"two"]
    assert (stream.settings[0].prompt, stream.settings[0].window_frames) == ("What?", 5)
    assert stream.priority == "live"
    await stream.until(lambda it: it.is_ended)


async def test_a_frame_that_is_none_costs_nothing_but_itself(url, room):
    async with connect(url) as socket:
        for sent in (text(b"one"), "no base64!", "{", '{"frame": 7}', b"", text(b"two")):
            await socket.send(sent)
        stream = await room.stream()
        await stream.until(lambda it: it.frames[-1:] and it.frames[-1].data == b"two")
        stream.reply("A man.")
        assert await told(socket) == {"vlm_reply": "A man."}


async def test_a_watch_that_breaks_does_not_end_the_socket(bridge, room, monkeypatch):
    monkeypatch.setattr(vila, "RETRY_SECONDS", (0.05,))
    async with connect(f"ws://{bridge}") as socket, asyncio.timeout(10):
        await socket.send(text(b"one"))
        (await room.stream()).fail(errors.Unavailable("the engine is away"))
        while len(room.streams) < 2:
            await socket.send(text(b"more"))
            await (await socket.ping())
        room.streams[1].reply("Back again.")
        assert await told(socket) == {"vlm_reply": "Back again."}


async def test_a_good_key_names_the_tenant(guarded, room):
    async with connect(f"ws://{guarded.address}/?api_key={keys.ACME}") as socket:
        await socket.send(text(b"one"))
        assert (await room.stream()).tenant == "acme"


@pytest.mark.parametrize("path", ["/", "/vila", "/api/v1/ws"])
@pytest.mark.parametrize("query", ["", f"?api_key={keys.EXPIRED}", f"?api_key={keys.FORGED}"])
async def test_a_refused_key_is_closed_with_a_code_that_a_client_reads(guarded, room, path, query):
    async with connect(f"ws://{guarded.address}{path}{query}") as socket:
        with pytest.raises(ConnectionClosed):
            await told(socket)
        assert socket.close_code == 1008
        assert "key" in socket.close_reason
    assert room.streams == []


async def test_a_message_in_fragments_is_whole(url, room):
    whole = text(b"a frame in fragments")
    async with connect(url) as socket:
        await socket.send([whole[:3], whole[3:20], whole[20:]])
        stream = await room.stream()
        await stream.until(lambda it: it.frames)
    assert stream.frames[0].data == b"a frame in fragments"


@pytest.mark.parametrize("pieces", [1, 5])
async def test_a_message_over_the_limit_closes_its_socket_and_says_so(url, room, pieces):
    part = b" " * (limits.SOCKET_MESSAGE_BYTES // pieces + 1)
    async with connect(url) as socket:
        with suppress(ConnectionClosed):
            await socket.send([part] * pieces if pieces > 1 else part)
        with pytest.raises(ConnectionClosed):
            await told(socket)
        assert (socket.close_code, socket.close_reason) == (1009, "a message is 16 MiB at most")


async def test_an_answer_has_the_newest_five_frames_when_its_turn_comes(bridge, room):
    async with connect(f"ws://{bridge}") as socket:
        await socket.send(text(b"first"))
        stream = await room.stream()
        await stream.until(lambda it: it.frames)
        async with stream.held():
            for i in range(9):
                await socket.send(text(b"%d" % i))
            await (await socket.ping())
        await stream.until(lambda it: it.frames[-1].data == b"8")
        sent = len(stream.frames)
        stream.want(5)
        await stream.until(lambda it: len(it.frames) == sent + 5)
    assert [it.data for it in stream.frames[-5:]] == [b"4", b"5", b"6", b"7", b"8"]
    assert stream.more[-5:] == [True] * 4 + [False]


async def test_of_a_flood_the_newest_frames_reach_the_room(bridge, room):
    big = 64 * 1024
    async with connect(f"ws://{bridge}") as socket:
        await socket.send(text(b"first"))
        stream = await room.stream()
        await stream.until(lambda it: it.frames)
        async with stream.held():
            for i in range(2_000):
                await socket.send(text(b"%06d" % i + bytes(big)))
        await stream.until(lambda it: it.frames[-1].data[:6] == b"001999")
    assert len(stream.frames) < 100


def text(data):
    return base64.b64encode(data).decode()


async def told(socket):
    async with asyncio.timeout(10):
        frame = await socket.recv()
    assert isinstance(frame, str)
    return json.loads(frame)
