"""The audio room over a real channel: the real model on the dialogue, and every refusal."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
import pytest
from google.api.httpbody_pb2 import HttpBody
from grpc_health.v1 import health_pb2, health_pb2_grpc
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc

from sensorium.weights import store
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.ports import Transcriber
from services.chassis import client, limits
from services.chassis.errors import InvalidInput
from tests.doubles.audio_room import audio_room
from tests.doubles.recordings import DIALOGUE, TRUTH, encoded, silence, tone
from tests.doubles.transcriber_fake import FakeTranscriber
from tests.doubles.word_error import word_error_rate

SERVICE = pb.DESCRIPTOR.services_by_name["AudioService"]


@asynccontextmanager
async def room(transcriber: Transcriber) -> AsyncIterator[grpc.aio.Channel]:
    async with audio_room(transcriber) as address, client.channel(address) as channel:
        yield channel


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with room(FakeTranscriber()) as channel:
        yield channel


async def upload(
    channel: grpc.aio.Channel, data: bytes, language: str = ""
) -> pb.TranscribeUploadResponse:
    # The content type lies on purpose: the bytes decide.
    body = HttpBody(content_type="text/plain", data=data)
    request = pb.TranscribeUploadRequest(audio=body, language=language)
    return await client.call(pb_grpc.AudioServiceStub(channel).TranscribeUpload, request)


async def test_the_dialogue_comes_back_in_words_with_their_times():
    truth = json.loads(TRUTH.read_text())
    folder = store.ensure("whisper-base")
    ears = WhisperTranscriber(folder, device="cpu", compute_type="int8", threads=2)
    async with room(ears) as channel:
        answer = await upload(channel, DIALOGUE.read_bytes())
    transcript = answer.transcript
    said = " ".join(turn["text"] for turn in truth["turns"])
    assert word_error_rate(said, transcript.text) <= 0.15
    assert transcript.language == truth["language"]
    assert transcript.duration.ToMilliseconds() == pytest.approx(truth["duration"] * 1_000, abs=50)
    assert answer.model == "whisper-base"
    assert answer.usage.processing_time.ToMilliseconds() > 0
    starts = [it.start_offset.ToMilliseconds() / 1_000 for it in transcript.segments]
    ends = [it.end_offset.ToMilliseconds() / 1_000 for it in transcript.segments]
    for turn in truth["turns"]:
        assert min(abs(at - turn["start"]) for at in starts) <= 1, turn
        assert min(abs(at - turn["end"]) for at in ends) <= 1, turn


async def test_silence_is_an_answer_without_words(channel):
    transcript = (await upload(channel, encoded(silence(2)))).transcript
    assert (transcript.text, list(transcript.segments)) == ("", [])
    assert transcript.duration.ToMilliseconds() == 2_000


async def test_a_video_is_heard(channel):
    recording = encoded(tone(2), "mp4", "aac", video=True)
    assert (await upload(channel, recording)).transcript.segments


@pytest.mark.parametrize(
    ("data", "language", "field", "code", "remedy"),
    [
        (b"", "", "audio", "AUDIO_EMPTY", "send a whole WAV"),
        (b"not a recording", "", "audio", "AUDIO_UNREADABLE", "send a whole WAV"),
        (encoded(silence(0), "mp4", video=True), "", "audio", "AUDIO_MISSING", "audio track"),
        (encoded(tone(1)), "tlh", "language", "LANGUAGE_UNKNOWN", "such as en"),
        (encoded(tone(1)), "English", "language", "CONTRACT_VIOLATION", ""),
    ],
    ids=["empty", "garbage", "silent-film", "unknown-language", "malformed-language"],
)
async def test_a_bad_upload_names_the_field_and_the_remedy(
    channel, data, language, field, code, remedy
):
    with pytest.raises(InvalidInput) as refused:
        await upload(channel, data, language)
    assert refused.value.code == code
    assert [it.field for it in refused.value.violations] == [field]
    assert remedy in refused.value.remedy
    assert (await upload(channel, encoded(tone(1)))).transcript.text


async def test_an_upload_without_audio_names_the_field(channel):
    with pytest.raises(InvalidInput) as refused:
        await client.call(
            pb_grpc.AudioServiceStub(channel).TranscribeUpload, pb.TranscribeUploadRequest()
        )
    assert [it.field for it in refused.value.violations] == ["audio"]


async def follow(
    channel: grpc.aio.Channel, *parts: bytes, language: str = "", words: bool = False
) -> list[pb.TranscribeUploadStreamResponse]:
    async def requests() -> AsyncIterator[pb.TranscribeUploadStreamRequest]:
        for index, part in enumerate(parts):
            asked = {} if index else {"language": language, "words": words}
            yield pb.TranscribeUploadStreamRequest(audio=HttpBody(data=part), **asked)

    method = pb_grpc.AudioServiceStub(channel).TranscribeUploadStream
    return [it async for it in client.stream(method, requests())]


async def test_a_film_larger_than_a_body_is_heard_from_its_parts(channel):
    film = encoded(tone(2), "mp4", "aac", video=True)
    # A camera writes the index last, after all its pictures.
    index, pictures = film.index(b"moov") - 4, limits.BODY_BYTES + limits.MEBIBYTE
    head = (pictures + 8).to_bytes(4, "big") + b"free"
    film = film[:index] + head + bytes(pictures) + film[index:]
    parts = [film[at : at + limits.MEBIBYTE] for at in range(0, len(film), limits.MEBIBYTE)]
    *news, last = await follow(channel, *parts, language="en", words=True)
    assert [it.WhichOneof("message") for it in news] == ["segment", "progress"]
    assert last.final.transcript.segments[0] == news[0].segment
    assert news[0].segment.words
    assert news[1].progress.heard == last.final.transcript.duration


@pytest.mark.parametrize(
    ("parts", "language", "code"),
    [
        ((), "", "INVALID_INPUT"),
        ((b"",), "", "AUDIO_EMPTY"),
        ((b"not a recording", b"at all"), "", "AUDIO_UNREADABLE"),
        ((encoded(tone(1)),), "tlh", "LANGUAGE_UNKNOWN"),
        ((encoded(tone(1)),), "English", "CONTRACT_VIOLATION"),
    ],
    ids=["nothing", "empty", "garbage", "unknown-language", "malformed-language"],
)
async def test_a_bad_recording_in_parts_is_refused_as_a_whole_one_is(
    channel, parts, language, code
):
    with pytest.raises(InvalidInput) as refused:
        await follow(channel, *parts, language=language)
    assert refused.value.code == code
    assert refused.value.violations[0].field in {"audio", "language"}
    assert (await follow(channel, encoded(tone(1))))[-1].final.transcript.text


async def test_the_model_is_named_and_ready(channel):
    await upload(channel, encoded(tone(1)))
    answer = await client.call(pb_grpc.AudioServiceStub(channel).GetModel, pb.GetModelRequest())
    assert (answer.model.name, answer.model.engine, answer.model.ready) == (
        "fake-ears",
        "fake",
        True,
    )


async def test_health_is_serving_once_the_model_is_loaded(channel):
    request = health_pb2.HealthCheckRequest(service=SERVICE.full_name)
    async with asyncio.timeout(10):
        async for change in health_pb2_grpc.HealthStub(channel).Watch(request):
            if change.status == health_pb2.HealthCheckResponse.SERVING:
                break


async def test_without_its_model_the_room_says_so_in_one_line_and_ends(tmp_path):
    settings = {"AUDIO_LISTEN": "127.0.0.1:0", "AUDIO_MODEL": str(tmp_path / "nowhere")}
    room = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.audio"),
        env=os.environ | settings,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(room.communicate(), 30)
    assert room.returncode == 2
    assert told.decode().count("\n") == 1
    assert "nowhere" in told.decode()
    assert "sensorium models ensure whisper-base" in told.decode()
