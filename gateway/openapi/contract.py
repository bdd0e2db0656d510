"""The contract as its descriptor set holds it, by full names, with the sentences that stand above
each thing. It knows nothing of OpenAPI.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from gateway.envoy.contract import PACKAGE, bindings

_MESSAGE, _ENUM, _SERVICE = (
    FileDescriptorProto.DESCRIPTOR.fields_by_name[name].number
    for name in ("message_type", "enum_type", "service")
)
_FIELD: Final = DescriptorProto.DESCRIPTOR.fields_by_name["field"].number
# Of a service its methods, of an enum its values: both have this number.
_MEMBER: Final = EnumDescriptorProto.DESCRIPTOR.fields_by_name["value"].number


@dataclass(frozen=True)
class Call:
    """One REST call of the contract."""

    service: str
    """The service's name, such as `JobService`."""
    method: MethodDescriptorProto
    about: str
    """The sentences above the method."""
    verb: str
    """The HTTP method, in lower case."""
    path: str
    """The path, such as `/mesh/v1/jobs/{id}:retry`."""
    body: str
    """`*`, the field that is the body, or nothing."""
    response_body: str
    """The field that is the response, or nothing for all of it."""


class Contract:
    """The messages, enums and REST calls of the mesh."""

    def __init__(self, described: FileDescriptorSet) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.services: dict[str, str] = {}
        """The sentences above each service, by its name."""
        self.calls: list[Call] = []
        self._comments: dict[str, str] = {}
        for file in described.file:
            if PACKAGE.match(file.package):
                self._read(file)

    def about(self, message: str, field: FieldDescriptorProto | None = None) -> str:
        """The sentences above a message, an enum or a field of a message."""
        return self._comments.get(f"{message}.{field.name}" if field else message, "")

    def about_value(self, enum: str, value: str) -> str:
        """The sentences above a value of an enum."""
        return self._comments.get(f"{enum}.{value}", "")

    def _read(self, file: FileDescriptorProto) -> None:
        self._comments |= dict(_comments(file))
        for message in file.message_type:
            self.messages[f"{file.package}.{message.name}"] = message
        for enum in file.enum_type:
            self.enums[f"{file.package}.{enum.name}"] = enum
        for service in file.service:
            full = f"{file.package}.{service.name}"
            self.services[service.name] = self._comments.get(full, "")
            for method in service.method:
                self.calls += _calls(
                    service.name, method, self._comments.get(f"{full}.{method.name}", "")
                )


def _calls(service: str, method: MethodDescriptorProto, about: str) -> Iterator[Call]:
    for verb, path, rule in bindings(method):
        yield Call(service, method, about, verb.lower(), path, rule.body, rule.response_body)


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        told = " ".join(location.leading_comments.split())
        match list(location.path) if told else []:
            case [kind, at] if kind == _MESSAGE:
                yield f"{file.package}.{file.message_type[at].name}", told
            case [kind, at, member, inner] if (kind, member) == (_MESSAGE, _FIELD):
                message = file.message_type[at]
                yield f"{file.package}.{message.name}.{message.field[inner].name}", told
            case [kind, at] if kind == _ENUM:
                yield f"{file.package}.{file.enum_type[at].name}", told
            case [kind, at, member, inner] if (kind, member) == (_ENUM, _MEMBER):
                enum = file.enum_type[at]
                yield f"{file.package}.{enum.name}.{enum.value[inner].name}", told
            case [kind, at] if kind == _SERVICE:
                yield f"{file.package}.{file.service[at].name}", told
            case [kind, at, member, inner] if (kind, member) == (_SERVICE, _MEMBER):
                service = file.service[at]
                yield f"{file.package}.{service.name}.{service.method[inner].name}", told
