"""One turn of a realtime transcription, and the events that tell of it: what was heard so far is
told as it grows, and what was told is never taken back.
"""

from collections.abc import Iterator
from typing import Any, Final

from mesh.audio.v1 import audio_service_pb2 as pb

from gateway.bridge.dialects import openai_errors as wrong
from gateway.bridge.dialects.openai_growing import Growing
from gateway.bridge.dialects.openai_transcript import seconds
from services.chassis import errors

Event = dict[str, Any]
_HEARD: Final = "conversation.item.input_audio_transcription"


class Item:
    """A turn: an item of OpenAI's conversation."""

    def __init__(self, name: str, previous: str | None, *, begin_ms: float) -> None:
        self.name = name
        self.begin_ms = begin_ms
        """Where in the session's audio it begins."""
        self.is_committed = False
        self._previous = previous
        self._growing = Growing()
        self._segments: list[str] = []

    def begun(self) -> Event:
        """Somebody has begun to speak."""
        return self._event("input_audio_buffer.speech_started", audio_start_ms=round(self.begin_ms))

    def stopped(self, end_ms: float) -> Event:
        """They have paused."""
        return self._event("input_audio_buffer.speech_stopped", audio_end_ms=round(end_ms))

    def committed(self) -> Iterator[Event]:
        """The turn is over; its text may still come."""
        self.is_committed = True
        before = {"previous_item_id": self._previous}
        yield self._event("input_audio_buffer.committed", **before)
        item = {
            "id": self.name,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        yield {"type": "conversation.item.added", **before, "item": item}
        yield {"type": "conversation.item.done", **before, "item": item}

    def heard(self, answer: pb.TranscribeResponse, offset_ms: float) -> Iterator[Event]:
        """What an answer of the room adds to the text; its times count from `offset_ms`."""
        if new := self._growing.grow(answer):
            yield self._text("delta", delta=new)
        if answer.HasField("segment"):
            segment = answer.segment
            yield self._text(
                "segment",
                id=f"{self.name}_{len(self._segments)}",
                text=segment.text,
                speaker=segment.speaker,
                start=round(seconds(segment.start_offset) + offset_ms / 1_000, 3),
                end=round(seconds(segment.end_offset) + offset_ms / 1_000, 3),
            )
            self._segments.append(segment.text)

    def completed(self, end_ms: float) -> Event:
        """All of its text was told."""
        lasted = round(max(0, end_ms - self.begin_ms) / 1_000, 3)
        usage = {"type": "duration", "seconds": lasted}
        return self._text("completed", transcript=" ".join(self._segments), usage=usage)

    def failed(self, error: errors.MeshError) -> Event:
        """Its text cannot be had."""
        return self._text("failed", error=wrong.trouble(error, audio="audio").model_dump())

    def _text(self, what: str, **fields: Any) -> Event:
        return self._event(f"{_HEARD}.{what}", content_index=0, **fields)

    def _event(self, kind: str, **fields: Any) -> Event:
        return {"type": kind, "item_id": self.name, **fields}
