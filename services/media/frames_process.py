"""The process that decodes one hostile video: bytes come in, frames go out, and it ends.

It bounds itself before it reads: memory, time of the processor, and nothing written anywhere.
"""

import json
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from services.chassis.limits import MEBIBYTE
from services.media import child
from services.media.frames import Sampling, sampled
from services.media.refused import Refused

READY = b"ready"
"""What the process says before it looks at the video: from here on a failure is the video's."""
MEMORY_BYTES = 1024 * MEBIBYTE
"""The address space of the process: a decoder may keep 16 frames of the largest size."""


def main(arguments: list[str], given: BinaryIO, told: BinaryIO) -> None:
    """Read a video from `given`, write its frames to `told`, last why there are no more."""
    sampling = Sampling(**json.loads(arguments[0]))
    told.write(READY)
    told.flush()
    end: dict[str, Any] = {}

    def frames() -> Iterator[tuple[float, bytes]]:
        end["length"] = yield from sampled(given.read(), sampling)

    try:
        for seconds, picture in frames():
            told.write(struct.pack("!dI", seconds, len(picture)))
            told.write(picture)
    except Refused as refused:
        end = dict(refused.told())
    told.write(struct.pack("!dI", -1, 0))
    told.write(json.dumps(end).encode())
    told.flush()


if __name__ == "__main__":
    child.bound(memory_bytes=MEMORY_BYTES, cpu_seconds=int(sys.argv[2]))
    main(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer)
