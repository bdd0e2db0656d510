"""The process that decodes the sound of one hostile recording or stream: bytes come in, samples go
out, and it ends. It bounds itself before it reads.
"""

import io
import json
import struct
import sys
from typing import BinaryIO, Final

from services.chassis.limits import MEBIBYTE
from services.media import child
from services.media.refused import Refused
from services.media.sound import Limits, Source, decoded

READY: Final = b"ready"
"""What the process says before it looks at a byte: from here on a failure is the recording's."""
HEAD: Final = struct.Struct("!i")
"""Before each block: its bytes. Below zero: why there are no more follows, as JSON."""
MEMORY_BYTES: Final = 448 * MEBIBYTE
"""The address space of the process: 200 MiB of code, a body of the largest size twice, and what a
decoder keeps.
"""


def main(arguments: list[str], given: BinaryIO, told: BinaryIO) -> None:
    """Read a recording from `given`, which is a file, holds a whole one, or streams one; write its
    samples to `told`, last why there are no more.
    """
    limits = Limits(**json.loads(arguments[0]))
    told.write(READY)
    told.flush()
    end: dict[str, str] = {}
    try:
        source = _source(arguments[1], given)
        for block in decoded(source, limits):
            told.write(HEAD.pack(len(block)) + block)
            told.flush()
    except Refused as refused:
        end = refused.told()
    told.write(HEAD.pack(-1) + json.dumps(end).encode())
    told.flush()


def _source(kind: str, given: BinaryIO) -> Source:
    match kind:
        case "file":
            return given
        case "whole":
            return io.BytesIO(given.read())
        case _:
            return _Pipe(given)


class _Pipe:
    """Bytes as they come. It has no `seek`, so FFmpeg will not look for the end first."""

    def __init__(self, given: BinaryIO) -> None:
        self._given = given

    def read(self, size: int = -1) -> bytes:
        return self._given.read(size)


if __name__ == "__main__":
    child.bound(memory_bytes=MEMORY_BYTES, cpu_seconds=int(sys.argv[3]))
    # Unbuffered: a buffer would wait for more than has come.
    main(sys.argv[1:], open(0, "rb", buffering=0), sys.stdout.buffer)  # noqa: SIM115 - ends with it
