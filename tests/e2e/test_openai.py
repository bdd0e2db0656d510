"""OpenAI's own client on the real mesh: chat, pictures, recordings, and speech while it goes on."""

import asyncio
import base64
import io
import json
import random
from contextlib import suppress

import numpy as np
import openai
import pytest_asyncio

from models.aisle.world import draw, random_scene
from services.media import audio
from tests.doubles.recordings import DIALOGUE, TRUTH
from tests.doubles.speech_of_tones import pcm16
from tests.doubles.word_error import word_error_rate

SCENE = random_scene(random.Random(11))
SAID = " ".join(turn["text"] for turn in json.loads(TRUTH.read_text())["turns"])
COMPLETED = "conversation.item.input_audio_transcription.completed"
SECOND = 24_000 * 2
"""Bytes of a second of speech, as OpenAI's clients send it."""


@pytest_asyncio.fixture(loop_scope="session")
async def client(mesh):
    async with openai.AsyncOpenAI(base_url=f"{mesh.url}/v1", api_key="any", timeout=150) as client:
        yield client


async def test_each_room_has_its_model_and_answers_by_its_name(client):
    models = {it.room: it.id async for it in client.models.list()}
    assert set(models) == {"vision", "reasoning", "audio"}
    written = io.BytesIO()
    draw(SCENE, random.Random(5)).save(written, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"
    picture = {"type": "image_url", "image_url": {"url": url}}
    question = {"type": "text", "text": "What is there?"}
    seen = await client.chat.completions.create(
        model=models["vision"],
        messages=[{"role": "user", "content": [question, picture]}],
        temperature=0,
    )
    assert seen.choices[0].message.content == SCENE.caption
    stream = await client.chat.completions.create(
        model=models["reasoning"],
        messages=[{"role": "user", "content": "Say hello."}],
        max_tokens=8,
        stream=True,
        stream_options={"include_usage": True},
    )
    told = [it async for it in stream]
    assert "".join(it.choices[0].delta.content or "" for it in told if it.choices)
    assert 0 < told[-1].usage.completion_tokens <= 8


async def test_a_recording_is_heard_whole_and_while_it_is_told(client):
    heard = await client.audio.transcriptions.create(
        model="whisper-1",
        file=DIALOGUE,
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert word_error_rate(SAID, heard.text) < 0.15
    assert heard.words[-1].end <= heard.duration
    stream = await client.audio.transcriptions.create(
        model="default", file=DIALOGUE, stream=True, language="en"
    )
    told = [it async for it in stream]
    assert "".join(it.delta for it in told[:-1]) == told[-1].text
    assert len(told) > 5
    assert word_error_rate(SAID, told[-1].text) < 0.25


async def test_speech_is_told_while_it_goes_on_and_whole_when_it_is_committed(client):
    blocks = [it async for it in audio.decode(DIALOGUE.read_bytes(), field="audio")]
    speech = np.concatenate(blocks)
    places = np.arange(int(len(speech) * 1.5)) / 1.5
    data = pcm16(np.interp(places, np.arange(len(speech)), speech).astype(np.float32))
    manual = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    query = {"intent": "transcription"}
    told = asyncio.Event()
    deltas: list[str] = []

    async def speak(connection) -> None:
        # As in life, since words are told when two looks at growing speech agree on them.
        for at in range(0, len(data), SECOND):
            encoded = base64.b64encode(data[at : at + SECOND]).decode()
            await connection.input_audio_buffer.append(audio=encoded)
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 1)
                break
        assert told.is_set()
        await connection.input_audio_buffer.commit()

    async with (
        client.realtime.connect(extra_query=query) as connection,
        asyncio.timeout(120),
        asyncio.TaskGroup() as tasks,
    ):
        assert (await connection.recv()).type == "session.created"
        await connection.session.update(session=manual)
        tasks.create_task(speak(connection))
        async for event in connection:
            if event.type.endswith("transcription.delta"):
                deltas.append(event.delta)
                told.set()
            if event.type == COMPLETED:
                break
    assert "".join(deltas) == event.transcript
    heard = event.transcript.split()
    assert word_error_rate(" ".join(SAID.split()[: len(heard)]), event.transcript) < 0.4
