"""What of a realtime transcription is on its way to the audio room: the call under way, and what
waits for it or for the next.
"""

from collections import deque
from typing import Final

from mesh.audio.v1 import audio_service_pb2 as pb

from gateway.bridge.dialects import openai_models as models
from gateway.bridge.dialects.openai_realtime_shapes import Settings
from gateway.bridge.session import Converse
from services.chassis import limits

MOST_SILENCES: Final = 5
"""So many minutes in a row may pass without audio in a turn that the client has not committed."""
END: Final = pb.TranscribeRequest(end=pb.EndOfStream())
"""The end of a call, and of a turn."""


class Call:
    """A call of the room: the audio up to a commit, or up to other settings."""

    def __init__(self, settings: Settings, begin_ms: float) -> None:
        self.settings = settings
        self.begin_ms = begin_ms
        """Where in the session's audio it begins."""
        self.is_ready = self.is_ending = False
        self.sent = self.taken = 0
        """The bytes of audio that it was fed, and those that the room holds."""
        self.segments = self.silences = 0
        """The segments that it told; how often in a row the room heard nothing for too long."""
        self._ready = pb.TranscribeReady()

    @property
    def end_ms(self) -> float:
        """Where in the session's audio it has come."""
        return self.begin_ms + self.sent * 1_000 / self.settings.bytes_per_second

    @property
    def was_ready(self) -> bool:
        """Whether the room has opened it."""
        return bool(self._ready.session_id)

    def is_taken_up(self, ready: pb.TranscribeReady) -> bool:
        """Take note that the room is ready; whether it holds all that was sent before."""
        self.is_ready, self._ready = True, ready
        return ready.next_offset == self.sent

    def outlasts_silence(self) -> bool:
        """Take note that the room heard nothing for too long; whether the turn goes on, for as long
        as the client, who alone ends it, may think.
        """
        if not self.is_ready or self.settings.finds_turns or self.silences == MOST_SILENCES:
            return False
        self.is_ready, self.silences = False, self.silences + 1
        return True

    def opening(self) -> Converse:
        """What opens it, or takes it up again after a silence."""
        settings = self.settings.to_pb()
        settings.session_id = self._ready.session_id
        settings.resume_token = self._ready.resume_token
        settings.acknowledged_offset = self.taken
        settings.received_segments = self.segments
        opening = pb.TranscribeRequest(settings=settings)
        return Converse(models.AUDIO, "Transcribe", opening, keeps=None)


class Waiting:
    """Audio, ends of turns, and the settings by which what follows them is heard, in order."""

    def __init__(self) -> None:
        self._line: deque[pb.TranscribeRequest | Settings] = deque()

    @property
    def first(self) -> pb.TranscribeRequest | Settings | None:
        """What is next."""
        return self._line[0] if self._line else None

    def pop(self) -> None:
        """Let what is next go."""
        self._line.popleft()

    def put(self, what: pb.TranscribeRequest | Settings) -> None:
        """Take an end, or settings."""
        self._line.append(what)

    def put_audio(self, data: bytes) -> None:
        """Take audio, in pieces that the room takes."""
        for start in range(0, len(data), limits.MEBIBYTE):
            chunk = data[start : start + limits.MEBIBYTE]
            self._line.append(pb.TranscribeRequest(chunk=chunk))

    def drop_audio(self) -> int:
        """Forget the audio that nothing follows; how many bytes it was."""
        dropped = 0
        while self._line and not isinstance(last := self._line[-1], Settings) and last.chunk:
            self._line.pop()
            dropped += len(last.chunk)
        return dropped

    def clear(self) -> None:
        """Forget everything."""
        self._line.clear()
