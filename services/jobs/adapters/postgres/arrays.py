"""Columns of values as PostgreSQL reads arrays. The driver can do it too, but asks of each value
what it is; ours are a few hundred at a time and of known types.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

_EMPTY = "{}"


def literal(values: Iterable[str | int | UUID | datetime | timedelta | None]) -> str:
    """Write values as the text of an array; where all are NULL it is empty, for `unnest` fills it
    up.
    """
    written = [_element(value) for value in values]
    return "{" + ",".join(written) + "}" if written.count("NULL") < len(written) else _EMPTY


def _element(value: str | int | UUID | datetime | timedelta | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, timedelta):
        return f'"{value.total_seconds()} s"'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    return str(value)
