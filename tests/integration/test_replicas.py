"""Several audio rooms: streams of one session find the one that has it, through the real edge and
from the jobs room.
"""

import asyncio
from contextlib import AsyncExitStack, aclosing

import numpy as np
import pytest
import yaml

from sensorium import edge as client_edge
from sensorium.audio import listen
from sensorium.edge import Edge
from services.chassis import client
from services.chassis.errors import NotFound
from services.jobs.peers import ListeningRoom
from services.jobs.sessions.live import Chunk, End, Opening, Ready, Resumption, Whole
from tests.doubles import edge as edges
from tests.doubles.audio_room import audio_room
from tests.doubles.recordings import silence
from tests.doubles.relay import relay
from tests.doubles.speech_of_tones import ToneTranscriber, pcm16, said, spoken
from tests.integration.test_listening import SETTINGS

REPLICAS = 3
WORDS = [1, 2, 3, 4]
TALK = pcm16(np.concatenate([spoken(WORDS), silence(1)]))


@pytest.fixture
async def replicas():
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(audio_room(ToneTranscriber())) for _ in range(REPLICAS)
        ]


@pytest.fixture
async def edge(replicas, tmp_path, monkeypatch):
    """An edge to which the name of the audio room means all replicas."""
    render = edges.render

    def rendered(config):
        whole = yaml.safe_load(render(config))
        for cluster in whole["static_resources"]["clusters"]:
            if cluster["name"].startswith("audio"):
                (locality,) = cluster["load_assignment"]["endpoints"]
                locality["lb_endpoints"] = [_endpoint(it) for it in replicas]
        return yaml.safe_dump(whole)

    monkeypatch.setattr(edges, "render", rendered)
    async with edges.running(tmp_path, {"audio": replicas[0]}) as running:
        yield running


async def test_a_line_through_the_edge_is_taken_up_by_the_replica_that_has_the_session(
    edge, monkeypatch, caplog
):
    monkeypatch.setattr(client_edge, "RETRY_SECONDS", (0.02,))
    cuts = 0

    async def cutting(line):
        nonlocal cuts
        for at in range(0, len(TALK), 8_000):
            yield TALK[at : at + 8_000]
            if at % 16_000 == 0:
                line.drop()
                cuts += 1
            await asyncio.sleep(0.05)

    async def heard():
        async with (
            relay(edge.url) as line,
            aclosing(listen(cutting(line), SETTINGS, Edge(line.url))) as answers,
        ):
            return [it async for it in answers][-1].final.text

    async with asyncio.timeout(40):
        texts = await asyncio.gather(*(heard() for _ in range(4)))
    assert texts == [said(WORDS)] * 4
    assert cuts > 20
    assert "taken up again" in caplog.text
    assert "forgotten" not in caplog.text


async def test_the_jobs_room_finds_the_replica_that_has_the_session(replicas):
    async with client.channel(f"ipv4:{','.join(replicas)}", sticky=True) as channel:
        room = ListeningRoom(channel)
        for number in range(12):
            key = f"session-{number}"
            async with aclosing(room.listen(Opening(hearing_key=key), _said(TALK))) as heard:
                ready = await anext(heard)
                assert isinstance(ready, Ready)
            again = Resumption(ready.session_id, ready.token, hearing_key=key)
            async with asyncio.timeout(20), aclosing(room.listen(again, _said(TALK, End()))) as it:
                *_, whole = [each async for each in it]
            assert isinstance(whole, Whole)
            assert whole.transcript.text == said(WORDS)


async def test_sessions_of_the_jobs_room_are_spread_over_the_replicas(replicas):
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(
            client.channel(f"ipv4:{','.join(replicas)}", sticky=True)
        )
        alone = [await stack.enter_async_context(client.channel(it)) for it in replicas]
        where = set()
        for number in range(12):
            opening = Opening(hearing_key=f"session-{number}")
            async with aclosing(ListeningRoom(channel).listen(opening, _said(TALK))) as heard:
                ready = await anext(heard)
            for place, replica in enumerate(alone):
                if await _has(replica, ready):
                    where.add(place)
    assert where == set(range(REPLICAS))


async def _has(channel, ready):
    again = Resumption(ready.session_id, ready.token)
    try:
        async with aclosing(ListeningRoom(channel).listen(again, _said())) as heard:
            return isinstance(await anext(heard), Ready)
    except NotFound:
        return False


async def _said(data=b"", *rest):
    if data:
        yield Chunk(data, 0)
    for it in rest:
        yield it
    if not rest:
        await asyncio.Event().wait()


def _endpoint(address):
    host, _, port = address.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
