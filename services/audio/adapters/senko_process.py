"""The process in which senko tells voices apart. It stands in senko's own environment, where there
may be nothing else of the mesh, so it imports nothing of it; it is asked over its two pipes, one
question at a time. It bounds itself before it reads.
"""

import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO, Final

HEAD: Final = struct.Struct("!cII")
"""Before each question: its kind, the recording's number, and the bytes that follow."""
LENGTH: Final = struct.Struct("!I")
"""Before each answer, which is JSON: its bytes."""
OPEN, FEED, END, FORGET = b"o", b"f", b"e", b"x"
SAMPLE_RATE_HZ: Final = 16_000
MEMORY_BYTES: Final = 6 << 30
"""Of address space: torch takes 1.8 GiB, hours of speech some hundreds of MiB more."""
_NICENESS: Final = 10
"""Words come first: somebody waits for them while they speak."""


def main(given: BinaryIO, told: BinaryIO, threads: int) -> None:
    """Answer until there are no more questions."""
    import senko  # type: ignore[import-not-found]

    diarizer = senko.Diarizer(warmup=False, quiet=True)
    diarizer.logical_cores = threads or diarizer.logical_cores
    sessions = dict[int, Any]()
    _tell(told, {})
    while len(head := given.read(HEAD.size)) == HEAD.size:
        kind, number, size = HEAD.unpack(head)
        data = given.read(size)
        try:
            _tell(told, _answer(senko, diarizer, sessions, kind, number, data))
        # Whatever senko fails of is the one recording's.
        except Exception as failed:
            sessions.pop(number, None)
            _tell(told, {"problem": type(failed).__name__})


def _answer(
    senko: Any, diarizer: Any, sessions: dict[int, Any], kind: bytes, number: int, data: bytes
) -> dict[str, Any]:
    if kind == OPEN:
        sessions[number] = senko.DiarizationSession(diarizer)
    elif kind == FEED:
        clustering = diarizer._perform_clustering
        # Only the end wants to know whose voices they are; asked at each step, hours would cost
        # more with every step.
        diarizer._perform_clustering = lambda *_: ([], [], {})
        try:
            sessions[number].add_samples(_samples(data), sample_rate=SAMPLE_RATE_HZ)
        finally:
            diarizer._perform_clustering = clustering
    elif kind == END:
        # Without new samples it would do nothing: one more of silence.
        session = sessions.pop(number)
        heard = session.add_samples(_samples(data + b"\0\0"), sample_rate=SAMPLE_RATE_HZ)
        found = heard["merged_segments"] if heard else []
        return {"turns": [(it["start"], it["end"], it["speaker"]) for it in found]}
    elif kind == FORGET:
        sessions.pop(number, None)
    return {}


def _samples(data: bytes) -> Any:
    import numpy as np

    return np.frombuffer(data, "<i2")


def _tell(told: BinaryIO, answer: dict[str, Any]) -> None:
    said = json.dumps(answer).encode()
    told.write(LENGTH.pack(len(said)) + said)
    told.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    with os.fdopen(os.dup(0), "rb") as questions, os.fdopen(os.dup(1), "wb") as answers:
        # Libraries that greet or complain must not do it between the answers.
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        main(questions, answers, int(sys.argv[1]))
