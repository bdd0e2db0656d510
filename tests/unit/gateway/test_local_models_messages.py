import base64
import json

import pytest
from mesh.audio.v1 import audio_service_pb2 as audio_pb

from gateway.bridge.dialects.local_models_messages import Audio, End, Opening, of_binary, of_text
from services.chassis.errors import InvalidInput


@pytest.fixture(params=["text", "binary"])
def read(request):
    """Control messages mean the same as text and as bytes."""
    if request.param == "text":
        return of_text
    return lambda text: of_binary(text.encode())


def config(read, **fields):
    opening = read(json.dumps({"type": "config", **fields}))
    assert isinstance(opening, Opening)
    return opening


def test_settings_are_read_by_the_originals_names(read):
    asked = config(
        read, session_id="1234-5678", sample_rate=16_000, encoding="pcm16", language="es"
    )
    assert asked.settings.session_id == "1234-5678"
    assert asked.settings.sample_rate_hz == 16_000
    assert asked.settings.encoding == audio_pb.AUDIO_ENCODING_PCM16
    assert asked.settings.language == "es"
    assert not asked.is_resumable


def test_all_settings_are_optional_and_the_language_is_the_originals(read):
    asked = config(read)
    assert (asked.settings.session_id, asked.settings.sample_rate_hz) == ("", 0)
    assert asked.settings.language == "es"


@pytest.mark.parametrize(
    ("language", "read_as"),
    [("es-MX", "es"), ("EN_us", "en"), ("auto", ""), ("", ""), (None, "")],
)
def test_a_language_may_have_a_region_or_be_found_out(read, language, read_as):
    assert config(read, language=language).settings.language == read_as


@pytest.mark.parametrize(
    ("encoding", "read_as"),
    [
        (None, audio_pb.AUDIO_ENCODING_PCM16),
        ("PCM16", audio_pb.AUDIO_ENCODING_PCM16),
        ("opus", audio_pb.AUDIO_ENCODING_CONTAINER),
        ("webm-opus", audio_pb.AUDIO_ENCODING_WEBM_OPUS),
        ("mulaw", audio_pb.AUDIO_ENCODING_MULAW),
    ],
)
def test_encodings_have_many_names(read, encoding, read_as):
    assert config(read, encoding=encoding).settings.encoding == read_as


def test_numbers_may_be_texts_and_ids_numbers(read):
    settings = config(read, session_id=77, sample_rate="8000").settings
    assert (settings.session_id, settings.sample_rate_hz) == ("77", 8_000)


def test_a_session_is_taken_up_with_its_token(read):
    asked = config(read, session_id="a", resume_token="t")
    assert (asked.settings.session_id, asked.settings.resume_token) == ("a", "t")
    assert asked.is_resumable
    assert asked.again().settings.resume_token == ""
    assert config(read, resumable=True).is_resumable


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"encoding": "mp4a"}, "encoding: is not known; name one of pcm16"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"sample_rate": -1}, "sample_rate"),
        ({"sample_rate": 10**30}, "sample_rate"),
        ({"session_id": {}}, "session_id"),
        ({"hints": "a"}, "hints"),
    ],
)
def test_settings_that_cannot_be_are_told_by_their_name(read, fields, told):
    with pytest.raises(InvalidInput, match=told):
        config(read, **fields)


def test_audio_may_be_base64(read):
    sent = {"type": "audio_chunk", "chunk_id": 1, "data_b64": base64.b64encode(b"\0\1\2").decode()}
    assert read(json.dumps(sent)) == Audio(b"\0\1\2")


@pytest.mark.parametrize("data", ["no base64!", "data:audio/wav;base64,AAAA", 7, None, "é"])
def test_audio_that_is_no_base64_is_told(read, data):
    with pytest.raises(InvalidInput, match="data_b64"):
        read(json.dumps({"type": "audio_chunk", "data_b64": data}))


def test_the_end_is_the_end(read):
    assert read('{"type": "end_of_stream"}') == End()
    assert read(' {"session_id": "x", "type": "end_of_stream"}\n') == End()


@pytest.mark.parametrize(
    "text",
    ["", "hello", "[]", "7", "null", "{}", '{"type": 7}', '{"type": "ready"}', "[" * 100_000],
)
def test_a_text_that_is_no_message_is_told_with_an_example(text):
    with pytest.raises(InvalidInput, match="end_of_stream"):
        of_text(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1" * 1_000,
        b"{}",
        b"{",
        b'{"type": "ready"}',
        b'{"type": ["config"]}',
        b'{"type": "config"',
        b'{\xff"type": "config"}',
        b"{" + bytes(1_000) + b"}",
        b"[1]",
        b"{" * 100_000 + b"}" * 100_000,
        b'x{"type": "end_of_stream"}',
    ],
)
def test_bytes_that_are_no_message_are_audio(data):
    assert of_binary(data) == Audio(data)
