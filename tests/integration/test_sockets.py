"""What sockets of every dialect stand: clients that leave, do not read, do not answer, come in
thousands. Straight to the bridge, with real clients and with bare connections.
"""

import asyncio
import base64
import os
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.bridge import sockets, websocket
from services.chassis import limits
from tests.doubles.bridge import bridging
from tests.doubles.watching import watching

FRAME = base64.b64encode(b"pixels").decode()
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
async def room():
    async with watching() as room:
        yield room


@pytest.fixture
async def bridge(room):
    async with bridging(room.address) as address:
        yield address


async def test_thousands_come_and_go_and_leave_nothing(bridge, room):
    async def visit(i):
        async with connect(f"ws://{bridge}/{'vila' if i % 4 else 'api/v1/ws'}") as socket:
            if i % 2:
                await socket.send(FRAME)
            if i % 3 == 0:
                socket.transport.abort()

    await visit(1)
    before = asyncio.all_tasks()
    for _ in range(40):
        await asyncio.gather(*map(visit, range(50)))
    await asyncio.gather(*(it.until(lambda it: it.is_ended) for it in room.streams))
    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=10)
    assert left == set()


async def test_a_client_that_is_gone_without_a_word_is_noticed(bridge, room, monkeypatch):
    monkeypatch.setattr(websocket, "HEARTBEAT_SECONDS", 0.2)
    async with bare(bridge) as (reading, writing):
        writing.write(text_frame(FRAME))
        stream = await room.stream()
        # It answers no ping.
        await stream.until(lambda it: it.is_ended)
        assert (await reading.read())[:2] == b"\x89\x00"


async def test_a_client_that_answers_pings_may_be_silent(bridge, monkeypatch):
    monkeypatch.setattr(websocket, "HEARTBEAT_SECONDS", 0.1)
    async with connect(f"ws://{bridge}/vila", ping_interval=None) as socket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await socket.recv()
        await (await socket.ping())


async def test_a_client_that_does_not_read_is_closed_and_costs_little(bridge, room, monkeypatch):
    monkeypatch.setattr(limits, "UNREAD_DEADLINE", timedelta(seconds=0.3))
    monkeypatch.setattr(websocket, "CLOSE_SECONDS", 0.3)
    async with bare(bridge) as (_, writing):
        writing.write(text_frame(FRAME))
        stream = await room.stream()
        async with asyncio.timeout(20):
            while not stream.is_ended:
                stream.reply("word " * 100_000)
                await stream.answers.join()


async def test_who_sends_and_never_reads_does_not_grow_the_bridge(bridge, room):
    async with bare(bridge) as (_, writing):
        writing.write(text_frame(FRAME))
        stream = await room.stream()
        for _ in range(50):
            stream.reply("word " * 20_000)
        for _ in range(200):
            writing.write(text_frame(FRAME))
            await writing.drain()
        writing.write(text_frame(base64.b64encode(b"last").decode()))
        # It is still read, and its frames still arrive.
        await stream.until(lambda it: it.frames and it.frames[-1].data == b"last")


async def test_there_is_an_end_to_how_many_are_open(room, monkeypatch):
    monkeypatch.setattr(limits, "SOCKETS", 2)
    async with bridging(room.address) as bridge:
        url = f"ws://{bridge}/vila"
        async with connect(url), connect(url) as last:
            async with connect(url) as refused:
                with pytest.raises(ConnectionClosed):
                    await refused.recv()
                assert refused.close_code == 1013
                assert "too many sockets" in refused.close_reason
            await (await last.ping())
        async with connect(url) as welcome:
            await (await welcome.ping())


async def test_refusals_that_are_not_listened_to_are_bounded_too(room, monkeypatch):
    monkeypatch.setattr(sockets, "REFUSING", 3)
    monkeypatch.setattr(limits, "SOCKETS", 1)
    async with bridging(room.address) as bridge, AsyncExitStack() as stack:
        await stack.enter_async_context(connect(f"ws://{bridge}/vila"))
        for _ in range(3):
            await stack.enter_async_context(bare(bridge))
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{bridge}/vila")
        assert refused.value.response.status_code == 503
        assert b"too many sockets" in refused.value.response.body


async def test_who_holds_more_than_there_is_memory_for_is_closed_and_others_go_on(room):
    async with bridging(room.address, socket_bytes=1 << 20) as bridge:
        url = f"ws://{bridge}/vila"
        async with connect(url) as modest, connect(url) as greedy:
            big = base64.b64encode(bytes(300_000)).decode()
            for _ in range(9):
                await greedy.send(big)
            await (await greedy.ping())
            async with connect(url) as late:
                await late.send(big)
                with pytest.raises(ConnectionClosed):
                    await late.recv()
                assert (late.close_code, "memory" in late.close_reason) == (1013, True)
            await modest.send(FRAME)
            await (await modest.ping())
            await (await greedy.ping())


async def test_the_bridge_says_goodbye_when_it_ends(room):
    async with bridging(room.address) as bridge:
        socket = await connect(f"ws://{bridge}/vila")
        await socket.send(FRAME)
        stream = await room.stream()
    await socket.wait_closed()
    assert socket.close_code == 1001
    await stream.until(lambda it: it.is_ended)


async def test_a_mistake_of_ours_is_told_as_one(bridge, room, monkeypatch, caplog):
    def fail(*_):
        raise KeyError("a secret")

    async with connect(f"ws://{bridge}/vila") as socket:
        await socket.send(FRAME)
        stream = await room.stream()
        monkeypatch.setattr("gateway.bridge.dialects.vila.VilaSession.told", fail)
        stream.reply("A man.")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, "secret" in socket.close_reason) == (1011, False)
    await stream.until(lambda it: it.is_ended)
    assert "a socket failed" in caplog.text


@asynccontextmanager
async def bare(address, path="/vila"):
    """A connection that has upgraded, and does nothing by itself."""
    reading, writing = await asyncio.open_connection(*address.split(":"), limit=2**10)
    writing.write(HANDSHAKE.format(path=path).encode())
    await reading.readuntil(b"\r\n\r\n")
    try:
        yield reading, writing
    finally:
        writing.transport.abort()


def text_frame(text):
    mask, data = os.urandom(4), text.encode()
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
    return bytes([0x81, 0x80 | len(data)]) + mask + masked
