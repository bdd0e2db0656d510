import json
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import model_pb2, transcript_pb2
from openai.types.audio import (
    TranscriptionDiarized,
    TranscriptionTextSegmentEvent,
)

from gateway.bridge.dialects import openai_audio as audio
from gateway.bridge.dialects import openai_transcript as transcript
from gateway.bridge.dialects.openai import DIALECT
from gateway.bridge.exchange import Events, Request
from services.chassis import errors
from tests.doubles import conversations

PATH = "/v1/audio/transcriptions"
HEARS = pb.GetModelResponse(model=model_pb2.Model(name="ears", ready=True))


def duration(seconds):
    made = Duration()
    made.FromTimedelta(timedelta(seconds=seconds))
    return made


def word(text, start, end):
    return transcript_pb2.Word(text=text, start_offset=duration(start), end_offset=duration(end))


SEGMENTS = [
    transcript_pb2.Segment(
        text="Good morning.",
        start_offset=duration(0.5),
        end_offset=duration(1.25),
        confidence=0.5,
        words=[word("Good", 0.5, 0.75), word("morning.", 0.75, 1.25)],
    ),
    transcript_pb2.Segment(
        text="Bye.", start_offset=duration(61), end_offset=duration(61.5), confidence=1
    ),
]
TOLD = pb.TranscribeUploadResponse(
    transcript=transcript_pb2.Transcript(
        text="Good morning. Bye.", segments=SEGMENTS, language="en", duration=duration(62.5)
    )
)


def form(**fields):
    return Request(form={"file": b"sound", "model": b"ears"} | fields)


def held(request, *answers):
    return conversations.tell(audio.transcribe(request), *answers)


def call(request, *answers):
    return conversations.call(DIALECT, "POST", PATH, request, *answers)


def refused(request, *answers):
    asked, status, told = call(request, *answers)
    assert asked == []
    return status, told["error"]


def test_a_recording_comes_back_as_text():
    (model, upload), status, told = call(form(), HEARS, TOLD)
    assert (model.service, model.method) == ("AudioService", "GetModel")
    assert (upload.service, upload.method) == ("AudioService", "TranscribeUpload")
    assert upload.request.audio.data == b"sound"
    assert (upload.request.language, list(upload.request.hints)) == ("", [])
    assert not upload.request.words
    usage = {"type": "duration", "seconds": 62.5}
    assert (status, told) == (200, {"text": "Good morning. Bye.", "usage": usage})


def test_what_is_known_of_the_recording_goes_to_the_room():
    sent = {
        "language": b"de",
        "prompt": b"Sensorium, Envoy;\nquorum",
        "keywords[]": [b"Kubernetes"],
        "temperature": b"0.2",
        "chunking_strategy": b"auto",
        "stream": b"false",
    }
    (_, upload), status, _ = call(form(**sent), HEARS, TOLD)
    assert status == 200
    assert upload.request.language == "de"
    assert list(upload.request.hints) == ["Kubernetes", "Sensorium", "Envoy", "quorum"]


@pytest.mark.parametrize(
    ("prompt", "hints"),
    [
        ("", []),
        (" ,.; \n", []),
        ("a b", ["a b"]),
        ("x" * 250, ["x" * 100]),
        (" ".join(["word"] * 30), [" ".join(["word"] * 20), " ".join(["word"] * 10)]),
    ],
)
def test_a_prompt_is_cut_into_hints_that_the_room_takes(prompt, hints):
    assert audio.hints_of((), prompt) == hints


def test_of_a_long_prompt_the_end_counts():
    prompt = ",".join(map(str, range(100)))
    (_, upload), _, _ = call(form(prompt=prompt.encode()), HEARS, TOLD)
    assert list(upload.request.hints) == [str(it) for it in range(36, 100)]


@pytest.mark.parametrize(
    ("wanted", "segments", "words"),
    [([], 2, None), ([b"segment"], 2, None), ([b"word"], None, 2), ([b"word", b"segment"], 2, 2)],
)
def test_verbose_json_has_the_times_that_are_asked_for(wanted, segments, words):
    request = form(response_format=b"verbose_json", **{"timestamp_granularities[]": wanted})
    (_, upload), response = held(request, HEARS, TOLD)
    told = json.loads(response.body)
    assert upload.request.words == (words is not None)
    assert (told["task"], told["language"], told["duration"]) == ("transcribe", "en", 62.5)
    assert told["text"] == "Good morning. Bye."
    assert ("segments" in told, "words" in told) == (segments is not None, words is not None)
    if segments:
        assert told["segments"][0] == {
            "id": 0,
            "seek": 50,
            "start": 0.5,
            "end": 1.25,
            "text": "Good morning.",
            "tokens": [],
            "temperature": 0.0,
            "avg_logprob": -0.6931,
            "compression_ratio": 0.619,
            "no_speech_prob": 0.0,
        }
        assert (told["segments"][1]["start"], told["segments"][1]["avg_logprob"]) == (61.0, 0.0)
    if words:
        assert told["words"][1] == {"word": "morning.", "start": 0.75, "end": 1.25}


def conversation(*speakers):
    told = pb.TranscribeUploadResponse()
    told.CopyFrom(TOLD)
    told.transcript.speakers_told_apart = bool(speakers)
    for segment, speaker in zip(told.transcript.segments, speakers, strict=False):
        segment.speaker = speaker
    return told


def test_diarized_json_says_who_said_what():
    _, status, told = call(form(response_format=b"diarized_json"), HEARS, conversation("S2", "S1"))
    assert (status, told["task"], told["duration"], told["text"]) == (
        *(200, "transcribe", 62.5),
        "Good morning. Bye.",
    )
    assert told["speakers_told_apart"]
    assert told["segments"] == [
        {
            "type": "transcript.text.segment",
            "id": "seg_0",
            "speaker": "A",
            "start": 0.5,
            "end": 1.25,
            "text": "Good morning.",
        },
        {
            "type": "transcript.text.segment",
            "id": "seg_1",
            "speaker": "B",
            "start": 61.0,
            "end": 61.5,
            "text": "Bye.",
        },
    ]
    read = TranscriptionDiarized.model_validate(told)
    assert [it.speaker for it in read.segments] == ["A", "B"]


def test_speakers_who_were_not_told_apart_are_one_and_the_answer_says_so():
    _, _, told = call(form(response_format=b"diarized_json"), HEARS, TOLD)
    assert [it["speaker"] for it in told["segments"]] == ["A", "A"]
    assert told["speakers_told_apart"] is False


def test_the_27th_speaker_has_two_letters():
    many = transcript_pb2.Transcript(
        segments=[transcript_pb2.Segment(speaker=f"S{it}") for it in range(28)]
    )
    labels = [it.speaker for it in transcript.spoken(many)]
    assert labels[24:] == ["Y", "Z", "AA", "AB"]


@pytest.mark.parametrize(
    ("kind", "content_type", "text"),
    [
        (b"text", "text/plain", "Good morning. Bye.\n"),
        (
            b"srt",
            "text/plain",
            "1\n00:00:00,500 --> 00:00:01,250\nGood morning.\n\n"
            "2\n00:01:01,000 --> 00:01:01,500\nBye.\n",
        ),
        (
            b"vtt",
            "text/vtt",
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nGood morning.\n\n"
            "00:01:01.000 --> 00:01:01.500\nBye.\n",
        ),
    ],
)
def test_text_and_subtitles_are_text(kind, content_type, text):
    _, response = held(form(response_format=kind), HEARS, TOLD)
    assert (response.content_type, response.body.decode()) == (
        f"{content_type}; charset=utf-8",
        text,
    )


@pytest.mark.parametrize(
    "name", [b"default", b"whisper-1", b"gpt-4o-transcribe", b"gpt-4o-transcribe-diarize", b"ears"]
)
def test_names_that_mean_the_rooms_model(name):
    assert call(form(model=name), HEARS, TOLD)[1] == 200


def test_another_model_is_not_there():
    status, error = refused(form(model=b"tts-1"), HEARS)
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"file": b""}, "file", None),
        ({"vad_filter": b"true"}, "vad_filter", "unknown_parameter"),
        ({"include[]": [b"logprobs"]}, "include[]", "unknown_parameter"),
        ({"response_format": b"yaml"}, "response_format", "invalid_value"),
        ({"known_speaker_names[]": [b"Ada"]}, "known_speaker_names[]", "unknown_parameter"),
        ({"temperature": b"2"}, "temperature", "invalid_value"),
        ({"temperature": b"nan"}, "temperature", "invalid_value"),
        ({"stream": b"perhaps"}, "stream", "invalid_value"),
        ({"prompt": b"\xff"}, "prompt", None),
        ({"prompt": b"x" * 9_000}, "prompt", "invalid_value"),
        (
            {"stream": b"true", "response_format": b"srt"},
            "response_format",
            "unsupported_parameter",
        ),
        (
            {"timestamp_granularities[]": [b"word"]},
            "timestamp_granularities[]",
            "unsupported_parameter",
        ),
        (
            {"response_format": b"verbose_json", "timestamp_granularities[]": [b"second"]},
            "timestamp_granularities[][0]",
            "invalid_value",
        ),
    ],
)
def test_what_cannot_be_is_named(fields, param, code):
    status, error = refused(form(**fields))
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)
    assert param in error["message"]


@pytest.mark.parametrize("name", ["file", "model"])
def test_what_is_missing_is_named(name):
    request = Request(form={it: b"x" for it in ("file", "model") if it != name})
    status, error = refused(request)
    assert (status, error["param"], error["code"]) == (400, name, "missing_required_parameter")


@pytest.mark.parametrize(
    ("failure", "status", "kind", "code", "param"),
    [
        (
            errors.InvalidInput.field("audio", "holds no audio", code="AUDIO_NONE"),
            *(400, "invalid_request_error", "audio_none", "file"),
        ),
        (
            errors.InvalidInput.field("language", "is unknown", code="LANGUAGE_UNKNOWN"),
            *(400, "invalid_request_error", "language_unknown", "language"),
        ),
        (
            errors.Exhausted("too many wait", retry_after=timedelta(seconds=3)),
            *(429, "rate_limit_error", "rate_limit_exceeded", None),
        ),
        (errors.Unavailable("no answer"), 503, "server_error", None, None),
        (errors.TimedOut("too late"), 504, "server_error", None, None),
        (errors.Internal("ours"), 500, "server_error", None, None),
    ],
)
def test_what_the_room_refuses_is_told_in_openais_shape(failure, status, kind, code, param):
    got, error = refused(form(), HEARS, failure)
    assert (got, error["type"], error["code"], error["param"]) == (status, kind, code, param)
    assert error["message"] == str(failure).replace("audio:", "file:")


def test_when_to_try_again_is_told():
    response = DIALECT.refuse(errors.Exhausted("busy", retry_after=timedelta(seconds=3)))
    assert response.headers["retry-after"] == "3"


def test_a_translation_is_refused_with_what_to_do():
    asked, status, told = conversations.call(DIALECT, "POST", "/v1/audio/translations", Request())
    assert (asked, status, told["error"]["code"]) == ([], 400, "unsupported_endpoint")
    assert "/v1/audio/transcriptions" in told["error"]["message"]


def streamed(data=b"sound", **fields):
    asked, events = held(form(file=data, stream=b"true", **fields), HEARS)
    assert [it.method for it in asked] == ["GetModel"]
    assert isinstance(events, Events)
    return events


def parsed(data):
    return [json.loads(it.removeprefix("data: ")) for it in data.decode().split("\n\n") if it]


READY = pb.TranscribeResponse(ready=pb.TranscribeReady(session_id="s"))
TAKEN = pb.TranscribeResponse(acknowledged=pb.AudioAcknowledged(offset=1))


def test_a_stream_is_fed_a_piece_whenever_one_was_taken():
    data = b"x" * (audio.CHUNK_BYTES + 1)
    events = streamed(data, language=b"de", prompt=b"Envoy")
    settings = events.ask.request.settings
    assert (events.ask.method, settings.encoding) == ("Transcribe", pb.AUDIO_ENCODING_CONTAINER)
    assert (settings.language, list(settings.hints)) == ("de", ["Envoy"])
    (first,) = events.feed(READY)
    (second,) = events.feed(TAKEN)
    assert first.chunk + second.chunk == data
    assert list(events.feed(pb.TranscribeResponse(partial_text=pb.PartialText()))) == []
    (end,) = events.feed(TAKEN)
    assert end.HasField("end")
    assert list(events.feed(TAKEN)) == []


def test_what_is_heard_is_told_in_deltas_and_then_whole():
    events = streamed()
    partial = pb.PartialText(committed="Good", tentative=" mourning")
    heard = pb.TranscribeResponse(partial_text=partial)
    final = pb.TranscribeResponse(final=TOLD.transcript)
    assert events.told(READY) == b""
    assert parsed(events.told(heard)) == [{"type": "transcript.text.delta", "delta": "Good"}]
    assert events.told(heard) == b""
    assert parsed(events.told(final)) == [
        {"type": "transcript.text.delta", "delta": " morning. Bye."},
        {"type": "transcript.text.done", "text": "Good morning. Bye."},
    ]
    assert events.ended(None) == b""
    (failed,) = parsed(events.ended(errors.Unavailable("the room is gone")))
    assert failed["error"]["message"] == "the room is gone"


def test_a_stream_says_at_its_end_who_said_what():
    events = streamed(response_format=b"diarized_json")
    final = pb.TranscribeResponse(final=conversation("S1", "S2").transcript)
    told = parsed(events.told(final))
    assert [it["type"] for it in told] == [
        *("transcript.text.delta", "transcript.text.segment", "transcript.text.segment"),
        "transcript.text.done",
    ]
    assert [(it["speaker"], it["text"]) for it in told[1:3]] == [
        ("A", "Good morning."),
        ("B", "Bye."),
    ]
    for it in told[1:3]:
        TranscriptionTextSegmentEvent.model_validate(it, strict=True)


def box(kind, size=8):
    return size.to_bytes(4) + kind + bytes(size - 8)


LARGE = (1).to_bytes(4) + b"free" + (32).to_bytes(8) + bytes(16)
INDEX_LAST = {
    "after the sound": box(b"ftyp", 24) + box(b"mdat", 100) + box(b"moov", 50),
    "after a large box": box(b"ftyp") + LARGE + box(b"mdat", 16) + box(b"moov"),
}
INDEX_FIRST = {
    "before the sound": box(b"ftyp", 24) + box(b"moov", 100) + box(b"mdat", 50),
    "nowhere": box(b"ftyp", 24),
    "in boxes of no size": box(b"ftyp") + bytes(100),
    "of something else": b"RIFF....WAVE",
}


@pytest.mark.parametrize("data", INDEX_LAST.values(), ids=INDEX_LAST)
def test_a_recording_whose_index_comes_last_is_heard_whole_before_it_is_told(data):
    (_, upload), response = held(form(file=data, stream=b"true"), HEARS, TOLD)
    assert (upload.method, response.content_type) == ("TranscribeUpload", "text/event-stream")
    assert [it["type"] for it in parsed(response.body)] == [
        "transcript.text.delta",
        "transcript.text.done",
    ]


@pytest.mark.parametrize("data", INDEX_FIRST.values(), ids=INDEX_FIRST)
def test_any_other_recording_is_told_as_it_is_heard(data):
    assert streamed(data).ask.method == "Transcribe"
