"""Generate the contract's code whenever the project is installed or packed, so that it is never
committed.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ContractBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `protos/generate.py` before the files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate into `protos/gen/`; a wheel takes the result along, a checkout points at it."""
        subprocess.run([sys.executable, Path(self.root) / "protos" / "generate.py"], check=True)
        if version == "standard":
            build_data["force_include"] |= {
                "protos/gen/mesh": "mesh",
                "protos/gen/buf": "buf",
                "protos/gen/descriptors.binpb": "gateway/envoy/descriptors.binpb",
            }
