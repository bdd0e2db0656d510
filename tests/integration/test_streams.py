"""Answers piece by piece, of both rooms that chat, with the double of an engine: over gRPC, and as
server-sent events through the real Envoy.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as reasoning_grpc
from mesh.types.v1 import chat_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb
from mesh.vision.v1 import vision_service_pb2_grpc as vision_grpc

from services.chassis import client
from services.chassis.errors import Exhausted, InvalidInput, Unavailable
from tests.doubles import chat_rooms, edge
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer, engine_server

CANCEL_SECONDS = 0.2
"""The most time from a client's leaving to the end of the engine's work for it."""
QUESTION = {"messages": [{"role": "ROLE_USER", "parts": [{"text": "What?"}]}]}
ROOMS = {
    "vision": (chat_rooms.vision_room, vision_grpc.VisionServiceStub, vision_pb),
    "reasoning": (chat_rooms.reasoning_room, reasoning_grpc.ReasoningServiceStub, reasoning_pb),
}


@dataclass
class Room:
    """A room that has one place at its engine."""

    name: str
    address: str
    stub: Any
    pb: Any
    engine: EngineServer

    def stream(self, role: int = chat_pb2.ROLE_USER) -> AsyncIterator[Any]:
        return client.stream(self.stub.GenerateStream, self.request(role))

    def request(self, role: int = chat_pb2.ROLE_USER) -> Any:
        message = chat_pb2.Message(role=role, parts=[chat_pb2.Part(text="What?")])
        return self.pb.GenerateStreamRequest(messages=[message])

    async def read(self) -> str:
        return "".join([it.delta async for it in self.stream()])

    async def left(self) -> None:
        """Wait until the engine has noticed that its client left, for as long as it may take."""
        async with asyncio.timeout(CANCEL_SECONDS):
            await self.engine.hung_up.wait()


@pytest.fixture(params=ROOMS)
async def room(request: pytest.FixtureRequest) -> AsyncIterator[Room]:
    serving, stub, pb = ROOMS[request.param]
    async with (
        engine_server() as engine,
        serving(engine.url, engine_calls=1, engine_waiting=1) as address,
        client.channel(address) as channel,
    ):
        yield Room(request.param, address, stub(channel), pb, engine)


@pytest.fixture
async def http(room: Room, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        edge.running(tmp_path, {room.name: room.address}) as running,
        aiohttp.ClientSession(running.url) as session,
    ):
        yield session


async def test_an_answer_comes_piece_by_piece_and_ends_with_its_cost(room: Room) -> None:
    *pieces, last = [it async for it in room.stream()]
    assert [it.delta for it in pieces] == [f"{it} " for it in faults.SENTENCE.split()[:-1]] + [
        "clean."
    ]
    assert all(it == room.pb.GenerateStreamResponse(delta=it.delta) for it in pieces)
    assert last.delta == ""
    assert last.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert (last.usage.input_tokens, last.usage.output_tokens) == (1, len(pieces))
    assert last.usage.processing_time.ToTimedelta().total_seconds() > 0
    assert last.model == faults.MODEL


async def test_a_piece_comes_while_the_engine_still_writes(room: Room) -> None:
    room.engine.faults.append(faults.stream_then_hang)
    async with asyncio.timeout(5):
        assert (await anext(room.stream())).delta == "The "


async def test_what_generate_refuses_is_refused(room: Room) -> None:
    with pytest.raises(InvalidInput) as refused:
        await anext(room.stream(role=chat_pb2.ROLE_ASSISTANT))
    assert refused.value.violations[0].field == "messages[0].role"
    assert room.engine.bodies == []


async def test_an_engine_that_refuses_is_told_before_the_first_piece(room: Room) -> None:
    room.engine.faults.append(faults.answer_with(503))
    with pytest.raises(Unavailable) as refused:
        await anext(room.stream())
    assert refused.value.retry_after


async def test_an_answer_that_breaks_off_is_told_after_its_first_piece(room: Room) -> None:
    room.engine.faults.append(faults.cut_stream)
    pieces = room.stream()
    assert (await anext(pieces)).delta == "The "
    with pytest.raises(Unavailable, match="broke off"):
        await anext(pieces)


@pytest.mark.parametrize("fault", [faults.hang, faults.stream_then_hang])
async def test_a_call_that_is_cancelled_frees_the_engine_at_once(
    room: Room, fault: faults.Fault
) -> None:
    room.engine.faults.append(fault)
    call = room.stub.GenerateStream(room.request())
    reading = asyncio.create_task(call.read())
    async with asyncio.timeout(5):
        await room.engine.chatting.wait()
        if fault is faults.stream_then_hang:
            await reading
    call.cancel()
    await room.left()
    with pytest.raises(asyncio.CancelledError):
        await (call.read() if reading.done() else reading)
    assert await room.read() == faults.SENTENCE


async def test_its_place_at_the_engine_is_held_until_a_stream_ends(room: Room) -> None:
    room.engine.faults.append(faults.stream_then_hang)
    held = room.stream()
    async with asyncio.timeout(5):
        await anext(held)
        waiting = asyncio.create_task(room.read())
        refused = asyncio.create_task(room.read())
        done, _ = await asyncio.wait((waiting, refused), return_when=asyncio.FIRST_COMPLETED)
        assert [type(it.exception()) for it in done] == [Exhausted]
        assert len(room.engine.bodies) == 1
        await held.aclose()
        (after,) = {waiting, refused} - done
        assert await after == faults.SENTENCE


async def test_through_the_edge_pieces_are_events(room: Room, http: aiohttp.ClientSession) -> None:
    async with http.post(path(room), json=QUESTION) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        events = [it async for it in events_of(answer)]
    assert "".join(it["delta"] for it in events) == faults.SENTENCE
    assert len(events) == len(faults.SENTENCE.split()) + 1
    assert events[-1]["finish_reason"] == "FINISH_REASON_STOP"
    assert events[-1]["usage"]["output_tokens"] == len(faults.SENTENCE.split())


async def test_through_the_edge_a_failure_before_the_first_piece_is_a_status(
    room: Room, http: aiohttp.ClientSession
) -> None:
    room.engine.faults.append(faults.answer_with(429))
    async with http.post(path(room), json=QUESTION) as answer:
        told = await answer.json()
    assert answer.status == 429
    assert told["code"] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


async def test_through_the_edge_a_client_that_leaves_frees_the_engine_at_once(
    room: Room, http: aiohttp.ClientSession
) -> None:
    room.engine.faults.append(faults.stream_then_hang)
    async with asyncio.timeout(5):
        answer = await http.post(path(room), json=QUESTION)
        assert (await anext(events_of(answer)))["delta"] == "The "
    answer.close()
    await room.left()
    async with http.post(path(room), json=QUESTION) as again:
        assert again.status == 200, await again.text()


def path(room: Room) -> str:
    return f"/mesh/v1/{room.name}:generateStream"


async def events_of(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.content:
        if line.startswith(b"data:"):
            yield json.loads(line.removeprefix(b"data:"))
