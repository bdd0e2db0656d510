"""`sensorium up --profile gpu` with vLLM for CPUs: `make test-engines` runs this, nothing else."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.aisle.world import Colour, Scene, Worker
from sensorium.launcher import places
from tests.doubles import engine_vllm
from tests.doubles.engine_llama import AISLE
from tests.doubles.launched import launched
from tests.e2e import clients

SCENE = Scene(5, Colour.BLUE, Worker.STOCKING, spill=True, ladder=False)


@pytest.fixture
def data() -> Iterator[Path]:
    # PostgreSQL may run as a user of its own, who could not enter pytest's folder.
    folder = places.data() / "engines" / str(os.getpid())
    yield folder
    shutil.rmtree(folder)


async def test_one_vllm_serves_both_rooms_where_both_name_its_model(data: Path) -> None:
    environment = engine_vllm.ENVIRONMENT | {
        "PYTHONPATH": os.pathsep.join(
            (engine_vllm.ENVIRONMENT["PYTHONPATH"], os.environ.get("PYTHONPATH", ""))
        ),
        "VISION_MODEL": str(AISLE / "hf"),
        "REASONING_MODEL": str(AISLE / "hf"),
        "VISION_VLLM_ARGS": "--dtype float32 --enforce-eager --max-num-seqs 16",
    }
    async with launched(
        data, "--profile", "gpu", environment=environment, start_seconds=engine_vllm.START_SECONDS
    ) as mesh:
        seen = await clients.describe(mesh.http, SCENE)
        said = await clients.generate(mesh.http, "Describe this image.")
        assert len(mesh.processes("vllm.entrypoints", "sensorium.engines.vllm")) == 1
    assert (seen["description"], seen["model"]) == (SCENE.caption, "hf")
    assert (bool(said["text"]), said["model"]) == (True, "hf")
    assert "Application startup complete" in (data / "logs" / "engine.log").read_text()
    assert not any("Application startup complete" in line for line in mesh.output.lines)
