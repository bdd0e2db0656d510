"""The middlewares around every call, in reading order: what a caller is told of failures, who
calls, until when, with what.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc.aio
import protovalidate
from google.protobuf.message import Message
from grpc_status import rpc_status

from services.chassis import call, errors, limits, names, status
from services.chassis.middleware import Middleware, Rpc

_log = logging.getLogger(__name__)


@asynccontextmanager
async def tell_failures(rpc: Rpc) -> AsyncIterator[None]:
    """End a failed call with the status of its error; what is not of the family is logged and told
    as INTERNAL.
    """
    try:
        yield
    except errors.MeshError as error:
        await _abort(rpc, error)
    except (grpc.aio.AbortError, grpc.aio.BaseError):
        raise
    except Exception:
        _log.exception("call failed", extra={"method": rpc.method})
        remedy = "the cause is in the room's log, under the trace id of this call"
        await _abort(rpc, errors.Internal("something failed inside the mesh", remedy=remedy))


async def _abort(rpc: Rpc, error: errors.MeshError) -> None:
    rich = rpc_status.to_status(status.to_status(error))
    trailers = (*rich.trailing_metadata, *_retry_header(error))
    await rpc.context.abort(rich.code, rich.details, trailers)


def _retry_header(error: errors.MeshError) -> tuple[tuple[str, str], ...]:
    # The details say it to gRPC callers; REST callers are given this as their header.
    if error.retry_after is None:
        return ()
    return ((names.RETRY_HEADER, str(math.ceil(error.retry_after.total_seconds()))),)


@asynccontextmanager
async def know_caller(rpc: Rpc) -> AsyncIterator[None]:
    """Make the call current: its tenant and priority, as the edge or the calling room states them,
    and its deadline.
    """
    metadata = dict(rpc.context.invocation_metadata() or ())
    tenant = metadata.get(names.TENANT_HEADER) or names.DEFAULT_TENANT
    priority = call.Priority.read(str(metadata.get(names.PRIORITY_HEADER, "")))
    granted = (limits.STREAM_DEADLINE if rpc.streaming else limits.UNARY_DEADLINE).total_seconds()
    asked = rpc.context.time_remaining()
    seconds = granted if asked is None else min(asked, limits.STREAM_DEADLINE.total_seconds())
    current = call.Call(rpc.method, str(tenant), priority, time.monotonic() + seconds)
    with call.use(current):
        yield


@asynccontextmanager
async def keep_deadline(rpc: Rpc) -> AsyncIterator[None]:
    """Stop the handler at the call's deadline, so that no call without one runs for ever."""
    try:
        async with asyncio.timeout(call.current().remaining()):
            yield
    except TimeoutError:
        raise errors.TimedOut(
            "the call took longer than its deadline allows",
            remedy="set a later deadline, or ask for less at once",
        ) from None


@asynccontextmanager
async def check_requests(rpc: Rpc) -> AsyncIterator[None]:
    """Refuse requests that break the contract's own rules, naming each field."""
    rpc.inspect.append(_check)
    yield


_MOST_VIOLATIONS: Final = 16


def _check(request: Message) -> None:
    found = protovalidate.collect_violations(request)
    if not found:
        return
    violations = [
        _choice_missed(request, it.proto)
        or errors.Violation(_path(it.proto), it.proto.message or it.proto.rule_id)
        for it in found[:_MOST_VIOLATIONS]
    ]
    told = "; ".join(f"{it.field}: {it.problem}" if it.field else it.problem for it in violations)
    raise errors.InvalidInput(told, code="CONTRACT_VIOLATION", violations=violations)


def _choice_missed(
    request: Message, violation: protovalidate.ViolationPb
) -> errors.Violation | None:
    """What to say when no field of a oneof is set: its own name stands in no request."""
    elements = violation.field.elements if violation.field else ()
    if not elements or elements[-1].field_number:
        return None
    message: Any = request.DESCRIPTOR
    for element in elements[:-1]:
        message = message.fields_by_name[element.field_name].message_type
    oneof = elements[-1].field_name
    choices = ", ".join(it.name for it in message.oneofs_by_name[oneof].fields)
    place = _path(violation).removesuffix(oneof).removesuffix(".")
    return errors.Violation(place, f"must hold one of {choices}")


def _path(violation: protovalidate.ViolationPb) -> str:
    if violation.field is None:
        return ""
    path = ""
    for element in violation.field.elements:
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return path


DEFAULT: Final[tuple[Middleware, ...]] = (
    tell_failures,
    know_caller,
    keep_deadline,
    check_requests,
)
"""The chain of every room, the first outermost."""
