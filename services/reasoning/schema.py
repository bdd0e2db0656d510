"""A JSON Schema that a caller sent, read with distrust, and answers held against it.

Nothing is ever fetched, and nothing in a schema may cost more than its size. It knows no engine.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

import referencing
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing.exceptions import Unresolvable

from services.chassis.errors import InvalidInput

_FIELD: Final = "json_schema"
_MOST_DEPTH: Final = 64
_MOST_NODES: Final = 4_096
# A level of a `google.protobuf.Struct` is three levels of messages, of which readers take 100.
_MOST_ANSWER_DEPTH: Final = 24
# A regular expression from outside can keep Python's engine busy for ever.
_REFUSED: Final = ("pattern", "patternProperties")


class Misfit(Exception):
    """An answer does not fit its schema. The message says where, for the model to read."""


class Schema:
    """A checked schema of an object. Raises `InvalidInput` for text that is none."""

    def __init__(self, text: str) -> None:
        self.document = _object(text)
        """The schema with its properties in the order in which they were written."""
        if self.document.get("type") != "object":
            raise _invalid("its type is not `object`", remedy='set "type": "object" at its root')
        _require_modest(self.document)
        kind = validator_for(self.document, default=Draft202012Validator)
        try:
            kind.check_schema(self.document)
        except SchemaError as cause:
            raise _invalid(f"{_path(cause.path)} breaks the rule `{cause.validator}`") from cause
        # An empty registry: a reference to anything outside is never followed.
        self._validator = kind(self.document, registry=referencing.Registry())

    def read(self, text: str) -> Mapping[str, Any]:
        """Read an answer that fits. Raises `Misfit`."""
        try:
            value = json.loads(
                text, parse_constant=_refuse, parse_float=_finite_float, parse_int=_finite_int
            )
            # Half a surrogate pair is JSON, but no text.
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as cause:
            raise Misfit("it is not JSON") from cause
        try:
            error = next(self._validator.iter_errors(value), None)
        except (Unresolvable, RecursionError) as cause:
            raise _invalid("a `$ref` leads nowhere or in a circle") from cause
        if error is not None:
            raise Misfit(f"{_path(error.absolute_path)} breaks the rule `{error.validator}`")
        if any(depth > _MOST_ANSWER_DEPTH for depth, _, _ in _nodes(value)):
            raise Misfit(f"it has more than {_MOST_ANSWER_DEPTH} levels")
        # The root's type is `object`, so that what fits is one.
        return dict(value)


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise _invalid("is not JSON") from cause
    if not isinstance(document, dict):
        raise _invalid("is not a JSON object")
    return document


def _require_modest(document: Mapping[str, Any]) -> None:
    for count, (depth, key, value) in enumerate(_nodes(document), start=1):
        if depth > _MOST_DEPTH or count > _MOST_NODES:
            raise _invalid(
                "is too deep or too large",
                remedy=f"use at most {_MOST_DEPTH} levels and {_MOST_NODES} values",
            )
        if key in ("$ref", "$dynamicRef") and isinstance(value, str) and value[:1] != "#":
            raise _invalid("a `$ref` points outside", remedy="put what it means under `$defs`")
        if (key == "pattern" and isinstance(value, str)) or key == "patternProperties":
            raise _invalid(f"`{key}` is not supported", remedy="use `enum`, or say it in words")


def _nodes(document: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    waiting: list[tuple[int, str, Any]] = [(0, "", document)]
    while waiting:
        depth, key, value = waiting.pop()
        yield depth, key, value
        if isinstance(value, dict):
            waiting += [(depth + 1, name, it) for name, it in value.items()]
        elif isinstance(value, list):
            waiting += [(depth + 1, "", it) for it in value]


def _invalid(problem: str, *, remedy: str = "send a JSON Schema of an object") -> InvalidInput:
    return InvalidInput.field(_FIELD, problem, remedy=remedy, code="SCHEMA_INVALID")


def _path(steps: Any) -> str:
    return "$" + "".join(f"[{it}]" if isinstance(it, int) else f".{it}" for it in steps)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(digits)
    return value


def _finite_int(digits: str) -> int:
    _finite_float(digits)
    return int(digits)
