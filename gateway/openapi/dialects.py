"""The calls of the dialects as OpenAPI operations, from the shapes that each route has written
down.
"""

import re
from typing import Any, Final

from pydantic import TypeAdapter

from gateway.bridge.exchange import Dialect, Route
from gateway.openapi.schemas import Schema

_PATH_NAME: Final = re.compile(r"\{(\w+)\}")
_TEMPLATE: Final = "#/components/schemas/"


class Shapes:
    """Gathers the schemas of one dialect's shapes, under names that no other dialect has."""

    def __init__(self, dialect: Dialect) -> None:
        self.slug = re.sub(r"\W+", "_", dialect.name)
        self.schemas: dict[str, Schema] = {}

    def of(self, shape: Any, *, told: bool) -> Schema:
        """The schema of a shape that is told or taken; what it consists of is gathered."""
        schema = TypeAdapter(shape).json_schema(
            ref_template=f"{_TEMPLATE}{self.slug}.{{model}}",
            mode="serialization" if told else "validation",
        )
        for name, inner in schema.pop("$defs", {}).items():
            self.schemas[f"{self.slug}.{name}"] = inner
        if "title" not in schema:
            return schema
        name = f"{self.slug}.{schema['title']}"
        self.schemas[name] = schema
        return {"$ref": f"{_TEMPLATE}{name}"}


def describe(dialect: Dialect) -> tuple[dict[str, dict[str, Any]], dict[str, Schema]]:
    """The operations of a dialect by path and verb, and the schemas that they name."""
    shapes = Shapes(dialect)
    found: dict[str, dict[str, Any]] = {}
    for route in dialect.routes:
        found.setdefault(route.path, {})[route.verb.lower()] = _operation(dialect, route, shapes)
    return found, shapes.schemas


def _operation(dialect: Dialect, route: Route, shapes: Shapes) -> dict[str, Any]:
    about = " ".join((route.answer.__doc__ or "").split())
    operation: dict[str, Any] = {
        "tags": [dialect.name],
        "operationId": f"{shapes.slug}_{route.answer.__name__}",
        "summary": about.partition("; ")[0].rstrip("."),
        "description": about,
        "parameters": [*map(_in_path, _PATH_NAME.findall(route.path)), *_query(route)],
    }
    taken = {"application/json": route.body, "multipart/form-data": route.form}
    content = {
        kind: {"schema": shapes.of(shape, told=False)} for kind, shape in taken.items() if shape
    }
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    kind = "text/plain" if dialect.refusal is str else "application/json"
    refusal = {kind: {"schema": shapes.of(dialect.refusal, told=True)}}
    answers = {"application/json": route.told, **route.others}
    answer = {kind: {"schema": shapes.of(shape, told=True)} for kind, shape in answers.items()}
    operation["responses"] = {
        "200": {"description": "Done.", "content": answer},
        "default": {"description": "What went wrong.", "content": refusal},
    }
    return operation


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in schema["properties"].items()
    ]
