"""The whole document: the contract's calls first, then each dialect's, and the sockets."""

from collections.abc import Iterable
from importlib import metadata
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.bridge.exchange import Dialect
from gateway.bridge.session import Socket
from gateway.openapi import calls, dialects, sockets
from gateway.openapi.contract import Contract
from gateway.openapi.schemas import Schema, components

ABOUT: Final = (
    "A self-hosted mesh that sees, hears and reasons. The calls under `/mesh/v1/` are the mesh's"
    " own contract, which the same port serves over gRPC too; the others speak as the systems do"
    " that the mesh replaces."
)
# Whether a key is asked for is the operator's choice, so the first of these asks for none.
_SECURITY: Final[list[dict[str, list[str]]]] = [{}, {"bearer": []}, {"header": []}, {"query": []}]
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "query": {"type": "apiKey", "in": "query", "name": "api_key"},
}


def build(
    described: FileDescriptorSet, served: Iterable[Dialect], live: Iterable[Socket]
) -> dict[str, Any]:
    """Write the OpenAPI document of a contract, of dialects and of sockets."""
    contract = Contract(described)
    paths = calls.paths(contract)
    schemas: dict[str, Schema] = {"Status": calls.STATUS, **components(contract)}
    tags = [{"name": name, "description": about} for name, about in contract.services.items()]
    for dialect in served:
        found, shapes = dialects.describe(dialect)
        for path, operations in found.items():
            paths.setdefault(path, {}).update(operations)
        schemas |= shapes
        tags.append({"name": dialect.name, "description": f"As {dialect.name} speaks."})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sensorium",
            "version": metadata.version("sensorium"),
            "description": ABOUT,
        },
        "security": _SECURITY,
        "tags": tags,
        "paths": paths,
        sockets.NAME: sockets.describe(live),
        "components": {"schemas": _named(paths, schemas), "securitySchemes": _SCHEMES},
    }


def _named(paths: Any, schemas: dict[str, Schema]) -> dict[str, Schema]:
    """Leave out what only gRPC carries."""
    named: set[str] = set()
    ahead = _references(paths)
    while ahead:
        named |= ahead
        ahead = {inner for name in ahead for inner in _references(schemas[name])} - named
    return {name: schemas[name] for name in sorted(named)}


def _references(value: Any) -> set[str]:
    match value:
        case {"$ref": str(reference)}:
            return {reference.rpartition("/")[2]}
        case dict():
            return {name for it in value.values() for name in _references(it)}
        case list():
            return {name for it in value for name in _references(it)}
        case _:
            return set()
