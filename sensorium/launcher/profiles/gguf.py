"""The head of a GGUF file: enough to tell whether it is one, and whether a model or its eyes."""

import struct
from pathlib import Path
from typing import Final

MAGIC: Final = b"GGUF"
EYES: Final = "clip"
"""The architecture of every mmproj."""
_KEY: Final = b"general.architecture"
_HEAD: Final = struct.Struct("<4sIQQQ20sIQ")
"""Magic, version, the numbers of tensors and of keys, and the first key: its length, its name, the
type of its value, and the length of that. Whoever writes GGUF writes the architecture first.
"""
_TEXT: Final = 8
_LONGEST: Final = 64


def architecture(path: Path) -> str | None:
    """The architecture that a file is of, empty where it does not say. None: it is no GGUF file."""
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        if not head.startswith(MAGIC):
            return None
        if len(head) < _HEAD.size:
            return ""
        *_, key, kind, length = _HEAD.unpack(head)
        known = key == _KEY and kind == _TEXT and length <= _LONGEST
        return file.read(length).decode(errors="replace") if known else ""
