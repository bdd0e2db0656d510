"""What every `Transcriber` must do: the exam that faster-whisper and the tests' double both sit."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from sensorium.weights import store
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.ports import Transcriber
from services.media import audio
from tests.doubles import recordings
from tests.doubles.transcriber_fake import FakeTranscriber


def whisper() -> WhisperTranscriber:
    folder = store.ensure("whisper-base")
    return WhisperTranscriber(folder, device="cpu", compute_type="int8", threads=2)


@pytest.fixture(scope="module", params=[FakeTranscriber, whisper], ids=["fake", "whisper"])
def ears(request: pytest.FixtureRequest) -> Transcriber:
    make: Callable[[], Transcriber] = request.param
    made = make()
    made.load()
    return made


@pytest.fixture(scope="module")
def speech() -> audio.Samples:
    """The first two turns of the dialogue."""
    whole = list(audio.decode(recordings.DIALOGUE.read_bytes(), field="audio"))
    return np.concatenate(whole)[: 9 * audio.SAMPLE_RATE_HZ]


def test_it_says_what_it_is(ears):
    assert ears.name
    assert ears.engine


def test_it_knows_languages_by_their_iso_codes(ears):
    assert {"en", "de", "fr"} <= ears.languages()


def test_speech_has_segments_in_order_within_the_audio(ears, speech):
    segments = list(ears.transcribe(speech, "en").segments)
    assert segments
    times = [at for it in segments for at in (it.start_seconds, it.end_seconds)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= len(speech) / audio.SAMPLE_RATE_HZ + 0.1
    assert all(type(at) is float for at in times)


def test_segments_have_words_without_spaces_around_them(ears, speech):
    for segment in ears.transcribe(speech, "en").segments:
        assert segment.text
        assert segment.text == segment.text.strip()


def test_the_language_of_speech_is_found_out(ears, speech):
    assert ears.transcribe(speech, "").language == "en"


def test_a_language_that_was_named_is_believed(ears, speech):
    assert ears.transcribe(speech, "de").language == "de"


@pytest.mark.parametrize("seconds", [0, 0.001, 0.05, 3])
def test_silence_has_no_segments_and_no_language(ears, seconds):
    heard = ears.transcribe(recordings.silence(seconds), "")
    assert list(heard.segments) == []
    assert heard.language == ""


def test_silence_keeps_a_language_that_was_named(ears):
    assert ears.transcribe(recordings.silence(1), "fr").language == "fr"


def test_who_stops_reading_may_ask_again(ears, speech):
    assert next(ears.transcribe(speech, "en").segments)
    assert list(ears.transcribe(speech, "en").segments)


async def test_it_works_in_another_thread_than_the_one_that_loaded_it(ears, speech):
    def listen() -> list[str]:
        return [it.text for it in ears.transcribe(speech, "en").segments]

    assert await asyncio.to_thread(listen) == listen()
