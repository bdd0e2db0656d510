"""Where a mesh on this machine keeps what lasts, and what lasts as long as it runs."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sensorium.errors import Trouble


def data() -> Path:
    """The folder of what lasts, unless another is chosen."""
    if chosen := os.environ.get("SENSORIUM_DATA"):
        return Path(chosen).expanduser().resolve()
    if not os.geteuid():
        # Other users, as which the database runs, may not enter the home of root.
        return Path("/var/lib/sensorium")
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "sensorium"


def logs(data: Path) -> Path:
    """The folder, in that of what lasts, of what programs say; only this user may look into it."""
    folder = data / "logs"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as failed:
        raise Trouble(f"the folder {folder} cannot be made: {failed.strerror}") from None
    return folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a data folder for a block. Raises `Trouble` while another mesh does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise Trouble(
            f"another mesh runs on the data folder {folder}; stop it or choose another folder with "
            "--data"
        ) from None
    except PermissionError:
        raise Trouble(
            f"the data folder {folder} may not be written; choose one with --data"
        ) from None


@contextmanager
def run() -> Iterator[Path]:
    """Make a folder for a block, which others may pass through but not look into."""
    # Not in TMPDIR, which may be long: a socket's path has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="sensorium-", dir="/tmp"))
    try:
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
