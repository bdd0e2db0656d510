"""Live speech over a real channel: the real model on the dialogue, Opus in pieces, cut lines."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import grpc.aio
import numpy as np
import pytest
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc

from sensorium.weights import store
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.ports import Heard, Stretch
from services.chassis import client, errors
from services.media import audio
from services.media.audio import SAMPLE_RATE_HZ
from tests.doubles.recordings import DIALOGUE, TRUTH, encoded, silence
from tests.doubles.speech_of_tones import ToneTranscriber, pcm16, said, spoken
from tests.doubles.word_error import word_error_rate
from tests.integration.test_audio import room

WORDS = [1, 2, 3, 4, 6, 7, 8, 9] * 3


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with room(ToneTranscriber()) as channel:
        yield channel


def requests(
    data: bytes, *, chunk: int = 8_000, begin: int = 0, end: bool = True, **settings: object
) -> AsyncIterator[pb.TranscribeRequest]:
    async def each() -> AsyncIterator[pb.TranscribeRequest]:
        yield pb.TranscribeRequest(settings=pb.TranscribeSettings(**settings))
        for at in range(begin, len(data), chunk):
            yield pb.TranscribeRequest(chunk=data[at : at + chunk], chunk_offset=at)
        if end:
            yield pb.TranscribeRequest(end=pb.EndOfStream())
        else:
            await asyncio.Event().wait()

    return each()


def listen(
    channel: grpc.aio.Channel, sent: AsyncIterator[pb.TranscribeRequest]
) -> AsyncIterator[pb.TranscribeResponse]:
    return client.stream(pb_grpc.AudioServiceStub(channel).Transcribe, sent)


def check_order(answers: list[pb.TranscribeResponse]) -> None:
    """What was committed never changes, and becomes segments with the same words."""
    assert answers[0].HasField("ready")
    assert answers[-1].HasField("final")
    settled: list[str] = []
    segments: list[str] = []
    for answer in answers:
        if answer.HasField("segment"):
            segments += answer.segment.text.split()
        if answer.HasField("partial_text"):
            now = segments + answer.partial_text.committed.split()
            assert now[: len(settled)] == settled
            settled = now
    assert answers[-1].final.text.split()[: len(settled)] == settled
    assert segments == answers[-1].final.text.split()


class Counted(WhisperTranscriber):
    """Counts passes of the real model."""

    passes = 0

    def hear(self, stretches: Sequence[Stretch]) -> Sequence[Heard]:
        self.passes += 1
        return super().hear(stretches)


async def test_the_dialogue_is_heard_live_and_silence_costs_no_pass():
    truth = " ".join(turn["text"] for turn in json.loads(TRUTH.read_text())["turns"])
    ears = Counted(store.ensure("whisper-base"), device="cpu", compute_type="int8", threads=2)
    speech = [it async for it in audio.decode(DIALOGUE.read_bytes(), field="audio")]
    data = pcm16(np.concatenate([silence(3), *speech, silence(20)]))
    async with room(ears) as channel:
        answers = [it async for it in listen(channel, requests(data, words=True))]
        passes = ears.passes
        quiet = [it async for it in listen(channel, requests(pcm16(silence(60))))]
        assert ears.passes == passes
    check_order(answers)
    final = answers[-1].final
    # Heard whole, no word of it is wrong.
    assert word_error_rate(truth, final.text) <= 0.1
    assert final.language == "en"
    assert any(it.partial_text.tentative for it in answers)
    for segment in final.segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        assert 0 < segment.confidence <= 1
    assert quiet[-1].final.text == ""
    assert quiet[-1].final.duration.seconds == 60


@pytest.mark.parametrize(
    ("encoding", "codec", "rate"),
    [
        (pb.AUDIO_ENCODING_UNSPECIFIED, "pcm_s16le", 16_000),
        (pb.AUDIO_ENCODING_PCM16, "pcm_s16le", 48_000),
        (pb.AUDIO_ENCODING_PCM_FLOAT32, "pcm_f32le", 16_000),
        (pb.AUDIO_ENCODING_MULAW, "pcm_mulaw", 8_000),
    ],
)
async def test_plain_samples_are_heard_as_what_the_settings_say(channel, encoding, codec, rate):
    samples = spoken(WORDS)
    samples = samples[::2].copy() if rate == 8_000 else np.repeat(samples, rate // SAMPLE_RATE_HZ)
    wav = encoded(samples, "wav", codec, rate=rate)
    data = wav[wav.index(b"data") + 8 :]
    answers = [
        it async for it in listen(channel, requests(data, encoding=encoding, sample_rate_hz=rate))
    ]
    assert len(answers[-1].final.text.split()) == pytest.approx(len(WORDS), abs=2)
    duration = answers[-1].final.duration.ToMilliseconds() / 1_000
    assert duration == pytest.approx(len(samples) / rate, abs=0.1)


@pytest.mark.parametrize(
    ("encoding", "container", "codec"),
    [
        (pb.AUDIO_ENCODING_OGG_OPUS, "ogg", "libopus"),
        (pb.AUDIO_ENCODING_WEBM_OPUS, "webm", "libopus"),
        (pb.AUDIO_ENCODING_CONTAINER, "flac", "flac"),
    ],
)
async def test_containers_are_heard_as_they_arrive(channel, encoding, container, codec):
    samples = np.repeat(spoken(WORDS), 3)
    data = encoded(samples, container, codec, rate=48_000)
    sent = requests(data, chunk=700, encoding=encoding)
    answers = [it async for it in listen(channel, sent)]
    check_order(answers)
    assert len(answers[-1].final.text.split()) == pytest.approx(len(WORDS), abs=2)
    acknowledged = [it.acknowledged.offset for it in answers if it.HasField("acknowledged")]
    assert acknowledged == sorted(acknowledged)
    assert acknowledged[-1] == len(data)


async def test_a_cut_line_goes_on_where_it_was(channel):
    data = pcm16(spoken(WORDS))
    held, segments, ready = 0, 0, None
    line = listen(channel, requests(data[:200_000], end=False))
    async for answer in line:
        ready = answer.ready if answer.HasField("ready") else ready
        held = max(held, answer.acknowledged.offset)
        segments += answer.HasField("segment")
        if held >= 100_000:
            break
    await line.aclose()
    again = requests(
        data,
        begin=held,
        session_id=ready.session_id,
        resume_token=ready.resume_token,
        acknowledged_offset=held,
        received_segments=segments,
    )
    answers = [it async for it in listen(channel, again)]
    assert answers[0].ready.next_offset >= held
    assert answers[-1].final.text == said(WORDS)
    assert answers[-1].final.duration.ToMilliseconds() == len(data) // 32


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"sample_rate_hz": 100}, errors.InvalidInput, "settings.sample_rate_hz"),
        ({"language": "tlh"}, errors.InvalidInput, "language"),
        ({"language": "English"}, errors.InvalidInput, "in small letters, such as en"),
        ({"hints": [""]}, errors.InvalidInput, "settings.hints"),
        ({"session_id": "x"}, errors.InvalidInput, "resume_token"),
        ({"session_id": "x", "resume_token": "y"}, errors.NotFound, "no such session"),
        ({"encoding": 77}, errors.InvalidInput, "settings.encoding"),
    ],
)
async def test_settings_that_cannot_be_are_told(channel, settings, error, told):
    # A client of gRPC that goes on writing while it is refused may miss the reason.
    with pytest.raises(error, match=told):
        [it async for it in listen(channel, requests(b"", end=False, **settings))]


async def test_who_speaks_when_is_told_to_who_wants_to_know(channel):
    data = pcm16(np.concatenate([silence(1), spoken([1, 2]), silence(2), spoken([3]), silence(1)]))
    answers = [it async for it in listen(channel, requests(data, voice_activity=True))]
    kinds = [it.WhichOneof("message") for it in answers]
    told = [it for it in kinds if it in ("voice_activity", "segment", "final")]
    assert told == [*["voice_activity", "segment", "voice_activity"] * 2, "final"]
    voices = [it.voice_activity for it in answers if it.HasField("voice_activity")]
    assert [it.speaking for it in voices] == [True, False, True, False]
    assert [it.offset.ToTimedelta().total_seconds() for it in voices] == pytest.approx(
        [0.7, 1.8, 3.7, 4.3], abs=0.2
    )
    unasked = [it async for it in listen(channel, requests(data))]
    assert not any(it.HasField("voice_activity") for it in unasked)
    assert unasked[-1].final == answers[-1].final


async def test_audio_that_is_not_what_the_settings_say_is_told(channel):
    settings = {"encoding": pb.AUDIO_ENCODING_OGG_OPUS}
    with pytest.raises(errors.InvalidInput, match="chunk: is not a recording"):
        [it async for it in listen(channel, requests(pcm16(spoken([1])), **settings))]


async def test_audio_before_settings_and_settings_twice_are_told(channel):
    async def audio_first() -> AsyncIterator[pb.TranscribeRequest]:
        yield pb.TranscribeRequest(chunk=b"1234")

    async def twice() -> AsyncIterator[pb.TranscribeRequest]:
        yield pb.TranscribeRequest(settings=pb.TranscribeSettings())
        yield pb.TranscribeRequest(settings=pb.TranscribeSettings())

    with pytest.raises(errors.InvalidInput, match="settings first"):
        [it async for it in listen(channel, audio_first())]
    with pytest.raises(errors.InvalidInput, match="only come first"):
        [it async for it in listen(channel, twice())]
