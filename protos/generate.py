"""Build what the contract's sources imply: Python modules, their type stubs, and the descriptor
set.

Everything lands in `protos/gen/`, which is never committed; the install and `make protos` both call
this file. Run with `--check` to learn whether `gen/` is what the sources now imply. It knows no
room and no message by name.
"""

import filecmp
import importlib.resources
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

import google.api
import grpc_tools
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
GEN = PROTOS / "gen"
THIRD_PARTY = PROTOS / "third_party" / "protovalidate"
# Envoy turns `grpc-status-details-bin` into JSON only if it finds these types in the descriptor
# set.
ERROR_DETAILS = "google/rpc/error_details.proto"
# No installed package carries the generated module of this one.
VALIDATE = "buf/validate/validate.proto"
DESCRIPTOR_SET = "descriptors.binpb"


def generate(out: Path) -> None:
    """Write generated code, the imported Google sources and the descriptor set below `out`."""
    googleapis = out / "googleapis"
    _copy_googleapis(googleapis)
    well_known = importlib.resources.files(grpc_tools) / "_proto"
    sources = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "mesh").rglob("*.proto"))
    paths = [f"--proto_path={folder}" for folder in (PROTOS, THIRD_PARTY, googleapis, well_known)]
    modules = [f"--python_out={out}", f"--pyi_out={out}"]
    stubs = [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"]
    # The comments come along: the OpenAPI document is made from them.
    described = ["--include_imports", "--include_source_info"]
    descriptors = [*described, f"--descriptor_set_out={out / DESCRIPTOR_SET}"]
    services = [source for source in sources if source.endswith("_service.proto")]
    _protoc(*paths, *modules, *sources, VALIDATE)
    _protoc(*paths, *stubs, *services)
    _protoc(*paths, *descriptors, *sources, ERROR_DETAILS)
    for package in ("mesh", "buf"):
        for module in (out / package).rglob("*_pb2.py"):
            for folder in [module.parent, *module.relative_to(out).parents[1:-1]]:
                (out / folder / "__init__.py").touch()
                (out / folder / "py.typed").touch()


def _protoc(*arguments: str) -> None:
    # protoc looks for its plugins on the PATH, where an environment that is not activated is not.
    scripts = sysconfig.get_path("scripts")
    os.environ["PATH"] = f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if protoc.main(["protoc", *arguments]):
        raise SystemExit("protos: protoc refused the contract; its message stands above")


def _copy_googleapis(target: Path) -> None:
    installed = Path(next(iter(google.api.__path__))).parent
    for package in ("api", "rpc", "type"):
        for source in (installed / package).glob("*.proto"):
            copy = target / "google" / package / source.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def _differences(left: Path, right: Path) -> list[str]:
    names = {
        path.relative_to(root)
        for root in (left, right)
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sorted(
        str(name)
        for name in names
        if not (left / name).exists()
        or not (right / name).exists()
        or not filecmp.cmp(left / name, right / name, shallow=False)
    )


def main() -> None:
    """Regenerate, or with `--check` say what is stale and exit 1."""
    with tempfile.TemporaryDirectory() as scratch:
        # Only its owner may enter the scratch folder; what is copied from it is for everybody.
        fresh = Path(scratch) / GEN.name
        fresh.mkdir()
        generate(fresh)
        stale = _differences(fresh, GEN)
        if "--check" in sys.argv[1:]:
            if stale:
                raise SystemExit(f"protos/gen is stale, run `make protos`: {', '.join(stale)}")
            return
        if stale:
            shutil.rmtree(GEN, ignore_errors=True)
            shutil.copytree(fresh, GEN)


if __name__ == "__main__":
    main()
