"""A transcript of several sessions, of which each but the last was forgotten: their times are those
of the whole, and so is what is told in the end. It knows neither audio nor a mesh.
"""

from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import transcript_pb2

NOTHING: Final = timedelta()


class Continued:
    """What was told so far."""

    def __init__(self) -> None:
        self._begin = NOTHING
        self._before: list[transcript_pb2.Segment] = []
        self._told: list[transcript_pb2.Segment] = []

    @property
    def begin(self) -> timedelta:
        """Where the session under way begins."""
        return self._begin

    def renew(self, begin: timedelta) -> None:
        """Take note that another session goes on from there."""
        self._begin = begin
        self._before = list(self._told)

    def take(self, answer: pb.TranscribeResponse) -> None:
        """Take what the session under way tells, and make it a part of the whole."""
        match answer.WhichOneof("message"):
            case "segment":
                self._move(answer.segment)
                self._told.append(answer.segment)
            case "partial_text":
                for word in answer.partial_text.words:
                    self._move(word)
            case "voice_activity":
                self._later(answer.voice_activity.offset)
            case "final":
                self._finish(answer.final)

    def _finish(self, final: transcript_pb2.Transcript) -> None:
        self._later(final.duration)
        for segment in final.segments:
            self._move(segment)
        if self._before:
            spoken = [*self._before, *final.segments]
            del final.segments[:]
            # A voice that spoke in both sessions would have another name in each.
            for segment in spoken:
                final.segments.add().CopyFrom(segment)
                final.segments[-1].speaker = ""
            final.speakers_told_apart = False
            final.text = " ".join(it.text for it in spoken)
            final.language = final.language or spoken[-1].language
            seconds = [_seconds(it) for it in spoken]
            sure = sum(it.confidence * lasts for it, lasts in zip(spoken, seconds, strict=True))
            final.confidence = sure / (sum(seconds) or 1)

    def _move(self, said: transcript_pb2.Segment | transcript_pb2.Word) -> None:
        self._later(said.start_offset)
        self._later(said.end_offset)
        if isinstance(said, transcript_pb2.Segment):
            for word in said.words:
                self._move(word)

    def _later(self, offset: Duration) -> None:
        if self._begin:
            offset.FromTimedelta(offset.ToTimedelta() + self._begin)


def _seconds(said: transcript_pb2.Segment) -> float:
    return (said.end_offset.ToTimedelta() - said.start_offset.ToTimedelta()).total_seconds()
