"""What of a realtime transcription is on its way to the audio room: the call under way, and what
waits for it or for the next.
"""

from collections import deque
from typing import Final

from mesh.audio.v1 import audio_service_pb2 as pb

from gateway.bridge.dialects.openai_realtime_shapes import Settings
from services.chassis import limits

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

    @property
    def end_ms(self) -> float:
        """Where in the session's audio it has come."""
        return self.begin_ms + self.sent * 1_000 / self.settings.bytes_per_second


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
