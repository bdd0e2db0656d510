"""How much memory this process took up at most."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ITSELF = Path("/proc/self")


class Peak:
    def __init__(self) -> None:
        self.grown_bytes = 0
        """How far it went above where it began."""


@contextmanager
def peak() -> Iterator[Peak]:
    """Watch it for a block."""
    found = Peak()
    # From here on the peak is counted anew.
    (_ITSELF / "clear_refs").write_text("5")
    began = _kibibytes("VmRSS")
    yield found
    found.grown_bytes = (_kibibytes("VmHWM") - began) * 1024


def _kibibytes(name: str) -> int:
    status = (_ITSELF / "status").read_text()
    return int(next(it for it in status.splitlines() if it.startswith(name)).split()[1])
