"""Pictures and videos as text in JSON: bare base64, a data URL or an address, with what their
sender says of them. It decodes the text, never the picture, and fetches nothing.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypedDict
from urllib.parse import quote

import pybase64
from mesh.types.v1 import image_pb2 as pb

from services.chassis.errors import InvalidInput

_DATA_URL: Final = re.compile(r"data:[^,]{0,256};base64,", re.IGNORECASE)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME_IN_NAME: Final = re.compile(r"_(\d{8}_\d{6})(?=[_.]|$)")
_ADDRESS: Final = re.compile(r"(?:https?|media|file):", re.IGNORECASE)
_PATH_BYTES: Final = 4096
"""The longest path that a system opens."""
_SHAPE: Final = (
    "send base64, a data URL, an address, or an object with such data, and perhaps id, name,"
    " timestamp"
)
_SOURCE: Final = (
    "send it as base64 or as a data URL, or name where it is: an https:// or http:// address,"
    " media:// and an upload's id, or file:/// and a path that the operator has opened"
)


class Source(TypedDict, total=False):
    """The bytes of a picture or a video, or where they are."""

    data: bytes
    uri: str


def image_from_json(value: Any, path: str) -> pb.Image:
    """Read a picture. What its name holds counts where `id` or `timestamp` are not given."""
    described: Mapping[str, Any] = value if isinstance(value, dict) else {"data": value}
    texts = {key: described.get(key, "") for key in ("data", "id", "name", "timestamp")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise InvalidInput.field(f"{path}.{key}", "is no text", remedy=_SHAPE)
    image = pb.Image(**source_from_text(texts["data"], path, remedy=_SHAPE))
    named = _UUID.search(texts["name"])
    image.id = texts["id"] or (named[0] if named else texts["name"])
    if taken := _time(texts["timestamp"], texts["name"], path):
        image.capture_time.FromDatetime(taken)
    return image


def source_from_text(text: str, path: str, *, remedy: str = _SOURCE) -> Source:
    """Read a picture or a video: base64, a data URL, an address, or the path of a file."""
    if _ADDRESS.match(text):
        return {"uri": text}
    try:
        return {"data": picture_from_text(text, path, remedy=remedy)}
    except InvalidInput:
        # What every JPEG begins with in base64 begins like a path too.
        if text.startswith("/9j/") or not text.startswith("/") or len(text) > _PATH_BYTES:
            raise
    return {"uri": f"file://{quote(text)}"}


def picture_from_text(text: str, path: str, *, remedy: str) -> bytes:
    """Read a picture that is bare base64 or a data URL."""
    start = _DATA_URL.match(text)
    try:
        data = decoded(text[start.end() if start else 0 :])
    except ValueError:
        raise InvalidInput.field(path, "is no base64", remedy=remedy) from None
    if not data:
        raise InvalidInput.field(path, "is empty", remedy=remedy)
    return data


def decoded(written: str) -> bytes:
    """Read base64, on one line or on many. Raises `ValueError`."""
    try:
        return pybase64.b64decode(written, validate=True)
    except ValueError:
        # Only now, for to look for blanks takes ten times as long as to decode.
        return pybase64.b64decode("".join(written.split()), validate=True)


def _time(timestamp: str, name: str, path: str) -> datetime | None:
    in_name = _TIME_IN_NAME.search(f"_{timestamp}" if timestamp else name)
    try:
        if in_name:
            return datetime.strptime(in_name[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
        if not timestamp:
            return None
        taken = datetime.fromisoformat(timestamp)
    except ValueError:
        raise InvalidInput.field(
            f"{path}.timestamp", "is no time", remedy="send RFC 3339 or YYYYMMDD_HHMMSS"
        ) from None
    return taken if taken.tzinfo else taken.replace(tzinfo=UTC)
