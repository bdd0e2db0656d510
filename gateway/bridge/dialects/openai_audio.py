"""OpenAI's `/v1/audio/transcriptions`: a recording in, its words out, whole or as they are heard.

A recording is heard by its bytes, whatever its name says. `temperature` is taken and means nothing:
the room draws the likeliest words. What is not here is refused by its name, never passed over.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Final, Literal

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import transcript_pb2
from pydantic import BaseModel, Field

from gateway.bridge.answers import json_response
from gateway.bridge.dialects import openai_errors as wrong
from gateway.bridge.dialects import openai_models as models
from gateway.bridge.dialects import openai_transcript as transcript
from gateway.bridge.dialects.openai_growing import Growing
from gateway.bridge.exchange import Ask, Conversation, Events, Request, Response
from services.chassis import errors
from services.dialects import subtitles

CHUNK_BYTES: Final = 256 * 1024
_HINTS: Final = 64
_HINT_CHARACTERS: Final = 100
_BETWEEN_HINTS: Final = re.compile(r"[,;.:!?\n\r]+")

Keyword = Annotated[str, Field(min_length=1, max_length=_HINT_CHARACTERS)]
_Granularity = Literal["word", "segment"]


class Prompt(wrong.Shape):
    """What may be said, in words of its own or as a list."""

    prompt: str | None = Field(default=None, max_length=8192)
    keywords: list[Keyword] | None = Field(default=None, max_length=_HINTS)


class Transcribing(wrong.Shape):
    """A recording to put into words; `prompt` and `keywords[]` name what may be said."""

    file: bytes
    model: str
    language: str = ""
    prompt: str = Field(default="", max_length=8192)
    keywords: list[Keyword] = Field(default=[], alias="keywords[]", max_length=_HINTS)
    response_format: Literal["diarized_json", "json", "text", "srt", "verbose_json", "vtt"] = "json"
    timestamp_granularities: list[_Granularity] = Field(
        default=[], alias="timestamp_granularities[]", max_length=2
    )
    temperature: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    chunking_strategy: Literal["auto"] | None = None
    stream: bool = False


class Delta(BaseModel):
    """What was heard since the last one."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str


class Done(BaseModel):
    """Everything that was heard."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str


def transcribe(request: Request) -> Conversation:
    """Put a recording into words; with `stream`, as server-sent events while they are heard."""
    asked = _asked(request.form)
    yield from models.choose(asked.model, models.AUDIO)
    if asked.stream and _is_streamable(asked.file):
        return _streamed(asked)
    upload = pb.TranscribeUploadRequest(
        audio=HttpBody(data=asked.file),
        language=asked.language,
        words="word" in asked.timestamp_granularities,
        hints=hints_of(asked.keywords, asked.prompt),
    )
    told: pb.TranscribeUploadResponse = yield Ask(models.AUDIO, "TranscribeUpload", upload)
    return _written(asked, told.transcript)


def translate(request: Request) -> Conversation:
    """Refuse: nothing here translates speech; transcribe it, and ask a chat for the translation."""
    yield from ()
    raise errors.InvalidInput(
        "recordings are not translated here",
        remedy="send it to /v1/audio/transcriptions, and the text to /v1/chat/completions",
        code="UNSUPPORTED_ENDPOINT",
    )


def hints_of(keywords: Iterable[str], prompt: str) -> list[str]:
    """What may be said, as the room takes it: of a long prompt its end, as in Whisper."""
    return [*keywords, *_phrases(prompt)][-_HINTS:]


def _phrases(prompt: str) -> Iterator[str]:
    for phrase in _BETWEEN_HINTS.split(prompt):
        words = ""
        for word in phrase.split():
            if words and len(words) + 1 + len(word) > _HINT_CHARACTERS:
                yield words
                words = ""
            words = f"{words} {word}".strip()[:_HINT_CHARACTERS]
        if words:
            yield words


def _asked(form: Mapping[str, bytes | Sequence[bytes]]) -> Transcribing:
    fields = {name: it if name == "file" else _texts(name, it) for name, it in form.items()}
    asked = wrong.read(Transcribing, fields)
    if not asked.file:
        raise errors.InvalidInput.field("file", "is empty", remedy="send a recording")
    if asked.stream and asked.response_format not in ("json", "diarized_json"):
        raise wrong.unsupported(
            "response_format", "a stream of events is JSON: leave it out, or ask for diarized_json"
        )
    if asked.timestamp_granularities and asked.response_format != "verbose_json":
        raise wrong.unsupported(
            "timestamp_granularities[]", "times come with response_format verbose_json"
        )
    return asked


def _texts(name: str, sent: bytes | Sequence[bytes]) -> str | list[str]:
    try:
        if isinstance(sent, bytes):
            return sent.decode()
        return [it.decode() for it in sent]
    except UnicodeDecodeError:
        raise errors.InvalidInput.field(name, "is no text", remedy="send UTF-8") from None


def _written(asked: Transcribing, told: transcript_pb2.Transcript) -> Response:
    if asked.stream:
        body = _event(Delta(delta=told.text)) + _end(asked, told)
        return Response(body, "text/event-stream")
    match asked.response_format:
        case "json":
            return json_response(transcript.plain(told).model_dump())
        case "diarized_json":
            return json_response(transcript.diarized(told).model_dump())
        case "verbose_json":
            wanted = asked.timestamp_granularities or ["segment"]
            made = transcript.verbose(told, segments="segment" in wanted, words="word" in wanted)
            return json_response(made.model_dump(exclude_none=True))
        case "text":
            return _text(f"{told.text}\n")
        case "srt":
            return _text(subtitles.srt(told))
        case "vtt":
            return _text(subtitles.vtt(told), "text/vtt")


def _text(text: str, kind: str = "text/plain") -> Response:
    return Response(text.encode(), f"{kind}; charset=utf-8")


def _streamed(asked: Transcribing) -> Events:
    settings = pb.TranscribeSettings(
        encoding=pb.AUDIO_ENCODING_CONTAINER,
        language=asked.language,
        hints=hints_of(asked.keywords, asked.prompt),
    )
    growing, chunks = Growing(), _chunks(asked.file)

    def told(answer: pb.TranscribeResponse) -> bytes:
        new = growing.grow(answer)
        piece = _event(Delta(delta=new)) if new else b""
        if answer.HasField("final"):
            piece += _end(asked, answer.final)
        return piece

    def feed(answer: pb.TranscribeResponse) -> Iterator[Message]:
        # One at a time: what a call fails with is lost where much is still to be sent.
        if answer.WhichOneof("message") in ("ready", "acknowledged"):
            yield from islice(chunks, 1)

    return Events(
        Ask(models.AUDIO, "Transcribe", pb.TranscribeRequest(settings=settings)),
        told,
        _ended,
        feed,
    )


def _end(asked: Transcribing, told: transcript_pb2.Transcript) -> bytes:
    # Who speaks is known when all was said.
    is_diarized = asked.response_format == "diarized_json"
    segments = transcript.spoken(told) if is_diarized else []
    return b"".join(map(_event, segments)) + _event(Done(text=told.text))


def _chunks(data: bytes) -> Iterator[pb.TranscribeRequest]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield pb.TranscribeRequest(chunk=data[start : start + CHUNK_BYTES])
    yield pb.TranscribeRequest(end=pb.EndOfStream())


def _ended(error: errors.MeshError | None) -> bytes:
    return event({"error": wrong.trouble(error).model_dump()}) if error else b""


def _event(told: BaseModel) -> bytes:
    return event(told.model_dump())


def event(value: Any) -> bytes:
    """Write a server-sent event."""
    return f"data: {json.dumps(value)}\n\n".encode()


def _is_streamable(data: bytes) -> bool:
    """Whether a recording can be read from its beginning on, which some MP4 files cannot: there the
    index may come after the sound.
    """
    if data[4:8] != b"ftyp":
        return True
    place = 0
    while len(header := data[place : place + 16]) == 16:
        if header[4:8] in (b"moov", b"mdat"):
            return header[4:8] == b"moov"
        size = int.from_bytes(header[:4])
        if size == 1:
            size = int.from_bytes(header[8:])
        if size < 8:
            break
        place += size
    return True
