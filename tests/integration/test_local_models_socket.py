"""The audio socket of the Local Models API with a real client library, in all the ways in which its
clients speak, straight and through the edge; and what becomes of a session in the wild.
"""

import asyncio
import base64
import json
import os
from contextlib import suppress

import aiohttp
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.bridge import websocket
from gateway.bridge.dialects import local_models_socket as dialect
from services.chassis import errors, limits
from tests.doubles import edge as edges
from tests.doubles import keys
from tests.doubles.bridge import bridging
from tests.doubles.session_room import said, sessions
from tests.integration.test_sockets import bare, text_frame

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")
CONFIG = json.dumps({"type": "config", "session_id": "1234-5678", "sample_rate": 16000})
END = json.dumps({"type": "end_of_stream"})


@in_module
async def running():
    async with sessions() as room:
        yield room


@pytest.fixture
def room(running):
    running.sessions.clear()
    running.refuses = None
    running.cuts = 0
    yield running
    running.cut_every(iter([0]))
    running.listens.set()
    running.thinks.set()


@in_module
async def bridge(running):
    async with bridging(jobs=running.address) as address:
        yield address


@in_module
async def edge(tmp_path_factory, bridge, running):
    folder = tmp_path_factory.mktemp("edge")
    async with edges.running(folder, {"bridge": bridge, "jobs": running.address}) as edge:
        yield edge


@in_module
async def guarded(tmp_path_factory, bridge, running):
    folder = tmp_path_factory.mktemp("guarded")
    targets = {"bridge": bridge, "jobs": running.address}
    async with edges.running(folder, targets, guarded=True) as edge:
        yield edge


@pytest.fixture(params=["straight", "through the edge"])
def url(request, bridge, edge):
    return f"ws://{bridge if request.param == 'straight' else edge.address}/ws/audio"


async def test_the_seeds_client_begins_at_once_and_reads_its_result_first(url, room):
    async with connect(url) as socket:
        await socket.send(CONFIG)
        await socket.send(b"hello ")
        await socket.send(b"world")
        await socket.send(END)
        final = await final_of(socket)
    assert list(final) == ["type", "session_id", "text", "analysis"]
    assert (final["session_id"], final["text"]) == ("1234-5678", "hello world")
    analysis = final["analysis"]
    assert analysis["transcript"] == [
        {"speaker": "S1", "start": 0.0, "end": 0.011, "text": "hello world"}
    ]
    assert (analysis["language"], analysis["summary"]) == ("es", "in short")
    assert [it["title"] for it in analysis["action_items"]] == ["Do it"]
    assert analysis["risks"] == ["It may fail"]
    assert (analysis["decisions"], analysis["open_questions"]) == ([], [])
    assert analysis["missing"] == ["decisions: the time was up"]
    assert analysis["transcription"] == "hello world"
    assert analysis["evidence"]["action_items"][0][0]["text"] == "hello world"


async def test_glasses_that_wait_for_ready_send_everything_as_bytes(url, room):
    async with connect(url) as socket:
        assert await told(socket) == {"type": "ready"}
        await socket.send(CONFIG.encode())
        await socket.send(b"whole recording")
        await socket.send(END.encode())
        assert (await final_of(socket))["text"] == "whole recording"


async def test_newer_glasses_wait_for_ready_and_stream_until_they_go_away(url, room):
    async with connect(url) as socket:
        assert await told(socket) == {"type": "ready"}
        await socket.send(CONFIG)
        for word in (b"one ", b"two ", b"three"):
            await socket.send(word)
        await socket.send(END)
        assert (await final_of(socket))["analysis"]["transcription"] == "one two three"
        await socket.close(1001)


async def test_audio_may_come_as_base64_in_json(url, room):
    async with connect(url) as socket:
        await socket.send(CONFIG)
        for i, word in enumerate((b"one ", b"two")):
            data = base64.b64encode(word).decode()
            await socket.send(json.dumps({"type": "audio_chunk", "chunk_id": i, "data_b64": data}))
        await socket.send(END)
        assert (await final_of(socket))["text"] == "one two"


async def test_partial_results_come_while_audio_goes_on(url, room):
    async with connect(url) as socket:
        await socket.send(CONFIG)
        await socket.send(b"one ")
        partial = await told(socket)
        assert (partial["type"], partial["text"]) == ("partial_result", "one")
        await socket.send(b"two")
        assert (await told(socket))["text"] == "one two"


async def test_several_sessions_follow_one_another_on_one_socket(url, room):
    async with connect(url) as socket:
        for i in range(3):
            await socket.send(json.dumps({"type": "config", "session_id": f"s{i}"}))
            await socket.send(f"talk {i}")
            await socket.send(b"talk %d" % i)
            await socket.send(END)
        finals = [await final_of(socket) for _ in range(3)]
    assert [(it["session_id"], it["text"]) for it in finals] == [
        ("s0", "talk 0"), ("s1", "talk 1"), ("s2", "talk 2")
    ]  # fmt: skip


async def test_what_came_of_a_session_whose_client_is_gone_is_told_by_its_id(edge, bridge, room):
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(CONFIG)
        for i in range(100):
            await socket.send(b"%02d " % i)
        socket.transport.abort()
    heard = await room.session(lambda it: it.is_ended and it.stream is None)
    assert heard.data == b"".join(b"%02d " % i for i in range(100))
    async with aiohttp.ClientSession() as http:
        for at in (f"http://{bridge}/sessions/1234-5678", f"{edge.url}/sessions/1234-5678"):
            async with http.get(at) as answer:
                kept = await answer.json()
            assert (answer.status, kept["state"]) == (200, "ended")
            assert kept["analysis"]["transcription"] == kept["text"] == heard.data.decode()
        async with http.get(f"{edge.url}/mesh/v1/sessions/1234-5678") as answer:
            assert (await answer.json())["session"]["analysis"]["summary"] == "in short"
        async with http.get(f"{edge.url}/sessions/nobody") as answer:
            assert (answer.status, await answer.json()) == (404, {"detail": "session nobody"})


async def test_a_session_that_is_open_has_no_analysis_yet(bridge, room):
    async with connect(f"ws://{bridge}/ws/audio") as socket, aiohttp.ClientSession() as http:
        await socket.send(CONFIG)
        await room.session()
        async with http.get(f"http://{bridge}/sessions/1234-5678") as answer:
            assert await answer.json() == {
                "session_id": "1234-5678", "state": "open", "text": "", "analysis": None
            }  # fmt: skip


async def test_a_stream_that_is_cut_again_and_again_changes_nothing(bridge, room, monkeypatch):
    monkeypatch.setattr("gateway.bridge.dialects.local_models_talk.RETRY_SECONDS", (0.01,))
    room.cut_every(iter(range(500, 25_000, 500)))
    words = [b"%04d " % i for i in range(5_000)]
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(CONFIG)
        for word in words:
            await socket.send(word)
        await socket.send(END)
        final = await final_of(socket)
    assert final["text"] == b"".join(words).decode()
    assert room.cuts > 10
    assert len(room.sessions) == 1


async def test_a_client_whose_socket_is_cut_takes_its_session_up_at_another(url, room):
    data = b"".join(b"%04d " % i for i in range(2_000))
    asked = {"type": "config", "session_id": "mine", "resumable": True}
    offset = 0
    for cut in (1_000, 3_000, 7_000, len(data)):
        async with connect(url) as socket:
            await socket.send(json.dumps(asked))
            opened = await told(socket)
            assert opened["type"] == "session"
            asked["resume_token"] = opened["resume_token"]
            assert opened["next_offset"] >= offset
            offset = opened["next_offset"]
            for at in range(offset, cut, 100):
                await socket.send(data[at : min(at + 100, cut)])
            if cut == len(data):
                await socket.send(END)
                assert (await final_of(socket))["text"] == data.decode()
                break
            while (held := await told(socket))["type"] != "acknowledged" or held["offset"] < 500:
                pass
            offset = held["offset"]
            socket.transport.abort()
    assert len(room.sessions) == 1
    assert room.sessions[0].streams >= 4


async def test_a_session_of_another_tenant_cannot_be_taken_up_or_read(guarded, bridge, room):
    at = f"ws://{guarded.address}/ws/audio?api_key="
    async with connect(at + keys.ACME) as socket:
        await socket.send(json.dumps({"type": "config", "session_id": "mine", "resumable": True}))
        opened = await told(socket)
        assert (await room.session()).tenant == "acme"
    # Straight to the bridge: who does not come through the edge is of the default tenant.
    async with connect(f"ws://{bridge}/ws/audio") as socket, aiohttp.ClientSession() as http:
        asked = {"type": "config", "session_id": "mine", "resume_token": opened["resume_token"]}
        await socket.send(json.dumps(asked))
        assert (await told(socket))["code"] == "NOT_FOUND"
        async with http.get(f"http://{bridge}/sessions/mine") as answer:
            assert answer.status == 404
        async with http.get(f"{guarded.url}/sessions/mine?api_key={keys.ACME}") as answer:
            assert answer.status == 200


@pytest.mark.parametrize("query", ["", f"?api_key={keys.EXPIRED}", f"?api_key={keys.FORGED}"])
async def test_a_refused_key_is_closed_with_a_code_that_a_client_reads(guarded, room, query):
    async with connect(f"ws://{guarded.address}/ws/audio{query}") as socket:
        with pytest.raises(ConnectionClosed):
            await told(socket)
        assert socket.close_code == 1008
    assert room.sessions == []


async def test_a_page_of_a_stranger_opens_no_socket(edge, room):
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(f"{edge.url}/ws/audio", origin="https://evil.example")


async def test_what_cannot_be_is_told_and_the_socket_goes_on(url, room):
    async with connect(url) as socket:
        await socket.send(json.dumps({"type": "config", "sample_rate": 7}))
        refused = await told(socket)
        assert refused["type"] == "error"
        assert refused["message"].startswith("sample_rate: ")
        await socket.send("no json")
        assert (await told(socket))["type"] == "warning"
        await socket.send(CONFIG)
        await socket.send(b"heard")
        await socket.send(END)
        assert (await final_of(socket))["text"] == "heard"


async def test_too_many_sessions_close_the_socket_with_the_reason(bridge, room):
    room.refuses = errors.Exhausted("too many people speak at once", remedy="try again later")
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(CONFIG)
        assert (await told(socket))["code"] == "EXHAUSTED"
        with pytest.raises(ConnectionClosed):
            await told(socket)
        assert (socket.close_code, socket.close_reason) == (
            1013, "too many people speak at once; try again later"
        )  # fmt: skip


async def test_a_message_over_the_limit_closes_its_socket_and_its_session_is_kept(url, room):
    async with connect(url) as socket:
        await socket.send(CONFIG)
        await socket.send(b"before")
        with suppress(ConnectionClosed):
            await socket.send(bytes(limits.SOCKET_MESSAGE_BYTES + 1))
        await socket.wait_closed()
        assert socket.close_code == 1009
    heard = await room.session(lambda it: it.is_ended)
    assert heard.data == b"before"


async def test_a_recording_in_one_message_is_taken_whole_however_slow_the_room(bridge, room):
    data = os.urandom(limits.SOCKET_MESSAGE_BYTES)
    room.listens.clear()
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(CONFIG)
        await socket.send(data)
        await socket.send(END)
        await (await socket.ping())
        room.listens.set()
        final = await final_of(socket, seconds=50)
    assert final["text"] == said(data)


async def test_who_sends_faster_than_the_room_hears_has_to_wait(bridge, room, monkeypatch):
    monkeypatch.setattr(dialect, "WAITING_BYTES", 64 * 1024)
    room.listens.clear()
    sent = 0

    async def flood(socket):
        nonlocal sent
        for i in range(4_000):
            await socket.send(b"%07d " % i * 1_024)
            sent += 8_192

    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(CONFIG)
        flooding = asyncio.create_task(flood(socket))
        done, _ = await asyncio.wait({flooding}, timeout=1)
        assert not done
        assert sent < 24 * 1024 * 1024
        room.listens.set()
        async with asyncio.timeout(50):
            reading = asyncio.create_task(drain(socket))
            await flooding
            await socket.send(END)
            final = await reading
    assert final["text"] == said(b"".join(b"%07d " % i * 1_024 for i in range(4_000)))


@pytest.mark.parametrize("sent", [b"", b"{", b"{}", b"\xff" * 999, b'{"type": "hello"}'])
async def test_garbage_is_audio_and_harms_nobody(bridge, room, sent):
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(CONFIG)
        await socket.send(sent)
        await socket.send(END)
        final = await final_of(socket)
    assert final["text"] == sent.decode(errors="replace")


async def test_hundreds_of_sessions_opened_and_abandoned_leave_nothing(bridge, room):
    async def visit(i):
        async with connect(f"ws://{bridge}/ws/audio") as socket:
            await socket.send(CONFIG if i % 3 else b"audio without settings")
            await socket.send(b"and more")
            if i % 2:
                socket.transport.abort()

    await visit(1)
    await room.session(lambda it: it.stream is None and it.is_ended)
    before = asyncio.all_tasks()
    for _ in range(8):
        await asyncio.gather(*map(visit, range(25)))
    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=10)
    assert left == set()
    assert all(it.stream is None and it.is_ended for it in room.sessions)


async def test_a_bridge_that_goes_away_hands_over_what_it_has(room):
    async with bridging(jobs=room.address) as bridge:
        socket = await connect(f"ws://{bridge}/ws/audio")
        await socket.send(CONFIG)
        await socket.send(b"all of it")
        await room.session(lambda it: it.data)
    await socket.wait_closed()
    assert socket.close_code == 1001
    assert (await room.session(lambda it: it.is_ended)).data == b"all of it"


async def test_a_client_that_is_gone_without_a_word_has_ended_its_session(
    bridge, room, monkeypatch
):
    monkeypatch.setattr(websocket, "HEARTBEAT_SECONDS", 0.2)
    async with bare(bridge, "/ws/audio") as (_, writing):
        writing.write(text_frame(CONFIG))
        audio = json.dumps({"type": "audio_chunk", "data_b64": base64.b64encode(b"ab").decode()})
        writing.write(text_frame(audio))
        # It answers no ping.
        heard = await room.session(lambda it: it.is_ended and it.stream is None)
    assert heard.data == b"ab"


async def test_who_sends_and_never_reads_is_heard_and_costs_little(bridge, room):
    data = base64.b64encode(b"x" * 60).decode()
    audio = text_frame(json.dumps({"type": "audio_chunk", "data_b64": data}))
    async with bare(bridge, "/ws/audio") as (_, writing):
        writing.write(text_frame(CONFIG))
        for _ in range(2_000):
            writing.write(audio)
            writing.write(text_frame("no json, which is worth a warning"))
            await writing.drain()
        await room.session(lambda it: len(it.data) == 120_000)


async def test_a_client_that_is_silent_in_its_session_is_waited_for(bridge, room, monkeypatch):
    monkeypatch.setattr(websocket, "HEARTBEAT_SECONDS", 0.1)
    async with connect(f"ws://{bridge}/ws/audio", ping_interval=None) as socket:
        await socket.send(CONFIG)
        with pytest.raises(TimeoutError):
            await told(socket, seconds=1)
        await socket.send(b"at last")
        await socket.send(END)
        assert (await final_of(socket))["text"] == "at last"


async def told(socket, seconds=10):
    async with asyncio.timeout(seconds):
        frame = await socket.recv()
    assert isinstance(frame, str)
    return json.loads(frame)


async def final_of(socket, seconds=10):
    while (final := await told(socket, seconds))["type"] != "final_result":
        assert final["type"] in ("partial_result", "warning", "acknowledged"), final
    return final


async def drain(socket):
    return await final_of(socket, seconds=50)
