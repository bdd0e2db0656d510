"""What follows from a session: claims, each with what it rests on."""

from dataclasses import dataclass, field

from services.jobs.content.outputs import Risk


@dataclass(frozen=True)
class Evidence:
    """A stretch of speech, or a picture."""

    text: str = field(repr=False)
    """What was said there or seen there."""
    start_seconds: float | None = None
    """From the start of the session. None: unknown."""
    end_seconds: float | None = None
    speaker: str = ""
    """Empty: unknown, or it is a picture."""
    image_id: str = ""
    """Empty: it is speech."""


@dataclass(frozen=True)
class Finding:
    """Something that was found."""

    text: str = field(repr=False)
    evidence: tuple[Evidence, ...]
    """Never empty."""


@dataclass(frozen=True)
class ActionItem:
    """Something that somebody is to do."""

    title: str = field(repr=False)
    description: str = field(repr=False)
    steps: tuple[str, ...] = field(repr=False)
    owner: str = field(repr=False)
    """Empty: nobody was named."""
    evidence: tuple[Evidence, ...]
    """Never empty."""


@dataclass(frozen=True)
class RiskFinding:
    """Something that may do harm."""

    risk: Risk
    evidence: tuple[Evidence, ...]
    """Never empty."""


@dataclass(frozen=True)
class MissingPart:
    """A part that could not be made."""

    part: str
    """The name of its field."""
    reason: str


@dataclass(frozen=True)
class Findings:
    """What a session came to."""

    summary: str = field(default="", repr=False)
    decisions: tuple[Finding, ...] = ()
    """In order of time, as what follows."""
    open_questions: tuple[Finding, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    risks: tuple[RiskFinding, ...] = ()
    """The worst first."""
    dropped_claims: int = 0
    """Claims that rest on nothing that exists."""
    missing: tuple[MissingPart, ...] = ()
    summary_sentences: tuple[Finding, ...] = ()
    """The summary, each of its sentences with what it rests on."""
