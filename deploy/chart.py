"""The chart as its users meet it: rendered by helm, linted, and held against Kubernetes' own
schemas. It knows no room.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from deploy import tools

CHART: Final = tools.ROOT / "deploy" / "helm"
EXAMPLES: Final = CHART / "examples"
KUBERNETES: Final = ("1.30", "1.37")
"""The oldest release that Chart.yaml admits, and the newest whose schemas are installed."""


class ChartError(Exception):
    """Helm or Kubernetes refuses the chart. The message says what they said."""


def examples() -> list[Path]:
    """List the folders of the example cases."""
    return sorted(path.parent for path in EXAMPLES.glob("*/values.yaml"))


def render(values: Path, *settings: str) -> str:
    """Render the chart as `helm install` would, with further `key=value` settings."""
    options = [part for setting in settings for part in ("--set-json", setting)]
    return _helm(
        "template", "sensorium", CHART, "--namespace", "mesh", "--values", values, *options
    )


def lint(values: Path) -> None:
    """Raise what `helm lint --strict` has against the chart with these values."""
    _helm("lint", "--strict", "--quiet", CHART, "--values", values)


def validate(rendered: str) -> None:
    """Raise what the strict schemas of Kubernetes have against it, unknown kinds included."""
    manifests = [manifest for manifest in yaml.safe_load_all(rendered) if manifest]
    if wrong := list(_faults(manifests)):
        raise ChartError("\n".join(wrong))


def _faults(manifests: list[dict[str, object]]) -> Iterable[str]:
    for version in KUBERNETES:
        for manifest in manifests:
            metadata = manifest.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            where = f"Kubernetes {version}, {manifest.get('kind')} {name}"
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as refused:
                yield f"{where}: {'.'.join(map(str, refused.absolute_path))}: {refused.message}"
            except kubernetes_validate.SchemaNotFoundError as unknown:
                # The command line only warns of these, so a mistyped kind would pass it.
                yield f"{where}: {unknown.message}"


def _helm(*arguments: str | Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments
        [tools.helm(), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise ChartError((done.stderr.strip() + "\n" + done.stdout.strip()).strip())
    return done.stdout
