"""The audio socket of the Local Models API, and the client library, before the real session
service: cut sockets, clients that are gone, and what a session comes to.
"""

import asyncio
import json
import random
from contextlib import aclosing

import aiohttp
import pytest
from mesh.jobs.v1.session_service_pb2 import SessionSettings
from websockets.asyncio.client import connect

from sensorium import edge
from sensorium.audio import analyze
from sensorium.edge import Edge
from tests.doubles.bridge import bridging
from tests.doubles.relay import relay
from tests.integration.test_sessions import TALK, serving

SAID = "one seven two five. three nine four five. eight eight five."
CONFIG = {"type": "config", "session_id": "glasses", "sample_rate": 16_000, "language": "en"}
END = json.dumps({"type": "end_of_stream"})


@pytest.fixture
async def room(database):
    async with serving(database) as at:
        yield at


@pytest.fixture
async def bridge(room):
    async with bridging(jobs=room) as at:
        yield at


async def test_a_client_that_wants_it_is_told_how_far_the_analysis_is(bridge):
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(json.dumps(CONFIG | {"progress": True}))
        await socket.send(TALK)
        await socket.send(END)
        told = [await heard(socket)]
        while told[-1]["type"] != "final_result":
            told.append(await heard(socket))
    progress = [it for it in told if it["type"] == "progress"]
    assert progress
    assert all(it["answered"] <= it["asked"] for it in progress)


async def test_a_session_is_told_as_it_is_heard_and_analysed_in_the_shape_of_the_original(bridge):
    half = len(TALK) // 2
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(json.dumps(CONFIG))
        await socket.send(TALK[:half])
        told = [await heard(socket)]
        assert told[0]["type"] == "partial_result"
        assert told[0]["text"].split()[0] == "one"
        await socket.send(TALK[half:])
        await socket.send(END)
        while told[-1]["type"] != "final_result":
            told.append(await heard(socket))
    assert {it["type"] for it in told[:-1]} == {"partial_result"}
    assert told[-1]["text"] == SAID
    analysis = told[-1]["analysis"]
    assert analysis["decisions"]
    assert analysis["evidence"]["decisions"][0][0]["text"] == "one seven two five."
    assert analysis["action_items"][0]["title"]
    assert analysis["risks"]
    assert [it["text"] for it in analysis["transcript"]] == SAID.replace(". ", ".|").split("|")


async def test_a_socket_that_is_cut_fifty_times_changes_nothing(bridge):
    chance, config, offset, cuts = random.Random(7), CONFIG | {"resumable": True}, 0, 0
    final = None
    while final is None:
        async with connect(f"ws://{bridge}/ws/audio") as socket:
            await socket.send(json.dumps(config))
            while (told := await heard(socket))["type"] != "session":
                pass
            assert told["next_offset"] >= offset
            config["resume_token"], begin = told["resume_token"], told["next_offset"]
            sent = len(TALK) if cuts == 50 else min(begin + chance.randrange(20_000), len(TALK) - 1)
            for at in range(begin, sent, 3_200):
                await socket.send(TALK[at : min(at + 3_200, sent)])
            if cuts == 50:
                await socket.send(END)
                while (final := await heard(socket))["type"] != "final_result":
                    pass
            else:
                offset, cuts = begin, cuts + 1
                socket.transport.abort()
    assert final["text"] == SAID


async def test_of_a_client_that_is_gone_the_session_is_analysed_and_told_to_who_asks(bridge):
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(json.dumps(CONFIG))
        await socket.send(TALK)
        socket.transport.abort()
    async with aiohttp.ClientSession(f"http://{bridge}") as http, asyncio.timeout(30):
        while True:
            async with http.get("/sessions/glasses") as answer:
                kept = await answer.json()
            if kept.get("state") == "ended":
                break
            await asyncio.sleep(0.05)
    assert (kept["text"], kept["analysis"]["transcription"]) == (SAID, SAID)
    assert kept["analysis"]["decisions"]


async def test_audio_that_is_none_is_told_for_what_it_is(bridge):
    async with connect(f"ws://{bridge}/ws/audio") as socket:
        await socket.send(json.dumps(CONFIG | {"encoding": "ogg"}))
        for _ in range(50):
            await socket.send(b"no ogg at all " * 1_000)
        await socket.send(END)
        told = await heard(socket)
        assert (told["type"], told["code"]) == ("error", "AUDIO_UNREADABLE")
        assert told["message"].startswith("audio: is not a recording")
        await socket.send(json.dumps(CONFIG))
        await socket.send(TALK)
        await socket.send(END)
        while (told := await heard(socket))["type"] != "final_result":
            pass
        assert told["text"] == SAID


async def test_a_client_of_the_library_whose_line_is_cut_has_the_same_analysis(room, monkeypatch):
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.02,))

    async def cutting(line):
        for at in range(0, len(TALK), 16_000):
            yield TALK[at : at + 16_000]
            if at % 48_000 == 0:
                line.drop()
            await asyncio.sleep(0.01)

    async with relay(f"http://{room}") as line, asyncio.timeout(40):
        told = analyze(cutting(line), SessionSettings(language="en"), Edge(line.url))
        async with aclosing(told) as each:
            answers = [it async for it in each]
    assert answers[-1].analysis.transcript.text == SAID
    assert answers[-1].analysis.decisions
    assert [it.segment.text for it in answers if it.HasField("segment")] == [
        it.text for it in answers[-1].analysis.transcript.segments
    ]


async def heard(socket):
    async with asyncio.timeout(30):
        return json.loads(await socket.recv())
