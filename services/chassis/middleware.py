"""One mechanism for everything that surrounds a call, for all four kinds of RPC alike.

A middleware is an async context manager around the handler. What it wants to see of the requests,
one or a stream of them, it adds to `Rpc.inspect`. `Chain` turns a list of them, outermost first,
into the interceptor that gRPC wants.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from services.chassis import errors, limits

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass
class Rpc:
    """One call as a middleware sees it."""

    method: str
    """The full name, such as `/mesh.jobs.v1.JobService/GetJob`."""
    streaming: bool
    """Whether requests or responses come as a stream."""
    context: Context
    """gRPC's own view of the call."""
    inspect: list[Callable[[Message], None]] = field(default_factory=list)
    """Called with each request before the handler sees it; what they raise ends the call."""


Middleware = Callable[[Rpc], AbstractAsyncContextManager[None]]


class Chain(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server in the same middlewares, the first outermost."""

    def __init__(self, middlewares: Sequence[Middleware]) -> None:
        self._middlewares = tuple(middlewares)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Give the handler of a method back with the middlewares around it."""
        handler = await continuation(details)
        return None if handler is None else self._wrap(handler, details.method)

    def _wrap(self, handler: Any, method: str) -> Any:
        streaming = handler.request_streaming or handler.response_streaming
        codec = {
            "request_deserializer": _reading(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }

        def enter(context: Any) -> AbstractAsyncContextManager[Rpc]:
            return self._entered(Rpc(method, streaming, context))

        async def unary_unary(request: Any, context: Any) -> Any:
            async with enter(context) as rpc:
                return await handler.unary_unary(_seen(rpc, request), context)

        async def unary_stream(request: Any, context: Any) -> AsyncIterator[Any]:
            async with enter(context) as rpc:
                await _write(context, handler.unary_stream(_seen(rpc, request), context))
            return
            yield  # makes this the generator that telemetry, which surrounds the chain, reads

        async def stream_unary(requests: Any, context: Any) -> Any:
            async with enter(context) as rpc:
                return await handler.stream_unary(_each_seen(rpc, requests), context)

        async def stream_stream(requests: Any, context: Any) -> AsyncIterator[Any]:
            async with enter(context) as rpc:
                await _write(context, handler.stream_stream(_each_seen(rpc, requests), context))
            return
            yield  # as above

        match handler.request_streaming, handler.response_streaming:
            case False, False:
                return grpc.unary_unary_rpc_method_handler(unary_unary, **codec)
            case False, True:
                return grpc.unary_stream_rpc_method_handler(unary_stream, **codec)
            case True, False:
                return grpc.stream_unary_rpc_method_handler(stream_unary, **codec)
            case _:
                return grpc.stream_stream_rpc_method_handler(stream_stream, **codec)

    @asynccontextmanager
    async def _entered(self, rpc: Rpc) -> AsyncIterator[Rpc]:
        async with AsyncExitStack() as stack:
            for middleware in self._middlewares:
                await stack.enter_async_context(middleware(rpc))
            yield rpc


async def _write(context: Any, responses: Any) -> None:
    # A handler may also be a coroutine that writes to the context itself, as gRPC's own Health
    # does.
    if inspect.isawaitable(responses):
        await responses
        return
    # They are not yielded to gRPC, which drops a generator whose caller goes away while a response
    # waits to be sent: its end would come some time later, in another task and without the call.
    async with aclosing(responses):
        async for response in responses:
            await _write_in_time(context, response)


async def _write_in_time(context: Any, response: Any) -> None:
    try:
        async with asyncio.timeout(limits.UNREAD_DEADLINE.total_seconds()):
            await context.write(response)
    except TimeoutError:
        raise errors.TimedOut(
            "the stream was not read for too long", remedy="read each response as it comes"
        ) from None


def _reading(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """What cannot be read becomes the error that says so: gRPC would tell the exception itself, as
    UNKNOWN, before there is a call for a middleware to stand around.
    """

    def attempt(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return errors.InvalidInput(
                "the request cannot be read",
                remedy="write it as the contract says, and all text in UTF-8",
                code="MALFORMED_REQUEST",
            )

    return attempt


def _seen(rpc: Rpc, request: Any) -> Any:
    if isinstance(request, errors.MeshError):
        raise request
    for look in rpc.inspect:
        look(request)
    return request


async def _each_seen(rpc: Rpc, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _seen(rpc, request)
