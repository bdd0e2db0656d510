"""The contract's rules on fields, as the keywords of JSON Schema that say the same. What JSON
Schema cannot say, such as a limit in bytes, is left to the field's sentence.
"""

from typing import Any, Final

from buf.validate import validate_pb2 as pb
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

_SIZES: Final = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
_BOUNDS: Final = {
    "gte": "minimum",
    "lte": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
}
_COUNTS: Final = {"min_items": "minItems", "max_items": "maxItems"}
_NUMBERS: Final = ("int32", "uint32", "float", "double")


def rules_of(field: FieldDescriptorProto) -> pb.FieldRules:
    """The rules of a field; without any, rules that allow everything."""
    rules: pb.FieldRules = field.options.Extensions[pb.field]  # type: ignore[index] # written by a machine
    return rules


def is_required(rules: pb.FieldRules) -> bool:
    """Whether a request must hold the field."""
    if rules.ignore == pb.IGNORE_IF_ZERO_VALUE:
        return False
    return (
        rules.required
        or rules.string.min_len > 0
        or rules.string.uuid
        or rules.repeated.min_items > 0
        or 0 in getattr(rules.enum, "not_in")  # noqa: B009 - `in` is a word of Python
    )


def keywords(rules: pb.FieldRules) -> dict[str, Any]:
    """The keywords for a value, or for each value of a list."""
    kind = rules.WhichOneof("type")
    if kind == "string":
        found = _told(rules.string, _SIZES)
        if rules.string.uuid:
            found["format"] = "uuid"
        return found
    if kind in _NUMBERS:
        return _told(getattr(rules, kind), _BOUNDS)
    return {}


def counts(rules: pb.FieldRules) -> dict[str, Any]:
    """The keywords for a list as a whole."""
    return _told(rules.repeated, _COUNTS)


def _told(rules: Any, names: dict[str, str]) -> dict[str, Any]:
    return {
        theirs: _plain(getattr(rules, ours))
        for ours, theirs in names.items()
        if rules.HasField(ours)
    }


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
