"""OpenAI's own client on the real bridge and edge: the rooms' ears and engines are doubles."""

import asyncio
import base64
from contextlib import AsyncExitStack

import numpy as np
import openai
import pytest
import pytest_asyncio
from openai.types.audio import TranscriptionDiarized
from pydantic import BaseModel

from services.chassis import limits
from tests.doubles import edge as edges
from tests.doubles import keys
from tests.doubles.audio_room import audio_room
from tests.doubles.bridge import bridging
from tests.doubles.chat_rooms import reasoning_room, vision_room
from tests.doubles.diarizer_fake import FakeDiarizer
from tests.doubles.engine_server import (
    MODEL,
    SENTENCE,
    cut_stream,
    engine_server,
    hang,
    stream_then_hang,
)
from tests.doubles.pictures import scene_png
from tests.doubles.recordings import encoded, silence
from tests.doubles.speech_of_tones import ToneTranscriber, said, spoken

pytestmark = pytest.mark.asyncio(loop_scope="module")
in_module = pytest_asyncio.fixture(loop_scope="module", scope="module")

WORDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]
SPEECH = np.concatenate([silence(1), spoken(WORDS), silence(2)])
WAV = encoded(SPEECH)


@in_module
async def engine():
    async with engine_server() as engine:
        yield engine


@in_module
async def rooms(engine):
    async with (
        vision_room(engine.url) as vision,
        reasoning_room(engine.url) as reasoning,
        audio_room(ToneTranscriber(), FakeDiarizer()) as audio,
        bridging(vision, reasoning=reasoning, audio=audio) as bridge,
    ):
        yield {"vision": vision, "reasoning": reasoning, "audio": audio, "bridge": bridge}


@in_module
async def edge(tmp_path_factory, rooms):
    async with edges.running(tmp_path_factory.mktemp("edge"), rooms) as edge:
        yield edge


@in_module
async def guarded_edge(tmp_path_factory, rooms):
    folder = tmp_path_factory.mktemp("guarded")
    async with edges.running(folder, rooms, guarded=True) as edge:
        yield edge


@in_module
async def clients():
    async with AsyncExitStack() as stack:
        made = {}

        async def client(address, key="any"):
            if (address, key) not in made:
                base = f"http://{address}/v1"
                fresh = openai.AsyncOpenAI(base_url=base, api_key=key, max_retries=0, timeout=30)
                made[address, key] = await stack.enter_async_context(fresh)
            return made[address, key]

        yield client


@pytest_asyncio.fixture(params=["straight", "through the edge"], loop_scope="module")
async def client(request, rooms, edge, clients):
    return await clients(rooms["bridge"] if request.param == "straight" else edge.address)


async def transcribe(client, data=WAV, name="speech.wav", **options):
    sent = {"model": "whisper-1", "file": (name, data)} | options
    return await client.audio.transcriptions.create(**sent)


async def test_the_models_are_listed_and_told(client):
    listed = [it async for it in client.models.list()]
    assert {(it.id, it.room) for it in listed} == {(MODEL, "vision"), ("fake-ears", "audio")}
    assert (await client.models.retrieve("fake-ears")).owned_by == "fake"
    with pytest.raises(openai.NotFoundError) as failed:
        await client.models.retrieve("org/gpt-9")
    assert (failed.value.code, failed.value.param) == ("model_not_found", "model")


async def test_a_recording_comes_back_in_words(client):
    told = await transcribe(client, prompt="one, two", language="en", temperature=0)
    assert told.text == said(WORDS)
    assert told.usage.type == "duration"
    assert told.usage.seconds == pytest.approx(len(SPEECH) / 16_000, abs=0.01)


async def test_a_recording_comes_back_with_its_times(client):
    told = await transcribe(
        client, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert " ".join(it.word for it in told.words) == said(WORDS) == told.text
    assert told.segments[0].start == pytest.approx(told.words[0].start, abs=0.01)
    assert told.words[0].start == pytest.approx(1.0, abs=0.2)


async def test_a_recording_comes_back_as_text_and_subtitles(client):
    assert await transcribe(client, response_format="text") == said(WORDS) + "\n"
    assert (await transcribe(client, response_format="srt")).startswith("1\n00:00:0")
    assert (await transcribe(client, response_format="vtt")).startswith("WEBVTT\n\n00:00:0")


@pytest.mark.parametrize("kind", [("wav", "pcm_s16le"), ("ogg", "libopus"), ("mp4", "aac")])
async def test_a_recording_is_told_as_it_is_heard(client, kind):
    data = WAV if kind[0] == "wav" else encoded(SPEECH, *kind, rate=48_000)
    stream = await transcribe(client, data, stream=True)
    told = [it async for it in stream]
    assert {it.type for it in told[:-1]} == {"transcript.text.delta"}
    assert told[-1].type == "transcript.text.done"
    assert "".join(it.delta for it in told[:-1]) == told[-1].text
    if kind[0] == "wav":
        assert told[-1].text == said(WORDS)
        assert len(told) > 2


async def test_a_recording_comes_back_with_who_said_what(client):
    told = await transcribe(
        client, model="gpt-4o-transcribe-diarize", response_format="diarized_json",
        chunking_strategy="auto",
    )  # fmt: skip
    assert isinstance(told, TranscriptionDiarized)
    assert " ".join(it.text for it in told.segments) == said(WORDS) == told.text
    assert {it.speaker for it in told.segments} <= {"A", "B"}
    assert told.speakers_told_apart is True
    stream = await transcribe(client, response_format="diarized_json", stream=True)
    events = [it async for it in stream]
    segments = [it for it in events if it.type == "transcript.text.segment"]
    assert " ".join(it.text for it in segments) == said(WORDS)
    assert {it.speaker for it in segments} <= {"A", "B"}
    assert events[-1].type == "transcript.text.done"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("data", [b"no recording", bytes(3 * limits.MEBIBYTE)])
async def test_what_is_no_recording_is_told_as_a_bad_request(client, data, stream):
    with pytest.raises(openai.BadRequestError) as failed:
        await transcribe(client, data, stream=stream)
    assert failed.value.param == "file"
    assert failed.value.body["message"].startswith("file: ")


async def chat(client, content="Who is there?", **options):
    messages = [{"role": "user", "content": content}]
    return await client.chat.completions.create(model="default", messages=messages, **options)


def picture():
    encoded = base64.b64encode(scene_png()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


async def test_a_conversation_is_answered(client, engine):
    told = await chat(client, max_tokens=4, temperature=0, seed=7, stop=["box"])
    (choice,) = told.choices
    assert (choice.message.content, choice.finish_reason) == ("The shelf holds three ", "length")
    assert told.model == MODEL
    assert told.usage.total_tokens == told.usage.prompt_tokens + told.usage.completion_tokens
    sent = engine.bodies[-1]
    assert (sent["max_tokens"], sent["seed"], sent["stop"]) == (4, 7, ["box"])


async def test_a_picture_is_looked_at(client, engine):
    told = await chat(client, [{"type": "text", "text": "What is this?"}, picture()])
    assert told.choices[0].message.content == SENTENCE
    (text, image) = engine.bodies[-1]["messages"][-1]["content"]
    assert {text["type"], image["type"]} == {"text", "image_url"}


@pytest.mark.parametrize("sees", [False, True])
async def test_an_answer_is_told_as_it_is_written(client, sees):
    content = [{"type": "text", "text": "What is this?"}, *([picture()] if sees else [])]
    stream = await chat(client, content, stream=True, stream_options={"include_usage": True})
    told = [it async for it in stream]
    written = [it.choices[0].delta.content for it in told if it.choices]
    assert "".join(filter(None, written)) == SENTENCE
    assert len(written) > 5
    assert told[-1].usage.completion_tokens > 5


async def test_json_of_a_shape_is_parsed_by_the_client(client, engine, monkeypatch):
    monkeypatch.setattr(engine, "reply", lambda body: '{"boxes": 3, "colour": "red"}')
    told = await client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "What is there?"}],
        response_format=Shelf,
    )
    assert told.choices[0].message.parsed == Shelf(boxes=3, colour="red")


class Shelf(BaseModel):
    boxes: int
    colour: str


async def test_a_model_or_a_picture_that_cannot_be_is_told(client):
    with pytest.raises(openai.NotFoundError) as failed:
        await client.chat.completions.create(
            model="gpt-9", messages=[{"role": "user", "content": "Hi"}]
        )
    assert failed.value.code == "model_not_found"
    inside = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/a.jpg"}}
    for image in (
        inside,
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ):
        with pytest.raises(openai.BadRequestError) as failed:
            await chat(client, [image])
        assert failed.value.param == "messages[0].content[0].image_url.url"


async def test_an_engine_that_fails_amid_an_answer_is_told(client, engine):
    engine.faults.append(cut_stream)
    with pytest.raises(openai.APIError, match="engine"):
        [it async for it in await chat(client, stream=True)]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_frees_the_engine(client, engine, stream):
    engine.hung_up.clear()
    engine.chatting.clear()
    engine.faults.append(hang)
    asking = asyncio.create_task(chat(client, stream=stream))
    await asyncio.wait_for(engine.chatting.wait(), 10)
    asking.cancel()
    await asyncio.wait_for(engine.hung_up.wait(), 10)


async def test_a_client_that_leaves_amid_an_answer_frees_the_engine(client, engine):
    engine.hung_up.clear()
    engine.faults.append(stream_then_hang)
    stream = await chat(client, stream=True)
    assert (await anext(stream.__aiter__())).choices[0].delta.role == "assistant"
    await stream.close()
    await asyncio.wait_for(engine.hung_up.wait(), 10)


async def test_what_is_not_served_is_named(client):
    with pytest.raises(openai.BadRequestError) as failed:
        await transcribe(client, extra_body={"vad_filter": True})
    assert (failed.value.code, failed.value.param) == ("unknown_parameter", "vad_filter")
    with (
        pytest.raises(openai.BadRequestError) as failed,
        pytest.warns(DeprecationWarning, match="deprecated"),
    ):
        await client.audio.translations.create(model="whisper-1", file=("a.wav", WAV))
    assert failed.value.code == "unsupported_endpoint"
    with pytest.raises(openai.NotFoundError) as failed:
        await client.responses.create(model="default", input="Hi")
    assert failed.value.body["message"].startswith("nothing answers POST /v1/responses")


async def test_a_recording_over_the_limit_is_told(client):
    with pytest.raises(openai.APIStatusError) as failed:
        await transcribe(client, bytes(limits.BODY_BYTES + 1))
    assert (failed.value.status_code, failed.value.code) == (413, "body_too_large")
    assert "/mesh/v1/audio:transcribeStream" in failed.value.message


async def test_a_good_key_opens_and_any_other_is_refused(guarded_edge, clients):
    good = await clients(guarded_edge.address, keys.ACME)
    assert (await transcribe(good)).text == said(WORDS)
    with pytest.raises(openai.AuthenticationError) as failed:
        await transcribe(await clients(guarded_edge.address, keys.EXPIRED))
    assert failed.value.code == "invalid_api_key"
    assert "the key is not accepted" in failed.value.message


async def test_rooms_and_a_bridge_that_are_down_are_told(tmp_path, clients):
    async with bridging() as bridge:
        lonely = await clients(bridge)
        assert [it async for it in lonely.models.list()] == []
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as failed:
                await transcribe(lonely, stream=stream)
            assert failed.value.status_code == 503
    async with edges.running(tmp_path, {}) as edge:
        with pytest.raises(openai.InternalServerError) as failed:
            await transcribe(await clients(edge.address))
        assert (failed.value.status_code, failed.value.type) == (503, "server_error")
        assert failed.value.response.headers["retry-after"] == "1"
        assert "does not answer" in failed.value.body["message"]


async def test_many_are_heard_at_once(client):
    told = await asyncio.gather(*(transcribe(client) for _ in range(6)))
    assert {it.text for it in told} == {said(WORDS)}
