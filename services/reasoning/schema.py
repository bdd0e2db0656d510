"""What an answer in JSON must be, and whether it is. It knows no engine."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import referencing
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from services.reasoning.document import invalid, levels, read_document

# A level of a `google.protobuf.Struct` is three levels of messages, of which readers take 100.
_MOST_LEVELS: Final = 24


_FENCED: Final = re.compile(r"^\s*```(?:json)?\s*(\{.*\})\s*```\s*$", re.DOTALL)
"""So models write JSON that nothing holds to a schema."""


class Misfit(Exception):
    """An answer does not fit its schema. The message says where, for the model to read."""


class Schema:
    """A checked schema of an object. Raises `InvalidInput` for text that is none."""

    def __init__(self, text: str) -> None:
        self.document = read_document(text)
        """The schema, its properties in the order in which they were written."""
        kind = validator_for(self.document, default=Draft202012Validator)
        try:
            kind.check_schema(self.document)
        except SchemaError as cause:
            raise invalid(f"{_path(cause.path)} breaks the rule `{cause.validator}`") from cause
        # The registry is empty, so that nothing can ever be fetched.
        self._validator = kind(self.document, registry=referencing.Registry())

    def read(self, text: str) -> Mapping[str, Any]:
        """Read an answer that fits. Raises `Misfit`."""
        try:
            value = json.loads(
                _FENCED.sub(r"\1", text),
                parse_constant=_refuse,
                parse_float=_finite_float,
                parse_int=_finite_int,
            )
            # Half a surrogate pair is JSON, but no text.
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as cause:
            raise Misfit("it is not JSON") from cause
        if max(levels(value)) > _MOST_LEVELS:
            raise Misfit(f"it has more than {_MOST_LEVELS} levels")
        error = next(self._validator.iter_errors(value), None)
        if error is not None:
            raise Misfit(f"{_path(error.absolute_path)} breaks the rule `{error.validator}`")
        # What fits is an object: the schema's type says so.
        return dict(value)


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
