"""What the edge must know of the contract, read from its descriptor set: which services a room has,
which calls stream, and which fields a JSON body may hold. It knows no room by name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mesh
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

PACKAGE: Final = re.compile(r"^mesh\.(?P<room>[a-z]+)\.v\d+$")
FREE: Final = ""
"""Stands where a field's content is not made of named fields: scalars, structs, maps."""


@dataclass(frozen=True)
class Room:
    """A room as the edge sees it."""

    name: str
    package: str
    services: tuple[str, ...]
    streams: tuple[str, ...]
    """The gRPC paths of the calls that stream."""


@dataclass(frozen=True)
class Body:
    """A JSON body that a REST call takes."""

    verb: str
    """The HTTP method."""
    template: str
    """The path, such as `/mesh/v1/jobs/{id}:retry`."""
    message: str
    """The full name of the message that the body is."""


def load() -> bytes:
    """Read the descriptor set: beside this file in a wheel, beside the generated code in a
    checkout.
    """
    packed = Path(__file__).with_name("descriptors.binpb")
    generated = Path(next(iter(mesh.__path__))).with_name("descriptors.binpb")
    return (packed if packed.exists() else generated).read_bytes()


def rooms(contract: FileDescriptorSet) -> list[Room]:
    """The rooms that have services, in the order of their names."""
    found: dict[str, Room] = {}
    for file in contract.file:
        named = PACKAGE.match(file.package)
        if named is None or not file.service:
            continue
        room = found.get(file.package, Room(named["room"], file.package, (), ()))
        services = [f"{file.package}.{service.name}" for service in file.service]
        streams = [
            f"/{file.package}.{service.name}/{method.name}"
            for service in file.service
            for method in service.method
            if method.client_streaming or method.server_streaming
        ]
        found[file.package] = Room(
            room.name, room.package, (*room.services, *services), (*room.streams, *streams)
        )
    return sorted(found.values(), key=lambda room: room.name)


def streamed_bodies(contract: FileDescriptorSet) -> list[str]:
    """The path of every REST call whose body is sent on in parts, as it comes."""
    return [
        template
        for file in contract.file
        for service in file.service
        for method in service.method
        if method.client_streaming
        for _, template, rule in bindings(method)
        if rule.body
    ]


def bodies(contract: FileDescriptorSet) -> list[Body]:
    """Every REST call whose whole body is a message in JSON."""
    return [
        Body(verb, template, method.input_type.lstrip("."))
        for file in contract.file
        for service in file.service
        for method in service.method
        for verb, template, rule in bindings(method)
        if rule.body == "*"
    ]


def fields(contract: FileDescriptorSet) -> dict[str, dict[str, str]]:
    """The fields of every message of the mesh, by both spellings: each the name of its message, or
    `FREE`.
    """
    messages = {
        f"{file.package}.{message.name}": message
        for file in contract.file
        if PACKAGE.match(file.package)
        for message in file.message_type
    }
    return {name: _fields(message, messages) for name, message in messages.items()}


def bindings(method: MethodDescriptorProto) -> Iterator[tuple[str, str, http_pb2.HttpRule]]:
    """The REST calls of a method: of each its HTTP method, its path and its rule."""
    rule = method.options.Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        if verb := binding.WhichOneof("pattern"):
            yield verb.upper(), getattr(binding, verb), binding


def _fields(message: DescriptorProto, messages: dict[str, DescriptorProto]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field in message.field:
        inner = field.type_name.lstrip(".")
        known = field.type == FieldDescriptorProto.TYPE_MESSAGE and inner in messages
        found |= dict.fromkeys((field.name, field.json_name), inner if known else FREE)
    return found
