"""The one file of a form that came as a whole body. It knows no room."""

from typing import Final

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from services.chassis import limits
from services.chassis.errors import InvalidInput

_FIELDS: Final = 32
_ANY: Final = "latin-1"
"""Reads any bytes: the names of files come in the charset of whoever named them."""
_REMEDY: Final = "send the file as it is, or as the field `file` of multipart/form-data"


def file_of(data: bytes, content_type: str, *, field: str) -> bytes:
    """Give what was uploaded: `data` itself, or the file in it when it is a form.

    The file is the field `file`, or else the only one that has a file's name. Raises `InvalidInput`
    about `field`.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        return data
    try:
        files = _files(data, options.get("boundary", ""))
    except (MultipartError, ValueError):
        raise InvalidInput.field(
            field, "is a form that cannot be read", remedy=_REMEDY, code="FORM_UNREADABLE"
        ) from None
    if not files:
        raise InvalidInput.field(
            field, "is a form without a file", remedy=_REMEDY, code="FORM_WITHOUT_FILE"
        )
    meant = [file for name, file in files if name == "file"] or [file for _, file in files]
    if len(meant) > 1:
        raise InvalidInput.field(
            field,
            f"is a form of {len(meant)} files",
            remedy="send one file with each request",
            code="FORM_OF_SEVERAL_FILES",
        )
    return meant[0]


def _files(data: bytes, boundary: str) -> list[tuple[str, bytes]]:
    files: list[tuple[str, bytearray]] = []
    current: bytearray | None = None
    with PushMultipartParser(
        boundary,
        max_segment_count=_FIELDS,
        max_segment_size=limits.BODY_BYTES,
        header_charset=_ANY,
    ) as parser:
        for event in (*parser.parse(data), *parser.parse(b"")):
            if event is None:
                current = None
            elif isinstance(event, bytes | bytearray | memoryview):
                if current is not None:
                    current += event
            elif _is_file(event):
                current = bytearray()
                files.append((event.name, current))
    return [(name, bytes(file)) for name, file in files]


def _is_file(part: MultipartSegment) -> bool:
    # Older clients write a name beyond ASCII as `filename*` alone.
    named = part.filename or "filename*=" in part.header("Content-Disposition", "")
    return bool(named or part.name == "file")
