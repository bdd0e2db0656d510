"""What a session came to, as clients of the Local Models API read it. Where the original had plain
strings they stay plain, and what they rest on stands beside them in the same order.
"""

from collections.abc import Iterable
from typing import Literal

from google.protobuf.duration_pb2 import Duration
from mesh.jobs.v1 import session_pb2 as pb
from mesh.types.v1 import finding_pb2, transcript_pb2
from pydantic import BaseModel

SPEAKER = "S1"
"""Who speaks where speakers were not told apart, as the original had it."""


class Line(BaseModel):
    """A stretch of speech, with its begin and end in seconds."""

    speaker: str
    start: float
    end: float
    text: str


class Task(BaseModel):
    """Something that somebody is to do; `owner` is empty where nobody was named."""

    title: str
    description: str
    steps: list[str]
    owner: str


class Evidence(BaseModel):
    """What each entry of the list of the same name rests on."""

    action_items: list[list[Line]]
    risks: list[list[Line]]
    decisions: list[list[Line]]
    open_questions: list[list[Line]]


class Analysis(BaseModel):
    """What a session came to. `missing` says what could not be made, and why."""

    session_id: str
    language: str
    transcript: list[Line]
    transcription: str
    summary: str
    action_items: list[Task]
    risks: list[str]
    decisions: list[str]
    open_questions: list[str]
    evidence: Evidence
    missing: list[str]


class FinalResult(BaseModel):
    """The last message of a session."""

    type: Literal["final_result"] = "final_result"
    session_id: str
    text: str
    analysis: Analysis


class KeptSession(BaseModel):
    """How far a session is, and what it came to when it has ended."""

    session_id: str
    state: Literal["open", "analyzing", "ended"]
    text: str
    analysis: Analysis | None


_STATES = {
    pb.SESSION_STATE_OPEN: "open",
    pb.SESSION_STATE_ANALYZING: "analyzing",
    pb.SESSION_STATE_ENDED: "ended",
}


def final_result(session_id: str, made: pb.SessionAnalysis) -> FinalResult:
    """The last message of a session."""
    analysis = analysis_from_pb(session_id, made)
    return FinalResult(session_id=session_id, text=analysis.transcription, analysis=analysis)


def kept_session(session: pb.Session) -> KeptSession:
    """A session that is kept."""
    has_ended = session.state == pb.SESSION_STATE_ENDED
    analysis = analysis_from_pb(session.session_id, session.analysis) if has_ended else None
    return KeptSession.model_validate(
        {
            "session_id": session.session_id,
            "state": _STATES[session.state],
            "text": session.analysis.transcript.text,
            "analysis": analysis,
        }
    )


def analysis_from_pb(session_id: str, made: pb.SessionAnalysis) -> Analysis:
    """What a session came to."""
    return Analysis(
        session_id=session_id,
        language=made.transcript.language,
        transcript=[_line(it) for it in made.transcript.segments],
        transcription=made.transcript.text,
        summary=made.summary,
        action_items=[_task(it) for it in made.action_items],
        risks=[it.risk.description for it in made.risks],
        decisions=[it.text for it in made.decisions],
        open_questions=[it.text for it in made.open_questions],
        evidence=Evidence(
            action_items=_evidence(made.action_items),
            risks=_evidence(made.risks),
            decisions=_evidence(made.decisions),
            open_questions=_evidence(made.open_questions),
        ),
        missing=[f"{it.part}: {it.reason}" for it in made.missing],
    )


def _task(item: finding_pb2.ActionItem) -> Task:
    return Task(
        title=item.title, description=item.description, steps=list(item.steps), owner=item.owner
    )


def _evidence(
    found: Iterable[finding_pb2.Finding | finding_pb2.ActionItem | finding_pb2.RiskFinding],
) -> list[list[Line]]:
    return [[_line(it) for it in each.evidence] for each in found]


def _line(said: transcript_pb2.Segment | finding_pb2.Evidence) -> Line:
    return Line(
        speaker=said.speaker or SPEAKER,
        start=_seconds(said.start_offset),
        end=_seconds(said.end_offset),
        text=said.text,
    )


def _seconds(offset: Duration) -> float:
    return offset.ToMilliseconds() / 1_000
