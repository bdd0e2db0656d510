"""Files that the operator has opened to be named by path: those under one root, and no others.

No link is followed below the root, so that none leads out of it.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from services.chassis.errors import InvalidInput
from services.media.fetch import Media, too_large


def read(root: Path | None, uri: str, *, field: str, most_bytes: int) -> Media:
    """Read the file that a `file:///` address names by its absolute path. Blocking.

    What is not there and what may not be read are refused in the same words.
    """
    with opened(root, uri, field=field) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise too_large(field, most_bytes)
    return Media(data)


def opened(root: Path | None, uri: str, *, field: str) -> BinaryIO:
    """Open such a file, which the caller closes. Blocking."""
    if root is None:
        raise InvalidInput.field(
            field,
            "names a file, and no folder is open here",
            remedy="send its bytes, or have the operator set a media root",
            code="FILES_NOT_ALLOWED",
        )
    split = urlsplit(uri)
    path = unquote(split.path, errors="surrogateescape")
    try:
        names = Path(path).relative_to(root).parts
        if split.netloc or split.query or ".." in names or not names:
            raise ValueError
        return _open_below(root, names)
    except (OSError, ValueError):
        raise InvalidInput.field(
            field,
            "names no file that may be read",
            remedy="name a file under the folder that the operator has opened",
            code="FILE_NOT_FOUND",
        ) from None


def _open_below(root: Path, names: tuple[str, ...]) -> BinaryIO:
    # A pipe would be waited for without O_NONBLOCK.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    opened = os.open(root, flags | os.O_DIRECTORY)
    try:
        for name in names:
            outer = opened
            opened = os.open(name, flags | os.O_NOFOLLOW, dir_fd=outer)
            os.close(outer)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise ValueError("not a file")
        return os.fdopen(os.dup(opened), "rb")
    finally:
        os.close(opened)
