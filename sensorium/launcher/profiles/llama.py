"""llama.cpp as the profiles that run it start it: one server for one GGUF file."""

import sys
from pathlib import Path
from typing import Final

from sensorium.launcher.engine import Engine, Rooms

SMALL_BYTES: Final = 32 << 20
"""So small a model works longest at waiting for its other threads: with two it answers a twelfth as
often. It gets one; others get all cores.
"""


def engine(
    rooms: Rooms,
    model: Path,
    *,
    mmproj: Path | None = None,
    name: str,
    context: int,
    parallel: int = 2,
) -> Engine:
    """Serve a model, with its eyes if it has any, with `context` tokens for each conversation."""
    is_small = model.is_file() and model.stat().st_size < SMALL_BYTES
    return Engine(
        rooms,
        name,
        (
            *(sys.executable, "-m", "sensorium.engines.llama", "--model", str(model)),
            *(("--mmproj", str(mmproj)) if mmproj else ()),
            *("--alias", name, "--context", str(context), "--parallel", str(parallel)),
            *(("--threads", "1") if is_small else ()),
        ),
    )
