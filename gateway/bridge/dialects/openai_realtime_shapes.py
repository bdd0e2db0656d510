"""The settings of OpenAI's realtime transcription: what a client may send of them, what holds, and
how the room is told. What the room does in its own way is told as it does it.
"""

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from mesh.audio.v1 import audio_service_pb2 as pb
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from gateway.bridge.dialects import openai_errors as wrong
from gateway.bridge.dialects.openai_audio import Prompt, hints_of

RATE_HZ: Final = 24_000
MULAW_RATE_HZ: Final = 8_000
PREFIX_MS: Final = 300
"""What the room keeps of the audio before a voice."""
SILENCE_MS: Final = 700
"""The pause after which the room takes an utterance to be over."""
_THRESHOLD: Final = 0.5
_LANGUAGE: Final = re.compile("[a-z]{2,3}")


def _code(language: str | None) -> str | None:
    if language and not _LANGUAGE.fullmatch(language):
        raise PydanticCustomError("language", "must be an ISO 639-1 code in small letters: en")
    return language


class Pcm(wrong.Shape):
    """16-bit little-endian PCM."""

    type: Literal["audio/pcm"]
    rate: Literal[24000] = RATE_HZ


class Pcmu(wrong.Shape):
    """mu-law, as telephones speak."""

    type: Literal["audio/pcmu"]


class Transcription(Prompt):
    """How speech is to be heard."""

    model: str | None = None
    language: Annotated[str | None, AfterValidator(_code)] = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class ServerVad(BaseModel):
    """Turns end where somebody pauses; how long a pause is, the room knows."""

    type: Literal["server_vad"]


class NoiseReduction(BaseModel):
    """There is none here, and `session.updated` says so."""


class Input(wrong.Shape):
    """What is heard, and how."""

    format: Annotated[Pcm | Pcmu, Field(discriminator="type")] | None = None
    transcription: Transcription | None = None
    turn_detection: ServerVad | None = None
    noise_reduction: NoiseReduction | None = None


class Audio(wrong.Shape):
    """The one direction in which audio goes."""

    input: Input = Input()


class Session(wrong.Shape):
    """What of a session's settings is to change."""

    type: Literal["transcription"]
    audio: Audio = Audio()
    include: Annotated[list[str], Field(max_length=0)] | None = None


class Update(wrong.Shape):
    """The event `session.update`."""

    type: Literal["session.update"]
    event_id: str | None = None
    session: Session


@dataclass(frozen=True)
class Settings:
    """What holds."""

    model: str
    is_mulaw: bool = False
    language: str = ""
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    finds_turns: bool = True

    @property
    def bytes_per_second(self) -> int:
        """How much audio a second takes."""
        return MULAW_RATE_HZ if self.is_mulaw else RATE_HZ * 2

    def updated(self, session: Session) -> "Settings":
        """With what a client wants changed; what it leaves out stays."""
        asked, changed = session.audio.input, self
        if asked.format:
            changed = replace(changed, is_mulaw=isinstance(asked.format, Pcmu))
        if "turn_detection" in asked.model_fields_set:
            changed = replace(changed, finds_turns=asked.turn_detection is not None)
        if heard := asked.transcription:
            given = heard.model_fields_set
            changed = replace(
                changed,
                language=(heard.language or "") if "language" in given else self.language,
                prompt=(heard.prompt or "") if "prompt" in given else self.prompt,
                keywords=tuple(heard.keywords or ()) if "keywords" in given else self.keywords,
            )
        return changed

    def to_pb(self) -> pb.TranscribeSettings:
        """What opens a call."""
        return pb.TranscribeSettings(
            encoding=pb.AUDIO_ENCODING_MULAW if self.is_mulaw else pb.AUDIO_ENCODING_PCM16,
            sample_rate_hz=MULAW_RATE_HZ if self.is_mulaw else RATE_HZ,
            language=self.language,
            hints=hints_of(self.keywords, self.prompt),
            voice_activity=self.finds_turns,
        )

    def told(self, session_id: str) -> dict[str, Any]:
        """The session as `session.created` and `session.updated` tell it."""
        pcm = {"type": "audio/pcm", "rate": RATE_HZ}
        turns = {
            "type": "server_vad",
            "threshold": _THRESHOLD,
            "prefix_padding_ms": PREFIX_MS,
            "silence_duration_ms": SILENCE_MS,
        }
        heard: dict[str, Any] = {"model": self.model, "language": self.language or None}
        heard |= {"prompt": self.prompt, "keywords": list(self.keywords)}
        return {
            "id": session_id,
            "object": "realtime.transcription_session",
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"} if self.is_mulaw else pcm,
                    "transcription": heard,
                    "noise_reduction": None,
                    "turn_detection": turns if self.finds_turns else None,
                }
            },
            "include": None,
        }
