"""The error family to gRPC statuses and back: one table, two mirrored functions. It knows no room.

What crosses the wire intact: the kind, the code, the message with its remedy, the fields, the
resource and the time after which to try again. What is lost: the cause, which stays in the log of
the room where it happened.
"""

from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from services.chassis import errors, limits, names, transport

CODES: Final[dict[type[errors.MeshError], grpc.StatusCode]] = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Denied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.Precondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Internal: grpc.StatusCode.INTERNAL,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.TimedOut: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_KINDS: Final = {code: kind for kind, code in CODES.items()} | {
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidInput,
    grpc.StatusCode.ALREADY_EXISTS: errors.Conflict,
}
DETAILS_KEY: Final = "grpc-status-details-bin"
_BROKE_OFF: Final = (grpc.StatusCode.INTERNAL, "Internal error from Core")
"""What the library itself says of a stream whose end came while a request was being written to it;
what it ended with is lost.
"""

_TOO_LARGE: Final = (
    "CLIENT: Sent message larger than max",
    "SERVER: Received message larger than max",
)
"""How the library itself begins to say that a request is larger than a channel takes: no handler
ever sees it. As for its code, it would be worth another try.
"""


def code_of(error: errors.MeshError) -> grpc.StatusCode:
    """The gRPC code of an error."""
    return next(
        (CODES[kind] for kind in type(error).__mro__ if kind in CODES), grpc.StatusCode.INTERNAL
    )


def to_status(error: errors.MeshError) -> status_pb2.Status:
    """Write an error as a status with its details; `ErrorInfo` is always among them."""
    status = status_pb2.Status(code=code_of(error).value[0], message=str(error))
    info = error_details_pb2.ErrorInfo(reason=error.code, domain=names.ERROR_DOMAIN)
    if error.remedy:
        info.metadata["fact"] = error.message
        info.metadata["remedy"] = error.remedy
    details: list[Message] = [info]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=it.field, description=it.problem
                    )
                    for it in error.violations
                ]
            )
        )
    if error.resource is not None:
        details.append(
            error_details_pb2.ResourceInfo(
                resource_type=error.resource.kind, resource_name=error.resource.name
            )
        )
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        details.append(retry)
    for detail in details:
        status.details.add().Pack(detail, deterministic=True)
    return status


def from_rpc_error(failed: grpc.RpcError) -> errors.MeshError:
    """Read the error that another room raised from what its call failed with."""
    code, message = failed.code(), failed.details() or ""
    if (code, message) == _BROKE_OFF:
        return errors.Unavailable("the stream broke off")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and message.startswith(_TOO_LARGE):
        return errors.InvalidInput(
            f"the message is over the limit of {transport.MESSAGE_BYTES // limits.MEBIBYTE} MiB",
            remedy="send less at once, or name media by uri",
            code="BODY_TOO_LARGE",
        )
    kind = _KINDS.get(code, errors.Internal)
    trailers: Any = failed.trailing_metadata() or ()
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _from_details(kind, message, value)
    return kind(message or code.name.lower().replace("_", " "))


def _from_details(kind: type[errors.MeshError], message: str, encoded: bytes) -> errors.MeshError:
    try:
        status = status_pb2.Status.FromString(encoded)
    except DecodeError:
        return kind(message)
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    resource = error_details_pb2.ResourceInfo()
    retry = error_details_pb2.RetryInfo()
    found = {
        type(target)
        for detail in status.details
        for target in (info, bad, resource, retry)
        if detail.Unpack(target)
    }
    return kind(
        info.metadata.get("fact", status.message),
        remedy=info.metadata.get("remedy", ""),
        code=info.reason,
        violations=[errors.Violation(it.field, it.description) for it in bad.field_violations],
        resource=errors.Resource(resource.resource_type, resource.resource_name)
        if error_details_pb2.ResourceInfo in found
        else None,
        retry_after=retry.retry_delay.ToTimedelta()
        if error_details_pb2.RetryInfo in found
        else None,
    )
