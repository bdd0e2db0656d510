"""Lock every requirement with hashes, for all platforms, without naming a registry's host.

`runtime.txt` is what the mesh runs on, `build.txt` what installing it needs, `dev.txt` what checks
and tests need besides. Each is solved within the ones before, so that they agree. `engines.txt`,
which the engine tests install in an environment of its own, is solved by itself, for the one
platform that it exists for. `uv`'s own lock files name hosts, so they are not used.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = (
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet"),
    *("--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"),
    *sys.argv[1:],
)
SETS = {
    "runtime": ("--universal", "pyproject.toml", "--extra", "local"),
    "build": ("--universal", "--group", "build", "-c", "requirements/runtime.txt"),
    "dev": (
        *("--universal", "--group", "dev", "-c", "requirements/runtime.txt"),
        *("-c", "requirements/build.txt"),
    ),
    "engines": (
        *("--python-platform", "x86_64-manylinux_2_28", "requirements/engines.in"),
        *("--excludes", "requirements/engines-left-out.txt"),
    ),
}


def main() -> None:
    """Write each set's file. Arguments go to the compiler, such as `--upgrade`."""
    for name, sources in SETS.items():
        command = [*COMPILE, *sources, "--output-file", f"requirements/{name}.txt"]
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
