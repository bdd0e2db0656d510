"""The contract's REST calls as OpenAPI operations."""

import re
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from gateway.openapi import rules
from gateway.openapi.contract import Call, Contract
from gateway.openapi.schemas import Schema, field_schema, message_schema, name_of

RAW: Final = ".google.api.HttpBody"
_ANY: Final = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_PATH_FIELD: Final = re.compile(r"\{(\w+)\}")
_FAILED: Final = {
    "description": "What went wrong, which field, what to do, and when to try again.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}},
}

STATUS: Final[Schema] = {
    "type": "object",
    "description": "An error, as `google.rpc.Status`.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "integer", "description": "The gRPC code."},
        "message": {"type": "string", "description": "What was wrong and what to do, for people."},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["@type"],
                "properties": {"@type": {"type": "string"}},
            },
            "description": "For programs: `ErrorInfo` always, and `BadRequest`, `RetryInfo`,"
            " `ResourceInfo` or `QuotaFailure` where they say something.",
        },
    },
}


def paths(contract: Contract) -> dict[str, dict[str, Any]]:
    """The operations by path and verb."""
    found: dict[str, dict[str, Any]] = {}
    for call in contract.calls:
        found.setdefault(call.path, {})[call.verb] = _operation(contract, call)
    return found


def _operation(contract: Contract, call: Call) -> dict[str, Any]:
    asked = call.method.input_type.lstrip(".")
    in_path = tuple(_PATH_FIELD.findall(call.path))
    elsewhere = (*in_path, call.body)
    operation: dict[str, Any] = {
        "tags": [call.service],
        "operationId": f"{call.service}_{call.method.name}",
        "summary": call.about.partition(". ")[0].rstrip("."),
        "description": call.about,
        "parameters": [
            *_parameters(contract, asked, "path", in_path),
            *([] if call.body == "*" else _query(contract, asked, elsewhere)),
        ],
    }
    if call.body:
        operation["requestBody"] = {"required": True, "content": _body(contract, call, in_path)}
    operation["responses"] = {
        "200": {"description": "Done.", "content": _answer(call)},
        "default": _FAILED,
    }
    return operation


def _body(contract: Contract, call: Call, in_path: tuple[str, ...]) -> dict[str, Any]:
    asked = call.method.input_type.lstrip(".")
    message = contract.messages[asked]
    if call.body != "*":
        (field,) = (it for it in message.field if it.name == call.body)
        if field.type_name == RAW:
            return _ANY
        return _json(field_schema(contract, asked, field))
    if not in_path:
        return _json(_ref(asked))
    return _json(message_schema(contract, asked, message, without=in_path))


def _answer(call: Call) -> dict[str, Any]:
    told = call.method.output_type.lstrip(".")
    if call.response_body:
        return _ANY
    if call.method.server_streaming:
        return {"text/event-stream": {"schema": _ref(told)}}
    return _json(_ref(told))


def _query(contract: Contract, message: str, without: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    names = (it.name for it in contract.messages[message].field if it.name not in without)
    yield from _parameters(contract, message, "query", tuple(names))


def _parameters(
    contract: Contract, message: str, place: str, names: tuple[str, ...], prefix: str = ""
) -> Iterator[dict[str, Any]]:
    fields = {field.name: field for field in contract.messages[message].field}
    for name in names:
        field = fields[name]
        inner = field.type_name.lstrip(".")
        if field.type == Field.TYPE_MESSAGE and inner in contract.messages:
            deeper = tuple(it.name for it in contract.messages[inner].field)
            yield from _parameters(contract, inner, place, deeper, f"{prefix}{name}.")
            continue
        schema = field_schema(contract, message, field)
        about = schema.pop("description")
        required = place == "path" or rules.is_required(rules.rules_of(field))
        yield {
            "name": f"{prefix}{name}",
            "in": place,
            "required": required,
            "description": about,
            "schema": schema,
        }


def _ref(message: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name_of(message)}"}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
