"""Messages and enums of the contract as JSON Schemas, in the JSON that the edge reads and writes:
field names as in the contract, enums by name, bytes as base64.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from buf.validate import validate_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from gateway.openapi import rules
from gateway.openapi.contract import Contract

Schema = dict[str, Any]

WELL_KNOWN: Final[Mapping[str, Schema]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d{1,9})?s$"},
    "google.protobuf.Struct": {"type": "object"},
    "google.api.HttpBody": {"type": "string", "format": "binary"},
}
_SCALARS: Final[Mapping[int, Schema]] = {
    Field.TYPE_DOUBLE: {"type": "number", "format": "double"},
    Field.TYPE_FLOAT: {"type": "number", "format": "float"},
    Field.TYPE_INT32: {"type": "integer", "format": "int32"},
    # JSON's numbers end at 2^53: what may be larger is written in digits.
    Field.TYPE_INT64: {"type": "string", "format": "int64"},
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}


def name_of(full_name: str) -> str:
    """The name of a schema among the components: the full name, but for `mesh.` and the version."""
    _, room, _, name = full_name.split(".")
    return f"{room}.{name}"


def components(contract: Contract) -> dict[str, Schema]:
    """The schema of every message and enum, by its name."""
    messages = {
        name_of(name): message_schema(contract, name, message)
        for name, message in contract.messages.items()
    }
    enums = {name_of(name): _enum(contract, name) for name in contract.enums}
    return messages | enums


def message_schema(
    contract: Contract, name: str, message: DescriptorProto, *, without: tuple[str, ...] = ()
) -> Schema:
    """The schema of a message, but for the fields that travel elsewhere."""
    fields = [field for field in message.field if field.name not in without]
    required = [field.name for field in fields if rules.is_required(rules.rules_of(field))]
    schema: Schema = {
        "type": "object",
        "description": contract.about(name),
        "properties": {field.name: field_schema(contract, name, field) for field in fields},
    }
    if required:
        schema["required"] = required
    if choices := list(_choices(message)):
        schema["oneOf"] = [{"required": [choice]} for choice in choices]
    return schema


def field_schema(contract: Contract, message: str, field: Field) -> Schema:
    """The schema of a field, with its sentence."""
    told = rules.rules_of(field)
    about = {"description": contract.about(message, field)}
    if field.label == Field.LABEL_REPEATED:
        items = _value(field) | rules.keywords(told.repeated.items)
        return {"type": "array", "items": items} | rules.counts(told) | about
    return _value(field) | rules.keywords(told) | about


def _value(field: Field) -> Schema:
    full_name = field.type_name.lstrip(".")
    if full_name in WELL_KNOWN:
        return dict(WELL_KNOWN[full_name])
    if full_name:
        return {"$ref": f"#/components/schemas/{name_of(full_name)}"}
    return dict(_SCALARS[field.type])


def _choices(message: DescriptorProto) -> Iterator[str]:
    # No message of the contract has two.
    for index, oneof in enumerate(message.oneof_decl):
        rule: Any = oneof.options.Extensions[validate_pb2.oneof]  # type: ignore[index] # as in `rules`
        if rule.required:
            for field in message.field:
                if field.HasField("oneof_index") and field.oneof_index == index:
                    yield field.name


def _enum(contract: Contract, name: str) -> Schema:
    values = [value.name for value in contract.enums[name].value]
    told = [f"- `{value}`: {contract.about_value(name, value)}" for value in values]
    return {
        "type": "string",
        "enum": values,
        "description": "\n".join((contract.about(name), "", *told)),
    }
