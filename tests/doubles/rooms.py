"""All rooms of the contract as doubles over real gRPC: they note every call and answer what a test
says.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from gateway.envoy import contract
from services.chassis import guards
from services.chassis.config import RoomConfig
from services.chassis.server import Server

CONTRACT = descriptor_pb2.FileDescriptorSet.FromString(contract.load())
POOL = descriptor_pool.DescriptorPool()
for _file in CONTRACT.file:
    POOL.Add(_file)
SERVICES = [
    POOL.FindServiceByName(name) for room in contract.rooms(CONTRACT) for name in room.services
]
METHODS = {f"/{it.full_name}/{method.name}": method for it in SERVICES for method in it.methods}
BINDINGS = [
    (f"/{file.package}.{service.name}/{method.name}", verb.upper(), getattr(rule, verb), rule.body)
    for file in CONTRACT.file
    for service in file.service
    for method in service.method
    if (verb := (rule := method.options.Extensions[annotations_pb2.http]).WhichOneof("pattern"))
]
"""The gRPC path, HTTP method, path template and body field of every REST call."""


def message(name: str, **fields: Any) -> Message:
    """Make a message of the contract by its full name."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))(**fields)


def call(channel: grpc.aio.Channel, path: str, *requests: Message, **options: Any) -> Any:
    """Call a method of any kind by its gRPC path; without requests, with one empty message."""
    method = METHODS[path]
    asked, answered = map(message_factory.GetMessageClass, (method.input_type, method.output_type))
    kind = "_".join(
        "stream" if streams else "unary"
        for streams in (method.client_streaming, method.server_streaming)
    )
    encoded = {
        "request_serializer": lambda message: message.SerializeToString(),
        "response_deserializer": answered.FromString,
    }
    sent = requests or (asked(),)
    multi = getattr(channel, kind)(path, **encoded)
    return multi(list(sent) if method.client_streaming else sent[0], **options)


@dataclass(frozen=True)
class Received:
    """A call as it arrived."""

    room: str
    method: str
    requests: list[Message]
    metadata: dict[str, str | bytes]


@dataclass(frozen=True)
class Gate:
    """Among answers: those after it wait until it is opened."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Rooms:
    """What the doubles share with a test."""

    answers: dict[str, Iterable[Any]] = field(default_factory=dict)
    """By gRPC path: messages, exceptions to raise, gates. Else: one empty message."""
    received: list[Received] = field(default_factory=list)
    targets: dict[str, str] = field(default_factory=dict)
    """By room: where it listens."""

    async def answer(self, room: str, method: MethodDescriptor, requests: Any, context: Any) -> Any:
        path = f"/{method.containing_service.full_name}/{method.name}"
        metadata = dict(context.invocation_metadata())
        self.received.append(Received(room, path, [it async for it in requests], metadata))
        empty = message_factory.GetMessageClass(method.output_type)()
        for answer in self.answers.get(path, [empty]):
            if isinstance(answer, Gate):
                answer.reached.set()
                await answer.opened.wait()
                continue
            if isinstance(answer, Exception):
                raise answer
            yield answer

    def handler(self, room: str, method: MethodDescriptor) -> Any:
        asked = message_factory.GetMessageClass(method.input_type)

        def asking(given: Any, context: Any) -> AsyncIterator[Any]:
            requests = given if method.client_streaming else _one(given)
            return self.answer(room, method, requests, context)

        async def many(given: Any, context: Any) -> AsyncIterator[Any]:
            async for answer in asking(given, context):
                yield answer

        async def one(given: Any, context: Any) -> Any:
            return await anext(asking(given, context))

        wrap = {
            (True, True): grpc.stream_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (False, False): grpc.unary_unary_rpc_method_handler,
        }[method.client_streaming, method.server_streaming]
        behave = many if method.server_streaming else one
        return wrap(behave, asked.FromString, lambda answer: answer.SerializeToString())

    def register(self, service: ServiceDescriptor, server: Any) -> None:
        room = contract.PACKAGE.match(service.file.package)["room"]
        handlers = {method.name: self.handler(room, method) for method in service.methods}
        generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
        server.add_generic_rpc_handlers((generic,))


async def _one(request: Message) -> AsyncIterator[Message]:
    yield request


@asynccontextmanager
async def serving() -> AsyncIterator[Rooms]:
    """Serve every room on a port of its own for a block. Requests may break the contract's rules:
    the doubles take anything that can be decoded.
    """
    rooms = Rooms()
    async with AsyncExitStack() as stack:
        for room in contract.rooms(CONTRACT):
            config = RoomConfig(listen="127.0.0.1:0", drain_seconds=0)
            server = Server(config, middleware=(guards.tell_failures, guards.know_caller))
            for name in room.services:
                service = POOL.FindServiceByName(name)
                server.add(lambda it, to: rooms.register(it, to), service, service)
            rooms.targets[room.name] = await stack.enter_async_context(server.running())
        yield rooms
