"""What the edge itself answers when no room does, in the same shape as the rooms' errors: JSON to
REST callers, a status with details to gRPC callers, and to OpenAI's clients what those read. Those
of the other dialects find their `detail` beside it.

Envoy fills in `%...%`. Its own words stay only where they name what is wrong with the request.
"""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from google.protobuf import json_format
from google.rpc import error_details_pb2 as _details  # noqa: F401 - printing a detail needs its type

from gateway.bridge.dialects import openai_errors
from gateway.bridge.exchange import RECORDINGS
from services.chassis import errors, limits, status

UNREAD_HEADER: Final = "x-mesh-unread"
"""Marks a reply whose field `fields.lua` has yet to name; it takes the mark away."""
UNREAD_FIELD: Final = "unread"
"""Stands where that field belongs."""
UNKNOWN_FIELD: Final = "%DYNAMIC_METADATA(mesh:unknown_field)%"
CALL: Final = "%REQ(:METHOD)% %PATH(NQ:ORIG_OR_PATH)%"
SOON: Final = timedelta(seconds=1)
"""When a caller may try again what a busy or restarting room did not take."""

NO_ANSWER: Final = errors.Unavailable(
    "the part of the mesh that does this does not answer",
    remedy="try again shortly; if it stays so, its log says why",
    retry_after=SOON,
)
UNREAD: Final = errors.InvalidInput(
    "the request cannot be read: %LOCAL_REPLY_BODY%",
    remedy="send the path, query and JSON that the contract of this call names",
    code="MALFORMED_REQUEST",
    violations=[errors.Violation(UNREAD_FIELD, "%LOCAL_REPLY_BODY%")],
)
TOO_LATE: Final = errors.TimedOut(
    "the call took longer than its deadline allows", remedy="ask for less at once"
)
NO_KEY: Final = "send a valid key as 'Authorization: Bearer', as 'x-api-key' or as '?api_key='"

REST: Final[tuple[tuple[int, errors.MeshError], ...]] = (
    (400, UNREAD),
    (401, errors.Unauthenticated("the key is not accepted: %LOCAL_REPLY_BODY%", remedy=NO_KEY)),
    (403, errors.Denied("this key may not do that: %LOCAL_REPLY_BODY%", remedy=NO_KEY)),
    (
        404,
        errors.NotFound(
            f"nothing answers {CALL}",
            remedy="check the method and the path against the contract",
            code="NO_SUCH_CALL",
        ),
    ),
    (408, errors.TimedOut("the request came too slowly", remedy="send it without long pauses")),
    (
        413,
        errors.InvalidInput(
            f"the body is over the limit of {limits.BODY_BYTES // limits.MEBIBYTE} MiB",
            remedy="send less at once; pictures and audio as raw bytes, not as base64 in JSON;"
            f" a large recording to {RECORDINGS}",
            code="BODY_TOO_LARGE",
        ),
    ),
    (
        415,
        errors.InvalidInput(
            "the body is packed, and bodies are taken as they are",
            remedy="send it without Content-Encoding",
            code="BODY_PACKED",
        ),
    ),
    (
        431,
        errors.InvalidInput(
            f"the headers are over the limit of {limits.HEADER_KIBIBYTES} KiB",
            remedy="send fewer or shorter headers",
            code="HEADERS_TOO_LARGE",
        ),
    ),
    (503, NO_ANSWER),
    (504, TOO_LATE),
)
"""The answer to a REST caller by its HTTP status."""

GRPC: Final[tuple[tuple[int, errors.MeshError], ...]] = (
    (401, errors.Unauthenticated("the key is missing or not accepted", remedy=NO_KEY)),
    (404, errors.Unimplemented("the edge serves no such method", code="NO_SUCH_CALL")),
    (503, NO_ANSWER),
)
"""The answer to a gRPC caller by the HTTP status from which Envoy makes the gRPC code."""

PAGES: Final[tuple[tuple[str, errors.MeshError], ...]] = (
    (
        "foreign_origin",
        errors.Denied(
            "pages of this origin may not do that here",
            remedy="have the operator add the page's origin to GATEWAY_CORS_ORIGINS",
            code="ORIGIN_NOT_ALLOWED",
        ),
    ),
    (
        "foreign_host",
        errors.Denied(
            "without keys this mesh does not answer to the name by which it was called",
            remedy="call it by its address, or have the operator add the name to GATEWAY_HOSTS or"
            " ask for keys",
            code="HOST_NOT_ALLOWED",
        ),
    ),
)
"""The answer by what `pages.lua` notes when it refuses."""

_GRPC_CONTENT: Final = {
    "header_filter": {
        "header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    }
}
_OPENAI: Final = {
    "header_filter": {"header": {"name": ":path", "string_match": {"prefix": "/v1/"}}}
}
_DIALECT: Final = {
    "header_filter": {
        "header": {"name": ":path", "string_match": {"prefix": "/mesh"}, "invert_match": True}
    }
}
_TOO_LATE: Final = {"response_flag_filter": {"flags": ["DT"]}}
# The transcoder has put it there: a REST call that only looks like gRPC by now.
_TRANSCODED: Final = {
    "header_filter": {"header": {"name": "x-envoy-original-path", "present_match": True}}
}


def mappers() -> list[dict[str, Any]]:
    """Envoy's mappers of local replies; the first that fits a reply shapes it."""
    unknown = errors.InvalidInput.field(
        UNKNOWN_FIELD,
        "there is no such field",
        remedy="remove it, or spell it as the contract does",
        code="UNKNOWN_FIELD",
    )
    other = errors.Internal("the edge cannot answer this: %LOCAL_REPLY_BODY%")
    return [
        *(it for why, error in PAGES for it in _of_rest(_noted(why), error)),
        {"filter": _noted("unknown_field"), **_json(unknown)},
        *_of_openai(),
        *_of_grpc(),
        # Envoy calls a call's own time limit 408, which would ask clients to send it once more.
        *({**it, "status_code": 504} for it in _of_rest(_TOO_LATE, TOO_LATE)),
        *(it for code, error in REST for it in _of_rest(_status_is(code), error)),
        *_of_rest(_status_is(400, "GE"), other),
    ]


def _of_rest(matched: dict[str, Any], error: errors.MeshError) -> Iterator[dict[str, Any]]:
    yield {"filter": _all(matched, _DIALECT), **_json(error, detail=str(error))}
    yield {"filter": matched, **_json(error)}


def _of_openai() -> Iterator[dict[str, Any]]:
    yield {"filter": _all(_TOO_LATE, _OPENAI), "status_code": 504, **_openai(TOO_LATE)}
    for code, error in REST:
        if error is not UNREAD:
            yield {"filter": _all(_status_is(code), _OPENAI), **_openai(error)}


def _of_grpc() -> Iterator[dict[str, Any]]:
    grpc = _all(_GRPC_CONTENT, _not(_TRANSCODED))
    for code, error in GRPC:
        yield {
            "filter": _all(_status_is(code), grpc),
            "headers_to_add": [_header(status.DETAILS_KEY, _encoded(error))],
            "body_format_override": {"text_format_source": {"inline_string": str(error)}},
        }
    # Everything else keeps Envoy's words, which become the status's message.
    yield {"filter": grpc}


def _json(error: errors.MeshError, **more: str) -> dict[str, Any]:
    body = json_format.MessageToDict(status.to_status(error), preserving_proto_field_name=True)
    shaped = _shaped(error, body | more)
    if error is UNREAD:
        shaped["headers_to_add"] = [_header(UNREAD_HEADER, "1")]
    return shaped


def _openai(error: errors.MeshError) -> dict[str, Any]:
    return _shaped(error, json.loads(openai_errors.refuse(error).body))


def _shaped(error: errors.MeshError, body: dict[str, Any]) -> dict[str, Any]:
    shaped: dict[str, Any] = {"body_format_override": {"json_format": body}}
    if error.retry_after is not None:
        seconds = str(int(error.retry_after.total_seconds()))
        shaped["headers_to_add"] = [_header("retry-after", seconds)]
    return shaped


def _status_is(code: int, operator: str = "EQ") -> dict[str, Any]:
    value = {"default_value": code, "runtime_key": f"mesh.local_reply_{operator.lower()}_{code}"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}


def _all(*filters: dict[str, Any]) -> dict[str, Any]:
    return {"and_filter": {"filters": list(filters)}}


def _noted(key: str) -> dict[str, Any]:
    matcher = {"filter": "mesh", "path": [{"key": key}], "value": {"present_match": True}}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _not(matched: dict[str, Any]) -> dict[str, Any]:
    header = {**matched["header_filter"]["header"], "invert_match": True}
    return {"header_filter": {"header": header}}


def _encoded(error: errors.MeshError) -> str:
    # A status holds maps, whose order must not differ from one rendering to the next.
    encoded = status.to_status(error).SerializeToString(deterministic=True)
    return base64.b64encode(encoded).decode().rstrip("=")


def _header(name: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
