"""What every `Diarizer` must do: the exam that the tests' double sits, and senko in
`make test-engines`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
import pytest_asyncio

from services.audio.domain import SpeakerTurn
from services.audio.ports import Diarizer
from services.media import audio
from services.media.audio import SAMPLE_RATE_HZ, Samples
from tests.doubles import recordings
from tests.doubles.diarizer_fake import FakeDiarizer
from tests.doubles.speakers_senko import diarizer as senko

pytestmark = pytest.mark.asyncio(loop_scope="module")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "diarizer" in metafunc.fixturenames:
        real = metafunc.config.pluginmanager.has_plugin("tests.doubles.speakers_senko")
        names = ["senko" if real else "fake"]
        metafunc.parametrize("diarizer", names, indirect=True, scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def diarizer(request: pytest.FixtureRequest) -> AsyncIterator[Diarizer]:
    made: Diarizer = senko() if request.param == "senko" else FakeDiarizer()
    made.start()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def talk() -> Samples:
    """A woman and a man who take turns."""

    async def decoded() -> Samples:
        recording = recordings.DIALOGUE.read_bytes()
        return np.concatenate([it async for it in audio.decode(recording, field="audio")])

    return asyncio.run(decoded())


async def heard(diarizer: Diarizer, *blocks: Samples) -> Sequence[SpeakerTurn]:
    diarization = diarizer.listen()
    try:
        for block in blocks:
            diarization.feed(block)
            await diarization.room()
        return await diarization.turns()
    finally:
        diarization.close()


def voice_at(turns: Sequence[SpeakerTurn], seconds: float) -> int:
    return next(it.voice for it in turns if it.start_seconds <= seconds <= it.end_seconds)


async def test_who_takes_turns_is_told_apart(diarizer, talk):
    turns = await heard(diarizer, talk)
    told = json.loads(recordings.TRUTH.read_text())["turns"]
    said = [(it["speaker"], voice_at(turns, (it["start"] + it["end"]) / 2)) for it in told]
    assert len(set(said)) == len({voice for _, voice in said}) == 2


async def test_turns_are_in_order_within_the_audio_and_apart(diarizer, talk):
    turns = await heard(diarizer, talk)
    times = [at for it in turns for at in (it.start_seconds, it.end_seconds)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= len(talk) / SAMPLE_RATE_HZ + 0.1


async def test_audio_cut_anywhere_has_the_same_turns(diarizer, talk):
    whole = await heard(diarizer, talk)
    assert await heard(diarizer, *np.array_split(talk, 77)) == whole


@pytest.mark.parametrize("seconds", [0, 0.01, 3])
async def test_in_silence_nobody_speaks(diarizer, seconds):
    assert await heard(diarizer, recordings.silence(seconds)) == []


async def test_who_says_little_says_it_alone(diarizer, talk):
    turns = await heard(diarizer, talk[: 3 * SAMPLE_RATE_HZ])
    assert len({it.voice for it in turns}) == 1


async def test_two_recordings_at_once_are_apart(diarizer, talk):
    both = heard(diarizer, talk), heard(diarizer, recordings.silence(40))
    turns, none = await asyncio.gather(*both)
    assert len({it.voice for it in turns}) == 2
    assert none == []


async def test_who_is_closed_early_leaves_the_others_alone(diarizer, talk):
    left = diarizer.listen()
    left.feed(talk)
    left.close()
    left.close()
    assert len({it.voice for it in await heard(diarizer, talk)}) == 2
