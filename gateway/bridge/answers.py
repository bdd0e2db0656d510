"""What dialects that answer in different words have in common: the HTTP status of each error, when
to try again, the names of fields, JSON.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from gateway.bridge.exchange import BODY_TOO_LARGE, Response
from services.chassis import errors

_STATUS: Final = {
    errors.InvalidInput: 400,
    errors.Unauthenticated: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Precondition: 400,
    errors.Exhausted: 429,
    errors.Unimplemented: 501,
    errors.Unavailable: 503,
    errors.TimedOut: 504,
}


def status_of(error: errors.MeshError) -> int:
    """The HTTP status that tells of an error."""
    return 413 if error.code == BODY_TOO_LARGE else _STATUS.get(type(error), 500)


def retry_header(error: errors.MeshError) -> dict[str, str]:
    """The header that says when to try again, where the error does."""
    if error.retry_after is None:
        return {}
    return {"retry-after": str(max(1, round(error.retry_after.total_seconds())))}


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Name the fields in a room's message as a dialect's clients know them: by our name theirs."""
    for ours, theirs in names.items():
        text = text.replace(ours, theirs)
    return text


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer in JSON."""
    return Response(json.dumps(value).encode(), "application/json", status, headers or {})
