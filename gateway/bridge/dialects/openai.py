"""The protocols of OpenAI's clients, for whatever models the rooms have: which there are, chat, and
recordings in words. Errors are `{"error": {...}}`.
"""

from typing import Final

from gateway.bridge.dialects import (
    openai_audio,
    openai_chat,
    openai_chat_shapes,
    openai_errors,
    openai_models,
    openai_transcript,
)
from gateway.bridge.exchange import Dialect, Route
from services.chassis import limits

_EVENTS: Final = "text/event-stream"

DIALECT: Final = Dialect(
    name="OpenAI",
    routes=(
        Route("GET", "/v1/models", openai_models.models, told=openai_models.Models, changes=False),
        Route(
            *("GET", "/v1/models/{model}", openai_models.model),
            told=openai_models.Model,
            changes=False,
        ),
        Route(
            *("POST", "/v1/chat/completions", openai_chat.complete),
            told=openai_chat_shapes.Completion,
            body=openai_chat_shapes.Asked,
            others={_EVENTS: openai_chat_shapes.Chunk},
            lasts=limits.ANSWER_DEADLINE,
            changes=False,
        ),
        Route(
            *("POST", "/v1/audio/transcriptions", openai_audio.transcribe),
            told=openai_transcript.VerboseTranscription
            | openai_transcript.DiarizedTranscription
            | openai_transcript.Transcription,
            form=openai_audio.Transcribing,
            others={
                "text/plain": str,
                "text/vtt": str,
                _EVENTS: openai_audio.Delta | openai_transcript.SpokenSegment | openai_audio.Done,
            },
            lasts=limits.RECORDING_DEADLINE,
            changes=False,
        ),
        Route(
            *("POST", "/v1/audio/translations", openai_audio.translate),
            told=openai_errors.Refusal,
            changes=False,
        ),
    ),
    refuse=openai_errors.refuse,
    refusal=openai_errors.Refusal,
    under="/v1/",
)
