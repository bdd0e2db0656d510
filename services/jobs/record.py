"""Values of the domain as JSON and back, for whoever keeps them. Which fields there are is told by
the dataclasses alone.
"""

from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

Value = TypeVar("Value")

_adapters: Final[dict[type, TypeAdapter[Any]]] = {}


def dump(value: object) -> Any:
    """Write a dataclass as JSON."""
    return _adapter(type(value)).dump_python(value, mode="json")


def dump_json(value: object) -> str:
    """Write a dataclass as the text of that JSON."""
    return _adapter(type(value)).dump_json(value).decode()


def load(kind: type[Value], record: Any) -> Value:
    """Read a dataclass that `dump` wrote; fields that it did not have yet take their defaults."""
    value: Value = _adapter(kind).validate_python(record)
    return value


def load_json(kind: type[Value], text: str) -> Value:
    """Read the text of what `dump_json` wrote."""
    value: Value = _adapter(kind).validate_json(text)
    return value


def _adapter(kind: type) -> TypeAdapter[Any]:
    adapter = _adapters.get(kind)
    if adapter is None:
        adapter = _adapters[kind] = TypeAdapter(kind)
    return adapter
