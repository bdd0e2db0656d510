"""What every `Transcriber` must do: the exam that faster-whisper and the tests' double both sit."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from sensorium.weights import store
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.domain import Segment
from services.audio.ports import VOICE_FRAME, Asked, Care, Stretch, Transcriber
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


async def decoded() -> list[audio.Samples]:
    recording = recordings.DIALOGUE.read_bytes()
    return [it async for it in audio.decode(recording, field="audio")]


@pytest.fixture(scope="module")
def speech() -> audio.Samples:
    """The first two turns of the dialogue."""
    whole = asyncio.run(decoded())
    return np.concatenate(whole)[: 9 * audio.SAMPLE_RATE_HZ]


def test_it_says_what_it_is(ears):
    assert ears.name
    assert ears.engine


def test_it_knows_languages_by_their_iso_codes(ears):
    assert {"en", "de", "fr"} <= ears.languages()


def test_speech_has_segments_in_order_within_the_audio(ears, speech):
    segments = list(ears.transcribe(speech, Asked("en")).segments)
    assert segments
    times = [at for it in segments for at in (it.start_seconds, it.end_seconds)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= len(speech) / audio.SAMPLE_RATE_HZ + 0.1
    assert all(type(at) is float for at in times)


def test_a_sentence_after_a_long_silence_begins_where_it_is_said(ears):
    said = np.concatenate(asyncio.run(decoded()))
    said = said[16 * audio.SAMPLE_RATE_HZ : 20 * audio.SAMPLE_RATE_HZ]
    silence = np.zeros(60 * audio.SAMPLE_RATE_HZ, np.float32)
    parted = np.concatenate([said, silence, said])
    segments = list(ears.transcribe(parted, Asked("en")).segments)
    begin = (len(said) + len(silence)) / audio.SAMPLE_RATE_HZ
    later = [it for it in segments if it.end_seconds > begin]
    assert len(later) == len(segments) / 2
    assert all(it.start_seconds > begin - 1 for it in later)


def test_segments_have_words_without_spaces_around_them(ears, speech):
    for segment in ears.transcribe(speech, Asked("en")).segments:
        assert segment.text
        assert segment.text == segment.text.strip()


def test_the_language_of_speech_is_found_out(ears, speech):
    assert ears.transcribe(speech, Asked("")).language == "en"


def test_a_language_that_was_named_is_believed(ears, speech):
    assert ears.transcribe(speech, Asked("de")).language == "de"


@pytest.mark.parametrize("seconds", [0, 0.001, 0.05, 3])
def test_silence_has_no_segments_and_no_language(ears, seconds):
    heard = ears.transcribe(recordings.silence(seconds), Asked(""))
    assert list(heard.segments) == []
    assert heard.language == ""


def test_silence_keeps_a_language_that_was_named(ears):
    assert ears.transcribe(recordings.silence(1), Asked("fr")).language == "fr"


def test_who_stops_reading_may_ask_again(ears, speech):
    assert next(ears.transcribe(speech, Asked("en")).segments)
    assert list(ears.transcribe(speech, Asked("en")).segments)


async def test_it_works_in_another_thread_than_the_one_that_loaded_it(ears, speech):
    def listen() -> list[str]:
        return [it.text for it in ears.transcribe(speech, Asked("en")).segments]

    assert await asyncio.to_thread(listen) == listen()


@pytest.mark.parametrize("care", Care)
def test_segments_come_word_by_word(ears, speech, care):
    asked = Asked("en", care=care)
    segments = list(ears.transcribe(speech, asked).segments)
    assert segments
    for segment in segments:
        assert "".join(it.text for it in segment.words).strip() == segment.text
        assert segment.language == "en"
        assert 0 < segment.confidence <= 1
        times = [at for it in segment.words for at in (it.start_seconds, it.end_seconds)]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (segment.start_seconds, segment.end_seconds)


@pytest.mark.parametrize("care", Care)
def test_silence_costs_no_words_whatever_the_care(ears, care):
    asked = Asked("en", context="Good morning.", care=care)
    assert list(ears.transcribe(recordings.silence(3), asked).segments) == []


def test_hints_and_context_are_taken(ears, speech):
    asked = Asked("en", hints=("paint shelf", "aisle"), context="Let us begin.")
    assert list(ears.transcribe(speech, asked).segments)


def neighbours(speech: audio.Samples) -> list[Stretch]:
    """Stretches of several speakers, some of which share a batch and some of which cannot."""
    first, second, all_of_it = (speech[: it * audio.SAMPLE_RATE_HZ] for it in (3, 4, 9))
    hints, context = ("shelf", "paint"), "Good morning. Let us begin with what is new today."
    return [
        Stretch(first, Asked("en", care=Care.QUICK)),
        Stretch(recordings.silence(2), Asked("", care=Care.QUICK)),
        Stretch(second, Asked("", care=Care.QUICK)),
        Stretch(first, Asked("de", care=Care.QUICK)),
        Stretch(all_of_it, Asked("en", hints, context, Care.QUICK)),
        Stretch(second, Asked("en", care=Care.CLOSING)),
        Stretch(first, Asked("en", care=Care.CLOSING)),
    ]


def test_stretches_are_heard_together_as_each_is_alone(ears, speech):
    assert ears.most_together >= 1
    stretches = neighbours(speech)
    together = ears.hear(stretches)
    assert len(together) == len(stretches)
    for stretch, heard in zip(stretches, together, strict=True):
        (alone,) = ears.hear([stretch])
        assert heard.language == alone.language
        found, expected = list(heard.segments), list(alone.segments)
        assert [it.text for it in found] == [it.text for it in expected]
        times, known = ([at for it in each for at in spans(it)] for each in (found, expected))
        assert times == pytest.approx(known, abs=0.05)


def spans(segment: Segment) -> list[float]:
    return [at for it in segment.words for at in (it.start_seconds, it.end_seconds)]


def test_no_stretches_are_no_answers(ears):
    assert list(ears.hear([])) == []


def test_more_hints_than_a_model_can_hold_do_no_harm(ears, speech):
    hints = tuple(f"{number} names of one hundred letters" for number in range(64))
    asked = Asked("en", hints, "And this was said before. " * 40, Care.QUICK)
    (heard,) = ears.hear([Stretch(speech, asked)])
    assert list(heard.segments)


def test_a_voice_is_told_from_silence_frame_by_frame(ears, speech):
    loud = np.concatenate([recordings.silence(2), speech[: 6 * audio.SAMPLE_RATE_HZ]])
    judged = list(ears.voice().feed(loud))
    assert len(judged) == len(loud) // VOICE_FRAME
    assert all(0 <= it <= 1 for it in judged)
    quiet = 2 * audio.SAMPLE_RATE_HZ // VOICE_FRAME
    assert max(judged[:quiet]) < 0.35
    assert max(judged[quiet:]) > 0.5


def test_a_stream_cut_anywhere_is_judged_as_if_it_were_whole(ears, speech):
    whole, pieces = ears.voice(), ears.voice()
    cuts = np.array_split(speech, 77)
    judged = [voice for cut in cuts for voice in pieces.feed(cut)]
    assert np.allclose(judged, whole.feed(speech), atol=1e-4)


def test_two_streams_are_judged_apart(ears, speech):
    one, other = ears.voice(), ears.voice()
    list(one.feed(speech))
    assert max(other.feed(recordings.silence(1))) < 0.35
