"""Columns of values as PostgreSQL reads arrays. The driver can do it too, but asks of each value
what it is; ours are a few hundred at a time and of one type.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

_NOTHING = "{}"
"""An array of NULLs alone: `unnest` fills it up."""


def numbers(values: Sequence[int | None]) -> str:
    """Write numbers as the text of an array."""
    if values.count(None) == len(values):
        return _NOTHING
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def ids(values: Sequence[UUID]) -> str:
    """Write ids as the text of an array."""
    return "{" + ",".join([value.hex for value in values]) + "}"


def texts(values: Sequence[str | None]) -> str:
    """Write texts as the text of an array; raises `ValueError` for a NUL, which none can hold."""
    if values.count(None) == len(values):
        return _NOTHING
    told = [value for value in values if value is not None]
    # All are escaped at once, with what cannot be in them between them.
    escaped = "\0".join(told).replace("\\", "\\\\").replace('"', '\\"').split("\0")
    if len(escaped) > len(told):
        raise ValueError("a text has a NUL in it")
    if len(told) == len(values):
        return '{"' + '","'.join(escaped) + '"}'
    left = iter(escaped)
    return "{" + ",".join(["NULL" if it is None else f'"{next(left)}"' for it in values]) + "}"


def times(values: Sequence[datetime | None]) -> str:
    """Write times as the text of an array."""
    return texts([None if value is None else value.isoformat() for value in values])


def spans(values: Sequence[timedelta | None]) -> str:
    """Write spans of time as the text of an array."""
    return texts([None if value is None else f"{value.total_seconds()} s" for value in values])
