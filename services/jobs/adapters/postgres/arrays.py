"""Columns of values as PostgreSQL reads arrays. The driver can do it too, but asks of each value
what it is; ours are a few hundred at a time and of one type.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

_NOTHING = "{}"
"""An array of NULLs alone: `unnest` fills it up."""


def numbers(values: Sequence[int | UUID | None]) -> str:
    """Write numbers or ids as the text of an array."""
    if not any(value is not None for value in values):
        return _NOTHING
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def texts(values: Sequence[str | None]) -> str:
    """Write texts as the text of an array; raises `ValueError` for a NUL, which none can hold."""
    told = [value for value in values if value is not None]
    if not told:
        return _NOTHING
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
