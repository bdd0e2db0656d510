"""OpenAI's own client on the realtime socket of the real bridge and edge: ears that hear tones."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import numpy as np
import openai
import pytest
import pytest_asyncio
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.bridge.dialects.openai_realtime_call import Call
from services.audio.sessions import Bounds
from tests.doubles import edge as edges
from tests.doubles import keys
from tests.doubles.audio_room import audio_room
from tests.doubles.bridge import bridging
from tests.doubles.recordings import silence
from tests.doubles.speech_of_tones import ToneTranscriber, pcm16, said, spoken

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

EVENTS = TypeAdapter(RealtimeServerEvent)
FIRST, SECOND = [1, 2, 3, 4, 6], [7, 8, 9]
CHUNK = 4_800
"""A tenth of a second."""


@in_module
async def rooms():
    async with audio_room(ToneTranscriber()) as audio, bridging(audio=audio) as bridge:
        yield {"audio": audio, "bridge": bridge}


@in_module
async def edge(tmp_path_factory, rooms):
    async with edges.running(tmp_path_factory.mktemp("edge"), rooms) as edge:
        yield edge


@in_module
async def guarded_edge(tmp_path_factory, rooms):
    folder = tmp_path_factory.mktemp("guarded")
    async with edges.running(folder, rooms, guarded=True) as edge:
        yield edge


@pytest.fixture(params=["straight", "through the edge"])
def address(request, rooms, edge):
    return rooms["bridge"] if request.param == "straight" else edge.address


class Talk:
    """A connection of the client, and all that it was told."""

    def __init__(self, connection):
        self.connection = connection
        self.told = []

    async def until(self, kind, *, count=1):
        async with asyncio.timeout(20):
            while sum(it.type == kind for it in self.told) < count:
                data = await self.connection.recv_bytes()
                # The client itself takes whatever it can; the shapes must be right.
                self.told.append(EVENTS.validate_json(data))
        return [it for it in self.told if it.type == kind][-1]

    async def set(self, **settings):
        session = {"type": "transcription", "audio": {"input": settings}}
        await self.connection.session.update(session=session)
        return await self.until(
            "session.updated", count=1 + sum(it.type == "session.updated" for it in self.told)
        )

    async def say(self, data):
        for at in range(0, len(data), CHUNK):
            audio = base64.b64encode(data[at : at + CHUNK]).decode()
            await self.connection.input_audio_buffer.append(audio=audio)

    def kinds(self):
        short = [
            it.type.removeprefix("conversation.item.").removeprefix("input_audio_")
            for it in self.told
        ]
        return [
            it
            for place, it in enumerate(short)
            if it != "transcription.delta" or it not in short[place - 1]
        ]


@asynccontextmanager
async def talking(address, key="any", **query):
    client = openai.AsyncOpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0)
    asked = {"intent": "transcription"} | query
    async with client, client.realtime.connect(extra_query=asked) as connection:
        talk = Talk(connection)
        await talk.until("session.created")
        yield talk


def pcm(*samples):
    """As realtime clients send: 24 kHz."""
    joined = np.concatenate(samples)
    places = np.arange(int(len(joined) * 1.5)) / 1.5
    return pcm16(np.interp(places, np.arange(len(joined)), joined))


async def test_turns_are_found_and_told_while_they_are_spoken(address):
    async with talking(address) as talk:
        created = talk.told[0].session
        assert created.type == "transcription"
        assert created.audio.input.transcription.model == "fake-ears"
        assert created.audio.input.turn_detection.type == "server_vad"
        await talk.say(pcm(silence(0.5), spoken(FIRST), silence(2), spoken(SECOND), silence(1.5)))
        await talk.until("conversation.item.input_audio_transcription.completed", count=2)
    completed = [it for it in talk.told if it.type.endswith("transcription.completed")]
    assert [it.transcript for it in completed] == [said(FIRST), said(SECOND)]
    for it in completed:
        deltas = [
            each.delta
            for each in talk.told
            if each.type.endswith(".delta") and each.item_id == it.item_id
        ]
        assert "".join(deltas) == it.transcript
    started = [it for it in talk.told if it.type.endswith("speech_started")]
    assert [it.item_id for it in started] == [it.item_id for it in completed]
    assert [it.audio_start_ms for it in started] == pytest.approx([200, 4_700], abs=300)
    committed = [it for it in talk.told if it.type.endswith("buffer.committed")]
    assert [it.previous_item_id for it in committed] == [None, completed[0].item_id]
    assert talk.kinds()[1:9] == [
        "buffer.speech_started",
        "transcription.delta",
        *(["transcription.segment"]),
        "buffer.speech_stopped",
        "buffer.committed",
        "added",
        "done",
        "transcription.completed",
    ]


async def test_a_client_may_say_itself_where_turns_end(address):
    async with talking(address) as talk:
        updated = await talk.set(
            turn_detection=None, transcription={"model": "whisper-1", "language": "en"}
        )
        assert updated.session.audio.input.turn_detection is None
        await talk.say(pcm(silence(0.5), spoken(FIRST), silence(1)))
        await talk.connection.input_audio_buffer.commit()
        await talk.say(pcm(spoken(SECOND)))
        await talk.connection.input_audio_buffer.commit()
        await talk.until("conversation.item.input_audio_transcription.completed", count=2)
    completed = [it for it in talk.told if it.type.endswith("transcription.completed")]
    assert [it.transcript for it in completed] == [said(FIRST), said(SECOND)]
    assert not [it for it in talk.told if "speech" in it.type]


async def test_telephones_are_heard_and_a_turn_can_be_taken_back(address):
    async with talking(address) as talk:
        await talk.set(format={"type": "audio/pcmu"}, turn_detection=None)
        await talk.say(b"\xff" * 8_000)
        await talk.connection.input_audio_buffer.clear()
        await talk.until("input_audio_buffer.cleared")
        await talk.say(mulaw(silence(0.5), spoken(FIRST), silence(0.5)))
        await talk.connection.input_audio_buffer.commit()
        completed = await talk.until("conversation.item.input_audio_transcription.completed")
    assert completed.transcript == said(FIRST)
    assert completed.usage.seconds == pytest.approx(1 + 0.5 * len(FIRST), abs=0.05)
    segment = next(it for it in talk.told if it.type.endswith("segment"))
    assert segment.start == pytest.approx(1.5, abs=0.2)


async def test_a_turn_goes_on_after_a_silence_in_which_the_room_hung_up(monkeypatch):
    silent, outlasts_silence = asyncio.Event(), Call.outlasts_silence
    monkeypatch.setattr(Call, "outlasts_silence", lambda it: silent.set() or outlasts_silence(it))
    room = audio_room(ToneTranscriber(), bounds=Bounds(idle_seconds=0.5))
    async with room as audio, bridging(audio=audio) as bridge, talking(bridge) as talk:
        await talk.set(turn_detection=None)
        await talk.say(pcm(silence(0.5), spoken(FIRST)))
        await asyncio.wait_for(silent.wait(), 20)
        await talk.say(pcm(spoken(SECOND)))
        await talk.connection.input_audio_buffer.commit()
        completed = await talk.until("conversation.item.input_audio_transcription.completed")
    assert completed.transcript == said(FIRST + SECOND)


async def test_what_is_wrong_is_told_and_the_socket_stays(address):
    async with talking(address) as talk:
        await talk.connection.input_audio_buffer.commit(event_id="mine")
        error = (await talk.until("error")).error
        assert (error.code, error.event_id) == ("input_audio_buffer_commit_empty", "mine")
        await talk.connection.response.create(event_id="other")
        error = (await talk.until("error", count=2)).error
        assert (error.type, error.event_id) == ("invalid_request_error", "other")
        await talk.connection.send({"type": "input_audio_buffer.append", "audio": "#"})
        assert (await talk.until("error", count=3)).error.param == "audio"
        updated = await talk.set(noise_reduction={"type": "near_field"})
        assert updated.session.audio.input.noise_reduction is None


async def test_who_cannot_be_served_is_told_why(rooms, guarded_edge):
    async with talking(guarded_edge.address, key=keys.ACME):
        pass
    for key, query, code in (
        (keys.EXPIRED, {}, 1008),
        (keys.ACME, {"intent": "conversation"}, 1008),
        (keys.ACME, {"model": "gpt-realtime"}, 1008),
    ):
        with pytest.raises(ConnectionClosed) as closed:
            async with talking(guarded_edge.address, key=key, **query):
                pass
        assert closed.value.rcvd.code == code
    async with bridging() as lonely:
        with pytest.raises(ConnectionClosed) as closed:
            async with talking(lonely):
                pass
        assert closed.value.rcvd.code == 1013


async def test_a_browser_agrees_on_the_protocol_of_its_client(address):
    url = f"ws://{address}/v1/realtime?intent=transcription"
    async with connect(url, subprotocols=["realtime", "openai-insecure-api-key.x"]) as socket:
        assert socket.subprotocol == "realtime"
        assert json.loads(await socket.recv())["type"] == "session.created"


def mulaw(*samples):
    pcm = np.concatenate(samples)[::2]
    magnitude = np.log1p(255 * np.abs(pcm)) / np.log1p(255)
    code = (magnitude * 127).round().astype(np.uint8)
    return (~np.where(pcm < 0, code | 0x80, code) & 0xFF).astype(np.uint8).tobytes()
