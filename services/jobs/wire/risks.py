"""Risks, as the vision room tells them and as clients are told."""

from typing import Final

from mesh.types.v1 import scene_pb2 as pb

from services.jobs.content import Risk, Severity

_SEVERITIES: Final = {it: f"SEVERITY_{it.name}" for it in Severity}
_SEVERITIES_FROM_PB: Final = {name: severity for severity, name in _SEVERITIES.items()}


def risk_from_pb(risk: pb.Risk) -> Risk:
    """Read a risk that the vision room saw; one of unknown severity is worth knowing."""
    severity = _SEVERITIES_FROM_PB.get(pb.Severity.Name(risk.severity), Severity.LOW)
    return Risk(risk.description, severity)


def risk_to_pb(risk: Risk) -> pb.Risk:
    """Write a risk."""
    return pb.Risk(description=risk.description, severity=_SEVERITIES[risk.severity])
