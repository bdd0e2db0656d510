"""One session of the Local Models API's audio socket as the jobs room sees it: audio handed over
and kept until it is acknowledged, and the session taken up again when its stream breaks off. It
knows neither the client's messages nor what they look like.
"""

from collections.abc import Iterator
from typing import Final

from mesh.jobs.v1 import session_service_pb2 as pb

from gateway.bridge.backlog import Backlog
from gateway.bridge.dialects.local_models_messages import Opening
from gateway.bridge.session import Action, Converse, Feed
from services.chassis.clock import Clock
from services.chassis.errors import Exhausted, MeshError, TimedOut, Unavailable

RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
OPENING_SECONDS: Final = 10.0
"""How long the room may be away before a session is open; then, for as long as it keeps one."""


class Talk:
    """A session under way."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self.is_resumable = opening.is_resumable
        self.wants_progress = opening.wants_progress
        self.session_id = opening.settings.session_id
        self.backlog = Backlog()
        self.is_ended = False
        """Whether no more audio follows."""
        self.is_over = False
        """Whether the last answer was given."""
        self.was_ready = False
        """Whether it has been open."""
        self._settings = pb.SessionSettings()
        self._settings.CopyFrom(opening.settings)
        self._clock = clock
        self._is_ready = False
        self._is_end_told = False
        self._patience = OPENING_SECONDS
        self._failures = 0
        self._away_since = clock.monotonic()

    @property
    def needs_nobody(self) -> bool:
        """Whether nothing is to be handed over any more."""
        return self.is_over or not (self.is_ended or self.backlog)

    def open(self, *, after: float = 0.0) -> Iterator[Action]:
        """Open a stream; what it is fed follows when it is ready."""
        request = pb.AnalyzeAudioRequest(settings=self._settings)
        yield Converse("SessionService", "AnalyzeAudio", request, keeps=None, after=after)

    def add(self, data: bytes) -> Iterator[Action]:
        """Take the next audio."""
        self.backlog.add(data)
        yield from self._feed()

    def end(self) -> Iterator[Action]:
        """Say that no more audio follows."""
        self.is_ended = True
        yield from self._feed()

    def ready(self, ready: pb.SessionReady) -> Iterator[Action]:
        """Go on where the room wants to."""
        self.session_id = self._settings.session_id = ready.session_id
        self._settings.resume_token = ready.resume_token
        self._patience = ready.kept_for.ToTimedelta().total_seconds()
        if self.was_ready:
            self.backlog.acknowledge(ready.next_offset)
            self.backlog.rewind()
        else:
            self.backlog.begin(ready.next_offset)
        self.was_ready = self._is_ready = True
        self._is_end_told = False
        yield from self._feed()

    def acknowledged(self, offset: int) -> Iterator[Action]:
        """Let go of what the room holds, and hand over more."""
        self._failures = 0
        self._settings.acknowledged_offset = offset
        self.backlog.acknowledge(offset)
        yield from self._feed()

    def note_segment(self) -> None:
        """Count a segment, so that it is not told again."""
        self._settings.received_segments += 1

    def broke_off(self, error: Exception | None) -> Iterator[Action]:
        """Take the session up again. Raises what does not pass."""
        lost = error or Unavailable("the session broke off")
        was_ready, self._is_ready = self._is_ready, False
        if was_ready and isinstance(lost, TimedOut):
            # Silence is no failure: the room waits for so long, and then wants to be asked again.
            yield from self.open()
            return
        if not self._failures:
            self._away_since = self._clock.monotonic()
        if not isinstance(lost, MeshError) or not lost.passes or self._is_hopeless(lost):
            raise lost
        told = lost.retry_after.total_seconds() if lost.retry_after else 0.0
        wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        yield from self.open(after=max(wait, min(told, RETRY_SECONDS[-1])))

    def _is_hopeless(self, lost: MeshError) -> bool:
        if isinstance(lost, Exhausted) and not self.was_ready:
            return True
        return self._clock.monotonic() - self._away_since >= self._patience

    def _feed(self) -> Iterator[Action]:
        if not self._is_ready:
            return
        while taken := self.backlog.take():
            offset, data = taken
            yield Feed(pb.AnalyzeAudioRequest(chunk=data, chunk_offset=offset))
        if self.is_ended and self.backlog.is_handed_over and not self._is_end_told:
            self._is_end_told = True
            yield Feed(pb.AnalyzeAudioRequest(end=pb.EndOfSession()))
