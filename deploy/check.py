"""Check everything that leaves this machine: the chart, its examples, the image's recipe
and the Compose file.

Run it as `python deploy/check.py`; with `--render` it first writes the examples' `rendered.yaml`
anew.
"""

import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from deploy import chart, tools

DEPLOY: Final = tools.ROOT / "deploy"
SCRIPTS: Final = Path(sysconfig.get_path("scripts"))


class CheckFailed(Exception):
    """Something in `deploy/` is wrong. The message is what the checker said."""


def main() -> int:
    """Run every check, say how each went, and return 1 if one failed."""
    if sys.argv[1:] == ["--render"]:
        for folder in chart.examples():
            (folder / "rendered.yaml").write_text(chart.render(folder / "values.yaml"))
    failed = False
    for name, check in checks():
        started = time.monotonic()
        try:
            check()
        except (CheckFailed, chart.ChartError, tools.ToolError) as wrong:
            failed = True
            print(f"FAILED {name}\n{wrong}", file=sys.stderr)
        else:
            print(f"ok     {name} ({time.monotonic() - started:.1f} s)")
    return int(failed)


def checks() -> Iterator[tuple[str, Callable[[], None]]]:
    """Name every check."""
    yield "image", partial(image, DEPLOY / "Dockerfile")
    yield "compose", partial(compose, DEPLOY / "compose.yaml")
    for folder in chart.examples():
        yield f"chart, example {folder.name}", partial(example, folder)


def image(dockerfile: Path) -> None:
    """Raise what hadolint has against the recipe, down to its remarks on style."""
    _command(SCRIPTS / "hadolint", "--failure-threshold", "style", "--no-color", dockerfile)


def compose(file: Path) -> None:
    """Raise what the Compose specification has against the file."""
    _command(SCRIPTS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


def example(folder: Path) -> None:
    """Raise if the case does not lint, is no Kubernetes, or is not what was committed."""
    values = folder / "values.yaml"
    chart.lint(values)
    rendered = chart.render(values)
    chart.validate(rendered)
    committed = folder / "rendered.yaml"
    if not committed.is_file() or committed.read_text() != rendered:
        raise CheckFailed(
            f"{committed} is not what the chart renders: run deploy/check.py --render"
        )


def _command(*command: str | Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise CheckFailed((done.stdout + done.stderr).strip())


if __name__ == "__main__":
    sys.exit(main())
