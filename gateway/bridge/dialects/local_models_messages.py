"""What clients send to the audio socket of the Local Models API: settings, audio and the end, as
JSON in a text or a binary message, or audio as it is. It holds no session.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import pybase64
from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.jobs.v1 import session_service_pb2 as pb
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from services.chassis.errors import InvalidInput

LANGUAGE: Final = "es"
ENCODINGS: Final = {
    "pcm16": audio_pb.AUDIO_ENCODING_PCM16,
    "pcm": audio_pb.AUDIO_ENCODING_PCM16,
    "s16le": audio_pb.AUDIO_ENCODING_PCM16,
    "pcm_s16le": audio_pb.AUDIO_ENCODING_PCM16,
    "linear16": audio_pb.AUDIO_ENCODING_PCM16,
    "float32": audio_pb.AUDIO_ENCODING_PCM_FLOAT32,
    "pcm_f32le": audio_pb.AUDIO_ENCODING_PCM_FLOAT32,
    "mulaw": audio_pb.AUDIO_ENCODING_MULAW,
    "ulaw": audio_pb.AUDIO_ENCODING_MULAW,
    "pcmu": audio_pb.AUDIO_ENCODING_MULAW,
    "ogg": audio_pb.AUDIO_ENCODING_OGG_OPUS,
    "ogg_opus": audio_pb.AUDIO_ENCODING_OGG_OPUS,
    "webm": audio_pb.AUDIO_ENCODING_WEBM_OPUS,
    "webm_opus": audio_pb.AUDIO_ENCODING_WEBM_OPUS,
    # In Ogg or in WebM: which of them, the bytes say.
    "opus": audio_pb.AUDIO_ENCODING_CONTAINER,
    "wav": audio_pb.AUDIO_ENCODING_CONTAINER,
    "flac": audio_pb.AUDIO_ENCODING_CONTAINER,
    "mp3": audio_pb.AUDIO_ENCODING_CONTAINER,
    "aac": audio_pb.AUDIO_ENCODING_CONTAINER,
    "mp4": audio_pb.AUDIO_ENCODING_CONTAINER,
    "container": audio_pb.AUDIO_ENCODING_CONTAINER,
}
"""How the encodings are called by clients."""
ANY_LANGUAGE: Final = ("", "auto")
UNKNOWN: Final = "is not a message of this socket"
REMEDY: Final = (
    'send JSON such as {"type": "config"}, {"type": "audio_chunk", "data_b64": "..."} or '
    '{"type": "end_of_stream"}; audio goes as it is in binary messages'
)


@dataclass(frozen=True)
class Opening:
    """A session is to begin, or one to be taken up again."""

    settings: pb.SessionSettings
    is_resumable: bool = False
    """Whether the client wants to know what it must to take the session up again."""
    wants_progress: bool = False
    """Whether it wants to know how far the analysis is."""

    def again(self) -> "Opening":
        """The same for a session that follows."""
        settings = pb.SessionSettings()
        settings.CopyFrom(self.settings)
        settings.resume_token = ""
        return Opening(settings, self.is_resumable, self.wants_progress)


@dataclass(frozen=True)
class Audio:
    """The next bytes of audio."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class End:
    """No more audio follows."""


Message = Opening | Audio | End


class SettingsRefused(InvalidInput):
    """Settings that cannot be: what is sent under them is not to be heard under others."""


class Config(BaseModel):
    """The settings of a session, by the names that the original had, and ours beside them."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    session_id: str | None = None
    sample_rate: int | None = None
    encoding: str | None = None
    language: str | None = LANGUAGE
    hints: list[str] = []
    resumable: bool = False
    progress: bool = False
    resume_token: str = ""


def of_text(text: str | bytes) -> Message:
    """Read a text message. Raises `InvalidInput` for one that is none of this socket's."""
    try:
        sent = from_json(text)
    except ValueError:
        raise InvalidInput(f"a text that is no JSON {UNKNOWN}", remedy=REMEDY) from None
    match sent:
        case {"type": "config"}:
            return of_config(sent)
        case {"type": "audio_chunk"}:
            return _chunk(sent.get("data_b64"))
        case {"type": "end_of_stream"}:
            return End()
    raise InvalidInput(f"its type {UNKNOWN}", remedy=REMEDY)


def of_binary(data: bytes) -> Message:
    """Read a binary message: audio, unless the whole of it is JSON with a type of this socket's.
    What is audio does not happen to be that.
    """
    if data[:64].lstrip()[:1] == b"{" and data[-64:].rstrip()[-1:] == b"}":
        try:
            sent = from_json(data)
        except ValueError:
            return Audio(data)
        if sent.get("type") in ("config", "audio_chunk", "end_of_stream"):
            return of_text(data)
    return Audio(data)


def of_config(sent: dict[str, Any]) -> Opening:
    """Read settings. Raises `SettingsRefused` for what cannot be."""
    try:
        config = Config.model_validate(sent)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"]))
        raise SettingsRefused.field(path, first["msg"].lower()) from None
    encoding = (config.encoding or "pcm16").lower().replace("-", "_")
    if encoding not in ENCODINGS:
        raise SettingsRefused.field(
            "encoding", "is not known", remedy=f"name one of {', '.join(ENCODINGS)}"
        )
    language = (config.language or "").lower()
    settings = pb.SessionSettings(
        session_id=config.session_id or "",
        sample_rate_hz=_rate(config.sample_rate),
        encoding=ENCODINGS[encoding],
        # Of a language with a region, such as es-MX.
        language="" if language in ANY_LANGUAGE else language.replace("_", "-").partition("-")[0],
        hints=config.hints,
        resume_token=config.resume_token,
    )
    is_resumable = config.resumable or bool(config.resume_token)
    return Opening(settings, is_resumable, config.progress)


def _chunk(data: Any) -> Audio:
    try:
        return Audio(pybase64.b64decode(data, validate=True))
    except (ValueError, TypeError):
        raise InvalidInput.field(
            "data_b64", "is no base64, and its audio is left out", remedy="send plain base64"
        ) from None


def _rate(hertz: int | None) -> int:
    if hertz is not None and not 0 <= hertz <= 192_000:
        raise SettingsRefused.field(
            "sample_rate",
            "is no number of samples per second",
            remedy="name one between 8,000 and 192,000, or leave it out for 16,000",
        )
    return hertz or 0
