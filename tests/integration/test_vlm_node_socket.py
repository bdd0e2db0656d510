"""vlm-node's socket with a real client, straight and through the edge."""

import asyncio
import json

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from services.chassis import errors
from tests.doubles import rooms
from tests.doubles.bridge import bridging

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

PATH = "/api/v1/ws"
GENERATE = "/mesh.vision.v1.VisionService/GenerateStream"


@pytest.fixture(autouse=True)
def received(mesh):
    mesh.received.clear()
    mesh.answers.clear()
    model = rooms.message("mesh.vision.v1.GetModelResponse", model={"name": "aisle"})
    mesh.answers["/mesh.vision.v1.VisionService/GetModel"] = [model]
    mesh.answers[GENERATE] = [piece("An "), piece("aisle."), END]
    return mesh.received


@in_module
async def bridge(mesh):
    async with bridging(mesh.targets["vision"]) as address:
        yield address


@pytest.fixture(params=["straight", "through the edge"])
def url(request, bridge, edge):
    return f"ws://{bridge if request.param == 'straight' else edge.address}{PATH}"


async def test_pictures_are_answered_five_at_a_time(url, received):
    async with connect(url) as socket:
        await socket.send("What?")
        for i in range(5):
            await socket.send(b"%d" % i)
        pieces = await answer(socket)
    assert [it["response"] for it in pieces] == ["An ", "aisle.", ""]
    assert all(it["model"] == "aisle" for it in pieces)
    assert pieces[-1]["eval_count"] == 12
    assert [pictures(it) for it in questions(received)] == [[b"0", b"1", b"2", b"3", b"4"]]


async def test_every_photo_that_comes_with_its_prompt_is_answered_promptly(url, received):
    async with connect(url) as socket, asyncio.timeout(8):
        for photo in (b"1", b"2", b"3"):
            await socket.send("What?")
            await socket.send(photo)
            assert (await answer(socket))[-1]["done"] is True
    assert [pictures(it) for it in questions(received)] == [[b"1"], [b"2"], [b"3"]]


async def test_a_picture_before_the_prompt_is_told_of_in_a_text_frame(url):
    async with connect(url) as socket:
        for _ in range(5):
            await socket.send(b"1")
        assert await received_in_time(socket) == "No prompt received for image batch"
        await socket.send("What?")
        assert (await answer(socket))[-1]["done"] is True


async def test_answers_come_in_order_and_one_at_a_time(bridge, mesh, received):
    gate = rooms.Gate()
    mesh.answers[GENERATE] = [gate, piece("An aisle."), END]
    async with connect(f"ws://{bridge}{PATH}") as socket:
        for i in range(3):
            await socket.send("What?")
            await socket.send(b"%d" % i)
        await socket.send("And now?")
        async with asyncio.timeout(5):
            await gate.reached.wait()
        assert len(questions(received)) == 1
        gate.opened.set()
        for _ in range(3):
            assert [it["response"] for it in await answer(socket)] == ["An aisle.", ""]
    assert [pictures(it) for it in questions(received)] == [[b"0"], [b"1"], [b"2"]]


async def test_what_fails_is_told_and_the_socket_lives(url, mesh):
    mesh.answers[GENERATE] = [errors.Unavailable("the engine does not answer")]
    async with connect(url) as socket:
        for _ in range(2):
            await socket.send("What?")
            await socket.send(b"1")
            (told,) = await answer(socket)
            assert told["error"] == "the engine does not answer"
            assert told["done"] is True


async def test_the_room_works_for_the_tenant_that_the_edge_names_and_live(bridge, received):
    headers = {"x-mesh-tenant": "acme"}
    async with connect(f"ws://{bridge}{PATH}?num_predict=7", additional_headers=headers) as socket:
        await socket.send(b"1")
        await socket.send("What?")
        await answer(socket)
    (asked,) = questions(received)
    assert asked.metadata["x-mesh-tenant"] == "acme"
    assert asked.metadata["x-mesh-priority"] == "live"
    assert asked.requests[0].sampling.max_tokens == 7


async def test_a_query_that_is_wrong_is_refused_with_a_reason(url):
    async with connect(f"{url}?num_predict=many") as socket:
        with pytest.raises(ConnectionClosed):
            await received_in_time(socket)
        assert socket.close_code == 1008
        assert "num_predict" in socket.close_reason


async def test_who_leaves_while_it_is_answered_takes_its_call_along(bridge, mesh, received):
    gate = rooms.Gate()
    mesh.answers[GENERATE] = [gate, END]
    async with connect(f"ws://{bridge}{PATH}") as socket:
        await socket.send(b"1")
        await socket.send("What?")
        async with asyncio.timeout(5):
            await gate.reached.wait()
    async with connect(f"ws://{bridge}{PATH}") as socket:
        mesh.answers[GENERATE] = [END]
        await socket.send(b"2")
        await socket.send("What?")
        await answer(socket)
    assert len(questions(received)) == 2


async def test_a_picture_in_fragments_is_whole(url, received):
    async with connect(url) as socket:
        await socket.send("What?")
        await socket.send([b"one ", b"picture ", b"in ", b"fragments"])
        await answer(socket)
    assert pictures(questions(received)[0]) == [b"one picture in fragments"]


def piece(text):
    return rooms.message("mesh.vision.v1.GenerateStreamResponse", delta=text)


END = rooms.message(
    "mesh.vision.v1.GenerateStreamResponse",
    finish_reason=1,
    usage={"input_tokens": 30, "output_tokens": 12},
    model="aisle",
)


def questions(received):
    return [it for it in received if it.method == GENERATE]


def pictures(call):
    return [it.image.data for it in call.requests[0].messages[0].parts if it.image.data]


async def received_in_time(socket):
    async with asyncio.timeout(8):
        return await socket.recv()


async def answer(socket):
    """All frames of one answer."""
    told = []
    while not told or not told[-1]["done"]:
        frame = await received_in_time(socket)
        assert isinstance(frame, bytes)
        told.append(json.loads(frame))
    return told
