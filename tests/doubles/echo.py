"""A gRPC service with one method of each of the four kinds, whose behaviour a test decides."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from services.chassis import client
from services.chassis.config import RoomConfig
from services.chassis.server import Server

Behaviour = Callable[[str], Awaitable[str]]
CODEC = {
    "request_deserializer": StringValue.FromString,
    "response_serializer": StringValue.SerializeToString,
}


class Echo:
    """Answers each request with what `behave` makes of it."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave

    async def unary_unary(self, request: StringValue, context: Any) -> StringValue:
        return StringValue(value=await self.behave(request.value))

    async def unary_stream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value="first")
        yield StringValue(value=await self.behave(request.value))

    async def stream_unary(self, requests: Any, context: Any) -> StringValue:
        return StringValue(value="+".join([await self.behave(it.value) async for it in requests]))

    async def stream_stream(self, requests: Any, context: Any) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield StringValue(value=await self.behave(request.value))


def _register(echo: Echo, server: grpc.aio.Server) -> None:
    handlers = {
        kind: getattr(grpc, f"{kind}_rpc_method_handler")(getattr(echo, kind), **CODEC)
        for kind in KINDS
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))


KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def server(
    behave: Behaviour,
    *,
    echo: type[Echo] = Echo,
    health: Any = None,
    drain_seconds: float = 1,
    **options: Any,
) -> Server:
    """Build a chassis server of an `Echo`, not running yet."""
    built = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=drain_seconds), **options)
    built.add(_register, echo(behave), SimpleNamespace(full_name="test.Echo"), health=health)
    return built


@asynccontextmanager
async def serving(behave: Behaviour, **options: Any) -> AsyncIterator[grpc.aio.Channel]:
    """Serve an `Echo` for a block, which is given a channel to it."""
    running = server(behave, **options).running()
    async with running as address, client.channel(address) as channel:
        yield channel


async def ask(channel: grpc.aio.Channel, kind: str, *values: str, **call: Any) -> list[str]:
    """Call the method of one kind and return everything that it answers."""
    method = getattr(channel, kind)(
        f"/test.Echo/{kind}",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )
    messages = [StringValue(value=value) for value in values]
    answer = method(messages[0] if kind.startswith("unary") else messages, **call)
    try:
        if kind.endswith("unary"):
            return [(await answer).value]
        return [it.value async for it in answer]
    finally:
        # A task that is cancelled before the first response has come would leave its call running.
        answer.cancel()
