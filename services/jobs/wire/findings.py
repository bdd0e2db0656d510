"""What follows from a session, as clients are told."""

from collections.abc import Sequence
from typing import Any

from mesh.types.v1 import finding_pb2 as pb

from services.jobs.content import (
    ActionItem,
    Evidence,
    Finding,
    Findings,
    MissingPart,
    RiskFinding,
)
from services.jobs.wire.risks import risk_to_pb
from services.jobs.wire.times import seconds_to_pb


def fields_of(found: Findings) -> dict[str, Any]:
    """The fields that every message of findings has."""
    return {
        "summary": found.summary,
        "decisions": list(map(finding_to_pb, found.decisions)),
        "open_questions": list(map(finding_to_pb, found.open_questions)),
        "action_items": list(map(_item_to_pb, found.action_items)),
        "risks": list(map(_risk_to_pb, found.risks)),
        "dropped_claims": found.dropped_claims,
        "summary_sentences": list(map(finding_to_pb, found.summary_sentences)),
    }


def finding_to_pb(found: Finding) -> pb.Finding:
    """Write something that was found."""
    return pb.Finding(text=found.text, evidence=_all_to_pb(found.evidence))


def missing_to_pb(missing: MissingPart) -> pb.MissingPart:
    """Write what could not be made."""
    return pb.MissingPart(part=missing.part, reason=missing.reason)


def _item_to_pb(item: ActionItem) -> pb.ActionItem:
    return pb.ActionItem(
        title=item.title,
        description=item.description,
        steps=item.steps,
        owner=item.owner,
        evidence=_all_to_pb(item.evidence),
    )


def _risk_to_pb(found: RiskFinding) -> pb.RiskFinding:
    return pb.RiskFinding(risk=risk_to_pb(found.risk), evidence=_all_to_pb(found.evidence))


def _all_to_pb(evidence: Sequence[Evidence]) -> list[pb.Evidence]:
    return [_evidence_to_pb(it) for it in evidence]


def _evidence_to_pb(it: Evidence) -> pb.Evidence:
    start, end = it.start_seconds, it.end_seconds
    return pb.Evidence(
        start_offset=None if start is None else seconds_to_pb(start),
        end_offset=None if end is None else seconds_to_pb(end),
        speaker=it.speaker,
        image_id=it.image_id,
        text=it.text,
    )
