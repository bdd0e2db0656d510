"""The text of a JSON Schema from outside, read into one that stands for itself and stays small.

References are replaced by what they mean, so that none is followed later: not to another place, not
in a circle, and not again and again. It knows nothing of answers.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from services.chassis.errors import InvalidInput

_FIELD: Final = "json_schema"
_MOST_LEVELS: Final = 64
_MOST_VALUES: Final = 4_096

_REFUSED: Final = {
    # A regular expression from outside can keep Python busy for ever.
    "pattern": "use `enum`, or say it in words",
    "patternProperties": "name the properties",
    # What these cost doubles with each level; no engine keeps to them.
    "unevaluatedProperties": "use `additionalProperties`",
    "unevaluatedItems": "use `items`",
    "$dynamicRef": "use `$ref`",
    "$recursiveRef": "use `$ref`",
}
_NAMED: Final = ("properties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose keys are names, not keywords."""
_DATA: Final = ("const", "enum", "default", "examples")
"""Keywords whose values are no schemas."""
_ANNOTATIONS: Final = {"title", "description", "default", "examples", "deprecated"}


def read_document(text: str) -> dict[str, Any]:
    """Read the schema of an object, its properties in the order in which they are written."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise invalid("is not JSON") from cause
    if not isinstance(document, dict):
        raise invalid("is not a JSON object")
    if document.get("type") != "object":
        raise invalid("its type is not `object`", remedy='set "type": "object" at its root')
    return _Inliner(document).inlined()


def invalid(problem: str, *, remedy: str = "send a JSON Schema of an object") -> InvalidInput:
    """The error about the schema."""
    return InvalidInput.field(_FIELD, problem, remedy=remedy, code="SCHEMA_INVALID")


def levels(value: Any) -> Iterator[int]:
    """The level of each value within a value, itself at zero."""
    waiting = [(0, value)]
    while waiting:
        level, it = waiting.pop()
        yield level
        within = it.values() if isinstance(it, dict) else it if isinstance(it, list) else ()
        waiting += [(level + 1, each) for each in within]


class _Inliner:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._values = 0

    def inlined(self) -> dict[str, Any]:
        root = {
            key: value
            for key, value in self._document.items()
            if key not in ("$defs", "definitions")
        }
        return dict(self._schema(root, 0, ()))

    def _schema(self, node: Any, level: int, followed: tuple[str, ...]) -> Any:
        self._count(level)
        if isinstance(node, list):
            return [self._schema(it, level + 1, followed) for it in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._meaning(node, level, followed)
        return {key: self._value(key, it, level + 1, followed) for key, it in node.items()}

    def _value(self, key: str, value: Any, level: int, followed: tuple[str, ...]) -> Any:
        if key in _REFUSED:
            raise invalid(f"`{key}` is not supported", remedy=_REFUSED[key])
        if key in _DATA:
            for deeper in levels(value):
                self._count(level + deeper)
            return value
        if key in _NAMED and isinstance(value, dict):
            self._count(level)
            return {name: self._schema(it, level + 1, followed) for name, it in value.items()}
        return self._schema(value, level, followed)

    def _meaning(self, node: Mapping[str, Any], level: int, followed: tuple[str, ...]) -> Any:
        reference = node["$ref"]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        if not beside.keys() <= _ANNOTATIONS:
            raise invalid("a `$ref` has other rules beside it", remedy="put them under `$defs` too")
        if reference in followed:
            raise invalid("a `$ref` leads in a circle", remedy="write out as many levels as needed")
        target = self._target(reference)
        meant = self._schema(target, level, (*followed, reference))
        return {**meant, **beside} if isinstance(meant, dict) else meant

    def _target(self, reference: object) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise invalid("a `$ref` points outside", remedy="put what it means under `$defs`")
        node: Any = self._document
        for step in unquote(reference).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or name not in node:
                raise invalid("a `$ref` leads nowhere", remedy="put what it means under `$defs`")
            node = node[name]
        return node

    def _count(self, level: int) -> None:
        self._values += 1
        if level > _MOST_LEVELS or self._values > _MOST_VALUES:
            raise invalid(
                "is too deep or too large",
                remedy=f"use at most {_MOST_LEVELS} levels and {_MOST_VALUES} values, with each "
                "`$ref` counted as what it means",
            )
