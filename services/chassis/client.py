"""Calls from room to room: deadlines, tenants and priorities carried on, failures raised as the
family of errors. It knows no contract, and never tries again: who asked decides when.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, TypeVar

import grpc
import grpc.aio

from services.chassis import call as calls
from services.chassis import errors, limits, names, status, telemetry, transport

Response = TypeVar("Response")

REPORT_SECONDS: Final = 0.05
"""Taken off the caller's deadline, so that it can still be told what came too late."""


def channel(target: str, *, sticky: bool = False) -> grpc.aio.Channel:
    """Open a channel to a room. The caller closes it; connecting happens at the first call.

    A sticky one spreads its calls over all replicas, those of one session to the same.
    """
    options = transport.STICKY_OPTIONS if sticky else transport.CLIENT_OPTIONS
    return grpc.aio.insecure_channel(target, options=options)


async def call(method: Callable[..., Any], request: Any, *, timeout: float | None = None) -> Any:
    """Make a unary call, such as `call(stub.GetJob, request)`.

    It ends at `timeout` seconds or shortly before the deadline of the call under way, whichever is
    sooner. Raises what the room raised.
    """
    seconds = _seconds(timeout, limits.UNARY_DEADLINE.total_seconds())
    with telemetry.calling(_name(method)) as trace:
        try:
            return await method(request, timeout=seconds, metadata=(*trace, *_caller()))
        except grpc.RpcError as failed:
            raise status.from_rpc_error(failed) from None


async def stream(
    method: Callable[..., Any],
    request: Any,
    *,
    timeout: float | None = None,
    session: str = "",
) -> AsyncGenerator[Any, None]:
    """Read a stream; closing it cancels the call. Raises what the room raised.

    Of a call with a stream in both directions, `request` is an iterator of its requests. Where the
    channel is sticky, streams with the same `session` go to the same replica.
    """
    which = ((names.SESSION_HEADER, session),) if session else ()
    seconds = _seconds(timeout, limits.STREAM_DEADLINE.total_seconds())
    with telemetry.calling(_name(method)) as trace:
        responses = method(request, timeout=seconds, metadata=(*trace, *_caller(), *which))
    try:
        async for response in responses:
            yield response
    except grpc.RpcError as failed:
        raise status.from_rpc_error(failed) from None
    finally:
        responses.cancel()


def _caller() -> tuple[tuple[str, str], ...]:
    now = calls.current()
    return (names.TENANT_HEADER, now.tenant), (names.PRIORITY_HEADER, now.priority.value)


def _name(method: Callable[..., Any]) -> str:
    # gRPC's multicallables know their method, but do not say so in public.
    return str(getattr(method, "_method", b""), "utf-8")


def _seconds(timeout: float | None, most: float) -> float:
    seconds = most if timeout is None else timeout
    remaining = calls.current().remaining()
    if remaining is None:
        return seconds
    if remaining <= REPORT_SECONDS:
        raise errors.TimedOut("no time is left for a call to another room")
    return min(seconds, remaining - REPORT_SECONDS)
