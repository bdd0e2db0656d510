"""Sessions of speech, as their clients speak of them."""

from typing import Final, assert_never

from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.jobs.v1 import session_pb2, session_service_pb2
from mesh.jobs.v1 import session_service_pb2 as pb

from services.jobs.content import Findings, Transcript
from services.jobs.sessions.domain import Session, SessionState
from services.jobs.sessions.live import (
    Acknowledged,
    Analyzed,
    Chunk,
    Encoding,
    End,
    Opening,
    Partial,
    Progress,
    Ready,
    Resumption,
    SegmentHeard,
    Told,
    Whole,
)
from services.jobs.wire.findings import fields_of, missing_to_pb
from services.jobs.wire.hearing import ENCODINGS
from services.jobs.wire.times import time_to_pb
from services.jobs.wire.transcripts import segment_to_pb, transcript_to_pb, word_to_pb

_STATES: Final = {it: f"SESSION_STATE_{it.name}" for it in SessionState}


def settings_from_pb(settings: pb.SessionSettings) -> Opening | Resumption:
    """What a stream begins with."""
    if settings.resume_token:
        return Resumption(
            settings.session_id,
            settings.resume_token,
            settings.acknowledged_offset,
            settings.received_segments,
            words=settings.words,
        )
    return Opening(
        settings.session_id,
        ENCODINGS.get(settings.encoding, Encoding.PCM16),
        settings.sample_rate_hz,
        settings.language,
        tuple(settings.hints),
        words=settings.words,
    )


def spoken_from_pb(request: pb.AnalyzeAudioRequest) -> Chunk | End | None:
    """What a stream goes on with; None for settings, which it may only begin with."""
    match request.WhichOneof("message"):
        case "chunk":
            offset = request.chunk_offset if request.HasField("chunk_offset") else None
            return Chunk(request.chunk, offset)
        case "end":
            return End()
        case _:
            return None


def told_to_pb(told: Told, *, words: bool) -> session_service_pb2.AnalyzeAudioResponse:
    """What a stream is told."""
    match told:
        case Ready():
            ready = pb.SessionReady(
                session_id=told.session_id, resume_token=told.token, next_offset=told.offset
            )
            ready.kept_for.FromTimedelta(told.kept_for)
            return pb.AnalyzeAudioResponse(ready=ready)
        case Acknowledged():
            acknowledged = audio_pb.AudioAcknowledged(offset=told.offset)
            return pb.AnalyzeAudioResponse(acknowledged=acknowledged)
        case SegmentHeard():
            return pb.AnalyzeAudioResponse(segment=segment_to_pb(told.segment, words=words))
        case Partial():
            partial = audio_pb.PartialText(
                committed=told.committed,
                tentative=told.tentative,
                words=map(word_to_pb, told.words) if words else (),
            )
            return pb.AnalyzeAudioResponse(partial_text=partial)
        case Whole():
            transcript = transcript_to_pb(told.transcript, words=words)
            return pb.AnalyzeAudioResponse(transcript=transcript)
        case Progress():
            return pb.AnalyzeAudioResponse(progress=_progress_to_pb(told))
        case Analyzed():
            analysis = _analysis_to_pb(told.transcript, told.findings, words=words)
            return pb.AnalyzeAudioResponse(analysis=analysis)
        case _:
            assert_never(told)


def session_to_pb(session: Session) -> session_pb2.Session:
    """A session as it is kept."""
    analysis = None
    if session.transcript is not None:
        analysis = _analysis_to_pb(session.transcript, session.findings or Findings(), words=True)
    return session_pb2.Session(
        session_id=session.session_id,
        state=_STATES[session.state],
        create_time=time_to_pb(session.create_time),
        end_time=time_to_pb(session.end_time),
        expire_time=time_to_pb(session.expire_time),
        analysis=analysis,
        progress=None if session.transcript is None else _progress_to_pb(session.progress),
    )


def _progress_to_pb(progress: Progress) -> session_pb2.AnalysisProgress:
    return session_pb2.AnalysisProgress(asked=progress.asked, answered=progress.answered)


def _analysis_to_pb(
    transcript: Transcript, found: Findings, *, words: bool
) -> session_pb2.SessionAnalysis:
    return session_pb2.SessionAnalysis(
        transcript=transcript_to_pb(transcript, words=words),
        missing=map(missing_to_pb, found.missing),
        **fields_of(found),
    )
