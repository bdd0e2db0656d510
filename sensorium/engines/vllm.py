"""vLLM's server as one process: it ends with the process that started it, and with it all that vLLM
started. vLLM is several processes; those that hold the accelerator's memory would stay when the
first is killed.

    python -m sensorium.engines.vllm PROGRAM ARGUMENT...

It must lead a group of its own, in which the others are. It knows nothing of what they do.
"""

import os
import signal
import subprocess
import sys
from types import FrameType

from sensorium import tether


def main() -> None:
    """Run the program to its end, and end as it did."""
    # Whoever tells this process to end tells its whole group: it waits for the others.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGUSR1, _end_all)
    tether.to_parent(os.getppid(), signal.SIGUSR1)
    try:
        code = subprocess.call(sys.argv[1:])  # noqa: S603 - whoever starts this names it
    except OSError as failed:
        sys.exit(f"{sys.argv[1]}: {failed.strerror}")
    # As shells tell of a signal.
    sys.exit(code if code >= 0 else 128 - code)


def _end_all(number: int, frame: FrameType | None) -> None:
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
