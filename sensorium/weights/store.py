"""The cache of models: a folder for each, whose files are used only once their SHA-256 is right.

An operator may fill it beforehand or point `SENSORIUM_MODELS` elsewhere; a file that somebody put
there is never overwritten. It knows what a model's files are, not what they are for.
"""

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from sensorium.errors import Trouble
from sensorium.weights import parts
from sensorium.weights.catalog import MODELS, File, Model

LOCK_SECONDS: Final = 2 * parts.FETCH_SECONDS
"""How long to wait for another process that fetches the same model."""
STAMP: Final = ".verified.json"
"""Remembers which files were right, so that the next start need not read a gigabyte again."""


def cache() -> Path:
    """The folder of all models."""
    default = "~/.cache/sensorium/models"
    return Path(os.environ.get("SENSORIUM_MODELS") or default).expanduser()


def model_named(name: str) -> Model:
    """Look a model up. Raises `Trouble` for a name that there is not."""
    try:
        return MODELS[name]
    except KeyError:
        raise Trouble(f"there is no model {name}; there are: {', '.join(MODELS)}") from None


def ensure(name: str, progress: parts.Progress = lambda _: None) -> Path:
    """Give the folder of a model whose files are the official ones, fetching them if needed.

    Raises `Trouble` when they are neither there nor to be had, or are not the official ones.
    """
    model = model_named(name)
    folder = cache() / name
    if not missing(model):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(cache() / f".{name}.lock", timeout=LOCK_SECONDS):
            lacking = missing(model)
            if lacking:
                _fill(model, lacking, folder, progress)
    except (OSError, Timeout) as failed:
        raise _not_here(model, folder, str(failed)) from None
    return folder


def missing(model: Model, *, again: bool = False) -> list[File]:
    """The files of a model that are not in the cache; `again` reads even what was right before.

    Raises `Trouble` for a file that is not the official one.
    """
    folder = cache() / model.name
    stamps = {} if again else _stamps(folder)
    lacking, fresh = [], {}
    for file in model.files:
        path = folder / file.name
        if not path.is_file():
            lacking.append(file)
            continue
        stamp = _stamp(path, file)
        if stamps.get(file.name) != stamp:
            _check(path, file)
        fresh[file.name] = stamp
    if fresh != stamps:
        # A cache that may only be read is checked at every start.
        with suppress(OSError):
            (folder / STAMP).write_text(json.dumps(fresh))
    return lacking


def _stamp(path: Path, file: File) -> list[int | str]:
    known = path.stat()
    return [known.st_size, known.st_mtime_ns, file.sha256]


def _stamps(folder: Path) -> dict[str, list[int | str]]:
    try:
        return dict(json.loads((folder / STAMP).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _check(path: Path, file: File) -> None:
    found = path.stat().st_size
    if found != file.size:
        raise Trouble(
            f"{path} has {found} bytes, the official file has {file.size}; remove it, and it will "
            "be fetched anew"
        )
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != file.sha256:
        raise Trouble(
            f"{path} is not the official file: its SHA-256 is {digest}, not {file.sha256}; remove "
            "it, and it will be fetched anew"
        )


def _fill(model: Model, lacking: list[File], folder: Path, progress: parts.Progress) -> None:
    fetched = cache() / f".{model.name}.fetched"
    needed, free = int(model.size * 2.2), shutil.disk_usage(cache()).free
    if free < needed:
        raise _not_here(model, folder, f"it needs {needed >> 20} MiB, {free >> 20} MiB are free")
    progress(f"{model.name}: not in {folder}, fetching {model.size >> 20} MiB")
    try:
        parts.fetch(model, fetched, progress)
        for file in lacking:
            progress(f"{model.name}: joining and checking {file.name}")
            joined = fetched / file.name
            parts.join(file, fetched, joined)
            _check(joined, file)
            joined.replace(folder / file.name)
    except Trouble as failed:
        raise _not_here(model, folder, str(failed)) from None
    shutil.rmtree(fetched)
    missing(model)
    progress(f"{model.name}: ready")


def _not_here(model: Model, folder: Path, reason: str) -> Trouble:
    files = "; ".join(f"{file.name} with SHA-256 {file.sha256}" for file in model.files)
    return Trouble(
        f"model {model.name} is not in {folder} and could not be fetched: {reason}. You may put "
        f"the files of {model.source} there yourself: {files}"
    )
